//! The engine thread: one debuggee, a closed set of inputs, one place that decides when it runs.

mod attached;
mod background;
mod clock;
mod deliveries;
mod events;
mod forks;
mod gates;
mod judging;
mod long_polls;
mod motion;
mod moves;
mod panics;
mod patience;
mod placement;
mod polled;
mod siblings;
mod spawns;
mod task_stops;
mod traps;
mod watches;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use weft_memory::MemAddr;
use weft_process::{Helper, Output, ProcessError, Stdin, Tracee, Wait, WaitEvent, Waker};
use weft_symbols::{DebugFolders, Modules, Watcher};
use weft_tasks::TaskKey;
use weft_values::Stop;

use background::Stops;
use gates::Gates;
use long_polls::LongPolls;
use panics::Panics;
use patience::Patience;
use placement::Placement;
use siblings::Siblings;
use spawns::Spawns;
use task_stops::TaskStops;
use watches::Watches;

use crate::breakpoints::{Asked, Breakpoints, Group, Owner};
use crate::handle::{Input, Look, Reply, Reporter, Shared};
use crate::plan::Plan;
use crate::pumps::{OutputSink, Pumps};
use crate::stops::stop_of;
use crate::terms::{Judge, Rules};
use crate::{
    AttachSpec, Console, EndKind, Event, FunctionSpec, ImageCache, InstructionSpec, LaunchSpec, LineSpec, Reason,
    Refused, Settings, Stream, entry, images::open_program,
};

/// How a debuggee comes to be.
pub(crate) enum Start {
    /// Started.
    Launch(LaunchSpec, OutputSink),
    /// About to begin in a terminal.
    Adopt(Helper, Settings),
    /// Found running.
    Attach(AttachSpec),
}

impl Start {
    /// How the debuggee is treated.
    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Self::Launch(spec, _) => &spec.settings,
            Self::Adopt(_, settings) => settings,
            Self::Attach(spec) => &spec.settings,
        }
    }
}

/// What the debuggee does, as the outside knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Stands before its start; nothing was published.
    Held,
    /// Runs.
    Running,
    /// Stands at a published stop that named this thread.
    Stopped(i32),
    /// Is gone, or let go.
    Over,
}

/// See the module. Lives on its own thread.
pub(crate) struct Engine {
    tracee: Tracee,
    launched: bool,
    settings: Settings,
    program: PathBuf,
    images: ImageCache,
    modules: Arc<Modules>,
    breakpoints: Breakpoints,
    /// Addresses of user breakpoints, with those whom a trap there is for.
    owners: BTreeMap<MemAddr, Vec<Owner>>,
    /// What a hit of a user breakpoint is asked, by address.
    sites: HashMap<MemAddr, Arc<[Judge]>>,
    rules: Rules,
    /// Traps that are for others than user breakpoints and the plan too: a hit of these is always looked at closely.
    closely: BTreeSet<MemAddr>,
    /// Traps that the plan wants.
    planned: BTreeSet<MemAddr>,
    watches: Watches,
    gates: Gates,
    panics: Panics,
    spawns: Option<Spawns>,
    placement: Placement,
    plan: Option<Box<dyn Plan>>,
    /// The task that is stepped, and whose hits of breakpoints were passed for it.
    siblings: Option<Siblings>,
    /// The step waits for what may never come.
    patience: Option<Patience>,
    task_stops: TaskStops,
    long_polls: Option<LongPolls>,
    /// The task that the user looks at.
    focus: Option<TaskKey>,
    /// The user has chosen it since the last stop.
    focus_chosen: bool,
    /// Where the loader says that files came or went.
    loader: Option<MemAddr>,
    /// Where `main` begins, until it has been reached.
    entry: Option<MemAddr>,
    /// Traps that are in memory.
    planted: BTreeSet<MemAddr>,
    /// Events that arrived while all threads were being stopped. Their threads stand until the event is handled.
    pending: VecDeque<WaitEvent>,
    /// Threads with a pending hit whose pc is at the trap again.
    rewound: BTreeMap<i32, MemAddr>,
    /// Signals that were shown to the user and are still to be delivered, by thread.
    undelivered: BTreeMap<i32, i32>,
    /// The only thread that may run until the next stop.
    alone: Option<i32>,
    /// The thread that was shown stands at a trap which it has not executed yet.
    unhit: bool,
    /// All threads were stopped for something that is not told.
    all_stand: bool,
    /// Threads whose hit was shown, and which have not run since.
    had_hit: BTreeSet<i32>,
    /// Threads that are to end when they go on, with the instruction that they end at.
    ending: BTreeMap<i32, MemAddr>,
    /// The signal by which job control has stopped the program.
    job_stop: Option<i32>,
    /// The last fault: thread, pc and signal.
    fault: Option<(i32, MemAddr, i32)>,
    /// Threads that have executed an `int3` of the program's own which lies under a trap of ours.
    own_traps: BTreeSet<i32>,
    /// The process's first thread has ended; an exec by another one would bring it back.
    first_thread_ended: bool,
    /// Who reads names in the background is told of stops.
    stops: Option<Stops>,
    state: State,
    pumps: Option<Pumps>,
    events: Reporter,
    inputs: Receiver<Input>,
    /// Taken from `inputs`, and not served yet.
    next: Option<Input>,
    shared: Arc<Shared>,
}

