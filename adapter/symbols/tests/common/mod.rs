//! Builds the fixture and reads what it printed.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "each test program uses some of it")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use weft_memory::{Bias, Bytes, DwarfRegister, FileAddr, MemAddr, Registers};
use weft_symbols::{Image, Module, Modules};

/// How the fixture is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Build {
    /// `-g`.
    Debug,
    /// `-g -O`.
    Optimised,
    /// `-g`, DWARF 5, v0 mangling.
    Modern,
    /// `-g`, the DIEs in a `.dwp` beside the program.
    Packed,
    /// `-g -O`, DWARF 5, the DIEs in a `.dwp` beside the program.
    PackedModern,
    /// `-g -O`, the DIEs in `.dwo` files.
    Unpacked,
    /// `-g`, DWARF 5, the DIEs in `.dwo` files.
    UnpackedModern,
}

pub const BUILDS: [Build; 7] = [
    Build::Debug,
    Build::Optimised,
    Build::Modern,
    Build::Packed,
    Build::PackedModern,
    Build::Unpacked,
    Build::UnpackedModern,
];

/// The fixture's source.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shapes.rs")
}

/// The line of the fixture that contains a text.
pub fn line_of(text: &str) -> u32 {
    let source = std::fs::read_to_string(source()).unwrap();
    let at = source.lines().position(|line| line.contains(text));
    u32::try_from(at.unwrap_or_else(|| panic!("{text:?} is not in the fixture")) + 1).unwrap()
}

/// The compiled fixture; built when its source is newer.
pub fn program(build: Build) -> PathBuf {
    static BUILT: OnceLock<Mutex<HashMap<Build, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap();
    built.entry(build).or_insert_with(|| compile(build)).clone()
}

fn compile(build: Build) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shapes-{build:?}"));
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(&out).is_some_and(|built| modified(&source()).is_some_and(|source| built > source)) {
        return out;
    }
    let arguments: &[&str] = match build {
        Build::Debug => &[],
        Build::Optimised => &["-O"],
        Build::Modern => &["-Csymbol-mangling-version=v0", "-Cdwarf-version=5"],
        Build::Packed => &["-Csplit-debuginfo=packed"],
        Build::PackedModern => &["-O", "-Cdwarf-version=5", "-Csplit-debuginfo=packed"],
        Build::Unpacked => &["-O", "-Csplit-debuginfo=unpacked"],
        Build::UnpackedModern => &["-Cdwarf-version=5", "-Csplit-debuginfo=unpacked"],
    };
    // Several test programs build at the same time: the finished file is moved into place. Its `.dwo` files stay.
    let own = out.with_file_name(format!("shapes-{build:?}-{}", std::process::id()));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-name=shapes", "-g", "-o"]).arg(&own).args(arguments).arg(source());
    assert!(command.status().unwrap().success(), "{command:?}");
    if arguments.contains(&"-Csplit-debuginfo=packed") {
        std::fs::rename(own.with_added_extension("dwp"), out.with_added_extension("dwp")).unwrap();
    }
    std::fs::rename(&own, &out).unwrap();
    out
}

/// The compiled fixture, opened.
pub fn image(build: Build) -> Arc<Image> {
    Image::open(&program(build)).unwrap()
}

/// What the fixture printed when it ran.
pub struct Run {
    pub modules: Modules,
    pub registers: Registers,
    pub memory: Bytes,
    /// `offset Shape.b` to `8`.
    pub facts: HashMap<String, u64>,
}

/// Runs the fixture to the end of its chain of coroutines.
pub fn run(build: Build) -> Run {
    run_with(build, &[])
}

/// Runs the fixture with arguments; `signal` takes it into a signal's handler instead.
pub fn run_with(build: Build, arguments: &[&str]) -> Run {
    let path = program(build);
    let output = Command::new(&path).args(arguments).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let mut run = Run {
        modules: Modules::default(),
        registers: Registers::unknown(0),
        memory: Bytes::new(),
        facts: HashMap::new(),
    };
    let mut mappings: Vec<(u64, u64, u64, PathBuf)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["register", number, value] => {
                run.registers.set(DwarfRegister(number.parse().unwrap()), Some(hex(value)));
            }
            ["fs_base", value] => run.registers.fs_base = hex(value),
            ["memory", address, bytes] => {
                let bytes: Vec<u8> =
                    bytes.as_bytes().chunks(2).map(|pair| hex(std::str::from_utf8(pair).unwrap()) as u8).collect();
                run.memory = run.memory.with(MemAddr::new(hex(address)), bytes);
            }
            ["mapping", start, end, offset, path] => mappings.push((hex(start), hex(end), hex(offset), path.into())),
            ["offset" | "size" | "answer", .., value] => {
                let key = line.rsplit_once(' ').unwrap().0.to_owned();
                run.facts.insert(key, value.parse().unwrap());
            }
            _ => panic!("what is {line:?}?"),
        }
    }
    let mut paths: Vec<PathBuf> = mappings.iter().map(|mapping| mapping.3.clone()).collect();
    paths.dedup();
    let modules = paths.iter().filter_map(|path| {
        let of_path = || mappings.iter().filter(|mapping| mapping.3 == *path);
        let first = of_path().find(|mapping| mapping.2 == 0)?.0;
        let range = MemAddr::new(of_path().map(|mapping| mapping.0).min()?)
            ..MemAddr::new(of_path().map(|mapping| mapping.1).max()?);
        let image = Image::open(path).ok()?;
        // The first segment of a position-independent file begins at address 0.
        Some(Module { image, bias: Bias::between(FileAddr::new(0), MemAddr::new(first)), range })
    });
    run.modules = Modules::new(modules.collect());
    run
}
