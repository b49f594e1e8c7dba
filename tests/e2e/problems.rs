//! What is wrong with a program's tasks, as a client and a terminal see it: numbers of tasks, lines, and nothing where
//! nothing is wrong.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program};
use weft_tests::{Client, list, process, weft_command};

fn started(name: &str, args: &[&str], profile: Profile) -> process::Guarded {
    let mut running = process::Guarded::start(&program(name, profile), args, &[]);
    running.wait_for("ready");
    running
}

/// `deadlocks`, once all its tasks have come to rest.
fn stuck(what: &str, profile: Profile) -> process::Guarded {
    let running = started("deadlocks", &[what], profile);
    process::wait_asleep(running.pid());
    running
}

fn id(tasks: &Value, name: &str) -> i64 {
    let mut found = list(&tasks["tasks"]).filter(|task| task["name"] == *name);
    let id = found.next().and_then(|task| task["id"].as_i64());
    id.filter(|_| found.next().is_none()).unwrap_or_else(|| panic!("no or several {name} in {tasks}"))
}

/// The sentence for the two tasks and two locks of `deadlocks`, with these numbers.
fn two_locks(first: i64, second: i64, third: i64) -> String {
    let place = |marker| format!("src/async_locks.rs:{}", line("deadlocks/src/async_locks.rs", marker));
    let (at_first, at_second) = (place("number_then_text"), place("text_then_number"));
    let name = |function| format!("deadlocks::async_locks::{function}");
    let (number, text, bystander) = (name("number_then_text"), name("text_then_number"), name("bystander"));
    format!(
        "2 tasks wait for each other: task {first} {number} holds Mutex<u32> ({number}, {at_first}) and waits at {at_first} \
         for Mutex<String>, held by task {second} {text} ({text}, {at_second}); task {second} {text} holds Mutex<String> \
         ({text}, {at_second}) and waits at {at_second} for Mutex<u32>, held by task {first} {number} ({number}, {at_first}). \
         task {third} {bystander} waits for that"
    )
}

#[test]
fn a_client_is_told_of_a_deadlock() {
    for profile in [Profile::Debug, Profile::Release] {
        let running = stuck("mutexes", profile);
        let mut client = Client::weft();
        client.attach(running.pid());
        client.pause();
        let tasks = client.async_tasks();
        let number = |function: &str| id(&tasks, &format!("deadlocks::async_locks::{function}"));
        let (first, second) = (number("number_then_text"), number("text_then_number"));
        let problems: Vec<&Value> = list(&tasks["problems"]).collect();
        let [problem] = problems.as_slice() else { panic!("one problem, not {problems:?}") };
        assert_eq!((&problem["kind"], &problem["severity"]), (&json!("deadlock"), &json!("error")));
        assert_eq!(problem["text"], json!(two_locks(first, second, number("bystander"))));
        assert_eq!(problem["tasks"], json!([first, second]));
        let waits = |number: i64| {
            let task = list(&tasks["tasks"]).find(|task| task["id"] == number).expect("it is in the list");
            task["waitingOn"]["resource"]["id"].clone()
        };
        let mut resources: Vec<&Value> = list(&problem["resources"]).collect();
        let mut wanted = [waits(first), waits(second)];
        resources.sort_by_key(|id| id.as_u64());
        wanted.sort_by_key(Value::as_u64);
        assert_eq!(resources, wanted.iter().collect::<Vec<_>>());
        client.ask("disconnect", json!({"terminateDebuggee": false}));
        assert_eq!(process::tracer(running.pid()), Some(0));
    }
}

/// What `weft tasks` prints of a process.
fn printed(running: &process::Guarded) -> String {
    let output = weft_command(&["tasks", "--pid", &running.pid().to_string()]).output().expect("weft runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The number of a task in what was printed.
fn printed_id(tree: &str, row: &str) -> i64 {
    let found = tree.lines().find(|line| line.contains(row)).unwrap_or_else(|| panic!("no {row} in {tree}"));
    found.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The lines below the tree, but for how long the program stood.
fn problems_of(tree: &str) -> Vec<&str> {
    let below = tree.lines().filter(|line| !line.starts_with(' ')).skip(1);
    below.filter(|line| !line.starts_with("note: stopped for ")).collect()
}

#[test]
fn a_terminal_is_told_of_a_deadlock() {
    let tree = printed(&stuck("mutexes", Profile::Debug));
    let number = |function: &str| printed_id(&tree, &format!("deadlocks::async_locks::{function} waiting"));
    let text = two_locks(number("number_then_text"), number("text_then_number"), number("bystander"));
    assert_eq!(problems_of(&tree), [format!("deadlock: {text}")], "{tree}");
}

#[test]
fn a_terminal_is_told_of_a_blocked_thread() {
    let running = stuck("sleeping", Profile::Debug);
    let tree = printed(&running);
    let number = |row: &str| printed_id(&tree, &format!("deadlocks::threads::{row}"));
    let text = format!(
        "blocking-in-async: task {} deadlocks::threads::sleeps blocks its thread at src/threads.rs:{} (std::thread::sleep) while \
         1 task of its runtime is ready: task {} deadlocks::threads::woken",
        number("sleeps running"),
        line("deadlocks/src/threads.rs", "sleeps"),
        number("woken ready")
    );
    assert_eq!(problems_of(&tree), [text], "{tree}");
}

#[test]
fn a_healthy_program_has_no_problem_at_any_stop() {
    for flavor in ["multi", "current"] {
        let running = started("healthy", &[flavor], Profile::Debug);
        let mut client = Client::weft();
        client.attach(running.pid());
        for _ in 0..8 {
            let stop = client.pause();
            let tasks = client.ask("asyncTasks", json!({}));
            assert!(list(&tasks["tasks"]).count() > 40, "{flavor}: {tasks}");
            assert_eq!(tasks["problems"], json!([]), "{flavor}");
            client.resume(stop.thread);
        }
        client.ask("disconnect", json!({"terminateDebuggee": false}));
    }
}
