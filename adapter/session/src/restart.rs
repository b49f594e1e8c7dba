//! The same again from the start, and debuggees that others hand over: what begins without `launch` or `attach`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use weft_protocol::launch::{
    AttachArguments, CommonArguments, LaunchArguments, NativeSettings, ProgramArguments, PythonSettings,
    RESUME_STOPPED, SignalAction, StepMode, TargetArguments, TasksAsThreads,
};
use weft_protocol::spec::{RestartArguments, StartDebuggingArguments, ThreadEventBody, ThreadReason};
use weft_protocol::{Error, ErrorId};

use crate::breakpoints::Moves;
use crate::debuggee::{Answer, Channel, Debuggee, Forked};
use crate::lane::{Input, Lane};
use crate::lifecycle::Phase;
use crate::outbox::Ticket;
use crate::questions::Question;
use crate::serve::Runtime;
use crate::shared::lock;

/// Forked processes that wait for the client's answer at a time: a thread of ours waits for each.
const MOST_FORKS: usize = 64;

/// What a debuggee was loaded with.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Launch(LaunchArguments),
    Attach(AttachArguments),
}

impl Origin {
    pub(crate) fn common(&self) -> &CommonArguments {
        match self {
            Self::Launch(asked) => &asked.common,
            Self::Attach(asked) => &asked.common,
        }
    }

    /// What kind of program it is.
    pub(crate) fn runtime(&self) -> Runtime {
        let is_native = match self {
            Self::Launch(asked) => matches!(asked.program, ProgramArguments::Native(_)),
            Self::Attach(asked) => matches!(asked.target, TargetArguments::Native(_)),
        };
        if is_native { Runtime::Native } else { Runtime::Python }
    }

    /// The folder that relative paths of the configuration are taken from.
    pub(crate) fn folder(&self) -> PathBuf {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        match self {
            Self::Launch(asked) => asked.cwd.as_deref().map_or(here.clone(), |cwd| here.join(cwd)),
            Self::Attach(_) => here,
        }
    }

    /// Whether it is a core file: nothing runs.
    pub(crate) fn stands(&self) -> bool {
        let Self::Attach(AttachArguments { target: TargetArguments::Native(target), .. }) = self else { return false };
        target.core_file.as_deref().is_some_and(|file| !file.is_empty())
    }

    /// With other arguments of the same kind.
    fn with(&self, given: Option<Value>) -> Answer<Self> {
        let wrong =
            |error| Error::new(ErrorId::InvalidArguments, format!("`restart`: the arguments are wrong: {error}"));
        match (self, given) {
            (_, None) => Ok(self.clone()),
            (Self::Launch(_), Some(given)) => serde_json::from_value(given).map(Self::Launch).map_err(wrong),
            (Self::Attach(_), Some(given)) => serde_json::from_value(given).map(Self::Attach).map_err(wrong),
        }
    }
}

impl Lane {
    /// Serves `restart`: the debuggee ends (is detached from), another is loaded with the same or new arguments, gets
    /// all breakpoints, and runs. Whatever is wrong with the arguments is said while the old one still lives.
    pub(crate) fn restart(&mut self, asked: RestartArguments, ticket: Ticket) {
        let origin = match (&self.phase, &self.origin) {
            (Phase::Live | Phase::Over, Some(origin)) => origin.with(asked.arguments),
            (Phase::Loading { .. } | Phase::Configuring { .. }, _) => {
                Err(Error::new(ErrorId::WrongState, "the program has not started yet"))
            }
            _ => Err(Error::new(ErrorId::WrongState, "there is nothing to restart: launch or attach first")),
        };
        let work = origin.and_then(|origin| self.plan(&origin).map(|work| (origin, work)));
        let (origin, work) = match work {
            Ok(found) => found,
            Err(error) => return ticket.fail(error),
        };
        if origin.stands() {
            return ticket
                .fail(Error::new(ErrorId::NotSupported, "a core file does not run, so it cannot be restarted"));
        }
        self.said_before = lock(&self.shared.modules).listed();
        if let Some(debuggee) = self.shared.debuggee() {
            self.leave_threads(&*debuggee);
            self.release();
        }
        self.load(origin, Phase::Restarting { start: ticket }, work);
    }

    /// The threads of a debuggee that is about to end, which its own last words will not be heard of.
    fn leave_threads(&self, debuggee: &dyn Debuggee) {
        for thread in debuggee.threads().unwrap_or_default() {
            let body = ThreadEventBody { reason: ThreadReason::Exited, thread_id: thread.id };
            self.shared.out.event("thread", &body);
        }
        for task in self.shared.listing().leave() {
            crate::threads::announce(&self.shared, task, ThreadReason::Exited);
        }
    }

    /// A debuggee took the place of another.
    pub(crate) fn restarted(&mut self, debuggee: Arc<dyn Debuggee>, start: Ticket) {
        self.introduce(debuggee, false);
        self.phase = Phase::Live;
        let moves = Moves { before: std::mem::take(&mut self.said_before), after: lock(&self.shared.modules).listed() };
        self.set_all_again(&moves);
        for event in std::mem::take(&mut self.early) {
            self.event(event);
        }
        self.begin(start);
    }

