//! The same tasks on every version of Tokio, in every way of building it: what is found is compared exactly.
//!
//! Three versions are looked at in every run. With `WEFT_COMPATIBILITY=<file>` it is all of them (`cargo xtask compatibility`),
//! and the table is written to that file; `WEFT_COMPILERS=<file>` then names other compilers to be tried.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use weft_runtimes::Runtimes;
use weft_tasks::{Frame, Task};

use crate::fixture::{PROFILES, Profile, Stopped, folder, line, stopped_at, workspace};

const VERSIONS: [&str; 10] = ["1.0", "1.13", "1.20", "1.28", "1.34", "1.38", "1.40", "1.44", "1.47", "1.54"];
/// Those of every run: the first that must be exact; one of which the compiler describes no place for the future of a
/// `block_on`; and the newest.
const SLICE: [&str; 3] = ["1.13", "1.20", "1.54"];
/// Every version from here on must be exact.
const FIRST_EXACT: &str = "1.13";
const FLAVORS: [&str; 2] = ["multi", "current"];

/// Who builds the program.
#[derive(Clone)]
enum Compiler {
    /// The one that builds the tests.
    Ours,
    /// Another one, as `rustup` calls it.
    Toolchain(&'static str),
    /// Another one, called so, by its path.
    Rustc(String, PathBuf),
}

impl Compiler {
    /// What the folder of its programs begins with.
    fn folder(&self) -> String {
        match self {
            Self::Ours => String::new(),
            Self::Toolchain(name) => format!("{name}-"),
            Self::Rustc(name, _) => format!("{}-", name.replace([' ', ','], "-")),
        }
    }

    fn cargo(&self) -> Command {
        match self {
            Self::Toolchain(name) => {
                let mut cargo = Command::new("rustup");
                cargo.args(["run", name, "cargo"]).env_remove("RUSTC");
                cargo
            }
            Self::Ours => {
                let mut cargo = Command::new(env!("CARGO"));
                cargo.env_remove("RUSTC");
                cargo
            }
            Self::Rustc(_, path) => {
                let mut cargo = Command::new(env!("CARGO"));
                cargo.env("RUSTC", path);
                cargo
            }
        }
    }
}

/// One way of building the program.
#[derive(Clone)]
struct Build {
    version: &'static str,
    compiler: Compiler,
    profile: Profile,
    parking_lot: bool,
}

impl Build {
    fn program(&self) -> PathBuf {
        let locks = if self.parking_lot { "parking_lot" } else { "plain" };
        let into = folder().join("compatibility").join(self.compiler.folder() + locks);
        let (profile, output) = self.profile.names();
        fs::create_dir_all(&into).expect("a folder for debuggees");
        let lock = File::create(into.join(".lock")).expect("a lock file");
        lock.lock().expect("a file can be locked");
        let status = self
            .compiler
            .cargo()
            .args(["build", "--quiet", "--locked", "--profile", profile])
            .args(if self.parking_lot { &["--features", "parking_lot"][..] } else { &[] })
            .current_dir(workspace().join("tests/debuggees/compatibility").join(self.version))
            .env("CARGO_TARGET_DIR", &into)
            .env_remove("RUSTFLAGS")
            .env_remove("RUSTUP_TOOLCHAIN")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "{} could not be built", self.name());
        into.join(output).join(self.name())
    }

    fn name(&self) -> String {
        format!("on-{}", self.version.replace('.', "-"))
    }
}

/// Every task as a row: kind, state, what it waits for, its chain of the program's own frames with their lines, who awaits
/// it. Sorted.
fn rows(program: &Stopped, krate: &str) -> (Vec<String>, Vec<String>) {
    let runtimes = Runtimes::new();
    let listing = runtimes.list(&program.stop);
    let own = |name: &str| name.strip_prefix(&format!("{krate}::")).map(str::to_owned);
    let row = |task: &Task| {
        let stack = runtimes.stack(&program.stop, &listing, task.key).unwrap_or_default();
        let mut chain = Vec::new();
        let mut frames: &[Frame] = &stack.frames;
        while let Some(frame) = frames.first() {
            let line = frame.location.as_ref().map_or(0, |location| location.line);
            chain.extend(own(&frame.name).map(|name| format!("{name}:{line}")));
            frames = &frame.children;
        }
        let wait = task.waiting_on.as_ref().map_or("nothing", |wait| wait.kind.as_str());
        let name = own(&task.name).unwrap_or_else(|| task.name.to_string());
        let awaiters = task.awaited_by.iter().filter_map(|awaiter| listing.task(awaiter.task));
        let awaited: String =
            awaiters.map(|by| format!(", awaited by {}", own(&by.name).unwrap_or_default())).collect();
        let error = task.error.as_ref().map_or(String::new(), |error| format!(" ({error})"));
        format!(
            "{} {name} {} for {wait} at {}{awaited}{error}",
            task.kind.as_str(),
            task.state.as_str(),
            chain.join(" > ")
        )
    };
    let mut rows: Vec<String> = listing.snapshot.tasks.iter().map(row).collect();
    rows.sort();
    (rows, listing.snapshot.notes.clone())
}

