//! Calls that a running program makes in our name, after which it goes on as if it had not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use common::Running;
use weft_memory::MemAddr;
use weft_process::{Borrowed, By, Calls, Placed, ProcessError, Rest, Word, process_state};

/// How long anything may take on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a role says of itself: `name=number` words.
fn told(running: &mut Running) -> HashMap<String, u64> {
    let said = running.hear();
    let words = said.split(' ').map(|word| word.split_once('=').unwrap());
    words.map(|(name, number)| (name.to_owned(), number.parse().unwrap())).collect()
}

fn tid(told: &HashMap<String, u64>) -> i32 {
    i32::try_from(told["tid"]).unwrap()
}

/// One call of the role's function with 1 to 6, on the round and in the routine; and where the answers will be.
fn calls(told: &HashMap<String, u64>) -> (Calls, [Word; 2]) {
    let mut calls = Calls::new(MemAddr::new(told["errno"]));
    let arguments: Vec<Word> = (1..=6).map(|number| calls.value(number)).collect();
    let answers = [calls.value(0), calls.value(0)];
    calls.call(By::Round, MemAddr::new(told["called"]), &arguments, answers[0]);
    calls.copy(By::Round, answers[0], answers[1]);
    (calls, answers)
}

/// Does something with a thread, as soon as it can be stopped: on a machine that is busy it may not come to that at once.
fn borrowed<T: Send>(pid: i32, tid: i32, errand: impl Fn(Borrowed) -> Result<T, ProcessError> + Send + Sync) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        match Borrowed::with(pid, tid, &errand) {
            Ok(done) => return done,
            Err(ProcessError::Unstoppable(_)) => assert!(Instant::now() < until, "it never stops"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn await_round(placed: &Placed) {
    let until = Instant::now() + DEADLINE;
    while !placed.has_passed() {
        assert!(Instant::now() < until, "the calls were not made");
        thread::yield_now();
    }
}

const ANSWER: u64 = 1 + 2 * 2 + 4 * 3 + 8 * 4 + 16 * 5 + 32 * 6;

#[test]
fn a_thread_finds_everything_as_it_was() {
    let mut running = Running::start("keeps");
    let told = told(&mut running);
    for _ in 0..50 {
        let (calls, answers) = calls(&told);
        let placed = borrowed(running.pid(), tid(&told), |mut held| {
            let placed = held.place(&calls)?;
            held.send(&placed)?;
            Ok(placed)
        });
        await_round(&placed);
        assert_eq!(answers.map(|answer| placed.word(answer)), [Some(ANSWER); 2]);
        assert_eq!(process_state(tid(&told)).unwrap().tracer, 0);
    }
    running.tell();
    assert_eq!(running.hear(), "0");
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn a_thread_that_waits_goes_on_waiting() {
    let mut running = Running::start("awaits");
    let told = told(&mut running);
    let until = Instant::now() + DEADLINE;
    for _ in 0..50 {
        let (calls, answers) = calls(&told);
        let placed = loop {
            let sent = borrowed(running.pid(), tid(&told), |mut held| {
                if !held.is_idle() {
                    return Ok(None);
                }
                assert!(!held.is_quiet(|| false)?, "it executes nothing of its own");
                let placed = held.place(&calls)?;
                held.send(&placed)?;
                Ok(Some(placed))
            });
            if let Some(placed) = sent {
                break placed;
            }
            assert!(Instant::now() < until, "it never waits");
        };
        await_round(&placed);
        assert_eq!(answers.map(|answer| placed.word(answer)), [Some(ANSWER); 2]);
    }
    running.tell();
    assert_eq!(running.hear(), "1 5");
    assert!(running.child.wait().unwrap().success());
}

/// The lock is held for a seventh of the time.
#[test]
fn a_quiet_thread_has_no_lock() {
    let mut running = Running::start("takes");
    let told = told(&mut running);
    let memory = File::open(format!("/proc/{}/mem", running.pid())).unwrap();
    let lock = || {
        let mut word = [0; 8];
        memory.read_exact_at(&mut word, told["lock"]).unwrap();
        u64::from_le_bytes(word)
    };
    let (mut taken, mut quiet) = (0, 0);
    let (until, mut tried) = (Instant::now() + DEADLINE, 0);
    while (taken < 3 || quiet < 20) && Instant::now() < until {
        tried += 1;
        let (before, after) = borrowed(running.pid(), tid(&told), |mut held| {
            let before = lock();
            Ok((before, held.is_quiet(|| false)?.then(&lock)))
        });
        taken += before;
        quiet += usize::from(after.is_some());
        assert_ne!(after, Some(1), "a thread with the lock was taken for quiet");
    }
    assert!(taken >= 3 && quiet >= 20, "of {tried}: {taken} with the lock, {quiet} quiet in the end");
    // Nothing of it is left in the thread where it is given up at any of the steps.
    for steps in [0, 1, 7, 100] {
        let left = AtomicUsize::new(steps);
        let is_over = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err();
        assert!(!borrowed(running.pid(), tid(&told), |mut held| held.is_quiet(is_over)), "{steps}");
    }
    running.tell();
    assert_eq!(running.hear(), "0");
}

#[test]
fn a_stopped_process_is_left_stopped() {
    let mut running = Running::start("awaits");
    let told = told(&mut running);
    let pid = running.pid();
    // SAFETY: kill takes numbers; the child is not collected.
    let signal = |signal| assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    let state = |wanted: char| {
        let until = Instant::now() + DEADLINE;
        while process_state(pid).unwrap().letter != wanted {
            assert!(Instant::now() < until, "not {wanted}");
            thread::yield_now();
        }
    };
    signal(libc::SIGSTOP);
    state('T');
    let refused = Borrowed::with(pid, tid(&told), |_| Ok(())).unwrap_err();
    assert!(matches!(refused, ProcessError::JobControl(of) if of == pid), "{refused}");
    state('T');
    signal(libc::SIGCONT);
    state('S');
    assert!(borrowed(pid, tid(&told), |held| Ok(held.is_idle())));
    running.tell();
    assert_eq!(running.hear(), "1 5");
}

#[test]
fn who_sleeps_in_one_place_rests() {
    let mut running = Running::start("awaits");
    let told = told(&mut running);
    let until = Instant::now() + DEADLINE;
    let rest = || Rest::of(running.pid(), tid(&told));
    let first = loop {
        if let Some(rest) = rest().filter(|now| rest().as_ref() == Some(now)) {
            break rest;
        }
        assert!(Instant::now() < until, "it never rests");
    };
    assert_eq!(rest(), Some(first.clone()));
    // To be stopped it is woken, and goes to sleep again.
    borrowed(running.pid(), tid(&told), |_| Ok(()));
    assert_ne!(rest(), Some(first));
    assert_eq!(Rest::of(running.pid(), i32::MAX), None);
}
