//! The debuggee as the session sees it: commands go to the engine, its events come back.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weft_debugger::{
    Debugger, EndKind, Grain, ResumeKind, StepKind, StepTarget, TaskEvent, goto_targets, step_in_targets,
};
use weft_memory::MemAddr;
use weft_protocol::async_dap::TaskStop;
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::Debuggee;
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, Call, DataSpec, End, FilterSpec, FunctionSpec, GotoTarget, Granularity,
    Instruction, InstructionSpec, MemoryRead, ModuleInfo, ProcessInfo, Resume, Stack, StepInTarget, Target, TargetId,
    ThreadInfo, Value, Watchable,
};
use weft_tasks::{Snapshot, TaskKey};
use weft_values::Stop;

use crate::files::SourceList;
use crate::tasks::Tasks;
use crate::words::{location, refused};
use crate::{breakpoints, disassembly, files, memory, stack};

/// The task that the step under way was given on, if it was given on a task.
#[derive(Clone, Default)]
pub(crate) struct SteppedTask(Arc<Mutex<Option<TaskKey>>>);

impl SteppedTask {
    pub(crate) fn set(&self, task: Option<TaskKey>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = task;
    }

    pub(crate) fn take(&self) -> Option<TaskKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A native program under the debugger.
pub(crate) struct Native {
    debugger: Arc<Debugger>,
    tasks: Tasks,
    stop_on_entry: bool,
    stepped: SteppedTask,
    sources: SourceList,
    /// Exception filters were set.
    filtered: AtomicBool,
    /// The next move of a thread takes it back to the begin of a function.
    restarting: Arc<AtomicBool>,
}

impl Native {
    pub(crate) fn new(
        debugger: Debugger,
        tasks: Tasks,
        stop_on_entry: bool,
        stepped: SteppedTask,
        restarting: Arc<AtomicBool>,
    ) -> Self {
        let debugger = Arc::new(debugger);
        tasks.changes.give(&debugger);
        Self {
            debugger,
            tasks,
            stop_on_entry,
            stepped,
            sources: SourceList::default(),
            filtered: AtomicBool::new(false),
            restarting,
        }
    }

    fn current(&self) -> Answer<Arc<Stop>> {
        self.debugger.current().ok_or_else(Error::running)
    }

    /// What is to be stepped.
    fn step_target(&self, target: Target) -> Answer<StepTarget> {
        match target {
            Target::Thread(tid) => thread_number(tid).map(StepTarget::Thread),
            Target::Task(key) => self.tasks.step_target(self.current()?.as_ref(), key),
        }
    }

    /// The thread that is somebody: itself, or the one that polls the task.
    fn thread_of(&self, target: Target, what: &str) -> Answer<i32> {
        match self.step_target(target)? {
            StepTarget::Thread(tid) => Ok(tid),
            StepTarget::Coroutine(..) => {
                let sentence = format!("no thread is polling this task, so it has no instruction to {what}");
                Err(Error::new(ErrorId::NotSupported, sentence))
            }
        }
    }

