//! Where a step goes when the coroutine that it follows has ended: to the nearest coroutine on that thread's stack, which
//! awaited it; behind the task's edge to the awaiter of the task's `JoinHandle`, or to the function that drove it.
//!
//! Nothing but the stack has to be read for that: whoever polls or drops a coroutine is on it, through boxes, trait objects
//! and combinators alike.

use std::collections::BTreeSet;

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::{Edge, Ending, edge, end_of_edge, ending};
use weft_values::{Done, Frame, Stop, frames, frames_before, way_to_environment};

use super::super::Passerby;
use super::activation::{is_coroutine, krate_of};
use super::coroutines::instance_of;
use super::detector::writes_before;
use super::{DEPTH, Hit, Phase, Stepper, Verdict, is_stop};
use crate::StepKind;

/// How a coroutine or a task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It has run to its end.
    Completed,
    /// It was dropped while it was suspended: cancelled, or the loser of a `select!`.
    Dropped,
    /// A panic has left it.
    Panicked,
}

impl End {
    fn of_future(self) -> &'static str {
        match self {
            Self::Completed => "the future has completed",
            Self::Dropped => "the future was dropped",
            Self::Panicked => "a panic ended the future",
        }
    }

    fn of_task(self) -> &'static str {
        match self {
            Self::Completed => "the task has ended",
            Self::Dropped => "the task was cancelled",
            Self::Panicked => "a panic ended the task",
        }
    }
}

/// Waits for whoever takes the output of a task that has ended.
pub(super) struct Joining {
    task: Ending,
    end: End,
    /// Its future has ended; else only a function that the executor had called.
    is_over: bool,
    /// Where its thread leaves the task: thread, address and stack pointer.
    left: Option<(i32, MemAddr, MemAddr)>,
}

impl Joining {
    pub(super) fn traps(&self) -> BTreeSet<MemAddr> {
        let mut wanted = self.task.traps();
        wanted.extend(self.left.map(|(_, to, _)| to));
        wanted
    }

    /// Whether a hit of one of the traps is for another task.
    pub(super) fn is_anothers(&self, by: &Passerby<'_>) -> bool {
        if self.left == Some((by.tid, by.pc, by.sp)) {
            return false;
        }
        !self.task.traps().contains(&by.pc) || !self.task.is_meant((by.register)(DwarfRegister::RDI))
    }

    /// What is to be said while nobody takes the output.
    pub(super) fn waits(&self) -> String {
        format!("{}, and the step goes on where it is awaited: nobody has done that yet", self.end.of_task())
    }

    /// What is to be said when the program ends before anybody takes it.
    pub(super) fn unfinished(&self) -> String {
        format!("{}, and the program with it: nobody has awaited it", self.end.of_task())
    }
}

impl Stepper {
    /// The coroutine that is followed has ended.
    pub(super) fn ended(&mut self, hit: &Hit<'_>, end: End) -> Verdict {
        if let Some(landing) = self.unwinds(hit) {
            // Nothing on the stack up to there goes on.
            self.phase = Phase::Unwinding { tid: hit.tid, landing, stays: None };
            return Verdict::Continue;
        }
        let walk = self.stack(hit);
        // That a call is over is no news.
        let said = (end != End::Completed).then(|| format!("{}; its awaiter goes on here", end.of_future()));
        self.go_on(hit, self.outside(hit, &walk), end, said)
    }

    /// The stack of the thread; of one that has just left the poll function, or a copy of it, as it was in that.
    pub(super) fn stack(&self, hit: &Hit<'_>) -> Vec<Frame> {
        let pc = hit.stop.thread(hit.tid).map(|thread| thread.registers.pc());
        let done = match (&self.phase, pc) {
            (Phase::Active(active), Some(pc)) if active.returns_to == Some(pc) => Some(Done::Call),
            (Phase::Active(active), Some(pc)) if active.copy().is_some() && writes_before(hit.stop, pc) => {
                Some(Done::Instruction)
            }
            _ => None,
        };
        match done {
            Some(done) => frames_before(hit.stop, hit.tid, done, DEPTH),
            None => frames(hit.stop, hit.tid, DEPTH).frames,
        }
    }

