//! How the debuggee is set going, one instruction or freely, and brought to a stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use weft_memory::Memory;
use weft_process::{Ended, Trap, Wait, WaitEvent};
use weft_values::Stop;

use super::events::INT3;
use super::{Engine, State, refused};
use crate::breakpoints;
use crate::plan::{self, Plan};
use crate::stops::stop_of;
use crate::{Event, Grain, Reason, Refused, ResumeKind, StepTarget, Stopped, signals};

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// What a resumption is for: a thread and its plan; none to run until something stops it.
pub(super) type Purpose = Option<(i32, Box<dyn Plan>)>;

/// What came of a single step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Yes,
    /// Something else happened first, and waits in `pending`.
    No,
    /// The instruction is a system call that has not ended, and somebody wants the engine.
    Blocked,
}

impl Engine {
    /// Takes the stop back and sets up what the resumption is for. The debuggee does not run yet.
    pub(super) fn resume(&mut self, how: ResumeKind, alone: bool) -> Result<Purpose, Refused> {
        let State::Stopped(shown) = self.state else {
            return Err(match self.state {
                State::Over => Refused::Ended,
                _ => Refused::Running,
            });
        };
        let (mut only, mut stepped_task, mut runs_from) = (None, None, None);
        let plan = match how {
            ResumeKind::Continue => None,
            ResumeKind::ContinueAlone(tid) => {
                self.current_stop(tid)?;
                only = Some(tid);
                None
            }
            ResumeKind::Step(kind, StepTarget::Thread(tid), grain) => {
                let stop = self.current_stop(tid)?;
                Some((tid, plan::step(kind, self.way(grain), &stop, tid).map_err(Refused::Failed)?))
            }
            ResumeKind::Step(kind, StepTarget::Coroutine(place, task), grain) => {
                let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
                stepped_task = Some(task);
                Some((shown, plan::step_suspended(kind, self.way(grain), &stop, *place).map_err(Refused::Failed)?))
            }
            ResumeKind::StepInto { tid, target } => {
                let stop = self.current_stop(tid)?;
                let way = self.way(Grain::Line);
                Some((tid, plan::step_into(way, &stop, tid, target).map_err(Refused::Failed)?))
            }
            ResumeKind::RunTo { task, file, line } => {
                let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
                let (places, line) =
                    breakpoints::places_of_line(&self.modules, &file, line).map_err(Refused::Failed)?;
                let ends = self.ends_of(&stop, task, line);
                stepped_task = Some(task);
                runs_from = Some(shown);
                Some((shown, plan::run_to(&self.settings.runtimes, task, line, places, ends)))
            }
            ResumeKind::StepInstruction(kind, tid) => {
                let stop = self.current_stop(tid)?;
                Some((tid, plan::step_instruction(kind, &stop, tid).map_err(Refused::Failed)?))
            }
        };
        let stepped = plan.as_ref().map(|(tid, _)| *tid);
        self.look_at_task(shown);
        self.siblings = stepped.and_then(|tid| self.siblings_of(tid, stepped_task));
        self.alone = only.or(alone.then_some(stepped.unwrap_or(shown)));
        // Nobody is moved first by a run: whoever was shown goes on like all others.
        self.leave_stop(stepped.filter(|_| runs_from.is_none()));
        Ok(plan)
    }

    pub(super) fn current_stop(&self, tid: i32) -> Result<Stop, Refused> {
        let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
        if stop.thread(tid).is_some() { Ok(stop) } else { Err(Refused::NoThread(tid)) }
    }

    /// Ends the current stop. The thread that was shown has had its hit and is taken past the trap at its pc, unless it is
    /// the one that a plan is about to move; one that has to stand while another runs alone, when its time comes.
    pub(super) fn leave_stop(&mut self, moved: Option<i32>) {
        let shown = match self.state {
            State::Stopped(tid) => Some(tid),
            _ => None,
        };
        self.state = State::Running;
        self.shared.set_current(None);
        self.tracee.advance();
        self.tracee.arm();
        self.send_away();
        let signals = std::mem::take(&mut self.undelivered);
        let (signalled, later): (BTreeMap<i32, i32>, _) = signals.into_iter().partition(|(tid, _)| self.may_run(*tid));
        self.undelivered = later;
        for (tid, signal) in &signalled {
            if let Err(error) = self.tracee.resume(*tid, *signal) {
                tracing::debug!(%error, "a signal could not be delivered");
            }
        }
        self.had_hit.extend(shown.filter(|_| !self.unhit));
        let (now, later): (BTreeSet<i32>, _) =
            std::mem::take(&mut self.had_hit).into_iter().partition(|tid| self.may_run(*tid));
        self.had_hit = later;
        for tid in now {
            if moved != Some(tid) && !signalled.contains_key(&tid) && !self.is_pending(tid) {
                self.pass_trap(tid);
            }
        }
    }

