//! Where a step goes when the future that it follows has ended.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Stop};

const FILE: &str = "step_ends/src/main.rs";

/// Nothing is said of what is no news.
const NO: &str = "";
const TASK: &str = "the task has ended; its awaiter goes on here";
const PANICKED: &str = "a panic ended the task; its awaiter goes on here";
const CANCELLED: &str = "the task was cancelled; its awaiter goes on here";

struct Walker {
    client: Client,
    stop: Stop,
}

impl Walker {
    /// Stopped at a marker, in the program as built by `profile`, and the breakpoint gone again.
    fn at(profile: Profile, role: &[&str], marker: &str) -> Self {
        let mut client = Client::weft();
        let stop = client.launch_to(&program("step_ends", profile), role, source(FILE), line(FILE, marker));
        client.set_breakpoints(&source(FILE), &[]);
        Self { client, stop }
    }

    fn debug(role: &str, marker: &str) -> Self {
        Self::at(Profile::Debug, &[role], marker)
    }

    fn step(&mut self, how: &str) -> (i64, String) {
        self.stop = self.client.step(how, self.stop.thread);
        assert_eq!(self.stop.reason, "step", "{:?}", self.stop);
        let at = self.client.top(self.stop.thread).line;
        (at, self.stop.body["description"].as_str().unwrap_or_default().to_owned())
    }

    /// Steps, and compares where that ends and what is said.
    fn to(mut self, how: &str, marker: &str, said: &str) -> Self {
        let expected = (line(FILE, marker), said.to_owned());
        assert_eq!(self.step(how), expected, "{how} to {marker}");
        self
    }

    /// Steps over a line that panics, which a filter stops at.
    fn interrupted_by_panic(&mut self, filter: &str, said: &str) {
        self.client.set_exceptions(&[filter], &[]);
        self.stop = self.client.step("next", self.stop.thread);
        let stop = &self.stop;
        let told = (stop.reason.as_str(), stop.body["description"].as_str(), stop.body["text"].as_str());
        assert_eq!(told, ("exception", Some(said), Some("boom")), "{filter}");
        let first = self.client.stack(stop.thread).into_iter().find(|frame| frame.hint != "subtle");
        assert_eq!(first.map(|frame| frame.line), Some(line(FILE, "boom assert")), "{filter}");
    }

    /// The value of a variable where it stands.
    fn is(mut self, name: &str, value: &str) -> Self {
        let top = self.client.top(self.stop.thread).id;
        assert_eq!(self.client.evaluate(name, top).value, value, "{name}");
        self
    }

    /// Runs to the program's end.
    fn writes(mut self, output: &str) {
        self.client.resume(self.stop.thread);
        assert_eq!(self.client.exited(), 0);
        assert_eq!(self.client.output("stdout"), format!("{output}\n"));
        assert_eq!(self.client.take_events("stopped"), Vec::<Value>::new());
    }
}

/// From the last line of what is awaited, and out of its first, to the line behind the await.
fn leads_to(role: &str, next: &str, said: &str, got: &str, output: &str) {
    let walker = Walker::debug(role, "leaf last").to("next", "leaf end", NO);
    walker.to("next", next, said).is("got", got).writes(output);
    let walker = Walker::debug(role, "leaf first");
    walker.to("stepOut", next, said).is("got", got).writes(output);
}

#[test]
fn a_future_that_is_awaited() {
    leads_to("direct", "direct next", NO, "4", "5");
}

#[test]
fn a_boxed_trait_object() {
    leads_to("dynamic", "dynamic next", NO, "6", "7");
}

#[test]
fn a_branch_of_select_and_of_join() {
    for how in ["next", "stepOut"] {
        let walker = Walker::debug("selected", if how == "next" { "leaf end" } else { "leaf first" });
        walker.to(how, "selected arm", NO).to("next", "selected next", NO).is("got", "11").writes("12");
    }
    leads_to("joined", "joined next", NO, "8", "9");
}

#[test]
fn one_of_a_set_of_futures_and_one_with_a_limit() {
    leads_to("unordered", "unordered next", NO, "Some(12)", "13");
    leads_to("timed", "timed next", NO, "Ok(14)", "15");
}

#[test]
fn one_whose_panics_would_be_caught() {
    let walker = Walker::debug("guarded", "leaf last").to("next", "leaf end", NO);
    walker.to("next", "guarded next", NO).writes("17");
}

