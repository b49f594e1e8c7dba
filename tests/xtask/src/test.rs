//! Everything that must hold before a change is done.

use std::path::PathBuf;

use crate::stage::{Command, Outcome, Report, ci, target};

/// Runs all stages, or those named; whether none failed.
pub(crate) fn run(names: &[String]) -> bool {
    if let Some(unknown) = names.iter().find(|wanted| STAGES.iter().all(|(name, _)| name != wanted)) {
        let known: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
        println!("there is no stage {unknown}; there are: {}", known.join(", "));
        return false;
    }
    let mut report = Report::default();
    for (name, stage) in STAGES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            report.stage(name, stage);
        }
    }
    report.close()
}

type Stage = fn() -> Outcome;

const STAGES: &[(&str, Stage)] = &[
    ("format", format),
    ("lint", lint),
    ("tools", tools),
    ("debuggees", debuggees),
    ("rooms", rooms),
    ("adapter", adapter),
    ("sessions", sessions),
    ("fuzz", crate::fuzz::stage),
    ("extension", extension),
    ("package", package),
    ("workbench", workbench),
];

fn all(commands: impl IntoIterator<Item = Command>) -> Outcome {
    if commands.into_iter().all(Command::runs) { Outcome::Passed } else { Outcome::Failed }
}

fn format() -> Outcome {
    let check = ["fmt", "--all", "--check"];
    all([Command::cargo(&check), Command::cargo(&check).within("tests/debuggees")])
}

fn lint() -> Outcome {
    all([Command::cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])])
}

/// Programs that some tests run: what they are called with to see whether they are there, and their Debian packages. Tests
/// that lack one leave out what it is for.
const TOOLS: &[(&str, &str, &str)] = &[("dwz", "-v", "dwz"), ("musl-gcc", "--version", "musl-tools")];

/// Looks for what tests run; on the build machine what is missing is installed, and Pythons are fetched everywhere: a build without those
/// that count has failed.
fn tools() -> Outcome {
    let missing = || TOOLS.iter().filter(|(tool, asked, _)| !Command::new(tool, &[asked]).exists());
    let packages: Vec<String> = missing().map(|(_, _, package)| (*package).to_owned()).collect();
    if ci() && !packages.is_empty() {
        let installed = Command::new("apt-get", &["update", "-qq"]).runs()
            && Command::new("apt-get", &["install", "-qq", "-y", "--no-install-recommends"]).args(&packages).runs();
        if !installed {
            println!("{} cannot be installed", packages.join(", "));
        }
    }
    let pythons = crate::python::provide();
    if ci() && pythons.iter().any(|missing| !missing.starts_with("Python 3.14")) {
        println!("there is no {}", pythons.join(", no "));
        return Outcome::Failed;
    }
    let tools: Vec<String> =
        missing().map(|(tool, _, package)| format!("{tool} (Debian: {package})")).chain(pythons).collect();
    if tools.is_empty() {
        return Outcome::Passed;
    }
    Outcome::Skipped(format!("without {} some cases are left out", tools.join(", ")))
}

/// The tests beside the code. Some look at the debuggees, so those are built before.
fn rooms() -> Outcome {
    let test = ["test", "--quiet", "--workspace", "--exclude", "weft-tests", "--locked", "--no-fail-fast"];
    all([Command::cargo(&test).env("WEFT_CACHE_DIR", &cache())])
}

fn adapter() -> Outcome {
    all([Command::cargo(&["build", "--release", "--locked", "--package", "weft-dap"])])
}

fn debuggees() -> Outcome {
    all([Command::cargo(&["run", "--quiet", "--locked", "--package", "weft-tests", "--bin", "build-debuggees"])])
}

/// End-to-end, over real DAP on live programs.
fn sessions() -> Outcome {
    let test = ["test", "--quiet", "--locked", "--package", "weft-tests"];
    all([Command::cargo(&test).env("WEFT_BIN", &target().join("release/weft")).env("WEFT_CACHE_DIR", &cache())])
}

/// Where the tests' indexes of names are kept: not with the user's.
fn cache() -> PathBuf {
    target().join("weft-cache")
}

/// A stage of the extension, where there is a node to run it.
fn with_node(commands: impl IntoIterator<Item = Command>) -> Outcome {
    if !Command::new("npm", &["--version"]).exists() {
        let why = "npm is not installed (Node.js 20 or newer brings it)".to_owned();
        return if ci() { all([Command::new("npm", &["--version"])]) } else { Outcome::Skipped(why) };
    }
    all(commands)
}

/// The folder of the VS Code extension.
pub(crate) const EXTENSION: &str = "vscode-extension";

fn extension() -> Outcome {
    with_node([
        Command::new("npm", &["ci", "--no-audit", "--no-fund"]).within(EXTENSION),
        Command::new("npm", &["run", "lint"]).within(EXTENSION),
        Command::new("npm", &["test"]).within(EXTENSION),
    ])
}

fn package() -> Outcome {
    with_node([Command::new("npm", &["run", "package"]).within(EXTENSION)])
}

/// The packaged extension in a real workbench. The script installs what it needs, and says so when it cannot.
fn workbench() -> Outcome {
    with_node([Command::new("npm", &["run", "e2e"]).within(EXTENSION)])
}
