//! Hits: which count, which stop, which are told, and what they cost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::{Session, line, place, source};
use weft_debugger::{Bound, Event, LineSpec, Reason, Settings, Stopped, Terms};

fn terms(condition: &str, hits: &str, log: &str) -> Terms {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Terms { condition: given(condition), hits: given(hits), log: given(log), in_focus: false }
}

fn set(session: &Session, marker: &str, terms: Terms) -> Bound {
    let wanted = LineSpec { line: line(marker), terms, ..LineSpec::default() };
    session.debugger.set_breakpoints(&source(), &[wanted]).unwrap().remove(0)
}

/// What came of a run: stops by thread, messages, exit status.
#[derive(Debug, Default)]
struct Outcome {
    stops: BTreeMap<i32, u64>,
    texts: Vec<String>,
    logs: Vec<String>,
    status: i32,
}

/// Goes on until the program has ended.
fn run_out(session: &mut Session) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        match session.next() {
            Event::Stopped(Stopped { reason: Reason::Breakpoint { text, .. }, tid, .. }) => {
                *outcome.stops.entry(tid).or_default() += 1;
                outcome.texts.extend(text);
                session.go();
            }
            Event::Log(text, at) => {
                assert!(at.is_some());
                outcome.logs.push(text);
            }
            Event::Exited(status) => {
                outcome.status = status;
                return outcome;
            }
            Event::Stopped(stopped) => panic!("stopped by {:?}", stopped.reason),
            Event::Killed(signal) => panic!("killed by {signal}"),
            _ => {}
        }
    }
}

fn run(role: &[&str], marker: &str, terms: Terms) -> (Outcome, String) {
    let mut session = Session::launch(role);
    let bound = set(&session, marker, terms);
    assert!(bound.verified, "{bound:?}");
    session.debugger.start(false).unwrap();
    let outcome = run_out(&mut session);
    assert_eq!(outcome.status, 0);
    (outcome, session.written())
}

/// Four threads, so many hits each, and exactly the last one of all stops, whichever thread makes it.
fn last_hit_of_four(each: u64, pin_threads: bool, condition: &str) {
    let settings = Settings { pin_threads, ..Settings::default() };
    let mut session = Session::launch_with(&["loops", &each.to_string()], settings);
    set(&session, "hit", terms(condition, &format!("=={}", each * 4), ""));
    session.debugger.start(false).unwrap();
    let begun = Instant::now();
    let stopped = session.stopped();
    let took = begun.elapsed();
    assert_eq!(place(&stopped), "hit");
    assert!(matches!(stopped.reason, Reason::Breakpoint { text: None, .. }));
    eprintln!(
        "four threads, pin_threads {pin_threads}, `{condition}`: {:.0} hits/s",
        each as f64 * 4.0 / took.as_secs_f64()
    );
    session.go();
    let outcome = run_out(&mut session);
    assert_eq!((outcome.stops.len(), outcome.status), (0, 0));
    assert_eq!(session.written(), format!("{}\n", 4 * (each * (each - 1) / 2)));
}

#[test]
fn four_threads_lose_no_hit_of_a_million() {
    last_hit_of_four(250_000, true, "");
}

#[test]
fn four_threads_on_their_own_cores_lose_no_hit() {
    last_hit_of_four(25_000, false, "index < 25_000");
}

#[test]
fn four_threads_lose_no_hit_whose_condition_is_true() {
    last_hit_of_four(250_000, true, "index < 250_000");
}

#[test]
fn hit_conditions_choose_among_the_hits() {
    for (condition, expected) in [("5", 1), (">=190", 11), (">190", 10), ("<3", 2), ("<=3", 3), ("%50", 4), ("==7", 1)]
    {
        let (outcome, _) = run(&["loops", "50"], "hit", terms("", condition, ""));
        assert_eq!(outcome.stops.values().sum::<u64>(), expected, "{condition}");
    }
}

