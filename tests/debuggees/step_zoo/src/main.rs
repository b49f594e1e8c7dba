//! What steps go through: calls that are hard to choose from, panics, forks, signals, threads. No dependencies, so that it
//! can be compiled by hand. `// BP: name` marks lines.

mod tasks;

use std::fmt;
use std::hint::black_box;
use std::ops::{Add, Deref};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

fn main() {
    let role = std::env::args().nth(1).unwrap_or_default();
    match role.as_str() {
        "into" => println!("{}", into(black_box(3))),
        "inlining" => println!("{}", inlining(black_box(3))),
        "tail" => println!("{}", tail(black_box(3))),
        "panics" => println!("{}", panics()),
        "threads" => threads(),
        "statements" => println!("{}", statements(4)),
        "question" => println!("{:?} {:?}", question("7"), question("x")),
        "moved" => println!("{}", moved(5)),
        "signals" => signals(),
        "own_trap" => own_trap(),
        "raised" => raised(),
        "headless" => headless(),
        "forks" => forks(),
        "vforks" => vforks(),
        "clones" => clones(),
        "daemon" => daemon(),
        "child" => child_main(),
        "instructions" => println!("{}", instructions(9)),
        "siblings" | "racing" | "often" => tasks::run(&role),
        _ => println!("no role"),
    }
}

// Calls.

struct Wrapped(u32);

impl Deref for Wrapped {
    type Target = u32;

    fn deref(&self) -> &u32 {
        black_box(&self.0) // BP: deref
    }
}

#[derive(Clone, Copy)]
struct Money(u32);

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Money(self.0 + other.0) // BP: add
    }
}

impl From<u32> for Money {
    fn from(amount: u32) -> Self {
        Money(amount + 1) // BP: from
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} coins", self.0) // BP: display
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        black_box(self.0); // BP: drop
    } // BP: drop end
}

trait Shape {
    fn area(&self) -> u32;
}

impl Shape for Money {
    fn area(&self) -> u32 {
        self.0 * 2 // BP: area
    }
}

fn double(x: u32) -> u32 {
    x * 2 // BP: double
}

fn triple(x: u32) -> u32 {
    x * 3 // BP: triple
}

fn sum(a: u32, b: u32) -> u32 {
    a + b // BP: sum
} // BP: sum end

fn into(start: u32) -> u32 {
    let wrapped = Wrapped(start); // BP: into start
    let nested = sum(double(start), triple(start)); // BP: into nested
    let through = double(*wrapped); // BP: into deref
    let text = String::from("text"); // BP: into std
    let owned = double(text.clone().len() as u32); // BP: into clone
    let money = Money(1) + Money(2); // BP: into add
    let made: Money = 5.into(); // BP: into from
    let shape: Box<dyn Shape> = Box::new(made); // BP: into box
    let area = shape.area(); // BP: into dyn
    let mapped: u32 = [1, 2, 3].iter().map(|x| x + area).sum(); // BP: into closure
    let shown = format!("{money}"); // BP: into display
    drop(wrapped); // BP: into drop
    nested + through + owned + mapped + shown.len() as u32 // BP: into end
} // BP: into close

#[inline(always)]
fn inlined(x: u32) -> u32 {
    let y = black_box(x + 1); // BP: inlined start
    y * 2 // BP: inlined end
}

#[inline(never)]
fn inlining(start: u32) -> u32 {
    let a = inlined(start) + inlined(triple(start)); // BP: inlining start
    let b = inlined(a); // BP: inlining more
    a + b // BP: inlining end
}

/// Optimised, its last call is a jump.
#[inline(never)]
fn tail(x: u32) -> u32 {
    tail_target(x + 1) // BP: tail call
}

#[inline(never)]
fn tail_target(x: u32) -> u32 {
    black_box(x); // BP: tail target
    x * 2 // BP: tail target end
}

#[rustfmt::skip]
fn statements(n: u32) -> u32 {
    let a = double(n); let b = triple(n); let c = a + b; // BP: statements
    c + 1 // BP: statements end
}

fn question(text: &str) -> Result<i32, std::num::ParseIntError> {
    let number: i32 = text.parse()?; // BP: question
    let more = number + 1; // BP: question more
    Ok(more) // BP: question ok
} // BP: question end

// Panics.

struct Guard(&'static str);

static GUARDS: AtomicU32 = AtomicU32::new(0);

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.fetch_add(self.0.len() as u32, Ordering::Relaxed); // BP: guard
    }
}

