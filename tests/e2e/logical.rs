//! The logical stack of a running task, up through whoever awaits it, in every client's words.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Frame, Stop, list};

const FILE: &str = "await_chain/src/main.rs";
const CURRENT: &str = "current_thread/src/main.rs";

fn deep(marker: &str, profile: Profile) -> (Client, Stop) {
    let mut client = Client::weft();
    let stop = client.launch_to(&program("await_chain", profile), &[], source(FILE), line(FILE, marker));
    (client, stop)
}

fn named<'a>(tasks: &'a Value, name: &str) -> &'a Value {
    list(&tasks["tasks"]).find(|task| task["name"] == name).unwrap_or_else(|| panic!("no task {name} in {tasks}"))
}

/// Rows above the runtime's own: name and line, labels with line 0.
fn rows(frames: &[Frame]) -> Vec<(String, i64)> {
    let shown = frames.iter().filter(|frame| frame.hint != "subtle");
    shown.map(|frame| (frame.name.clone(), if frame.hint == "label" { 0 } else { frame.line })).collect()
}

fn at(name: &str, marker: &str) -> (String, i64) {
    (name.to_owned(), line(FILE, marker))
}

#[test]
fn awaiters_follow_where_the_executor_begins() {
    let (mut client, stop) = deep("resumed", Profile::Debug);
    client.event("asyncTasksChanged");
    let tasks = client.async_tasks();
    let id = |name: &str| named(&tasks, name)["id"].as_i64().expect("an id");
    let (child, parent, main) = (id("await_chain::child"), id("await_chain::parent"), id("await_chain::main"));
    let frames = client.stack(stop.thread);
    assert_eq!(
        rows(&frames),
        [
            at("await_chain::Ledger::total", "resumed"),
            at("await_chain::audit", "audit awaits"),
            at("await_chain::child", "child awaits"),
            (format!("task {child} await_chain::child"), 0),
            (format!("awaited by task {parent} await_chain::parent"), 0),
            at("await_chain::parent", "parent awaits"),
            (format!("awaited by task {main} await_chain::main"), 0),
            at("await_chain::main", "main awaits"),
        ]
    );
    let last_user = frames.iter().rposition(|frame| frame.hint != "subtle").expect("rows");
    let first_label = frames.iter().position(|frame| frame.hint == "label").expect("a label");
    assert!(frames.len() > last_user + 1, "the executor's own frames come last");
    assert!(frames[first_label..last_user].iter().all(|frame| frame.hint != "subtle"), "{frames:?}");

    // A running frame, one that waits for it on the same stack, and suspended ones of other tasks have variables.
    let frame =
        |name: &str| frames.iter().find(|frame| frame.name == name && frame.hint == "normal").expect("a frame").id;
    assert_eq!(client.evaluate("total", frame("await_chain::Ledger::total")).value, "11");
    assert_eq!(client.evaluate("self.entries", frame("await_chain::Ledger::total")).value, "[1, 2, 3]");
    assert_eq!(client.evaluate("self.owner", frame("await_chain::Ledger::total")).value, "\"ada\"");
    assert_eq!(client.evaluate("before", frame("await_chain::audit")).value, "3");
    assert_eq!(client.evaluate("extra", frame("await_chain::child")).value, "5");
    assert_eq!(client.evaluate("weight", frame("await_chain::parent")).value, "10");
    let saved = client.locals(frame("await_chain::parent"));
    assert!(saved.iter().any(|variable| variable.name == "weight" && variable.value == "10"), "{saved:?}");
    // Labels have no variables.
    assert_eq!(client.scopes(frames[first_label].id), []);
    client.disconnect();
}

#[test]
fn tasks_say_who_awaits_them() {
    let (mut client, stop) = deep("resumed", Profile::Debug);
    let tasks = client.async_tasks();
    assert_eq!(tasks["total"], json!(3), "child, parent and the root");
    let (child, parent, main) =
        (named(&tasks, "await_chain::child"), named(&tasks, "await_chain::parent"), named(&tasks, "await_chain::main"));
    assert_eq!((&child["state"], &child["osThread"]), (&json!("running"), &json!(stop.thread)));
    assert_eq!((&parent["state"], &main["state"]), (&json!("waiting"), &json!("waiting")));
    assert_eq!(child["awaitedBy"], json!([{"task": parent["id"], "via": "join"}]));
    assert_eq!(parent["awaitedBy"], json!([{"task": main["id"], "via": "join"}]));
    assert_eq!(main["awaitedBy"], json!([]));
    assert_eq!((&main["kind"], &parent["kind"]), (&json!("root"), &json!("task")));
    let line_of = |task: &Value| task["location"]["line"].as_i64().unwrap_or_default();
    assert_eq!(
        [line_of(child), line_of(parent), line_of(main)],
        [line(FILE, "resumed"), line(FILE, "parent awaits"), line(FILE, "main awaits")]
    );
    assert_eq!((&parent["waitingOn"]["kind"], &parent["waitingOn"]["tasks"]), (&json!("join"), &json!([child["id"]])));

    // The same as a tree: the task's own frames inward, then the awaiter behind a boundary.
    let frames = client.async_stack(child["id"].as_i64().expect("an id"));
    let mut names = Vec::new();
    let mut inward = &frames[0];
    loop {
        names.push((inward["name"].as_str().unwrap_or_default().to_owned(), inward["line"].as_i64().unwrap_or(0)));
        match list(&inward["children"]).next() {
            Some(next) => inward = next,
            None => break,
        }
    }
    let user: Vec<_> = names.into_iter().filter(|(name, _)| name.starts_with("await_chain::")).collect();
    assert_eq!(
        user,
        [
            at("await_chain::child", "child awaits"),
            at("await_chain::audit", "audit awaits"),
            at("await_chain::Ledger::total", "resumed")
        ]
    );
    let boundary = frames.get(1).expect("an awaiter follows the task's own tree");
    assert_eq!((&boundary["kind"], &boundary["task"]), (&json!("boundary"), &parent["id"]));
    assert_eq!(boundary["children"][0]["name"], json!("await_chain::parent"));
    client.disconnect();
}

