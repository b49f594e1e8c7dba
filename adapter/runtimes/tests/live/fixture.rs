//! A real program, stopped by hand: built once, started, attached to when it says that it is ready.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use weft_memory::{Bias, FileAddr};
use weft_process::{Mapping, Sockets, Tracee, mappings, thread_name};
use weft_symbols::{Image, Module, Modules};
use weft_values::{Clock, Descriptors, Ends, Stacks, Stop, ThreadState};

/// How a program was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
    /// Optimised as a whole.
    Lto,
}

impl Profile {
    /// What cargo calls it, and the folder that it builds into.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Debug => ("dev", "debug"),
            Self::Release => ("release-debug", "release-debug"),
            Self::Lto => ("lto-fat", "lto-fat"),
        }
    }
}

pub(crate) const PROFILES: [Profile; 2] = [Profile::Debug, Profile::Release];

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a workspace").to_owned()
}

/// The same folder, and the same lock, as the end-to-end tests use.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from).join("debuggees")
}

/// What is built with each profile but [`Profile::Lto`].
const PROGRAMS: &[&str] = &[
    "actix_server",
    "asyncstd_zoo",
    "axum_server",
    "branch_zoo",
    "current_thread",
    "deadlocks",
    "healthy",
    "locals_zoo",
    "odd_futures",
    "own_executor",
    "owners",
    "pools_zoo",
    "smol_zoo",
    "spawn_zoo",
    "spawner",
    "states",
    "tasks_zoo",
    "throng",
    "two_copies",
    "waits_zoo",
];
/// What is built with [`Profile::Lto`] too, which takes its time.
const LTO_PROGRAMS: &[&str] = &["branch_zoo", "deadlocks", "healthy", "locals_zoo", "waits_zoo"];

fn built(profile: Profile) -> &'static Path {
    static BUILT: [OnceLock<PathBuf>; 3] = [const { OnceLock::new() }; 3];
    let (cell, programs) = match profile {
        Profile::Debug => (&BUILT[0], PROGRAMS),
        Profile::Release => (&BUILT[1], PROGRAMS),
        Profile::Lto => (&BUILT[2], LTO_PROGRAMS),
    };
    let (name, output) = profile.names();
    cell.get_or_init(|| {
        fs::create_dir_all(folder()).expect("a folder for debuggees");
        let lock = File::create(folder().join(".lock")).expect("a lock file");
        lock.lock().expect("a file can be locked");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", name])
            .args(programs.iter().flat_map(|program| ["-p", program]))
            .current_dir(workspace().join("tests/debuggees"))
            .env("CARGO_TARGET_DIR", folder())
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the debuggees could not be built");
        folder().join(output)
    })
}

/// A program built as a debug build with `--cfg tokio_unstable`, in a folder of its own: everything it consists of is built
/// anew for that.
pub(crate) fn unstable(program: &str) -> PathBuf {
    let output = folder().join("unstable");
    fs::create_dir_all(&output).expect("a folder for debuggees");
    let lock = File::create(output.join(".lock")).expect("a lock file");
    lock.lock().expect("a file can be locked");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", program])
        .current_dir(workspace().join("tests/debuggees"))
        .env("CARGO_TARGET_DIR", &output)
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{program} could not be built with tokio_unstable");
    output.join("debug").join(program)
}

/// The source files of a program, with the markers (`// BP: marker`) of their lines. One alone on its line is for the line
/// below it.
pub(crate) fn markers(program: &str) -> Vec<(PathBuf, u32, String)> {
    let folder = workspace().join("tests/debuggees").join(program).join("src");
    let files = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("an entry").path());
    let marked = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a source file");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.into_iter().zip(1_u32..).filter_map(move |(line, number)| {
            let (code, marker) = line.split_once("// BP: ")?;
            let number = if code.trim().is_empty() { number + 1 } else { number };
            Some((file.clone(), number, marker.to_owned()))
        })
    };
    files.flat_map(marked).collect()
}

/// The line of `// BP: marker` in a program's `main.rs`.
pub(crate) fn line(program: &str, marker: &str) -> u32 {
    line_in(program, "main.rs", marker)
}

/// The line of `// BP: marker` in one of a program's source files.
pub(crate) fn line_in(program: &str, file: &str, marker: &str) -> u32 {
    let marked = markers(program);
    let found = marked.iter().find(|(path, _, name)| path.ends_with(file) && name == marker);
    found.unwrap_or_else(|| panic!("{program}'s {file} has no // BP: {marker}")).1
}

