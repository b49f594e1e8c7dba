//! Random async programs that write down which line of which coroutine they execute, and random steps through them: where each
//! step ends must be what the program has written.
//!
//! [`program`] makes the source, [`walk`] takes the steps, [`record`] compares. Everything follows from the numbers that a walk
//! begins with, so a failure can be repeated.

mod program;
mod record;
mod walk;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::adapter::workspace;
use crate::programs::{Profile, folder, lock};

pub use walk::{Registers, walk};

/// The folder of the package that all programs are in, below that of the debuggees.
const PACKAGE: &str = "generated";

const MANIFEST: &str = r#"[package]
name = "generated"
version = "0.1.0"
edition = "2024"

[dependencies]
futures-util = { version = "0.3", default-features = false, features = ["std"] }
tokio = { version = "1", features = ["full"] }

[profile.dev]
debug = 2

[profile.release-debug]
inherits = "release"
debug = 2

[workspace]
"#;

/// Numbers that follow from a first one (splitmix64).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// A generated program.
#[derive(Clone, Debug)]
pub struct Program {
    seed: u64,
    /// The executable.
    pub path: PathBuf,
    /// Its source file.
    pub source: PathBuf,
}

/// Writes the programs of these seeds, and builds them.
///
/// # Panics
/// If one cannot be built.
pub fn programs(seeds: &[u64], profile: Profile) -> Vec<Program> {
    let _lock = lock(".lock-generated");
    let package = folder().join(PACKAGE);
    let sources = package.join("src/bin");
    fs::create_dir_all(&sources).expect("a folder for sources");
    write(package.join("Cargo.toml"), MANIFEST);
    // The runtimes of the debuggees, which are fetched already.
    let locked = fs::read_to_string(workspace().join("tests/debuggees/Cargo.lock")).expect("the debuggees' lock file");
    if !package.join("Cargo.lock").exists() {
        write(package.join("Cargo.lock"), &locked);
    }
    let name = |seed: u64| format!("p{seed}");
    for seed in seeds {
        write(sources.join(format!("{}.rs", name(*seed))), &program::text(*seed));
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile", profile.cargo()]).current_dir(&package);
    for seed in seeds {
        cargo.args(["--bin", &name(*seed)]);
    }
    let status = cargo.env("CARGO_TARGET_DIR", folder()).env_remove("RUSTFLAGS").status().expect("cargo runs");
    assert!(status.success(), "the generated programs could not be built");
    let built = |seed: &u64| Program {
        seed: *seed,
        path: folder().join(profile.folder()).join(name(*seed)),
        source: sources.join(format!("{}.rs", name(*seed))),
    };
    seeds.iter().map(built).collect()
}

/// Leaves a file alone that is as it should be, so that nothing is built again.
fn write(path: PathBuf, text: &str) {
    if fs::read_to_string(&path).is_ok_and(|now| now == text) {
        return;
    }
    fs::write(path, text).expect("a file can be written");
}
