//! Breakpoints: where they land, and how often they stop.

use std::collections::HashSet;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch};

const STEPS: &str = "sync_zoo/src/steps.rs";
const GENERICS: &str = "sync_zoo/src/generics.rs";
const THREADS: &str = "sync_zoo/src/threads.rs";
const ENDS: &str = "ends/src/main.rs";
const PLUGIN: &str = "plugin/src/lib.rs";
const USER: &str = "plugin_user/src/main.rs";

fn at(file: &str, markers: &[&str]) -> Launch {
    let breakpoints = markers.iter().map(|marker| (source(file), line(file, marker))).collect();
    Launch { breakpoints, more: Value::Null }
}

/// Goes on until the program ends; gives the breakpoints of each stop and the exit status.
fn run_out(client: &mut Client) -> (Vec<Vec<i64>>, i64) {
    let mut hits = Vec::new();
    loop {
        match client.stop_or_exit() {
            Some(stop) => {
                assert_eq!(stop.reason, "breakpoint", "{stop:?}");
                hits.push(stop.hit);
                client.resume(stop.thread);
            }
            None => return (hits, client.exited()),
        }
    }
}

#[test]
fn hits_are_counted_exactly() {
    let markers = ["plain first", "branches not taken", "branches body", "factorial first", "in closure", "finish"];
    let mut client = Client::weft();
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &at(STEPS, &markers));
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    assert_eq!(
        set.iter().filter_map(|breakpoint| breakpoint.line).collect::<Vec<_>>(),
        weft_tests::programs::lines(STEPS, &markers)
    );
    let (hits, code) = run_out(&mut client);
    let id = |marker: &str| set[markers.iter().position(|known| *known == marker).expect("a marker")].id;
    let mut expected = vec![vec![id("plain first")]];
    expected.extend([vec![id("branches body")], vec![id("branches body")]]);
    expected.extend((0..4).map(|_| vec![id("factorial first")]));
    expected.extend((0..3).map(|_| vec![id("in closure")]));
    expected.push(vec![id("finish")]);
    assert_eq!((hits, code), (expected, 0));
    assert_eq!(client.output("stdout"), "total 43\n");
}

#[test]
fn optimised_code_stops_too() {
    let mut client = Client::weft();
    let markers = ["factorial first", "finish"];
    let set = client.launch(&program("sync_zoo", Profile::Release), &["steps"], &at(STEPS, &markers));
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    let (hits, code) = run_out(&mut client);
    // The recursion may have become a loop: once at least, and the last stop is the last line.
    assert!(hits.contains(&vec![set[0].id]), "{hits:?}");
    assert_eq!(hits.last(), Some(&vec![set[1].id]));
    assert_eq!(code, 0);
}

#[test]
fn a_line_without_code_moves_to_the_next_with_code() {
    let mut client = Client::weft();
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &at(STEPS, &["no code here"]));
    assert_eq!((set[0].verified, set[0].line), (true, Some(line(STEPS, "finish"))));
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, line(STEPS, "finish"));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_line_behind_the_end_says_why_it_never_stops() {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(STEPS), 9_999)], more: Value::Null };
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &launch);
    assert!(!set[0].verified, "{set:?}");
    assert!(!set[0].message.is_empty(), "{set:?}");
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_file_of_another_program_says_why_it_never_stops() {
    let mut client = Client::weft();
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &at(USER, &["summed"]));
    assert!(!set[0].verified, "{set:?}");
    assert!(!set[0].message.is_empty(), "{set:?}");
    assert_eq!(client.exited(), 0);
}