#[test]
fn one_that_is_awaited_last() {
    let walker = Walker::debug("tailed", "leaf last").to("next", "leaf end", NO);
    // `tail` has a line left: its closing one.
    let mut walker = walker;
    let (at, said) = walker.step("next");
    assert_eq!((walker.client.top(walker.stop.thread).name.as_str(), said.as_str()), ("step_ends::tail", NO));
    assert!(at < line(FILE, "tailed next"), "{at}");
    walker.to("next", "tailed next", NO).is("got", "18").writes("19");
}

#[test]
fn recursion_goes_up_one_by_one() {
    let walker = Walker::debug("recursive", "recursive next").is("below", "2").is("depth", "1");
    let mut walker = walker;
    // The block's closing line is between.
    let (at, _) = walker.step("next");
    assert_eq!(at, line(FILE, "recursive next") + 1);
    walker.to("next", "recursive next", NO).is("depth", "2").is("below", "3").writes("4");
}

#[test]
fn a_task_whose_handle_is_awaited() {
    leads_to("handle", "handle next", TASK, "Ok(22)", "23");
    leads_to("late", "late task next", NO, "26", "27");
    let walker = Walker::debug("late", "late task next").to("stepOut", "late next", TASK);
    walker.is("got", "Ok(26)").writes("27");
}

#[test]
fn a_task_in_a_set_and_one_of_several() {
    leads_to("set", "set next", TASK, "Some(Ok(28))", "29");
    leads_to("several", "several next", TASK, "Ok(30)", "37");
}

#[test]
fn a_task_of_a_current_thread_runtime_and_of_a_local_set() {
    for role in ["handle", "set"] {
        let walker = Walker::at(Profile::Debug, &[role, "single"], "leaf first");
        walker.to("stepOut", &format!("{role} next"), TASK);
    }
    leads_to("local", "local next", TASK, "Ok(32)", "33");
    let walker = Walker::at(Profile::Debug, &["local", "single"], "leaf first");
    walker.to("stepOut", "local next", TASK).writes("33");
}

/// The task holds a pointer to it only.
#[test]
fn a_task_with_a_large_future() {
    let walker = Walker::debug("large_handle", "large last").to("stepOut", "large_handle next", TASK);
    walker.is("got", "Ok(25)").writes("26");
}

#[test]
fn a_job_on_a_thread_of_its_own() {
    let walker = Walker::debug("blocking", "job first").to("next", "job last", NO).to("next", "job end", NO);
    walker.to("next", "blocking next", TASK).is("got", "Ok(38)").writes("39");
    Walker::debug("blocking", "job first").to("stepOut", "blocking next", TASK).writes("39");
}

#[test]
fn a_task_that_nobody_awaits() {
    let mut walker = Walker::debug("detached", "detached last");
    let (_, said) = walker.step("stepOut");
    assert_eq!(said, "the task has ended; nobody awaits it");
    walker.writes("34");
    let walker = Walker::debug("dropped", "dropped last");
    walker.to("stepOut", "dropped next", "the task has ended, and its handle is dropped here").writes("37");
}

