//! One, a hundred and ten thousand tasks: every one found, once, where it waits.

use std::collections::HashSet;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, list};

const FILE: &str = "spawner/src/main.rs";

/// Stops when all tasks are suspended.
fn ready(count: usize, flavor: &str, profile: Profile) -> (Client, i64) {
    let mut client = Client::weft();
    let program = program("spawner", profile);
    let stop = client.launch_to(&program, &[&count.to_string(), flavor], source(FILE), line(FILE, "ready"));
    (client, stop.thread)
}

fn integers(tasks: &[Value], key: &str) -> HashSet<i64> {
    tasks.iter().filter_map(|task| task[key].as_i64()).collect()
}

fn check(count: usize, flavor: &str, profile: Profile) {
    let (mut client, thread) = ready(count, flavor, profile);
    let body = client.async_tasks();
    assert_eq!(body["total"], json!(count + 1), "the spawned tasks and the root; notes: {}", body["notes"]);
    assert_eq!(body["notes"], json!([]));
    assert_eq!(body["problems"], json!([]));
    let kind = if flavor == "current" { "tokio-current-thread" } else { "tokio-multi-thread" };
    assert_eq!(body["runtimes"].as_array().map(Vec::len), Some(1));
    assert_eq!((&body["runtimes"][0]["kind"], &body["runtimes"][0]["taskCount"]), (&json!(kind), &json!(count + 1)));

    let tasks: Vec<Value> = list(&body["tasks"]).cloned().collect();
    assert_eq!(integers(&tasks, "id").len(), count + 1, "ids are unique");
    assert_eq!(integers(&tasks, "threadId").len(), count + 1, "thread ids are unique");
    let (roots, spawned): (Vec<Value>, Vec<Value>) = tasks.into_iter().partition(|task| task["kind"] == "root");
    assert_eq!(integers(&spawned, "runtimeTaskId").len(), count, "every task has the runtime's number");
    let path = source(FILE).display().to_string();
    for task in &spawned {
        assert_eq!(
            (&task["name"], &task["kind"], &task["state"], &task["error"]),
            (&json!("spawner::handle"), &json!("task"), &json!("waiting"), &Value::Null),
            "{task}"
        );
        assert_eq!(task["location"]["line"], json!(line(FILE, "in wait")), "{task}");
        assert_eq!(task["location"]["source"]["path"], json!(path), "{task}");
        assert_eq!(task["entry"]["line"], json!(line(FILE, "in handle") - 2), "{task}");
        assert_eq!((&task["runtime"], &task["osThread"]), (&body["runtimes"][0]["id"], &Value::Null), "{task}");
    }
    assert_eq!(roots.len(), 1, "{roots:?}");
    let root = &roots[0];
    assert_eq!((&root["name"], &root["state"]), (&json!("spawner::run"), &json!("running")), "{root}");
    assert_eq!((&root["location"]["line"], &root["osThread"]), (&json!(line(FILE, "ready")), &json!(thread)), "{root}");

    for task in [spawned.first(), spawned.get(count / 2), spawned.last()].into_iter().flatten() {
        stack_of(&mut client, task);
    }
    client.disconnect();
}

/// A suspended task: three functions deep, each with the line where it awaits and its saved variables.
fn stack_of(client: &mut Client, task: &Value) {
    let expected = [("spawner::handle", "in handle"), ("spawner::stage", "in stage"), ("spawner::wait", "in wait")];
    let frames = client.async_stack(task["id"].as_i64().expect("an id"));
    assert_eq!(frames.len(), 1, "nobody awaits it yet: {frames:?}");
    let mut frame = &frames[0];
    let mut ids = Vec::new();
    for (name, marker) in expected {
        assert_eq!((&frame["name"], &frame["kind"]), (&json!(name), &json!("await")), "{frame}");
        assert_eq!(frame["line"], json!(line(FILE, marker)), "{frame}");
        assert_eq!(frame["children"].as_array().map(Vec::len), Some(1), "{frame}");
        ids.push(frame["id"].as_i64().expect("an id"));
        frame = &frame["children"][0];
    }
    assert_eq!((&frame["kind"], &frame["children"], &frame["line"]), (&json!("leaf"), &json!([]), &Value::Null));
    assert_eq!(frame["name"], json!("Notified"), "{frame}");
    assert_eq!(task["frames"], json!(4), "{task}");

    let number = client.evaluate("id", ids[0]).value;
    let doubled: usize = client.evaluate("doubled", ids[0]).value.parse().expect("a number");
    assert_eq!(doubled, 2 * number.parse::<usize>().expect("a number"));
    assert_eq!(client.evaluate("label", ids[1]).value, format!("\"task-{number}\""));
    let names: Vec<String> = client.locals(ids[1]).into_iter().map(|variable| variable.name).collect();
    assert!(names.contains(&"id".to_owned()) && names.contains(&"label".to_owned()), "{names:?}");

    // The same through standard requests, innermost first.
    let thread = task["threadId"].as_i64().expect("a thread id");
    let rows = client.stack(thread);
    let user: Vec<(&str, i64)> =
        rows.iter().filter(|row| row.hint == "normal").map(|row| (row.name.as_str(), row.line)).collect();
    let inner_first: Vec<(&str, i64)> =
        expected.iter().rev().map(|(name, marker)| (*name, line(FILE, marker))).collect();
    assert_eq!(user, inner_first);
    assert_eq!(
        client.evaluate("label", rows.iter().find(|row| row.name == "spawner::stage").expect("stage").id).value,
        format!("\"task-{number}\"")
    );
}

