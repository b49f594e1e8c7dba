//! From a launch configuration's words to what a debuggee is started with.

mod env_file;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weft_protocol::launch::{
    self as given, AsyncArguments, AttachArguments, CommonArguments, LaunchArguments, NativeArguments, NativeSettings,
    NativeTarget, ProgramArguments, PythonArguments, PythonTarget, TargetArguments,
};
use weft_protocol::{Error, ErrorId};

use crate::config::{
    AttachConfig, BUILT_PROGRAM, CargoBuild, LaunchConfig, NativeAttach, NativeLaunch, NativeProgram, PythonAttach,
    PythonCode, PythonLaunch, PythonWay, Settings, Start,
};
use crate::debuggee::Answer;

/// Works a launch configuration out.
pub(crate) fn launch(given: &LaunchArguments) -> Answer<LaunchConfig> {
    check(&given.common)?;
    let here = std::env::current_dir().map_err(|error| invalid(format!("no working directory: {error}")))?;
    let program = match &given.program {
        ProgramArguments::Native(NativeArguments { program, cargo: None, .. })
            if program.as_deref().is_none_or(str::is_empty) =>
        {
            return Err(invalid(
                "`program` is missing: set it to the executable to debug (or `cargo` to what builds it: {\"args\": [\"build\"]})",
            ));
        }
        ProgramArguments::Python(PythonArguments { code: None, .. }) => {
            return Err(invalid("`program` is missing: set it to a Python file (or set `module` or `code`)"));
        }
        program => program,
    };
    let start = start(given, &here)?;
    Ok(match program {
        ProgramArguments::Native(native) => LaunchConfig::Native(NativeLaunch {
            program: native_program(native, &start)?,
            stdin: native.stdin.as_deref().filter(|file| !file.is_empty()).map(|file| start.cwd.join(file)),
            settings: settings(&native.settings, &given.common.tasks, &here),
            start,
        }),
        ProgramArguments::Python(python) => LaunchConfig::Python(python_launch(python, start, &given.common.tasks)?),
    })
}

fn native_program(given: &NativeArguments, start: &Start) -> Answer<NativeProgram> {
    let program = given.program.as_deref().filter(|program| !program.is_empty());
    let Some(cargo) = &given.cargo else {
        return Ok(NativeProgram::File(start.cwd.join(program.unwrap_or_default())));
    };
    let cwd = cargo.cwd.as_deref().filter(|cwd| !cwd.is_empty()).map_or(start.cwd.clone(), |cwd| start.cwd.join(cwd));
    if !cwd.is_dir() {
        return Err(Error::new(ErrorId::NotFound, format!("`cargo.cwd`: {} is not a directory", cwd.display())));
    }
    Ok(NativeProgram::Cargo(CargoBuild {
        args: cargo.args.clone(),
        filter: cargo.filter.clone(),
        cwd,
        env: variables("cargo.env", &cargo.env)?,
        starts: program.filter(|program| *program != BUILT_PROGRAM).map(str::to_owned),
    }))
}

fn start(given: &LaunchArguments, here: &Path) -> Answer<Start> {
    let cwd = match given.cwd.as_deref().filter(|cwd| !cwd.is_empty()) {
        Some(cwd) => here.join(cwd),
        None => here.to_owned(),
    };
    if !cwd.is_dir() {
        return Err(Error::new(ErrorId::NotFound, format!("`cwd`: {} is not a directory", cwd.display())));
    }
    Ok(Start {
        args: given.args.iter().map(OsString::from).collect(),
        env: environment(given, &cwd)?,
        cwd,
        stop_on_entry: given.common.stop_on_entry,
        no_debug: given.no_debug,
        console: given.console,
    })
}

fn python_launch(given: &PythonArguments, start: Start, tasks: &AsyncArguments) -> Answer<PythonLaunch> {
    let code = match given.code.clone() {
        Some(PythonCode::Script(script)) => {
            let path = start.cwd.join(&script);
            if !path.exists() {
                return Err(Error::new(ErrorId::NotFound, format!("`program`: there is no {}", path.display())));
            }
            PythonCode::Script(path.to_string_lossy().into_owned())
        }
        Some(code) => code,
        None => return Err(invalid("`program` is missing: set it to a Python file")),
    };
    Ok(PythonLaunch {
        code,
        python: given.python.as_deref().filter(|python| !python.is_empty()).map(OsString::from),
        python_args: given.python_args.iter().map(OsString::from).collect(),
        settings: given.settings.clone(),
        step_mode: tasks.step_mode,
        start,
    })
}