fn panics() -> u32 {
    std::panic::set_hook(Box::new(|_| {})); // BP: panics start
    let first = catch_unwind(|| deep(1)).is_err(); // BP: panics first
    let second = catch_unwind(outer).is_err(); // BP: panics second
    let third = survives(); // BP: panics third
    u32::from(first) + u32::from(second) + third // BP: panics end
}

fn outer() {
    let _guard = Guard("outer"); // BP: outer start
    deep(2); // BP: outer call
    println!("never"); // BP: outer never
}

#[rustfmt::skip]
fn deep(level: u32) {
    let _guard = Guard("deep"); // BP: deep start
    if level > 0 { // BP: deep if
        deep(level - 1); // BP: deep call
    }
    panic!("at level {level}"); // BP: deep panic
}

fn survives() -> u32 {
    let caught = catch_unwind(|| deep(0)).is_err(); // BP: survives call
    black_box(u32::from(caught)) // BP: survives end
}

// Moves.

#[rustfmt::skip]
fn moved(n: u32) -> u32 {
    let mut sum = 0; // BP: moved start
    for round in 0..n { // BP: moved for
        sum += scaled(round, n); // BP: moved body
    }
    sum // BP: moved end
}

fn scaled(value: u32, by: u32) -> u32 {
    let product = value * by; // BP: scaled start
    let more = product + 1; // BP: scaled more
    double(more) / 2 // BP: scaled end
} // BP: scaled close

fn instructions(n: u64) -> u64 {
    let text = [7_u8; 64]; // BP: instructions start
    let copy = black_box(text);
    n + u64::from(copy[3]) // BP: instructions end
}

// Threads.

static WORKED: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

fn threads() {
    let barrier = Arc::new(Barrier::new(3));
    let workers: Vec<_> = (0..2)
        .map(|number| {
            let barrier = barrier.clone();
            std::thread::spawn(move || {
                barrier.wait();
                work(number);
            })
        })
        .collect();
    barrier.wait();
    for (number, worker) in workers.into_iter().enumerate() {
        let ended = worker.join().is_ok(); // BP: threads join
        println!("worker {number}: {ended}"); // BP: threads told
    }
    println!("{}", WORKED.iter().map(|worked| worked.load(Ordering::Relaxed)).sum::<u32>());
}

fn work(number: usize) {
    for _ in 0..1000 {
        let before = WORKED[number].fetch_add(1, Ordering::Relaxed); // BP: work
        black_box(before); // BP: work more
    }
}

// The operating system.

unsafe extern "C" {
    fn syscall(number: i64, ...) -> i64;
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn raise(number: i32) -> i32;
    fn kill(pid: i32, number: i32) -> i32;
    fn getpid() -> i32;
    fn fork() -> i32;
    fn vfork() -> i32;
    fn clone(body: extern "C" fn(*mut u8) -> i32, stack: *mut u8, flags: i32, argument: *mut u8) -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn setsid() -> i32;
    fn execv(path: *const std::ffi::c_char, arguments: *const *const std::ffi::c_char) -> i32;
    fn _exit(status: i32) -> !;
}

/// What the system does with a signal.
///
/// # Safety
/// The number is a signal's.
unsafe fn signal_default(number: i32) {
    type Handler = extern "C" fn(i32);
    // SAFETY: the same function, whose handler is a pointer or 0 (`SIG_DFL`).
    let set: unsafe extern "C" fn(i32, usize) -> usize = unsafe {
        std::mem::transmute::<unsafe extern "C" fn(i32, Handler) -> usize, _>(
            signal as unsafe extern "C" fn(i32, Handler) -> usize,
        )
    };
    // SAFETY: numbers only.
    unsafe { set(number, 0) };
}

static CAUGHT: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(number: i32) {
    CAUGHT.fetch_add(1, Ordering::Relaxed); // BP: handler
    black_box(number); // BP: handler more
}

/// Sends itself signals of several kinds, all of which it has a handler for.
fn signals() {
    let numbers = [2, 10, 17, 36, 64];
    for number in numbers {
        // SAFETY: the handler only counts.
        unsafe { signal(number, on_signal) };
    }
    let before = CAUGHT.load(Ordering::Relaxed); // BP: signals start
    for number in numbers {
        // SAFETY: numbers only.
        unsafe { kill(getpid(), number) }; // BP: signals kill
    }
    println!("{} caught", CAUGHT.load(Ordering::Relaxed) - before); // BP: signals end
}

