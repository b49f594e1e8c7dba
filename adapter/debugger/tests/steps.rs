//! Steps into what the user named, by statements, and through panics.
#![allow(clippy::unwrap_used, reason = "tests")]

mod zoo;

use weft_debugger::{Grain, Reason, ResumeKind, Settings, StepKind, StepTarget, Stopped, step_in_targets};
use zoo::{Session, line, place, program, value};

use StepKind::{In, Out, Over};

#[test]
fn into_nested_calls_in_the_order_they_are_made() {
    let (mut session, stopped) = Session::at("into", "into nested");
    let steps = [(In, "double"), (Out, "into nested"), (In, "triple"), (Out, "into nested"), (In, "sum")];
    let stopped = session.walk(stopped, &steps);
    assert_eq!((value(&stopped, "a"), value(&stopped, "b")), ("6".to_owned(), "9".to_owned()));
    session.walk(stopped, &[(Over, "sum end"), (Over, "into nested"), (Over, "into deref")]);
}

/// What prepares the argument is passed over for the function that the line names.
#[test]
fn into_the_function_that_the_line_names() {
    let (mut session, stopped) = Session::at("into", "into deref");
    let stopped = session.walk(stopped, &[(In, "double")]);
    assert_eq!(value(&stopped, "x"), "3");
    // Code of the standard library alone: nothing to go into.
    session.walk(stopped, &[(Out, "into deref"), (Over, "into std"), (In, "into clone"), (In, "double")]);
}

#[test]
fn into_operators_conversions_and_methods_of_trait_objects() {
    let (mut session, stopped) = Session::at("into", "into add");
    let stopped = session.walk(stopped, &[(In, "add"), (Out, "into add"), (Over, "into from"), (In, "from")]);
    assert_eq!(value(&stopped, "amount"), "5");
    session.walk(stopped, &[(Out, "into from"), (Over, "into box"), (In, "into dyn"), (In, "area")]);
}

#[test]
fn into_what_the_standard_library_calls_back() {
    let (mut session, stopped) = Session::at("into", "into closure");
    let stopped = session.walk(stopped, &[(In, "into closure")]);
    assert_eq!(value(&stopped, "x"), "1");
    // Out of the closure's first call, and on to the next line without a stop at the others.
    let stopped = session.walk(stopped, &[(Out, "into closure"), (Over, "into display"), (In, "display")]);
    let stopped = session.walk(stopped, &[(Out, "into display"), (Over, "into drop"), (In, "drop")]);
    session.walk(stopped, &[(Over, "drop end"), (Over, "into drop"), (Over, "into end"), (In, "into close")]);
}

/// The targets of a stop, by name, and the column where each call stands.
fn targets(stopped: &Stopped) -> Vec<(String, u32)> {
    let targets = step_in_targets(&stopped.stop, stopped.tid);
    targets.into_iter().map(|target| (target.name, target.at.map_or(0, |at| at.column))).collect()
}

#[test]
fn into_a_call_of_choice() {
    let (mut session, stopped) = Session::at("into", "into nested");
    let expected = [("step_zoo::double", 22), ("step_zoo::triple", 37), ("step_zoo::sum", 18)];
    assert_eq!(targets(&stopped), expected.map(|(name, column)| (name.to_owned(), column)));
    let target = step_in_targets(&stopped.stop, stopped.tid)[2].id;
    let stopped = session.resume(ResumeKind::StepInto { tid: stopped.tid, target });
    assert_eq!((place(&stopped).as_str(), value(&stopped, "b")), ("sum", "9".to_owned()));
    // Behind the calls nothing is ahead.
    let stopped = session.walk(stopped, &[(Out, "into nested")]);
    assert_eq!(targets(&stopped), []);
    let refused = session.debugger.resume(ResumeKind::StepInto { tid: stopped.tid, target }, false).unwrap_err();
    assert!(refused.to_string().contains("not ahead on the current line"), "{refused}");
    let stopped = session.walk(stopped, &[(Over, "into deref")]);
    let names = |stopped: &Stopped| targets(stopped).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&stopped), ["step_zoo::Wrapped::deref", "step_zoo::double"]);
    let target = step_in_targets(&stopped.stop, stopped.tid)[0].id;
    let stopped = session.resume(ResumeKind::StepInto { tid: stopped.tid, target });
    assert_eq!(place(&stopped), "deref");
    session.break_at(&["into dyn", "into closure"]);
    let stopped = session.go();
    assert_eq!(
        (place(&stopped).as_str(), names(&stopped)),
        ("into dyn", vec!["a method of a trait object".to_owned()])
    );
    let target = step_in_targets(&stopped.stop, stopped.tid)[0].id;
    let stopped = session.resume(ResumeKind::StepInto { tid: stopped.tid, target });
    assert_eq!(place(&stopped), "area");
    let stopped = session.go();
    let target = step_in_targets(&stopped.stop, stopped.tid).last().unwrap().id;
    session.break_at(&[]);
    let stopped = session.resume(ResumeKind::StepInto { tid: stopped.tid, target });
    assert_eq!((place(&stopped).as_str(), value(&stopped, "x")), ("into closure", "1".to_owned()));
}