#[test]
fn the_first_poll_is_on_the_threads_stack() {
    let (mut client, stop) = deep("adding", Profile::Debug);
    let frames = client.stack(stop.thread);
    let user: Vec<&str> =
        frames.iter().filter(|frame| frame.hint == "normal").map(|frame| frame.name.as_str()).take(3).collect();
    assert_eq!(user, ["await_chain::Ledger::total", "await_chain::audit", "await_chain::child"]);
    assert_eq!(client.evaluate("total", frames[0].id).value, "5");
    assert_eq!(client.evaluate("*entry", frames[0].id).value, "1");
    client.disconnect();
}

#[test]
fn optimised_code_has_the_same_chain() {
    let (mut client, stop) = deep("resumed", Profile::Release);
    let frames = client.stack(stop.thread);
    let user: Vec<String> = rows(&frames).into_iter().filter(|(_, line)| *line > 0).map(|(name, _)| name).collect();
    assert_eq!(
        user,
        [
            "await_chain::Ledger::total",
            "await_chain::audit",
            "await_chain::child",
            "await_chain::parent",
            "await_chain::main"
        ]
    );
    client.disconnect();
}

#[test]
fn an_async_block_has_a_name() {
    let (mut client, stop) = deep("in block", Profile::Debug);
    let frames = client.stack(stop.thread);
    assert_eq!(rows(&frames)[0], at("await_chain::main {async block}", "in block"));
    assert_eq!(client.evaluate("inside", frames[0].id).value, "151");
    client.disconnect();
}

/// Stepping over an `.await` that suspends ends on the next line of the same task, whatever ran meanwhile.
#[test]
fn a_step_over_an_await_stays_in_its_task() {
    let (mut client, stop) = deep("yields", Profile::Debug);
    let before = client.stack(stop.thread);
    let next = client.step("next", stop.thread);
    assert_eq!(next.reason, "step");
    let after = client.stack(next.thread);
    assert_eq!((after[0].name.as_str(), after[0].line), ("await_chain::Ledger::total", line(FILE, "resumed")));
    let label = |frames: &[Frame]| frames.iter().find(|frame| frame.hint == "label").map(|frame| frame.name.clone());
    assert_eq!(label(&before), label(&after));
    client.disconnect();
}

#[test]
fn a_current_thread_runtime_shows_what_each_waits_for() {
    let mut client = Client::weft();
    let program = program("current_thread", Profile::Debug);
    let stop = client.launch_to(&program, &[], source(CURRENT), line(CURRENT, "ready"));
    let tasks = client.async_tasks();
    assert_eq!(tasks["total"], json!(5));
    assert_eq!(tasks["runtimes"][0]["kind"], json!("tokio-current-thread"));
    assert_eq!(tasks["runtimes"][0]["osThreads"], json!([stop.thread]));
    let table = [
        ("current_thread::sleeper", "sleeps", "sleep"),
        ("current_thread::listener", "listens", "notify"),
        ("current_thread::joiner", "joins", "join"),
        ("current_thread::locker", "locks", "mutex"),
    ];
    for (name, marker, kind) in table {
        let task = named(&tasks, name);
        assert_eq!(
            (&task["state"], &task["location"]["line"], &task["waitingOn"]["kind"]),
            (&json!("waiting"), &json!(line(CURRENT, marker)), &json!(kind)),
            "{task}"
        );
    }
    let sleeper = named(&tasks, "current_thread::sleeper");
    let left = sleeper["waitingOn"]["remainingMs"].as_i64().unwrap_or_default();
    assert!((3_000_000..=3_600_000).contains(&left), "{sleeper}");
    let joiner = named(&tasks, "current_thread::joiner");
    assert_eq!(sleeper["awaitedBy"], json!([{"task": joiner["id"], "via": "join"}]));
    client.disconnect();
}

#[test]
fn every_stop_is_followed_by_one_change_of_tasks() {
    let (mut client, mut stop) = deep("adding", Profile::Debug);
    let mut generations = Vec::new();
    for _ in 0..2 {
        generations.push(client.event("asyncTasksChanged")["generation"].as_i64().expect("a number"));
        stop = client.resume_to_stop(stop.thread);
    }
    generations.push(client.event("asyncTasksChanged")["generation"].as_i64().expect("a number"));
    assert!(generations.windows(2).all(|pair| pair[0] < pair[1]), "{generations:?}");
    assert_eq!(client.take_events("asyncTasksChanged"), Vec::<Value>::new());
    // In the order in which they arrived: the stop first.
    let said = client.transcript();
    let order: Vec<&str> = said
        .lines()
        .filter_map(|line| {
            ["\"event\":\"stopped\"", "\"event\":\"asyncTasksChanged\""].into_iter().find(|event| line.contains(event))
        })
        .collect();
    assert_eq!(order.len(), 6);
    assert!(order.chunks(2).all(|pair| pair[0].contains("stopped") && pair[1].contains("Changed")), "{order:?}");
    client.disconnect();
}