/// A stopped program.
pub(crate) struct Stopped {
    pub(crate) stop: Stop,
    /// The line that begins with "ready".
    pub(crate) said: String,
    child: Child,
    path: PathBuf,
    tracee: Option<Tracee>,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stopped {
    /// Lets the program go and stops it at another moment.
    pub(crate) fn later(&mut self) {
        let pid = self.stop.pid;
        drop(self.tracee.take());
        let tracee = Tracee::attach(pid).expect("attached again");
        self.stop = stop_of(&tracee, &self.path);
        self.tracee = Some(tracee);
    }

    /// The same stop, with images that nobody has asked anything so far.
    pub(crate) fn afresh(&self) -> Stop {
        let again = |module: &Module| Image::open(module.image.path()).expect("a file that is mapped");
        let list = self.stop.modules.iter().map(|module| Module { image: again(module), ..module.clone() });
        Stop {
            memory: self.stop.memory.clone(),
            modules: Arc::new(Modules::new(list.collect())),
            threads: self.stop.threads.clone(),
            descriptors: self.stop.descriptors.clone(),
            stacks: Stacks::default(),
            ..self.stop
        }
    }
}

/// Starts a program, waits for the line that begins with "ready", and stops it.
pub(crate) fn stopped(program: &str, profile: Profile, args: &[&str]) -> Stopped {
    stopped_at(&built(profile).join(program), args)
}

/// The same with a program that somebody else has built.
pub(crate) fn stopped_at(path: &Path, args: &[&str]) -> Stopped {
    let mut child = Command::new(path)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let output = child.stdout.take().expect("its output");
    let first = BufReader::new(output).lines().next().expect("a line").expect("text");
    assert!(first.starts_with("ready"), "{first}");
    let pid = i32::try_from(child.id()).expect("a pid");
    wait_until_asleep(pid, usize::from(args.contains(&"spin")));
    let tracee = Tracee::attach(pid).expect("attached");
    let stop = stop_of(&tracee, path);
    Stopped { stop, said: first, child, path: path.to_owned(), tracee: Some(tracee) }
}

/// Waits until no more threads of the program run than spin, which "ready" alone does not promise.
fn wait_until_asleep(pid: i32, spinning: usize) {
    // One that waits for a page of its file goes on by itself, as one that runs does.
    let running = |stat: &String| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['R', 'D']));
    let others_run = || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
        let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        stats.filter(running).count() > spinning
    };
    let mut calm = 0;
    for _ in 0..1_000_000 {
        calm = if others_run() { 0 } else { calm + 1 };
        if calm > 20 {
            return;
        }
        std::thread::yield_now();
    }
}

fn stop_of(tracee: &Tracee, program: &Path) -> Stop {
    let pid = tracee.pid();
    let mut threads: Vec<ThreadState> = tracee
        .threads()
        .into_iter()
        .map(|tid| ThreadState {
            tid,
            name: thread_name(pid, tid).unwrap_or_default(),
            registers: tracee.registers(tid).expect("registers of a stopped thread"),
        })
        .collect();
    threads.sort_by_key(|thread| (thread.tid != pid, thread.tid));
    Stop {
        generation: 1,
        pid,
        memory: Arc::new(tracee.stopped_memory().expect("memory")),
        modules: Arc::new(modules(&mappings(pid).expect("mappings"), program)),
        threads,
        clock: Some(now()),
        descriptors: Some(Arc::new(Live(Sockets::new(pid)))),
        stacks: Stacks::default(),
    }
}

struct Live(Sockets);

impl Descriptors for Live {
    fn ends(&self, fd: i32) -> Option<Ends> {
        let socket = self.0.of(fd)?;
        Some(Ends { local: socket.local, peer: socket.peer })
    }
}

fn modules(mappings: &[Mapping], program: &Path) -> Modules {
    type Opened = Mutex<Vec<(PathBuf, Arc<Image>)>>;
    static IMAGES: OnceLock<Opened> = OnceLock::new();
    let mut images = IMAGES.get_or_init(Default::default).lock().expect("no test panicked here");
    let mut list: Vec<Module> = Vec::new();
    for mapping in mappings.iter().filter(|mapping| mapping.executable) {
        let Some(path) = &mapping.path else { continue };
        let image = match images.iter().find(|(known, _)| known == path) {
            Some((_, image)) => image.clone(),
            None => {
                let Ok(image) = Image::open(path) else { continue };
                images.push((path.clone(), image.clone()));
                image
            }
        };
        let segment = image.segments().iter().find(|segment| segment.executable).expect("code").clone();
        let page = FileAddr::new(segment.addresses.start.raw() - (segment.file_range.start - mapping.offset));
        let all = mappings.iter().filter(|other| other.path.as_ref() == Some(path));
        let start = all.clone().map(|other| other.start).min().expect("a mapping");
        let end = all.map(|other| other.end).max().expect("a mapping");
        let module = Module { image, bias: Bias::between(page, mapping.start), range: start..end };
        if path == program { list.insert(0, module) } else { list.push(module) }
    }
    Modules::new(list)
}

fn now() -> Clock {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) }, 0);
    Clock { seconds: time.tv_sec, nanoseconds: u32::try_from(time.tv_nsec).expect("below a second") }
}
