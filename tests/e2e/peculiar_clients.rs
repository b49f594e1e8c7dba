//! What clients need that know nothing of weft, and cannot bear or say everything.

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, Stop};

const FILE: &str = "await_chain/src/main.rs";

/// A client of this id that was told everything up to a stop, the list of its threads, and what came besides.
fn at_a_stop(id: &str, more: serde_json::Value) -> (Client, Stop, Vec<(i64, String)>) {
    let mut client = Client::weft();
    client.abilities = json!({"clientID": id});
    let breakpoints = vec![(source(FILE), line(FILE, "resumed"))];
    client.launch(&program("await_chain", Profile::Debug), &[], &Launch { breakpoints, more });
    let stop = client.stopped();
    let threads = client.threads();
    (client, stop, threads)
}

/// The tasks among these threads, without their numbers: who is seen first is not said.
fn tasks(threads: &[(i64, String)]) -> Vec<&str> {
    let names = threads.iter().filter_map(|(_, name)| name.strip_prefix("task ")?.split_once(' '));
    let mut names: Vec<&str> = names.map(|(_, name)| name).collect();
    names.sort_unstable();
    names
}

const TASKS: [&str; 3] = ["await_chain::child", "await_chain::main", "await_chain::parent"];

/// Threads that `thread` events have named: those of tasks, which are numbered from 2^30 on, and others.
fn announced(client: &mut Client) -> (usize, usize) {
    let events = client.take_events("thread");
    let of_tasks = events.iter().filter(|body| body["threadId"].as_i64().is_some_and(|id| id >= 1 << 30)).count();
    (of_tasks, events.len() - of_tasks)
}

#[test]
fn attributes_of_objects_can_be_given_by_dotted_names() {
    let (mut client, stop, threads) =
        at_a_stop("weft-tests", json!({"async.tasksAsThreads": "all", "async.maxThreads": 2, "env.WEFT_PORT": 8080}));
    assert_eq!(tasks(&threads).len(), 2, "{threads:?}");
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", client.debuggee())).expect("its environment");
    assert!(environment.split('\0').any(|variable| variable == "WEFT_PORT=8080"), "{environment:?}");
    assert_eq!(announced(&mut client), (2, 2));
    client.event("asyncTasksChanged");
    client.resume(stop.thread);
    client.exited();
}

#[test]
fn helix_hears_of_no_threads_and_of_nothing_that_it_does_not_know() {
    let (mut client, stop, threads) = at_a_stop("hx", json!({"async.tasksAsThreads": "all"}));
    assert_eq!(tasks(&threads), TASKS);
    assert!(threads.iter().any(|(id, _)| *id == stop.thread), "{threads:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(announced(&mut client), (0, 0));
    assert_eq!(client.take_events("asyncTasksChanged"), Vec::<serde_json::Value>::new());
}

#[test]
fn dape_hears_of_the_systems_threads_only() {
    let (mut client, stop, threads) = at_a_stop("dape", json!({"async": {"tasksAsThreads": "all"}}));
    assert_eq!(tasks(&threads), TASKS);
    assert_eq!(announced(&mut client), (0, 2));
    client.event("asyncTasksChanged");
    // A task is a thread for it all the same.
    let (parent, _) = threads.iter().find(|(_, name)| name.ends_with("::parent")).expect("listed");
    let names: Vec<String> = client.stack(*parent).into_iter().map(|frame| frame.name).collect();
    let main = &threads.iter().find(|(_, name)| name.ends_with("::main")).expect("listed").1;
    assert_eq!(names, ["await_chain::parent", &format!("awaited by {main}"), "await_chain::main"]);
    client.resume(stop.thread);
    client.exited();
}
