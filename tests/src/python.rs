//! Pythons to debug with, and the scripts in `tests/debuggees/python`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::adapter::{target, workspace};
use crate::{Client, Launch, packages};

/// The versions that are tested, oldest first.
pub const VERSIONS: [&str; 5] = ["3.10", "3.11", "3.12", "3.13", "3.14"];

/// An interpreter.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// `3.11`.
    pub version: &'static str,
    /// The executable.
    pub path: PathBuf,
}

impl Interpreter {
    /// Whether it can import a module.
    pub fn has(&self, module: &str) -> bool {
        let mut command = Command::new(&self.path);
        command.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// The minor version: 11.
    pub fn minor(&self) -> u32 {
        self.version.rsplit('.').next().and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }
}

/// Every interpreter that is there; of the others it is printed that they are not.
pub fn interpreters() -> Vec<Interpreter> {
    VERSIONS.iter().filter_map(|version| interpreter(version)).collect()
}

/// The interpreter of a version: the one that `cargo xtask python` made, pyenv's, or the one on the `PATH`.
pub fn interpreter(version: &'static str) -> Option<Interpreter> {
    let found = made(version).or_else(|| pyenvs(version)).or_else(|| on_path(version));
    if found.is_none() {
        eprintln!("skipped: there is no Python {version} (`cargo xtask python {version}` gets one)");
    }
    found.map(|path| Interpreter { version, path })
}

fn made(version: &str) -> Option<PathBuf> {
    Some(target().join("pythons").join(version).join("bin/python")).filter(|path| path.is_file())
}

fn pyenvs(version: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let versions = root.or_else(|| Some(std::env::home_dir()?.join(".pyenv")))?.join("versions");
    let mut found: Vec<PathBuf> = versions.read_dir().ok()?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(version).is_some_and(|patch| patch.starts_with('.'))
    });
    found.sort();
    found.into_iter().map(|path| path.join("bin").join(format!("python{version}"))).rfind(|path| path.is_file())
}

fn on_path(version: &str) -> Option<PathBuf> {
    let name = format!("python{version}");
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(&name))
        .find(|path| path.is_file() && Command::new(path).arg("-V").output().is_ok_and(|said| said.status.success()))
}

/// The debugpy that the tests run with.
pub const DEBUGPY: &str = "1.8.22";

/// Versions that a continuous build has to have.
const NEEDED: &[&str] = &["3.11", "3.13"];

/// A Python with a debugpy.
#[derive(Clone, Debug)]
pub struct Python {
    /// The interpreter.
    pub interpreter: Interpreter,
    /// A folder for `PYTHONPATH`, with debugpy in it and nothing else; none where the interpreter has its own.
    pub debugpy: Option<PathBuf>,
    /// A folder with a package that runs the loops of its programs, and its name; `running.py` knows of it.
    runner: Option<(PathBuf, &'static str)>,
}

impl Python {
    /// The Python of that version; none where it is not installed. A continuous build has to have those that count.
    pub fn find(version: &'static str) -> Option<Self> {
        let Some(interpreter) = interpreter(version) else {
            let may_lack = std::env::var_os("CI").is_none() || !NEEDED.contains(&version);
            assert!(may_lack, "there is no Python {version}: `cargo xtask python {version}` gets one");
            return None;
        };
        let debugpy = debugpy(&interpreter);
        Some(Self { interpreter, debugpy, runner: None })
    }

    /// The same Python where scripts that run as `running.py` says run on uvloop; none where that cannot be had.
    pub fn on_uvloop(&self) -> Option<Self> {
        let uvloop = packages::compiled(self.interpreter.version, "uvloop", &["uvloop==0.23.0"])?;
        Some(Self { runner: Some((uvloop, "uvloop")), ..self.clone() })
    }

    fn path(&self) -> Option<OsString> {
        let folders: Vec<&PathBuf> = self.debugpy.iter().chain(self.runner.iter().map(|(folder, _)| folder)).collect();
        (!folders.is_empty()).then(|| std::env::join_paths(folders).expect("folders without colons"))
    }

