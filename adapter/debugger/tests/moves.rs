//! Threads that are moved, restarted, ended, or run alone; signals.
#![allow(clippy::unwrap_used, reason = "tests")]

mod zoo;

use std::collections::BTreeMap;

use weft_debugger::{
    AttachSpec, EndKind, Event, FrameIdentity, Grain, Reason, Refused, ResumeKind, Settings, SignalPolicy, StepKind,
    StepTarget, goto_targets, signal_name,
};
use zoo::{Session, line, place, program, source, value};

use StepKind::{In, Out, Over};

#[test]
fn a_thread_is_sent_to_another_line_of_its_function() {
    let (mut session, stopped) = Session::at("moved", "moved end");
    assert_eq!(value(&stopped, "sum"), "55");
    let targets = goto_targets(&stopped.stop, stopped.tid, &source(), line("moved start"));
    assert_eq!(targets.iter().map(|(_, at)| at.line).collect::<Vec<_>>(), [line("moved start")]);
    session.debugger.go_to(stopped.tid, targets[0].0).unwrap();
    let stopped = session.stopped();
    assert_eq!((place(&stopped).as_str(), &stopped.reason), ("moved start", &Reason::Moved));
    let stopped = session.walk(stopped, &[(Over, "moved for"), (Over, "moved body"), (Over, "moved for")]);
    assert_eq!(value(&stopped, "sum"), "1");
    // Not elsewhere: another function's line has no target, and its address is refused.
    assert_eq!(goto_targets(&stopped.stop, stopped.tid, &source(), line("scaled more")), []);
    let (module, elsewhere) = stopped
        .stop
        .modules
        .iter()
        .find_map(|module| {
            let found = module.image.find_line(&source(), line("scaled more")).ok()??;
            Some((module, found.addresses[0]))
        })
        .unwrap();
    let refused = session.debugger.go_to(stopped.tid, module.bias.to_memory(elsewhere)).unwrap_err();
    assert!(refused.to_string().contains("the function it is in, step_zoo::moved"), "{refused}");
    assert_eq!(session.debugger.go_to(1, targets[0].0), Err(Refused::NoThread(1)));
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "55\n");
}

fn frame_of(stopped: &weft_debugger::Stopped, name: &str) -> FrameIdentity {
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 64).frames;
    let frame = frames.iter().find(|frame| frame.name.ends_with(name)).unwrap();
    FrameIdentity { tid: stopped.tid, cfa: frame.cfa.unwrap() }
}

#[test]
fn a_frame_begins_anew_with_its_arguments() {
    let (mut session, stopped) = Session::at("moved", "scaled start");
    let stopped = session.walk(stopped, &[(Over, "scaled more"), (Over, "scaled end")]);
    session.debugger.restart_frame(frame_of(&stopped, "::scaled")).unwrap();
    let stopped = session.stopped();
    assert_eq!((place(&stopped).as_str(), &stopped.reason), ("scaled start", &Reason::Moved));
    assert_eq!((value(&stopped, "value"), value(&stopped, "by")), ("0".to_owned(), "5".to_owned()));
    let stopped = session.walk(stopped, &[(Over, "scaled more"), (Over, "scaled end"), (Out, "moved body")]);
    // An outer one, of its caller.
    let stopped = session.walk(stopped, &[(Over, "moved for"), (Over, "moved body"), (In, "scaled start")]);
    assert_eq!(value(&stopped, "value"), "1");
    session.debugger.restart_frame(frame_of(&stopped, "::moved")).unwrap();
    let stopped = session.stopped();
    assert_eq!(place(&stopped), "moved start");
    assert_eq!(value(&stopped, "n"), "5");
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "55\n");
}

