//! Where tasks were spawned: recorded by the debugger (`async.spawnSites`), exactly, and without a trace when it is off.

use std::path::Path;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, code, list, process};

const FILE: &str = "spawn_zoo/src/main.rs";
/// What every spawn takes its task's number from.
const NUMBERS: &str = "tokio::runtime::task::id::Id::next";

/// A task: its name, who spawned it, and the functions on the stack that did, outermost first, with their markers.
type Expected = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str)]);

const RUN: &str = "spawn_zoo::run";
const PARENT: &str = "spawn_zoo::parent";
const BLOCK: &str = "spawn_zoo::parent {async block}";

const TASKS: &[Expected] = &[
    ("spawn_zoo::plain", Some(RUN), &[(RUN, "root spawns")]),
    ("spawn_zoo::helped", Some(RUN), &[(RUN, "root calls helper"), ("spawn_zoo::help", "helper spawns")]),
    ("spawn_zoo::generic", Some(RUN), &[(RUN, "loop spawns")]),
    ("spawn_zoo::generic", Some(RUN), &[(RUN, "loop spawns")]),
    ("spawn_zoo::generic", Some(RUN), &[(RUN, "other type")]),
    (PARENT, Some(RUN), &[(RUN, "root spawns parent")]),
    ("spawn_zoo::run {closure}", Some(RUN), &[(RUN, "blocking")]),
    ("spawn_zoo::in_set", Some(RUN), &[(RUN, "set spawns")]),
    ("spawn_zoo::from_thread", None, &[("spawn_zoo::run {closure #2}", "thread spawns")]),
    ("spawn_zoo::in_local_set", Some(RUN), &[(RUN, "set of locals")]),
    (BLOCK, Some(PARENT), &[(PARENT, "parent spawns")]),
    ("spawn_zoo::grandchild", Some(BLOCK), &[(BLOCK, "block spawns")]),
];

fn zoo(profile: Profile) -> std::path::PathBuf {
    program("spawn_zoo", profile)
}

fn launched(program: &Path, flavor: &str, record: bool) -> Client {
    let mut client = Client::weft();
    let launch = Launch {
        breakpoints: vec![(source(FILE), line(FILE, "ready"))],
        more: json!({"async": {"spawnSites": record}}),
    };
    client.launch(program, &[flavor], &launch);
    let stop = client.stopped();
    assert_eq!(stop.reason, "breakpoint", "{stop:?}");
    client
}

fn number(of: &Value) -> i64 {
    of.as_i64().expect("a number")
}

/// The name of a task of a list.
fn name(tasks: &[Value], id: &Value) -> Option<String> {
    tasks.iter().find(|task| task["id"] == *id)?["name"].as_str().map(str::to_owned)
}

/// The boundary that tells who spawned a task.
fn boundary(client: &mut Client, task: &Value) -> Option<Value> {
    let frames = client.async_stack(number(&task["id"]));
    let is_site = |frame: &Value| frame["name"].as_str().is_some_and(|name| name.starts_with("spawned "));
    let mut sites = frames.into_iter().filter(is_site);
    let site = sites.next();
    assert_eq!(sites.next(), None, "one site");
    site
}

/// The stack below a boundary, outermost frame first.
fn stack_below(boundary: &Value) -> Vec<(String, i64)> {
    let mut stack = Vec::new();
    let mut frame = &boundary["children"][0];
    while frame.is_object() {
        assert_eq!(frame["kind"], json!("physical"), "{frame}");
        assert!(list(&frame["children"]).count() <= 1, "{frame}");
        stack.push((frame["name"].as_str().expect("a name").to_owned(), number(&frame["line"])));
        frame = &frame["children"][0];
    }
    stack
}

/// Every task that the debuggee spawns has its site: line, spawner, stack.
fn every_way(profile: Profile, flavor: &str) {
    let mut client = launched(&zoo(profile), flavor, true);
    let body = client.async_tasks();
    assert_eq!(body["notes"], json!([]));
    let tasks: Vec<Value> = list(&body["tasks"]).cloned().collect();
    let mut expected: Vec<&Expected> = TASKS.iter().collect();
    for task in tasks.iter().filter(|task| task["kind"] != "root") {
        let site = boundary(&mut client, task).unwrap_or_else(|| panic!("{task} has no site"));
        let stack = stack_below(&site);
        let spawner = name(&tasks, &task["spawnedBy"]);
        let fits = |expected: &&Expected| {
            let lines = expected.2.iter().map(|(name, marker)| ((*name).to_owned(), line(FILE, marker)));
            task["name"] == expected.0 && spawner.as_deref() == expected.1 && lines.eq(stack.iter().cloned())
        };
        let at = expected.iter().position(fits);
        let at = at.unwrap_or_else(|| panic!("{task} by {spawner:?} is not expected at {stack:?}"));
        expected.remove(at);
        assert_eq!(task["spawnedAt"]["line"].as_i64(), stack.last().map(|(_, line)| *line), "{task}");
        assert_eq!(task["spawnedAt"]["source"]["path"], json!(source(FILE)), "{task}");
        let told = match spawner {
            Some(name) => format!("spawned by task {} {name}", task["spawnedBy"]),
            None => "spawned here".to_owned(),
        };
        assert_eq!(
            (&site["name"], &site["kind"], &site["task"]),
            (&json!(told), &json!("boundary"), &task["spawnedBy"])
        );
    }
    assert_eq!(expected, Vec::<&Expected>::new(), "not seen");
    let root = tasks.iter().find(|task| task["kind"] == "root").expect("a root");
    assert_eq!((&root["spawnedAt"], &root["spawnedBy"]), (&Value::Null, &Value::Null), "nobody spawned it");
    assert_eq!(boundary(&mut client, root), None);
    client.disconnect();
}

