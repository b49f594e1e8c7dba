//! Stops for one task, and runs of one task to a line.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Fifo, Launch, Stop, list};

const FILE: &str = "scoped/src/main.rs";

fn at(marker: &str) -> i64 {
    line(FILE, marker)
}

fn stopped_at(marker: &str, profile: Profile, args: &[&str]) -> (Client, Stop) {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source(FILE), at(marker))], more: Value::Null };
    client.launch(&program("scoped", profile), args, &launch);
    let stop = client.stopped();
    client.set_breakpoints(&source(FILE), &[]);
    (client, stop)
}

fn task(client: &mut Client, name: &str) -> Value {
    let tasks = client.async_tasks();
    let found = list(&tasks["tasks"]).find(|task| task["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {name} in {tasks}")).clone()
}

fn works(client: &mut Client) -> Vec<Value> {
    let tasks = client.async_tasks();
    let mut works: Vec<Value> = list(&tasks["tasks"]).filter(|task| task["name"] == "scoped::work").cloned().collect();
    works.sort_by_key(|task| task["runtimeTaskId"].as_i64());
    works
}

/// The client's number of a task, and its thread's.
fn numbers(task: &Value) -> (i64, i64) {
    (task["id"].as_i64().expect("an id"), task["threadId"].as_i64().expect("a thread"))
}

fn description(stop: &Stop) -> &str {
    stop.body["description"].as_str().unwrap_or_default()
}

const ALL: [&str; 4] = ["polled", "completed", "cancelled", "panicked"];

/// Watches one task for something, and gives what stops the program, in order, to its end.
fn stops_of(profile: Profile, args: &[&str], name: &str, on: &[&str]) -> (Vec<(String, String)>, String, Client) {
    let (mut client, stop) = stopped_at("ends ready", profile, args);
    let watched = task(&mut client, name);
    let (id, thread) = numbers(&watched);
    client.ask("asyncTaskStops", json!({"task": id, "on": on}));
    client.resume(stop.thread);
    let mut told = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        assert_eq!((stop.reason.as_str(), stop.thread), ("task", thread));
        let text = stop.body["text"].as_str().unwrap_or_default();
        told.push((description(&stop).to_owned(), text.to_owned()));
        client.resume(stop.thread);
    }
    (told, format!("task {id} {name}"), client)
}

#[test]
fn a_task_stops_for_what_it_is_watched_for() {
    for (profile, args) in [
        (Profile::Debug, &["ends"][..]),
        (Profile::Debug, &["ends", "multi"]),
        (Profile::Release, &["ends"]),
        (Profile::Release, &["ends", "multi"]),
    ] {
        for (name, end, text) in [
            ("scoped::finishes", "has completed", ""),
            ("scoped::panics", "has panicked", "out of luck"),
            ("scoped::pends", "was cancelled", ""),
        ] {
            let (told, task, mut client) = stops_of(profile, args, name, &ALL);
            let (ended, polls) = told.split_last().expect("it ends");
            assert_eq!(*ended, (format!("{task} {end}"), text.to_owned()), "{profile:?} {args:?}");
            // With several threads the first of them may still be to come, or be under way, and be the only one.
            let most = if args.contains(&"multi") { 0..=2 } else { 1..=1 };
            let polled = (format!("{task} is about to be polled"), String::new());
            assert!(most.contains(&polls.len()) && polls.iter().all(|poll| *poll == polled), "{profile:?} {polls:?}");
            let said = client.output("console");
            assert!(said.contains(&format!("{task} {end}: the stops that were set for it are gone\n")), "{said}");
            assert_eq!(client.exited(), 0);
            let (told, _, mut client) = stops_of(profile, args, name, &["polled"]);
            assert!(most.contains(&told.len()), "{profile:?} {args:?} {told:?}");
            let said = client.output("console");
            assert!(said.contains(&format!("{task} {end}: the stops that were set for it are gone\n")), "{said}");
            assert_eq!(client.exited(), 0);
        }
    }
}