#[test]
fn every_instantiation_of_a_generic_function_stops() {
    let mut client = Client::weft();
    client.launch(&program("sync_zoo", Profile::Debug), &["generics"], &at(GENERICS, &["generic"]));
    for expected in [["3", "9"], ["\"apple\"", "\"pear\""], ["200", "100"]] {
        let stop = client.stopped();
        let top = client.top(stop.thread);
        assert_eq!(top.line, line(GENERICS, "generic"));
        assert_eq!([client.evaluate("left", top.id).value, client.evaluate("right", top.id).value], expected);
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
}

#[test]
fn each_thread_stops_for_itself() {
    let mut client = Client::weft();
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["threads"], &at(THREADS, &["in work"]));
    let mut seen = HashSet::new();
    let mut indices = Vec::new();
    for _ in 0..3 {
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0].id]);
        assert!(seen.insert(stop.thread), "thread {} stopped twice", stop.thread);
        let threads = client.threads();
        let name = &threads.iter().find(|(id, _)| *id == stop.thread).expect("the thread is listed").1;
        let top = client.top(stop.thread);
        assert_eq!(top.line, line(THREADS, "in work"));
        let index = client.evaluate("index", top.id).value;
        assert!(name.contains(&format!("worker-{index}")), "{name}");
        indices.push(index);
        client.resume(stop.thread);
    }
    indices.sort();
    assert_eq!(indices, ["0", "1", "2"]);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn a_running_program_takes_breakpoints() {
    let mut client = Client::weft();
    client.launch(&program("ends", Profile::Debug), &["spin"], &Launch::default());
    client.output_with("stdout", "spinning");
    let set = client.set_breakpoints(&source(ENDS), &[line(ENDS, "turn")]);
    assert_eq!((set[0].verified, set[0].line), (true, Some(line(ENDS, "turn"))));
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let turns = |client: &mut Client, thread: i64| {
        let top = client.top(thread);
        assert_eq!((top.name.as_str(), top.line), ("ends::turn", line(ENDS, "turn")));
        client.evaluate("turns", top.id).value.parse::<u64>().expect("a number")
    };
    let first = turns(&mut client, stop.thread);
    for more in 1..=3 {
        let stop = client.resume_to_stop(stop.thread);
        assert_eq!(turns(&mut client, stop.thread), first + more, "every turn stops once");
    }
    // Removed: nothing but a pause stops it.
    client.set_breakpoints(&source(ENDS), &[]);
    client.resume(stop.thread);
    client.pause();
    // Asked for again in the same place: same line, another number.
    let again = client.set_breakpoints(&source(ENDS), &[line(ENDS, "turn"), line(ENDS, "spin")]);
    assert!(again.iter().all(|breakpoint| breakpoint.verified), "{again:?}");
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(stop.reason, "breakpoint");
    client.disconnect();
}

#[test]
fn a_shared_library_brings_its_breakpoints() {
    let mut client = Client::weft();
    let library = program("libplugin.so", Profile::Debug).display().to_string();
    let set = client.launch(&program("plugin_user", Profile::Debug), &[&library], &at(PLUGIN, &["in plugin"]));
    assert!(!set[0].verified, "the library is not there yet: {set:?}");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let bound = client.event_where("breakpoint", |body| body["breakpoint"]["id"] == json!(set[0].id));
    assert_eq!(bound["reason"], json!("changed"));
    assert_eq!(bound["breakpoint"]["verified"], json!(true));
    assert_eq!(bound["breakpoint"]["line"], json!(line(PLUGIN, "in plugin")));
    let frames = client.stack(stop.thread);
    assert_eq!((frames[0].line, frames[1].name.as_str()), (line(PLUGIN, "in plugin"), "plugin_user::main"));
    assert_eq!(client.evaluate("left", frames[0].id).value, "20");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "sum 42\n");
}

/// An editor that knows the sources under another path, and counts lines from 0.
#[test]
fn paths_and_lines_are_the_clients_own() {
    let mut client = Client::weft();
    client.ask("initialize", json!({"adapterID": "weft", "linesStartAt1": false, "columnsStartAt1": false}));
    let here = source(STEPS).display().to_string().replace(STEPS, "");
    let launch = client.send(
        "launch",
        json!({
            "program": program("sync_zoo", Profile::Debug), "args": ["steps"],
            "sourceMap": {here.trim_end_matches('/'): "/elsewhere/src"},
        }),
    );
    client.event("initialized");
    let elsewhere = format!("/elsewhere/src/{STEPS}");
    let line = line(STEPS, "plain first") - 1;
    let set = client.set_breakpoints(elsewhere.as_ref(), &[line]);
    assert_eq!((set[0].verified, set[0].line), (true, Some(line)));
    client.ask("configurationDone", json!({}));
    assert!(client.answer(launch).is_ok());
    let stop = client.stopped();
    let top = client.top(stop.thread);
    assert_eq!((top.path.as_deref(), top.line), (Some(elsewhere.as_ref()), line));
    client.disconnect();
}