impl Engine {
    /// Starts or attaches; the debuggee is held.
    pub(crate) fn begin(
        start: Start,
        events: Reporter,
        inputs: Receiver<Input>,
        shared: Arc<Shared>,
    ) -> Result<Self, Refused> {
        let launched = !matches!(start, Start::Attach(_));
        let settings = start.settings().clone();
        let (tracee, instead, pumps) = match start {
            Start::Launch(spec, sink) => {
                let (tracee, pumps) = launch(spec, &sink)?;
                (tracee, None, Some(pumps))
            }
            Start::Adopt(helper, _) => (Tracee::adopt(helper).map_err(refused)?, None, None),
            Start::Attach(spec) => {
                let mut tracee = Tracee::attach(spec.pid).map_err(refused)?;
                if spec.resume_stopped {
                    tracee.end_job_control_stop().map_err(refused)?;
                }
                (tracee, spec.program, None)
            }
        };
        let program = weft_process::executable_path(tracee.living()).map_err(refused)?;
        let placement = Placement::new(settings.pin_threads, tracee.waker());
        let folders = DebugFolders::and_usual(settings.debug_directories.iter().cloned());
        let mut engine = Self {
            tracee,
            launched,
            settings,
            program,
            images: ImageCache::with_debug_files_in(folders).watched({
                let events = events.clone();
                Watcher::new(move |work| events(Event::Working(work.clone())))
            }),
            modules: Arc::default(),
            breakpoints: Breakpoints::default(),
            owners: BTreeMap::new(),
            sites: HashMap::new(),
            rules: Rules::default(),
            closely: BTreeSet::new(),
            planned: BTreeSet::new(),
            watches: Watches::default(),
            gates: Gates::default(),
            panics: Panics::default(),
            spawns: None,
            placement,
            plan: None,
            siblings: None,
            patience: None,
            task_stops: TaskStops::default(),
            long_polls: None,
            focus: None,
            focus_chosen: false,
            loader: None,
            entry: None,
            planted: BTreeSet::new(),
            pending: VecDeque::new(),
            rewound: BTreeMap::new(),
            undelivered: BTreeMap::new(),
            alone: None,
            ending: BTreeMap::new(),
            unhit: false,
            all_stand: false,
            had_hit: BTreeSet::new(),
            job_stop: None,
            fault: None,
            own_traps: BTreeSet::new(),
            first_thread_ended: false,
            stops: None,
            state: State::Held,
            pumps,
            events,
            inputs,
            next: None,
            shared,
        };
        engine.begin_attached();
        engine.tracee.set_follow_forks(engine.settings.follow_forks);
        engine.open_symbols(instead.as_deref())?;
        Ok(engine)
    }

