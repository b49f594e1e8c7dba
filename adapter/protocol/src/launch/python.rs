//! What a configuration says of a Python program. Names and meanings are debugpy's where it has them.

use serde::de::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CommonArguments, attribute, process};

/// A process that waits at this socket of weft's for a session of its own (a child that `startDebugging` hands over).
pub const TAKE_OVER: &str = "takeOver";

/// Which of the programs that one debugpy speaks for is meant (a child that `startDebugging` hands over).
pub const SUB_PROCESS_ID: &str = "subProcessId";

/// Attributes that make a configuration one for Python.
pub(super) const DECISIVE: &[&str] = &["module", "code", "connect", "listen", "processId", TAKE_OVER];

/// Attributes that a native program cannot have.
pub(super) const ATTRIBUTES: &[&str] = &[
    "module",
    "code",
    "connect",
    "listen",
    "processId",
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
    TAKE_OVER,
    SUB_PROCESS_ID,
];

/// A Python program to start.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonArguments {
    /// What to run; none when the configuration does not say.
    pub code: Option<PythonCode>,
    /// The interpreter; as given.
    pub python: Option<String>,
    /// Arguments of the interpreter, before those of the program.
    pub python_args: Vec<String>,
    /// How it is treated.
    pub settings: PythonSettings,
}

/// What a Python interpreter runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonCode {
    /// A file; as given.
    Script(String),
    /// A module, as by `-m`.
    Module(String),
    /// Python's own text, as by `-c`.
    Text(String),
}

/// A Python process to attach to.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonTarget {
    /// How to reach it; none when the configuration does not say.
    pub way: Option<PythonWay>,
    /// Only its memory is read.
    pub async_only: bool,
    /// How it is treated.
    pub settings: PythonSettings,
}

/// How to reach a Python process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonWay {
    /// A debugpy listens there; of the processes that it speaks for, the one with this number.
    Connect(Address, Option<i64>),
    /// A debugpy will connect there.
    Listen(Address),
    /// By the number of the process.
    Process(i64),
    /// It has connected already, and waits at this socket of weft's.
    TakeOver(String),
}

/// Where somebody listens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Address {
    /// Name or number.
    #[serde(default = "localhost")]
    pub host: String,
    /// Port.
    pub port: u16,
}

fn localhost() -> String {
    "127.0.0.1".to_owned()
}

/// How a Python program is treated.
#[derive(Clone, Debug, PartialEq)]
pub struct PythonSettings {
    /// Breakpoints, steps and stacks leave libraries out.
    pub just_my_code: bool,
    /// Child processes are debugged, too.
    pub sub_process: bool,
    /// What is written through `sys.stdout` and `sys.stderr` is told by the program itself.
    pub redirect_output: bool,
    /// What functions return is shown after a step.
    pub show_return_value: bool,
    /// Breakpoints in Django's templates.
    pub django: bool,
    /// Breakpoints in Jinja's templates.
    pub jinja: bool,
    /// The program uses gevent.
    pub gevent: bool,
    /// debugpy's object: files that change are loaded again.
    pub auto_reload: Map<String, Value>,
    /// What is watched of asyncio.
    pub asyncio: AsyncioArguments,
}

/// The `asyncio` object.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AsyncioArguments {
    /// asyncio's debug mode (`PYTHONASYNCIODEBUG=1`).
    pub debug: bool,
    /// Python's development mode (`-X dev`).
    pub dev_mode: bool,
    /// Callbacks that take longer, in seconds, are told of.
    pub slow_callback_duration: f64,
    /// Level of the logger `asyncio`.
    pub log_level: LogLevel,
    /// Where each task was created is recorded.
    pub task_creation_sites: bool,
    /// Which exceptions of tasks stop, for clients that never say.
    pub task_exceptions: TaskExceptions,
}

impl Default for AsyncioArguments {
    fn default() -> Self {
        Self {
            debug: false,
            dev_mode: false,
            slow_callback_duration: 0.1,
            log_level: LogLevel::default(),
            task_creation_sites: true,
            task_exceptions: TaskExceptions::default(),
        }
    }
}

