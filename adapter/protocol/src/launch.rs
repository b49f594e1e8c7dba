//! What a launch configuration may say. What weft's interface names and this version lacks is refused by name;
//! attributes of others (`type`, `preLaunchTask`, `__sessionId`…) are none of its business.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Attributes of `launch`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaunchArguments {
    /// What both requests know.
    pub common: CommonArguments,
    /// The executable; as given.
    pub program: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working directory; as given.
    pub cwd: Option<String>,
    /// Changes to the environment; `None` removes.
    pub env: BTreeMap<String, Option<String>>,
    /// A file with more of them, which `env` overrides.
    pub env_file: Option<String>,
    /// A file to read as standard input; as given.
    pub stdin: Option<String>,
    /// Where the program's input and output are.
    pub console: Console,
    /// Run without debugging.
    pub no_debug: bool,
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

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalAction {
    /// Delivered, and nobody is told.
    Pass,
    /// The program stops first.
    Stop,
    /// Swallowed.
    Ignore,
}

/// Attributes of `attach`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttachArguments {
    /// What both requests know.
    pub common: CommonArguments,
    /// The process; none when the configuration does not say.
    pub pid: Option<i64>,
    /// Its executable, when it is not to be taken from the process.
    pub program: Option<String>,
    /// A core file to look into instead of a process; as given.
    pub core_file: Option<String>,
    /// The process stands in a job-control stop only for this session (a forked one that `startDebugging` hands over):
    /// it goes on with it.
    pub resume_stopped: bool,
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
    /// What becomes of signals, by their names as given (`SIGUSR1`).
    pub signals: BTreeMap<String, SignalAction>,
    /// Forked processes are debugged, too.
    pub follow_forks: bool,
    /// Steps may end in the standard library and in runtimes.
    pub step_into_runtime: bool,
    /// Threads that hit breakpoints in quick succession may be moved to the debugger's core; yes when left out.
    pub pin_threads: Option<bool>,
    /// Folders with separate debug files, looked into before the usual ones; as given.
    pub debug_directories: Vec<String>,
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

/// Attributes of weft's interface that this version lacks, with what to do instead.
const NOT_YET: &[(&str, &str)] = &[("cargo", "build first and set `program`")];

/// Attach attribute: the process stands in a job-control stop for this session alone, and goes on with it.
pub const RESUME_STOPPED: &str = "resumeStopped";

/// Attributes that only a Python program has.
const PYTHON: &[&str] = &["module", "code", "connect", "listen", "processId"];

/// Further attributes for Python; alone they do not make a configuration one for Python.
const PYTHON_ONLY: &[&str] = &[
    "python",
    "pythonArgs",
    "justMyCode",
    "subProcess",
    "redirectOutput",
    "showReturnValue",
    "django",
    "jinja",
    "gevent",
    "autoReload",
    "pathMappings",
    "asyncOnly",
    "asyncio",
];

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

/// A sentence for each attribute that has to be refused.
fn refused(given: &Map<String, Value>) -> Vec<String> {
    let mut sentences = Vec::new();
    let asked = |name: &str| given.get(name).is_some_and(|value| !asks_for_nothing(value));
    let script = given.get("program").and_then(Value::as_str).is_some_and(|program| program.ends_with(".py"));
    let runtime = given.get("runtime");
    if let Some(other) =
        runtime.filter(|value| !matches!(value.as_str(), Some("native" | "python")) && !value.is_null())
    {
        sentences.push(format!("`runtime` is {other}: it must be \"native\""));
    }
    let native = runtime.and_then(Value::as_str) == Some("native");
    if runtime.and_then(Value::as_str) == Some("python") {
        sentences.push("`runtime: \"python\"` is not supported yet: this version debugs native programs".into());
    } else if let Some(name) = PYTHON.iter().find(|name| asked(name)) {
        sentences.push(format!("`{name}` is for Python programs, which are not supported yet"));
    } else if script && !native {
        sentences.push("`program` is a Python script, and Python programs are not supported yet".into());
    }
    for name in PYTHON_ONLY.iter().filter(|name| asked(name)) {
        sentences.push(format!("`{name}` is for Python programs, which are not supported yet"));
    }
    for (name, instead) in NOT_YET.iter().filter(|(name, _)| asked(name)) {
        sentences.push(format!("`{name}` is not supported yet: {instead}"));
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

fn common<E: serde::de::Error>(given: &Map<String, Value>) -> Result<CommonArguments, E> {
    Ok(CommonArguments {
        stop_on_entry: attribute(given, "stopOnEntry")?,
        source_map: attribute(given, "sourceMap")?,
        tasks: attribute(given, "async")?,
        signals: attribute(given, "signals")?,
        follow_forks: attribute(given, "followForks")?,
        step_into_runtime: attribute(given, "stepIntoRuntime")?,
        pin_threads: attribute(given, "pinThreads")?,
        debug_directories: attribute(given, "debugDirectories")?,
        refused: refused(given),
    })
}

impl<'de> Deserialize<'de> for LaunchArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Map::deserialize(deserializer)?;
        // What is refused anyway may have any form: its sentence comes first.
        let common = common(&given)?;
        Ok(Self {
            common,
            program: attribute(&given, "program")?,
            args: attribute(&given, "args")?,
            cwd: attribute(&given, "cwd")?,
            env: attribute(&given, "env")?,
            env_file: attribute(&given, "envFile")?,
            stdin: attribute(&given, "stdin")?,
            console: attribute(&given, "console")?,
            no_debug: attribute(&given, "noDebug")?,
        })
    }
}

