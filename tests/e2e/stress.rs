//! Many threads, many hits, forks, signals, deep stacks: nothing is lost and nothing is harmed.

use std::collections::HashSet;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, process};

const FILE: &str = "busy/src/main.rs";

fn launch(args: &[&str], markers: &[&str]) -> (Client, Vec<i64>) {
    let mut client = Client::weft();
    let breakpoints = markers.iter().map(|marker| (source(FILE), line(FILE, marker))).collect();
    let set = client.launch(&program("busy", Profile::Debug), args, &Launch { breakpoints, more: Value::Null });
    (client, set.into_iter().map(|breakpoint| breakpoint.id).collect())
}

#[test]
fn every_hit_of_every_thread_is_a_stop() {
    let (mut client, set) = launch(&["threads", "4", "25"], &["hot"]);
    let mut hits = 0;
    let mut threads = HashSet::new();
    while let Some(stop) = client.stop_or_exit() {
        assert_eq!((stop.reason.as_str(), &stop.hit), ("breakpoint", &set));
        threads.insert(stop.thread);
        hits += 1;
        client.resume(stop.thread);
    }
    assert_eq!((hits, threads.len()), (100, 4));
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "turns 100\n");
}

#[test]
fn breakpoints_come_and_go_on_a_hot_line() {
    let (mut client, _) = launch(&["forever", "3"], &[]);
    client.output_with("stdout", "running");
    for _ in 0..20 {
        let set = client.set_breakpoints(&source(FILE), &[line(FILE, "hot")]);
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0].id]);
        assert_eq!(client.top(stop.thread).name, "busy::hot");
        client.set_breakpoints(&source(FILE), &[]);
        client.resume(stop.thread);
    }
    // Hits that others had reached when the breakpoint went are dropped.
    assert_eq!(client.pause().reason, "pause");
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
    client.disconnect();
}

#[test]
fn steps_end_in_their_thread_while_others_pass() {
    let (mut client, _) = launch(&["forever", "3"], &[]);
    client.output_with("stdout", "running");
    client.set_breakpoints(&source(FILE), &[line(FILE, "hot")]);
    let stop = client.stopped();
    client.set_breakpoints(&source(FILE), &[]);
    client.step("stepOut", stop.thread);
    let own = |client: &mut Client| {
        let top = client.top(stop.thread);
        assert_eq!(top.line, line(FILE, "own"));
        client.evaluate("own", top.id).value.parse::<u64>().expect("a number")
    };
    let first = own(&mut client);
    for turn in 1..=10 {
        for expected in ["around", "calls hot", "own"] {
            let next = client.step("next", stop.thread);
            assert_eq!((next.reason.as_str(), next.thread), ("step", stop.thread));
            assert_eq!(client.top(stop.thread).line, line(FILE, expected));
        }
        assert_eq!(own(&mut client), first + turn, "not a turn is missed, nor taken from another thread");
    }
    client.disconnect();
}

#[test]
fn detaching_in_the_midst_of_hits_harms_nothing() {
    let mut busy = process::Guarded::start(&program("busy", Profile::Debug), &["forever", "3"], &[]);
    busy.wait_for("running");
    for round in 0..8 {
        let mut client = Client::weft();
        client.attach(busy.pid());
        client.set_breakpoints(&source(FILE), &[line(FILE, "hot")]);
        let stop = client.stopped();
        if round % 2 == 0 {
            // The others are about to hit it as well.
            client.resume(stop.thread);
        }
        client.ask("disconnect", json!({}));
        assert_eq!(process::tracer(busy.pid()), Some(0));
        busy.say(&format!("{round}\n"));
        assert_eq!(busy.wait_for("alive"), format!("alive {round}\n"));
    }
}

#[test]
fn a_forked_child_does_not_step_on_our_traps() {
    let (mut client, set) = launch(&["fork"], &["both"]);
    let stop = client.stopped();
    assert_eq!(stop.hit, set);
    assert_eq!(stop.thread, i64::from(client.debuggee()), "the parent is debugged, the child is not");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "child Some(7) 2\n");
}

#[test]
fn a_deep_stack_is_served_in_slices() {
    let (mut client, _) = launch(&["deep", "5000"], &["bottom"]);
    let stop = client.stopped();
    let slice = |client: &mut Client, start: u64| {
        let body = client.ask("stackTrace", json!({"threadId": stop.thread, "startFrame": start, "levels": 20}));
        let names: Vec<String> = weft_tests::list(&body["stackFrames"])
            .filter_map(|frame| frame["name"].as_str().map(str::to_owned))
            .collect();
        (names, body["totalFrames"].as_u64().unwrap_or(0))
    };
    let (top, total) = slice(&mut client, 0);
    assert_eq!(top, vec!["busy::deep"; 20]);
    assert!(total >= 20, "{total}");
    let (middle, _) = slice(&mut client, 400);
    assert_eq!(middle, vec!["busy::deep"; 20]);
    let frames = client.stack(stop.thread);
    assert!(frames.len() >= 500, "{} frames", frames.len());
    client.disconnect();
}

#[test]
fn signals_reach_the_program_and_a_fault_is_shown() {
    let (mut client, set) = launch(&["signals"], &["in handler", "caught"]);
    for _ in 0..5 {
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0]]);
        assert_eq!(client.top(stop.thread).name, "busy::caught");
        let frames = client.stack(stop.thread);
        let raiser =
            frames.iter().find(|frame| frame.name == "busy::signals").expect("the stack goes through the signal");
        assert_eq!(raiser.line, line(FILE, "raises"));
        client.resume(stop.thread);
    }
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[1]]);
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(stop.reason, "exception");
    assert!(stop.body.to_string().contains("SIGSEGV"), "{}", stop.body);
    let top = client.stack(stop.thread).into_iter().find(|frame| frame.name == "busy::signals").expect("our frame");
    assert_eq!(top.line, line(FILE, "faults"));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 128 + 11);
    assert_eq!(client.output("stdout"), "caught 5\n");
}

#[test]
fn a_program_that_becomes_another_is_followed() {
    let mut client = Client::weft();
    let ends = program("ends", Profile::Debug).display().to_string();
    let ends_source = source("ends/src/main.rs");
    let exit = line("ends/src/main.rs", "exit");
    let launch = Launch { breakpoints: vec![(ends_source, exit)], more: Value::Null };
    client.launch(&program("busy", Profile::Debug), &["exec", &ends, "exit", "9"], &launch);
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, exit);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 9);
    assert_eq!(client.output("stdout"), "to stdout\n");
}

#[test]
fn two_sessions_at_once_do_not_know_each_other() {
    let (mut first, _) = launch(&["threads", "2", "3"], &["hot"]);
    let (mut second, _) = launch(&["threads", "2", "3"], &["hot"]);
    let mut hits = [0, 0];
    for _ in 0..6 {
        for (client, hits) in [&mut first, &mut second].into_iter().zip(&mut hits) {
            let stop = client.stopped();
            *hits += 1;
            client.resume(stop.thread);
        }
    }
    assert_eq!((first.exited(), second.exited(), hits), (0, 0, [6, 6]));
}