    /// The poll of a copy is over whose coroutine is not known: the one that stands for it goes on.
    pub(super) fn left_behind(&mut self, hit: &Hit<'_>) -> Verdict {
        let walk = self.stack(hit);
        let mut within = walk.iter().take_while(|frame| edge(frame).is_none());
        let around = within.position(|frame| self.is_its_body(hit.stop, frame)).and_then(|at| walk.get(at..));
        let said = "where the future lies was not kept, so that its next poll cannot be told; its awaiter goes on here";
        match around {
            Some(around) => self.go_on_in(hit, around, Some(said.to_owned())),
            None => Verdict::Lost("the step was lost: the awaiting function's frame cannot be found".to_owned()),
        }
    }

    /// What is said where an awaiter has ended in which the compiler has left no line to stop at.
    pub(super) fn without_line(&mut self) -> Option<String> {
        let awaiter = self.gone_on_in.take()?;
        let before = self.said.take().and_then(|said| Some(said.split_once(';')?.0.to_owned()));
        let before = before.map_or_else(String::new, |said| format!("{said}, and "));
        Some(format!("{before}`{awaiter}` has no code of its own behind its await; who awaits that goes on here"))
    }

    /// A panic has left the coroutine or function that was stepped, and is caught here.
    pub(super) fn caught(&mut self, hit: &Hit<'_>) -> Verdict {
        // Where others' panics were caught meanwhile, nobody has told.
        self.unwinding.clear();
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let said = "a panic has left the function, and was caught here".to_owned();
        self.go_on(hit, &walk, End::Panicked, Some(said))
    }

    /// Goes on in whoever has polled, on this stack, what has ended; `said` is for an awaiter in the same task.
    fn go_on(&mut self, hit: &Hit<'_>, walk: &[Frame], end: End, said: Option<String>) -> Verdict {
        let at = walk.iter().position(|frame| edge(frame).is_some());
        let own = walk.get(..at.unwrap_or(walk.len())).unwrap_or_default();
        let is_awaiter = |frame: &Frame| frame.user_code && is_coroutine(frame);
        let is_users = |frame: &Frame| is_stop(frame, self.way) && frame.source.is_some();
        let nearest = own.iter().position(is_users);
        let awaiter = match end {
            // Whoever catches it goes on, whatever it is.
            End::Panicked => nearest,
            // Who keeps a thread busy with something else may be far from having polled it.
            _ if at.is_none() && nearest.is_some_and(|at| !own.iter().take(at).all(is_standard)) => {
                own.iter().position(is_awaiter)
            }
            _ => own.iter().position(is_awaiter).or(nearest),
        };
        if let Some(frame) = awaiter.and_then(|at| walk.get(at)) {
            let from = walk.get(awaiter.unwrap_or(0)..).unwrap_or_default();
            let said = said.or_else(|| self.without_line());
            return match end {
                End::Panicked if !is_coroutine(frame) => self.leave_from(hit.tid, walk.to_vec(), said),
                _ => self.go_on_in(hit, from, said),
            };
        }
        let Some(at) = at else {
            if matches!(&self.phase, Phase::Active(active) if active.is_blocked_on) {
                return self.thread_goes_on(hit, walk, end, said);
            }
            return Verdict::Lost(match end {
                End::Panicked => "a panic has ended the thread; the program runs on".to_owned(),
                _ => format!("{}, and nothing of yours polled it; the program runs on", end.of_future()),
            });
        };
        match walk.get(at).and_then(edge) {
            Some(Edge::Task) => self.task_ended(hit, walk, at, end),
            _ => self.thread_goes_on(hit, walk.get(at..).unwrap_or_default(), end, said),
        }
    }

    /// The future that a thread has blocked on has ended: the function that called the executor goes on.
    fn thread_goes_on(&mut self, hit: &Hit<'_>, outside: &[Frame], end: End, said: Option<String>) -> Verdict {
        let task = outside.iter().position(|frame| edge(frame) == Some(Edge::Task)).unwrap_or(outside.len());
        let caller = outside.iter().position(|frame| is_stop(frame, self.way) && frame.source.is_some());
        self.has_left_task = true;
        match caller.filter(|caller| *caller < task).and_then(|caller| outside.get(caller..)) {
            Some(caller) => {
                let said = said.or_else(|| Some(format!("{}; who blocked on it goes on here", end.of_future())));
                self.go_on_in(hit, caller, said)
            }
            None => Verdict::Done(Some(format!("{}, and nothing of yours blocked on it", end.of_future()))),
        }
    }

