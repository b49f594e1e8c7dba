//! Processes that the debuggee makes: let go with their own code, or handed over.
#![allow(clippy::unwrap_used, reason = "tests")]

mod zoo;

use weft_debugger::{AttachSpec, Settings, StepKind};
use weft_process::process_state;
use zoo::{Session, place, program, value};

use StepKind::Over;

/// Runs a role with a breakpoint in a function that its children call as well; how often that stopped, and the output.
fn hits_in(role: &str, expected: usize) -> String {
    let mut session = Session::launch(program(false), role, Settings::default());
    session.break_at(&["in child"]);
    session.debugger.start(false).unwrap();
    for round in 0..expected {
        let stopped = session.stopped();
        assert_eq!((place(&stopped).as_str(), stopped.stop.pid), ("in child", session.debugger.pid()), "{round}");
        session.debugger.resume(weft_debugger::ResumeKind::Continue, false).unwrap();
    }
    assert_eq!(session.exited(), 0);
    assert_eq!(session.forked, []);
    session.written()
}

#[test]
fn children_are_let_go_without_traps() {
    assert_eq!(hits_in("forks", 1), "child: 2a00\n");
    assert_eq!(hits_in("vforks", 0), "vforked: 700\nspawned: Some(7)\n");
    assert_eq!(hits_in("daemon", 1), "daemon: [9] 0\n");
}

/// The child has our debuggee's memory for good: its traps must stay where they are.
#[test]
fn a_child_with_the_same_memory_takes_no_breakpoint_away() {
    assert_eq!(hits_in("clones", 2), "cloned: 1500 77\n");
}

#[test]
fn a_step_goes_over_a_fork() {
    let (mut session, stopped) = Session::at("forks", "forks fork");
    let stopped = session.walk(stopped, &[(Over, "forks if"), (Over, "forks wait"), (Over, "forks end")]);
    assert_eq!(value(&stopped, "status"), 0x2a00.to_string());
    let (mut session, stopped) = Session::at("vforks", "vforks fork");
    let mut stopped = stopped;
    while place(&stopped) != "vforks wait" {
        stopped = session.step(Over, stopped.tid);
    }
    session.walk(stopped, &[(Over, "vforks told")]);
    assert_eq!(session.run_out(), 0);
}

/// What a client does with a process that it is told of.
fn take_over(child: i32) -> Session {
    let state = process_state(child).unwrap();
    assert_eq!((state.letter, state.tracer), ('T', 0));
    Session::attach(AttachSpec { pid: child, resume_stopped: true, ..AttachSpec::default() })
}

fn following(role: &str) -> Session {
    let settings = Settings { follow_forks: true, ..Settings::default() };
    let session = Session::launch(program(false), role, settings);
    session.debugger.start(false).unwrap();
    session
}

#[test]
fn a_forked_child_is_handed_over() {
    let mut parent = following("forks");
    let child = parent.next_fork();
    let mut session = take_over(child);
    session.break_at(&["in child"]);
    session.debugger.start(false).unwrap();
    let stopped = session.stopped();
    assert_eq!((place(&stopped).as_str(), stopped.stop.pid), ("in child", child));
    assert_eq!(value(&stopped, "number"), "41");
    session.debugger.resume(weft_debugger::ResumeKind::Continue, false).unwrap();
    assert_eq!(session.exited(), 42);
    assert_eq!(parent.exited(), 0);
    assert_eq!((parent.written().as_str(), parent.forked.len()), ("child: 2a00\n", 0));
}

#[test]
fn a_child_is_handed_over_once_it_has_a_program_of_its_own() {
    let mut parent = following("vforks");
    for _ in 0..2 {
        let child = parent.next_fork();
        let mut session = take_over(child);
        session.break_at(&["child main"]);
        session.debugger.start(false).unwrap();
        let stopped = session.stopped();
        assert_eq!((place(&stopped).as_str(), stopped.stop.pid), ("child main", child));
        assert_eq!(value(&session.walk(stopped, &[(Over, "child end")]), "status"), "7");
        assert_eq!(session.run_out(), 7);
    }
    assert_eq!(parent.exited(), 0);
    assert_eq!(parent.written(), "vforked: 700\nspawned: Some(7)\n");
}
