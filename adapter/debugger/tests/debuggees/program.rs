//! What the debugger's tests debug. Compiled by them with `rustc -g`; markers after `// M:` name lines.

use std::fmt::Debug;
use std::hint::black_box;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

fn main() {
    let role = std::env::args().nth(1); // M: main
    let number = |at| std::env::args().nth(at).and_then(|text| text.parse::<u64>().ok());
    let count = number(2).unwrap_or(0);
    match role.as_deref() {
        Some("loops") => loops(count),
        Some("steps") => println!("{}", outer(count)),
        Some("inlines") => println!("{}", inlines(count)),
        Some("generics") => println!("{} {}", measure(7u8), measure("seven")),
        Some("spin") => spin(),
        Some("churn") => churn(count, number(3).unwrap_or(50)),
        Some("fault") => fault(),
        Some("exit") => std::process::exit(i32::try_from(count).unwrap()),
        Some("signals") => signals(count),
        Some("loads") => loads(),
        Some("execs") => execs(),
        Some("many") => many(count),
        Some("maps") => maps(),
        Some("races") => println!("{}", race(count)),
        _ => println!("no role"),
    }
}

unsafe extern "C" {
    fn mmap(at: *mut u8, length: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut u8;
}

/// A page that nobody can write to: of a file that is open for reading, and shared.
fn maps() {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let own = 7_u64;
    // SAFETY: a new mapping, which only the debugger reads.
    let page = unsafe { mmap(std::ptr::null_mut(), 4096, 1, 1, std::os::fd::AsRawFd::as_raw_fd(&file), 0) };
    println!("{own} {}", page.addr() > 4096); // M: mapped
}

fn loops(each: u64) {
    let total = Arc::new(AtomicU64::new(0));
    let work = |total: &AtomicU64| {
        for index in 0..each {
            total.fetch_add(index, Ordering::Relaxed); // M: hit
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| work(&total));
        }
    });
    println!("{}", total.load(Ordering::Relaxed));
}

fn outer(start: u64) -> u64 {
    let a = start + 1; // M: outer_a
    let b = inner(a); // M: outer_b
    let c = recurse(3); // M: outer_c
    let d = apply(|x| { // M: outer_d
        x + a // M: closure
    });
    a + b + c + d // M: outer_end
} // M: outer_close

#[inline(always)]
fn always(x: u64) -> u64 {
    let y = x * 3; // M: always_y
    y + 1 // M: always_end
}

#[inline(never)]
fn inlines(start: u64) -> u64 {
    let a = always(start); // M: inlines_a
    let b = always(a); // M: inlines_b
    a + b // M: inlines_end
}

#[inline(never)]
fn inner(x: u64) -> u64 {
    let y = x * 2; // M: inner_y
    y + 1 // M: inner_end
} // M: inner_close

fn recurse(n: u64) -> u64 {
    if n == 0 { // M: rec_if
        return 0; // M: rec_zero
    }
    let below = recurse(n - 1); // M: rec_call
    below + 1 // M: rec_end
} // M: rec_close

fn apply(f: impl Fn(u64) -> u64) -> u64 {
    let given = 5; // M: apply_given
    f(given) // M: apply_call
} // M: apply_close

fn measure<T: Debug>(value: T) -> usize {
    let text = format!("{value:?}"); // M: generic
    text.len()
}

fn spin() {
    let stop = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (stop, rounds) = (stop.clone(), rounds.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    spun(&rounds);
                }
            })
        })
        .collect();
    println!("ready");
    let mut end = String::new();
    let _ = std::io::stdin().read_to_string(&mut end);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    println!("end");
}

fn spun(rounds: &AtomicU64) {
    rounds.fetch_add(1, Ordering::Relaxed); // M: spun
    thread::sleep(Duration::from_micros(200));
}

/// Threads that are born, count, and die: `width` at a time, `turns` one after the other.
fn churn(width: u64, turns: u64) {
    let total = Arc::new(AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                for _ in 0..turns {
                    let total = total.clone();
                    thread::spawn(move || born(&total)).join().unwrap();
                }
            });
        }
    });
    println!("{}", total.load(Ordering::Relaxed));
}

fn born(total: &AtomicU64) {
    total.fetch_add(1, Ordering::Relaxed); // M: born
}

fn fault() {
    let address = black_box(16 as *const u64);
    // SAFETY: none: this is the fault that the test waits for.
    let value = unsafe { address.read_volatile() }; // M: fault
    println!("{value}");
}

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn raise(number: i32) -> i32;
    fn setitimer(which: i32, new: *const [i64; 4], old: *mut [i64; 4]) -> i32;
}

static TICKS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_signal(_: i32) {
    TICKS.fetch_add(1, Ordering::Relaxed); // M: handler
}

/// A profiling timer ticks all the while; then one signal by hand.
fn signals(each: u64) {
    let total = AtomicU64::new(0);
    // SAFETY: the handler only adds to an atomic; the timer's value outlives the call.
    unsafe {
        signal(27, on_signal);
        setitimer(2, &[0, 500, 0, 500], std::ptr::null_mut());
    }
    for index in 0..each {
        total.fetch_add(index, Ordering::Relaxed); // M: ticked
    }
    // SAFETY: as above.
    unsafe {
        setitimer(2, &[0; 4], std::ptr::null_mut());
        raise(27);
    }
    println!("{} {}", total.load(Ordering::Relaxed), TICKS.load(Ordering::Relaxed) > 0);
}

/// Two threads in the same function; a step of one must not end in the other.
fn race(each: u64) -> u64 {
    let other = thread::spawn(move || (0..each * 20).map(outer).sum::<u64>());
    let mine: u64 = (0..each).map(stepped).sum(); // M: race
    mine + u64::from(other.join().unwrap() > 0)
}

fn stepped(n: u64) -> u64 {
    let first = n + 1; // M: stepped_a
    let second = inner(first); // M: stepped_b
    first + second // M: stepped_end
}

unsafe extern "C" {
    fn dlopen(path: *const std::ffi::c_char, flags: i32) -> *mut std::ffi::c_void;
    fn dlsym(library: *mut std::ffi::c_void, name: *const std::ffi::c_char) -> *mut std::ffi::c_void;
}

/// Loads the library named by the second argument and calls into it.
fn loads() {
    let path = std::ffi::CString::new(std::env::args().nth(2).unwrap()).unwrap();
    // SAFETY: the library is the tests' own; its function has this type.
    let loaded = unsafe {
        let library = dlopen(path.as_ptr(), 2);
        assert!(!library.is_null());
        let function = dlsym(library, c"loaded".as_ptr());
        std::mem::transmute::<*mut std::ffi::c_void, extern "C" fn(u64) -> u64>(function)
    };
    println!("{}", loaded(20)); // M: calls_library
}

/// Becomes another program, from a thread that is not the first.
fn execs() {
    use std::os::unix::process::CommandExt;
    let become_steps = || {
        let error = std::process::Command::new(std::env::current_exe().unwrap()).args(["steps", "1"]).exec(); // M: exec
        panic!("{error}");
    };
    thread::scope(|scope| scope.spawn(become_steps).join().unwrap());
}

/// Many threads that wait, and one that works.
fn many(waiting: u64) {
    let done = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..waiting)
        .map(|_| {
            let done = done.clone();
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    thread::park();
                }
            })
        })
        .collect();
    let total = AtomicU64::new(0);
    for index in 0..100 {
        total.fetch_add(index, Ordering::Relaxed); // M: worked
    }
    done.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.thread().unpark();
        thread.join().unwrap();
    }
    println!("{}", total.load(Ordering::Relaxed));
}
