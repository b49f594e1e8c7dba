//! Debuggees for these tests: this very test binary, started again in a role.

#![allow(dead_code, reason = "each test file uses its share")]

#[path = "kept.rs"]
pub(crate) mod kept;
#[path = "kinds.rs"]
pub(crate) mod kinds;

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use weft_memory::MemAddr;
use weft_process::{LaunchSpec, Output, OutputEnd, Stdin, Tracee, Trap, Wait, WaitEvent, Watch, WatchAccess};

/// The environment variable that names the role.
pub(crate) const ROLE: &str = "WEFT_TEST_ROLE";

/// Where breakpoints are set that are never hit.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn weft_test_elsewhere() {
    std::hint::black_box(0);
}

/// Where breakpoints are set.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn weft_test_target(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Roles are played before `main`: on the process's first thread, without the test harness.
#[used]
#[unsafe(link_section = ".init_array")]
static PLAY: extern "C" fn() = play;

/// Plays the role given in the environment, if any, and ends the process.
extern "C" fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (name, argument) = role.split_once(':').unwrap_or((&role, "0"));
    let argument: u64 = argument.parse().unwrap();
    match name {
        "exit" => std::process::exit(i32::try_from(argument).unwrap()),
        "wait" => wait_for_end(),
        "calls" => calls(argument),
        "churn" => churn(argument),
        "forks" => forks(argument),
        "kinds" => kinds::play(argument, false),
        "kinds-signals" => kinds::play(argument, true),
        "kinds-forever" => kinds::play_on(),
        "keeps" => kept::keeps(),
        "takes" => kept::takes(),
        "awaits" => kept::awaits(),
        "storm" => kinds::storm(argument),
        "spin" => spin(),
        "debugger" => debugger(),
        "leader-exits" => leader_exits(),
        "exec-from-thread" => exec_from_thread(),
        "crowd" => crowd(argument),
        "relay" => relay(argument),
        "holds" => holds(argument, false),
        "traps" => holds(argument, true),
        "watches" => watches(argument),
        "looks" => looks(argument),
        "helper" => helper(),
        other => panic!("no role {other}"),
    }
    std::process::exit(0);
}

fn say(text: &str) {
    println!("@{text}");
    std::io::stdout().flush().unwrap();
}

fn line() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line
}

fn wait_for_end() {
    say("ready");
    while !line().is_empty() {}
    say("end");
}

/// Four threads call the target `each` times, once told to.
fn calls(each: u64) {
    say(&format!("{}", weft_test_target as *const () as usize));
    line();
    let counter = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || (0..each).for_each(|_| weft_test_target(&counter)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    say(&format!("{}", counter.load(Ordering::Relaxed)));
}

/// `width` threads at a time are born and die until standard input ends.
fn churn(width: u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let counter = Arc::new(AtomicU64::new(0));
    let lines: Vec<_> = (0..width)
        .map(|_| {
            let (stop, counter) = (Arc::clone(&stop), Arc::clone(&counter));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || weft_test_target(&counter)).join().unwrap();
                }
            })
        })
        .collect();
    say(&format!("{}", weft_test_target as *const () as usize));
    while !line().is_empty() {}
    stop.store(true, Ordering::Relaxed);
    lines.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(counter.load(Ordering::Relaxed) >= width);
    say("end");
}

/// Makes `count` processes by fork (which call the target) and by posix_spawn.
fn forks(count: u64) {
    say(&format!("{}", weft_test_target as *const () as usize));
    line();
    let counter = AtomicU64::new(0);
    let mut good = 0;
    for _ in 0..count {
        weft_test_target(&counter);
        // SAFETY: the child calls one function without locks or memory of others, and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            weft_test_target(&counter);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(42) };
        }
        let mut status = 0;
        // SAFETY: writes one int of ours.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        if libc::WIFEXITED(status)
            && libc::WEXITSTATUS(status) == 42
            && Command::new("/bin/true").status().unwrap().success()
        {
            good += 1;
        }
    }
    say(&format!("{good}"));
}

fn spin() {
    say("ready");
    let counter = AtomicU64::new(0);
    loop {
        weft_test_target(&counter);
    }
}

/// Is a debugger itself, of a program that never ends.
fn debugger() {
    let mut launched = Tracee::launch(&spec("spin")).unwrap();
    launched.tracee.resume_all();
    say(&launched.tracee.pid().to_string());
    let _ended = launched.tracee.wait();
}

