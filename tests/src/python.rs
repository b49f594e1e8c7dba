//! The Python interpreters that this machine has for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("target/pythons");
    Some(target.join(version).join("bin/python")).filter(|path| path.is_file())
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
