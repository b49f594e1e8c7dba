//! Exception filters with conditions.

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Breakpoint, Client, Launch, Stop, on_each_python};

const SCRIPT: &str = "raises.py";

/// Launches one way of the script with filters, of which those with conditions follow the others.
fn launch(python: &Python, way: &str, plain: &[&str], conditions: &[(&str, &str)]) -> (Client, Vec<Breakpoint>) {
    let mut client = Client::weft();
    let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
    let mut set = Vec::new();
    client.launch_configured(&source(SCRIPT), &[way], &launch, |client| set = client.set_exceptions(plain, conditions));
    (client, set)
}

/// Where it has stopped, and the exception's text.
fn stands(client: &mut Client, stop: &Stop) -> (i64, String) {
    assert_eq!(stop.reason, "exception", "{stop:?}");
    let info = client.exception_info(stop.thread);
    (client.top(stop.thread).line, info["details"]["message"].as_str().expect("a text").to_owned())
}

/// All stops until the end: where, and the exception's text.
fn stops(client: &mut Client) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        all.push(stands(client, &stop));
        client.resume(stop.thread);
    }
    all
}

fn at(marker: &str, text: &str) -> (i64, String) {
    (line(SCRIPT, marker), text.to_owned())
}

on_each_python! {
    /// In the frame that raises it, once, and not in those that it leaves.
    fn what_is_raised_stops_if_the_condition_holds(python: &Python) {
        let (mut client, set) = launch(python, "caught", &[], &[("raised", "number == 3 and exception.args == (3,)")]);
        assert!(set[0].verified, "{set:?}");
        assert_eq!(stops(&mut client), [at("check", "3")]);
        let (mut client, _) = launch(python, "caught", &[], &[("raised", "'other' in locals() or type(exception) is not ValueError")]);
        let library = stops(&mut client);
        assert_eq!(library.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [line(SCRIPT, "library")]);
    }

    /// Of several conditions of one filter each stops; without a condition it always does.
    fn conditions_of_one_filter_add_up(python: &Python) {
        let twice = [("raised", "number == 2 # two"), ("raised", "exception.args[0] == 4")];
        let (mut client, _) = launch(python, "caught", &[], &twice);
        assert_eq!(stops(&mut client), [at("check", "2"), at("check", "4")]);
        let (mut client, _) = launch(python, "caught", &["raised"], &[("raised", "False")]);
        let first = client.stopped();
        assert_eq!(stands(&mut client, &first), at("check", "1"));
        client.disconnect();
    }

    /// What ends a thread, or the program.
    fn what_nobody_catches_stops_if_the_condition_holds(python: &Python) {
        let (mut client, _) = launch(python, "threads", &[], &[("uncaught", "exception.args[0] == number == 6")]);
        assert_eq!(stops(&mut client), [at("check", "6")]);
        let (mut client, _) = launch(python, "ends", &[], &[("uncaught", "isinstance(exception, ValueError)")]);
        assert_eq!(stops(&mut client), [at("check", "7")]);
        let (mut client, _) = launch(python, "ends", &[], &[("uncaught", "isinstance(exception, KeyError)")]);
        assert_eq!(stops(&mut client), []);
    }

    /// What leaves the user's code for a library's, by the variables of the frame that it leaves.
    fn what_leaves_for_a_library_stops_if_the_condition_holds(python: &Python) {
        let (mut client, _) = launch(python, "called", &[], &[("userUnhandled", "number == 4 and exception.args[0] == 4")]);
        assert_eq!(stops(&mut client), [at("check", "4")]);
    }

    /// pydevd asks for both conditions of one exception, each of which has it.
    fn conditions_of_two_filters_see_the_same_exception(python: &Python) {
        let both = [("userUnhandled", "exception.args[0] == number == 4"), ("raised", "exception.args[0] == number == 3")];
        let (mut client, _) = launch(python, "called", &[], &both);
        let stops = stops(&mut client);
        assert_eq!(stops.iter().filter(|stop| **stop == at("check", "3")).count(), 2, "{stops:?}");
        assert_eq!(stops.iter().filter(|stop| **stop == at("check", "4")).count(), 1, "{stops:?}");
        assert_eq!(stops.len(), 3, "{stops:?}");
        assert!(!client.output("console").contains("cannot be evaluated"));
    }

    /// What a condition has seen is not kept alive for that: asyncio tells of what nobody has retrieved as without it.
    fn what_was_looked_at_is_dropped(python: &Python) {
        for conditions in [&[("raised", "False")][..], &[("raised", "False"), ("userUnhandled", "False")], &[("userUnhandled", "False")]] {
            let (mut client, _) = launch(python, "drops", &[], conditions);
            assert_eq!(stops(&mut client), []);
            let one = "'Task exception was never retrieved'";
            assert_eq!(client.output("stdout"), format!("[{one}]\n[{one}, {one}]\n"), "{conditions:?}");
        }
    }

    /// By the task that has ended, and by the frame that raised it.
    fn failed_tasks_stop_if_the_condition_holds(python: &Python) {
        let wanted = [("task-failed", "task.name == 'task 2' and number == 2"), ("never-retrieved", "exception.args[0] == 3")];
        let (mut client, set) = launch(python, "tasks", &[], &wanted);
        assert!(set.iter().all(|set| set.verified), "{set:?}");
        assert_eq!(stops(&mut client), [at("check", "2"), at("check", "3")]);
    }

    /// What cannot be a condition is said when it is set, what cannot be evaluated when it is.
    fn wrong_conditions_say_so(python: &Python) {
        let wrong = [("raised", "number ==="), ("task-failed", "x = 1"), ("raised", "nothing == 1")];
        let (mut client, set) = launch(python, "caught", &[], &wrong);
        assert_eq!(set.iter().map(|set| set.verified).collect::<Vec<_>>(), [false, false, true]);
        let said = set[0].message.as_str();
        assert!(said.starts_with("the condition cannot be evaluated: SyntaxError: invalid syntax"), "{said}");
        let stop = client.stopped();
        assert_eq!(stands(&mut client, &stop), at("check", "1"));
        client.output_with("console", "the condition `nothing == 1` cannot be evaluated, so the program stops: NameError: name 'nothing' is not defined");
        assert_eq!(client.set_exceptions(&[], &[]), []);
        client.ask("continue", json!({"threadId": stop.thread}));
        assert_eq!(client.exited(), 0);
    }
}
