//! The program `matrix`, built in every way that programs are built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::adapter::workspace;
use crate::programs::{Profile, folder, lock, program};

/// The program's name.
const NAME: &str = "matrix";

/// What else is built with fat LTO.
const WALKS: &str = "walks";

/// A way of building it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// With a profile of the debuggees' workspace.
    Profile(&'static str),
    /// The same, with DWARF 5 where the compiler's default is 4.
    Dwarf5(&'static str),
    /// The debug build with its `.debug_*` sections compressed: `zlib` or `zstd`.
    Compressed(&'static str),
    /// The debug build, stripped; its separate debug file lies beside it (`.gnu_debuglink`).
    Separate,
    /// The debug build, stripped; its separate debug file lies in a [`Variant::debug_folder`] by its build-id.
    SeparateByBuildId,
    /// The debug build, stripped; its separate debug file is nowhere.
    Stripped,
}

/// All of them, for those who build ahead.
const ALL: &[Variant] = &[
    Variant::Profile("lto-fat"),
    Variant::Profile("lto-thin"),
    Variant::Profile("lines-only"),
    Variant::Profile("limited"),
    Variant::Profile("split-packed"),
    Variant::Profile("split-unpacked"),
    Variant::Dwarf5("dwarf-5"),
    Variant::Dwarf5("dwarf-5-packed"),
    Variant::Dwarf5("dwarf-5-unpacked"),
    Variant::Compressed("zlib"),
    Variant::Compressed("zstd"),
    Variant::Separate,
    Variant::SeparateByBuildId,
    Variant::Stripped,
];

/// Builds all variants.
pub fn build_all() {
    for variant in ALL {
        variant.program();
    }
    linked_as_one(WALKS);
}

/// A program of the debuggees' workspace, optimised over all its crates (fat LTO).
pub fn linked_as_one(name: &str) -> PathBuf {
    let _lock = lock(".lock");
    cargo(name, "lto-fat", "")
}

impl Variant {
    /// The program, built if it is not there or out of date.
    pub fn program(self) -> PathBuf {
        let _lock = lock(".matrix.lock");
        match self {
            Self::Profile("debug") => program(NAME, Profile::Debug),
            Self::Profile("release-debug") => program(NAME, Profile::Release),
            Self::Profile(profile) => cargo(NAME, profile, ""),
            Self::Dwarf5(profile) => cargo(NAME, profile, "-Cdwarf-version=5"),
            Self::Compressed(_) | Self::Separate | Self::SeparateByBuildId | Self::Stripped => self.derived(),
        }
    }

    /// The folder to name in `debugDirectories`: `.build-id/` is in it.
    pub fn debug_folder(self) -> PathBuf {
        folder().join("derived").join(self.word())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Profile(word) | Self::Dwarf5(word) | Self::Compressed(word) => word,
            Self::Separate => "separate",
            Self::SeparateByBuildId => "build-id",
            Self::Stripped => "stripped",
        }
    }

    /// Makes it of the debug build, unless that was done since that was built.
    fn derived(self) -> PathBuf {
        let from = program(NAME, Profile::Debug);
        let into = self.debug_folder();
        let made = into.join(NAME);
        if modified(&made) > modified(&from) {
            return made;
        }
        // Made aside: whoever runs the one before keeps it.
        let work = folder().join("derived").join(format!(".{}", self.word()));
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).expect("a folder");
        self.derive(&from, &work);
        let _ = fs::remove_dir_all(&into);
        fs::rename(&work, &into).expect("a folder can be renamed");
        made
    }

    fn derive(self, from: &Path, work: &Path) {
        let made = work.join(NAME);
        if let Self::Compressed(method) = self {
            return objcopy(&[&format!("--compress-debug-sections={method}")], from, &made);
        }
        objcopy(&["--strip-all"], from, &made);
        let separate = work.join(format!("{NAME}.debug"));
        match self {
            Self::Separate => {
                objcopy(&["--only-keep-debug"], from, &separate);
                objcopy(&[&format!("--add-gnu-debuglink={}", separate.display())], &made.clone(), &made);
            }
            Self::SeparateByBuildId => {
                objcopy(&["--only-keep-debug"], from, &separate);
                let id = build_id(&made);
                let place = work.join(".build-id").join(&id[..2]);
                fs::create_dir_all(&place).expect("a folder");
                fs::rename(separate, place.join(format!("{}.debug", &id[2..]))).expect("a file can be renamed");
            }
            _ => {}
        }
    }
}

fn cargo(name: &str, profile: &str, flags: &str) -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--package", name, "--profile", profile])
        .current_dir(workspace().join("tests/debuggees"))
        .env("CARGO_TARGET_DIR", folder())
        .env("RUSTFLAGS", flags)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{name} could not be built with the profile {profile}");
    folder().join(profile).join(name)
}

fn objcopy(arguments: &[&str], from: &Path, into: &Path) {
    let done = Command::new("objcopy").args(arguments).arg(from).arg(into).status();
    let done = done.unwrap_or_else(|error| panic!("objcopy (of binutils) cannot be run: {error}"));
    assert!(done.success(), "objcopy {arguments:?} fails for {}", from.display());
}

/// The build-id in hexadecimal digits, as `readelf` prints it.
fn build_id(program: &Path) -> String {
    let done = Command::new("readelf").arg("--notes").arg(program).output().expect("readelf (of binutils) runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let id = text.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    id.unwrap_or_else(|| panic!("{} has no build-id", program.display())).to_owned()
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
