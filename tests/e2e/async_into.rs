//! Steps into async functions, however they are awaited, while siblings run the same code on other threads.

use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Stop};

/// Where the markers are.
const FILES: [&str; 4] = ["main.rs", "awaited.rs", "branches.rs", "spawned.rs"];

/// A file and a line of `into_zoo`, by the marker.
fn place(marker: &str) -> (String, i64) {
    let has = |name: &&&str| {
        let text = std::fs::read_to_string(source(&file(name))).expect("a source file is text");
        text.lines().any(|line| line.ends_with(&format!("// BP: {marker}")))
    };
    let name = FILES.iter().find(has).unwrap_or_else(|| panic!("no marker {marker}"));
    (file(name), line(&file(name), marker))
}

fn file(name: &str) -> String {
    format!("into_zoo/src/{name}")
}

/// One of eight tasks that run the same code, stopped.
struct Walker {
    client: Client,
    stop: Stop,
    /// The function that it was in.
    function: String,
    id: u64,
}

impl Walker {
    /// Stops in the first task that comes to a marker, and forgets the breakpoint.
    fn start(role: &str, marker: &str) -> Self {
        let (file, line) = place(marker);
        let mut client = Client::weft();
        let stop = client.launch_to(&program("into_zoo", Profile::Debug), &[role], source(&file), line);
        client.set_breakpoints(&source(&file), &[]);
        let function = client.top(stop.thread).name;
        let mut walker = Self { client, stop, function, id: 0 };
        walker.id = walker.task();
        walker
    }

    /// The number of the task that the thread polls, as the function has it that the walk began in.
    fn task(&mut self) -> u64 {
        let stack = self.client.stack(self.stop.thread);
        let frame = stack.iter().find(|frame| frame.name == self.function).expect("it awaits what was stepped into");
        self.client.evaluate("id", frame.id).value.parse().expect("a number")
    }

    /// The marker of the line that the thread stands on, or the line.
    fn at(&mut self) -> String {
        let top = self.client.top(self.stop.thread);
        let name = FILES.iter().find(|name| top.path.as_ref().is_some_and(|path| path.ends_with(file(name))));
        let Some(name) = name else { return format!("{} {:?}:{}", top.name, top.path, top.line) };
        let text = std::fs::read_to_string(source(&file(name))).expect("a source file is text");
        let line = text.lines().nth(usize::try_from(top.line).unwrap_or(1) - 1).unwrap_or_default();
        line.split_once("// BP: ").map_or_else(|| format!("{name}:{}", top.line), |(_, marker)| marker.to_owned())
    }
}

/// Steps in from a marker, to others one after the other, without leaving the task.
fn walks(role: &str, from: &str, to: &[&str]) {
    let mut walker = Walker::start(role, from);
    for to in to {
        walker.stop = walker.client.step("stepIn", walker.stop.thread);
        let at = walker.at();
        assert_eq!((walker.stop.reason.as_str(), at.as_str()), ("step", *to), "{role}: from {from}");
        assert_eq!(walker.task(), walker.id, "{role}: from {from} to {to} the step has changed the task");
    }
    walker.client.disconnect();
}

#[test]
fn whatever_kind_of_function_is_awaited() {
    walks("direct", "direct", &["leaf first"]);
    walks("lines", "lines", &["several first"]);
    walks("generic", "generic", &["doubled first"]);
    walks("afit", "afit", &["afit first"]);
    walks("async_trait", "async_trait", &["async_trait first"]);
    walks("closure", "closure", &["closure first"]);
    walks("one_line", "one_line", &["short"]);
    walks("block", "block", &["block first"]);
    walks("attribute", "attribute", &["marked first"]);
}

#[test]
fn through_whatever_polls_it() {
    walks("boxed", "boxed", &["leaf first"]);
    walks("dynamic", "dynamic", &["leaf first"]);
    walks("recursion", "recursion", &["recursion first"]);
    walks("map", "map", &["leaf first"]);
    walks("timeout", "timeout", &["leaf first"]);
    walks("caught", "caught", &["leaf first"]);
    walks("instrumented", "instrumented", &["leaf first"]);
    // A wrapper of the program's own is its code.
    walks("written", "written", &["wrapper first"]);
}

#[test]
fn into_the_branch_that_is_polled_first() {
    walks("join", "join", &["leaf first"]);
    walks("try_join", "try_join", &["fallible first"]);
    walks("futures_join", "futures_join", &["leaf first"]);
    walks("futures_select", "futures_select", &["leaf first"]);
    // The branches' expressions are lines of their own; then all are polled.
    walks("select", "select", &["select a", "select b", "select", "leaf first"]);
}

#[test]
fn into_one_of_many() {
    walks("join_all", "join_all", &["leaf first"]);
    walks("unordered", "unordered", &["leaf first"]);
    walks("buffered", "buffered", &["leaf first"]);
    walks("stream", "stream", &["stream first"]);
}

/// Any line of it may be the next, but that of its own await.
#[test]
fn into_a_coroutine_that_has_begun() {
    walks("started", "started", &["leaf last"]);
}

#[test]
fn into_arguments_first() {
    walks("sync", "sync", &["number first"]);
    walks("sync", "sync argument", &["number first"]);
}

/// Neither a runtime's futures, nor tasks that others poll.
#[test]
fn over_what_is_not_called_by_the_line() {
    walks("leaves", "leaves sleep", &["leaves receive", "leaves join", "leaves last"]);
    walks("spawn", "spawn", &["spawn only", "spawn last"]);
    walks("spawn_local", "spawn_local", &["spawn_local join"]);
    walks("join_set", "join_set", &["join_set behind"]);
}
