//! A debugger on real programs: breakpoints, steps, threads, signals, ends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{PATIENCE, Session, at_lines, library, line, place, program, source};
use weft_debugger::{
    AttachSpec, Debugger, EndKind, Event, LaunchSpec, LineSpec, Reason, Refused, ResumeKind, StepKind,
};
use weft_memory::{MemAddr, MemoryError};
use weft_process::{ProcessError, process_state};

/// Whether a process is gone, or only waits for its parent.
fn is_gone(pid: i32) -> bool {
    match process_state(pid) {
        Ok(state) => matches!(state.letter, 'Z' | 'X'),
        Err(ProcessError::NoProcess(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn runs_to_its_end_with_all_output_first() {
    let mut session = Session::launch(&["exit", "7"]);
    session.debugger.start(false).unwrap();
    assert_eq!(session.run_out(), (Vec::new(), 7));
    let mut session = Session::launch(&[]);
    session.debugger.start(false).unwrap();
    assert_eq!(session.run_out(), (Vec::new(), 0));
    assert_eq!(session.written(), "no role\n");
    assert!(matches!(session.debugger.resume(ResumeKind::Continue, false), Err(Refused::Ended)));
    assert_eq!(session.debugger.end(EndKind::Kill), Ok(()));
}

#[test]
fn four_threads_hit_a_line_and_every_hit_counts() {
    let mut session = Session::launch(&["loops", "50"]);
    let bound = session.break_at(&["hit"]);
    assert_eq!((bound[0].at.as_ref().map(|at| at.line), bound[0].message.clone()), (Some(line("hit")), None));
    session.debugger.start(false).unwrap();
    let (hits, status) = session.run_out();
    let mut by_thread: BTreeMap<i32, u32> = BTreeMap::new();
    hits.iter().for_each(|(_, tid)| *by_thread.entry(*tid).or_default() += 1);
    assert_eq!(by_thread.values().copied().collect::<Vec<_>>(), [50; 4]);
    assert!(hits.iter().all(|(id, _)| *id == bound[0].id));
    assert_eq!((status, session.written().as_str()), (0, "4900\n"));
    assert_eq!(session.born.len(), 4);
    assert!(session.dead.is_superset(&session.born));
}

#[test]
fn a_line_without_code_moves_and_two_instances_both_stop() {
    let mut session = Session::launch(&["generics"]);
    let generic = line("generic");
    // A blank line moves to the first line of the function below it. Past the last function there is no code.
    let wanted = [
        LineSpec { line: generic, ..LineSpec::default() },
        LineSpec { line: line("outer_a") - 2, ..LineSpec::default() },
        LineSpec { line: 100_000, ..LineSpec::default() },
    ];
    let bound = session.debugger.set_breakpoints(&source(), &wanted).unwrap();
    assert_eq!(bound[0].locations, 2);
    assert_eq!(bound[1].at.as_ref().map(|at| at.line), Some(line("outer_a")));
    assert!(bound[1].message.as_ref().is_some_and(|message| message.contains("has no code; moved to line")));
    assert_eq!((bound[2].at.clone(), bound[2].locations), (None, 0));
    assert!(bound[2].message.as_ref().is_some_and(|message| message.contains("no code at or after")));
    session.debugger.start(false).unwrap();
    for name in ["measure<u8>", "measure<&str>"] {
        let stopped = session.stopped();
        assert_eq!((place(&stopped).as_str(), &stopped.reason), ("generic", &at_lines(&[bound[0].id])));
        let frames = weft_values::frames(&stopped.stop, stopped.tid, 4).frames;
        let argument = frames[0].code.as_ref().unwrap().template_argument("T").unwrap();
        assert_eq!(format!("measure<{}>", argument.name()), name);
        session.go();
    }
    assert_eq!(session.run_out().1, 0);
    assert_eq!(session.written(), "1 7\n");
}

/// A table of steps: what is done, and where it ends.
fn walk(role: &[&str], from: &str, steps: &[(StepKind, &str)]) -> Session {
    let mut session = Session::launch(role);
    session.break_at(&[from]);
    session.debugger.start(false).unwrap();
    let mut stopped = session.stopped();
    assert_eq!(place(&stopped), from);
    session.break_at(&[]);
    let mut expected = vec![from];
    let mut seen = vec![from.to_owned()];
    for (kind, to) in steps {
        stopped = session.step(*kind, stopped.tid);
        assert!(matches!(stopped.reason, Reason::Step(_)), "{:?}", stopped.reason);
        expected.push(to);
        seen.push(place(&stopped));
        assert_eq!(seen, expected, "after {kind:?}");
    }
    session
}

use StepKind::{In, Out, Over};

#[test]
fn steps_over_calls() {
    let steps = [(Over, "outer_b"), (Over, "outer_c")];
    let mut session = walk(&["steps", "1"], "outer_a", &steps);
    session.go();
    assert_eq!(session.run_out().1, 0);
    assert_eq!(session.written(), "17\n");
}

#[test]
fn steps_over_to_the_end_of_the_function_and_into_its_caller() {
    let steps = [(Over, "inner_end"), (Over, "inner_close"), (Over, "outer_b"), (Over, "outer_c")];
    walk(&["steps", "1"], "inner_y", &steps);
}

#[test]
fn steps_into_calls_and_out_of_them() {
    let steps = [(In, "inner_y"), (Over, "inner_end"), (Out, "outer_b"), (In, "outer_c"), (In, "rec_if")];
    walk(&["steps", "1"], "outer_b", &steps);
}

#[test]
fn steps_stay_in_their_activation_of_a_recursive_function() {
    let steps = [
        (In, "rec_if"),
        (Over, "rec_call"),
        (Over, "rec_end"),
        (Over, "rec_close"),
        (Over, "outer_c"),
        (Over, "outer_d"),
    ];
    walk(&["steps", "1"], "outer_c", &steps);
}

#[test]
fn a_step_into_reaches_a_closure_called_by_the_users_code() {
    walk(&["steps", "1"], "apply_given", &[(Over, "apply_call"), (In, "closure"), (Out, "apply_call")]);
}

#[test]
fn a_step_into_reaches_an_inlined_function() {
    walk(&["inlines", "1"], "inlines_a", &[(In, "always_y"), (Over, "always_end")]);
    walk(&["inlines", "1"], "inlines_a", &[(Over, "inlines_b"), (Over, "inlines_end")]);
}

#[test]
fn a_step_of_one_thread_ends_in_that_thread() {
    let mut session = Session::launch(&["races", "20"]);
    session.break_at(&["stepped_a"]);
    session.debugger.start(false).unwrap();
    for round in 0..20 {
        let stopped = session.stopped();
        assert_eq!(place(&stopped), "stepped_a", "round {round}");
        let tid = stopped.tid;
        for expected in ["stepped_b", "stepped_end"] {
            let stopped = session.step(Over, tid);
            assert_eq!((place(&stopped).as_str(), stopped.tid), (expected, tid), "round {round}");
        }
        session.go();
    }
    assert_eq!(session.run_out().1, 0);
}

#[test]
fn stops_on_entry_in_its_own_main() {
    let mut session = Session::launch(&["exit", "3"]);
    session.debugger.start(true).unwrap();
    let stopped = session.stopped();
    assert_eq!((place(&stopped).as_str(), &stopped.reason), ("main", &Reason::Entry));
    session.go();
    assert_eq!(session.run_out(), (Vec::new(), 3));
}

#[test]
fn memory_is_changed_as_a_whole_or_not_at_all() {
    let mut session = Session::launch(&["maps"]);
    session.break_at(&["mapped"]);
    session.debugger.start(false).unwrap();
    let stopped = session.stopped();
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 1).frames;
    let variables = weft_values::variables(&stopped.stop, &frames[0]);
    let place = |name: &str| variables.iter().find(|it| it.name == name).unwrap().place.clone().unwrap();
    let own = place("own").address().unwrap();
    let page = MemAddr::new(place("page").read_u64(&stopped.stop).unwrap());
    let before = stopped.stop.memory.read_u64(page).unwrap();
    let word = |value: u64| value.to_le_bytes().to_vec();
    // The second cannot be written, and the first is taken back.
    let changed = session.debugger.change(&stopped.stop, vec![(own, word(8)), (page, word(!before))]).unwrap();
    let failure = changed.failure.unwrap().to_string();
    assert!(failure.starts_with(&format!("nothing was written: {page}: ")), "{failure}");
    assert_eq!((changed.stop.memory.read_u64(own), changed.stop.memory.read_u64(page)), (Ok(7), Ok(before)));
    assert_eq!(session.debugger.current().unwrap().generation, changed.stop.generation);
    assert_eq!(stopped.stop.memory.read_u64(own), Err(MemoryError::Resumed));
    // After a refused write the program can still be looked at. What cannot be read is not tried.
    assert!(session.debugger.write_memory(page, word(!before)).is_err());
    let stop = session.debugger.current().unwrap();
    assert!(matches!(
        session.debugger.change(&stop, vec![(own, word(8)), (MemAddr::new(16), word(8))]),
        Err(Refused::Failed(_))
    ));
    assert_eq!(stop.memory.read_u64(own), Ok(7));
    let changed = session.debugger.change(&stop, vec![(own, word(8)), (own, word(9))]).unwrap();
    assert_eq!((changed.failure, changed.stop.memory.read_u64(own)), (None, Ok(9)));
    session.go();
    assert_eq!(session.run_out().1, 0);
    assert_eq!(session.written(), "9 true\n");
}

/// The spinning debuggee, started by somebody else; it ends when its input is closed.
fn spinning() -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(program()).arg("spin").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ready = String::new();
    output.read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    (child, output)
}

fn ends_well(mut child: std::process::Child, mut output: BufReader<std::process::ChildStdout>) {
    drop(child.stdin.take());
    let mut end = String::new();
    output.read_line(&mut end).unwrap();
    assert_eq!(end, "end\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn attaches_sets_breakpoints_while_running_and_leaves() {
    let (child, output) = spinning();
    for round in 0..10 {
        let mut session = Session::attach(child.id().cast_signed());
        assert_eq!(session.debugger.threads().unwrap().len(), 4);
        session.debugger.start(round % 2 == 0).unwrap();
        if round % 2 == 0 {
            assert_eq!(session.stopped().reason, Reason::Entry);
            session.go();
        }
        assert_eq!(session.break_at(&["spun"])[0].locations, 1);
        for _ in 0..5 {
            let stopped = session.stopped();
            assert_eq!(place(&stopped), "spun");
            session.go();
        }
        if round % 3 == 0 {
            // By dropping it.
            continue;
        }
        session.debugger.end(EndKind::Detach).unwrap();
        assert!(matches!(session.debugger.pause(None), Err(Refused::Ended)));
    }
    ends_well(child, output);
}

#[test]
fn pause_glance_and_stale_stops() {
    let (child, output) = spinning();
    let mut session = Session::attach(child.id().cast_signed());
    session.debugger.start(false).unwrap();
    assert!(session.debugger.current().is_none());
    assert!(matches!(session.debugger.resume(ResumeKind::Continue, false), Err(Refused::Running)));
    for _ in 0..20 {
        let ((threads, kept), stood) = session.debugger.glance(|stop| (stop.threads.len(), stop.clone())).unwrap();
        assert_eq!(threads, 4);
        assert!(stood > Duration::ZERO);
        let sp = kept.threads[0].registers.sp();
        assert_eq!(kept.memory.read_u64(sp), Err(MemoryError::Resumed));
        let tid = kept.threads[2].tid;
        session.debugger.pause(Some(tid)).unwrap();
        let stopped = session.stopped();
        assert_eq!((stopped.reason.clone(), stopped.tid), (Reason::Pause, tid));
        assert!(stopped.stop.memory.read_u64(stopped.stop.threads[0].registers.sp()).is_ok());
        assert!(stopped.stop.generation > kept.generation);
        session.go();
        assert_eq!(
            stopped.stop.memory.read_u64(MemAddr::new(stopped.stop.threads[0].registers.sp().raw())),
            Err(MemoryError::Resumed)
        );
    }
    session.debugger.end(EndKind::Detach).unwrap();
    ends_well(child, output);
}

#[test]
fn one_instruction_that_is_a_system_call_can_be_interrupted() {
    let (child, output) = spinning();
    let main = child.id().cast_signed();
    let mut session = Session::attach(main);
    session.debugger.start(true).unwrap();
    assert_eq!(session.stopped().reason, Reason::Entry);
    // Sooner or later it waits for input, which does not come.
    loop {
        session.debugger.resume(ResumeKind::StepInstruction(In, main), false).unwrap();
        session.debugger.pause(None).unwrap();
        let stopped = session.stopped();
        assert_eq!(stopped.tid, main);
        match stopped.reason {
            Reason::Step(None) => {}
            reason => {
                assert_eq!(reason, Reason::Step(Some("the system call has not ended yet".to_owned())));
                break;
            }
        }
    }
    session.go();
    session.debugger.end(EndKind::Detach).unwrap();
    ends_well(child, output);
}

#[test]
fn breakpoints_come_and_go_while_it_runs() {
    let (child, output) = spinning();
    let mut session = Session::attach(child.id().cast_signed());
    session.debugger.start(false).unwrap();
    for round in 0..30 {
        session.break_at(&["spun"]);
        assert_eq!(place(&session.stopped()), "spun", "round {round}");
        // Three threads hit the line all the time: hits that were pending when the breakpoint went are dropped, so the next
        // stop is the pause.
        session.break_at(&[]);
        session.go();
        session.debugger.pause(None).unwrap();
        assert_eq!(session.stopped().reason, Reason::Pause, "round {round}");
        session.go();
    }
    session.debugger.end(EndKind::Detach).unwrap();
    ends_well(child, output);
}

#[test]
fn killing_an_attached_program_is_possible() {
    let (mut child, _output) = spinning();
    let session = Session::attach(child.id().cast_signed());
    session.debugger.start(false).unwrap();
    session.debugger.end(EndKind::Kill).unwrap();
    // This process traced it and is its parent too, so that the engine has collected it.
    let _collected = child.wait();
    assert!(is_gone(child.id().cast_signed()));
}

#[test]
fn a_kill_from_outside_ends_the_session_running_or_stopped() {
    for stopped in [false, true] {
        // It does not end by itself meanwhile.
        let endless = u64::MAX.to_string();
        let mut session = Session::launch(&["churn", "4", &endless]);
        session.break_at(&["born"]);
        session.debugger.start(false).unwrap();
        session.stopped();
        if !stopped {
            session.break_at(&[]);
            session.go();
        }
        let pid = session.debugger.pid();
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        assert!(killed.success());
        let end = session.next();
        assert!(matches!(end, Event::Killed(9)), "stopped: {stopped}");
        assert!(is_gone(pid));
        assert!(session.debugger.current().is_none());
    }
}

#[test]
fn threads_are_born_and_die_under_breakpoints() {
    let mut session = Session::launch(&["churn", "4"]);
    session.break_at(&["born"]);
    session.debugger.start(false).unwrap();
    let (hits, status) = session.run_out();
    assert_eq!((hits.len(), status), (200, 0));
    assert_eq!(session.written(), "200\n");
    assert_eq!(session.born.len(), 204);
}

#[test]
fn signals_reach_the_program_and_disturb_no_count() {
    let mut session = Session::launch(&["signals", "300"]);
    session.break_at(&["ticked"]);
    session.debugger.start(false).unwrap();
    let (hits, status) = session.run_out();
    assert_eq!((hits.len(), status), (300, 0));
    assert_eq!(session.written(), "44850 true\n");
}

#[test]
fn a_fault_stops_where_it_happens_and_then_kills() {
    // With a breakpoint on the very line, so that the faulting instruction is also stepped over.
    for markers in [&[][..], &["fault"]] {
        let mut session = Session::launch(&["fault"]);
        session.break_at(markers);
        session.debugger.start(false).unwrap();
        for marker in markers {
            assert_eq!(place(&session.stopped()), *marker);
            session.go();
        }
        let stopped = session.stopped();
        assert!(matches!(&stopped.reason, Reason::Signal { name, .. } if name == "SIGSEGV"), "{:?}", stopped.reason);
        session.go();
        assert!(matches!(session.next(), Event::Killed(11)));
    }
}

#[test]
fn terminate_and_drop_leave_no_process() {
    let mut session = Session::launch(&["loops", "1000000000"]);
    session.debugger.start(false).unwrap();
    session.debugger.terminate().unwrap();
    assert!(matches!(session.next(), Event::Killed(15)));
    let session = Session::launch(&["loops", "1000000000"]);
    session.debugger.start(false).unwrap();
    let pid = session.debugger.pid();
    drop(session);
    assert!(is_gone(pid));
}

#[test]
fn what_cannot_be_debugged_says_why() {
    let launch = |program: &str| {
        let spec = LaunchSpec { program: program.into(), cwd: "/".into(), ..LaunchSpec::default() };
        Debugger::launch(spec, |_| {}, |_, _| true).err().unwrap()
    };
    assert_eq!(launch("/no/such"), Refused::NotFound("the program /no/such does not exist".to_owned()));
    assert!(matches!(launch("/etc/passwd"), Refused::NotAProgram(_)));
    let attach = |pid| Debugger::attach(AttachSpec { pid, ..AttachSpec::default() }, |_| {}).err().unwrap();
    assert!(matches!(attach(i32::MAX), Refused::NotFound(_)));
    assert!(matches!(attach(std::process::id().cast_signed()), Refused::NotAllowed(_)));
}

#[test]
fn commands_are_answered_whatever_happens() {
    let mut session = Session::launch(&["churn", "6"]);
    session.debugger.start(false).unwrap();
    for _ in 0..50 {
        let none = session.debugger.set_breakpoints(&source(), &[]);
        if none.is_err() || session.debugger.glance(|stop| stop.threads.len()).is_err() {
            break;
        }
    }
    assert_eq!(session.run_out().1, 0);
}

#[test]
fn a_breakpoint_in_a_library_is_bound_when_it_is_loaded() {
    let (library, library_source) = library();
    let mut session = Session::launch(&["loads", library.to_str().unwrap()]);
    let bound =
        session.debugger.set_breakpoints(&library_source, &[LineSpec { line: 6, ..LineSpec::default() }]).unwrap();
    assert_eq!(bound[0].locations, 0);
    let missing = format!("or its loaded libraries comes from {}", library_source.display());
    assert!(bound[0].message.as_ref().is_some_and(|message| message.ends_with(&missing)), "{:?}", bound[0].message);
    session.debugger.start(false).unwrap();
    let stopped = session.stopped();
    assert_eq!(stopped.reason, at_lines(&[bound[0].id]));
    let changed: Vec<_> = session.changed.iter().map(|bound| (bound.id, bound.locations)).collect();
    assert_eq!(changed, [(bound[0].id, 1)]);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 8).frames;
    assert_eq!(frames[0].source.as_ref().map(|source| source.line), Some(6));
    let stopped = session.step(Over, stopped.tid);
    let frames = weft_values::frames(&stopped.stop, stopped.tid, 8).frames;
    assert_eq!(frames[0].source.as_ref().map(|source| source.line), Some(7));
    let stopped = session.step(Out, stopped.tid);
    assert_eq!(place(&stopped), "calls_library");
    session.go();
    assert_eq!(session.run_out().1, 0);
    assert_eq!(session.written(), "41\n");
}

#[test]
fn breakpoints_survive_an_exec() {
    let mut session = Session::launch(&["execs"]);
    session.break_at(&["exec", "inner_y"]);
    session.debugger.start(false).unwrap();
    for expected in ["exec", "inner_y"] {
        assert_eq!(place(&session.stopped()), expected);
        session.go();
    }
    assert_eq!(session.run_out().1, 0);
    assert_eq!(session.written(), "17\n");
}

#[test]
fn many_threads_that_wait_do_not_slow_a_hit_down_much() {
    let mut session = Session::launch(&["many", "200"]);
    session.break_at(&["worked"]);
    session.debugger.start(false).unwrap();
    assert_eq!(session.stopped().stop.threads.len(), 201);
    session.go();
    let begun = Instant::now();
    let (hits, status) = session.run_out();
    assert_eq!((hits.len(), status), (99, 0));
    eprintln!("a hit among 200 threads: {:?}", begun.elapsed() / 99);
}

#[test]
fn an_attached_program_survives_the_engines_failure() {
    let (child, output) = spinning();
    let pid = child.id().cast_signed();
    let (send, receive) = std::sync::mpsc::channel();
    let debugger = Debugger::attach(AttachSpec { pid, ..AttachSpec::default() }, move |event| {
        if let Event::Stopped(_) = event {
            let _told = send.send(());
            panic!("the engine fails, as this test wants");
        }
    })
    .unwrap();
    debugger.set_breakpoints(&source(), &[LineSpec { line: line("spun"), ..LineSpec::default() }]).unwrap();
    debugger.start(false).unwrap();
    receive.recv_timeout(PATIENCE).unwrap();
    assert_eq!(debugger.end(EndKind::Detach), Ok(()));
    assert_eq!(process_state(pid).unwrap().tracer, 0);
    ends_well(child, output);
}