fn settings(given: &NativeSettings, tasks: &AsyncArguments, base: &Path) -> Settings {
    Settings {
        signals: given.signals.clone(),
        follow_forks: given.follow_forks,
        step_into_runtime: given.step_into_runtime,
        pin_threads: given.pin_threads,
        debug_directories: given.debug_directories.iter().map(|folder| base.join(folder)).collect(),
        spawn_sites: tasks.spawn_sites,
        step_mode: tasks.step_mode,
        long_poll: Some(Duration::from_millis(tasks.long_poll_ms)).filter(|limit| !limit.is_zero()),
    }
}

/// Works an attach configuration out.
pub(crate) fn attach(given: &AttachArguments) -> Answer<AttachConfig> {
    check(&given.common)?;
    match &given.target {
        TargetArguments::Native(target) => native_attach(target, &given.common).map(AttachConfig::Native),
        TargetArguments::Python(target) => python_attach(target, &given.common).map(AttachConfig::Python),
    }
}

fn native_attach(given: &NativeTarget, common: &CommonArguments) -> Answer<NativeAttach> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = |given: &Option<String>| given.as_deref().filter(|path| !path.is_empty()).map(|path| here.join(path));
    let core = path(&given.core_file);
    let pid = match (given.pid, &core) {
        (Some(_), Some(_)) => return Err(invalid("`pid` and `coreFile` exclude each other: leave one out")),
        (None, None) => {
            return Err(invalid(
                "`pid` is missing: set it to the number of the process to attach to (or set `coreFile`)",
            ));
        }
        (None, Some(_)) => 0,
        (Some(pid), None) => process(pid, "pid")?,
    };
    Ok(NativeAttach {
        pid,
        program: path(&given.program),
        stop_on_entry: common.stop_on_entry,
        core,
        resume_stopped: given.resume_stopped,
        settings: settings(&given.settings, &common.tasks, &here),
    })
}

fn python_attach(given: &PythonTarget, common: &CommonArguments) -> Answer<PythonAttach> {
    let way = match given.way.clone() {
        None => {
            return Err(invalid(
                "nothing to attach to: set `connect` (where debugpy listens), `listen` (where it will connect to) or \
                 `processId`",
            ));
        }
        Some(given::PythonWay::Process(pid)) if given.async_only => PythonWay::Outside(process(pid, "processId")?),
        Some(_) if given.async_only => {
            return Err(invalid(
                "`asyncOnly` reads the memory of a process on this machine: give its number as `processId` instead of \
                 `connect` or `listen`",
            ));
        }
        Some(given::PythonWay::Connect(address, child)) => PythonWay::Connect(address, child),
        Some(given::PythonWay::TakeOver(socket)) => PythonWay::TakeOver(PathBuf::from(socket)),
        Some(given::PythonWay::Listen(address)) => PythonWay::Listen(address),
        Some(given::PythonWay::Process(pid)) => PythonWay::Process(process(pid, "processId")?),
    };
    Ok(PythonAttach { way, settings: given.settings.clone(), step_mode: common.tasks.step_mode })
}

fn process(given: i64, name: &str) -> Answer<i32> {
    let pid = i32::try_from(given).ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| invalid(format!("`{name}` must be the number of a process")))
}

fn check(common: &CommonArguments) -> Answer<()> {
    if common.refused.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorId::UnsupportedAttribute, common.refused.join("; ")))
}

/// `envFile`'s variables, then those of `env`, which win.
fn environment(given: &LaunchArguments, cwd: &Path) -> Answer<Vec<(OsString, Option<OsString>)>> {
    let mut changes: BTreeMap<String, Option<String>> = BTreeMap::new();
    if let Some(file) = given.env_file.as_deref().filter(|file| !file.is_empty()) {
        let path = cwd.join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::new(ErrorId::NotFound, format!("`envFile`: {}: {error}", path.display())))?;
        let read = env_file::parse(&text)
            .map_err(|line| invalid(format!("`envFile`: {}: line {line} is not NAME=value", path.display())))?;
        changes.extend(read.into_iter().map(|(name, value)| (name, Some(value))));
    }
    changes.extend(given.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    variables("env", &changes)
}

/// Changes to an environment, if they can be made.
fn variables(attribute: &str, changes: &BTreeMap<String, Option<String>>) -> Answer<Vec<(OsString, Option<OsString>)>> {
    let impossible = |text: &str| text.contains('\0');
    for (name, value) in changes {
        if name.is_empty() || name.contains('=') || impossible(name) || value.as_deref().is_some_and(impossible) {
            return Err(invalid(format!("`{attribute}`: {name:?} cannot be the name of a variable with this value")));
        }
    }
    Ok(changes.iter().map(|(name, value)| (name.into(), value.as_ref().map(OsString::from))).collect())
}