#[test]
fn into_inlined_functions_of_choice() {
    let (mut session, stopped) = Session::at("inlining", "inlining start");
    // The line's own code begins behind the first copy, which has run; the third one is the next line's.
    let names: Vec<String> = targets(&stopped).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["step_zoo::triple", "step_zoo::inlined"]);
    let target = step_in_targets(&stopped.stop, stopped.tid)[1].id;
    let stopped = session.resume(ResumeKind::StepInto { tid: stopped.tid, target });
    assert_eq!((place(&stopped).as_str(), value(&stopped, "x")), ("inlined start", "9".to_owned()));
    session.walk(stopped, &[(Over, "inlined end"), (Out, "inlining more"), (In, "inlining end")]);
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "86\n");
}

/// As far as the line table says: here all that is left of the line is its addition.
#[test]
fn through_optimised_code() {
    let mut session = Session::launch(program(true), "inlining", Settings::default());
    let stopped = session.start_to("inlining start");
    assert_eq!(targets(&stopped), []);
    let stopped = session.walk(stopped, &[(In, "inlined start"), (Over, "inlining end")]);
    let stopped = session.step(Over, stopped.tid);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 8).frames;
    assert!(frames[0].user_code, "{}", frames[0].name);
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "86\n");
}

#[test]
fn into_a_call_that_is_a_jump_and_out_to_the_caller() {
    let mut session = Session::launch(program(true), "tail", Settings::default());
    let stopped = session.start_to("tail call");
    let stopped = session.walk(stopped, &[(In, "tail target end")]);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 8).frames;
    let user: Vec<&str> = frames.iter().filter(|frame| frame.user_code).map(|frame| frame.name.as_str()).collect();
    assert_eq!(user, ["step_zoo::tail_target", "step_zoo::main"]);
    let stopped = session.step(Out, stopped.tid);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 1).frames;
    assert_eq!(frames[0].name, "step_zoo::main");
    assert_eq!(session.run_out(), 0);
    // Over it, both functions are left.
    let mut session = Session::launch(program(true), "tail", Settings::default());
    let stopped = session.start_to("tail call");
    let stopped = session.step(Over, stopped.tid);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 1).frames;
    assert_eq!(frames[0].name, "step_zoo::main");
}

#[test]
fn by_statements_on_one_line() {
    let (mut session, mut stopped) = Session::at("statements", "statements");
    let mut columns = Vec::new();
    while place(&stopped) == "statements" {
        let frames = weft_values::frames(&stopped.stop, stopped.tid, 1).frames;
        columns.push(frames[0].source.as_ref().unwrap().column);
        stopped = session.resume(ResumeKind::Step(Over, StepTarget::Thread(stopped.tid), Grain::Statement));
        assert_eq!(stopped.reason, Reason::Step(None));
        assert!(columns.len() < 20, "{columns:?}");
    }
    // `double(n)`, `triple(n)`, `a + b`: columns of `let a = double(n); let b = triple(n); let c = a + b;`.
    let calls: Vec<u32> = [13, 32, 51].into_iter().filter(|column| columns.contains(column)).collect();
    assert_eq!(calls, [13, 32, 51], "{columns:?}");
    assert!(columns.windows(2).all(|pair| pair[0] != pair[1]), "{columns:?}");
    assert_eq!((place(&stopped).as_str(), value(&stopped, "c")), ("statements end", "20".to_owned()));
}

