//! Taking hold of processes in every state, and letting go of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{Running, hear};
use weft_process::{Ended, Pid, Tracee, Wait, WaitEvent, process_state};

/// Lets everything run until `events` events have been seen, handling none but what must be.
fn run_for(tracee: &mut Tracee, events: usize) {
    tracee.resume_all();
    for _ in 0..events {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Signal { tid, signal }) => tracee.resume(tid, signal).unwrap(),
            Wait::Event(event) => {
                if let Some(tid) = event.stopped_thread() {
                    let _gone = tracee.resume(tid, 0);
                }
            }
            Wait::Woken => {}
        }
    }
}

/// The threads that exist, by number, while all are stopped.
fn listed(pid: i32) -> Vec<i32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut tids: Vec<i32> =
        entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    tids.sort_unstable();
    tids
}

#[test]
fn five_hundred_threads_are_taken_and_let_go() {
    let mut crowd = Running::start("crowd:500");
    let pid = crowd.pid();
    crowd.hear();
    for round in 0..3 {
        let begun = Instant::now();
        let mut tracee = Tracee::attach(pid).unwrap();
        let took = begun.elapsed();
        let tids = listed(pid);
        assert!(tids.len() >= 502, "{} threads", tids.len());
        for tid in &tids {
            let state = process_state(*tid).unwrap();
            assert_eq!(state.tracer, gettid(), "thread {tid} is not ours");
            assert!(matches!(state.letter, 't' | 'Z' | 'X'), "thread {tid} runs: {}", state.letter);
        }
        // Those that are on their way out are listed by the kernel and not by us.
        assert!(tids.len() - tracee.threads().len() <= 2);
        run_for(&mut tracee, 100);
        let begun = Instant::now();
        tracee.detach().unwrap();
        println!("round {round}: attached in {took:?}, detached in {:?}", begun.elapsed());
        crowd.tell();
        assert_eq!(crowd.hear(), "all");
    }
}

#[test]
fn no_thread_that_is_being_born_escapes() {
    let mut churn = Running::start("churn:16");
    churn.hear();
    let pid = churn.pid();
    for round in 0..60 {
        let mut tracee = Tracee::attach(pid).unwrap();
        for tid in listed(pid) {
            // One that has ended since is nobody's.
            if let Ok(state) = process_state(tid) {
                assert!(
                    state.tracer == gettid() || "ZX".contains(state.letter),
                    "thread {tid} escaped in round {round}"
                );
            }
        }
        tracee.detach().unwrap();
    }
}

/// A list of threads ends early when one of them dies while it is read: what was not listed must be found all the same. And
/// whoever was on the way out when it was let go must not stay.
#[test]
fn threads_that_last_no_longer_than_a_moment_are_all_taken_and_all_let_go() {
    let mut relay = Running::start("relay:32");
    let pid = relay.pid();
    assert_eq!(relay.hear(), "running");
    for round in 0..30 {
        let mut tracee = Tracee::attach(pid).unwrap();
        let (tids, own) = (listed(pid), gettid());
        let strangers: Vec<i32> = tids.iter().copied().filter(|tid| tracer(*tid).is_some_and(|of| of != own)).collect();
        assert_eq!(strangers, Vec::<i32>::new(), "round {round}: of {} threads", tids.len());
        run_for(&mut tracee, 20);
        tracee.detach().unwrap();
        let kept: Vec<i32> = tids.into_iter().filter(|tid| tracer(*tid) == Some(own)).collect();
        assert_eq!(kept, Vec::<i32>::new(), "round {round}: still ours");
    }
    assert_ends(relay);
}

fn tracer(tid: i32) -> Option<i32> {
    process_state(tid).ok().map(|state| state.tracer)
}

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

fn signal(pid: Pid, signal: i32) {
    // SAFETY: takes numbers; the process is our child and not collected.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// Waits until the process is in one of these states.
fn await_state(pid: Pid, letters: &str) {
    let begun = Instant::now();
    while !letters.contains(process_state(pid).unwrap().letter) {
        assert!(begun.elapsed() < PATIENCE, "it is {:?}", process_state(pid));
        thread::yield_now();
    }
}

/// A process that was stopped by a user.
fn stopped() -> Running {
    let mut running = Running::start("wait");
    assert_eq!(running.hear(), "ready");
    signal(running.pid(), libc::SIGSTOP);
    await_state(running.pid(), "T");
    running
}

/// Lets go of standard input, which ends a process that runs.
fn assert_ends(mut running: Running) {
    drop(running.stdin.take());
    assert_eq!(hear(&mut running.stdout), "end");
}

#[test]
fn a_stopped_process_stays_stopped() {
    let running = stopped();
    for resume in [false, true] {
        let mut tracee = Tracee::attach(running.pid()).unwrap();
        assert!(tracee.is_in_job_control_stop());
        assert_eq!(process_state(running.pid()).unwrap().letter, 't');
        if resume {
            tracee.resume_all();
            // It is ours to run, and does not.
            tracee.stop_all().unwrap();
            assert!(tracee.is_in_job_control_stop());
            tracee.resume_all();
        }
        tracee.detach().unwrap();
        await_state(running.pid(), "T");
    }
    signal(running.pid(), libc::SIGCONT);
    assert_ends(running);
}

#[test]
fn a_stopped_process_goes_on_when_it_is_told_to_while_we_have_it() {
    let running = stopped();
    let mut tracee = Tracee::attach(running.pid()).unwrap();
    tracee.resume_all();
    signal(running.pid(), libc::SIGCONT);
    // Its stop is over, and the signal passes by.
    loop {
        if let Wait::Event(WaitEvent::Signal { tid, signal: libc::SIGCONT }) = tracee.wait().unwrap() {
            tracee.resume(tid, libc::SIGCONT).unwrap();
            break;
        }
    }
    assert!(!tracee.is_in_job_control_stop());
    tracee.detach().unwrap();
    assert_ends(running);
}

#[test]
fn a_process_that_was_stopped_for_us_goes_on_with_us() {
    let running = stopped();
    let mut tracee = Tracee::attach(running.pid()).unwrap();
    tracee.end_job_control_stop().unwrap();
    // Held by us, not by the stop.
    assert_eq!(process_state(running.pid()).unwrap().letter, 't');
    assert!(!tracee.is_in_job_control_stop());
    tracee.resume_all();
    let mut running = running;
    drop(running.stdin.take());
    loop {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Exited(ended)) => break assert_eq!(ended, Ended::Code(0)),
            Wait::Event(WaitEvent::Signal { tid, signal }) => tracee.resume(tid, signal).unwrap(),
            _ => {}
        }
    }
    assert_eq!(hear(&mut running.stdout), "end");
}

/// Detached before it ran at all.
#[test]
fn a_process_that_was_stopped_for_us_goes_on_without_us() {
    let running = stopped();
    let mut tracee = Tracee::attach(running.pid()).unwrap();
    tracee.end_job_control_stop().unwrap();
    tracee.detach().unwrap();
    assert_ends(running);
}

fn gettid() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::gettid() }
}