    pub(super) fn begin_plan(&mut self, tid: i32, mut plan: Box<dyn Plan>) {
        let verdict = plan.start();
        self.patience = None;
        self.plan = Some(plan);
        self.grant_watch();
        self.place_traps();
        self.obey(tid, verdict);
    }

    /// Lets everything run that has nothing to be handled first.
    pub(super) fn go_on(&mut self) {
        if self.state == State::Running {
            self.place_traps();
            self.release();
        }
    }

    pub(super) fn release(&mut self) {
        self.all_stand = false;
        if let Some(polls) = &mut self.long_polls {
            polls.ran_on(Instant::now());
        }
        for tid in self.tracee.threads() {
            if self.tracee.is_stopped(tid) && !self.is_pending(tid) && self.may_run(tid) {
                // Gone meanwhile, or with an event of its own queued: both will be told.
                let _ = self.tracee.resume(tid, 0);
            }
        }
    }

    pub(super) fn is_pending(&self, tid: i32) -> bool {
        self.pending.iter().any(|event| event.stopped_thread() == Some(tid))
    }

    /// Lets a thread go on from where it stands, past the trap that may be there.
    pub(super) fn pass(&mut self, tid: i32) {
        let passed = self.pass_trap(tid);
        if self.all_stand || !passed {
            self.release();
        }
    }

    /// Lets a thread that has had the hit of the trap at its pc go on behind it. Whether it is on its way.
    pub(super) fn pass_trap(&mut self, tid: i32) -> bool {
        let Ok((pc, _)) = self.tracee.position(tid) else { return false };
        if !self.planted.contains(&pc) {
            return false;
        }
        self.note_spawn(tid, pc);
        if matches!(self.tracee.pass(tid, pc), Ok(true)) {
            return true;
        }
        self.step_instruction(tid);
        let hits = self.tracee.take_watch_hits(tid);
        if hits != 0 {
            self.pending.push_back(WaitEvent::Trapped { tid, trap: Trap::Hardware(hits) });
        }
        false
    }

    /// Has one thread execute one instruction. Nobody slips through a trap that it lies under: it is executed from
    /// elsewhere, or, where it cannot be, while all others stand.
    pub(super) fn step_instruction(&mut self, tid: i32) -> Moved {
        let (Ok(memory), Ok((pc, _))) = (self.tracee.memory(), self.tracee.position(tid)) else { return Moved::No };
        // Only a system call can take its time, or be broken off; one that was interrupted before begins again from behind its
        // instruction. Anything else is waited for.
        let is_syscall = |at| memory.read_bytes(at, SYSCALL.len()).is_ok_and(|code| code == SYSCALL);
        let may_block = is_syscall(pc) || is_syscall(pc.offset(-2));
        let trapped = self.planted.contains(&pc);
        if trapped {
            self.note_spawn(tid, pc);
        }
        if trapped && matches!(self.tracee.pass_stepping(tid, pc), Ok(true)) {
            return self.await_step(tid, may_block);
        }
        if trapped && memory.read_u8(pc) == Ok(INT3) {
            // Who has executed our trap has executed the program's own: that is to be told now.
            if self.tracee.set_pc(tid, pc.offset(1)).is_ok() {
                self.own_traps.insert(tid);
                self.pending.push_back(WaitEvent::Trapped { tid, trap: Trap::Breakpoint });
            }
            return Moved::No;
        }
        if trapped {
            self.stop_all();
            if self.is_pending(tid) || self.tracee.lift(pc).is_err() {
                return Moved::No;
            }
        }
        let stepped = if self.tracee.step(tid, 0).is_ok() { self.await_step(tid, may_block) } else { Moved::No };
        if trapped && self.tracee.plant(pc).is_err() {
            self.planted.remove(&pc);
        }
        stepped
    }