#[test]
fn a_frame_that_cannot_begin_anew_says_why() {
    let (session, stopped) = Session::at("panics", "deep start");
    let refused = session.debugger.restart_frame(frame_of(&stopped, "::panics")).unwrap_err();
    assert!(refused.to_string().contains("would be abandoned half-way"), "{refused}");
    let gone = FrameIdentity { tid: stopped.tid, cfa: weft_memory::MemAddr::new(16) };
    assert!(session.debugger.restart_frame(gone).unwrap_err().to_string().contains("not on the thread's stack"));
    let mut session = Session::launch(program(true), "tail", Settings::default());
    let stopped = session.start_to("tail target end");
    let refused = session.debugger.restart_frame(frame_of(&stopped, "::tail_target")).unwrap_err();
    assert!(refused.to_string().contains("step_zoo::tail_target is optimised"), "{refused}");
}

#[test]
fn a_thread_ends_where_it_stands() {
    let (mut session, stopped) = Session::at("threads", "work");
    let ended = stopped.tid;
    session.debugger.end_thread(ended).unwrap();
    assert_eq!(session.debugger.end_thread(1), Err(Refused::NoThread(1)));
    // Who joins it finds no result there, which the standard library takes for a panic of its own.
    session.debugger.resume(ResumeKind::Continue, false).unwrap();
    assert_eq!(session.exited(), 101);
    assert!(session.ended.contains(&ended), "{:?}", session.ended);
}

#[test]
fn a_thread_runs_alone() {
    let mut session = Session::launch(program(false), "threads", Settings::default());
    session.break_at(&["work"]);
    session.debugger.start(false).unwrap();
    let first = session.stopped();
    let alone = first.tid;
    // Whatever the other one does, it does not get to the line: it stands.
    for _ in 0..200 {
        session.debugger.resume(ResumeKind::Continue, true).unwrap();
        let stopped = session.stopped();
        assert_eq!((place(&stopped).as_str(), stopped.tid), ("work", alone));
    }
    session.debugger.resume(ResumeKind::Step(Over, StepTarget::Thread(alone), Grain::Line), true).unwrap();
    assert_eq!(place(&session.stopped()), "work more");
    // Every hit counts all the same, once each: 200 + 1 were seen.
    let mut left = 0;
    loop {
        session.debugger.resume(ResumeKind::Continue, false).unwrap();
        match session.next() {
            Event::Stopped(stopped) => {
                assert_eq!(place(&stopped), "work");
                left += 1;
            }
            Event::Exited(status) => {
                assert_eq!(status, 0);
                break;
            }
            _ => panic!("ended otherwise"),
        }
    }
    assert_eq!(left, 2000 - 201);
    assert!(session.written().ends_with("\n2000\n"));
}

#[test]
fn the_end_of_a_thread_that_ran_alone_is_told() {
    let (mut session, stopped) = Session::at("threads", "work");
    session.debugger.resume(ResumeKind::Continue, true).unwrap();
    let after = session.stopped();
    assert_eq!(after.reason, Reason::Pause);
    assert_ne!(after.tid, stopped.tid);
    assert_eq!(session.run_out(), 0);
}

#[test]
fn what_interrupts_a_step_says_so() {
    let (mut session, stopped) = Session::at("into", "into nested");
    session.break_at(&["triple"]);
    let stopped = session.step(Over, stopped.tid);
    assert_eq!(place(&stopped), "triple");
    let expected = format!("the step over line {} was interrupted", line("into nested"));
    assert_eq!(stopped.interrupted.as_deref(), Some(expected.as_str()));
    // A breakpoint where the step ends interrupts nothing.
    session.break_at(&["into deref"]);
    let stopped = session.step(Out, stopped.tid);
    assert_eq!((place(&stopped).as_str(), stopped.interrupted.clone()), ("into nested", None));
    let stopped = session.step(Over, stopped.tid);
    assert_eq!((place(&stopped).as_str(), stopped.interrupted), ("into deref", None));
    assert!(matches!(stopped.reason, Reason::Breakpoint { .. }));
}