#[test]
fn through_a_question_mark() {
    let (mut session, stopped) = Session::at("question", "question");
    let steps = [(Over, "question more"), (Over, "question ok"), (Over, "question end")];
    let stopped = session.walk(stopped, &steps);
    session.break_at(&["question"]);
    assert_eq!(stopped.reason, Reason::Step(None));
    let stopped = session.go();
    assert_eq!(place(&stopped), "question");
    session.walk(stopped, &[(Over, "question end")]);
}

fn panicked(stopped: &Stopped) {
    let expected = Reason::Step(Some("a panic has left the function, and was caught here".to_owned()));
    assert_eq!(stopped.reason, expected);
}

#[test]
fn over_a_panic_to_where_it_is_caught() {
    let (mut session, stopped) = Session::at("panics", "deep panic");
    let stopped = session.step(Over, stopped.tid);
    assert_eq!(place(&stopped), "panics first");
    panicked(&stopped);
    let stopped = session.walk(stopped, &[(Over, "panics second"), (Over, "panics third"), (Over, "panics end")]);
    assert_eq!((value(&stopped, "first"), value(&stopped, "second")), ("true".to_owned(), "true".to_owned()));
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "3\n");
}

#[test]
fn over_a_call_that_panics_and_out_of_a_frame_that_does() {
    let (mut session, stopped) = Session::at("panics", "outer start");
    let stopped = session.walk(stopped, &[(Over, "outer call")]);
    let stopped = session.step(Over, stopped.tid);
    assert_eq!(place(&stopped), "panics second");
    panicked(&stopped);
    session.break_at(&["deep start"]);
    let stopped = session.go();
    assert_eq!(place(&stopped), "deep start");
    let stopped = session.step(Out, stopped.tid);
    // Inside `survives`, and not in its caller.
    assert_eq!(place(&stopped), "survives call");
    panicked(&stopped);
    assert_eq!(value(&session.walk(stopped, &[(Over, "survives end")]), "caught"), "true");
}

#[test]
fn a_panic_that_is_caught_below_the_step_does_not_end_it() {
    let (mut session, stopped) = Session::at("panics", "panics first");
    session.walk(stopped, &[(Over, "panics second"), (Over, "panics third"), (In, "survives call")]);
}

#[test]
fn from_a_drop_during_a_panic() {
    let (mut session, stopped) = Session::at("panics", "guard");
    let guards = |stopped: &Stopped| {
        let frames = weft_values::frames(&stopped.stop, stopped.tid, 64).frames;
        frames.iter().filter(|frame| frame.name.ends_with("step_zoo::deep")).count()
    };
    assert_eq!(guards(&stopped), 2);
    // Back in the function that is being left, whose cleaning up has lines of its own; then to where the panic is caught.
    let mut stopped = session.step(Out, stopped.tid);
    for _ in 0..3 {
        assert_eq!(guards(&stopped), 2);
        stopped = session.step(Over, stopped.tid);
        if place(&stopped) == "panics first" {
            return panicked(&stopped);
        }
    }
    panic!("at {}", place(&stopped));
}

#[test]
fn steps_end_in_the_standard_library_when_asked() {
    let settings = Settings { step_into_runtime: true, ..Settings::default() };
    let mut session = Session::launch(program(false), "into", settings);
    let stopped = session.start_to("into std");
    let stopped = session.step(In, stopped.tid);
    assert!(place(&stopped).contains("/library/alloc/src/string.rs:"), "{}", place(&stopped));
    let stopped = session.step(Out, stopped.tid);
    assert_eq!(place(&stopped), "into std");
    let (mut session, stopped) = Session::at("into", "into std");
    assert_eq!(place(&session.step(In, stopped.tid)), "into clone");
    assert!(line("into clone") > line("into std"));
}

#[test]
fn from_inside_the_standard_library_to_the_users_next_line() {
    let (mut session, _stopped) = Session::at("threads", "work");
    // The worker has passed the barrier, at which main waits or waited: it is in the standard library, or just behind.
    let main = session.debugger.pid();
    let stopped = session.step(Over, main);
    assert_eq!((&stopped.reason, stopped.tid), (&Reason::Step(None), main));
    let frames = weft_values::frames(&stopped.stop, main, 1).frames;
    assert_eq!(frames[0].name, "step_zoo::threads");
    assert_eq!(session.run_out(), 0);
}