/// Level of a logger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the words say it")]
pub enum LogLevel {
    Debug,
    Info,
    #[default]
    Warning,
    Error,
    Critical,
}

/// Which exceptions of tasks stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskExceptions {
    /// Those that nobody has retrieved.
    #[default]
    NeverRetrieved,
    /// Those that leave a task.
    Unhandled,
    /// None.
    Never,
}

pub(super) fn program<E: Error>(
    given: &Map<String, Value>,
    common: &mut CommonArguments,
) -> Result<PythonArguments, E> {
    let script: Option<String> = attribute(given, "program")?;
    let module: Option<String> = attribute(given, "module")?;
    let text: Option<Lines> = attribute(given, "code")?;
    let mut codes: Vec<PythonCode> = [
        script.filter(|script| !script.is_empty()).map(PythonCode::Script),
        module.filter(|module| !module.is_empty()).map(PythonCode::Module),
        text.map(Lines::joined).filter(|text| !text.is_empty()).map(PythonCode::Text),
    ]
    .into_iter()
    .flatten()
    .collect();
    if codes.len() > 1 {
        common.refused.push("`program`, `module` and `code` exclude each other: leave one".to_owned());
    }
    let mut words = attribute::<Option<Words>, E>(given, "python")?.map(Words::each).unwrap_or_default().into_iter();
    Ok(PythonArguments {
        code: codes.pop(),
        python: words.next(),
        python_args: words.chain(attribute::<Vec<String>, E>(given, "pythonArgs")?).collect(),
        settings: settings(given, common)?,
    })
}

pub(super) fn target<E: Error>(given: &Map<String, Value>, common: &mut CommonArguments) -> Result<PythonTarget, E> {
    let child = process(given, SUB_PROCESS_ID)?;
    let mut ways: Vec<PythonWay> = [
        attribute::<Option<Address>, E>(given, "connect")?.map(|address| PythonWay::Connect(address, child)),
        attribute::<Option<Address>, E>(given, "listen")?.map(PythonWay::Listen),
        process(given, "processId")?.map(PythonWay::Process),
        attribute::<Option<String>, E>(given, TAKE_OVER)?.map(PythonWay::TakeOver),
    ]
    .into_iter()
    .flatten()
    .collect();
    if ways.len() > 1 {
        common.refused.push("`connect`, `listen` and `processId` exclude each other: leave one".to_owned());
    }
    Ok(PythonTarget { way: ways.pop(), async_only: attribute(given, "asyncOnly")?, settings: settings(given, common)? })
}

fn settings<E: Error>(given: &Map<String, Value>, common: &mut CommonArguments) -> Result<PythonSettings, E> {
    // The two say the same thing; what is said here by debugpy's name wins.
    for mapping in attribute::<Vec<PathMapping>, E>(given, "pathMappings")? {
        common.source_map.insert(mapping.remote_root, mapping.local_root);
    }
    let yes = |name| attribute::<Option<bool>, E>(given, name).map(|said| said.unwrap_or(true));
    Ok(PythonSettings {
        just_my_code: yes("justMyCode")?,
        sub_process: yes("subProcess")?,
        redirect_output: attribute(given, "redirectOutput")?,
        show_return_value: yes("showReturnValue")?,
        django: attribute(given, "django")?,
        jinja: attribute(given, "jinja")?,
        gevent: attribute(given, "gevent")?,
        auto_reload: attribute(given, "autoReload")?,
        asyncio: attribute(given, "asyncio")?,
    })
}

/// An interpreter, alone or with arguments of its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Several(Vec<String>),
}

impl Words {
    fn each(self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word],
            Self::Several(words) => words,
        }
    }
}

/// Text, whole or line by line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    Whole(String),
    Each(Vec<String>),
}

impl Lines {
    fn joined(self) -> String {
        match self {
            Self::Whole(text) => text,
            Self::Each(lines) => lines.join("\n"),
        }
    }
}

