//! Sixty-four threads that come and go, and a client that sets and clears breakpoints, steps, pauses and looks at random:
//! every hit is accounted for, and the program does not notice.
//!
//! `WEFT_STRESS_SEED` repeats a session; `WEFT_STRESS_SECONDS` lets each test go on, seed after seed, for that long.

mod board;
mod random;
mod session;
mod terms;
mod watched;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_tests::programs::{Profile, program};
use weft_tests::{Client, code, process};

pub(crate) use board::Board;
use board::{Account, MARKERS};
use session::Session;
use terms::{Condition, Hits, Terms};

const LANES: u64 = 64;
const LIVES: u64 = 3;
const TURNS: u64 = 60;

#[test]
fn every_hit_of_a_crowd_is_accounted_for() {
    each_seed(100, |seed| launched(seed, &[]));
}

#[test]
fn a_crowd_with_signals_and_children_is_accounted_for() {
    each_seed(200, |seed| launched(seed, &["ticks", "forks"]));
}

#[test]
fn a_crowd_goes_on_when_it_is_let_go() {
    each_seed(300, |seed| attached(seed, &[]));
}

#[test]
fn a_crowd_with_signals_and_children_goes_on_when_it_is_let_go() {
    each_seed(400, |seed| attached(seed, &["ticks", "forks"]));
}

/// Runs sessions with different seeds: two, or as many as there is time for.
fn each_seed(first: u64, session: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let given = number("WEFT_STRESS_SEED");
    let deadline = number("WEFT_STRESS_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first = given.unwrap_or(first);
    let mut seed = first;
    loop {
        let told = Told(seed);
        session(seed);
        drop(told);
        seed += 1;
        let is_over = deadline.map_or(given.is_some() || seed == first + 2, |deadline| Instant::now() >= deadline);
        if is_over {
            return;
        }
    }
}

/// Tells which seed it was, if the session fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("WEFT_STRESS_SEED={} repeats what the client did", self.0);
        }
    }
}

/// What stays set, and is counted exactly: each kind of breakpoint.
fn steady() -> Vec<Terms> {
    let line = |marker: &str| MARKERS.iter().position(|known| *known == marker).expect("a marked line");
    vec![
        Terms::plain(line("born")),
        Terms { condition: Some(Condition::Is(77)), ..Terms::plain(line("exclusive")) },
        Terms { hits: Some(Hits::Each(700)), ..Terms::plain(line("called")) },
        Terms { condition: Some(Condition::Every(16, 5)), logs: true, ..Terms::plain(line("global")) },
        Terms { condition: Some(Condition::Below(64)), hits: Some(Hits::Each(100)), ..Terms::plain(line("looped")) },
        Terms { condition: Some(Condition::Never), ..Terms::plain(line("returned")) },
    ]
}

/// A program that is launched, with breakpoints set before it begins, and ends by itself.
fn launched(seed: u64, more: &[&str]) {
    let board = Board::new();
    let mut session = Session::new(Client::weft(), &board, seed);
    session.starts_programs = more.contains(&"forks");
    session.client.initialize();
    let numbers = [LANES, LIVES, TURNS].map(|number| number.to_string());
    let args: Vec<&str> =
        [board.path()].into_iter().chain(numbers.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    let launch = session.client.send("launch", json!({"program": program("crowd", Profile::Debug), "args": args}));
    session.client.event("initialized");
    session.set_steady(&steady(), false);
    session.client.ask("configurationDone", Value::Null);
    session.client.answer(launch).unwrap_or_else(|failure| panic!("launch failed: {failure:?}"));
    session.pid = session.client.debuggee();
    assert!(session.run(u64::MAX), "the program ran to its end");
    assert_eq!(session.client.exited(), 0);
    let finished = format!("finished {} wrong 0", LANES * LIVES);
    assert!(session.client.output("stdout").contains(&finished), "{}", session.client.output("stdout"));
    let end = board.read();
    check_ended(&end, more);
    assert_eq!(end.finished(), LANES * LIVES);
    report(&mut session, seed);
}

/// A program that runs already, is debugged for a while, and let go in the midst of it.
fn attached(seed: u64, more: &[&str]) {
    let board = Board::new();
    let args: Vec<&str> = [board.path(), "64", "0", "2000"].into_iter().chain(more.iter().copied()).collect();
    let mut crowd = process::Guarded::start(&program("crowd", Profile::Debug), &args, &[]);
    crowd.wait_for("running");
    let mut session = Session::new(Client::weft(), &board, seed);
    session.starts_programs = more.contains(&"forks");
    session.client.attach(crowd.pid());
    session.pid = crowd.pid();
    // Every other time it stands while it is taken and let go, which leaves no doubt about what ran meanwhile.
    let stands = seed % 2 == 1;
    if stands {
        let stop = session.client.pause();
        session.set_steady(&steady(), true);
        session.client.resume(stop.thread);
    } else {
        session.set_steady(&steady(), true);
    }
    assert!(!session.run(120), "the program goes on as long as it is debugged");
    if !stands {
        session.client.resume(i64::from(crowd.pid()));
    }
    session.detach(stands);
    assert_eq!(process::tracer(crowd.pid()), Some(0));
    assert!(code::check_unchanged(crowd.pid()) > 0);
    crowd.say("enough\n");
    assert!(crowd.wait_for("finished").ends_with("wrong 0\n"));
    assert!(crowd.ended().success());
    check_ended(&board.read(), more);
    report(&mut session, seed);
}

/// The program's own account is whole.
fn check_ended(end: &Account, more: &[&str]) {
    end.check_unharmed();
    for (line, marker) in MARKERS.iter().enumerate() {
        for key in 0..board::KEYS {
            assert_eq!(end.before(line, key), end.after(line, key), "{marker} {key}");
        }
    }
    assert_eq!((end.ticks() > 0, end.children() > 0), (more.contains(&"ticks"), more.contains(&"forks")));
}

fn report(session: &mut Session<'_>, seed: u64) {
    let lines = session.check();
    println!("seed {seed}: {} stops, {} breakpoints\n  {}", session.stops, lines.len(), lines.join("\n  "));
}