/// An `int3` of its own, with a handler and without.
fn own_trap() {
    // SAFETY: the handler only counts.
    unsafe { signal(5, on_signal) };
    // SAFETY: the handler returns behind it.
    unsafe { std::arch::asm!("int3") }; // BP: caught trap
    println!("{} caught", CAUGHT.load(Ordering::Relaxed));
    // SAFETY: back to what the system does.
    unsafe { signal_default(5) };
    // SAFETY: it ends the program, or stops it in a debugger.
    unsafe { std::arch::asm!("int3") }; // BP: own trap
    println!("behind"); // BP: behind trap
}

/// The first thread ends, and another one reads until there is nothing more.
fn headless() {
    std::thread::spawn(|| {
        let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(if read.is_ok() { 7 } else { 1 }); // BP: headless
    });
    // SAFETY: ends this thread alone (`exit`), which holds nothing.
    unsafe { syscall(60, 0) };
}

fn raised() {
    // SAFETY: it ends the program.
    unsafe { raise(5) }; // BP: raised
    println!("behind");
}

fn in_child(number: u32) -> u32 {
    black_box(number) + 1 // BP: in child
}

fn status_of(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: waits for a child of ours; the status is written to a local.
    let of = unsafe { waitpid(child, &mut status, 0) };
    assert_eq!(of, child);
    status
}

#[rustfmt::skip]
fn forks() {
    in_child(0); // BP: forks first
    // SAFETY: the child only computes and ends.
    let child = unsafe { fork() }; // BP: forks fork
    if child == 0 { // BP: forks if
        let status = in_child(41);
        // SAFETY: ends the child.
        unsafe { _exit(status as i32) };
    }
    let status = status_of(child); // BP: forks wait
    println!("child: {status:x}"); // BP: forks end
}

/// `vfork` and an exec, and what the standard library makes of a command.
fn vforks() {
    let me = std::ffi::CString::new(std::env::current_exe().unwrap().to_str().unwrap()).unwrap();
    let arguments = [me.as_ptr(), c"child".as_ptr(), std::ptr::null()];
    // SAFETY: the child does nothing but execute a program or end.
    let child = unsafe { vfork() }; // BP: vforks fork
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            execv(me.as_ptr(), arguments.as_ptr());
            _exit(1);
        }
    }
    let status = status_of(child); // BP: vforks wait
    println!("vforked: {status:x}"); // BP: vforks told
    let status = std::process::Command::new(std::env::current_exe().unwrap()).arg("child").status().unwrap();
    println!("spawned: {:?}", status.code()); // BP: vforks end
}

fn child_main() {
    let status = in_child(6); // BP: child main
    std::process::exit(status as i32); // BP: child end
}

extern "C" fn cloned(argument: *mut u8) -> i32 {
    // SAFETY: what `clones` passes: a number that outlives us.
    unsafe { argument.cast::<AtomicU32>().as_ref().unwrap().store(77, Ordering::Relaxed) };
    21
}

/// A process that shares all memory and is no thread.
fn clones() {
    const CLONE_VM: i32 = 0x100;
    const SIGCHLD: i32 = 17;
    in_child(0); // BP: clones first
    let number = AtomicU32::new(0);
    let mut stack = vec![0_u8; 1 << 16];
    // SAFETY: the stack and the number outlive the child, which is waited for.
    let child = unsafe {
        let top = stack.as_mut_ptr().add(stack.len()).map_addr(|top| top & !15);
        clone(cloned, top, CLONE_VM | SIGCHLD, (&raw const number).cast_mut().cast())
    };
    let status = status_of(child); // BP: clones wait
    in_child(1);
    println!("cloned: {status:x} {}", number.load(Ordering::Relaxed));
}

/// Leaves its parent twice, as daemons do, and tells through a pipe.
fn daemon() {
    use std::io::Read;
    let (mut read, write) = std::io::pipe().unwrap();
    in_child(0); // BP: daemon first
    // SAFETY: the children only fork, compute, write and end.
    let child = unsafe { fork() };
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            setsid();
            if fork() == 0 {
                use std::io::Write;
                (&write).write_all(&[in_child(8) as u8]).unwrap();
            }
            _exit(0);
        }
    }
    drop(write);
    let mut told = Vec::new();
    read.read_to_end(&mut told).unwrap();
    println!("daemon: {told:?} {:x}", status_of(child)); // BP: daemon end
}