    /// A process that the program made waits for a debugger.
    pub(crate) fn forked(&mut self, Forked { pid, way }: Forked) {
        let refusal = if !self.shared.client().starts_debugging {
            Some("this editor cannot start a session for it (`startDebugging`)")
        } else if self.forks.len() >= MOST_FORKS {
            Some("the editor has not answered for many before it")
        } else {
            None
        };
        if let Some(why) = refusal {
            self.let_go(pid);
            // A program may fork all the time.
            if !std::mem::replace(&mut self.forks_told, true) {
                let switch = match self.runtime() {
                    Runtime::Native => "followForks",
                    Runtime::Python => "subProcess",
                };
                let sentence = format!(
                    "weft: process {pid} was forked and runs undebugged: {why}; attach to it by hand, or set \
                     `{switch}` to false. Of others like it nothing is said"
                );
                self.shared.out.say(Channel::Console, &sentence);
            }
            return;
        }
        let Some(origin) = &self.origin else { return self.let_go(pid) };
        let arguments = StartDebuggingArguments { configuration: self.for_child(origin, pid, way), request: "attach" };
        let question = Question::ask(&self.shared.out, &self.shared.asked, "startDebugging", &arguments);
        self.forks.push(pid);
        let (lane, load) = (self.sender.clone(), self.loads);
        let wait = move || {
            let answer = question.wait().map(|_| ()).map_err(|error| error.message);
            let _ = lane.send(Input::Adopted(load, pid, answer));
        };
        if tokio::runtime::Handle::try_current().map(|runtime| runtime.spawn_blocking(wait)).is_err() {
            self.let_go(pid);
        }
    }

    /// The client has answered for a forked process.
    pub(crate) fn adopted(&mut self, load: u64, pid: i64, answer: Result<(), String>) {
        if load != self.loads || !self.forks.contains(&pid) {
            return;
        }
        self.forks.retain(|known| *known != pid);
        if let Err(why) = answer {
            self.let_go(pid);
            let line = format!("weft: process {pid} was forked and runs undebugged: {why}");
            self.shared.out.say(Channel::Important, &line);
        }
    }

    fn let_go(&mut self, pid: i64) {
        self.forks.retain(|known| *known != pid);
        if let Some(debuggee) = self.shared.debuggee() {
            debuggee.let_go(pid);
        }
    }

    /// What attaches to a forked process, as its parent is treated.
    fn for_child(&self, origin: &Origin, pid: i64, way: Map<String, Value>) -> Value {
        let name = self.shared.debuggee().map(|debuggee| debuggee.process().path);
        let name = name.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let mut configuration = json!({
            "type": "weft",
            "request": "attach",
            "name": format!("{} {pid}", name.unwrap_or_else(|| "process".to_owned())),
        });
        let own = match origin {
            Origin::Launch(LaunchArguments { program: ProgramArguments::Native(program), .. }) => {
                native(pid, &program.settings)
            }
            Origin::Attach(AttachArguments { target: TargetArguments::Native(target), .. }) => {
                native(pid, &target.settings)
            }
            Origin::Launch(LaunchArguments { program: ProgramArguments::Python(program), .. }) => {
                python(&program.settings)
            }
            Origin::Attach(AttachArguments { target: TargetArguments::Python(target), .. }) => python(&target.settings),
        };
        if let Value::Object(members) = &mut configuration {
            members.extend(shared_by_all(origin.common()));
            members.extend(own);
            members.extend(way);
        }
        configuration
    }
}

/// What a child has of its parent's configuration, whatever it is.
fn shared_by_all(common: &CommonArguments) -> Map<String, Value> {
    let tasks = &common.tasks;
    let shared = json!({
        "sourceMap": common.source_map,
        "async": {
            "tasksAsThreads": match tasks.tasks_as_threads {
                TasksAsThreads::None => "none",
                TasksAsThreads::Focused => "focused",
                TasksAsThreads::All => "all",
            },
            "maxThreads": tasks.max_threads,
            "showRuntimeFrames": tasks.show_runtime_frames,
            "spawnSites": tasks.spawn_sites,
            "stepMode": match tasks.step_mode {
                StepMode::Task => "task",
                StepMode::Thread => "thread",
            },
            "longPollMs": tasks.long_poll_ms,
        },
    });
    members(shared)
}

/// What attaches to a native process that stands, as its parent is treated.
fn native(pid: i64, settings: &NativeSettings) -> Map<String, Value> {
    let signals = settings.signals.iter().map(|(name, action)| {
        let word = match action {
            SignalAction::Pass => "pass",
            SignalAction::Stop => "stop",
            SignalAction::Ignore => "ignore",
        };
        (name.clone(), json!(word))
    });
    members(json!({
        "pid": pid,
        RESUME_STOPPED: true,
        "signals": signals.collect::<Map<_, _>>(),
        "followForks": settings.follow_forks,
        "stepIntoRuntime": settings.step_into_runtime,
        "pinThreads": settings.pin_threads.unwrap_or(true),
        "debugDirectories": settings.debug_directories,
    }))
}

/// How a Python process is treated, as its parent is.
fn python(settings: &PythonSettings) -> Map<String, Value> {
    members(json!({
        "runtime": "python",
        "justMyCode": settings.just_my_code,
        "subProcess": settings.sub_process,
        "redirectOutput": settings.redirect_output,
        "showReturnValue": settings.show_return_value,
        "django": settings.django,
        "jinja": settings.jinja,
        "gevent": settings.gevent,
        "autoReload": settings.auto_reload,
        "asyncio": settings.asyncio,
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
