//! Where a step goes when what it follows has ended, in optimised code: to who awaits that, as without optimisation; or, where the
//! compiler has left the awaiter no line of its own, to who awaits the awaiter, and the stop says so. Never into another task, and
//! never nowhere.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Frame, Stop};

const FILE: &str = "step_ends/src/main.rs";

/// Steps over lines until a function is left.
const MOST_LINES: usize = 6;

/// Nothing is said of what is no news.
const NO: &str = "";
const TASK: &str = "the task has ended; its awaiter goes on here";
const PANICKED: &str = "a panic ended the task; its awaiter goes on here";
const CANCELLED: &str = "the task was cancelled; its awaiter goes on here";
const BLOCKED: &str = "the future has completed; who blocked on it goes on here";
const CAUGHT: &str = "a panic has left the function, and was caught here";
const DROPPED: &str = "the future was dropped; its awaiter goes on here";
/// Nothing tells that optimised code has dropped a future that owns nothing.
const GONE: &str = "the future was not polled to its end: it was dropped, or waits on; its awaiter goes on here";

/// Role, marker, step, awaiter, description.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// What is awaited in the same task.
const FUTURES: &[Case] = &[
    ("direct", "leaf last", "next", "direct", NO),
    ("direct", "leaf first", "stepOut", "direct", NO),
    ("dynamic", "leaf last", "next", "dynamic", NO),
    ("dynamic", "leaf first", "stepOut", "dynamic", NO),
    ("joined", "leaf last", "next", "joined", NO),
    ("joined", "leaf first", "stepOut", "joined", NO),
    ("selected", "leaf last", "next", "selected", NO),
    ("selected", "leaf first", "stepOut", "selected", NO),
    ("unordered", "leaf last", "next", "unordered", NO),
    ("unordered", "leaf first", "stepOut", "unordered", NO),
    ("timed", "leaf last", "next", "timed", NO),
    ("timed", "leaf first", "stepOut", "timed", NO),
    ("guarded", "leaf last", "next", "guarded", NO),
    ("tailed", "leaf last", "next", "tail", NO),
    ("late", "leaf last", "next", "late {async block}", NO),
    ("late", "leaf first", "stepOut", "late {async block}", NO),
];

/// Tasks, and what blocks a thread.
const TASKS: &[Case] = &[
    ("handle", "leaf last", "next", "handle", TASK),
    ("handle", "leaf first", "stepOut", "handle", TASK),
    ("handle single", "leaf first", "stepOut", "handle", TASK),
    ("late", "late task next", "stepOut", "late", TASK),
    ("set", "leaf last", "next", "set", TASK),
    ("set", "leaf first", "stepOut", "set", TASK),
    ("set single", "leaf first", "stepOut", "set", TASK),
    ("several", "leaf last", "next", "several", TASK),
    ("several", "leaf first", "stepOut", "several", TASK),
    ("local", "leaf last", "next", "local {async block}", TASK),
    ("local", "leaf first", "stepOut", "local {async block}", TASK),
    ("local single", "leaf first", "stepOut", "local {async block}", TASK),
    ("large_handle", "large last", "stepOut", "large_handle", TASK),
    ("blocking", "job first", "stepOut", "blocking", TASK),
    ("dropped", "dropped last", "stepOut", "dropped", "the task has ended, and its handle is dropped here"),
    ("root_handle", "leaf first", "stepOut", "root_handle", TASK),
    ("root_handle single", "leaf first", "stepOut", "root_handle", TASK),
    ("root", "leaf last", "next", "root", BLOCKED),
    ("root", "leaf first", "stepOut", "root", BLOCKED),
    ("root single", "leaf first", "stepOut", "root", BLOCKED),
    ("entered", "entered first", "stepOut", "entered", BLOCKED),
];

/// What does not come to its end.
const BROKEN_OFF: &[Case] = &[
    ("panics", "explodes call", "next", "panics", PANICKED),
    ("panics", "boom assert", "stepOut", "panics", PANICKED),
    ("caught", "explodes call", "next", "caught", CAUGHT),
    ("both", "both first", "next", "both", PANICKED),
    ("aborted", "victim first", "next", "aborted", CANCELLED),
    ("aborted", "victim await", "stepOut", "aborted", CANCELLED),
    ("aborted_running", "running await", "next", "aborted_running", CANCELLED),
    ("lost", "loser first", "next", "lost", DROPPED),
    ("shut_down", "victim first", "next", "shut_down", CANCELLED),
];

