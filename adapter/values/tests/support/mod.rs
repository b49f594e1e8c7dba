//! Programs compiled for a test, run until they wait, and read from outside.

#![allow(dead_code, reason = "not every test uses all of it")]

pub(crate) mod traced;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use weft_memory::{Bias, FileAddr, MemAddr, Memory, MemoryError};
use weft_process::Sockets;
use weft_symbols::{Image, Module, Modules, Type};
use weft_values::{Descriptors, Ends, Place, Stop};

/// A program of `tests/programs`, waiting for its input to end.
pub(crate) struct Program {
    child: Child,
    /// Lines it printed before `ready`.
    pub(crate) lines: Vec<String>,
    /// What is known of it.
    pub(crate) stop: Stop,
}

impl Program {
    /// Compiles (with debug information) and starts it, and reads what it prints until `ready`.
    pub(crate) fn start(name: &str, flags: &[&str]) -> Self {
        let binary = compile(name, flags);
        let mut child =
            Command::new(&binary).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let lines =
            output.lines().map(|line| line.expect("it prints text")).take_while(|line| line != "ready").collect();
        let stop = look(child.id(), &binary);
        Self { child, lines, stop }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Whether a toolchain is installed.
pub(crate) fn toolchain(name: &str) -> bool {
    Command::new("rustc").args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Compiles once in this test process, however many tests run the program.
fn compile(name: &str, flags: &[&str]) -> PathBuf {
    static DONE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(format!("{name}.rs"));
    let output =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}{}", flags.concat().replace(['/', '='], "")));
    if done.contains(&output) {
        return output;
    }
    let status = Command::new("rustc")
        // A toolchain (`+nightly`) comes first.
        .args(flags.iter().filter(|flag| flag.starts_with('+')))
        .args(["--edition=2024", "-g", "--crate-name", name, "-o"])
        .arg(&output)
        .args(flags.iter().filter(|flag| !flag.starts_with('+')))
        .arg(&source)
        .status()
        .expect("rustc runs");
    assert!(status.success(), "{name} compiles");
    done.insert(output.clone());
    output
}

struct ProcessMemory(File);

impl Memory for ProcessMemory {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        match self.0.read_at(buffer, address.raw()) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(MemoryError::Unmapped(address)),
        }
    }
}

/// The descriptors of a program that waits.
struct Kernel(i32);

impl Descriptors for Kernel {
    fn ends(&self, fd: i32) -> Option<Ends> {
        let socket = Sockets::new(self.0).of(fd)?;
        Some(Ends { local: socket.local, peer: socket.peer })
    }

    fn target(&self, fd: i32) -> Option<String> {
        Some(std::fs::read_link(format!("/proc/{}/fd/{fd}", self.0)).ok()?.to_string_lossy().into_owned())
    }
}

fn look(pid: u32, binary: &Path) -> Stop {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it has maps");
    let path = binary.canonicalize().expect("the program exists");
    let own: Vec<(u64, u64)> = maps
        .lines()
        .filter(|line| line.ends_with(path.to_str().expect("its path is text")))
        .filter_map(|line| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
        })
        .collect();
    let range = MemAddr::new(own.first().expect("it is mapped").0)..MemAddr::new(own.last().expect("it is mapped").1);
    let image = Image::open(&path).expect("it is ELF");
    let bias = Bias::between(FileAddr::new(0), range.start);
    Stop {
        generation: 1,
        pid: pid.cast_signed(),
        memory: Arc::new(ProcessMemory(File::open(format!("/proc/{pid}/mem")).expect("its memory can be read"))),
        modules: Arc::new(Modules::new(vec![Module { image, bias, range }])),
        threads: Vec::new(),
        clock: None,
        descriptors: Some(Arc::new(Kernel(pid.cast_signed()))),
        stacks: weft_values::Stacks::default(),
    }
}

/// A value that the program printed.
pub(crate) struct Shown {
    /// The variable's name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) place: Place,
    /// What a reader should see.
    pub(crate) expected: String,
}

/// `T` of the instance of `show` at an address.
fn type_shown(stop: &Stop, function: MemAddr) -> Type {
    let (module, address) = stop.modules.to_file(function).expect("the function is in the program");
    let frames = module.image.frames_at(address).expect("it has debug information");
    let concrete = frames.last().expect("it has debug information");
    concrete.template_argument("T").expect("it has a T")
}

fn number(text: &str) -> MemAddr {
    MemAddr::new(u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("an address"))
}

/// The values that a program printed with `show`.
pub(crate) fn shown(program: &Program) -> Vec<Shown> {
    let parse = |line: &String| {
        let mut fields = line.splitn(4, '\t');
        let mut next = || fields.next().unwrap_or_else(|| panic!("four fields in {line}"));
        let ty = type_shown(&program.stop, number(next()));
        let place = Place::new(ty, number(next()));
        Shown { name: next().to_owned(), place, expected: next().to_owned() }
    };
    program.lines.iter().map(parse).collect()
}