    /// What a configuration has besides the program.
    pub fn configuration(&self) -> Value {
        let path = self.path().map(|path| path.into_string().expect("UTF-8"));
        let mut env = json!({"PYTHONPATH": path});
        if let Some((_, runner)) = self.runner {
            env["RUN_BY"] = runner.into();
        }
        json!({"runtime": "python", "python": self.interpreter.path, "env": env})
    }

    /// A configuration with further attributes.
    pub fn with(&self, more: &Value) -> Value {
        let mut all = self.configuration();
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        all
    }

    /// Launches a script of `tests/debuggees/python` with breakpoints at its markers.
    pub fn launch(&self, client: &mut Client, script: &str, markers: &[&str]) -> Vec<crate::Breakpoint> {
        let file = source(script);
        let breakpoints = markers.iter().map(|marker| (file.clone(), line(script, marker))).collect();
        client.launch(&file, &[], &Launch { breakpoints, more: self.configuration() })
    }

    /// A command that runs this Python with debugpy at hand.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter.path);
        if let Some(path) = self.path() {
            command.env("PYTHONPATH", path);
        }
        command
    }
}

/// A script of `tests/debuggees/python`.
pub fn source(script: &str) -> PathBuf {
    let path = workspace().join("tests/debuggees/python").join(script);
    assert!(path.is_file(), "there is no file {}", path.display());
    path
}

/// The line of `# BP: marker` in a script, from 1.
pub fn line(script: &str, marker: &str) -> i64 {
    let text = fs::read_to_string(source(script)).expect("a script is text");
    let wanted = format!("# BP: {marker}");
    let lines: Vec<usize> =
        (1..).zip(text.lines()).filter(|(_, line)| line.ends_with(&wanted)).map(|at| at.0).collect();
    assert!(lines.len() == 1, "{script} has {wanted:?} on lines {lines:?}");
    i64::try_from(lines[0]).expect("a line number")
}

/// A folder with debugpy for an interpreter that has none (of that version), which pip has filled once.
fn debugpy(interpreter: &Interpreter) -> Option<PathBuf> {
    let own = format!("import debugpy; assert debugpy.__version__ == '{DEBUGPY}'");
    let asked = Command::new(&interpreter.path).args(["-c", &own]).stderr(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        return None;
    }
    let root = target().join("pythons");
    fs::create_dir_all(&root).expect("a folder in target");
    let folder = root.join(format!("debugpy-{DEBUGPY}-{}", interpreter.version));
    let lock = File::create(root.join(format!("debugpy-{}.lock", interpreter.version))).expect("a lock file");
    lock.lock().expect("a lock");
    if !folder.join("debugpy/__main__.py").is_file() {
        // A virtual environment need not have a pip; that of another Python installs for it as well.
        let mut pip = Command::new(if interpreter.has("pip") { &interpreter.path } else { Path::new("python3") });
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--python-version", interpreter.version, "--only-binary=:all:"]);
        pip.arg("--target").arg(&folder).arg(format!("debugpy=={DEBUGPY}"));
        let output = pip.output().expect("pip runs");
        assert!(output.status.success(), "{pip:?}: {}", String::from_utf8_lossy(&output.stderr));
        // Another Python's pip has compiled it for that one only.
        let compiled = Command::new(&interpreter.path).args(["-m", "compileall", "-q"]).arg(&folder).status();
        assert!(compiled.is_ok_and(|status| status.success()), "debugpy is compiled");
    }
    Some(folder)
}

/// A test for each version of Python: `fn name(python: &Python)` becomes `name::on_3_11` and so on.
#[macro_export]
macro_rules! on_each_python {
    ($($(#[$doc:meta])* fn $name:ident($python:ident: &Python) $body:block)*) => {
        $($(#[$doc])* mod $name {
            use super::*;

            fn test($python: &$crate::python::Python) $body

            #[test]
            fn on_3_11() {
                $crate::python::Python::find("3.11").as_ref().map(test);
            }

            #[test]
            fn on_3_13() {
                $crate::python::Python::find("3.13").as_ref().map(test);
            }

            #[test]
            fn on_3_14() {
                $crate::python::Python::find("3.14").as_ref().map(test);
            }
        })*
    };
}
