//! The handle: commands go to the engine thread, answers come back.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use weft_memory::MemAddr;
use weft_process::{Meeting, Waker, thread_name};
use weft_runtimes::Runtimes;
use weft_symbols::Modules;
use weft_tasks::TaskKey;
use weft_values::Stop;

use crate::engine::{Engine, Start, refused};
use crate::{
    AttachSpec, Bound, Changed, DataSpec, EndKind, Event, FrameIdentity, FunctionSpec, InstructionSpec, LaunchSpec,
    LineSpec, PanicFilter, Refused, ResumeKind, Stream, TaskEvent, ThreadName,
};

/// How long a helper may take from the moment that its terminal is said to be open.
const HELPER_PATIENCE: Duration = Duration::from_secs(30);

/// Where an engine's events go.
pub(crate) type Reporter = Arc<dyn Fn(Event) + Send + Sync>;

/// Everything an engine can be told.
pub(crate) enum Input {
    /// See [`Debugger::start`].
    Start(bool, Reply<()>),
    /// See [`Debugger::set_breakpoints`].
    SetBreakpoints(PathBuf, Vec<LineSpec>, Reply<Vec<Bound>>),
    /// See [`Debugger::set_function_breakpoints`].
    SetFunctions(Vec<FunctionSpec>, Reply<Vec<Bound>>),
    /// See [`Debugger::set_instruction_breakpoints`].
    SetInstructions(Vec<InstructionSpec>, Reply<Vec<Bound>>),
    /// See [`Debugger::set_data_breakpoints`].
    SetData(Vec<DataSpec>, Reply<Vec<Bound>>),
    /// See [`Debugger::set_panic_filters`].
    SetPanics(Vec<(PanicFilter, Option<String>)>, Reply<Vec<Bound>>),
    /// See [`Debugger::resume`].
    Resume(ResumeKind, bool, Reply<()>),
    /// See [`Debugger::go_to`].
    GoTo(i32, MemAddr, Reply<()>),
    /// See [`Debugger::restart_frame`].
    RestartFrame(FrameIdentity, Reply<()>),
    /// See [`Debugger::end_thread`].
    EndThread(i32, Reply<()>),
    /// See [`Debugger::write_memory`].
    Write(MemAddr, Vec<u8>, Reply<usize>),
    /// See [`Debugger::change`].
    Change(u64, Vec<(MemAddr, Vec<u8>)>, Reply<Changed>),
    /// See [`Debugger::pause`].
    Pause(Option<i32>, Reply<()>),
    /// See [`Debugger::set_task_stops`].
    SetTaskStops(TaskKey, Vec<TaskEvent>, Reply<()>),
    /// See [`Debugger::focus`].
    Focus(TaskKey, Reply<()>),
    /// See [`Debugger::glance`].
    Glance(Look, Reply<Duration>),
    /// See [`Debugger::terminate`].
    Terminate(Reply<()>),
    /// See [`Debugger::end`].
    End(EndKind, Reply<()>),
}

/// What a glance does.
pub(crate) type Look = Box<dyn FnOnce(&Arc<Stop>) + Send>;

/// Where an answer goes.
pub(crate) struct Reply<T>(Sender<Result<T, Refused>>);

impl<T> Reply<T> {
    /// Answers. Whoever asked may have gone.
    pub(crate) fn send(self, answer: Result<T, Refused>) {
        let _ = self.0.send(answer);
    }
}

/// What both sides look at without asking.
#[derive(Default)]
pub(crate) struct Shared {
    current: Mutex<Option<Arc<Stop>>>,
    /// Threads that were about to end when the program was stopped.
    ending: Mutex<Vec<i32>>,
    modules: Mutex<Arc<Modules>>,
}

impl Shared {
    pub(crate) fn current(&self) -> Option<Arc<Stop>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_current(&self, stop: Option<Arc<Stop>>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }

    pub(crate) fn set_ending(&self, ending: Vec<i32>) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }

    pub(crate) fn set_modules(&self, modules: Arc<Modules>) {
        *self.modules.lock().unwrap_or_else(PoisonError::into_inner) = modules;
    }
}

