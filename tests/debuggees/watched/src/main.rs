//! Data that changes: `watched`.

use std::hint::black_box;
use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

#[repr(C, packed)]
struct Packed {
    tag: u8,
    value: u32,
}

fn main() {
    set_hook(Box::new(|_| {})); // BP: begin
    let sum = sum(4) + sum(2);
    many(); // BP: after sum
    packed();
    assert!(catch_unwind(|| fails(1)).is_err());
    black_box(sum); // BP: after fails
    count();
    child();
    println!("{sum} {}", COUNT.load(Ordering::Relaxed)); // BP: end
}

fn sum(n: u64) -> u64 {
    let mut total: u64 = 0; // BP: sum begins
    for i in 1..=n {
        total += i; // BP: adds
    }
    total
}

fn many() {
    let (mut a, mut b, mut c, mut d, mut e) = (1_u64, 2_u32, 3_u16, 4_u8, 5_i64);
    black_box((&mut a, &mut b, &mut c, &mut d, &mut e)); // BP: many
    a += 1; // BP: change a
    e -= 6;
    black_box((a, b, c, d, e)); // BP: many end
}

fn packed() {
    let mut packed = Packed { tag: 1, value: 2 };
    black_box(&mut packed); // BP: packed
    packed.tag = 2;
    packed.value = 300_000;
    black_box(&packed); // BP: packed end
}

fn fails(n: i32) {
    let mut local = n;
    black_box(&mut local); // BP: fails
    local += 1;
    assert_eq!(black_box(local), 1);
}

/// Two threads that begin later, one after the other.
fn count() {
    for _ in 0..2 {
        // BP: count
        std::thread::spawn(|| COUNT.fetch_add(5, Ordering::Relaxed)).join().unwrap();
    }
}

/// A process that writes its own copy.
fn child() {
    // SAFETY: the child makes nothing but plain writes and its exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            COUNT.fetch_add(1, Ordering::Relaxed);
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(pid, &mut status, 0);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:#x}");
    }
}