fn invalid(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorId::InvalidConfiguration, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Answer<NativeLaunch> {
        launch(&serde_json::from_value(value).unwrap()).map(|config| match config {
            LaunchConfig::Native(native) => native,
            LaunchConfig::Python(python) => panic!("{python:?}"),
        })
    }

    #[test]
    fn paths_are_absolute_and_relative_to_cwd() {
        let config = read(json!({"program": "x/y", "cwd": "/", "args": ["a b"]})).unwrap();
        assert_eq!(config.program, NativeProgram::File("/x/y".into()));
        assert_eq!(config.start.cwd.to_str(), Some("/"));
        assert_eq!(config.start.args, ["a b"]);
        assert_eq!(config.stdin, None);
        let config = read(json!({"program": "x", "cwd": "/", "stdin": "y"})).unwrap();
        assert_eq!(config.stdin.as_deref(), Some(Path::new("/y")));
        let NativeProgram::File(program) = read(json!({"program": "x"})).unwrap().program else { panic!("a build") };
        assert!(program.is_absolute());
    }

    #[test]
    fn a_build_is_worked_out() {
        let build = |value| match read(value).unwrap().program {
            NativeProgram::Cargo(build) => build,
            NativeProgram::File(file) => panic!("{}", file.display()),
        };
        let cargo = json!({"args": ["build"], "cwd": "usr", "env": {"A": "b"}, "filter": {"name": "x"}});
        let worked_out = build(json!({"cargo": cargo, "cwd": "/", "program": "${cargo:program}"}));
        assert_eq!((worked_out.cwd.to_str(), worked_out.starts), (Some("/usr"), None));
        assert_eq!(worked_out.env, [("A".into(), Some("b".into()))]);
        assert_eq!(worked_out.filter.name.as_deref(), Some("x"));
        let other = build(json!({"cargo": {"args": ["build"]}, "cwd": "/", "program": "run-it"}));
        assert_eq!((other.cwd.to_str(), other.starts.as_deref()), (Some("/"), Some("run-it")));
        let error = read(json!({"cargo": {"args": ["build"], "cwd": "/nowhere"}})).unwrap_err().message;
        assert_eq!(error, "`cargo.cwd`: /nowhere is not a directory");
        let error = read(json!({"cargo": {"args": ["build"], "env": {"": "b"}}})).unwrap_err().message;
        assert!(error.starts_with("`cargo.env`: \"\" cannot be"), "{error}");
    }

    #[test]
    fn what_cannot_be_launched_is_said() {
        let error = |value| read(value).unwrap_err();
        assert!(error(json!({})).message.starts_with("`program` is missing"));
        assert_eq!(error(json!({"program": "x", "cwd": "/nowhere"})).message, "`cwd`: /nowhere is not a directory");
        assert_eq!(error(json!({"program": "x", "justMyCode": true})).id, ErrorId::UnsupportedAttribute);
        assert_eq!(error(json!({"program": "x", "envFile": "/nowhere"})).id, ErrorId::NotFound);
        assert_eq!(error(json!({"program": "x", "env": {"A=B": "c"}})).id, ErrorId::InvalidConfiguration);
    }

    #[test]
    fn an_attach_needs_a_process() {
        let error = |value| attach(&serde_json::from_value(value).unwrap()).unwrap_err().message;
        assert!(error(json!({})).starts_with("`pid` is missing"));
        assert!(error(json!({"pid": -1})).contains("must be the number"));
        assert!(error(json!({"pid": 4_294_967_296_i64})).contains("must be the number"));
    }

    #[test]
    fn a_python_program_is_worked_out() {
        let read = |value| launch(&serde_json::from_value(value).unwrap());
        let Ok(LaunchConfig::Python(module)) = read(json!({"module": "m", "cwd": "/", "python": "python3.11"})) else {
            panic!("not Python")
        };
        assert_eq!((module.code, module.python), (PythonCode::Module("m".into()), Some("python3.11".into())));
        assert_eq!(read(json!({"program": "no.py", "cwd": "/"})).unwrap_err().message, "`program`: there is no /no.py");
        let error = read(json!({"runtime": "python"})).unwrap_err().message;
        assert!(error.starts_with("`program` is missing: set it to a Python file"), "{error}");
        let error = attach(&serde_json::from_value(json!({"runtime": "python"})).unwrap()).unwrap_err().message;
        assert!(error.starts_with("nothing to attach to: set `connect`"), "{error}");
    }

    #[test]
    fn env_wins_over_the_file() {
        let file = std::env::temp_dir().join(format!("weft-env-{}", std::process::id()));
        std::fs::write(&file, "A=1\nB=2\n").unwrap();
        let config = read(json!({"program": "x", "envFile": file, "env": {"B": null, "C": "3"}})).unwrap();
        std::fs::remove_file(&file).unwrap();
        let expected = [("A", Some("1")), ("B", None), ("C", Some("3"))];
        assert_eq!(config.start.env, expected.map(|(name, value)| (name.into(), value.map(Into::into))));
    }
}