    /// Waits for the end of a single step; what else happens meanwhile waits in `pending`.
    pub(super) fn await_step(&mut self, tid: i32, may_block: bool) -> Moved {
        loop {
            match self.tracee.wait() {
                // Whoever asks for something is served when the step is done, and does not wait for a system call to end; a
                // clock can wait.
                Ok(Wait::Woken) if may_block && self.has_input() => self.tracee.interrupt(tid),
                Ok(Wait::Woken) => {}
                Ok(Wait::Event(WaitEvent::Interrupted { tid: of })) if of == tid => return Moved::Blocked,
                Ok(Wait::Event(WaitEvent::Trapped { tid: of, trap: Trap::Step })) if of == tid => return Moved::Yes,
                Ok(Wait::Event(event @ WaitEvent::Signal { tid: of, signal }))
                    if of == tid && signals::is_fault(signal) =>
                {
                    // The instruction itself fails, and would again.
                    self.pending.push_back(event);
                    return Moved::No;
                }
                Ok(Wait::Event(WaitEvent::Signal { tid: of, signal })) if of == tid => {
                    // It comes before the instruction: deliver it later, when everything runs again.
                    self.pending.push_back(WaitEvent::Signal { tid, signal });
                    if self.tracee.step(tid, 0).is_err() {
                        return Moved::No;
                    }
                }
                Ok(Wait::Event(event)) => {
                    let ours = event.stopped_thread() == Some(tid)
                        || matches!(event, WaitEvent::ThreadExited { tid: of } if of == tid)
                        || matches!(event, WaitEvent::Exited(_));
                    self.put_off(event);
                    if ours {
                        return Moved::No;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a stepped thread did not report");
                    return Moved::No;
                }
            }
        }
    }

    /// Stops every thread; what they had to say waits in `pending`, with every pc where the program would have it.
    pub(super) fn stop_all(&mut self) {
        if let Err(error) = self.tracee.stop_all() {
            tracing::warn!(%error, "not every thread could be stopped");
        }
        self.all_stand = true;
        if let Some(polls) = &mut self.long_polls {
            polls.stood(Instant::now());
        }
        while let Some(event) = self.tracee.take_queued() {
            self.put_off(event);
        }
    }

    /// Keeps an event for later. A thread that hit a trap of ours stands before it meanwhile.
    fn put_off(&mut self, event: WaitEvent) {
        // Before anybody is given back their own cores: afterwards nothing tells that this one's are not.
        if let WaitEvent::ThreadStarted { tid: born } | WaitEvent::Forked { child: born } = event {
            self.placement.born(born, &self.tracee);
        }
        if let WaitEvent::Trapped { tid, trap: Trap::Breakpoint } = event
            && let Some(address) = self.rewind(tid)
        {
            self.rewound.insert(tid, address);
        }
        self.pending.push_back(event);
    }

    /// Stops everything and publishes what there is to see. Ends the plan, if there is one.
    pub(super) fn report(&mut self, tid: i32, reason: Reason) {
        self.stop_all();
        self.placement.release(&self.tracee);
        let interrupted = self.interruption(tid, &reason);
        self.tell_passed();
        if let Some(polls) = &mut self.long_polls {
            polls.restart();
        }
        // A pause may find the thread right before a trap: that hit is still to come, and counts.
        let at = self.tracee.position(tid).map(|(pc, _)| pc);
        let behind_access = std::mem::take(&mut self.watches.behind_access);
        self.unhit = (reason == Reason::Pause || behind_access) && at.is_ok_and(|pc| self.planted.contains(&pc));
        (self.plan, self.alone) = (None, None);
        self.end_watches_of_gone_calls();
        self.grant_watch();
        self.place_traps();
        if let Some(ended) = self.pending.iter().find_map(|event| match event {
            WaitEvent::Exited(ended) => Some(*ended),
            _ => None,
        }) {
            return self.finish(ended);
        }
        let stop = match stop_of(&self.tracee, self.modules.clone()) {
            Ok(stop) => Arc::new(stop),
            Err(error) => {
                tracing::warn!(%error, "a stop could not be published");
                return self.release();
            }
        };
        let Some(tid) = stop.thread(tid).or_else(|| stop.threads.first()).map(|thread| thread.tid) else {
            // Every thread is on its way out; the end will be told.
            return self.release();
        };
        // Whatever becomes of us while the user looks: the code is the program's own.
        self.tracee.disarm();
        self.state = State::Stopped(tid);
        self.shared.set_ending(self.tracee.ending());
        self.shared.set_current(Some(stop.clone()));
        if let Some(stops) = &mut self.stops {
            stops.tell(&stop, tid);
        }
        (self.events)(Event::Stopped(Stopped { stop, reason, tid, interrupted }));
    }

    pub(super) fn finish(&mut self, ended: Ended) {
        if self.state == State::Over {
            return;
        }
        self.state = State::Over;
        self.shared.set_current(None);
        if let Some(sentence) = self.plan.take().and_then(|plan| plan.unfinished()) {
            (self.events)(Event::Note(sentence));
        }
        self.tell_passed();
        if let Some(pumps) = &mut self.pumps {
            pumps.drain();
        }
        (self.events)(match ended {
            Ended::Code(status) => Event::Exited(status),
            Ended::Signal(signal) => Event::Killed(signal),
            Ended::Unknown => Event::Exited(-1),
        });
    }
}
