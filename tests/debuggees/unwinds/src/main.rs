//! Stacks that are not easy to follow: `unwinds WAY [NUMBER]`.

mod assembly;
mod signals;

use std::hint::black_box;

fn main() {
    let mut args = std::env::args().skip(1);
    let way = args.next().unwrap_or_default();
    let number = args.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    match way.as_str() {
        "handler" => signals::on_the_same_stack(),           // BP: handler
        "altstack" => signals::on_another_stack(),           // BP: altstack
        "bare" => signals::through_a_bare_trampoline(),      // BP: bare
        "nested" => signals::within_one_another(),           // BP: nested
        "null" => call_nothing(black_box(std::ptr::null())), // BP: null
        "leaf" => assembly::leaf(),                          // BP: leaf
        "naked" => assembly::naked(),                        // BP: naked
        "framed" => assembly::framed(),                      // BP: framed
        "pointer" => assembly::by_frame_pointer(),           // BP: pointer
        "generated" => assembly::generated(),                // BP: generated
        "lost" => assembly::lost(),
        "stub" => assembly::stub(),                // BP: stub
        "deep" => println!("{}", descend(number)), // BP: deep
        "overflow" => overflow(),
        "clock" => watch_the_clock(),
        other => panic!("no such way: {other:?}"),
    }
}

#[inline(never)]
fn call_nothing(nothing: *const u8) {
    // SAFETY: none: this is the fault that is looked at.
    let function: extern "C" fn(i32) = unsafe { std::mem::transmute(nothing.wrapping_add(black_box(0))) };
    function(black_box(7)); // BP: nothing
    println!("not reached");
}

/// What assembly calls back.
#[unsafe(no_mangle)]
extern "C" fn called_back(number: u64) -> u64 {
    println!("called back with {number}"); // BP: called back
    number + 1
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == 0 {
        println!("at the bottom"); // BP: bottom
        return 0;
    }
    black_box(descend(black_box(depth - 1))) + 1 // BP: descend
}

/// Needs a stack that has an end, whatever the shell allows.
fn overflow() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes and reads a structure of ours.
    let set = unsafe {
        libc::getrlimit(libc::RLIMIT_STACK, &mut limit);
        limit.rlim_cur = 4 << 20;
        libc::setrlimit(libc::RLIMIT_STACK, &limit)
    };
    assert_eq!(set, 0);
    println!("{}", descend(u64::MAX));
}

#[inline(never)]
fn watch_the_clock() {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    for _ in 0..1000 {
        // SAFETY: writes to a structure of ours.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }; // BP: clock
    }
    println!("it was {}", now.tv_sec);
}
