//! What a launch configuration may say. What belongs to the other kind of program is refused by
//! name; attributes of others (`type`, `preLaunchTask`, `__sessionId`…) are none of its
//! business.

mod dotted;
mod environment;
mod native;
mod python;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

pub use native::{
    CargoArguments, CargoFilter, NativeArguments, NativeSettings, NativeTarget, RESUME_STOPPED, SignalAction,
};
pub use python::{
    Address, AsyncioArguments, LogLevel, PythonArguments, PythonCode, PythonSettings, PythonTarget, PythonWay,
    SUB_PROCESS_ID, TAKE_OVER, TaskExceptions,
};

/// Attributes of `launch`.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchArguments {
    /// What both requests know.
    pub common: CommonArguments,
    /// The program's arguments.
    pub args: Vec<String>,
    /// Its working directory; as given.
    pub cwd: Option<String>,
    /// Changes to the environment; `None` removes.
    pub env: BTreeMap<String, Option<String>>,
    /// A file with more of them, which `env` overrides.
    pub env_file: Option<String>,
    /// Where the program's input and output are.
    pub console: Console,
    /// Run without debugging.
    pub no_debug: bool,
    /// The program.
    pub program: ProgramArguments,
}

/// What to start.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramArguments {
    /// An executable.
    Native(NativeArguments),
    /// Something for a Python interpreter.
    Python(PythonArguments),
}

/// Attributes of `attach`.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachArguments {
    /// What both requests know.
    pub common: CommonArguments,
    /// What to attach to.
    pub target: TargetArguments,
}

/// What to attach to.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetArguments {
    /// A native process, or its core file.
    Native(NativeTarget),
    /// A Python process.
    Python(PythonTarget),
}

/// Where a program's input and output are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Console {
    /// In `output` events.
    #[default]
    InternalConsole,
    /// In a terminal of the client's own.
    IntegratedTerminal,
    /// In a window of its own.
    ExternalTerminal,
}

/// Attributes of both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommonArguments {
    /// Stop before the program's own code.
    pub stop_on_entry: bool,
    /// Path prefix in the debug information → prefix on the client's side.
    pub source_map: BTreeMap<String, String>,
    /// How tasks are shown.
    pub tasks: AsyncArguments,
    /// Attributes that this version must refuse: a sentence each.
    pub refused: Vec<String>,
}

/// The `async` object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AsyncArguments {
    /// Which tasks `threads` lists.
    pub tasks_as_threads: TasksAsThreads,
    /// Cap for [`TasksAsThreads::All`].
    pub max_threads: u32,
    /// Executor frames one by one.
    pub show_runtime_frames: bool,
    /// Where each task is spawned is recorded.
    pub spawn_sites: bool,
    /// Whose breakpoints stop while a step is under way.
    pub step_mode: StepMode,
    /// A poll that takes longer, in milliseconds, stops or is told of; 0: none does.
    pub long_poll_ms: u64,
}

/// Whose breakpoints stop while a step is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepMode {
    /// All but those that siblings of the stepped task hit.
    #[default]
    Task,
    /// All.
    Thread,
}

impl Default for AsyncArguments {
    fn default() -> Self {
        Self {
            tasks_as_threads: TasksAsThreads::default(),
            max_threads: 64,
            show_runtime_frames: false,
            spawn_sites: false,
            step_mode: StepMode::default(),
            long_poll_ms: 0,
        }
    }
}

/// Which tasks `threads` lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TasksAsThreads {
    /// None.
    None,
    /// Those a client asked for.
    #[default]
    Focused,
    /// All, up to the cap.
    All,
}

/// What a configuration says to switch something off that is not there asks for nothing.
fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::String(_) => false,
    }
}

/// A kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Native,
    Python,
}

/// Which kind of program a configuration is for: what `runtime` says, or else what the other attributes do.
fn kind(given: &Map<String, Value>) -> Kind {
    let asked = |name: &&str| given.get(*name).is_some_and(|value| !asks_for_nothing(value));
    let script = given.get("program").and_then(Value::as_str).is_some_and(|program| program.ends_with(".py"));
    match given.get("runtime").and_then(Value::as_str) {
        Some("python") => Kind::Python,
        Some(_) => Kind::Native,
        None if script || python::DECISIVE.iter().any(asked) => Kind::Python,
        None => Kind::Native,
    }
}