/// What must be found.
fn expected() -> Vec<String> {
    let at = |name: &str, marker: &str| format!("{name}:{}", line("compatibility", marker));
    let sleeper = format!("task sleeper waiting for sleep at {}", at("sleeper", "sleeps"));
    let locker = format!("task locker waiting for mutex at {} > {}", at("locker", "acquires"), at("acquire", "locks"));
    let mut rows = vec![
        format!("root root waiting for future at {}", at("root", "holds")),
        format!("task joiner waiting for join at {}", at("joiner", "joins")),
        format!("{sleeper}, awaited by joiner"),
    ];
    rows.extend(vec![sleeper; 8]);
    rows.extend(vec![locker; 3]);
    rows.sort();
    rows
}

/// What is wrong with what is found in one program; none if it is exact.
fn look(build: &Build, flavor: &str) -> Option<String> {
    let program = stopped_at(&build.program(), &[flavor]);
    let krate = build.name().replace('-', "_");
    let (found, notes) = rows(&program, &krate);
    let exact = expected();
    if found == exact && notes.is_empty() {
        return None;
    }
    let missing: Vec<_> = exact.iter().filter(|row| !found.contains(row)).collect();
    let other: Vec<_> = found.iter().filter(|row| !exact.contains(row)).collect();
    Some(format!("{} of {}; missing {missing:?}; other {other:?}; notes {notes:?}", found.len(), exact.len()))
}

/// The row of a version: a cell for each flavor and profile, and what was wrong.
fn row(version: &'static str, compiler: &Compiler) -> (String, Vec<String>) {
    let mut row = match compiler {
        Compiler::Rustc(name, _) => format!("| {version}, {name} |"),
        _ => format!("| {version} |"),
    };
    let mut wrong = Vec::new();
    for (flavor, profile) in FLAVORS.into_iter().flat_map(|flavor| PROFILES.map(|profile| (flavor, profile))) {
        let before = wrong.len();
        for parking_lot in [false, true] {
            let build = Build { version, compiler: compiler.clone(), profile, parking_lot };
            let why = look(&build, flavor);
            wrong.extend(why.map(|why| format!("{version} {flavor} {profile:?} parking_lot {parking_lot}: {why}")));
        }
        row += &format!(" {} |", if wrong.len() == before { "exact" } else { "not exact" });
    }
    (row, wrong)
}

#[test]
fn every_version_of_tokio_gives_the_same_tasks() {
    let file = std::env::var_os("WEFT_COMPATIBILITY");
    let versions = if file.is_some() { &VERSIONS[..] } else { &SLICE[..] };
    let position = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let mut table = vec![
        "| Tokio | multi-thread, debug | multi-thread, release | current-thread, debug | current-thread, release |"
            .to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let (mut wrong, mut old) = (Vec::new(), Vec::new());
    for version in versions {
        let (row, why) = row(version, &Compiler::Ours);
        table.push(row);
        if position(version) >= position(FIRST_EXACT) { wrong.extend(why) } else { old.extend(why) }
    }
    if let Some(file) = file {
        if let Some(nightly) = nightly() {
            let (row, why) = row("1.54", &Compiler::Toolchain("nightly"));
            table.push(row.replacen("1.54", &format!("1.54, {nightly}"), 1));
            wrong.extend(why);
        }
        for (compiler, version) in others() {
            let (row, why) = row(version, &compiler);
            table.push(row);
            wrong.extend(why);
        }
        fs::write(file, table.join("\n") + "\n").expect("the table is written");
    }
    println!("{}", old.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Other compilers with the version of Tokio that they are to build, from lines of name, version, path.
fn others() -> Vec<(Compiler, &'static str)> {
    let Some(list) = std::env::var_os("WEFT_COMPILERS") else { return Vec::new() };
    let text = fs::read_to_string(list).expect("a list of compilers");
    let parsed = text.lines().map(|line| {
        let mut parts = line.split('\t');
        let mut part = || parts.next().expect("three parts");
        let (name, tokio, path) = (part(), part(), part());
        let version = VERSIONS.into_iter().find(|version| *version == tokio).expect("a known version");
        (Compiler::Rustc(name.to_owned(), path.into()), version)
    });
    parsed.collect()
}

/// The nightly compiler's name, if there is one.
fn nightly() -> Option<String> {
    let asked =
        Command::new("rustup").args(["run", "nightly", "rustc", "--version"]).env_remove("RUSTUP_TOOLCHAIN").output();
    let answer = asked.ok().filter(|answer| answer.status.success())?;
    let text = String::from_utf8(answer.stdout).ok()?;
    // `rustc 1.98.0-nightly (abc 2026-05-01)`
    Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
