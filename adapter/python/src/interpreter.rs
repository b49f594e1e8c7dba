//! Which Python runs a program, and what it says about itself.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use weft_protocol::{Error, ErrorId};
use weft_session::config::{PythonCode, PythonLaunch};
use weft_session::debuggee::Answer;

use crate::patience::output_within;

/// The oldest version that debugpy 1.8 runs on.
pub(crate) const OLDEST: (u32, u32) = (3, 10);

/// How long an interpreter may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Folders of a virtual environment, in a project's folder.
const ENVIRONMENTS: &[&str] = &[".venv", "venv"];

/// Asked of the interpreter. It must run on whatever calls itself Python, so that an old one can be named.
const QUESTION: &str = include_str!("interpreter.py");

/// An interpreter that can run the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its file.
    pub(crate) path: PathBuf,
    /// `3.13`.
    pub(crate) version: String,
    /// The debugpy that it would import, if it has one.
    pub(crate) debugpy: Option<Installed>,
}

/// A debugpy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Installed {
    /// `1.8.22`.
    pub(crate) version: String,
    /// The package's folder.
    pub(crate) folder: PathBuf,
}

/// What [`QUESTION`] answers.
#[derive(Deserialize)]
struct Said {
    version: (u32, u32),
    executable: PathBuf,
    debugpy: Option<Installed>,
    /// Of the module asked for: there is one.
    module: Option<bool>,
}

/// Finds the interpreter for a configuration and asks it.
pub(crate) fn find(config: &PythonLaunch) -> Answer<Interpreter> {
    let (python, whence) = choose(config)?;
    let module = match &config.code {
        PythonCode::Module(module) => Some(module.as_str()),
        PythonCode::Script(_) | PythonCode::Text(_) => None,
    };
    let said = ask(&python, &config.start.cwd, &config.start.env, module)?;
    let (major, minor) = said.version;
    if said.version < OLDEST {
        let (oldest_major, oldest_minor) = OLDEST;
        let sentence = format!(
            "{} is Python {major}.{minor}{whence}, and weft debugs {oldest_major}.{oldest_minor} and later: set `python` to \
             a newer one",
            python.display()
        );
        return Err(Error::new(ErrorId::LaunchFailed, sentence));
    }
    if let (Some(module), Some(false)) = (module, said.module) {
        let sentence = format!(
            "{} has no module `{module}`: install it there, set `python` to the interpreter that has it, or `cwd` to the \
             folder it lies in",
            python.display()
        );
        return Err(Error::new(ErrorId::NotFound, sentence));
    }
    Ok(Interpreter { path: said.executable, version: format!("{major}.{minor}"), debugpy: said.debugpy })
}

/// The interpreter's file, and a remark why it is that one.
fn choose(config: &PythonLaunch) -> Answer<(PathBuf, &'static str)> {
    let start = &config.start;
    let search_path = start.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let search_path = search_path.unwrap_or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    if let Some(python) = &config.python {
        let found = if has_folder(python) {
            Some(start.cwd.join(python)).filter(|path| is_executable(path))
        } else {
            on_path(python, &search_path)
        };
        return found.map(|path| (path, "")).ok_or_else(|| {
            let sentence = format!("`python`: there is no interpreter {}", Path::new(python).display());
            Error::new(ErrorId::NotFound, sentence)
        });
    }
    let beside = match &config.code {
        PythonCode::Script(script) => Path::new(script).parent(),
        PythonCode::Module(_) | PythonCode::Text(_) => None,
    };
    let folders = [Some(start.cwd.as_path()), beside];
    for folder in folders.into_iter().flatten() {
        let environments = ENVIRONMENTS.iter().map(|name| folder.join(name).join("bin/python"));
        if let Some(path) = environments.into_iter().find(|path| is_executable(path)) {
            return Ok((path, " (of the virtual environment there)"));
        }
    }
    let found = ["python3", "python"].iter().find_map(|name| on_path(OsStr::new(name), &search_path));
    found.map(|path| (path, " (the first on the search path)")).ok_or_else(|| {
        let sentence = "no Python was found: set `python` to the interpreter (no virtual environment in `cwd`, no \
                        `python3` on the search path)";
        Error::new(ErrorId::NotFound, sentence)
    })
}

fn has_folder(python: &OsStr) -> bool {
    Path::new(python).components().count() > 1
}

fn on_path(name: &OsStr, search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The interpreter that lies there, and its version. `env`: what it is asked with besides our environment.
pub(crate) fn at(python: &Path, env: &[(OsString, Option<OsString>)]) -> Answer<(Interpreter, (u32, u32))> {
    let said = ask(python, Path::new("/"), env, None)?;
    let (major, minor) = said.version;
    let found = Interpreter { path: said.executable, version: format!("{major}.{minor}"), debugpy: said.debugpy };
    Ok((found, said.version))
}

fn ask(python: &Path, cwd: &Path, env: &[(OsString, Option<OsString>)], module: Option<&str>) -> Answer<Said> {
    let mut command = Command::new(python);
    command.arg("-c").arg(QUESTION).args(module).current_dir(cwd).stdin(Stdio::null());
    environ(&mut command, env);
    let failed = |why: String| {
        let sentence = format!("{} does not work as a Python interpreter: {why}", python.display());
        Error::new(ErrorId::LaunchFailed, sentence)
    };
    let output = output_within(command, PATIENCE, || false).map_err(failed)?;
    // What a `sitecustomize` prints comes before it.
    let last = output.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| failed(output.complaint()))
}

/// Changes to the environment, as the program will have them.
pub(crate) fn environ(command: &mut Command, changes: &[(OsString, Option<OsString>)]) {
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}
