//! The engine thread: one debuggee, a closed set of inputs, one place that decides when it runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use weft_memory::MemAddr;
use weft_process::{Ended, Output, ProcessError, Stdin, Tracee, Trap, Wait, WaitEvent, Waker};
use weft_symbols::{DebugInfo, Modules};
use weft_values::Stop;

use crate::breakpoints::Breakpoints;
use crate::handle::{Input, Look, Reply, Shared};
use crate::plan::{self, Hit, Plan, Verdict};
use crate::pumps::{OutputSink, Pumps};
use crate::stops::{stop_of, thread_of};
use crate::{
    EndKind, Event, ImageCache, LaunchSpec, Reason, Refused, ResumeKind, StepTarget, Stopped, Stream, entry, modules_of,
    open_program, signals,
};

/// How a debuggee comes to be.
pub(crate) enum Start {
    /// Started.
    Launch(LaunchSpec, OutputSink),
    /// Found running; with its executable, if that is known better.
    Attach(i32, Option<PathBuf>),
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
    program: PathBuf,
    images: ImageCache,
    modules: Arc<Modules>,
    breakpoints: Breakpoints,
    /// Addresses of user breakpoints, with the breakpoints' ids.
    owners: BTreeMap<MemAddr, BTreeSet<i64>>,
    plan: Option<Box<dyn Plan>>,
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
    /// A signal that was shown to the user and is still to be delivered.
    undelivered: Option<(i32, i32)>,
    /// The last fault: thread, pc and signal.
    fault: Option<(i32, MemAddr, i32)>,
    /// The process's first thread has ended; an exec by another one would bring it back.
    first_thread_ended: bool,
    state: State,
    pumps: Option<Pumps>,
    events: Box<dyn Fn(Event) + Send>,
    inputs: Receiver<Input>,
    shared: Arc<Shared>,
}

