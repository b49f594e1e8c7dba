//! A debuggee that does what a test says.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::said::{Said, line, terms};
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::config::{AttachConfig, LaunchConfig, NativeAttach, NativeProgram};
use weft_session::debuggee::*;
use weft_session::{EventSender, Factory, Terminal, TerminalCommand};
use weft_tasks::{FrameKind, Location, RuntimeKey, RuntimeKind, Snapshot, State, TaskKey, TaskKind, Wait, WaitKind};

/// Work that is over when it is given up.
#[derive(Default)]
struct SlowWork {
    given_up: Gate,
}

impl Work for SlowWork {
    fn title(&self) -> String {
        "Reading names".into()
    }

    fn percentage(&self) -> Option<u64> {
        Some(40)
    }

    fn wait(&self, at_most: std::time::Duration) -> bool {
        self.given_up.wait_for(at_most)
    }

    fn cancel(&self) {
        self.given_up.open();
    }
}

#[derive(Default)]
pub(crate) struct FakeFactory {
    made: Mutex<Option<Arc<Fake>>>,
    pub(crate) attached: Mutex<Option<NativeAttach>>,
    /// From where the next one counts its breakpoints.
    pub(crate) first_id: Mutex<i64>,
    /// Loading waits until this is opened, if it is there.
    gate: Option<Arc<Gate>>,
}

impl FakeFactory {
    /// Loading waits for the gate.
    pub(crate) fn behind(gate: &Arc<Gate>) -> Self {
        Self { gate: Some(Arc::clone(gate)), ..Self::default() }
    }

    pub(crate) fn made(&self) -> Arc<Fake> {
        self.made.lock().unwrap().clone().expect("nothing was launched")
    }

    fn make(&self, events: EventSender, unstartable: bool) -> Arc<dyn Debuggee> {
        if let Some(gate) = &self.gate {
            gate.wait();
        }
        let fake = Arc::new(Fake {
            events,
            unstartable,
            log: Mutex::default(),
            tasks: Mutex::new(3),
            looks: Mutex::default(),
            gate: Gate::default(),
            entered: Gate::default(),
            on_resume: Mutex::default(),
            first_id: *self.first_id.lock().unwrap() + 1,
            given: Mutex::default(),
            memory: Mutex::new((0..=255).collect()),
            libraries: Mutex::default(),
            gone: AtomicBool::new(false),
        });
        fake.events.send(DebuggeeEvent::ThreadStarted(100));
        *self.made.lock().unwrap() = Some(Arc::clone(&fake));
        fake
    }
}

impl Factory for FakeFactory {
    fn launch(&self, config: LaunchConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let config = match config {
            LaunchConfig::Native(native) => native,
            LaunchConfig::Python(_) => return Ok(self.make(events, false)),
        };
        let NativeProgram::File(program) = config.program else { panic!("there is no cargo here") };
        match program.to_str() {
            Some("/nowhere") => return Err(Error::new(ErrorId::NotFound, "/nowhere does not exist")),
            Some("/panic") => panic!("a test's panic"),
            _ => {}
        }
        let unstartable = program.ends_with("unstartable");
        let terminal = Terminal::of(config.start.console).filter(|_| program.ends_with("terminal"));
        let ran = terminal.map(|terminal| {
            events.run_in_terminal(&TerminalCommand {
                terminal,
                title: "terminal".into(),
                cwd: config.start.cwd,
                args: vec!["helper".into(), program.display().to_string()],
                env: config.start.env.iter().map(|(name, _)| (name.to_str().unwrap().to_owned(), None)).collect(),
            })
        });
        let process = ran.transpose()?;
        let made = self.make(events, unstartable);
        if let Some(process) = process {
            self.made().note(format!("terminal {:?}", process.pid));
        }
        Ok(made)
    }

    fn attach(&self, config: AttachConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        if let AttachConfig::Native(native) = config {
            *self.attached.lock().unwrap() = Some(native);
        }
        Ok(self.make(events, false))
    }
}

/// Opened once; those who wait go on.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    pub(crate) fn wait(&self) {
        drop(self.changed.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    /// Waits for so long at most; says whether it is open.
    fn wait_for(&self, at_most: std::time::Duration) -> bool {
        let closed = self.open.lock().unwrap();
        *self.changed.wait_timeout_while(closed, at_most, |open| !*open).unwrap().0
    }
}

