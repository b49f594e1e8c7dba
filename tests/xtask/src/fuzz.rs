//! Fuzzing what reads files and memory: real ones are made small, and torn.

use std::fs;
use std::path::{Path, PathBuf};

use crate::seeds;
use crate::stage::{Command, Outcome, ci, target};

/// The targets of `tests/fuzz`.
const TARGETS: &[&str] = &["codec", "image", "debug_file", "index", "core", "tasks"];
/// The program whose memory `tasks` tears.
const PROGRAM: &str = "throng";
/// How long all of them run together, in seconds, unless told otherwise.
const SECONDS: u64 = 120;
/// Longer inputs show nothing that shorter ones do not, and are slow.
const LONGEST: usize = 128 << 10;
/// An input that takes longer hangs, in seconds. The machine may be busy.
const HANGS: u64 = 30;
/// More memory than this ends a run; what an input may take is checked by the targets.
const MEGABYTES: u64 = 2048;

/// `cargo xtask fuzz [SECONDS]`.
pub(crate) fn run(rest: &[String]) -> bool {
    let seconds = match rest {
        [] => Some(SECONDS),
        [seconds] => seconds.parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds else {
        println!("usage: cargo xtask fuzz [SECONDS], for all targets together");
        return false;
    };
    stage_of(seconds) == Outcome::Passed
}

/// As a stage of `cargo xtask test`.
pub(crate) fn stage() -> Outcome {
    stage_of(SECONDS)
}

fn stage_of(seconds: u64) -> Outcome {
    if let Err(why) = prepare() {
        println!("fuzzing is not possible: {why}");
        return if ci() { Outcome::Failed } else { Outcome::Skipped(why) };
    }
    let each = seconds.div_ceil(TARGETS.len() as u64);
    if build() && TARGETS.iter().all(|name| fuzz(name, each)) { Outcome::Passed } else { Outcome::Failed }
}

/// What `cargo fuzz` needs: a nightly compiler and itself, which is installed below the target folder if it is nowhere.
fn prepare() -> Result<(), String> {
    if !Command::new("rustup", &["run", "nightly", "rustc", "--version"]).exists() {
        return Err("there is no nightly toolchain (`rustup toolchain install nightly`)".to_owned());
    }
    if cargo_fuzz(&["--version"]).exists() {
        return Ok(());
    }
    let install = ["install", "--quiet", "--locked", "cargo-fuzz", "--root"];
    let root = tools().display().to_string();
    if Command::cargo(&install).args(&[root]).runs() {
        Ok(())
    } else {
        Err("cargo-fuzz cannot be installed".to_owned())
    }
}

fn build() -> bool {
    let program = ["build", "--quiet", "--locked", "--package", PROGRAM];
    let program = Command::cargo(&program).within("tests/debuggees").env("CARGO_TARGET_DIR", &debuggees());
    program.runs() && cargo_fuzz(&["build", "--sanitizer", "none"]).args(&places()).runs()
}

fn fuzz(name: &str, seconds: u64) -> bool {
    let corpus = folder().join("corpus").join(name);
    let found = folder().join("found");
    let made = fs::create_dir_all(&corpus).and_then(|()| fs::create_dir_all(&found));
    if let Err(error) = made.map_err(|error| error.to_string()).and_then(|()| seeds::plant(name, &corpus)) {
        println!("no seeds for {name}: {error}");
        return false;
    }
    println!("== {name}, {seconds} s");
    let mut arguments = places();
    arguments.push(name.to_owned());
    arguments.push(corpus.display().to_string());
    arguments.extend([
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-max_len={LONGEST}"),
        format!("-timeout={HANGS}"),
        format!("-rss_limit_mb={MEGABYTES}"),
        format!("-artifact_prefix={}/{name}-", found.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    if ci() {
        // A change is judged by what it changed, and not by luck: others fuzz with other seeds.
        arguments.push("-seed=1".to_owned());
    }
    let program = debuggees().join("debug").join(PROGRAM);
    cargo_fuzz(&["run", "--sanitizer", "none"]).args(&arguments).env("WEFT_FUZZ_PROGRAM", &program).runs()
}

fn cargo_fuzz(arguments: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([tools().join("bin")]);
    let path = std::env::join_paths(folders).unwrap_or(path);
    Command::new("rustup", &["run", "nightly", "cargo", "fuzz"])
        .args(&arguments.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
        .env("PATH", Path::new(&path))
}

fn places() -> Vec<String> {
    let target = folder().display().to_string();
    ["--fuzz-dir", "tests/fuzz", "--target-dir", &target].map(str::to_owned).to_vec()
}

/// Everything that fuzzing makes: inputs that were found are in `found`.
fn folder() -> PathBuf {
    target().join("fuzz")
}

/// Where the programs to debug are built, as for the other tests.
fn debuggees() -> PathBuf {
    target().join("debuggees")
}

fn tools() -> PathBuf {
    target().join("tools")
}
