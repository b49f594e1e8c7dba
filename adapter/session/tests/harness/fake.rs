//! A debuggee that does what a test says.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::config::{AttachConfig, LaunchConfig};
use weft_session::debuggee::*;
use weft_session::{EventSender, Factory};
use weft_tasks::{FrameKind, Location, RuntimeKey, RuntimeKind, Snapshot, State, TaskKey, TaskKind, Wait, WaitKind};

#[derive(Default)]
pub(crate) struct FakeFactory {
    made: Mutex<Option<Arc<Fake>>>,
    pub(crate) attached: Mutex<Option<AttachConfig>>,
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
        });
        fake.events.send(DebuggeeEvent::ThreadStarted(100));
        *self.made.lock().unwrap() = Some(Arc::clone(&fake));
        fake
    }
}

impl Factory for FakeFactory {
    fn launch(&self, config: LaunchConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        match config.program.to_str() {
            Some("/nowhere") => return Err(Error::new(ErrorId::NotFound, "/nowhere does not exist")),
            Some("/panic") => panic!("a test's panic"),
            _ => {}
        }
        let unstartable = config.program.ends_with("unstartable");
        Ok(self.make(events, unstartable))
    }

    fn attach(&self, config: AttachConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        *self.attached.lock().unwrap() = Some(config);
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
    Stopped { reason, at: Some(Target::Thread(100)), description: None, text: None, breakpoints: Vec::new() }
}

impl Fake {
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
        self.note(format!(
            "breakpoints {} {:?}",
            file.display(),
            wanted.iter().map(|spec| spec.line).collect::<Vec<_>>()
        ));
        Ok(wanted
            .iter()
            .zip(1..)
            .map(|(spec, id)| match spec.line {
                999 => Bound { id, at: None, message: Some("no code on line 999".into()) },
                line => {
                    Bound { id, at: Some(Location { file: file.to_owned(), line: line + 1, column: 0 }), message: None }
                }
            })
            .collect())
    }

    fn resume(&self, how: Resume) -> Answer<()> {
        self.note(format!("{how:?}"));
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
        Ok(vec![ThreadInfo { id: 100, name: "main".into() }, ThreadInfo { id: 101, name: "worker".into() }])
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        let frame = |name: &str, line, subtle| {
            let body: Arc<dyn FrameBody> = Arc::new(Body);
            let (name, location) = (name.to_owned(), Some(at(line)));
            Row::Frame(Frame { name, location, subtle, instruction: Some(0x4000), body: Some(body) })
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

    fn tasks(&self) -> Answer<Snapshot> {
        *self.looks.lock().unwrap() += 1;
        let runtime = RuntimeKey(7);
        let count = *self.tasks.lock().unwrap();
        let tasks = (1..=count).map(|number| weft_tasks::Task {
            key: key(number),
            runtime_task_id: Some(number),
            name: format!("mine::task_{number}"),
            kind: TaskKind::Task,
            runtime,
            state: match number {
                _ if number == ABORTED => State::Cancelled,
                _ if number % 2 == 0 => State::Running,
                _ => State::Waiting,
            },
            ended: number == ABORTED,
            location: Some(at(u32::try_from(number).unwrap())),
            entry: Some(at(1)),
            spawned_at: Some(at(2)),
            os_thread: Some(101),
            waiting_on: Some(if number == 1 {
                everything()
            } else {
                Wait::new(WaitKind::Join, "waits for {task:2000:2}")
            }),
            awaited_by: vec![weft_tasks::Awaiter { task: key(1), via: weft_tasks::Via::Join }],
            frames: 1,
            error: Some("half of it".into()),
        });
        Ok(Snapshot {
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
        })
    }

    fn async_stack(&self, _: TaskKey) -> Answer<AsyncStack> {
        let frame = |name: &str, kind, body, task, children| weft_tasks::Frame {
            name: name.into(),
            location: Some(at(3)),
            kind,
            user_code: true,
            body,
            task,
            children,
        };
        let leaf = frame("Sleep", FrameKind::Leaf, None, None, Vec::new());
        let body = Some(weft_tasks::FrameBody(0));
        let top = frame("mine::task", FrameKind::Await, body, None, vec![leaf]);
        let awaiter = frame("mine::main", FrameKind::Boundary, None, Some(key(1)), Vec::new());
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