#[test]
fn a_set_is_replaced_and_taken_away() {
    let (mut client, stop) = stopped_at("ends ready", Profile::Debug, &["ends"]);
    let (id, _) = numbers(&task(&mut client, "scoped::finishes"));
    client.ask("asyncTaskStops", json!({"task": id, "on": ALL}));
    client.ask("asyncTaskStops", json!({"task": id, "on": ["panicked"]}));
    let (panics, thread) = numbers(&task(&mut client, "scoped::panics"));
    client.ask("asyncTaskStops", json!({"task": panics, "on": ["completed", "panicked"]}));
    let (pends, _) = numbers(&task(&mut client, "scoped::pends"));
    client.ask("asyncTaskStops", json!({"task": pends, "on": ["cancelled"]}));
    client.ask("asyncTaskStops", json!({"task": pends, "on": []}));
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(
        (stop.thread, description(&stop)),
        (thread, format!("task {panics} scoped::panics has panicked").as_str())
    );
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn what_cannot_be_watched_says_why() {
    let (mut client, stop) = stopped_at("ends ready", Profile::Debug, &["ends"]);
    let (root, _) = numbers(&task(&mut client, "scoped::ends"));
    let refused = client.refused("asyncTaskStops", json!({"task": root, "on": ["completed"]}));
    assert!(refused.message.starts_with("this is no task of Tokio's"), "{refused:?}");
    let (id, _) = numbers(&task(&mut client, "scoped::finishes"));
    client.refused("asyncTaskStops", json!({"task": id, "on": ["born"]}));
    assert_eq!(client.refused("asyncTaskStops", json!({"task": 99, "on": []})).message, "there is no task 99");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn one_task_runs_to_a_line_that_all_come_to() {
    for profile in [Profile::Debug, Profile::Release] {
        let (mut client, stop) = stopped_at("spawned", profile, &["siblings"]);
        let third = works(&mut client).swap_remove(2);
        let (id, thread) = numbers(&third);
        let asked = json!({"task": id, "source": {"path": source(FILE)}, "line": at("work last")});
        client.ask("asyncRunTo", asked);
        let stop_at = client.stopped();
        assert_eq!((stop_at.reason.as_str(), stop_at.thread), ("step", thread), "{profile:?}");
        let top = client.top(thread);
        assert_eq!((top.name.as_str(), top.line), ("scoped::work", at("work last")));
        // Others have ended, and are listed as long as somebody holds their results.
        let tasks = client.ask("asyncTasks", json!({}));
        assert_eq!(list(&tasks["tasks"]).find(|task| task["id"] == id).expect("it runs")["state"], "running");
        if profile == Profile::Debug {
            assert_eq!(client.evaluate("id", top.id).value, "3");
        }
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "total 54\n");
    }
}

#[test]
fn a_task_that_ends_first_ends_the_run() {
    let (mut client, _) = stopped_at("ends ready", Profile::Debug, &["ends", "multi"]);
    let (id, _) = numbers(&task(&mut client, "scoped::early"));
    let line = at("never reached");
    client.ask("asyncRunTo", json!({"task": id, "source": {"path": source(FILE)}, "line": line}));
    let stop = client.stopped();
    assert_eq!(stop.reason, "step");
    assert_eq!(description(&stop), format!("the task has ended without coming to line {line}"));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_run_that_cannot_begin_says_why() {
    let (mut client, stop) = stopped_at("ends ready", Profile::Debug, &["ends"]);
    let (id, _) = numbers(&task(&mut client, "scoped::early"));
    let refused = client.refused("asyncRunTo", json!({"task": id, "source": {"path": "/nowhere.rs"}, "line": 1}));
    assert!(refused.message.contains("comes from /nowhere.rs"), "{refused:?}");
    client.refused("asyncRunTo", json!({"task": id, "source": {"path": source(FILE)}, "line": 100_000}));
    client.refused("asyncRunTo", json!({"task": 99, "source": {"path": source(FILE)}, "line": 1}));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

/// Lets a task keep its thread; `filters`: what stops the program.
fn long(name: &str, args: &[&str], filters: &[&str]) -> (Client, Fifo, String) {
    let fifo = Fifo::new(name);
    let mut client = Client::weft();
    let path = fifo.path().to_owned();
    let all: Vec<&str> = ["long", path.as_str()].into_iter().chain(args.iter().copied()).collect();
    // On a busy machine any poll may lose its processor for a while: not for that long.
    let more = json!({"async": {"longPollMs": 2000}});
    client.launch_configured(
        &program("scoped", Profile::Debug),
        &all,
        &Launch { more, ..Launch::default() },
        |client| {
            let set = client.set_exceptions(filters, &[]);
            assert!(set.iter().all(|filter| filter.verified), "{set:?}");
        },
    );
    let place = format!("has taken more than 2000 ms, in scoped::long (main.rs:{})", at("long poll"));
    (client, fifo, place)
}

#[test]
fn a_long_poll_stops_once() {
    for args in [&[][..], &["multi"]] {
        let (mut client, fifo, place) = long("long-stops", args, &["long-poll"]);
        let stop = client.stopped();
        let (id, thread) = numbers(&task(&mut client, "scoped::long"));
        assert_eq!((stop.reason.as_str(), stop.thread), ("task", thread), "{args:?}");
        assert_eq!(description(&stop), format!("a poll of task {id} scoped::long {place}"));
        client.resume(stop.thread);
        fifo.write();
        assert_eq!(client.exited(), 0);
        assert_eq!(client.output("stdout"), "read 2 after Ok(1000) turns\n");
        assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
    }
}

#[test]
fn without_its_filter_a_long_poll_is_told() {
    let (mut client, fifo, place) = long("long-told", &["multi"], &[]);
    let said = client.output_with("console", "a poll of task");
    assert!(said.contains(&format!("scoped::long {place}\n")), "{said}");
    fifo.write();
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}