/// A row of `pathMappings`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PathMapping {
    local_root: String,
    remote_root: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{AttachArguments, LaunchArguments, ProgramArguments, TargetArguments};
    use super::*;

    fn launch(value: Value) -> (PythonArguments, CommonArguments) {
        let read: LaunchArguments = serde_json::from_value(value).unwrap();
        match read.program {
            ProgramArguments::Python(program) => (program, read.common),
            ProgramArguments::Native(native) => panic!("native: {native:?}"),
        }
    }

    #[test]
    fn a_script_a_module_and_text_are_told_apart() {
        let code = |value| launch(value).0.code;
        assert_eq!(code(json!({"program": "a.py"})), Some(PythonCode::Script("a.py".into())));
        assert_eq!(code(json!({"program": "a", "runtime": "python"})), Some(PythonCode::Script("a".into())));
        assert_eq!(code(json!({"module": "m.n"})), Some(PythonCode::Module("m.n".into())));
        assert_eq!(code(json!({"code": ["a = 1", "print(a)"]})), Some(PythonCode::Text("a = 1\nprint(a)".into())));
        let (_, common) = launch(json!({"program": "a.py", "module": "m"}));
        assert_eq!(common.refused, ["`program`, `module` and `code` exclude each other: leave one"]);
    }

    #[test]
    fn an_interpreter_may_bring_arguments() {
        let interpreter = |value| {
            let program = launch(value).0;
            (program.python, program.python_args)
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(interpreter(json!({"program": "a.py"})), (None, vec![]));
        let given = json!({"program": "a.py", "python": "p", "pythonArgs": ["-B"]});
        assert_eq!(interpreter(given), (Some("p".into()), words(&["-B"])));
        let given = json!({"program": "a.py", "python": ["p", "-X", "utf8"], "pythonArgs": ["-B"]});
        assert_eq!(interpreter(given), (Some("p".into()), words(&["-X", "utf8", "-B"])));
    }

    #[test]
    fn what_is_left_out_is_as_debugpy_has_it() {
        let (program, common) = launch(json!({
            "program": "a.py", "pathMappings": [{"localRoot": "/here", "remoteRoot": "/there"}],
            "asyncio": {"debug": true, "logLevel": "DEBUG"},
        }));
        let settings = program.settings;
        assert!(settings.just_my_code && settings.sub_process && settings.show_return_value);
        assert!(!settings.redirect_output && !settings.django && settings.auto_reload.is_empty());
        assert!(settings.asyncio.debug && settings.asyncio.task_creation_sites);
        assert_eq!((settings.asyncio.log_level, settings.asyncio.slow_callback_duration), (LogLevel::Debug, 0.1));
        assert_eq!(common.source_map.get("/there").map(String::as_str), Some("/here"));
        assert!(!launch(json!({"program": "a.py", "justMyCode": false})).0.settings.just_my_code);
    }

    #[test]
    fn a_process_is_reached_in_one_way() {
        let attach = |value| match serde_json::from_value::<AttachArguments>(value).unwrap() {
            AttachArguments { target: TargetArguments::Python(target), common } => (target.way, common.refused),
            other => panic!("{other:?}"),
        };
        let address = Address { host: "127.0.0.1".into(), port: 5678 };
        let (way, refused) = attach(json!({"connect": {"port": 5678}}));
        assert_eq!((way, refused), (Some(PythonWay::Connect(address.clone(), None)), vec![]));
        assert_eq!(attach(json!({"listen": {"host": "127.0.0.1", "port": 5678}})).0, Some(PythonWay::Listen(address)));
        assert_eq!(attach(json!({"processId": "7"})).0, Some(PythonWay::Process(7)));
        let child = attach(json!({"connect": {"port": 5678}, "subProcessId": 8})).0;
        assert_eq!(child, Some(PythonWay::Connect(Address { host: "127.0.0.1".into(), port: 5678 }, Some(8))));
        assert_eq!(attach(json!({"takeOver": "/s"})).0, Some(PythonWay::TakeOver("/s".into())));
        assert_eq!(attach(json!({"connect": {"port": 1}, "processId": 7})).1.len(), 1);
        assert_eq!(attach(json!({"runtime": "python"})).0, None);
    }
}
