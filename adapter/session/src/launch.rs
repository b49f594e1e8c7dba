//! From a launch configuration's words to what a debuggee is started with.

mod env_file;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weft_protocol::launch::{AttachArguments, CommonArguments, LaunchArguments};
use weft_protocol::{Error, ErrorId};

use crate::config::{AttachConfig, LaunchConfig, Settings};
use crate::debuggee::Answer;

/// Works a launch configuration out.
pub(crate) fn launch(given: &LaunchArguments) -> Answer<LaunchConfig> {
    check(&given.common)?;
    let Some(program) = given.program.as_deref().filter(|program| !program.is_empty()) else {
        return Err(invalid("`program` is missing: set it to the executable to debug"));
    };
    let here = std::env::current_dir().map_err(|error| invalid(format!("no working directory: {error}")))?;
    let cwd = match given.cwd.as_deref().filter(|cwd| !cwd.is_empty()) {
        Some(cwd) => here.join(cwd),
        None => here.clone(),
    };
    if !cwd.is_dir() {
        return Err(Error::new(ErrorId::NotFound, format!("`cwd`: {} is not a directory", cwd.display())));
    }
    Ok(LaunchConfig {
        program: cwd.join(program),
        args: given.args.iter().map(OsString::from).collect(),
        env: environment(given, &cwd)?,
        stdin: given.stdin.as_deref().filter(|file| !file.is_empty()).map(|file| cwd.join(file)),
        cwd,
        stop_on_entry: given.common.stop_on_entry,
        no_debug: given.no_debug,
        console: given.console,
        settings: settings(&given.common, &here),
    })
}

fn settings(given: &CommonArguments, base: &Path) -> Settings {
    Settings {
        signals: given.signals.clone(),
        follow_forks: given.follow_forks,
        step_into_runtime: given.step_into_runtime,
        pin_threads: given.pin_threads,
        debug_directories: given.debug_directories.iter().map(|folder| base.join(folder)).collect(),
        spawn_sites: given.tasks.spawn_sites,
        step_mode: given.tasks.step_mode,
        long_poll: Some(Duration::from_millis(given.tasks.long_poll_ms)).filter(|limit| !limit.is_zero()),
    }
}

/// Works an attach configuration out.
pub(crate) fn attach(given: &AttachArguments) -> Answer<AttachConfig> {
    check(&given.common)?;
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
        (Some(pid), None) => {
            let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
            pid.ok_or_else(|| invalid("`pid` must be the number of a process"))?
        }
    };
    Ok(AttachConfig {
        pid,
        program: path(&given.program),
        stop_on_entry: given.common.stop_on_entry,
        core,
        resume_stopped: given.resume_stopped,
        settings: settings(&given.common, &here),
    })
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
    let impossible = |text: &str| text.contains('\0');
    for (name, value) in &changes {
        if name.is_empty() || name.contains('=') || impossible(name) || value.as_deref().is_some_and(impossible) {
            return Err(invalid(format!("`env`: {name:?} cannot be the name of a variable with this value")));
        }
    }
    Ok(changes.into_iter().map(|(name, value)| (name.into(), value.map(OsString::from))).collect())
}

fn invalid(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorId::InvalidConfiguration, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Answer<LaunchConfig> {
        launch(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn paths_are_absolute_and_relative_to_cwd() {
        let config = read(json!({"program": "x/y", "cwd": "/", "args": ["a b"]})).unwrap();
        assert_eq!((config.program.to_str(), config.cwd.to_str()), (Some("/x/y"), Some("/")));
        assert_eq!(config.args, ["a b"]);
        assert_eq!(config.stdin, None);
        let config = read(json!({"program": "x", "cwd": "/", "stdin": "y"})).unwrap();
        assert_eq!(config.stdin.as_deref(), Some(Path::new("/y")));
        assert!(read(json!({"program": "x"})).unwrap().program.is_absolute());
    }

    #[test]
    fn what_cannot_be_launched_is_said() {
        let error = |value| read(value).unwrap_err();
        assert!(error(json!({})).message.starts_with("`program` is missing"));
        assert_eq!(error(json!({"program": "x", "cwd": "/nowhere"})).message, "`cwd`: /nowhere is not a directory");
        assert_eq!(error(json!({"program": "x", "cargo": {"args": ["b"]}})).id, ErrorId::UnsupportedAttribute);
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
    fn env_wins_over_the_file() {
        let file = std::env::temp_dir().join(format!("weft-env-{}", std::process::id()));
        std::fs::write(&file, "A=1\nB=2\n").unwrap();
        let config = read(json!({"program": "x", "envFile": file, "env": {"B": null, "C": "3"}})).unwrap();
        std::fs::remove_file(&file).unwrap();
        let expected = [("A", Some("1")), ("B", None), ("C", Some("3"))];
        assert_eq!(config.env, expected.map(|(name, value)| (name.into(), value.map(Into::into))));
    }
}
