//! What is left behind when the debugger is killed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    fs::File,
    io::Write,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use common::{Running, weft_test_elsewhere, weft_test_target};
use weft_process::{Pid, ProcessError, Tracee, process_state};

const PATIENCE: Duration = Duration::from_secs(60);

/// A debugger in a process of its own, which holds `victim`.
fn debugger(role: &str, victim: &Running, traps: &[u64]) -> Running {
    let mut debugger = Running::start(&format!("{role}:{}", victim.pid()));
    let words: Vec<String> = traps.iter().map(u64::to_string).collect();
    writeln!(debugger.stdin.as_mut().unwrap(), "{}", words.join(" ")).unwrap();
    assert_eq!(debugger.hear(), "ready");
    debugger
}

fn byte(pid: Pid, address: u64) -> u8 {
    let mut byte = [0];
    File::open(format!("/proc/{pid}/mem")).unwrap().read_exact_at(&mut byte, address).unwrap();
    byte[0]
}

/// This binary's own byte at a function.
fn original(function: *const ()) -> u8 {
    byte(std::process::id().cast_signed(), function as u64)
}

/// The numbers of guardians that hold a process's memory open.
fn guardians(of: Pid) -> Vec<Pid> {
    // By the first thread's number, and not that of one which is gone before anybody looks.
    let is_its = |link: std::path::PathBuf| link == std::path::Path::new(&format!("/proc/{of}/mem"));
    let is_one = |pid: &Pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "weft-guardian")
            && std::fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(is_its)
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::yield_now();
    }
}

/// Where the functions lie in a process of this binary, of which one is known.
fn elsewhere(target: u64) -> u64 {
    target.wrapping_add(weft_test_elsewhere as *const () as u64).wrapping_sub(weft_test_target as *const () as u64)
}

#[test]
fn a_process_that_stands_goes_on_with_its_own_code() {
    let mut victim = Running::start("crowd:4");
    let target: u64 = victim.hear().parse().unwrap();
    for _ in 0..10 {
        let traps = [target, elsewhere(target)];
        let mut debugger = debugger("holds", &victim, &traps);
        // There is no trap in memory, so there is no race.
        assert_eq!(byte(victim.pid(), target), original(weft_test_target as *const ()));
        debugger.child.kill().unwrap();
        debugger.child.wait().unwrap();
        victim.tell();
        assert_eq!(victim.hear(), "all");
    }
    until("the guardians leave", || guardians(victim.pid()).is_empty());
}

#[test]
fn a_process_that_stands_goes_on_without_being_watched() {
    let mut victim = Running::start("crowd:4");
    let target: u64 = victim.hear().parse().unwrap();
    for _ in 0..5 {
        let mut debugger = debugger("watches", &victim, &[target]);
        debugger.child.kill().unwrap();
        debugger.child.wait().unwrap();
        // One of them counts in what was watched: the first hit would end the program.
        victim.tell();
        assert_eq!(victim.hear(), "all");
    }
}

#[test]
fn the_code_is_restored_when_the_debugger_is_killed() {
    let mut victim = Running::start("crowd:4");
    let target: u64 = victim.hear().parse().unwrap();
    let trap = elsewhere(target);
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        let mut debugger = debugger("traps", &victim, &[trap]);
        assert_eq!(byte(victim.pid(), trap), 0xcc);
        until("there is a guardian", || guardians(victim.pid()).len() == 1);
        let own = guardians(victim.pid());
        // It is nobody's job and hears nothing but the end.
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            // SAFETY: takes numbers.
            assert_eq!(unsafe { libc::kill(own[0], signal) }, 0);
        }
        let begun = Instant::now();
        debugger.child.kill().unwrap();
        until("the byte comes back", || byte(victim.pid(), trap) == original(weft_test_elsewhere as *const ()));
        longest = longest.max(begun.elapsed());
        debugger.child.wait().unwrap();
        victim.tell();
        assert_eq!(victim.hear(), "all");
        until("the guardian leaves", || guardians(victim.pid()).is_empty());
    }
    println!("restored at the latest {longest:?} after the kill");
}

#[test]
fn a_guardian_is_small_and_leaves_with_its_debugger() {
    let mut victim = Running::start("crowd:2");
    victim.hear();
    let mut tracee = Tracee::attach(victim.pid()).unwrap();
    until("there is a guardian", || guardians(victim.pid()).len() == 1);
    let own = guardians(victim.pid());
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", own[0])).unwrap().count();
    until("it closes what is not its own", || descriptors() == 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", own[0])).unwrap();
    let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kilobytes: u64 = anonymous.trim().trim_end_matches(" kB").parse().unwrap();
    println!("a guardian has {kilobytes} kB of its own");
    assert!(kilobytes < 1024, "{kilobytes} kB");
    tracee.detach().unwrap();
    assert!(matches!(process_state(own[0]), Err(ProcessError::NoProcess(_))), "it is gone, and collected");
    victim.tell();
    assert_eq!(victim.hear(), "all");
}