pub(crate) struct Fake {
    pub(crate) events: EventSender,
    unstartable: bool,
    log: Mutex<Vec<String>>,
    /// How many tasks there are.
    pub(crate) tasks: Mutex<u64>,
    /// How often somebody looked at them.
    pub(crate) looks: Mutex<u32>,
    /// `evaluate("block")` waits for it…
    pub(crate) gate: Gate,
    /// …after it has opened this.
    pub(crate) entered: Gate,
    first_id: i64,
    given: Mutex<Vec<i64>>,
    memory: Mutex<Vec<u8>>,
    /// How many libraries are loaded.
    pub(crate) libraries: Mutex<u64>,
    /// The program has ended, and nobody was told yet.
    pub(crate) gone: AtomicBool,
    /// What the next resumes lead to.
    pub(crate) on_resume: Mutex<Vec<DebuggeeEvent>>,
}

pub(crate) fn key(number: u64) -> TaskKey {
    TaskKey { address: 0x1000 * number, id: number }
}

/// If there are that many tasks, this one was aborted and has ended; somebody holds its result.
pub(crate) const ABORTED: u64 = 1_000;

fn at(line: u32) -> Location {
    Location { file: PathBuf::from("/build/src/main.rs"), line, column: 5 }
}

/// A wait with every field.
fn everything() -> Wait {
    Wait {
        resource: Some(weft_tasks::Resource { id: 0x99, type_name: "Mutex".into() }),
        remaining_ms: Some(5),
        fd: Some(3),
        peer: Some("127.0.0.1:1".into()),
        holders: vec![key(2)],
        tasks: vec![key(2)],
        ..Wait::new(WaitKind::Mutex, "a mutex")
    }
}

pub(crate) fn stopped(reason: StopReason) -> Stopped {
    Stopped::new(reason, Some(Target::Thread(100)))
}

/// Where the fake's memory begins.
const MEMORY: u64 = 0x1000;

impl Fake {
    fn is_there(&self) -> Answer<()> {
        let gone = || Error::new(ErrorId::NoDebuggee, "the program has ended");
        if self.gone.load(Ordering::SeqCst) { Err(gone()) } else { Ok(()) }
    }

    /// Numbers for that many breakpoints.
    fn take_ids(&self, count: usize) -> Vec<i64> {
        let mut given = self.given.lock().unwrap();
        let first = self.first_id + i64::try_from(given.len()).unwrap();
        let new: Vec<i64> = (first..).take(count).collect();
        given.extend(&new);
        new
    }

    /// The numbers of all breakpoints so far.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.given.lock().unwrap().clone()
    }

    fn bound(&self, count: usize) -> Vec<Bound> {
        let ids = self.take_ids(count).into_iter();
        ids.map(|id| Bound { id, verified: true, ..Bound::default() }).collect()
    }

    fn note(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    /// What was asked of the debuggee since the last time.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(crate) fn stop_at_breakpoint(&self) {
        let stop = Stopped { breakpoints: vec![1], ..stopped(StopReason::Breakpoint) };
        self.events.send(DebuggeeEvent::Stopped(stop));
    }
}

impl Debuggee for Fake {
    fn process(&self) -> ProcessInfo {
        ProcessInfo { path: "/bin/true".into(), pid: Some(100) }
    }

    fn start(&self) -> Answer<()> {
        self.note("start");
        if self.unstartable {
            return Err(Error::new(ErrorId::LaunchFailed, "it does not start"));
        }
        Ok(())
    }

    fn set_breakpoints(&self, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        self.is_there()?;
        self.note(format!("breakpoints {} {:?}", file.display(), wanted.iter().map(line).collect::<Said>()));
        Ok(wanted
            .iter()
            .zip(self.take_ids(wanted.len()))
            .map(|(spec, id)| match spec.line {
                999 => Bound { id, message: Some("no code on line 999".into()), ..Bound::default() },
                line => {
                    let at = Some(Location { file: file.to_owned(), line: line + 1, column: 0 });
                    Bound { id, verified: true, at, ..Bound::default() }
                }
            })
            .collect())
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        if wanted.iter().any(|spec| spec.name == "slow") {
            let work = Arc::new(SlowWork::default());
            self.events.work(Arc::clone(&work) as Arc<dyn Work>);
            work.given_up.wait();
            return Err(Error::new(ErrorId::Cancelled, "it was given up"));
        }
        let said: Said = wanted.iter().map(|spec| terms(spec.name.clone(), &spec.terms)).collect();
        self.note(format!("functions {said:?}"));
        Ok(self.bound(wanted.len()))
    }