fn started(role: &str, marker: &str) -> (Client, Stop) {
    let mut client = Client::weft();
    let roles: Vec<&str> = role.split(' ').collect();
    let stop = client.launch_to(&program("step_ends", Profile::Release), &roles, source(FILE), line(FILE, marker));
    client.set_breakpoints(&source(FILE), &[]);
    (client, stop)
}

/// The task that a stack is of, by its label.
fn task(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.hint == "label").map(|frame| frame.name.clone()).unwrap_or_default()
}

fn said(stop: &Stop) -> &str {
    stop.body["description"].as_str().unwrap_or_default()
}

/// Takes the steps of a case to the first stop outside of the function that it begins in.
fn walked(case: &Case) -> Result<(), String> {
    let (role, from, how, awaiter, told) = *case;
    let (mut client, mut stop) = started(role, from);
    let frames = client.stack(stop.thread);
    let (first, own) = (frames[0].name.clone(), task(&frames));
    for _ in 0..MOST_LINES {
        client.request(how, json!({"threadId": stop.thread})).map_err(|failure| failure.message)?;
        stop = client.stop_or_exit().ok_or_else(|| format!("lost: {}", client.output("console")))?;
        let frames = client.stack(stop.thread);
        let is_left = frames[0].name != first || !said(&stop).is_empty();
        if stop.reason != "step" || (!is_left && task(&frames) != own) {
            return Err(format!("{} in {}", stop.body, frames[0].name));
        }
        if is_left {
            break;
        }
    }
    let frames = client.stack(stop.thread);
    let (top, now) = (frames[0].name.trim_start_matches("step_ends::"), task(&frames));
    let is_another = now != own;
    let news = told.split(';').next().unwrap_or_default();
    let is_told = said(&stop) == told || (told == DROPPED && said(&stop) == GONE);
    let no_line = said(&stop).starts_with(news)
        && said(&stop).contains("has no code of its own behind its await; who awaits that");
    // A function that has no code behind the call is passed like any other.
    let is_caller = told == BLOCKED && is_told;
    let arrived = if top == awaiter { is_told } else { no_line || is_caller };
    if !arrived || is_another != (told != NO && told != DROPPED && told != CAUGHT) {
        return Err(format!("{how} from `{from}`: {top} line {} in `{now}`: {:?}", frames[0].line, said(&stop)));
    }
    client.resume(stop.thread);
    (client.exited() == 0).then_some(()).ok_or_else(|| "the program has failed".to_owned())
}

fn all_lead_to_their_awaiters(cases: &[Case]) {
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| walked(case).err().map(|why| format!("{}: {why}", case.0))).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_awaited_leads_to_its_awaiter() {
    all_lead_to_their_awaiters(FUTURES);
}

#[test]
fn a_task_leads_to_who_awaits_its_handle() {
    all_lead_to_their_awaiters(TASKS);
}

#[test]
fn what_is_broken_off_leads_to_who_goes_on() {
    all_lead_to_their_awaiters(BROKEN_OFF);
}

#[test]
fn a_task_that_nobody_awaits() {
    for (role, from, how, told) in [
        ("detached", "detached last", "stepOut", "the task has ended; nobody awaits it"),
        ("unheard", "explodes call", "next", "a panic ended the task; nobody awaits it"),
    ] {
        let (mut client, stop) = started(role, from);
        let stop = client.step(how, stop.thread);
        assert_eq!((stop.reason.as_str(), said(&stop)), ("step", told), "{role}");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
    }
}

#[test]
fn a_task_whose_handle_is_forgotten() {
    let (mut client, stop) = started("forgotten", "forgotten last");
    client.begin_step("stepOut", stop.thread, &json!({}));
    client.output_with("console", "the task has ended, and the program with it: nobody has awaited it");
    assert_eq!(client.exited(), 0);
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}