/// A sentence for each attribute that has to be refused.
fn refused(given: &Map<String, Value>, kind: Kind) -> Vec<String> {
    let mut sentences = Vec::new();
    let asked = |name: &str| given.get(name).is_some_and(|value| !asks_for_nothing(value));
    let runtime = given.get("runtime").filter(|value| !value.is_null());
    if let Some(other) = runtime.filter(|value| !matches!(value.as_str(), Some("native" | "python"))) {
        sentences.push(format!("`runtime` is {other}: it must be \"native\" or \"python\""));
    }
    let (others, whose, fix) = match kind {
        Kind::Native => {
            (python::ATTRIBUTES, "Python programs, and this one is native", "remove it, or set `runtime` to \"python\"")
        }
        Kind::Python => {
            (native::ATTRIBUTES, "native programs, and this one is Python", "remove it, or set `runtime` to \"native\"")
        }
    };
    for name in others.iter().filter(|name| asked(name)) {
        sentences.push(format!("`{name}` is for {whose}: {fix}"));
    }
    sentences
}

/// Reads one attribute; a wrong form is an error that names it. `null` is as good as nothing.
fn attribute<T, E>(given: &Map<String, Value>, name: &str) -> Result<T, E>
where
    T: serde::de::DeserializeOwned + Default,
    E: serde::de::Error,
{
    match given.get(name) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(value) => {
            serde_json::from_value(value.clone()).map_err(|error| E::custom(format_args!("`{name}`: {error}")))
        }
    }
}

fn common<E: serde::de::Error>(given: &Map<String, Value>, kind: Kind) -> Result<CommonArguments, E> {
    Ok(CommonArguments {
        stop_on_entry: attribute(given, "stopOnEntry")?,
        source_map: attribute(given, "sourceMap")?,
        tasks: attribute(given, "async")?,
        refused: refused(given, kind),
    })
}

impl<'de> Deserialize<'de> for LaunchArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = dotted::gathered(Map::deserialize(deserializer)?);
        let kind = kind(&given);
        let mut common = common(&given, kind)?;
        let program = match kind {
            Kind::Native => ProgramArguments::Native(native::program(&given)?),
            Kind::Python => ProgramArguments::Python(python::program(&given, &mut common)?),
        };
        Ok(Self {
            common,
            args: attribute(&given, "args")?,
            cwd: attribute(&given, "cwd")?,
            env: attribute::<environment::Environment, _>(&given, "env")?.0,
            env_file: attribute(&given, "envFile")?,
            console: attribute(&given, "console")?,
            no_debug: attribute(&given, "noDebug")?,
            program,
        })
    }
}

impl<'de> Deserialize<'de> for AttachArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = dotted::gathered(Map::deserialize(deserializer)?);
        let kind = kind(&given);
        let mut common = common(&given, kind)?;
        let target = match kind {
            Kind::Native => TargetArguments::Native(native::target(&given)?),
            Kind::Python => TargetArguments::Python(python::target(&given, &mut common)?),
        };
        Ok(Self { common, target })
    }
}