/// A debuggee under control: the handle of its engine thread. Dropping it ends a launched debuggee and detaches from an
/// attached one.
pub struct Debugger {
    inputs: Sender<Input>,
    waker: Waker,
    shared: Arc<Shared>,
    pid: i32,
    program: PathBuf,
    at_end: EndKind,
    /// Spawns are recorded.
    records: bool,
    runtimes: Arc<Runtimes>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Debugger {
    /// Starts a program and holds it before its first instruction of user code, its symbols ready for breakpoints.
    /// `events` is called from the engine thread; `output` from a thread per stream, and may block; it says whether
    /// anybody still listens.
    pub fn launch(
        spec: LaunchSpec,
        events: impl Fn(Event) + Send + Sync + 'static,
        output: impl Fn(Stream, &[u8]) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Refused> {
        Self::spawn(Start::Launch(spec, Arc::new(output)), events, EndKind::Kill)
    }

    /// Starts a program in a terminal that somebody else opens, and holds it as [`Debugger::launch`] does. `helper` is how
    /// weft's helper is started (the path of `weft`, then `launch-in-terminal`); `run` has the words it is given run in the
    /// terminal, with the program's directory and environment, and says when that is done, or why it cannot be. The
    /// program's output goes to the terminal and is not seen here.
    pub fn launch_in_terminal(
        spec: LaunchSpec,
        helper: &[OsString],
        run: impl FnOnce(Vec<OsString>) -> Result<(), String>,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Refused> {
        let meeting = Meeting::new().map_err(refused)?;
        weft_process::check_executable(&spec.program).map_err(refused)?;
        run(meeting.command(helper, &spec.program, &spec.args, spec.stdin.as_deref())).map_err(Refused::Start)?;
        let helper = meeting.wait(HELPER_PATIENCE, || None).map_err(refused)?;
        Self::spawn(Start::Adopt(helper, spec.settings), events, EndKind::Kill)
    }

    /// Attaches to a process and holds it.
    pub fn attach(spec: AttachSpec, events: impl Fn(Event) + Send + Sync + 'static) -> Result<Self, Refused> {
        Self::spawn(Start::Attach(spec), events, EndKind::Detach)
    }

    fn spawn(start: Start, events: impl Fn(Event) + Send + Sync + 'static, at_end: EndKind) -> Result<Self, Refused> {
        let records = start.settings().record_spawns.is_some();
        let runtimes = Arc::clone(&start.settings().runtimes);
        let (inputs, received) = channel();
        let shared = Arc::new(Shared::default());
        let (told, ready) = channel();
        let events: Reporter = Arc::new(events);
        let (engine_shared, engine_events) = (shared.clone(), events.clone());
        let serve = move || match Engine::begin(start, engine_events, received, engine_shared) {
            Ok(engine) => {
                let _ = told.send(Ok((engine.waker(), engine.pid(), engine.program().to_owned())));
                engine.run();
            }
            Err(refused) => {
                let _ = told.send(Err(refused));
            }
        };
        let failed_shared = shared.clone();
        let body = move || {
            // The engine's own end leaves the debuggee in order, however it comes about; the user must hear of it.
            if catch_unwind(AssertUnwindSafe(serve)).is_err() {
                failed_shared.set_current(None);
                events(Event::Lost("the debugger failed inside and has let go of the program".to_owned()));
            }
        };
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(body)
            .map_err(|error| Refused::Failed(format!("no thread can be started: {error}")))?;
        let begun = ready.recv().unwrap_or_else(|_| Err(Refused::Failed("the engine failed at its start".to_owned())));
        let (waker, pid, program) = begun?;
        Ok(Self { inputs, waker, shared, pid, program, at_end, records, runtimes, thread: Mutex::new(Some(thread)) })
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its executable.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its files as they are loaded now. Works while running.
    pub fn modules(&self) -> Arc<Modules> {
        self.shared.modules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The current stop; none while running.
    pub fn current(&self) -> Option<Arc<Stop>> {
        self.shared.current()
    }

    /// Its threads, the first one first. Works while running. At a stop, those that were about to end are left out: they
    /// have no stack any more.
    pub fn threads(&self) -> Result<Vec<ThreadName>, Refused> {
        let listed = std::fs::read_dir(format!("/proc/{}/task", self.pid)).map_err(|_| Refused::Ended)?;
        let mut tids: BTreeSet<i32> =
            listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        if let Some(stop) = self.current() {
            let ending = self.shared.ending.lock().unwrap_or_else(PoisonError::into_inner);
            tids.retain(|tid| !ending.contains(tid));
            // The kernel's list ends early when a thread dies while it is read.
            tids.extend(stop.threads.iter().map(|thread| thread.tid));
        }
        let mut threads: Vec<ThreadName> = tids
            .into_iter()
            .map(|tid| ThreadName { tid, name: thread_name(self.pid, tid).unwrap_or_default() })
            .collect();
        threads.sort_by_key(|thread| (thread.tid != self.pid, thread.tid));
        Ok(threads)
    }

    /// Lets the held program run. With `stop_on_entry` a launched one stops on the first line of its own `main`, an
    /// attached one stays where it is, and both say so with [`crate::Reason::Entry`].
    pub fn start(&self, stop_on_entry: bool) -> Result<(), Refused> {
        if self.records {
            self.index()?;
        }
        self.ask(|reply| Input::Start(stop_on_entry, reply))
    }

    /// Replaces every breakpoint of one file. Answers in the order asked. Works while running.
    pub fn set_breakpoints(&self, file: &Path, wanted: &[LineSpec]) -> Result<Vec<Bound>, Refused> {
        self.ask(|reply| Input::SetBreakpoints(file.to_owned(), wanted.to_owned(), reply))
    }

    /// Replaces every function breakpoint. Answers in the order asked. Works while running.
    pub fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Result<Vec<Bound>, Refused> {
        if !wanted.is_empty() {
            self.index()?;
        }
        self.ask(|reply| Input::SetFunctions(wanted.to_owned(), reply))
    }

    /// Replaces every breakpoint on an instruction. Answers in the order asked. Works while running.
    pub fn set_instruction_breakpoints(&self, wanted: &[InstructionSpec]) -> Result<Vec<Bound>, Refused> {
        self.ask(|reply| Input::SetInstructions(wanted.to_owned(), reply))
    }

    /// Replaces every breakpoint on data; the processor has four. Answers in the order asked. Works while running.
    pub fn set_data_breakpoints(&self, wanted: &[DataSpec]) -> Result<Vec<Bound>, Refused> {
        self.ask(|reply| Input::SetData(wanted.to_owned(), reply))
    }

    /// Says which panics stop the program, with a condition each. Answers in the order asked. Works while running.
    pub fn set_panic_filters(&self, wanted: &[(PanicFilter, Option<String>)]) -> Result<Vec<Bound>, Refused> {
        self.ask(|reply| Input::SetPanics(wanted.to_owned(), reply))
    }

    /// Goes on; returns once it is on its way. `alone`: only the thread that is stepped, or was shown, runs.
    pub fn resume(&self, how: ResumeKind, alone: bool) -> Result<(), Refused> {
        if matches!(how, ResumeKind::RunTo { .. }) {
            self.index()?;
            self.runtimes.look_for_ends(&self.modules());
        }
        self.ask(|reply| Input::Resume(how, alone, reply))
    }

    /// Moves a stopped thread to another instruction of the function it is in, and says so with
    /// [`crate::Reason::Moved`].
    pub fn go_to(&self, tid: i32, address: MemAddr) -> Result<(), Refused> {
        self.ask(|reply| Input::GoTo(tid, address, reply))
    }

    /// Takes a stopped thread back to the begin of a function on its stack, where that is safe, and says so with
    /// [`crate::Reason::Moved`].
    pub fn restart_frame(&self, frame: FrameIdentity) -> Result<(), Refused> {
        self.ask(|reply| Input::RestartFrame(frame, reply))
    }

    /// Has one thread of the stopped program end where it stands, as it goes on.
    pub fn end_thread(&self, tid: i32) -> Result<(), Refused> {
        self.ask(|reply| Input::EndThread(tid, reply))
    }

    /// Writes into the program's memory, stopped or not; says how many bytes. A current stop is over by it, and a new one
    /// is current when this returns.
    pub fn write_memory(&self, address: MemAddr, bytes: Vec<u8>) -> Result<usize, Refused> {
        self.ask(|reply| Input::Write(address, bytes, reply))
    }

    /// Changes the memory of the program as it stands at a stop: all of these bytes, or none where one cannot be written; that
    /// stop is over then. An error: nothing was tried, since the program has run on, or cannot be read there.
    pub fn change(&self, at: &Stop, writes: Vec<(MemAddr, Vec<u8>)>) -> Result<Changed, Refused> {
        self.ask(|reply| Input::Change(at.generation, writes, reply))
    }

    /// Asks for a stop, which comes as an event with [`crate::Reason::Pause`] that names `at` if it still exists.
    /// Stopped already: nothing happens.
    pub fn pause(&self, at: Option<i32>) -> Result<(), Refused> {
        self.ask(|reply| Input::Pause(at, reply))
    }

    /// Looks at the current stop; or, while running, stops every thread, looks, and lets them go on. Says for how long
    /// the program stood because of it (zero when it stood anyway). No event is sent.
    pub fn glance<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Arc<Stop>) -> R + Send + 'static,
    ) -> Result<(R, Duration), Refused> {
        if let Some(stop) = self.current() {
            return Ok((look(&stop), Duration::ZERO));
        }
        let (told, seen) = channel();
        let look = Box::new(move |stop: &Arc<Stop>| {
            let _ = told.send(look(stop));
        });
        let stood = self.ask(|reply| Input::Glance(look, reply))?;
        seen.recv().map(|seen| (seen, stood)).map_err(|_| Refused::Ended)
    }

    /// Replaces what a task stops the program for; nothing: it stops it no more. The set ends with the task, and a note says
    /// so. Works while running, which stands for a moment.
    pub fn set_task_stops(&self, task: TaskKey, on: &[TaskEvent]) -> Result<(), Refused> {
        if !on.is_empty() {
            self.index()?;
            self.runtimes.look_for_ends(&self.modules());
        }
        self.ask(|reply| Input::SetTaskStops(task, on.to_owned(), reply))
    }

    /// The user looks at this task from now on, until a stop shows another one.
    pub fn focus(&self, task: TaskKey) -> Result<(), Refused> {
        self.ask(|reply| Input::Focus(task, reply))
    }

    /// Asks the program to end by itself (SIGTERM), resuming it if it is stopped.
    pub fn terminate(&self) -> Result<(), Refused> {
        self.ask(Input::Terminate)
    }

    /// Ends the hold. Returns when nothing is left behind. Harmless when called again.
    pub fn end(&self, how: EndKind) -> Result<(), Refused> {
        let ended = match self.ask(|reply| Input::End(how, reply)) {
            Err(Refused::Ended) => Ok(()),
            other => other,
        };
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        ended
    }

    /// Has names indexed here, if they are not yet, rather than on the thread that the program may wait for.
    fn index(&self) -> Result<(), Refused> {
        for module in self.modules().iter() {
            module.image.index().map_err(|cancelled| Refused::Cancelled(cancelled.to_string()))?;
        }
        Ok(())
    }

    fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, Refused> {
        let (answer, answered): (_, Receiver<Result<T, Refused>>) = channel();
        self.inputs.send(input(Reply(answer))).map_err(|_| Refused::Ended)?;
        self.waker.wake();
        answered.recv().unwrap_or(Err(Refused::Ended))
    }
}

impl Drop for Debugger {
    fn drop(&mut self) {
        let _ = self.end(self.at_end);
    }
}