#[test]
fn one_task() {
    check(1, "multi", Profile::Debug);
}

#[test]
fn one_task_optimised() {
    check(1, "multi", Profile::Release);
}

#[test]
fn a_hundred_tasks() {
    check(100, "multi", Profile::Debug);
}

#[test]
fn a_hundred_tasks_optimised() {
    check(100, "multi", Profile::Release);
}

#[test]
fn ten_thousand_tasks() {
    check(10_000, "multi", Profile::Debug);
}

#[test]
fn ten_thousand_tasks_optimised() {
    check(10_000, "multi", Profile::Release);
}

#[test]
fn a_hundred_tasks_on_one_thread() {
    check(100, "current", Profile::Debug);
}

#[test]
fn a_hundred_tasks_on_one_thread_optimised() {
    check(100, "current", Profile::Release);
}

#[test]
fn pages_of_one_snapshot_cover_it_exactly() {
    let (mut client, _) = ready(100, "multi", Profile::Debug);
    let whole = client.async_tasks();
    let mut collected = Vec::new();
    for start in [0, 30, 60, 90] {
        let page = client.ask("asyncTasks", json!({"start": start, "count": 30, "generation": whole["generation"]}));
        assert_eq!((&page["total"], &page["generation"]), (&json!(101), &whole["generation"]));
        assert_eq!(list(&page["tasks"]).count(), if start == 90 { 11 } else { 30 });
        collected.extend(list(&page["tasks"]).cloned());
    }
    assert_eq!(json!(collected), whole["tasks"]);

    let none = client.ask("asyncTasks", json!({"filter": {"text": "no such thing"}}));
    assert_eq!((&none["total"], &none["matched"], &none["tasks"]), (&json!(101), &json!(0), &json!([])));
    let root = client.ask("asyncTasks", json!({"filter": {"states": ["running"]}}));
    assert_eq!((&root["matched"], &root["tasks"][0]["kind"]), (&json!(1), &json!("root")));
    let gone = client.refused("asyncTasks", json!({"generation": 987_654}));
    assert_eq!(gone.id, 1501, "{gone:?}");
    let unknown = client.refused("asyncStack", json!({"task": 987_654}));
    assert_eq!(unknown.id, 1304, "{unknown:?}");
    client.disconnect();
}

#[test]
fn ids_outlive_a_stop() {
    let (mut client, thread) = ready(100, "multi", Profile::Debug);
    let before = client.async_tasks();
    client.step("next", thread);
    let after = client.async_tasks();
    let key = |task: &Value| (task["runtimeTaskId"].as_i64(), task["id"].as_i64(), task["threadId"].as_i64());
    let pairs = |body: &Value| list(&body["tasks"]).map(key).collect::<HashSet<_>>();
    assert_eq!(pairs(&before), pairs(&after));
    assert_ne!(before["generation"], after["generation"]);
    client.disconnect();
}

#[test]
fn a_task_can_be_focused() {
    let (mut client, _) = ready(1, "multi", Profile::Debug);
    client.event("asyncTasksChanged");
    let tasks = client.async_tasks();
    let task = list(&tasks["tasks"]).find(|task| task["kind"] == "task").cloned().expect("the spawned task");
    let thread = task["threadId"].as_i64().expect("a thread id");
    assert!(client.threads().iter().all(|(id, _)| *id != thread), "not listed before it is asked for");
    client.ask("asyncFocusTask", json!({"task": task["id"]}));
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), stop.thread), ("pause", thread));
    assert_eq!(stop.body["preserveFocusHint"], json!(false));
    assert!(client.threads().iter().any(|(id, name)| *id == thread && name.contains("spawner::handle")));
    assert_eq!(client.top(thread).name, "spawner::wait");
    client.disconnect();
}

#[test]
fn tasks_of_a_running_program_can_be_asked_for() {
    let mut client = Client::weft();
    client.launch(&program("spawner", Profile::Debug), &["100"], &weft_tests::Launch::default());
    client.output_with("stdout", "ready 100");
    let body = client.async_tasks();
    assert_eq!(body["total"], json!(101));
    let notes: Vec<&str> = list(&body["notes"]).filter_map(Value::as_str).collect();
    assert!(notes.iter().any(|note| note.contains("stopped for ") && note.contains(" ms")), "{notes:?}");
    let failure = client.refused("asyncFocusTask", json!({"task": body["tasks"][0]["id"]}));
    assert!(failure.message.contains("pause first"), "{failure:?}");
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new(), "a look is no stop");
    client.pause();
    client.disconnect();
}