    /// The outermost future of a task has ended, and so has the task: the awaiter of its handle goes on, if there is one.
    fn task_ended(&mut self, hit: &Hit<'_>, walk: &[Frame], edge_at: usize, end: End) -> Verdict {
        self.follow(None);
        match ending(hit.stop, walk, edge_at) {
            Some(task) if task.has_handle(hit.stop) => {
                let left = leaves_at(hit.tid, walk, edge_at);
                self.phase = Phase::Joining(Joining { task, end, is_over: true, left });
                // The handle may be gone before there is a trap to tell of it. The thread stands in the task: that is there.
                Verdict::Place
            }
            Some(_) => Verdict::Done(Some(format!("{}; nobody awaits it", end.of_task()))),
            None => Verdict::Done(Some(format!("{}; whether somebody awaits it cannot be told", end.of_task()))),
        }
    }

    /// A function of the user's that the executor itself has called returns to it. A job has ended then; a future that was
    /// written by hand, perhaps. None: it returns to somebody else.
    pub(super) fn leave_task(&mut self, hit: &Hit<'_>) -> Option<Verdict> {
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        let to = walk.iter().position(|frame| is_stop(frame, self.way) && frame.source.is_some());
        let at = walk.iter().take(to.unwrap_or(walk.len())).position(|frame| edge(frame) == Some(Edge::Task))?;
        let left = leaves_at(hit.tid, &walk, at);
        Some(match ending(hit.stop, &walk, at).filter(|_| left.is_some()) {
            Some(task) => {
                self.phase = Phase::Joining(Joining { task, end: End::Completed, is_over: false, left });
                Verdict::Continue
            }
            None => Verdict::Done(Some("the function has returned to the executor".to_owned())),
        })
    }

    /// The traps are there that tell of the task's handle: has it been dropped before?
    pub(super) fn is_joined(&self, hit: &Hit<'_>) -> Verdict {
        let Phase::Joining(joining) = &self.phase else { return Verdict::Continue };
        if joining.task.has_handle(hit.stop) {
            return Verdict::Continue;
        }
        Verdict::Done(Some(format!("{}; nobody awaits it", joining.end.of_task())))
    }

    /// A task is over, and its handle is polled or dropped, before anything has told of the end of the coroutine in it.
    pub(super) fn task_taken(&mut self, hit: &Hit<'_>, task: Ending) -> Verdict {
        let (pc, sp) = match hit.stop.thread(hit.tid) {
            Some(thread) => (thread.registers.pc(), thread.registers.sp()),
            None => return Verdict::Continue,
        };
        self.follow(None);
        self.phase = Phase::Joining(Joining { task, end: End::Completed, is_over: true, left: None });
        self.joined(hit, pc, sp)
    }