    fn set_instruction_breakpoints(&self, wanted: &[InstructionSpec]) -> Answer<Vec<Bound>> {
        let said: Said = wanted.iter().map(|spec| terms(format!("{:#x}", spec.address), &spec.terms)).collect();
        self.note(format!("instructions {said:?}"));
        let bound = self.bound(wanted.len()).into_iter().zip(wanted);
        Ok(bound.map(|(bound, spec)| Bound { address: Some(spec.address), ..bound }).collect())
    }

    fn set_data_breakpoints(&self, wanted: &[DataSpec]) -> Answer<Vec<Bound>> {
        let data = |spec: &DataSpec| {
            let call = spec.data.call.map(|call| format!(" of {}@{:x}", call.thread, call.frame_address));
            let data =
                format!("{:#x}+{} {:?}{}", spec.data.address, spec.data.size, spec.access, call.unwrap_or_default());
            terms(data, &spec.terms)
        };
        self.note(format!("data {:?}", wanted.iter().map(data).collect::<Said>()));
        Ok(self.bound(wanted.len()))
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        let filter = |spec: &FilterSpec| {
            let terms_of = Terms { condition: spec.condition.clone(), ..Terms::default() };
            terms(format!("{:?}", spec.filter), &terms_of)
        };
        self.note(format!("filters {:?}", wanted.iter().map(filter).collect::<Said>()));
        Ok(self.bound(wanted.len()))
    }

    fn go_to(&self, of: Target, address: u64) -> Answer<()> {
        self.note(format!("go to {address:#x}"));
        self.events.send(DebuggeeEvent::Stopped(Stopped::new(StopReason::Goto, Some(of))));
        Ok(())
    }

    fn restart_frame(&self, call: Call) -> Answer<()> {
        self.note(format!("restart {:x}", call.frame_address));
        Ok(())
    }

    fn end_threads(&self, threads: &[Target]) -> Answer<()> {
        self.note(format!("end {threads:?}"));
        Ok(())
    }

    fn let_go(&self, pid: i64) {
        self.note(format!("let go {pid}"));
    }