impl Engine {
    /// Starts or attaches; the debuggee is held.
    pub(crate) fn begin(
        start: Start,
        events: Box<dyn Fn(Event) + Send>,
        inputs: Receiver<Input>,
        shared: Arc<Shared>,
    ) -> Result<Self, Refused> {
        let (tracee, program, launched, pumps) = match start {
            Start::Launch(spec, sink) => {
                let program = spec.program.clone();
                let (tracee, pumps) = launch(spec, &sink)?;
                (tracee, program, true, Some(pumps))
            }
            Start::Attach(pid, program) => {
                let program = program.map_or_else(|| weft_process::executable_path(pid).map_err(refused), Ok)?;
                (Tracee::attach(pid).map_err(refused)?, program, false, None)
            }
        };
        let program = std::fs::canonicalize(&program).unwrap_or(program);
        let mut engine = Self {
            tracee,
            launched,
            program,
            images: ImageCache::new(),
            modules: Arc::default(),
            breakpoints: Breakpoints::default(),
            owners: BTreeMap::new(),
            plan: None,
            loader: None,
            entry: None,
            planted: BTreeSet::new(),
            pending: VecDeque::new(),
            rewound: BTreeMap::new(),
            undelivered: None,
            fault: None,
            first_thread_ended: false,
            state: State::Held,
            pumps,
            events,
            inputs,
            shared,
        };
        engine.open_symbols()?;
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

    fn open_symbols(&mut self) -> Result<(), Refused> {
        let mapped = weft_process::mappings(self.tracee.pid()).map_err(refused)?;
        let image = open_program(&self.images, &self.program, &mapped)
            .map_err(|error| Refused::NotAProgram(error.to_string()))?;
        if image.debug_info() == DebugInfo::Absent {
            (self.events)(Event::Note(format!(
                "{} has no debug information, so lines, variables and tasks cannot be shown; build it with \
                 `debug = true` in its cargo profile",
                image.name()
            )));
        }
        self.refresh_modules();
        Ok(())
    }

    /// Serves until the debuggee is gone or let go.
    pub(crate) fn run(mut self) {
        while self.state != State::Over {
            while let Ok(input) = self.inputs.try_recv() {
                self.on_input(input);
                if self.state == State::Over {
                    return;
                }
            }
            let pending = if self.state == State::Running { self.pending.pop_front() } else { None };
            let event = match pending.map_or_else(|| self.tracee.wait(), |event| Ok(Wait::Event(event))) {
                Ok(Wait::Woken) => continue,
                Ok(Wait::Event(event)) => event,
                Err(error) => {
                    tracing::error!(%error, "the debuggee cannot be waited for");
                    self.finish(Ended::Unknown);
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

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Start(stop_on_entry, reply) => self.on_start(stop_on_entry, reply),
            Input::SetBreakpoints(file, wanted, reply) => {
                let bound = self.breakpoints.replace(&file, &wanted, &self.modules);
                self.place_breakpoints();
                reply.send(Ok(bound));
            }
            Input::Resume(how, reply) => {
                let answer = self.resume(how);
                let failed = answer.is_err();
                reply.send(answer);
                if !failed {
                    self.go_on();
                }
            }
            Input::Pause(at, reply) => {
                reply.send(Ok(()));
                if self.state == State::Running {
                    self.report(at.unwrap_or(self.tracee.pid()), Reason::Pause);
                }
            }
            Input::Glance(look, reply) => self.on_glance(look, reply),
            Input::Terminate(reply) => {
                let sent = self.tracee.signal(nix::libc::SIGTERM).map_err(refused);
                reply.send(sent);
                if matches!(self.state, State::Stopped(_) | State::Held) {
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
        self.index_in_background();
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
        self.go_on();
    }

    /// Names are wanted as soon as somebody asks for tasks; a first stop does not wait for them.
    fn index_in_background(&self) {
        let Some(image) = self.modules.iter().next().map(|module| module.image.clone()) else { return };
        let body = move || {
            let _ = image.index();
        };
        if let Err(error) = std::thread::Builder::new().name("index".to_owned()).spawn(body) {
            tracing::debug!(%error, "names are indexed when they are asked for");
        }
    }

    fn on_glance(&mut self, look: Look, reply: Reply<std::time::Duration>) {
        if self.state != State::Running {
            return reply.send(Err(Refused::Stopped));
        }
        let begun = Instant::now();
        self.stop_all();
        match stop_of(&self.tracee, self.modules.clone()) {
            Ok(stop) => look(&Arc::new(stop)),
            Err(error) => return reply.send(Err(refused(error))),
        }
        self.tracee.advance();
        self.release();
        reply.send(Ok(begun.elapsed()));
    }

    fn end(&mut self, how: EndKind) -> Result<(), Refused> {
        self.shared.set_current(None);
        self.plan = None;
        let done = match how {
            EndKind::Kill => self.tracee.kill().map(|_| ()),
            EndKind::Detach => {
                self.stop_all();
                let (tracee, rewound) = (&mut self.tracee, &self.rewound);
                for event in self.pending.drain(..).rev() {
                    // A hit that was taken back never happened.
                    if event.stopped_thread().is_none_or(|tid| !rewound.contains_key(&tid)) {
                        tracee.put_back(event);
                    }
                }
                if let Some((tid, signal)) = self.undelivered.take() {
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

    // Resuming.

    /// Takes the stop back and sets up what the resumption is for. The debuggee does not run yet.
    fn resume(&mut self, how: ResumeKind) -> Result<(), Refused> {
        let State::Stopped(_) = self.state else {
            return Err(match self.state {
                State::Over => Refused::Ended,
                _ => Refused::Running,
            });
        };
        let plan = match how {
            ResumeKind::Continue => None,
            ResumeKind::Step(kind, StepTarget::Thread(tid)) => {
                let stop = self.current_stop(tid)?;
                Some((tid, plan::step(kind, &stop, tid).map_err(Refused::Failed)?))
            }
            ResumeKind::StepInstruction(tid) => {
                self.current_stop(tid)?;
                Some((tid, plan::one_instruction()))
            }
        };
        self.leave_stop(plan.as_ref().map(|(tid, _)| *tid));
        if let Some((tid, plan)) = plan {
            self.begin_plan(tid, plan);
        }
        Ok(())
    }

    fn current_stop(&self, tid: i32) -> Result<Stop, Refused> {
        let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
        if stop.thread(tid).is_some() { Ok(stop) } else { Err(Refused::NoThread(tid)) }
    }

    /// Ends the current stop. The thread that was shown has had its hit and is taken past the trap at its pc, unless it is
    /// the one that a plan is about to move.
    fn leave_stop(&mut self, moved: Option<i32>) {
        let shown = match self.state {
            State::Stopped(tid) => Some(tid),
            _ => None,
        };
        self.state = State::Running;
        self.shared.set_current(None);
        self.tracee.advance();
        let signalled = self.undelivered.take();
        if let Some((tid, signal)) = signalled
            && let Err(error) = self.tracee.resume(tid, signal)
        {
            tracing::debug!(%error, "a signal could not be delivered");
        }
        let signalled = signalled.map(|(tid, _)| tid);
        if let Some(tid) = shown.filter(|tid| moved != Some(*tid) && signalled != Some(*tid) && !self.is_pending(*tid)) {
            self.step_over_trap(tid);
        }
    }

    fn begin_plan(&mut self, tid: i32, mut plan: Box<dyn Plan>) {
        let verdict = plan.start();
        self.plan = Some(plan);
        self.place_traps();
        self.obey(tid, verdict);
    }

    /// Lets everything run that has nothing to be handled first.
    fn go_on(&mut self) {
        if self.state == State::Running {
            self.place_traps();
            self.release();
        }
    }

    fn release(&mut self) {
        for tid in self.tracee.threads() {
            if self.tracee.is_stopped(tid) && !self.is_pending(tid) {
                // Gone meanwhile, or with an event of its own queued: both will be told.
                let _ = self.tracee.resume(tid, 0);
            }
        }
    }

    fn is_pending(&self, tid: i32) -> bool {
        self.pending.iter().any(|event| event.stopped_thread() == Some(tid))
    }

    // Events.

    fn on_event(&mut self, event: WaitEvent) {
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => self.on_breakpoint(tid),
            WaitEvent::Trapped { tid, .. } | WaitEvent::GroupStop { tid, .. } | WaitEvent::Interrupted { tid } => {
                let _ = self.tracee.resume(tid, 0);
            }
            WaitEvent::Signal { tid, signal } => self.on_signal(tid, signal),
            WaitEvent::ThreadStarted { tid } => {
                (self.events)(Event::ThreadStarted(tid));
                let _ = self.tracee.resume(tid, 0);
            }
            WaitEvent::ThreadExited { tid } => {
                self.first_thread_ended |= tid == self.tracee.pid();
                (self.events)(Event::ThreadExited(tid));
                let verdict = self.plan.as_mut().map(|plan| plan.on_thread_exited(tid));
                if let Some(Verdict::Lost(why)) = verdict {
                    self.lose_plan(why);
                }
            }
            WaitEvent::Exec { tid } => {
                if std::mem::take(&mut self.first_thread_ended) {
                    (self.events)(Event::ThreadStarted(tid));
                }
                self.planted.clear();
                self.rewound.clear();
                self.plan = None;
                self.program = weft_process::executable_path(self.tracee.pid()).unwrap_or(self.program.clone());
                self.refresh_modules();
                let _ = self.tracee.resume(tid, 0);
            }
            WaitEvent::Forked { .. } | WaitEvent::Exited(_) => {}
        }
    }

    fn on_signal(&mut self, tid: i32, signal: i32) {
        let fault = signals::is_fault(signal).then(|| self.tracee.registers(tid).ok()).flatten();
        let fault = fault.map(|registers| (tid, registers.pc(), signal));
        let shown = fault.is_some() && std::mem::replace(&mut self.fault, fault) == fault;
        match signals::fatal(self.tracee.pid(), signal) {
            // Rust's handler returns to the faulting instruction, for the signal to kill: that is the same fault again.
            Some((name, text)) if !shown => {
                self.undelivered = Some((tid, signal));
                self.report(tid, Reason::Signal { name, text });
            }
            _ => {
                let _ = self.tracee.resume(tid, signal);
            }
        }
    }

    /// A thread executed an `int3`.
    fn on_breakpoint(&mut self, tid: i32) {
        let address = match self.rewound.remove(&tid) {
            Some(address) => address,
            None => match self.rewind(tid) {
                Some(address) => address,
                None => {
                    let text = "the program executed a breakpoint instruction of its own".to_owned();
                    return self.report(tid, Reason::Signal { name: "SIGTRAP".to_owned(), text });
                }
            },
        };
        if self.loader == Some(address) {
            self.refresh_modules();
        } else if self.entry == Some(address) {
            self.entry = None;
            return self.report(tid, Reason::Entry);
        } else if let Some(ids) = self.owners.get(&address).filter(|_| !self.is_same_line(tid)) {
            let ids = ids.iter().copied().collect();
            return self.report(tid, Reason::Breakpoint(ids));
        } else if self.plan.as_ref().is_some_and(|plan| plan.traps().contains(&address)) {
            let verdict = self.ask_plan(tid, |plan, hit| plan.on_trap(hit));
            return self.obey(tid, verdict);
        }
        self.pass(tid);
    }

    /// Moves a thread that executed one of our traps back to it. `None`: the `int3` is the program's own. A trap that was
    /// taken away after the hit counts as ours: nothing of the program's is there.
    fn rewind(&self, tid: i32) -> Option<MemAddr> {
        const INT3: u8 = 0xcc;
        let pc = self.tracee.registers(tid).ok()?.pc();
        let address = pc.checked_sub(1)?;
        let mut byte = [0];
        let memory = self.tracee.stopped_memory().ok()?;
        let own = weft_memory::Memory::read(&memory, address, &mut byte).is_ok() && byte == [INT3];
        if own {
            return None;
        }
        self.tracee.set_pc(tid, address).ok()?;
        Some(address)
    }

    // Plans.

    fn ask_plan(&mut self, tid: i32, ask: impl FnOnce(&mut dyn Plan, &Hit<'_>) -> Verdict) -> Verdict {
        let Some(stop) = self.one_thread(tid) else { return Verdict::Continue };
        self.plan.as_mut().map_or(Verdict::Continue, |plan| ask(plan.as_mut(), &Hit { tid, stop: &stop }))
    }

    fn is_same_line(&self, tid: i32) -> bool {
        let Some(plan) = &self.plan else { return false };
        self.one_thread(tid).is_some_and(|stop| plan.is_same_line(&Hit { tid, stop: &stop }))
    }

    /// What a plan may look at: one stopped thread, while others may be running.
    fn one_thread(&self, tid: i32) -> Option<Stop> {
        let memory = self.tracee.stopped_memory().ok()?;
        Some(Stop {
            generation: memory.generation(),
            pid: self.tracee.pid(),
            memory: Arc::new(memory),
            modules: self.modules.clone(),
            threads: vec![thread_of(&self.tracee, tid)?],
            clock: None,
        })
    }

    fn obey(&mut self, tid: i32, verdict: Verdict) {
        match verdict {
            Verdict::Continue => self.pass(tid),
            Verdict::StepInstruction => {
                if self.step_instruction(tid) {
                    let next = self.ask_plan(tid, |plan, hit| plan.on_stepped(hit));
                    return self.obey(tid, next);
                }
                self.go_on();
            }
            Verdict::Done(sentence) => {
                self.plan = None;
                self.report(tid, Reason::Step(sentence));
            }
            Verdict::Lost(why) => {
                self.lose_plan(why);
                self.pass(tid);
            }
        }
    }

    fn lose_plan(&mut self, why: String) {
        self.plan = None;
        self.place_traps();
        (self.events)(Event::Note(why));
    }

    /// Lets a thread go on from where it stands, past the trap that may be there.
    fn pass(&mut self, tid: i32) {
        self.place_traps();
        self.step_over_trap(tid);
        self.release();
    }

    /// Executes the instruction under a trap, if the thread stands at one. No other thread runs meanwhile, so none can
    /// slip through while the trap is out.
    fn step_over_trap(&mut self, tid: i32) {
        let at = self.tracee.registers(tid).map(|registers| registers.pc());
        if at.is_ok_and(|pc| self.planted.contains(&pc)) {
            self.step_instruction(tid);
        }
    }

    /// Has one thread execute one instruction while all others stand. Whether it has.
    fn step_instruction(&mut self, tid: i32) -> bool {
        self.stop_all();
        let (Ok(memory), Ok(registers)) = (self.tracee.memory(), self.tracee.registers(tid)) else { return false };
        let pc = registers.pc();
        let trapped = self.planted.contains(&pc);
        if trapped && memory.lift(pc).is_err() {
            return false;
        }
        let stepped = self.tracee.step(tid, 0).is_ok() && self.await_step(tid);
        if trapped && memory.plant(pc).is_err() {
            self.planted.remove(&pc);
        }
        stepped
    }

    /// Waits for the end of a single step; what else happens meanwhile waits in `pending`. Whether it was made.
    fn await_step(&mut self, tid: i32) -> bool {
        loop {
            match self.tracee.wait() {
                // Whoever woke us is served when the step is done.
                Ok(Wait::Woken) => {}
                Ok(Wait::Event(WaitEvent::Trapped { tid: of, trap: Trap::Step })) if of == tid => return true,
                Ok(Wait::Event(event @ WaitEvent::Signal { tid: of, signal })) if of == tid && signals::is_fault(signal) => {
                    // The instruction itself fails, and would again.
                    self.pending.push_back(event);
                    return false;
                }
                Ok(Wait::Event(WaitEvent::Signal { tid: of, signal })) if of == tid => {
                    // It comes before the instruction: deliver it later, when everything runs again.
                    self.pending.push_back(WaitEvent::Signal { tid, signal });
                    if self.tracee.step(tid, 0).is_err() {
                        return false;
                    }
                }
                Ok(Wait::Event(event)) => {
                    let ours = event.stopped_thread() == Some(tid)
                        || matches!(event, WaitEvent::ThreadExited { tid: of } if of == tid)
                        || matches!(event, WaitEvent::Exited(_));
                    self.pending.push_back(event);
                    if ours {
                        return false;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a stepped thread did not report");
                    return false;
                }
            }
        }
    }

    // Stopping.

    /// Stops every thread; what they had to say waits in `pending`, with every pc where the program would have it.
    fn stop_all(&mut self) {
        if let Err(error) = self.tracee.stop_all() {
            tracing::warn!(%error, "not every thread could be stopped");
        }
        while let Some(event) = self.tracee.take_queued() {
            if let WaitEvent::Trapped { tid, trap: Trap::Breakpoint } = event
                && let Some(address) = self.rewind(tid)
            {
                self.rewound.insert(tid, address);
            }
            self.pending.push_back(event);
        }
    }

    /// Stops everything and publishes what there is to see. Ends the plan, if there is one.
    fn report(&mut self, tid: i32, reason: Reason) {
        self.stop_all();
        self.plan = None;
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
        self.state = State::Stopped(tid);
        self.shared.set_current(Some(stop.clone()));
        (self.events)(Event::Stopped(Stopped { stop, reason, tid }));
    }

    fn finish(&mut self, ended: Ended) {
        if self.state == State::Over {
            return;
        }
        self.state = State::Over;
        self.shared.set_current(None);
        if let Some(pumps) = &mut self.pumps {
            pumps.drain();
        }
        (self.events)(match ended {
            Ended::Code(status) => Event::Exited(status),
            Ended::Signal(signal) => Event::Killed(signal),
            Ended::Unknown => Event::Exited(-1),
        });
    }

    // Traps and files.

    /// Looks which files are loaded now and binds breakpoints anew.
    fn refresh_modules(&mut self) {
        let Ok(mapped) = weft_process::mappings(self.tracee.pid()) else { return };
        self.modules = Arc::new(modules_of(self.tracee.pid(), &self.program, &mapped, &self.images));
        self.shared.set_modules(self.modules.clone());
        self.loader = entry::loader_notice(&self.modules);
        for bound in self.breakpoints.rebind(&self.modules) {
            (self.events)(Event::BreakpointChanged(bound));
        }
        self.place_breakpoints();
    }

    fn place_breakpoints(&mut self) {
        self.owners = self.breakpoints.wanted_traps(&self.modules);
        self.place_traps();
    }

    /// Makes the traps in memory those that somebody wants. One byte each through `/proc`, so nothing has to stop.
    fn place_traps(&mut self) {
        let Ok(memory) = self.tracee.memory() else { return };
        let mut wanted: BTreeSet<MemAddr> = self.owners.keys().copied().collect();
        wanted.extend(self.loader.iter().chain(&self.entry));
        if let Some(plan) = &self.plan {
            wanted.extend(plan.traps());
        }
        for address in self.planted.difference(&wanted) {
            if let Err(error) = memory.lift(*address) {
                tracing::debug!(%address, %error, "a trap could not be taken away");
            }
        }
        for address in wanted.difference(&self.planted.clone()) {
            if let Err(error) = memory.plant(*address) {
                tracing::debug!(%address, %error, "a trap could not be planted");
            }
        }
        wanted.retain(|address| memory.is_planted(*address));
        self.planted = wanted;
    }
}

fn launch(spec: LaunchSpec, sink: &OutputSink) -> Result<(Tracee, Pumps), Refused> {
    let spec = weft_process::LaunchSpec {
        program: spec.program,
        args: spec.args,
        cwd: Some(spec.cwd),
        env: spec.env,
        stdin: Stdin::Null,
        output: Output::Pipes,
    };
    let launched = Tracee::launch(&spec).map_err(refused)?;
    let pumps = Pumps::start([(Stream::Stdout, launched.stdout), (Stream::Stderr, launched.stderr)], sink);
    Ok((launched.tracee, pumps))
}

/// Why the operating system did not do it, for the user.
fn refused(error: ProcessError) -> Refused {
    let sentence = error.to_string();
    match error {
        ProcessError::NoProgram(_) | ProcessError::NoProcess(_) | ProcessError::Zombie(_) => Refused::NotFound(sentence),
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
        ProcessError::WorkingDirectory { .. } | ProcessError::ZeroByte { .. } | ProcessError::Exec { .. } => {
            Refused::Start(sentence)
        }
        ProcessError::System { .. } => Refused::Failed(sentence),
    }
}