#[test]
fn signals_and_pauses_interrupt_steps() {
    let (mut session, stopped) = Session::at("raised", "raised");
    let stopped = session.step(Over, stopped.tid);
    assert!(matches!(&stopped.reason, Reason::Signal { name, .. } if name == "SIGTRAP"), "{:?}", stopped.reason);
    assert_eq!(stopped.interrupted, Some(format!("the step over line {} was interrupted", line("raised"))));
    // Main waits for workers that have to stand: nothing ends its step but the user.
    let (mut session, _stopped) = Session::at("threads", "work");
    let main = session.debugger.pid();
    session.debugger.resume(ResumeKind::Step(Out, StepTarget::Thread(main), Grain::Line), true).unwrap();
    session.debugger.pause(None).unwrap();
    let stopped = session.stopped();
    // Main may have been starting workers still; then it can stand where the step would have ended, which interrupts nothing.
    if let Some(interrupted) = stopped.interrupted {
        assert_eq!(
            (stopped.reason, interrupted.as_str()),
            (Reason::Pause, "the step out of step_zoo::threads was interrupted")
        );
    }
    assert_eq!(session.run_out(), 0);
}

#[test]
fn an_instruction_step_over_a_call_that_panics_ends_where_it_is_caught() {
    let (mut session, stopped) = Session::at("panics", "outer call");
    let mut stopped = stopped;
    for _ in 0..20 {
        stopped = session.resume(ResumeKind::StepInstruction(Over, stopped.tid));
        if stopped.reason != Reason::Step(None) {
            break;
        }
    }
    let expected = Reason::Step(Some("a panic has left the call, and was caught here".to_owned()));
    assert_eq!(stopped.reason, expected);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 16).frames;
    assert_eq!(frames.iter().find(|frame| frame.user_code).unwrap().name, "step_zoo::panics");
    assert_eq!(session.run_out(), 0);
}

#[test]
fn instruction_steps_take_calls_as_a_whole() {
    let (mut session, stopped) = Session::at("instructions", "instructions start");
    let tid = stopped.tid;
    let depth = |stopped: &weft_debugger::Stopped| {
        let frames = weft_values::frames(&stopped.stop, stopped.tid, 64).frames;
        frames.iter().filter(|frame| !frame.inlined).count()
    };
    let before = depth(&stopped);
    let mut steps = 0;
    let mut seen = Vec::new();
    let mut at = stopped;
    while place(&at) != "instructions end" {
        at = session.resume(ResumeKind::StepInstruction(Over, tid));
        assert_eq!(at.reason, Reason::Step(None));
        assert_eq!(depth(&at), before);
        seen.push(at.stop.threads[0].registers.pc());
        steps += 1;
        assert!(steps < 100, "{seen:?}");
    }
    assert_eq!(value(&at, "copy"), value(&at, "text"));
    let (mut session, stopped) = Session::at("into", "into nested");
    let mut at = stopped;
    while place(&at) == "into nested" {
        at = session.resume(ResumeKind::StepInstruction(In, at.tid));
    }
    // The call leads to the first instruction of the function, and out of it behind the call.
    assert!(weft_values::frames(&at.stop, at.tid, 1).frames[0].name.ends_with("::double"));
    let at = session.resume(ResumeKind::StepInstruction(Out, at.tid));
    assert_eq!((place(&at).as_str(), &at.reason), ("into nested", &Reason::Step(None)));
}

fn policy(signals: &[(i32, SignalPolicy)]) -> Settings {
    Settings { signals: BTreeMap::from_iter(signals.iter().copied()), ..Settings::default() }
}

#[test]
fn signals_are_passed_shown_or_swallowed_as_asked() {
    let mut session = Session::launch(program(false), "signals", Settings::default());
    session.debugger.start(false).unwrap();
    assert_eq!(session.exited(), 0);
    assert_eq!(session.written(), "5 caught\n");
    let stops = [(2, SignalPolicy::Stop), (10, SignalPolicy::Ignore), (36, SignalPolicy::Stop)];
    let mut session = Session::launch(program(false), "signals", policy(&stops));
    session.debugger.start(false).unwrap();
    for expected in ["SIGINT", "SIGRTMIN+2"] {
        let stopped = session.stopped();
        assert!(matches!(&stopped.reason, Reason::Signal { name, .. } if name == expected), "{:?}", stopped.reason);
        session.break_at(&["handler"]);
        // It is delivered: the next thing that happens is the handler.
        let stopped = session.go();
        assert_eq!(
            (place(&stopped).as_str(), value(&stopped, "number").as_str()),
            (
                "handler",
                match expected {
                    "SIGINT" => "2",
                    _ => "36",
                }
            )
        );
        session.break_at(&[]);
        session.debugger.resume(ResumeKind::Continue, false).unwrap();
    }
    assert_eq!(session.exited(), 0);
    assert_eq!(session.written(), "4 caught\n");
    assert_eq!(signal_name(36), "SIGRTMIN+2");
}

