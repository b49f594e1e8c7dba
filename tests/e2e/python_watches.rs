//! Stops for one task of a Python program, and runs of one task to a line.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Stop, list, on_each_python};

const SCRIPT: &str = "watched.py";
const ALL: [&str; 4] = ["polled", "completed", "cancelled", "panicked"];

/// Launches the script, and gives the thread of the first stop, at a marker; nothing else stops it.
fn stopped_at(python: &Python, marker: &str) -> (Client, i64) {
    let mut client = Client::weft();
    python.launch(&mut client, SCRIPT, &[marker]);
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, line(SCRIPT, marker));
    client.set_breakpoints(&source(SCRIPT), &[]);
    (client, stop.thread)
}

/// The client's number of a task, and its thread's.
fn task(client: &mut Client, name: &str) -> (i64, i64) {
    let tasks = client.async_tasks();
    let found = list(&tasks["tasks"]).find(|task| task["name"] == name);
    let found = found.unwrap_or_else(|| panic!("there is no {name} in {tasks}"));
    (found["id"].as_i64().expect("an id"), found["threadId"].as_i64().expect("a thread"))
}

fn watch(client: &mut Client, task: i64, on: &[&str]) {
    client.ask("asyncTaskStops", json!({"task": task, "on": on}));
}

/// What a stop for a task says, behind the task's number and name, and the exception.
fn said(stop: &Stop, task: i64, name: &str) -> (String, String) {
    assert_eq!(stop.reason, "task", "{stop:?}");
    let told = stop.body["description"].as_str().expect("a description");
    let behind = told.strip_prefix(&format!("task {task} {name} ")).unwrap_or_else(|| panic!("{told}"));
    (behind.to_owned(), stop.body["text"].as_str().unwrap_or_default().to_owned())
}

/// Watches one task from its begin, and gives where it stops, with what is said, to the program's end.
fn stops_of(python: &Python, name: &str, on: &[&str]) -> (Vec<(i64, String, String)>, String) {
    let (mut client, main) = stopped_at(python, "made");
    let (id, thread) = task(&mut client, name);
    watch(&mut client, id, on);
    client.resume(main);
    let mut all = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        assert_eq!(stop.thread, thread);
        let (what, failure) = said(&stop, id, name);
        all.push((client.top(thread).line, what, failure));
        client.resume(thread);
    }
    (all, client.output("console"))
}

/// Where and what, for [`stops_of`].
fn row(marker: &str, what: &str) -> (i64, String, String) {
    (line(SCRIPT, marker), what.to_owned(), String::new())
}

/// Runs a task to a marker, and gives the stop that ends that.
fn run_to(client: &mut Client, task: i64, marker: &str) -> Stop {
    let place = json!({"task": task, "source": {"path": source(SCRIPT)}, "line": line(SCRIPT, marker)});
    client.ask("asyncRunTo", place);
    client.stopped()
}