/// Reads the number of a process, given as number or text.
fn process<E: serde::de::Error>(given: &Map<String, Value>, name: &str) -> Result<Option<i64>, E> {
    let Some(value) = given.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let pid = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let wrong = || E::custom(format_args!("`{name}` is {value}: it must be the number of a process"));
    pid.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn launch(value: Value) -> LaunchArguments {
        serde_json::from_value(value).unwrap()
    }

    fn native(read: &LaunchArguments) -> &NativeArguments {
        match &read.program {
            ProgramArguments::Native(native) => native,
            ProgramArguments::Python(python) => panic!("{python:?}"),
        }
    }

    #[test]
    fn a_whole_configuration_is_read_and_strangers_are_ignored() {
        let read = launch(json!({
            "type": "weft", "request": "launch", "name": "x", "__sessionId": 7, "preLaunchTask": "build",
            "program": "/bin/a", "args": ["1"], "cwd": "/", "env": {"A": "b", "C": null}, "envFile": "e",
            "stopOnEntry": true, "sourceMap": {"/rustc": "/usr/src"}, "console": "internalConsole",
            "async": {"tasksAsThreads": "all", "maxThreads": 5, "longPollMs": 0, "spawnSites": true}, "followForks": false,
        }));
        assert_eq!(read.common.refused, Vec::<String>::new());
        assert_eq!(native(&read).program.as_deref(), Some("/bin/a"));
        assert_eq!(read.env.get("C"), Some(&None));
        assert_eq!(launch(json!({"env": {"PORT": 8080}})).env.get("PORT"), Some(&Some("8080".to_owned())));
        assert_eq!(read.common.tasks.tasks_as_threads, TasksAsThreads::All);
        assert_eq!(read.common.tasks.max_threads, 5);
        assert!(read.common.stop_on_entry && !read.common.tasks.show_runtime_frames);
        assert_eq!(launch(json!({"async": {"longPollMs": 100}})).common.tasks.long_poll_ms, 100);
        let step_mode = |mode| launch(json!({"async": {"stepMode": mode}})).common.tasks.step_mode;
        assert_eq!((read.common.tasks.step_mode, step_mode("thread")), (StepMode::Task, StepMode::Thread));
        assert!(read.common.tasks.spawn_sites && !launch(json!({})).common.tasks.spawn_sites);
    }

    #[test]
    fn what_is_missing_or_another_kinds_is_refused_by_name() {
        let sentence = |value: Value| launch(value).common.refused.join("; ");
        assert_eq!(
            sentence(json!({"program": "a.py", "cargo": {"args": ["build"]}})),
            "`cargo` is for native programs, and this one is Python: remove it, or set `runtime` to \"native\""
        );
        assert_eq!(
            sentence(json!({"program": "a", "justMyCode": true})),
            "`justMyCode` is for Python programs, and this one is native: remove it, or set `runtime` to \"python\""
        );
        assert_eq!(
            sentence(json!({"program": "a.py", "followForks": true})),
            "`followForks` is for native programs, and this one is Python: remove it, or set `runtime` to \"native\""
        );
        assert_eq!(sentence(json!({"runtime": 1})), "`runtime` is 1: it must be \"native\" or \"python\"");
        assert_eq!(sentence(json!({"program": "a.py", "followForks": false, "signals": {}})), "");
    }

    #[test]
    fn the_kind_of_program_is_said_or_follows_from_the_rest() {
        let is_python = |value: Value| matches!(launch(value).program, ProgramArguments::Python(_));
        assert!(is_python(json!({"program": "a", "runtime": "python"})));
        assert!(is_python(json!({"program": "a.py"})) && is_python(json!({"module": "m"})));
        assert!(is_python(json!({"code": "1"})));
        assert!(!is_python(json!({"program": "a"})) && !is_python(json!({})));
        assert!(!is_python(json!({"program": "a.py", "runtime": "native"})));
        assert!(!is_python(json!({"program": "a", "connect": null})));
    }

    #[test]
    fn run_control_is_configured() {
        let read = launch(json!({
            "program": "a", "console": "externalTerminal", "signals": {"SIGUSR1": "stop", "SIGINT": "pass"},
            "followForks": true, "stepIntoRuntime": true, "pinThreads": false,
            "debugDirectories": ["/symbols"],
        }));
        assert_eq!(read.common.refused, Vec::<String>::new());
        assert_eq!(read.console, Console::ExternalTerminal);
        let settings = &native(&read).settings;
        assert_eq!(settings.signals.get("SIGUSR1"), Some(&SignalAction::Stop));
        assert!(settings.follow_forks && settings.step_into_runtime);
        assert_eq!(settings.debug_directories, ["/symbols"]);
        assert_eq!((settings.pin_threads, native(&launch(json!({}))).settings.pin_threads), (Some(false), None));
        let error = serde_json::from_value::<LaunchArguments>(json!({"console": "tty"})).unwrap_err().to_string();
        assert!(error.starts_with("`console`: ") && error.contains("integratedTerminal"), "{error}");
        let error = serde_json::from_value::<LaunchArguments>(json!({"signals": {"SIGHUP": 1}})).unwrap_err();
        assert!(error.to_string().starts_with("`signals`: "), "{error}");
        let core = attach(json!({"coreFile": "core.7", "program": "a"})).unwrap();
        assert_eq!((core.core_file.as_deref(), core.pid, core.resume_stopped), (Some("core.7"), None, false));
    }

    #[test]
    fn what_is_within_an_object_can_be_given_by_a_dotted_name() {
        let read = launch(json!({
            "cargo.args": ["build"], "cargo.env.JOBS": 2, "async.tasksAsThreads": "all", "env.RUST_LOG": "debug",
        }));
        let cargo = native(&read).cargo.as_ref().unwrap();
        assert_eq!((cargo.args.join(" "), cargo.env.get("JOBS")), ("build".to_owned(), Some(&Some("2".to_owned()))));
        assert_eq!(read.common.tasks.tasks_as_threads, TasksAsThreads::All);
        assert_eq!(read.env.get("RUST_LOG"), Some(&Some("debug".to_owned())));
        let python: AttachArguments = serde_json::from_value(json!({"connect.port": 5678})).unwrap();
        let address = Address { host: "127.0.0.1".to_owned(), port: 5678 };
        let TargetArguments::Python(target) = python.target else { panic!("native") };
        assert_eq!(target.way, Some(PythonWay::Connect(address, None)));
    }

    #[test]
    fn what_cargo_is_to_do_is_read() {
        let read = launch(json!({
            "cargo": {"args": ["test", "--no-run"], "filter": {"kind": "lib"}, "env": {"RUSTFLAGS": null}},
        }));
        let expected = CargoArguments {
            args: vec!["test".to_owned(), "--no-run".to_owned()],
            filter: CargoFilter { name: None, kind: Some("lib".to_owned()) },
            cwd: None,
            env: BTreeMap::from([("RUSTFLAGS".to_owned(), None)]),
        };
        assert_eq!(native(&read).cargo, Some(expected));
        assert_eq!(native(&launch(json!({"cargo": {}}))).cargo, None);
        let error = serde_json::from_value::<LaunchArguments>(json!({"cargo": {"arg": ["build"]}})).unwrap_err();
        assert!(error.to_string().starts_with("`cargo`: unknown field `arg`"), "{error}");
    }

    fn attach(value: Value) -> Result<NativeTarget, serde_json::Error> {
        serde_json::from_value::<AttachArguments>(value).map(|read| match read.target {
            TargetArguments::Native(target) => target,
            TargetArguments::Python(python) => panic!("{python:?}"),
        })
    }

    #[test]
    fn wrong_forms_name_the_attribute() {
        let error = serde_json::from_value::<LaunchArguments>(json!({"args": "one"})).unwrap_err().to_string();
        assert!(error.starts_with("`args`: "), "{error}");
        let error = serde_json::from_value::<LaunchArguments>(json!({"async": {"maxThreads": -1}})).unwrap_err();
        assert!(error.to_string().starts_with("`async`: "), "{error}");
        let error = serde_json::from_value::<LaunchArguments>(json!({"env": {"A": true}})).unwrap_err().to_string();
        assert_eq!(error, "`env`: a variable's value must be text");
    }

    #[test]
    fn a_pid_is_a_number_or_text() {
        let pid = |value: Value| attach(json!({"pid": value}));
        assert_eq!(pid(json!(7)).unwrap().pid, Some(7));
        assert_eq!(pid(json!(" 7 ")).unwrap().pid, Some(7));
        assert_eq!(pid(json!(null)).unwrap().pid, None);
        assert!(pid(json!("seven")).unwrap_err().to_string().contains("must be the number of a process"));
        assert!(pid(json!(1.5)).is_err());
    }
}