    fn write_memory(&self, address: u64, bytes: &[u8]) -> Answer<usize> {
        let mut memory = self.memory.lock().unwrap();
        let from = usize::try_from(address - MEMORY).unwrap();
        let count = bytes.len().min(memory.len() - from);
        memory[from..from + count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn read_memory(&self, address: u64, count: usize) -> Answer<MemoryRead> {
        let memory = self.memory.lock().unwrap();
        let from = usize::try_from(address.saturating_sub(MEMORY)).unwrap().min(memory.len());
        let bytes = memory[from..].iter().copied().take(count).collect::<Vec<u8>>();
        Ok(MemoryRead { unreadable: count - bytes.len(), bytes })
    }

    fn watch_address(&self, address: u64, bytes: u64) -> Answer<Watchable> {
        let data = WatchedData { address, size: bytes, name: "memory".into(), call: None };
        Ok(Watchable::Yes(data, vec![Access::Write], "memory".into()))
    }

    fn step_in_targets(&self, _: Target) -> Answer<Vec<StepInTarget>> {
        Ok(vec![StepInTarget {
            id: TargetId { place: 0x4010, branch: None },
            name: "mine::callee".into(),
            at: Some(at(10)),
        }])
    }

    fn goto_targets(&self, _: Target, _: &Path, line: u32) -> Answer<Vec<GotoTarget>> {
        Ok(vec![GotoTarget { address: 0x4444, at: at(line) }])
    }

    fn disassemble(&self, address: u64, skip: i64, count: usize) -> Answer<Vec<Instruction>> {
        let rows = (skip..).take(count).map(|row| match row {
            ..0 => Instruction { address: address.checked_add_signed(row).unwrap(), ..Instruction::default() },
            _ => Instruction {
                address: address + u64::try_from(row).unwrap(),
                bytes: vec![0x90],
                text: Some("nop".into()),
                symbol: None,
                at: Some(at(7)),
            },
        });
        Ok(rows.collect())
    }

    fn modules(&self) -> Answer<Vec<ModuleInfo>> {
        let module = |number: u64| ModuleInfo {
            path: if number == 0 { "/bin/true".into() } else { format!("/lib/lib{number}.so").into() },
            range: 0x4000 + number * 0x10_0000..0x5000 + number * 0x10_0000,
            is_program: number == 0,
            symbols: "none".into(),
            ..ModuleInfo::default()
        };
        Ok((0..=*self.libraries.lock().unwrap()).map(module).collect())
    }

    fn sources(&self) -> Answer<Vec<PathBuf>> {
        let missing = format!("/rustc/{}/library/core/src/lib.rs", "0".repeat(40));
        Ok(vec!["/build/src/main.rs".into(), missing.into()])
    }

    fn resume(&self, how: Resume, alone: Option<Target>) -> Answer<()> {
        match alone {
            None => self.note(format!("{how:?}")),
            Some(alone) => self.note(format!("{how:?} alone {alone:?}")),
        }
        // The program is quick: it stops again before the session has said that it went on.
        let mut next = self.on_resume.lock().unwrap();
        if !next.is_empty() {
            let event = next.remove(0);
            if matches!(event, DebuggeeEvent::Exited(_)) {
                self.events.output(Channel::Stdout, "bye\n".into());
            }
            self.events.send(event);
        }
        Ok(())
    }

    fn pause(&self, at: Option<Target>) -> Answer<()> {
        self.note(format!("pause {at:?}"));
        self.events.send(DebuggeeEvent::Stopped(stopped(StopReason::Pause)));
        Ok(())
    }

    fn terminate(&self) -> Answer<()> {
        self.note("terminate");
        self.events.send(DebuggeeEvent::Exited(143));
        Ok(())
    }

    fn end(&self, how: End) -> Answer<()> {
        self.note(format!("{how:?}"));
        Ok(())
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        self.is_there()?;
        Ok(vec![ThreadInfo { id: 100, name: "main".into() }, ThreadInfo { id: 101, name: "worker".into() }])
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        let frame = |name: &str, line, subtle: bool| {
            let body: Arc<dyn FrameBody> = Arc::new(Body);
            let (name, location) = (name.to_owned(), Some(at(line).into()));
            let (own, instruction, restartable, body) = (!subtle, Some(0x4000), true, Some(body));
            Row::Frame(Frame { name, location, subtle, own, instruction, restartable, body })
        };
        let all = match of {
            Target::Thread(100) => vec![
                frame("mine::inner", 10, false),
                frame("mine::outer", 20, false),
                Row::Task(key(2), "mine::outer".into()),
                Row::AwaitedBy(key(1), "mine::main".into()),
                frame("mine::main", 30, false),
                frame("tokio::poll", 40, true),
            ],
            Target::Task(task) if task == key(1) => vec![frame("mine::main", 30, false)],
            Target::Thread(id) => return Err(Error::new(ErrorId::UnknownThread, format!("no thread {id}"))),
            Target::Task(_) => return Err(Error::new(ErrorId::UnknownTask, "this task has ended")),
        };
        let total = Some(all.len());
        Ok(Stack { rows: all.into_iter().skip(rows.start).take(rows.len()).collect(), total })
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        *self.looks.lock().unwrap() += 1;
        let runtime = RuntimeKey(7);
        let count = *self.tasks.lock().unwrap();
        let tasks = (1..=count).map(|number| weft_tasks::Task {
            key: key(number),
            runtime_task_id: Some(number),
            name: format!("mine::task_{number}").into(),
            kind: TaskKind::Task,
            runtime,
            state: match number {
                _ if number == ABORTED => State::Cancelled,
                _ if number % 2 == 0 => State::Running,
                _ => State::Waiting,
            },
            ended: number == ABORTED,
            location: Some(at(u32::try_from(number).unwrap()).into()),
            entry: Some(at(1).into()),
            spawned_at: Some(at(2).into()),
            os_thread: Some(101),
            waiting_on: Some(if number == 1 {
                everything()
            } else {
                Wait::new(WaitKind::Join, "waits for {task:2000:2}")
            }),
            spawned_by: None,
            holds: Vec::new(),
            awaited_by: vec![weft_tasks::Awaiter { task: key(1), via: weft_tasks::Via::Join }],
            frames: 1,
            error: Some("half of it".into()),
        });
        Ok(Arc::new(Snapshot {
            runtimes: vec![weft_tasks::Runtime {
                key: runtime,
                kind: RuntimeKind::TokioMultiThread,
                name: None,
                os_threads: vec![101],
                task_count: usize::try_from(count).unwrap(),
            }],
            tasks: tasks.collect(),
            problems: vec![weft_tasks::Problem {
                kind: weft_tasks::ProblemKind::Deadlock,
                severity: weft_tasks::Severity::Error,
                text: "a circle".into(),
                tasks: vec![key(1)],
                resources: vec![0x99],
            }],
            notes: vec!["seen {task:1000:1}".into()],
        }))
    }

    fn async_stack(&self, _: TaskKey) -> Answer<AsyncStack> {
        let frame = |name: &str, kind, body, task, children| weft_tasks::Frame {
            name: name.into(),
            location: Some(at(3).into()),
            kind,
            user_code: name.starts_with("mine::"),
            body,
            task,
            note: None,
            children,
        };
        let leaf = frame("Sleep", FrameKind::Leaf, None, None, Vec::new());
        let body = Some(weft_tasks::FrameBody(0));
        let top = frame("mine::task", FrameKind::Await, body, None, vec![leaf]);
        let timeout = frame("tokio::time::Timeout::poll", FrameKind::Await, None, None, Vec::new());
        let awaiter = frame("mine::main", FrameKind::Boundary, None, Some(key(1)), vec![timeout]);
        Ok(AsyncStack { frames: vec![top, awaiter], bodies: vec![Arc::new(Body)] })
    }

    fn evaluate(&self, expression: &str, _: Option<&EvaluateContext>) -> Answer<Value> {
        match expression {
            "panic" => panic!("a test's panic"),
            "block" => {
                self.entered.open();
                self.gate.wait();
                Ok(Value { text: "late".into(), ..Value::default() })
            }
            _ => Err(Error::new(ErrorId::Evaluate, format!("there is no `{expression}`"))),
        }
    }
}

struct Body;

impl FrameBody for Body {
    fn scopes(&self) -> Answer<Vec<Scope>> {
        let scope = |kind, indexed| Scope { kind, variables: Arc::new(Numbers { named: 2, indexed }) };
        Ok(vec![scope(ScopeKind::Locals, 0), scope(ScopeKind::Registers, 20_000)])
    }

    fn evaluate(&self, expression: &str, _: Option<&EvaluateContext>) -> Answer<Value> {
        let children: Arc<dyn Container> = Arc::new(Numbers { named: 0, indexed: 3 });
        Ok(Value {
            text: format!("value of {expression}"),
            type_name: Some("alloc::vec::Vec<u8>".into()),
            children: Some(children),
            ..Value::default()
        })
    }

    fn call(&self) -> Option<Call> {
        Some(Call { thread: 100, frame_address: 0x7fff_0000 })
    }

    fn watch(&self, expression: &str) -> Answer<Watchable> {
        if expression == "huge" {
            return Ok(Watchable::No("it is huge".into()));
        }
        let data = WatchedData { address: 0x6000, size: 4, name: expression.into(), call: self.call() };
        Ok(Watchable::Yes(data, vec![Access::Write, Access::ReadWrite], format!("{expression}: u32")))
    }
}

struct Numbers {
    named: usize,
    indexed: usize,
}

impl Container for Numbers {
    fn counts(&self) -> Counts {
        Counts { named: self.named, indexed: self.indexed }
    }

    fn named(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(range.take_while(|at| *at < self.named).map(|at| variable(format!("name{at}"))).collect())
    }

    fn indexed(&self, range: Range<usize>) -> Answer<Vec<Variable>> {
        Ok(range.take_while(|at| *at < self.indexed).map(|at| variable(format!("[{at}]"))).collect())
    }
}

fn variable(name: String) -> Variable {
    Variable {
        value: Value { text: "7".into(), type_name: Some("u8".into()), ..Value::default() },
        evaluate_name: Some(name.clone()),
        name,
    }
}
