//! The ways a program meets its surroundings: `ends exit N`, `signal N`, `panic`, `echo`, `show NAME..`, `spin`.

use std::io::{BufRead, Write};

fn main() {
    let mut args = std::env::args().skip(1); // BP: main
    match args.next().as_deref() {
        Some("exit") => exit(args.next()),
        // SAFETY: raising a signal touches no memory of ours.
        Some("signal") => unsafe {
            libc::raise(number(args.next()));
        },
        Some("panic") => panic!("on purpose"),
        Some("echo") => echo(),
        Some("show") => show(args),
        Some("spin") => spin(),
        other => panic!("no such way to end: {other:?}"),
    }
}

fn number(text: Option<String>) -> i32 {
    text.and_then(|text| text.parse().ok()).expect("a number")
}

fn exit(code: Option<String>) {
    println!("to stdout");
    eprintln!("to stderr");
    std::process::exit(number(code)); // BP: exit
}

/// Repeats what it reads until the end of its input.
fn echo() {
    println!("reading");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line of text");
        println!("read {line}"); // BP: echo
        std::io::stdout().flush().expect("a working standard output");
    }
    println!("end of input");
}

fn show(names: impl Iterator<Item = String>) {
    let cwd = std::env::current_dir().expect("a working directory");
    println!("cwd {}", cwd.display());
    println!("args {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    for name in names {
        println!("{name} {:?}", std::env::var(&name).ok());
    }
}

/// Runs for ever, without sleeping long in any one call, and changes something a debugger can see.
fn spin() {
    println!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = turn(turns); // BP: spin
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[inline(never)]
fn turn(turns: u64) -> u64 {
    turns + 1 // BP: turn
}
