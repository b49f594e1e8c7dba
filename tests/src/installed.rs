//! Programs that nobody here wrote, as `cargo install` makes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{folder, lock};

/// A program of crates.io, built once without optimisation and with full debug information, and kept in cargo's target
/// folder.
#[derive(Clone, Copy, Debug)]
pub struct Installed {
    /// The package that has it.
    pub package: &'static str,
    /// Of the package.
    pub version: &'static str,
    /// The program's name.
    pub binary: &'static str,
    /// Whether its dependencies are those of its own lock file, or the newest compatible ones on the day of the build.
    pub locked: bool,
    /// Whether cargo tells of its work, and leaves nothing of it behind: for what takes long and gigabytes.
    pub large: bool,
}

impl Installed {
    /// The program, built now if it is not there.
    pub fn program(&self) -> PathBuf {
        let binary = self.root().join("bin").join(self.binary);
        let _lock = lock(&format!(".{}.lock", self.package));
        if !binary.is_file() {
            self.build();
        }
        binary
    }

    /// A file of the package's sources, where the compiler read it: in cargo's registry.
    pub fn source(&self, file: &str) -> PathBuf {
        self.sources().join(file)
    }

    /// The line of a source file that contains a text; there must be one only.
    pub fn line(&self, file: &str, text: &str) -> i64 {
        let source = fs::read_to_string(self.source(file)).expect("the sources are text");
        let lines: Vec<usize> =
            source.lines().enumerate().filter(|(_, line)| line.contains(text)).map(|(index, _)| index + 1).collect();
        assert!(lines.len() == 1, "{file} has {text:?} on lines {lines:?}");
        i64::try_from(lines[0]).expect("a line number")
    }

    fn root(&self) -> PathBuf {
        folder().join(self.package)
    }

    /// Where the compiler's lists of the sources it read lie.
    fn lists(&self) -> PathBuf {
        self.root().join("build/debug/deps")
    }

    fn build(&self) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["install", self.package, "--version", self.version, "--debug", "--bin", self.binary]);
        cargo.args(self.locked.then_some("--locked"));
        cargo.args((!self.large).then_some("--quiet"));
        cargo.arg("--root").arg(self.root()).arg("--target-dir").arg(self.root().join("build"));
        let status = cargo.env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR").status().expect("cargo runs");
        assert!(status.success(), "{} could not be installed from crates.io", self.package);
        if self.large {
            keep_lists(&self.root().join("build"));
        }
    }

    /// The package's folder, from the list of sources that the build left.
    fn sources(&self) -> PathBuf {
        self.program();
        let lists = self.lists();
        let package = format!("/{}-{}/", self.package, self.version);
        fs::read_dir(&lists)
            .unwrap_or_else(|error| panic!("{}: {error}", lists.display()))
            .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
            .find_map(|list| {
                let file = list.split_whitespace().find(|word| word.contains(&package) && word.ends_with(".rs"))?;
                Some(PathBuf::from(&file[..file.find(&package)? + package.len()]))
            })
            .unwrap_or_else(|| panic!("no list in {} names {package}", lists.display()))
    }
}

/// Removes what a build left, but for the compiler's lists of sources.
fn keep_lists(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            keep_lists(&path);
            // Fails, as it should, where a list is left.
            let _ = fs::remove_dir(&path);
        } else if path.extension().is_none_or(|extension| extension != "d") {
            let _ = fs::remove_file(&path);
        }
    }
}