/// The first thread ends by itself; another goes on and ends the process when told to.
fn leader_exits() {
    thread::spawn(|| {
        // SAFETY: getpid takes nothing.
        let pid = unsafe { libc::getpid() };
        while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z") {
            thread::yield_now();
        }
        say("ready");
        line();
        std::process::exit(5);
    });
    // SAFETY: ends only the calling thread; nothing on its stack is used by the other.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn exec_from_thread() {
    thread::spawn(|| {
        use std::os::unix::process::CommandExt;
        Command::new("/bin/sh").args(["-c", "exit 9"]).exec()
    })
    .join()
    .unwrap();
}

/// Is a debugger that attaches to a process, puts traps at the addresses it is told, and lets the process run (or not);
/// until it is killed.
fn holds(pid: u64, run: bool) {
    let mut tracee = Tracee::attach(i32::try_from(pid).unwrap()).unwrap();
    let memory = tracee.memory().unwrap();
    let text = line();
    let traps: Vec<MemAddr> = text.split_whitespace().map(|word| MemAddr::new(word.parse().unwrap())).collect();
    traps.iter().for_each(|trap| memory.plant(*trap).unwrap());
    assert!(tracee.is_guarded());
    if !run {
        tracee.disarm();
        say("ready");
        while !line().is_empty() {}
        return;
    }
    tracee.resume_all();
    say("ready");
    loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => {
                // As the engine does: back to the trap, over it alone, on.
                let at = tracee.registers(tid).unwrap().pc().offset(-1);
                tracee.set_pc(tid, at).unwrap();
                tracee.stop_all().unwrap();
                memory.lift(at).unwrap();
                tracee.step(tid, 0).unwrap();
                while !matches!(tracee.wait().unwrap(), Wait::Event(WaitEvent::Trapped { tid: of, .. }) if of == tid) {}
                memory.plant(at).unwrap();
                tracee.resume_all();
            }
            WaitEvent::Signal { tid, signal } => tracee.resume(tid, signal).unwrap(),
            other => {
                if let Some(tid) = other.stopped_thread() {
                    tracee.resume(tid, 0).unwrap();
                }
            }
        }
    }
}

/// Is a debugger that attaches to a process, watches what the function whose address it is told counts, sees that it is
/// watched, and holds the process until it is killed.
fn watches(pid: u64) {
    let mut tracee = Tracee::attach(i32::try_from(pid).unwrap()).unwrap();
    let memory = tracee.memory().unwrap();
    let trap = MemAddr::new(line().trim().parse().unwrap());
    memory.plant(trap).unwrap();
    let hit = run_to(&mut tracee, Trap::Breakpoint);
    memory.lift(trap).unwrap();
    let counter = MemAddr::new(tracee.registers(hit).unwrap().get(weft_memory::DwarfRegister(5)).unwrap());
    let watch = Watch { address: counter, size: 8, access: WatchAccess::ReadWrite };
    tracee.set_watches(&[watch]).unwrap();
    // They come and go with the stops.
    for _ in 0..3 {
        run_to(&mut tracee, Trap::Hardware(1));
        tracee.disarm();
        tracee.arm();
    }
    tracee.disarm();
    tracee.set_watches(&[Watch { address: counter.checked_add(1 << 20).unwrap(), ..watch }, watch]).unwrap();
    say("ready");
    while !line().is_empty() {}
}

/// Lets all threads run until one reports this, and stops them. Gives that thread.
fn run_to(tracee: &mut Tracee, wanted: Trap) -> i32 {
    tracee.resume_all();
    loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        let Some(tid) = event.stopped_thread() else { continue };
        if !matches!(event, WaitEvent::Trapped { trap, .. } if trap == wanted) {
            tracee.resume(tid, 0).unwrap();
            continue;
        }
        stop_before_traps(tracee, Some(event));
        return tid;
    }
}

/// Stops all threads; none stands behind a trap's byte, be it that it reported that already.
fn stop_before_traps(tracee: &mut Tracee, reported: Option<WaitEvent>) {
    tracee.stop_all().unwrap();
    let mut hits: Vec<WaitEvent> = reported.into_iter().collect();
    hits.extend(std::iter::from_fn(|| tracee.take_queued()));
    for hit in hits {
        if let WaitEvent::Trapped { tid, trap: Trap::Breakpoint } = hit {
            tracee.set_pc(tid, tracee.registers(tid).unwrap().pc().offset(-1)).unwrap();
        }
    }
}

