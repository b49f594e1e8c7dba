//! How cargo is called.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use weft_session::CargoBuild;

/// What makes cargo tell of its artifacts and diagnostics.
const TOLD: &str = "--message-format=json";

/// cargo's arguments, as they have to be for a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    words: Vec<String>,
    /// Where the subcommand's own arguments begin.
    own: usize,
    tests: bool,
}

impl Invocation {
    /// Reads what a configuration says; the error is a sentence with what to write instead.
    pub(super) fn of(given: &[String]) -> Result<Self, String> {
        let mut words = given.to_vec();
        let at = words.iter().position(|word| !word.starts_with('+'));
        let Some((at, subcommand)) = at.and_then(|at| Some((at, words.get(at)?.clone()))) else {
            return Err(
                "`cargo.args` is missing: set it to what builds the program, such as [\"build\", \"--bin\", \"name\"]"
                    .to_owned(),
            );
        };
        // What comes behind is the test program's, or the compiler's.
        let mut own = words.iter().take_while(|word| *word != "--");
        if let Some(format) = own.clone().find(|word| word.starts_with("--message-format")) {
            return Err(format!("`cargo.args`: leave `{format}` out: weft reads cargo's messages"));
        }
        let is_only_built = own.any(|word| word == "--no-run");
        let tests = matches!(subcommand.as_str(), "test" | "t" | "bench");
        match subcommand.as_str() {
            "build" | "b" | "rustc" => {}
            "test" | "t" | "bench" => {
                if !is_only_built {
                    words.insert(at.saturating_add(1), "--no-run".to_owned());
                }
            }
            "run" | "r" => {
                return Err(format!(
                    "`cargo.args`: `{subcommand}` would run the program without the debugger: write `build`"
                ));
            }
            option if option.starts_with('-') => {
                return Err(format!(
                    "`cargo.args`: `{option}` comes before the command: write that first, such as `build`"
                ));
            }
            other => {
                return Err(format!(
                    "`cargo.args`: `{other}` builds no program: write `build`, `test`, `bench` or `rustc`"
                ));
            }
        }
        Ok(Self { words, own: at.saturating_add(1), tests })
    }

    /// Whether it builds tests or benchmarks.
    pub(super) fn builds_tests(&self) -> bool {
        self.tests
    }

    /// The toolchain that it names in rustup's way (`+nightly`).
    fn toolchain(&self) -> Option<&str> {
        self.words.first()?.strip_prefix('+')
    }

    /// Asks the compiler where its own libraries are.
    pub(super) fn ask_for_libraries(&self, cargo: &Path, build: &CargoBuild) -> Command {
        let given = build.env.iter().rev().find(|(name, _)| name == "RUSTC").map(|(_, value)| value.clone());
        let named = given.unwrap_or_else(|| std::env::var_os("RUSTC")).filter(|name| !name.is_empty());
        let beside = || Some(cargo.with_file_name("rustc")).filter(|file| file.is_file()).map(PathBuf::into_os_string);
        let mut command = Command::new(named.or_else(beside).unwrap_or_else(|| "rustc".into()));
        command.args(["--print", "target-libdir"]);
        set_up(&mut command, build);
        // A compiler that is not rustup's does not know the word.
        command.envs(self.toolchain().map(|toolchain| ("RUSTUP_TOOLCHAIN", toolchain)));
        command
    }

    /// The command, in the folder and with the environment of a configuration.
    pub(super) fn command(&self, cargo: &Path, build: &CargoBuild) -> Command {
        let mut command = Command::new(cargo);
        let (before, own) = self.words.split_at_checked(self.own).unwrap_or((&self.words, &[]));
        command.args(before).arg(TOLD).args(own);
        set_up(&mut command, build);
        command
    }
}

/// The folder and the environment that a configuration wants for its build.
fn set_up(command: &mut Command, build: &CargoBuild) {
    command.current_dir(&build.cwd);
    for (name, value) in &build.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo {}", self.words.join(" "))
    }
}

/// cargo's file: on the search path, or where rustup puts it (an editor that was not started from a shell may not have that on its
/// path).
pub(super) fn cargo() -> Result<PathBuf, String> {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let rustups = home("CARGO_HOME").or_else(|| Some(home("HOME")?.join(".cargo"))).map(|folder| folder.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).chain(rustups).map(|folder| folder.join("cargo")).find(|file| file.is_file());
    found.ok_or_else(|| {
        "there is no `cargo` on the search path, nor where rustup would put it: install Rust (https://rustup.rs), or build the \
         program yourself and set `program`"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Invocation, String> {
        Invocation::of(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn words(given: &[&str]) -> Vec<String> {
        let command = of(given).unwrap().command(Path::new("cargo"), &CargoBuild::default());
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn cargo_tells_of_what_it_builds_and_runs_nothing() {
        assert_eq!(words(&["build", "--bin", "x"]), ["build", TOLD, "--bin", "x"]);
        assert_eq!(words(&["+nightly", "b", "--", "y"]), ["+nightly", "b", TOLD, "--", "y"]);
        assert_eq!(words(&["test", "--lib"]), ["test", TOLD, "--no-run", "--lib"]);
        assert_eq!(words(&["t", "--no-run"]), ["t", TOLD, "--no-run"]);
        assert_eq!(words(&["test", "--", "--no-run"]), ["test", TOLD, "--no-run", "--", "--no-run"]);
        assert_eq!(words(&["rustc", "--", "--message-format=x"]), ["rustc", TOLD, "--", "--message-format=x"]);
        assert_eq!(of(&["test", "--lib"]).unwrap().to_string(), "cargo test --no-run --lib");
        assert!(of(&["bench"]).unwrap().builds_tests() && !of(&["rustc"]).unwrap().builds_tests());
    }

    #[test]
    fn the_compiler_that_builds_is_asked_for_its_libraries() {
        let asked = |build: &CargoBuild| {
            let invocation = of(&["+nightly", "build"]).unwrap();
            let command = invocation.ask_for_libraries(Path::new("/nowhere/cargo"), build);
            let toolchain = command.get_envs().find(|(name, _)| *name == "RUSTUP_TOOLCHAIN");
            assert_eq!(toolchain.and_then(|(_, value)| value), Some("nightly".as_ref()));
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let with = |value: Option<&str>| CargoBuild {
            env: vec![("RUSTC".into(), value.map(Into::into))],
            ..CargoBuild::default()
        };
        assert_eq!(asked(&with(None)), ["rustc", "--print", "target-libdir"]);
        assert_eq!(asked(&with(Some("/r/rustc")))[0], "/r/rustc");
    }

    #[test]
    fn what_builds_no_program_is_refused_with_what_does() {
        let why = |words: &[&str]| of(words).unwrap_err();
        assert!(why(&[]).starts_with("`cargo.args` is missing: set it to"));
        assert!(why(&["+nightly"]).starts_with("`cargo.args` is missing"));
        let expected = "`cargo.args`: `run` would run the program without the debugger: write `build`";
        assert_eq!(why(&["run", "--bin", "x"]), expected);
        assert_eq!(
            why(&["check"]),
            "`cargo.args`: `check` builds no program: write `build`, `test`, `bench` or `rustc`"
        );
        let expected = "`cargo.args`: `--locked` comes before the command: write that first, such as `build`";
        assert_eq!(why(&["+nightly", "--locked", "build"]), expected);
        let expected = "`cargo.args`: leave `--message-format=short` out: weft reads cargo's messages";
        assert_eq!(why(&["build", "--message-format=short"]), expected);
    }
}