/// The step cannot end, and the end of the program says so.
#[test]
fn a_task_whose_handle_is_forgotten() {
    let mut walker = Walker::debug("forgotten", "forgotten last");
    walker.client.begin_step("stepOut", walker.stop.thread, &json!({}));
    walker.client.output_with("console", "the task has ended, and the program with it: nobody has awaited it");
    assert_eq!(walker.client.exited(), 0);
    assert_eq!(walker.client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn a_future_that_a_thread_blocks_on() {
    let said = "the future has completed; who blocked on it goes on here";
    for rest in [&["root"][..], &["root", "single"]] {
        let walker = Walker::at(Profile::Debug, rest, "leaf last").to("next", "leaf end", NO);
        walker.to("next", "root next", said).is("got", "56").writes("57");
        Walker::at(Profile::Debug, rest, "leaf first").to("stepOut", "root next", said).writes("57");
    }
    for rest in [&["root_handle"][..], &["root_handle", "single"]] {
        let walker = Walker::at(Profile::Debug, rest, "leaf first");
        walker.to("stepOut", "root_handle next", TASK).is("got", "Ok(58)").writes("59");
    }
}

#[test]
fn the_body_of_an_async_main() {
    let walker = Walker::debug("entered", "entered first").to("next", "entered last", NO);
    let said = "the future has completed; who blocked on it goes on here";
    walker.to("next", "entered end", said);
}

#[test]
fn a_panic_in_a_task() {
    let walker = Walker::debug("panics", "explodes call").to("next", "panics next", PANICKED);
    walker.writes("41");
    Walker::debug("panics", "boom assert").to("stepOut", "panics next", PANICKED).writes("41");
}

#[test]
fn a_panic_that_the_task_catches_itself() {
    let said = "a panic has left the function, and was caught here";
    Walker::debug("caught", "explodes call").to("next", "caught next", said).writes("42");
}

/// The filter stops where the panic is made; a step from there goes on to who is told of it.
#[test]
fn a_panic_that_a_filter_stops_at() {
    for filter in ["panic", "panic-in-task"] {
        let mut walker = Walker::debug("panics", "explodes call");
        let from = line(FILE, "explodes call");
        walker.interrupted_by_panic(filter, &format!("panic in a task; the step over line {from} was interrupted"));
        walker.to("next", "panics next", PANICKED).writes("41");
    }
}

/// One filter means every panic, the other those that nobody but the runtime catches.
#[test]
fn a_caught_panic_that_a_filter_stops_at() {
    let mut walker = Walker::debug("caught", "explodes call");
    let from = line(FILE, "explodes call");
    walker.interrupted_by_panic("panic", &format!("panic; the step over line {from} was interrupted"));
    let said = "a panic has left the function, and was caught here";
    walker.to("next", "caught next", said).writes("42");
    let mut walker = Walker::debug("caught", "explodes call");
    walker.client.set_exceptions(&["panic-in-task"], &[]);
    walker.to("next", "caught next", said).writes("42");
}

#[test]
fn a_panic_that_nobody_hears_of() {
    let mut walker = Walker::debug("unheard", "explodes call");
    let (_, said) = walker.step("next");
    assert_eq!(said, "a panic ended the task; nobody awaits it");
    walker.writes("43");
}

/// What drops the future is unwinding: nothing on the stack goes on up to where it is caught.
#[test]
fn dropped_by_a_panic_beside_it() {
    let walker = Walker::debug("both", "both first").to("next", "both await", NO);
    walker.to("next", "both next", PANICKED).writes("44");
}

#[test]
fn cancelled_while_suspended() {
    let walker = Walker::debug("aborted", "victim first").to("next", "victim await", NO);
    walker.to("next", "aborted next", CANCELLED).writes("45");
    let walker = Walker::debug("aborted", "victim await");
    walker.to("stepOut", "aborted next", CANCELLED).writes("45");
}

#[test]
fn cancelled_while_running() {
    let walker = Walker::debug("aborted_running", "running abort").to("next", "running await", NO);
    walker.to("next", "running next", CANCELLED).writes("46");
}

#[test]
fn the_loser_of_a_select() {
    let walker = Walker::debug("lost", "loser first").to("next", "loser await", NO);
    let walker = walker.to("next", "lost arm", "the future was dropped; its awaiter goes on here");
    walker.to("next", "lost next", NO).is("got", "47").writes("48");
}

/// The loser is gone, its task is not: a step that was given on the task still names it.
#[test]
fn the_loser_of_a_select_by_its_task() {
    let mut walker = Walker::debug("lost", "loser first");
    let tasks = walker.client.async_tasks();
    let own = weft_tests::list(&tasks["tasks"]).find(|task| task["osThread"] == walker.stop.thread);
    let thread = own.and_then(|task| task["threadId"].as_i64()).expect("the stopped thread runs a task");
    walker.stop.thread = thread;
    let walker = walker.to("next", "loser await", NO);
    let walker = walker.to("next", "lost arm", "the future was dropped; its awaiter goes on here");
    assert_eq!(walker.stop.thread, thread);
    walker.to("next", "lost next", NO).is("got", "47").writes("48");
}

#[test]
fn cancelled_by_the_end_of_its_runtime() {
    let walker = Walker::debug("shut_down", "victim first").to("next", "victim await", NO);
    walker.to("next", "shut_down next", CANCELLED).writes("48");
}

#[test]
fn sync_code_in_a_task() {
    let mut walker = Walker::debug("mixed", "plain first");
    assert_eq!(walker.step("stepOut").0, line(FILE, "mixed call"));
    let walker = walker.to("next", "mixed await", NO).is("got", "54");
    walker.to("next", "mixed last", NO).writes("54");
}
