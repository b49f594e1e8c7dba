//! Packages of PyPI that tests run, as pip installs them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::adapter::target;

/// A folder for `PYTHONPATH` with exactly these packages (`h11==0.16.0`), all of them pure Python, which pip has filled once. Where pip
/// cannot fetch them there is none, and a line says so; on the build machine that is an error.
pub fn folder(name: &str, packages: &[&str]) -> Option<PathBuf> {
    filled(name, packages, &[])
}

/// The same for one version of Python (`3.13`), with packages that have code compiled for it.
pub fn compiled(version: &str, name: &str, packages: &[&str]) -> Option<PathBuf> {
    filled(&format!("{name}-{version}"), packages, &["--python-version", version, "--only-binary=:all:"])
}

fn filled(name: &str, packages: &[&str], options: &[&str]) -> Option<PathBuf> {
    let root = target().join("pythons");
    fs::create_dir_all(&root).expect("a folder in target");
    let folder = root.join(name);
    let pinned = packages.join("\n");
    let lock = File::create(root.join(format!("{name}.lock"))).expect("a lock file");
    lock.lock().expect("a lock");
    if fs::read_to_string(folder.join("pinned")).is_ok_and(|there| there == pinned) {
        return Some(folder);
    }
    let unfinished = root.join(format!("{name}.unfinished"));
    for left in [&folder, &unfinished] {
        if left.is_dir() {
            fs::remove_dir_all(left).expect("an old folder goes");
        }
    }
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
    ]);
    pip.args(options);
    pip.arg("--target").arg(&unfinished).args(packages);
    let output = pip.output().expect("pip runs");
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = why.lines().next_back().unwrap_or("pip says nothing");
        assert!(std::env::var_os("CI").is_none(), "{pip:?}: {why}");
        eprintln!("skipped: {name} cannot be fetched: {why}");
        return None;
    }
    fs::write(unfinished.join("pinned"), pinned).expect("a file can be written");
    fs::rename(&unfinished, &folder).expect("a folder gets its name");
    Some(folder)
}