    /// A thread has come to where the output of a task is taken, where its handle is dropped, or to the end of the task.
    pub(super) fn joined(&mut self, hit: &Hit<'_>, pc: MemAddr, sp: MemAddr) -> Verdict {
        let Phase::Joining(joining) = &mut self.phase else { return Verdict::Continue };
        let end = joining.end;
        if joining.left == Some((hit.tid, pc, sp)) {
            joining.left = None;
            let is_over = joining.is_over || joining.task.is_complete(hit.stop);
            return match is_over {
                true if joining.task.has_handle(hit.stop) => Verdict::Continue,
                true => Verdict::Done(Some(format!("{}; nobody awaits it", end.of_task()))),
                false => Verdict::Done(Some("the function has returned to the executor".to_owned())),
            };
        }
        let first = hit.stop.thread(hit.tid).and_then(|thread| thread.registers.get(DwarfRegister::RDI));
        if !joining.task.is_meant(first) {
            return Verdict::Continue;
        }
        let reads = joining.task.reads_at(pc);
        if reads && !joining.task.is_complete(hit.stop) {
            return Verdict::Continue;
        }
        // A poll of the handle that was under way when the task ended has passed the trap before there was an output to take.
        let has_read = reads || joining.task.is_taken(hit.stop);
        self.has_left_task = true;
        if let Some(landing) = self.unwinds(hit) {
            self.phase = Phase::Unwinding { tid: hit.tid, landing, stays: None };
            return Verdict::Continue;
        }
        let walk = frames(hit.stop, hit.tid, DEPTH).frames;
        if has_read {
            let said = format!("{}; its awaiter goes on here", end.of_task());
            return self.go_on(hit, &walk, End::Completed, Some(said));
        }
        let said = format!("{}, and its handle is dropped here", end.of_task());
        let edge_at = walk.iter().position(|frame| edge(frame).is_some()).unwrap_or(walk.len());
        let dropper = walk.iter().take(edge_at).position(|frame| is_stop(frame, self.way) && frame.source.is_some());
        match dropper.and_then(|at| walk.get(at..)) {
            Some(from) => self.go_on_in(hit, from, Some(said)),
            None => Verdict::Done(Some(format!("{}, and its handle is dropped: nobody awaited it", end.of_task()))),
        }
    }

    /// Goes on in the innermost function of this part of the stack: any line of it but the one that it is on ends the step.
    fn go_on_in(&mut self, hit: &Hit<'_>, walk: &[Frame], said: Option<String>) -> Verdict {
        let Some(frame) = walk.first() else { return Verdict::Continue };
        let coroutine = instance_of(hit.stop, hit.tid, walk);
        if coroutine.is_none() && is_coroutine(frame) {
            // Where it goes on after it was suspended could not be told.
            return self.leave_from(hit.tid, walk.to_vec(), said);
        }
        self.unwinding.clear();
        self.gone_on_in = coroutine.as_ref().filter(|_| is_optimised(frame)).map(|_| frame.name.clone());
        self.follow(coroutine);
        self.said = said;
        self.begun = None;
        self.seen = frame.source.iter().map(|source| source.line).chain(line_left(hit.stop, frame)).collect();
        self.file = frame.source.as_ref().map(|source| source.file.clone());
        // Out has got where it wanted to.
        self.kind = StepKind::Over;
        match self.activation(hit.stop, hit.tid, walk) {
            Some(active) => {
                self.phase = Phase::Active(active);
                Verdict::Continue
            }
            None => Verdict::Lost("the step was lost: the awaiting function's frame cannot be found".to_owned()),
        }
    }
}

/// Whether the function is the standard library's, through which a call goes straight to whoever made it.
fn is_standard(frame: &Frame) -> bool {
    ["core", "alloc", "std"].contains(&krate_of(frame)) || frame.user_code
}

/// The line of the instruction before a frame's pc, in its function: of the call that has returned. What follows may have been
/// moved there from another line.
fn line_left(stop: &Stop, frame: &Frame) -> Option<u32> {
    let code = frame.code.as_ref()?;
    let (module, pc) = stop.modules.to_file(frame.pc)?;
    let before = pc.offset(-1);
    let is_own = code.ranges.iter().any(|range| range.contains(&before));
    module.image.line_at(before).ok()?.filter(|_| is_own).map(|at| at.line)
}

/// Whether a coroutine's poll function is optimised: it keeps the pointer to its environment in a register.
fn is_optimised(frame: &Frame) -> bool {
    let Some(code) = &frame.code else { return false };
    let way = || way_to_environment(code, code.behind_prologue());
    frame.inlined || way().is_some_and(|way| way.steps.len() == 1)
}

/// Where a thread comes to when it leaves the task whose edge is at `edge_at` on its stack.
fn leaves_at(tid: i32, walk: &[Frame], edge_at: usize) -> Option<(i32, MemAddr, MemAddr)> {
    let last = end_of_edge(walk, edge_at);
    let concrete = walk.iter().skip(last).position(|frame| !frame.inlined)?.checked_add(last)?;
    Some((tid, walk.get(concrete.checked_add(1)?)?.pc, walk.get(concrete)?.cfa?))
}
