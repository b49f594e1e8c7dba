//! Tasks of executors beside Tokio, and of two copies of Tokio in one process, as a client sees them.

use serde_json::Value;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, list};

/// Each runtime's kind with the names of its tasks, both sorted.
fn by_runtime(tasks: &Value, program: &str) -> Vec<String> {
    let row = |runtime: &Value| {
        let mine = list(&tasks["tasks"]).filter(|task| task["runtime"] == runtime["id"]);
        let short = |task: &Value| {
            let name = task["name"].as_str().expect("a name");
            name.strip_prefix(&format!("{program}::")).unwrap_or(name).to_owned()
        };
        let mut names: Vec<String> = mine.map(short).collect();
        assert_eq!(runtime["taskCount"], names.len(), "{runtime}");
        names.sort();
        format!("{}: {}", runtime["kind"].as_str().expect("a kind"), names.join(", "))
    };
    let mut rows: Vec<String> = list(&tasks["runtimes"]).map(row).collect();
    rows.sort();
    rows
}

/// Stops where the program says that all its tasks wait.
fn stopped(name: &str) -> Client {
    let mut client = Client::weft();
    let main = format!("{name}/src/main.rs");
    client.launch_to(&program(name, Profile::Debug), &[], source(&main), line(&main, "ready"));
    client
}

#[test]
fn pools_of_futures_are_runtimes() {
    let mut client = stopped("pools_zoo");
    let tasks = client.async_tasks();
    let expected = [
        "block-on: drives",
        "futures-local-pool: local_new, local_wait, local_wait",
        "futures-local-pool: local_other, until",
        "futures-thread-pool: handled, pool_lock, pool_oneshot, pool_receive, pool_send",
    ];
    assert_eq!(by_runtime(&tasks, "pools_zoo"), expected);
    let named = |task: &&Value| task["name"] == "pools_zoo::local_wait";
    let mut numbers: Vec<String> = Vec::new();
    for task in list(&tasks["tasks"]).filter(named).map(|task| task["id"].as_i64().expect("a number")) {
        let stack = client.async_stack(task);
        assert_eq!(stack[0]["name"], "pools_zoo::local_wait");
        assert_eq!(stack[0]["line"], line("pools_zoo/src/main.rs", "local_wait"));
        let locals = client.locals(stack[0]["id"].as_i64().expect("a frame"));
        numbers.extend(locals.iter().filter(|local| local.name == "number").map(|local| local.value.clone()));
    }
    numbers.sort();
    assert_eq!(numbers, ["1", "2"]);
    client.disconnect();
}

#[test]
fn an_executor_that_nobody_knows_is_listed_as_well_as_that_goes() {
    let mut client = stopped("own_executor");
    let tasks = client.async_tasks();
    let expected = ["block-on: drives", "unknown: nested, waits, waits, waits"];
    assert_eq!(by_runtime(&tasks, "own_executor"), expected);
    let notes: Vec<&str> = list(&tasks["notes"]).filter_map(Value::as_str).collect();
    assert!(matches!(notes.as_slice(), [note] if note.starts_with("best effort: ")), "{notes:?}");
    client.disconnect();
}

#[test]
fn a_library_may_have_a_tokio_of_its_own() {
    let mut client = stopped("two_copies");
    let tasks = client.async_tasks();
    let expected =
        ["tokio-multi-thread: of_library, of_library, of_library", "tokio-multi-thread: of_program, of_program"];
    assert_eq!(by_runtime(&tasks, "two_copies"), expected);
    for task in list(&tasks["tasks"]) {
        let file = if task["name"] == "two_copies::of_library" { "lib" } else { "main" };
        let marker = task["name"].as_str().expect("a name").trim_start_matches("two_copies::").to_owned();
        assert_eq!(task["location"]["line"], line(&format!("two_copies/src/{file}.rs"), &marker), "{task}");
        assert_eq!(task["waitingOn"]["kind"], "notify", "{task}");
    }
    client.disconnect();
}

#[test]
fn executors_of_smol_are_told_apart() {
    let mut client = Client::weft();
    let main = "smol_zoo/src/main.rs";
    client.launch_to(&program("smol_zoo", Profile::Debug), &[], source(main), line(main, "ready"));
    let tasks = client.async_tasks();
    let rows = by_runtime(&tasks, "smol_zoo");
    let of = |name: &str| {
        rows.iter().find(|row| row.split(": ").nth(1).is_some_and(|all| all.split(", ").any(|it| it == name)))
    };
    assert_eq!(of("on_static").map(String::as_str), Some("smol: on_static, on_static"), "{rows:?}");
    assert_eq!(of("on_thread").map(String::as_str), Some("smol: on_thread, root"), "{rows:?}");
    assert_eq!(
        of("waits_ready").map(String::as_str),
        Some("smol: is_cancelled, never_polled, waits_ready"),
        "{rows:?}"
    );
    let states: Vec<(&str, &str)> = list(&tasks["tasks"])
        .filter_map(|task| Some((task["name"].as_str()?.strip_prefix("smol_zoo::")?, task["state"].as_str()?)))
        .filter(|(name, _)| ["root", "never_polled", "waits_ready", "wait_mutex"].contains(name))
        .collect();
    for expected in
        [("root", "running"), ("never_polled", "created"), ("waits_ready", "ready"), ("wait_mutex", "waiting")]
    {
        assert!(states.contains(&expected), "{expected:?} in {states:?}");
    }
    client.disconnect();
}
