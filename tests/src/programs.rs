//! The programs in `tests/debuggees`: built once, found by name, with lines found by their markers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::adapter::{target, workspace};

/// How a program was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Without optimisation.
    Debug,
    /// With optimisation and full debug information.
    Release,
}

impl Profile {
    pub(crate) fn cargo(self) -> &'static str {
        match self {
            Self::Debug => "dev",
            Self::Release => "release-debug",
        }
    }

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release-debug",
        }
    }
}

/// Builds everything there is to debug, so that no test has to wait for it.
pub fn build_all() {
    built(Profile::Debug);
    built(Profile::Release);
    crate::variants::build_all();
    crate::mini_redis::server();
}

/// The program of that name.
pub fn program(name: &str, profile: Profile) -> PathBuf {
    let path = built(profile).join(name);
    assert!(path.is_file(), "there is no program {}", path.display());
    path
}

/// Copies a program that is to be run.
///
/// Another process writes it: what this one has open for writing, a child that another test starts just now has open too until it
/// has become its program, and the kernel runs no file that somebody may write to (`ETXTBSY`).
pub fn copy(from: &Path, to: &Path) {
    let done = Command::new("install").args(["-m", "755"]).arg(from).arg(to).status().expect("install runs");
    assert!(done.success(), "{} cannot be copied to {}", from.display(), to.display());
}

/// Writes a file that is to be run, as [`copy`] does.
pub fn executable(path: &Path, bytes: &[u8]) {
    let written = path.with_added_extension("written");
    fs::write(&written, bytes).expect("a file can be written");
    copy(&written, path);
    fs::remove_file(written).expect("it is there");
}

/// A source file below `tests/debuggees`.
pub fn source(file: &str) -> PathBuf {
    let path = workspace().join("tests/debuggees").join(file);
    assert!(path.is_file(), "there is no file {}", path.display());
    path
}

/// The line of `// BP: marker` (Python: `# BP: marker`) in a source file below `tests/debuggees`, from 1. A marker alone on
/// its line is for the line below it (where the formatter leaves no room behind the code).
pub fn line(file: &str, marker: &str) -> i64 {
    let text = fs::read_to_string(source(file)).expect("a source file is text");
    let wanted = format!("{} BP: {marker}", if file.ends_with(".py") { "#" } else { "//" });
    let lines: Vec<usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.ends_with(&wanted))
        .map(|(index, line)| number(index, line))
        .collect();
    assert!(lines.len() == 1, "{file} has {wanted:?} on lines {lines:?}");
    i64::try_from(lines[0]).expect("a line number")
}

fn number(index: usize, line: &str) -> usize {
    if line.trim_start().starts_with("// BP:") { index + 2 } else { index + 1 }
}

/// The lines of several markers of one file.
pub fn lines(file: &str, markers: &[&str]) -> Vec<i64> {
    markers.iter().map(|marker| line(file, marker)).collect()
}

/// Where everything built for tests lies, apart from what is under test.
pub(crate) fn folder() -> PathBuf {
    target().join("debuggees")
}

/// One process at a time; held until dropped.
pub(crate) fn lock(name: &str) -> File {
    fs::create_dir_all(folder()).expect("a folder for debuggees");
    let file = File::create(folder().join(name)).expect("a lock file");
    file.lock().expect("a file can be locked");
    file
}

fn built(profile: Profile) -> &'static Path {
    static DEBUG: OnceLock<PathBuf> = OnceLock::new();
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    let cell = match profile {
        Profile::Debug => &DEBUG,
        Profile::Release => &RELEASE,
    };
    cell.get_or_init(|| {
        let _lock = lock(".lock");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", profile.cargo()])
            .current_dir(workspace().join("tests/debuggees"))
            .env("CARGO_TARGET_DIR", folder())
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the debuggees could not be built");
        folder().join(profile.folder())
    })
}