#[test]
fn every_way_of_spawning() {
    every_way(Profile::Debug, "multi");
}

#[test]
fn every_way_of_spawning_optimised() {
    every_way(Profile::Release, "multi");
}

#[test]
fn every_way_of_spawning_on_one_thread() {
    every_way(Profile::Debug, "current");
}

#[test]
fn every_way_of_spawning_on_one_thread_optimised() {
    every_way(Profile::Release, "current");
}

#[test]
fn nothing_is_recorded_unasked() {
    let mut client = launched(&zoo(Profile::Debug), "multi", false);
    let body = client.async_tasks();
    assert_eq!((&body["notes"], list(&body["tasks"]).count()), (&json!([]), TASKS.len() + 1));
    for task in list(&body["tasks"]).cloned().collect::<Vec<_>>() {
        assert_eq!((&task["spawnedAt"], &task["spawnedBy"]), (&Value::Null, &Value::Null), "{task}");
        assert_eq!(boundary(&mut client, &task), None, "{task}");
    }
    // Where its function is declared is known all the same.
    let plain = list(&body["tasks"]).find(|task| task["name"] == "spawn_zoo::plain").expect("a task");
    assert_eq!(plain["entry"]["line"], json!(line(FILE, "plain")));
    client.disconnect();
}

/// Where the debugger has a trap of its own a user's breakpoint stops nevertheless, and the spawn is seen once; also one
/// that is stepped over by instructions.
#[test]
fn a_breakpoint_at_the_same_place_stops() {
    let mut client = Client::weft();
    let launch = Launch { more: json!({"async": {"spawnSites": true}}), ..Launch::default() };
    client.launch_configured(&zoo(Profile::Debug), &["multi"], &launch, |client| {
        let set = client.set_function_breakpoints(&[json!({"name": NUMBERS})]);
        assert!(set[0].verified, "{set:?}");
    });
    let inside = client.stopped();
    let at = client.instruction(inside.thread);
    let code = client.disassemble(at, 0, 40);
    let leaves = code.iter().find(|instruction| instruction.text.trim() == "ret").expect("it returns").address;
    client.set_function_breakpoints(&[]);
    let set = client.set_instruction_breakpoints(&[json!({"instructionReference": format!("{leaves:#x}")})]);
    assert!(set[0].verified, "{set:?}");
    let stop = client.resume_to_stop(inside.thread);
    assert_eq!((stop.hit.as_slice(), client.instruction(stop.thread)), (&[set[0].id][..], leaves));
    // Up to the next one by instructions: the trap is not executed, and the spawn is seen.
    let mut passed = client.step_with("next", stop.thread, &json!({"granularity": "instruction"}));
    assert_ne!(client.instruction(passed.thread), leaves);
    client.set_instruction_breakpoints(&[]);
    client.set_breakpoints(&source(FILE), &[line(FILE, "ready")]);
    passed = client.resume_to_stop(passed.thread);
    assert_eq!(passed.reason, "breakpoint");
    let body = client.async_tasks();
    for task in list(&body["tasks"]).filter(|task| task["kind"] != "root") {
        assert!(task["spawnedAt"]["line"].is_i64(), "{task}");
    }
    client.disconnect();
}

/// Only what is spawned while somebody watches has a site; afterwards the program's code is its own.
#[test]
fn attached_for_a_while() {
    for profile in [Profile::Debug, Profile::Release] {
        let mut zoo = process::Guarded::start(&zoo(profile), &["multi"], &[]);
        zoo.wait_for("ready");
        let mut client = Client::weft();
        client.initialize();
        let seq = client.send("attach", json!({"pid": zoo.pid(), "async": {"spawnSites": true}}));
        client.event("initialized");
        client.ask("configurationDone", json!({}));
        client.answer(seq).expect("attached");
        zoo.say("more\n");
        zoo.wait_for("more");
        client.pause();
        let body = client.async_tasks();
        let tasks: Vec<Value> = list(&body["tasks"]).cloned().collect();
        assert_eq!(tasks.len(), TASKS.len() + 2, "{tasks:?}");
        for task in &tasks {
            let late = task["name"] == "spawn_zoo::late";
            let expected = late.then(|| line(FILE, "spawns late"));
            assert_eq!(task["spawnedAt"]["line"].as_i64(), expected, "{task}");
        }
        client.ask("disconnect", json!({}));
        assert_eq!(process::tracer(zoo.pid()), Some(0));
        assert!(code::check_unchanged(zoo.pid()) > 0);
        zoo.say("more\n");
        zoo.wait_for("more");
        zoo.say("end\n");
        assert!(zoo.ended().success());
    }
}

/// Twenty thousand spawns, with stops in between: the program does what it does.
#[test]
fn many_spawns_and_stops() {
    let mut client = Client::weft();
    let launch = Launch { more: json!({"async": {"spawnSites": true}}), ..Launch::default() };
    client.launch(&zoo(Profile::Release), &["churn", "20000"], &launch);
    for _ in 0..5 {
        let Some(stop) = pause_or_end(&mut client) else { break };
        client.resume(stop);
    }
    client.output_with("stdout", "spawned 20000 in ");
    assert_eq!(client.exited(), 0);
    client.disconnect();
}

/// The thread of a stop, or none if the program has ended before.
fn pause_or_end(client: &mut Client) -> Option<i64> {
    let thread = client.threads().first()?.0;
    let seq = client.send("pause", json!({"threadId": thread}));
    client.answer(seq).ok()?;
    client.stop_or_exit().map(|stop| stop.thread)
}
