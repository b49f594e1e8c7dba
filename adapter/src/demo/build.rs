//! The bundled program: its source is in this binary, its executable is built by the user's own cargo.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

const MANIFEST: &str = include_str!("../../demo/Cargo.toml");
const LOCK: &str = include_str!("../../demo/Cargo.lock");
const SOURCE: &str = include_str!("../../demo/src/main.rs");

/// The program, built.
pub(super) struct Program {
    pub(super) executable: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) source: PathBuf,
    pub(super) text: &'static str,
}

impl Program {
    /// The line (from 1) that carries a marker.
    pub(super) fn line_of(&self, marker: &str) -> Result<u64, Failure> {
        let found = (1..).zip(self.text.lines()).find(|(_, line)| line.contains(marker));
        found.map(|(number, _)| number).ok_or_else(|| format!("the bundled program has no line marked {marker}"))
    }
}

/// Writes the source below the user's cache directory and has cargo build it: offline when everything it needs has been
/// fetched (its lock file names the versions that weft itself is built with), else with the registry.
pub(super) fn build() -> Result<Program, Failure> {
    let directory = cache_directory()?.join("demo").join(env!("CARGO_PKG_VERSION"));
    let write = |path: &str, text: &str| write_if_changed(&directory.join(path), text);
    fs::create_dir_all(directory.join("src"))
        .and_then(|()| write("Cargo.toml", MANIFEST))
        .and_then(|()| write("Cargo.lock", LOCK))
        .and_then(|()| write("src/main.rs", SOURCE))
        .map_err(|error| format!("the demo cannot be written to {}: {error}", directory.display()))?;
    anstream::eprintln!("Building the demo program in {} …", directory.display());
    if !cargo(&directory, true)? && !cargo(&directory, false)? {
        return Err("cargo could not build the demo program; its messages are above".to_owned());
    }
    let executable = directory.join("target/debug/weft-demo");
    Ok(Program { executable, source: directory.join("src/main.rs"), text: SOURCE, directory })
}

/// Runs cargo; whether it succeeded. The offline try stays quiet about failing, since another follows.
fn cargo(directory: &Path, offline: bool) -> Result<bool, Failure> {
    let mut command = Command::new("cargo");
    command.args(["build", "--locked", "--config", "profile.dev.debug=2"]).current_dir(directory).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", directory.join("target"));
    if offline {
        command.arg("--offline");
        if !std::io::stderr().is_terminal() {
            command.arg("--quiet").stderr(Stdio::null());
        }
    }
    let status = command.status().map_err(|error| {
        format!("cargo cannot be started ({error}); the demo needs a Rust toolchain: see https://rustup.rs")
    })?;
    Ok(status.success())
}

fn cache_directory() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("weft"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME is set, so there is nowhere to build the demo; set XDG_CACHE_HOME to a directory".to_owned())
}

/// Leaves a file alone that is right already, so that cargo sees nothing new.
fn write_if_changed(path: &Path, text: &str) -> std::io::Result<()> {
    match fs::read_to_string(path) {
        Ok(present) if present == text => Ok(()),
        _ => fs::write(path, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn packages(lock: &str) -> BTreeSet<(String, String)> {
        let value = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
        let mut lines = lock.lines();
        let mut found = BTreeSet::new();
        while let Some(line) = lines.next() {
            if line.starts_with("name = ") {
                found.insert((value(line), lines.next().map(value).unwrap_or_default()));
            }
        }
        found
    }

    /// Else `weft demo` would need the network after the project has been built.
    #[test]
    fn the_demo_needs_nothing_that_weft_does_not() {
        let ours = packages(include_str!("../../../Cargo.lock"));
        let mut wanted = packages(LOCK);
        wanted.retain(|(name, _)| name != "weft-demo");
        assert!(wanted.len() > 3, "{wanted:?}");
        assert_eq!(wanted.difference(&ours).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    }

    #[test]
    fn the_marker_is_there_once() {
        assert_eq!(SOURCE.matches(super::super::MARKER).count(), 1);
    }
}
