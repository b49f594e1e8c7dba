//! Steps that follow one coroutine while others run the same code: polled by several threads, often not ready, dropped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod zoo;

use std::collections::BTreeMap;

use weft_debugger::{Access, DataSpec, Event, Grain, ResumeKind, Settings, StepKind, StepTarget, Stopped, Terms};
use weft_memory::MemAddr;
use zoo::{Session, place, program, value};

use StepKind::Over;

/// Whether the processor watches for a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Registers {
    Free,
    Taken,
}

/// Takes so many debug registers for data that nobody touches: the name of the program, at the end of the stack.
fn take_registers(session: &Session, stopped: &Stopped, count: u64) {
    let sp = stopped.stop.thread(session.debugger.pid()).unwrap().registers.sp();
    let mapped = weft_process::mappings(session.debugger.pid()).unwrap();
    let end = mapped.iter().find(|mapping| (mapping.start..mapping.end).contains(&sp)).unwrap().end;
    let data = (0..count).map(|number| DataSpec {
        address: MemAddr::new(end.raw() - 64 + number * 8),
        size: 8,
        access: Access::ReadWrite,
        name: "name".to_owned(),
        frame: None,
        terms: Terms::default(),
    });
    let bound = session.debugger.set_data_breakpoints(&data.collect::<Vec<_>>()).unwrap();
    assert!(bound.iter().all(|bound| bound.verified), "{bound:?}");
}

fn start(role: &str, marker: &str, optimised: bool, registers: Registers) -> (Session, Stopped) {
    let mut session = Session::launch(program(optimised), role, Settings::default());
    let stopped = session.start_to(marker);
    if registers == Registers::Taken {
        take_registers(&session, &stopped, 4);
    }
    (session, stopped)
}

/// The value of `id` in the innermost `async fn` that has one.
fn id(stopped: &Stopped) -> String {
    value(stopped, "id")
}

#[test]
fn over_awaits_while_siblings_run_the_same_code() {
    for (optimised, registers) in
        [(false, Registers::Free), (false, Registers::Taken), (true, Registers::Free), (true, Registers::Taken)]
    {
        let (mut session, stopped) = start("siblings", "sibling first", optimised, registers);
        let mut stopped = stopped;
        let ours = id(&stopped);
        for marker in ["sibling pause", "sibling between", "sibling again", "sibling nested", "sibling last"] {
            stopped = session.walk(stopped, &[(Over, marker)]);
            assert_eq!(id(&stopped), ours, "{registers:?}");
        }
        assert_eq!(session.run_out(), 0);
        assert_eq!(session.written(), "total 145\n");
    }
}

/// Optimised, `nested` has no function of its own: it is inlined into `siblings`.
#[test]
fn over_an_await_of_a_coroutine_and_out_of_it() {
    for (optimised, registers) in
        [(false, Registers::Free), (false, Registers::Taken), (true, Registers::Free), (true, Registers::Taken)]
    {
        let (mut session, stopped) = start("siblings", "nested first", optimised, registers);
        let ours = id(&stopped);
        let steps = [(Over, "nested pause"), (Over, "nested last"), (Over, "nested end"), (Over, "sibling last")];
        let stopped = session.walk(stopped, &steps);
        assert_eq!(id(&stopped), ours, "{optimised} {registers:?}");
        assert_eq!(session.run_out(), 0);
        assert_eq!(session.written(), "total 145\n");
    }
}

/// A debug register that the user wants is the user's, also while a step uses it.
#[test]
fn a_data_breakpoint_takes_the_register_back() {
    let (mut session, stopped) = start("siblings", "sibling first", false, Registers::Free);
    let ours = id(&stopped);
    let stopped = session.walk(stopped, &[(Over, "sibling pause")]);
    session.debugger.resume(ResumeKind::Step(Over, StepTarget::Thread(stopped.tid), Grain::Line), false).unwrap();
    take_registers(&session, &stopped, 4);
    let stopped = session.stopped();
    assert_eq!((place(&stopped).as_str(), id(&stopped)), ("sibling between", ours));
    assert_eq!(session.run_out(), 0);
}

/// The pause is never over: its coroutine is dropped by the one that awaits it.
#[test]
fn over_an_await_whose_coroutine_is_dropped() {
    for (optimised, registers) in [(false, Registers::Free), (false, Registers::Taken), (true, Registers::Free)] {
        let (mut session, stopped) = start("racing", "loser first", optimised, registers);
        session.walk(stopped, &[(Over, "loser pause"), (Over, "racing last")]);
        assert_eq!(session.run_out(), 0);
        assert_eq!(session.written(), "total 102\n");
    }
}

/// One stop for each time that a line is evaluated, not one for each poll.
#[test]
fn breakpoints_on_awaits_are_hit_once_by_each_task() {
    let markers = ["sibling first", "sibling pause", "sibling again", "sibling nested", "nested pause", "nested last"];
    for optimised in [false, true] {
        let mut session = Session::launch(program(optimised), "siblings", Settings::default());
        session.break_at(&markers);
        session.debugger.start(false).unwrap();
        let mut hits: BTreeMap<String, u32> = BTreeMap::new();
        while let Event::Stopped(stopped) = session.next() {
            *hits.entry(place(&stopped)).or_default() += 1;
            session.debugger.resume(ResumeKind::Continue, false).unwrap();
        }
        let expected: BTreeMap<String, u32> = markers.iter().map(|marker| ((*marker).to_owned(), 8)).collect();
        assert_eq!(hits, expected, "optimised: {optimised}");
    }
}