#[test]
fn a_trap_of_the_programs_own_is_its_own() {
    let mut session = Session::launch(program(false), "own_trap", Settings::default());
    session.debugger.start(false).unwrap();
    // The first one has a handler and is not shown.
    let stopped = session.stopped();
    assert!(matches!(&stopped.reason, Reason::Signal { name, .. } if name == "SIGTRAP"));
    assert_eq!(session.run_out(), 0);
    assert_eq!(session.written(), "1 caught\nbehind\n");
    let mut session = Session::launch(program(false), "own_trap", policy(&[(5, SignalPolicy::Pass)]));
    session.debugger.start(false).unwrap();
    assert!(matches!(session.next(), Event::Killed(5)));
    let mut session = Session::launch(program(false), "raised", Settings::default());
    session.debugger.start(false).unwrap();
    assert!(matches!(session.stopped().reason, Reason::Signal { .. }));
    session.debugger.resume(ResumeKind::Continue, false).unwrap();
    assert!(matches!(session.next(), Event::Killed(5)));
}

#[test]
fn a_breakpoint_on_a_trap_of_the_programs_own_is_hit_once() {
    let mut session = Session::launch(program(false), "own_trap", Settings::default());
    session.break_at(&["caught trap", "own trap"]);
    session.debugger.start(false).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let stopped = session.stopped();
        seen.push((matches!(stopped.reason, Reason::Breakpoint { .. }), place(&stopped)));
        session.debugger.resume(ResumeKind::Continue, false).unwrap();
    }
    // The handler gets the first one when its breakpoint was shown, the second one is shown as what it is.
    let at = |hit: bool, marker: &str| (hit, marker.to_owned());
    assert_eq!(seen, [at(true, "caught trap"), at(true, "own trap"), at(false, "behind trap")]);
    assert_eq!(session.exited(), 0);
    assert_eq!(session.written(), "1 caught\nbehind\n");
}

#[test]
fn a_program_whose_first_thread_has_ended_is_still_known() {
    let mut child =
        std::process::Command::new(program(false)).arg("headless").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id().cast_signed();
    while weft_process::process_state(pid).unwrap().letter != 'Z' {
        std::thread::yield_now();
    }
    let mut session = Session::attach(AttachSpec { pid, ..AttachSpec::default() });
    session.debugger.start(false).unwrap();
    session.break_at(&["headless"]);
    drop(child.stdin.take());
    assert_eq!(place(&session.stopped()), "headless");
    session.debugger.end(EndKind::Detach).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn job_control_is_told_and_ended_by_a_continue() {
    let (mut session, _stopped) = Session::at("threads", "work");
    let pid = session.debugger.pid();
    let kill = |signal: &str| {
        assert!(std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
    };
    kill("-STOP");
    session.debugger.resume(ResumeKind::Continue, false).unwrap();
    while session.notes.is_empty() {
        match session.any() {
            Event::Note(text) => session.notes.push(text),
            Event::ThreadExited(_) | Event::ThreadStarted(_) | Event::Working(_) => {}
            _ => panic!("not a note"),
        }
    }
    assert!(session.notes[0].starts_with("SIGSTOP has stopped the program"), "{:?}", session.notes);
    session.debugger.pause(None).unwrap();
    assert_eq!(session.stopped().reason, Reason::Pause);
    assert_eq!(session.run_out(), 0);
    assert!(session.written().ends_with("\n2000\n"));
    assert_eq!(session.notes.len(), 1, "{:?}", session.notes);
}
