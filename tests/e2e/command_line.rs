//! `weft` in a terminal.

use std::process::Output;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program};
use weft_tests::{list, process, schema, weft_command};

fn run(args: &[&str]) -> Output {
    weft_command(args).output().expect("weft runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn spawner(count: &str, profile: Profile) -> process::Guarded {
    let mut spawner = process::Guarded::start(&program("spawner", profile), &[count], &[]);
    spawner.wait_for(&format!("ready {count}"));
    spawner
}

/// Untouched: runs, nobody debugs it, and it still does what it was made for.
fn assert_unharmed(mut spawner: process::Guarded, sum: &str) {
    assert_eq!(process::tracer(spawner.pid()), Some(0));
    assert!(matches!(process::state(spawner.pid()), Some('S' | 'R' | 'D')), "{:?}", process::state(spawner.pid()));
    spawner.say("open\n");
    assert_eq!(spawner.wait_for("sum"), format!("sum {sum}\n"));
    assert!(spawner.ended().success());
}

fn check_json(count: &str, profile: Profile, sum: &str) {
    let spawner = spawner(count, profile);
    let output = run(&["tasks", "--pid", &spawner.pid().to_string(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let body: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(schema::check_tasks(&body), Ok(()));
    let count: u64 = count.parse().expect("a number");
    assert_eq!((&body["total"], &body["matched"]), (&json!(count + 1), &json!(count + 1)));
    let handles: Vec<&Value> = list(&body["tasks"]).filter(|task| task["name"] == "spawner::handle").collect();
    assert_eq!(handles.len() as u64, count);
    let at = line("spawner/src/main.rs", "in wait");
    assert!(handles.iter().all(|task| task["location"]["line"] == at && task["state"] == "waiting"));
    let root = list(&body["tasks"]).find(|task| task["kind"] == "root").expect("the root");
    assert_eq!((&root["name"], &root["state"]), (&json!("spawner::run"), &json!("waiting")));
    assert_eq!(root["location"]["line"], json!(line("spawner/src/main.rs", "join")));
    // The root waits for one of them.
    let awaited: Vec<&&Value> = handles.iter().filter(|task| task["awaitedBy"] != json!([])).collect();
    assert_eq!(awaited.len(), 1);
    assert_eq!(awaited[0]["awaitedBy"], json!([{"task": root["id"], "via": "join"}]));
    assert_unharmed(spawner, sum);
}

#[test]
fn tasks_as_json() {
    check_json("100", Profile::Debug, "4950");
}

#[test]
fn tasks_as_json_optimised() {
    check_json("100", Profile::Release, "4950");
}

#[test]
fn ten_thousand_tasks_as_json() {
    check_json("10000", Profile::Debug, "49995000");
}

#[test]
fn tasks_as_a_tree() {
    let spawner = spawner("5", Profile::Debug);
    let output = run(&["tasks", "--pid", &spawner.pid().to_string()]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let tree = text(&output.stdout);
    assert!(!tree.contains('\u{1b}'), "no colours into a pipe: {tree:?}");
    assert!(tree.starts_with("tokio-multi-thread, 6 tasks, "), "{tree}");
    assert_eq!(tree.lines().filter(|line| line.contains("spawner::handle waiting")).count(), 5, "{tree}");
    let join = line("spawner/src/main.rs", "join");
    let root = tree.lines().position(|line| line.contains("spawner::run (root)")).expect("the root has a line");
    let lines: Vec<&str> = tree.lines().collect();
    assert!(lines[root].contains(&format!("main.rs:{join}")), "{tree}");
    // What the root awaits stands below it, further in.
    assert!(lines[root + 1].contains("spawner::handle"), "{tree}");
    let indent = |line: &str| line.len() - line.trim_start().len();
    assert!(indent(lines[root + 1]) > indent(lines[root]), "{tree}");
    assert_unharmed(spawner, "10");
}

#[test]
fn tasks_of_what_is_no_process() {
    let pid = spawner("1", Profile::Debug).pid();
    let output = run(&["tasks", "--pid", &pid.to_string()]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let told = text(&output.stderr);
    assert_eq!(told.lines().count(), 1, "one sentence: {told}");
    assert!(told.contains(&pid.to_string()), "{told}");
}

#[test]
fn tasks_of_a_program_without_a_runtime() {
    let mut spin = process::Guarded::start(&program("ends", Profile::Debug), &["spin"], &[]);
    spin.wait_for("spinning");
    let output = run(&["tasks", "--pid", &spin.pid().to_string()]);
    let told = text(&output.stderr) + &text(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 1)) && !told.is_empty(), "{output:?}");
    assert!(told.contains("no ") || told.contains("not "), "says that there is no runtime: {told}");
    assert_eq!(process::tracer(spin.pid()), Some(0));
    assert!(process::lives(spin.pid()));
}

#[test]
fn wrong_usage_has_its_own_status() {
    for args in [&["tasks"][..], &["tasks", "--pid", "many"], &["dap", "--sideways"], &["unknown"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn version_and_help() {
    let version = run(&["--version"]);
    assert_eq!(
        (version.status.code(), text(&version.stdout)),
        (Some(0), format!("weft {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for word in ["dap", "tasks", "demo", "--log"] {
        assert!(text(&help.stdout).contains(word), "{word} is not in the help");
    }
}

#[test]
fn an_address_that_others_can_reach_needs_a_word() {
    let output = run(&["dap", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--allow-remote"), "{}", text(&output.stderr));
}

/// The guided session: builds its program with the user's cargo (here: into a cache of the test's own), stops three
/// awaits deep, shows what there is, steps once, and ends.
#[test]
fn the_demo_shows_the_main_job() {
    let cache = tempfile::tempdir().expect("a folder");
    let output = weft_command(&["demo"]).env("XDG_CACHE_HOME", cache.path()).output().expect("weft runs");
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    assert!(!shown.contains('\u{1b}'), "no colours into a pipe");
    for wanted in ["task ", "awaited by"] {
        assert!(shown.contains(wanted), "{wanted:?} is not in:\n{shown}");
    }
    assert!(!shown.contains("{{closure}}") && !shown.contains("{async_"), "{shown}");
}
