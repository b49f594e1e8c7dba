//! Traps are passed while they stay in and everybody else runs on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, io::Write};

use common::{Running, hear, reader, rest, spec, writer};
use weft_memory::{MemAddr, Memory};
use weft_process::{Ended, Launched, Tracee, Trap, Wait, WaitEvent};

/// Executes the instruction under a trap with all threads stopped, as it must be where no slot serves.
fn pass_stopped(tracee: &mut Tracee, tid: i32, address: MemAddr) {
    tracee.stop_all().unwrap();
    tracee.set_pc(tid, address).unwrap();
    tracee.lift(address).unwrap();
    tracee.step(tid, 0).unwrap();
    let mut others = Vec::new();
    loop {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Trapped { tid: stepped, trap: Trap::Step }) if stepped == tid => break,
            Wait::Event(WaitEvent::Signal { tid: of, signal }) if of == tid => {
                others.push(WaitEvent::Signal { tid, signal });
                tracee.step(tid, 0).unwrap();
            }
            Wait::Event(event) => others.push(event),
            Wait::Woken => {}
        }
    }
    tracee.plant(address).unwrap();
    others.into_iter().rev().for_each(|event| tracee.put_back(event));
    tracee.resume_all();
}

/// Lets it run until `done` says so or it ends, passing every trap; how often each was hit.
fn run(tracee: &mut Tracee, hits: &mut BTreeMap<MemAddr, u64>, refused: &mut u64) -> Ended {
    loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => {
                let (pc, _) = tracee.position(tid).unwrap();
                let address = pc.checked_sub(1).unwrap();
                *hits.entry(address).or_default() += 1;
                if !tracee.pass(tid, address).unwrap() {
                    *refused += 1;
                    pass_stopped(tracee, tid, address);
                }
            }
            WaitEvent::Exited(ended) => return ended,
            WaitEvent::Signal { tid, signal } => {
                assert_ne!(signal, libc::SIGTRAP);
                tracee.resume(tid, signal).unwrap();
            }
            event => {
                if let Some(tid) = event.stopped_thread().filter(|tid| tracee.is_stopped(*tid)) {
                    tracee.resume(tid, 0).unwrap();
                }
            }
        }
    }
}

/// Where the role wants traps: name and address.
fn places(said: &str) -> Vec<(String, MemAddr)> {
    let place = |word: &str| {
        let (name, at) = word.split_once('=').unwrap();
        (name.to_owned(), MemAddr::new(at.parse().unwrap()))
    };
    said.split(' ').map(place).collect()
}

fn all_kinds(role: &str, rounds: u64) -> (u64, String) {
    let Launched { mut tracee, stdout, stdin, .. } = Tracee::launch(&spec(&format!("{role}:{rounds}"))).unwrap();
    let (mut stdout, mut stdin) = (reader(stdout), writer(stdin));
    tracee.resume_all();
    let said = std::thread::spawn(move || {
        let said = hear(&mut stdout);
        (said, stdout)
    });
    // The role waits for its input: nothing happens but what says so.
    while !said.is_finished() {
        let waker = tracee.waker();
        waker.wake();
        if let Wait::Event(event) = tracee.wait().unwrap()
            && let Some(tid) = event.stopped_thread()
        {
            tracee.resume(tid, 0).unwrap();
        }
    }
    let (said, stdout) = said.join().unwrap();
    let places = places(&said);
    for (_, at) in &places {
        tracee.plant(*at).unwrap();
    }
    stdin.write_all(b"go\n").unwrap();
    let (mut hits, mut refused) = (BTreeMap::new(), 0);
    assert_eq!(run(&mut tracee, &mut hits, &mut refused), Ended::Code(0));
    for (name, at) in &places {
        let each = if name == "weft_refused" { 2 } else { 1 };
        assert_eq!((name, hits.get(at).copied().unwrap_or(0)), (name, 4 * rounds * each));
    }
    let mut rest = rest(stdout);
    (refused, rest.split_off(rest.rfind('@').unwrap() + 1))
}

#[test]
fn every_kind_of_instruction_is_passed_by_four_threads() {
    let (refused, said) = all_kinds("kinds", 500);
    assert_eq!(said.trim(), "0 0 0", "wrong results");
    assert_eq!(refused, 4 * 500 * 2, "only the loop is passed with all threads stopped");
}

#[test]
fn signals_find_the_program_where_it_would_be() {
    let (_, said) = all_kinds("kinds-signals", 500);
    let numbers: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!((numbers[0], numbers[2]), (0, 0), "wrong results, or handlers that saw a slot: {said}");
    assert!(numbers[1] > 10, "{said}");
}