#[test]
fn a_hit_counts_only_when_its_condition_is_true() {
    // Each of four threads has 25 even numbers below 50.
    let (outcome, _) = run(&["loops", "50"], "hit", terms("index % 2 == 0", "%10", ""));
    assert_eq!(outcome.stops.values().sum::<u64>(), 10);
    let (outcome, _) = run(&["loops", "50"], "hit", terms("index == 49", "", ""));
    assert_eq!(outcome.stops.values().copied().collect::<Vec<_>>(), [1; 4]);
    let (outcome, written) = run(&["loops", "50"], "hit", terms("index == 50", "", ""));
    assert_eq!((outcome.stops.len(), written.as_str()), (0, "4900\n"));
}

#[test]
fn messages_are_told_instead_of_stopping() {
    let (outcome, _) = run(&["loops", "4"], "hit", terms("index > 1", "", "at {index}, {{twice}} {index * 2}"));
    let mut logs = outcome.logs;
    logs.sort();
    assert_eq!(outcome.stops.len(), 0);
    let expected: Vec<&str> = [["at 2, {twice} 4"; 4], ["at 3, {twice} 6"; 4]].concat();
    assert_eq!(logs, expected);
}

#[test]
fn what_cannot_be_asked_says_so_when_it_is_set() {
    let session = Session::launch(&["loops", "4"]);
    let trouble = |terms: Terms| {
        let bound = set(&session, "hit", terms);
        assert!(!bound.verified);
        bound.message.unwrap()
    };
    assert!(trouble(terms("", "five", "")).contains("`five` is no hit condition"));
    assert!(trouble(terms("index ==", "", "")).starts_with("the condition cannot be used"));
    assert!(trouble(terms("", "", "{index")).starts_with("the log message cannot be used"));
    // And of a breakpoint that waits for its code.
    let wanted = LineSpec { line: 5, terms: terms("", "0", ""), ..LineSpec::default() };
    let bound = session.debugger.set_breakpoints("/nowhere/else.rs".as_ref(), &[wanted]).unwrap().remove(0);
    assert!(bound.message.unwrap().contains("`0` is no hit condition"));
    // Right again: it stops.
    assert!(set(&session, "hit", terms("index == 2", "", "")).verified);
}

#[test]
fn a_condition_that_fails_at_run_time_stops_and_says_why() {
    let (outcome, _) = run(&["loops", "1"], "hit", terms("1 / index == 1", "", ""));
    assert_eq!(outcome.stops.values().sum::<u64>(), 4);
    assert!(
        outcome.texts[0].starts_with("the condition `1 / index == 1` cannot be evaluated here: "),
        "{:?}",
        outcome.texts
    );
}

#[test]
fn a_count_goes_on_when_the_same_is_asked_for_again() {
    let mut session = Session::launch(&["loops", "50"]);
    set(&session, "hit", terms("", ">=10", ""));
    session.debugger.start(false).unwrap();
    session.stopped();
    // The tenth has stopped; the same again stops at once, another one counts anew.
    set(&session, "hit", terms("", ">=10", ""));
    session.go();
    session.stopped();
    set(&session, "hit", terms("", "189", ""));
    session.go();
    let outcome = run_out(&mut session);
    assert_eq!(outcome.stops.values().sum::<u64>(), 1, "of 200 hits, 11 were before");
}

#[test]
fn at_a_stop_every_thread_may_run_where_it_likes() {
    let cores = |path: String| {
        let status = std::fs::read_to_string(path).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
    };
    let free = cores("/proc/thread-self/status".to_owned());
    let mut session = Session::launch(&["loops", "20000"]);
    set(&session, "hit", terms("index % 10000 == 9999", "", ""));
    session.debugger.start(false).unwrap();
    for round in 0..8 {
        let stopped = session.stopped();
        for thread in &stopped.stop.threads {
            let now = cores(format!("/proc/{}/task/{}/status", session.debugger.pid(), thread.tid));
            assert_eq!(now, free, "round {round}");
        }
        session.go();
    }
    assert_eq!(run_out(&mut session).status, 0);
}
