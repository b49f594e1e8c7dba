//! Interpreters of Python for tests and measurements: found on the machine, or Debian's, unpacked below the target folder
//! and never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Apt, run_quietly};
use crate::stage::target;

/// The suites that are asked for a Python, one after the other: each has another.
const SUITES: [&str; 3] = ["sid", "trixie", "bookworm"];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// The loop that is not asyncio's own, for the tests that are about it.
const UVLOOP: &str = "uvloop==0.23.0";

/// Makes a virtual environment `target/pythons/VERSION` with an interpreter of this version (`3.14`) and these packages,
/// unless it is there, and prints where its interpreter lies.
pub(crate) fn run(arguments: &[String]) -> bool {
    let (version, packages) = match arguments.split_first() {
        Some((version, packages)) => (version.as_str(), packages),
        None => ("3.14", &[][..]),
    };
    match environment(version, packages) {
        Ok(python) => {
            println!("{}", python.display());
            true
        }
        Err(why) => {
            eprintln!("there is no Python {version}: {why}");
            false
        }
    }
}

/// Sees to it that tests find the Pythons that they are run on; of those that cannot be had, why.
pub(crate) fn provide() -> Vec<String> {
    let there = |version: &str| on_this_machine(version).map_or_else(|| environment(version, &[]), Ok).map(drop);
    let newest = || environment("3.14", &[UVLOOP.to_owned()]).map(drop);
    let made = [("3.11", there("3.11")), ("3.13", there("3.13")), ("3.14", newest())];
    let missing = made.into_iter().filter_map(|(version, made)| Some((version, made.err()?)));
    missing.map(|(version, why)| format!("Python {version} ({why})")).collect()
}

fn environment(version: &str, packages: &[String]) -> Result<PathBuf, String> {
    let folder = target().join("pythons").join(version);
    let python = folder.join("bin/python");
    if !answers(&python) {
        fs::create_dir_all(target().join("pythons")).map_err(|error| error.to_string())?;
        let base = match on_this_machine(version) {
            Some(python) => python,
            None => debians(version)?,
        };
        run_quietly(Command::new(base).args(["-m", "venv", "--clear", "--without-pip"]).arg(&folder))?;
    }
    if !packages.is_empty() {
        // Of the machine's own Python: an old pip does not run in a new one, but can install for it.
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--only-binary=:all:"];
        let site = folder.join(format!("lib/python{version}/site-packages"));
        let into = ["--python-version", version, "--target"];
        run_quietly(Command::new("python3").args(pip).args(into).arg(site).args(packages))?;
    }
    Ok(python)
}

fn answers(python: &Path) -> bool {
    run_quietly(Command::new(python).args(["-c", "pass"])).is_ok()
}

/// An interpreter of this version on the `PATH` or among pyenv's.
fn on_this_machine(version: &str) -> Option<PathBuf> {
    let minor = format!("{version}.");
    let pyenv =
        std::env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".pyenv")));
    let installed = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok()).into_iter().flatten().flatten();
    let fits = installed.filter(|entry| entry.file_name().to_string_lossy().starts_with(&minor));
    let mut candidates: Vec<PathBuf> = fits.map(|entry| entry.path().join("bin/python")).collect();
    candidates.push(PathBuf::from(format!("python{version}")));
    candidates.into_iter().find(|python| answers(python))
}

/// Unpacks Debian's interpreter with the libraries that it was built for, and makes it use them.
fn debians(version: &str) -> Result<PathBuf, String> {
    let root = target().join("pythons").join(format!("debian-{version}"));
    let python = format!("usr/bin/python{version}");
    if !root.is_dir() {
        let mut refused = String::new();
        let apt =
            SUITES.iter().find_map(|suite| fetched(suite, version).inspect_err(|why| refused.clone_from(why)).ok());
        let apt = apt.ok_or(refused)?;
        let unpacked = apt.unpack(|_| true)?;
        use_own_libraries(&unpacked, &root, &unpacked.join(&python))?;
        fs::rename(&unpacked, &root).map_err(|error| error.to_string())?;
        // As the packages do when they are installed: else each program compiles what it imports.
        let library = root.join(format!("usr/lib/python{version}"));
        run_quietly(Command::new(root.join(&python)).args(["-m", "compileall", "-q"]).arg(library))?;
        fs::remove_dir_all(&apt.folder).map_err(|error| error.to_string())?;
    }
    Ok(root.join(python))
}

/// Fetches the packages of an interpreter of this version from a suite.
fn fetched(suite: &str, version: &str) -> Result<Apt, String> {
    let [interpreter, venv] = ["", "-venv"].map(|part| format!("python{version}{part}"));
    Apt::fetch(target().join("pythons").join(format!("apt-{suite}")), suite, &[&interpreter, &venv, "patchelf"])
}

/// Lets a program find the loader and libraries that were unpacked with it, wherever it is started from. In two steps:
/// asked for both at once, patchelf (0.18) breaks programs that are not position-independent.
fn use_own_libraries(unpacked: &Path, root: &Path, program: &Path) -> Result<(), String> {
    let loader = "ld-linux-x86-64.so.2";
    let libraries = unpacked.join(LIBRARIES);
    let patch = |arguments: &[&str]| {
        let mut patchelf = Command::new(libraries.join(loader));
        patchelf.arg("--library-path").arg(&libraries).arg(unpacked.join("usr/bin/patchelf"));
        run_quietly(patchelf.args(arguments).arg(program))
    };
    patch(&["--force-rpath", "--set-rpath", "$ORIGIN/../lib/x86_64-linux-gnu"])?;
    patch(&["--set-interpreter", &root.join(LIBRARIES).join(loader).display().to_string()])?;
    Ok(())
}