    /// The resumption in the engine's words.
    fn resumption(&self, how: Resume) -> Answer<ResumeKind> {
        Ok(match how {
            Resume::Continue => ResumeKind::Continue,
            Resume::StepInto { of, target } => ResumeKind::StepInto {
                tid: self.thread_of(of, "step into a call from")?,
                target: weft_debugger::TargetId { place: MemAddr::new(target.place), branch: target.branch },
            },
            Resume::Step { kind, of, granularity } => {
                let kind = match kind {
                    weft_session::debuggee::StepKind::Over => StepKind::Over,
                    weft_session::debuggee::StepKind::In => StepKind::In,
                    weft_session::debuggee::StepKind::Out => StepKind::Out,
                };
                match granularity {
                    Granularity::Instruction => {
                        ResumeKind::StepInstruction(kind, self.thread_of(of, "step; step by lines")?)
                    }
                    Granularity::Statement => ResumeKind::Step(kind, self.step_target(of)?, Grain::Statement),
                    Granularity::Line => ResumeKind::Step(kind, self.step_target(of)?, Grain::Line),
                }
            }
        })
    }
}

fn thread_number(tid: i64) -> Answer<i32> {
    i32::try_from(tid).map_err(|_| Error::new(ErrorId::UnknownThread, format!("there is no thread {tid}")))
}

impl Debuggee for Native {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: self.debugger.program().to_owned(), pid: Some(i64::from(self.debugger.pid())) }
    }

    fn start(&self) -> Answer<()> {
        self.debugger.start(self.stop_on_entry).map_err(refused)
    }

    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        breakpoints::lines(&self.debugger, file, wanted)
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        breakpoints::functions(&self.debugger, wanted)
    }

    fn set_instruction_breakpoints(&self, wanted: &[InstructionSpec]) -> Answer<Vec<Bound>> {
        breakpoints::instructions(&self.debugger, wanted)
    }

    fn set_data_breakpoints(&self, wanted: &[DataSpec]) -> Answer<Vec<Bound>> {
        breakpoints::data(&self.debugger, wanted)
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        // Clients take back unasked what was never set.
        if wanted.is_empty() && !self.filtered.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        self.filtered.store(true, Ordering::Release);
        breakpoints::panics(&self.debugger, wanted)
    }

    fn resume(&self, how: Resume, alone: Option<Target>) -> Answer<()> {
        let stepped = match &how {
            Resume::Step { of: Target::Task(key), .. } | Resume::StepInto { of: Target::Task(key), .. } => Some(*key),
            _ => None,
        };
        let how = match (how, alone) {
            (Resume::Continue, Some(alone)) => ResumeKind::ContinueAlone(self.thread_of(alone, "run alone")?),
            _ => self.resumption(how)?,
        };
        self.stepped.set(stepped);
        self.debugger.resume(how, alone.is_some()).map_err(refused)
    }

    fn go_to(&self, of: Target, address: u64) -> Answer<()> {
        let tid = self.thread_of(of, "move")?;
        self.debugger.go_to(tid, MemAddr::new(address)).map_err(refused)
    }

    fn restart_frame(&self, call: Call) -> Answer<()> {
        let frame = breakpoints::frame_identity(call)?;
        self.restarting.store(true, Ordering::Release);
        self.debugger.restart_frame(frame).map_err(|error| {
            self.restarting.store(false, Ordering::Release);
            refused(error)
        })
    }

    fn end_threads(&self, threads: &[Target]) -> Answer<()> {
        for thread in threads {
            self.debugger.end_thread(self.thread_of(*thread, "end")?).map_err(refused)?;
        }
        Ok(())
    }

    fn write_memory(&self, address: u64, bytes: &[u8]) -> Answer<usize> {
        self.debugger.write_memory(MemAddr::new(address), bytes.to_vec()).map_err(refused)
    }

    fn let_go(&self, pid: i64) {
        memory::let_go(pid);
    }

    fn pause(&self, at: Option<Target>) -> Answer<()> {
        let at = match at {
            Some(Target::Thread(tid)) => i32::try_from(tid).ok(),
            _ => None,
        };
        self.debugger.pause(at).map_err(refused)
    }

    fn run_to(&self, task: TaskKey, file: &Path, line: u32) -> Answer<()> {
        self.stepped.set(Some(task));
        let how = ResumeKind::RunTo { task, file: file.to_owned(), line };
        self.debugger.resume(how, false).map_err(refused)
    }

    fn set_task_stops(&self, task: TaskKey, on: &[TaskStop]) -> Answer<()> {
        let event = |stop: &TaskStop| match stop {
            TaskStop::Polled => TaskEvent::Polled,
            TaskStop::Completed => TaskEvent::Completed,
            TaskStop::Cancelled => TaskEvent::Cancelled,
            TaskStop::Panicked => TaskEvent::Panicked,
        };
        let on: Vec<TaskEvent> = on.iter().map(event).collect();
        self.debugger.set_task_stops(task, &on).map_err(refused)
    }

    fn focus(&self, task: TaskKey) -> Answer<()> {
        self.debugger.focus(task).map_err(refused)
    }

    fn terminate(&self) -> Answer<()> {
        self.debugger.terminate().map_err(refused)
    }

    fn end(&self, how: End) -> Answer<()> {
        let how = match how {
            End::Kill => EndKind::Kill,
            End::Detach => EndKind::Detach,
        };
        self.debugger.end(how).map_err(refused)
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        let threads = self.debugger.threads().map_err(refused)?;
        Ok(threads.into_iter().map(|thread| ThreadInfo { id: i64::from(thread.tid), name: thread.name }).collect())
    }

    fn has_thread(&self, id: i64) -> Answer<bool> {
        let tid = i32::try_from(id);
        Ok(tid.is_ok_and(|tid| self.current().is_ok_and(|stop| stop.thread(tid).is_some())))
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        stack::rows(&self.tasks, &self.current()?, of, rows)
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        self.tasks.snapshot(&self.debugger)
    }

    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack> {
        self.tasks.stack(&self.current()?, task)
    }

    fn evaluate(&self, _expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        Err(Error::new(ErrorId::Evaluate, "select a frame first: expressions are evaluated in a frame"))
    }

    fn breakpoint_locations(&self, file: &Path, lines: RangeInclusive<u32>) -> Answer<Vec<(u32, u32)>> {
        files::breakpoint_places(&self.debugger.modules(), file, lines)
    }

    fn step_in_targets(&self, of: Target) -> Answer<Vec<StepInTarget>> {
        let tid = self.thread_of(of, "step into a call from")?;
        let found = step_in_targets(self.current()?.as_ref(), tid);
        Ok(found
            .into_iter()
            .map(|target| StepInTarget {
                id: TargetId { place: target.id.place.raw(), branch: target.id.branch },
                name: target.name,
                at: target.at.as_ref().and_then(location),
            })
            .collect())
    }

    fn goto_targets(&self, of: Target, file: &Path, line: u32) -> Answer<Vec<GotoTarget>> {
        let tid = self.thread_of(of, "move")?;
        let found = goto_targets(self.current()?.as_ref(), tid, file, line);
        Ok(found
            .iter()
            .filter_map(|(address, at)| Some(GotoTarget { address: address.raw(), at: location(at)? }))
            .collect())
    }

    fn watch_address(&self, address: u64, bytes: u64) -> Answer<Watchable> {
        breakpoints::watch_address(self.current()?.as_ref(), address, bytes)
    }

    fn disassemble(&self, address: u64, skip: i64, count: usize) -> Answer<Vec<Instruction>> {
        disassembly::disassemble(self.current()?.as_ref(), MemAddr::new(address), skip, count)
    }

    fn read_memory(&self, address: u64, count: usize) -> Answer<MemoryRead> {
        memory::read(self.current()?.as_ref(), MemAddr::new(address), count)
    }

    fn modules(&self) -> Answer<Vec<ModuleInfo>> {
        Ok(files::modules(&self.debugger.modules()))
    }

    fn sources(&self) -> Answer<Vec<PathBuf>> {
        Ok(self.sources.of(self.debugger.modules()))
    }
}