/// `width` threads that never rest, and one line of others that are born and die, until standard input ends. Says at its
/// end whether all `width` were at work to the last.
fn crowd(width: u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let rounds: Vec<_> = (0..width).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let start = |rounds: &Arc<AtomicU64>| {
        let (stop, rounds) = (Arc::clone(&stop), Arc::clone(rounds));
        thread::Builder::new()
            .stack_size(1 << 17)
            .spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    weft_test_target(&rounds);
                    thread::yield_now();
                }
            })
            .unwrap()
    };
    let mut threads: Vec<_> = rounds.iter().map(start).collect();
    let churned = Arc::clone(&stop);
    threads.push(thread::spawn(move || {
        while !churned.load(Ordering::Relaxed) {
            thread::spawn(|| {}).join().unwrap();
        }
    }));
    say(&format!("{}", weft_test_target as *const () as usize));
    while !line().is_empty() {
        // Everybody comes round again, or this never ends.
        let before: Vec<u64> = rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed)).collect();
        for (rounds, before) in rounds.iter().zip(before) {
            while rounds.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        }
        say("all");
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    say("end");
}

/// `width` threads, each of which does nothing but start the next one and end, until standard input ends.
fn relay(width: u64) {
    static STOP: AtomicBool = AtomicBool::new(false);
    static RUNNERS: AtomicU64 = AtomicU64::new(0);
    fn run() {
        if STOP.load(Ordering::SeqCst) {
            RUNNERS.fetch_sub(1, Ordering::SeqCst);
        } else {
            thread::spawn(run);
        }
    }
    RUNNERS.store(width, Ordering::SeqCst);
    (0..width).for_each(|_| drop(thread::spawn(run)));
    say("running");
    while !line().is_empty() {}
    STOP.store(true, Ordering::SeqCst);
    while RUNNERS.load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
    say("end");
}

/// Says what its standard streams are, and then much more, which it leaves unread by itself at its end.
fn looks(lines: u64) {
    // SAFETY: asks about descriptors and writes one winsize of ours.
    let (terminals, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        let asked = libc::ioctl(1, libc::TIOCGWINSZ, &mut size);
        ([0, 1, 2].map(|fd| libc::isatty(fd)), (asked, size.ws_row, size.ws_col))
    };
    print!("@{terminals:?} {size:?} ");
    println!("{}", std::env::var("TERM").unwrap_or_default());
    eprintln!("@this is the other stream");
    for number in 0..lines {
        println!("line {number}");
    }
}

/// Is weft's helper in a terminal.
fn helper() {
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let [_, _, socket, _, program, args @ ..] = words.as_slice() else { panic!("{words:?}") };
    // What it becomes plays another role.
    // SAFETY: this process has no other thread.
    unsafe { std::env::set_var(ROLE, std::env::var("WEFT_TEST_NEXT_ROLE").unwrap_or_default()) };
    eprintln!("{}", weft_process::become_program(socket.as_ref(), None, program.as_ref(), args));
    std::process::exit(1);
}

/// How to launch this binary in a role.
pub(crate) fn spec(role: &str) -> LaunchSpec {
    LaunchSpec {
        program: std::env::current_exe().unwrap(),
        env: vec![(ROLE.into(), Some(role.into()))],
        stdin: Stdin::Pipe,
        output: Output::Pipes,
        ..LaunchSpec::default()
    }
}

/// A process in a role that nobody traces yet; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn hear(&mut self) -> String {
        hear(&mut self.stdout)
    }

    pub(crate) fn tell(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The next line that the role wrote (libtest writes others).
pub(crate) fn hear(from: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(from.read_line(&mut line).unwrap(), 0, "the debuggee said no more");
        if let Some((_, said)) = line.split_once('@') {
            return said.trim().to_owned();
        }
    }
}

/// A debuggee's output as a reader.
pub(crate) fn reader(end: Option<OutputEnd>) -> BufReader<OutputEnd> {
    BufReader::new(end.unwrap())
}

/// A debuggee's pipe as a writer.
pub(crate) fn writer(fd: Option<OwnedFd>) -> std::fs::File {
    fd.unwrap().into()
}

/// Everything that is left in a pipe.
pub(crate) fn rest(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