impl<'de> Deserialize<'de> for AttachArguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Map::deserialize(deserializer)?;
        let pid = match given.get("pid") {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        if let (Some(given), None) = (given.get("pid").filter(|value| !value.is_null()), pid) {
            return Err(D::Error::custom(format_args!("`pid` is {given}: it must be the number of a process")));
        }
        Ok(Self {
            common: common(&given)?,
            pid,
            program: attribute(&given, "program")?,
            core_file: attribute(&given, "coreFile")?,
            resume_stopped: attribute(&given, RESUME_STOPPED)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn launch(value: Value) -> LaunchArguments {
        serde_json::from_value(value).unwrap()
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
        assert_eq!(read.program.as_deref(), Some("/bin/a"));
        assert_eq!(read.env.get("C"), Some(&None));
        assert_eq!(read.common.tasks.tasks_as_threads, TasksAsThreads::All);
        assert_eq!(read.common.tasks.max_threads, 5);
        assert!(read.common.stop_on_entry && !read.common.tasks.show_runtime_frames);
        assert_eq!(launch(json!({"async": {"longPollMs": 100}})).common.tasks.long_poll_ms, 100);
        let step_mode = |mode| launch(json!({"async": {"stepMode": mode}})).common.tasks.step_mode;
        assert_eq!((read.common.tasks.step_mode, step_mode("thread")), (StepMode::Task, StepMode::Thread));
        assert!(read.common.tasks.spawn_sites && !launch(json!({})).common.tasks.spawn_sites);
    }

    #[test]
    fn what_is_missing_is_refused_by_name() {
        let sentence = |value: Value| launch(value).common.refused.join("; ");
        assert_eq!(
            sentence(json!({"cargo": {"args": ["build"]}})),
            "`cargo` is not supported yet: build first and set `program`"
        );
        assert!(sentence(json!({"program": "a", "runtime": "python"})).starts_with("`runtime: \"python\"` is not"));
        assert!(sentence(json!({"program": "a.py"})).starts_with("`program` is a Python script"));
        assert!(sentence(json!({"module": "m"})).starts_with("`module` is for Python"));
        assert_eq!(sentence(json!({"program": "a.py", "runtime": "native"})), "");
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
        assert_eq!(read.common.signals.get("SIGUSR1"), Some(&SignalAction::Stop));
        assert!(read.common.follow_forks && read.common.step_into_runtime);
        assert_eq!(read.common.debug_directories, ["/symbols"]);
        assert_eq!((read.common.pin_threads, launch(json!({})).common.pin_threads), (Some(false), None));
        let error = serde_json::from_value::<LaunchArguments>(json!({"console": "tty"})).unwrap_err().to_string();
        assert!(error.starts_with("`console`: ") && error.contains("integratedTerminal"), "{error}");
        let error = serde_json::from_value::<LaunchArguments>(json!({"signals": {"SIGHUP": 1}})).unwrap_err();
        assert!(error.to_string().starts_with("`signals`: "), "{error}");
        let core: AttachArguments = serde_json::from_value(json!({"coreFile": "core.7", "program": "a"})).unwrap();
        assert_eq!((core.core_file.as_deref(), core.pid, core.resume_stopped), (Some("core.7"), None, false));
    }

    #[test]
    fn wrong_forms_name_the_attribute() {
        let error = serde_json::from_value::<LaunchArguments>(json!({"args": "one"})).unwrap_err().to_string();
        assert!(error.starts_with("`args`: "), "{error}");
        let error = serde_json::from_value::<LaunchArguments>(json!({"async": {"maxThreads": -1}})).unwrap_err();
        assert!(error.to_string().starts_with("`async`: "), "{error}");
    }

    #[test]
    fn a_pid_is_a_number_or_text() {
        let pid = |value: Value| serde_json::from_value::<AttachArguments>(json!({"pid": value}));
        assert_eq!(pid(json!(7)).unwrap().pid, Some(7));
        assert_eq!(pid(json!(" 7 ")).unwrap().pid, Some(7));
        assert_eq!(pid(json!(null)).unwrap().pid, None);
        assert!(pid(json!("seven")).unwrap_err().to_string().contains("must be the number of a process"));
        assert!(pid(json!(1.5)).is_err());
    }
}