    pub(crate) fn waker(&self) -> Waker {
        self.tracee.waker()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.tracee.pid()
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn open_symbols(&mut self, instead: Option<&Path>) -> Result<(), Refused> {
        let pid = self.tracee.living();
        let mapped = weft_process::mappings(pid).map_err(refused)?;
        let image = open_program(&self.images, pid, &self.program, instead, &mapped).map_err(Refused::NotAProgram)?;
        for sentence in image.missing() {
            (self.events)(Event::Note(sentence));
        }
        self.refresh_modules();
        Ok(())
    }

    /// Serves until the debuggee is gone or let go.
    pub(crate) fn run(mut self) {
        while self.state != State::Over {
            while let Some(input) = self.next_input() {
                self.on_input(input);
                if self.state == State::Over {
                    return;
                }
            }
            if self.state == State::Running {
                self.forget_ended_spawns();
            }
            let pending = if self.state == State::Running { self.next_pending() } else { None };
            let event = match pending.map_or_else(|| self.tracee.wait(), |event| Ok(Wait::Event(event))) {
                Ok(Wait::Woken) => {
                    self.placement.look(&self.tracee);
                    self.sample_polls();
                    self.tell_of_wait();
                    continue;
                }
                Ok(Wait::Event(event)) => event,
                Err(error) => {
                    self.state = State::Over;
                    (self.events)(Event::Lost(format!("the program cannot be controlled any more: {error}")));
                    continue;
                }
            };
            match event {
                WaitEvent::Exited(ended) => self.finish(ended),
                event if self.state == State::Running => self.on_event(event),
                event => self.pending.push_back(event),
            }
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        self.next.take().or_else(|| self.inputs.try_recv().ok())
    }

    /// Whether somebody asks for something.
    fn has_input(&mut self) -> bool {
        self.next = self.next_input();
        self.next.is_some()
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Start(stop_on_entry, reply) => self.on_start(stop_on_entry, reply),
            Input::SetBreakpoints(file, wanted, reply) => {
                let asked = wanted
                    .into_iter()
                    .map(|LineSpec { line, column, terms }| (Asked::Line { file: file.clone(), line, column }, terms));
                let bound = self.replace_breakpoints(Group::File(&file), asked.collect());
                reply.send(Ok(bound));
            }
            Input::SetData(wanted, reply) => {
                let bound = self.set_data(wanted);
                reply.send(bound);
            }
            Input::SetPanics(wanted, reply) => {
                let bound = self.set_panics(wanted);
                reply.send(bound);
            }
            Input::SetFunctions(wanted, reply) => {
                let asked = wanted.into_iter().map(|FunctionSpec { name, terms }| (Asked::Function { name }, terms));
                let bound = self.replace_breakpoints(Group::Functions, asked.collect());
                reply.send(Ok(bound));
            }
            Input::SetInstructions(wanted, reply) => {
                let asked = wanted
                    .into_iter()
                    .map(|InstructionSpec { address, terms }| (Asked::Instruction { address }, terms));
                let bound = self.replace_breakpoints(Group::Instructions, asked.collect());
                reply.send(Ok(bound));
            }
            Input::GoTo(tid, address, reply) => self.on_go_to(tid, address, reply),
            Input::RestartFrame(frame, reply) => self.on_restart_frame(frame, reply),
            Input::EndThread(tid, reply) => {
                let ended = self.end_thread(tid);
                reply.send(ended);
            }
            Input::Write(address, bytes, reply) => {
                let written = self.write(address, &bytes);
                reply.send(written);
            }
            Input::Change(at, writes, reply) => {
                let changed = self.change(at, &writes);
                reply.send(changed);
            }
            Input::Resume(how, alone, reply) => {
                // Answered first: a system call that is stepped may take as long as it likes.
                match self.resume(how, alone) {
                    Ok(plan) => {
                        reply.send(Ok(()));
                        let ended = self.end_job_stop();
                        if let Some((tid, plan)) = plan {
                            self.begin_plan(tid, plan);
                        }
                        self.go_on();
                        if !ended {
                            self.admit_job_stop();
                        }
                    }
                    Err(refused) => reply.send(Err(refused)),
                }
            }
            Input::Pause(at, reply) => {
                reply.send(Ok(()));
                if self.state == State::Running {
                    self.report(at.unwrap_or(self.tracee.pid()), Reason::Pause);
                }
            }
            Input::SetTaskStops(task, on, reply) => {
                let set = self.set_task_stops(task, on);
                reply.send(set);
            }
            Input::Focus(task, reply) => {
                (self.focus, self.focus_chosen) = (Some(task), true);
                reply.send(Ok(()));
            }
            Input::Glance(look, reply) => self.on_glance(look, reply),
            Input::Terminate(reply) => {
                let sent = self.tracee.signal(nix::libc::SIGTERM).map_err(refused);
                let is_sent = sent.is_ok();
                reply.send(sent);
                if is_sent && matches!(self.state, State::Stopped(_) | State::Held) {
                    self.leave_stop(None);
                    self.go_on();
                }
            }
            Input::End(how, reply) => {
                let answer = self.end(how);
                reply.send(answer);
            }
        }
    }

    fn on_start(&mut self, stop_on_entry: bool, reply: Reply<()>) {
        if self.state != State::Held {
            return reply.send(Err(Refused::Stopped));
        }
        reply.send(Ok(()));
        self.watch_spawns();
        self.watch_polls();
        self.read_ahead();
        if stop_on_entry && !self.launched {
            let pid = self.tracee.pid();
            return self.report(pid, Reason::Entry);
        }
        if stop_on_entry {
            self.entry = entry::user_main(&self.modules);
            if self.entry.is_none() {
                (self.events)(Event::Note("the program's `main` cannot be found: it runs on".to_owned()));
            }
        }
        self.state = State::Running;
        self.tracee.arm();
        self.go_on();
        self.admit_job_stop();
    }

    fn on_glance(&mut self, look: Look, reply: Reply<Duration>) {
        if let Some(stop) = self.shared.current() {
            look(&stop);
            return reply.send(Ok(Duration::ZERO));
        }
        if self.state != State::Running {
            return reply.send(Err(Refused::Stopped));
        }
        reply.send(self.look(look));
    }

    /// Stops the running program, looks, and lets it go on; for how long it stood.
    fn look(&mut self, look: impl FnOnce(&Arc<Stop>)) -> Result<Duration, Refused> {
        let begun = Instant::now();
        self.stop_all();
        match stop_of(&self.tracee, self.modules.clone()) {
            Ok(stop) => look(&Arc::new(stop)),
            Err(error) => {
                self.release();
                return Err(refused(error));
            }
        }
        self.tracee.advance();
        self.release();
        Ok(begun.elapsed())
    }

    fn end(&mut self, how: EndKind) -> Result<(), Refused> {
        self.shared.set_current(None);
        self.plan = None;
        let done = match how {
            EndKind::Kill => self.tracee.kill().map(|_| ()),
            EndKind::Detach => {
                self.stop_all();
                self.close_gate();
                self.placement.release(&self.tracee);
                let (tracee, rewound) = (&mut self.tracee, &self.rewound);
                for event in self.pending.drain(..).rev() {
                    // A hit that was taken back never happened.
                    if event.stopped_thread().is_none_or(|tid| !rewound.contains_key(&tid)) {
                        tracee.put_back(event);
                    }
                }
                for (tid, signal) in std::mem::take(&mut self.undelivered) {
                    self.tracee.put_back(WaitEvent::Signal { tid, signal });
                }
                self.tracee.detach()
            }
        };
        self.state = State::Over;
        if let Some(pumps) = &mut self.pumps {
            pumps.drain();
        }
        done.map_err(refused)
    }
}

impl Drop for Engine {
    /// However it ends: a program that outlives us runs where it likes.
    fn drop(&mut self) {
        self.placement.release(&self.tracee);
    }
}

fn launch(spec: LaunchSpec, sink: &OutputSink) -> Result<(Tracee, Pumps), Refused> {
    let spec = weft_process::LaunchSpec {
        program: spec.program,
        args: spec.args,
        cwd: Some(spec.cwd),
        env: spec.env,
        stdin: spec.stdin.map_or(Stdin::Null, Stdin::File),
        output: match spec.console {
            Console::Pipes => Output::Pipes,
            Console::Terminals => Output::Terminals,
        },
    };
    let launched = Tracee::launch(&spec).map_err(refused)?;
    let pumps = Pumps::start([(Stream::Stdout, launched.stdout), (Stream::Stderr, launched.stderr)], sink);
    Ok((launched.tracee, pumps))
}

/// Why the operating system did not do it, for the user.
pub(crate) fn refused(error: ProcessError) -> Refused {
    let sentence = error.to_string();
    match error {
        ProcessError::NoProgram(_) | ProcessError::NoProcess(_) | ProcessError::Zombie(_) => {
            Refused::NotFound(sentence)
        }
        ProcessError::NotAFile(_)
        | ProcessError::NotExecutable(_)
        | ProcessError::NotElf { .. }
        | ProcessError::Architecture { .. }
        | ProcessError::MissingInterpreter { .. } => Refused::NotAProgram(sentence),
        ProcessError::KernelThread(_)
        | ProcessError::Ourselves(_)
        | ProcessError::AlreadyTraced { .. }
        | ProcessError::NotPermitted { .. } => Refused::NotAllowed(sentence),
        ProcessError::ThreadGone(tid) => Refused::NoThread(tid),
        ProcessError::WorkingDirectory { .. }
        | ProcessError::StandardInput { .. }
        | ProcessError::ZeroByte { .. }
        | ProcessError::Terminal(_)
        | ProcessError::Exec { .. } => Refused::Start(sentence),
        ProcessError::TooManyWatches
        | ProcessError::Unstoppable(_)
        | ProcessError::JobControl(_)
        | ProcessError::Processor
        | ProcessError::System { .. } => Refused::Failed(sentence),
    }
}