on_each_python! {
    /// Each time it goes on, in the innermost frame, and once when it has ended, with the variables that it had then.
    fn a_task_stops_for_what_it_is_watched_for(python: &Python) {
        let begun = (line(SCRIPT, "finishes") - 2, "goes on".to_owned(), String::new());
        let end = row("finished", "has completed");
        let (told, console) = stops_of(python, "finishes", &ALL);
        assert_eq!(told, [begun, row("pauses", "goes on"), row("pauses", "goes on"), end.clone()]);
        assert!(console.contains("finishes has completed: the stops that were set for it are gone"), "{console}");
        assert_eq!(stops_of(python, "finishes", &["completed", "panicked"]).0, [end]);
        let (told, _) = stops_of(python, "fails", &["completed", "panicked"]);
        assert_eq!(told, [(line(SCRIPT, "fails"), "has failed".to_owned(), "LookupError: on purpose".to_owned())]);
        assert_eq!(stops_of(python, "pends", &["cancelled"]).0.len(), 1);
        let (told, console) = stops_of(python, "pends", &["completed", "panicked"]);
        assert_eq!(told, []);
        assert!(console.contains("pends was cancelled: the stops that were set for it are gone"), "{console}");
    }

    /// What stands at the end can be looked at, by the task and by the thread; nobody who awaits it was woken.
    fn what_has_ended_is_looked_at(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, thread) = task(&mut client, "finishes");
        watch(&mut client, id, &["completed"]);
        let stop = client.resume_to_stop(main);
        assert_eq!((stop.thread, said(&stop, id, "finishes").0.as_str()), (thread, "has completed"));
        let top = client.top(thread);
        assert_eq!((top.name.as_str(), top.line), ("finishes", line(SCRIPT, "finished")));
        assert_eq!(client.evaluate("total", top.id).value, "2");
        let tasks = client.async_tasks();
        let state = |name: &str| list(&tasks["tasks"]).find(|task| task["name"] == name).map(|task| task["state"].clone());
        assert_eq!(state("Task-1"), Some(json!("waiting")));
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }

    /// A set is replaced and taken away.
    fn a_set_is_replaced_and_taken_away(python: &Python) {
        let (mut client, inside) = stopped_at(python, "finishes");
        let (failing, thread) = task(&mut client, "fails");
        watch(&mut client, failing, &ALL);
        watch(&mut client, failing, &["panicked"]);
        let (pends, _) = task(&mut client, "pends");
        watch(&mut client, pends, &["cancelled"]);
        watch(&mut client, pends, &[]);
        let stop = client.resume_to_stop(inside);
        assert_eq!((stop.thread, said(&stop, failing, "fails").0.as_str()), (thread, "has failed"));
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
    }

    /// A task that runs when it is watched for the first time is seen to its end.
    fn a_task_is_watched_while_it_runs(python: &Python) {
        let (mut client, inside) = stopped_at(python, "finished");
        let (id, thread) = task(&mut client, "finishes");
        watch(&mut client, id, &["completed"]);
        let stop = client.resume_to_stop(inside);
        assert_eq!((stop.thread, said(&stop, id, "finishes").0.as_str()), (thread, "has completed"));
        assert_eq!(client.top(thread).line, line(SCRIPT, "finished"));
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }

    /// A name that would break a line, or turn it around, is shown with escapes; conditions know it as it is.
    fn a_name_stays_on_its_line(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, thread) = task(&mut client, "finishes");
        let top = client.top(main);
        let rename = json!({"expression": r"members[0].set_name('two\n\u202elines')", "frameId": top.id, "context": "repl"});
        client.ask("evaluate", rename);
        watch(&mut client, id, &["completed"]);
        let body = json!({"source": {"path": source(SCRIPT)}, "breakpoints": [
            {"line": line(SCRIPT, "finished"), "condition": r"task.name == 'two\n\u202elines'"}]});
        client.ask("setBreakpoints", body);
        let stop = client.resume_to_stop(main);
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("breakpoint", line(SCRIPT, "finished")));
        let stop = client.resume_to_stop(stop.thread);
        assert_eq!((stop.thread, said(&stop, id, r"two\n\u202elines").0.as_str()), (thread, "has completed"));
        client.resume(thread);
        client.output_with("console", &format!(r"task {id} two\n\u202elines has completed: the stops that were set for it are gone"));
        assert_eq!(client.exited(), 0);
    }

    /// A stop for a task is one like others: steps go on from it.
    fn a_step_goes_on_from_where_it_stops(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, thread) = task(&mut client, "loops 2");
        watch(&mut client, id, &["polled"]);
        let stop = client.resume_to_stop(main);
        assert_eq!(said(&stop, id, "loops 2").0, "goes on");
        assert_eq!(client.top(stop.thread).line, line(SCRIPT, "turn") - 2);
        watch(&mut client, id, &["completed"]);
        let stop = client.step("next", thread);
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("step", line(SCRIPT, "turn") - 1));
        let stop = client.resume_to_stop(thread);
        assert_eq!(said(&stop, id, "loops 2").0, "has completed");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }

    /// What cannot be watched is refused with a sentence.
    fn what_cannot_be_watched_says_why(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, _) = task(&mut client, "finishes");
        watch(&mut client, id, &["completed"]);
        let stop = client.resume_to_stop(main);
        assert_eq!(client.refused("asyncTaskStops", json!({"task": id, "on": ["polled"]})).message, "this task has ended");
        assert_eq!(client.refused("asyncTaskStops", json!({"task": 99_999, "on": ["polled"]})).id, 1304);
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// Of two tasks that come to a line, the one that is meant stops there, from where it waits and from where it runs;
    /// breakpoints of its sibling are passed and counted.
    fn a_task_is_run_to_a_line(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, thread) = task(&mut client, "loops 2");
        let stop = run_to(&mut client, id, "behind");
        assert_eq!((stop.thread, stop.reason.as_str()), (thread, "step"), "{stop:?}");
        let top = client.top(thread);
        assert_eq!((top.line, client.evaluate("(number, turn)", top.id).value.as_str()), (line(SCRIPT, "behind"), "(2, 0)"));
        assert_ne!(main, thread);
        client.set_breakpoints(&source(SCRIPT), &[line(SCRIPT, "turn")]);
        for wanted in ["(2, 1)", "(2, 2)"] {
            let stop = run_to(&mut client, id, "turn");
            assert_eq!((stop.thread, stop.reason.as_str()), (thread, "step"), "{stop:?}");
            let top = client.top(thread);
            assert_eq!((top.line, client.evaluate("(number, turn)", top.id).value.as_str()), (line(SCRIPT, "turn"), wanted));
        }
        client.output_with("console", "during the step, 1 hit of breakpoints in siblings of the stepped task loops 2 was passed: task ");
        // The breakpoint is the user's again.
        let stop = client.resume_to_stop(thread);
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("breakpoint", line(SCRIPT, "turn")));
        client.set_breakpoints(&source(SCRIPT), &[]);
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// What else stops the program ends the run; nothing of it is left.
    fn another_stop_ends_a_run(python: &Python) {
        let (mut client, _) = stopped_at(python, "made");
        let (id, _) = task(&mut client, "loops 2");
        client.set_breakpoints(&source(SCRIPT), &[line(SCRIPT, "fails")]);
        let stop = run_to(&mut client, id, "end");
        assert_eq!((stop.reason.as_str(), client.top(stop.thread).line), ("breakpoint", line(SCRIPT, "fails")));
        let told = stop.body["description"].as_str().unwrap_or_default();
        assert!(told.ends_with(&format!("; the run to line {} was interrupted", line(SCRIPT, "end"))), "{stop:?}");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }

    /// If the task ends first, the program stops where it does.
    fn the_end_of_a_task_ends_its_run(python: &Python) {
        for (name, marker, became) in [("finishes", "finished", "has completed"), ("fails", "fails", "has failed")] {
            let (mut client, _) = stopped_at(python, "made");
            let (id, thread) = task(&mut client, name);
            let stop = run_to(&mut client, id, "end");
            assert_eq!((stop.thread, stop.reason.as_str()), (thread, "step"), "{stop:?}");
            let wanted = format!("task {id} {name} {became} before it came to line {}", line(SCRIPT, "end"));
            assert_eq!(stop.body["description"], wanted.as_str());
            assert_eq!(client.top(thread).line, line(SCRIPT, marker));
            client.resume(thread);
            assert_eq!(client.exited(), 0);
        }
    }

    /// Where it cannot be run to.
    fn a_run_to_nowhere_says_why(python: &Python) {
        let (mut client, main) = stopped_at(python, "made");
        let (id, _) = task(&mut client, "loops 2");
        let nowhere = json!({"task": id, "source": {"path": "/nowhere.py"}, "line": 3});
        assert!(client.refused("asyncRunTo", nowhere).message.contains("there is no such file"));
        let far = json!({"task": id, "source": {"path": source(SCRIPT)}, "line": 9_999});
        assert!(client.refused("asyncRunTo", far).message.contains("cannot be run to"));
        client.resume(main);
        assert_eq!(client.exited(), 0);
    }
}
