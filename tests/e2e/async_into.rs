//! Steps into async functions, however they are awaited, while siblings run the same code on other threads.

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Stop, list};

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
        let mut walker = Self::launch(Profile::Debug, role, marker);
        walker.id = walker.task();
        walker
    }

    fn launch(profile: Profile, role: &str, marker: &str) -> Self {
        let (file, line) = place(marker);
        let mut client = Client::weft();
        let stop = client.launch_to(&program("into_zoo", profile), &[role], source(&file), line);
        client.set_breakpoints(&source(&file), &[]);
        let function = client.top(stop.thread).name;
        Self { client, stop, function, id: 0 }
    }

    /// The adapter's number of the task that the thread polls.
    fn listed(&mut self) -> i64 {
        let tasks = self.client.async_tasks();
        let ours = list(&tasks["tasks"]).find(|task| task["osThread"] == self.stop.thread);
        ours.and_then(|task| task["id"].as_i64()).expect("the thread polls a task")
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

impl Walker {
    /// The targets of the line, by name.
    fn targets(&mut self) -> Vec<(i64, String)> {
        let top = self.client.top(self.stop.thread).id;
        self.client.step_in_targets(top)
    }

    /// Goes on by the number of the task that the thread polls, instead of the thread's.
    fn by_task(mut self) -> Self {
        let tasks = self.client.async_tasks();
        let ours = list(&tasks["tasks"]).find(|task| task["osThread"] == self.stop.thread);
        self.stop.thread = ours.and_then(|task| task["threadId"].as_i64()).expect("the thread polls a task");
        self
    }

    /// Chooses one of the targets, all of which are as expected, and says what the task's number is where that leads.
    fn choose(&mut self, expected: &[&str], index: usize, to: &str) -> u64 {
        let targets = self.targets();
        let labels: Vec<&str> = targets.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, expected);
        self.stop = self.client.step_with("stepIn", self.stop.thread, &json!({"targetId": targets[index].0}));
        let (at, chosen) = (self.at(), labels[index]);
        assert_eq!((self.stop.reason.as_str(), at.as_str()), ("step", to), "into {chosen}: {:?}", self.stop);
        self.value("id")
    }

    fn value(&mut self, expression: &str) -> u64 {
        let top = self.client.top(self.stop.thread).id;
        self.client.evaluate(expression, top).value.parse().expect("a number")
    }
}

/// Chooses a target in one of the eight tasks, and is in that one afterwards.
fn chooses(role: &str, from: &str, expected: &[&str], index: usize, to: &str) {
    let mut walker = Walker::start(role, from);
    let found = walker.choose(expected, index, to);
    assert_eq!(found, walker.id, "{role}: from {from} to {to} the step has changed the task");
    walker.client.disconnect();
}

const LEAF: &str = "into_zoo::leaf";

#[test]
fn each_async_function_of_a_line_is_offered_once() {
    chooses("direct", "direct", &[LEAF], 0, "leaf first");
    chooses("direct", "two", &[LEAF, "into_zoo::other"], 1, "other first");
    chooses("timeout", "timeout", &[LEAF], 0, "leaf first");
    chooses("caught", "caught", &[LEAF], 0, "leaf first");
    chooses("map", "map", &[LEAF], 0, "leaf first");
    chooses("closure", "closure", &["into_zoo::awaited::closure {async closure}"], 0, "closure first");
    chooses("join_all", "join_all", &[LEAF], 0, "leaf first");
    // What was made on another line is polled here.
    chooses("started", "started", &[LEAF], 0, "leaf last");
    // Which one a trait object has is known when it is called.
    chooses("async_trait", "async_trait", &["a method of a trait object"], 0, "async_trait first");
    let mut walker = Walker::start("leaves", "leaves sleep");
    assert_eq!(walker.targets(), []);
    walker.client.disconnect();
}

#[test]
fn each_branch_of_a_macro_is_offered() {
    let both = ["into_zoo::leaf (branch 1 of join!)", "into_zoo::other (branch 2 of join!)"];
    chooses("join", "join", &both, 0, "leaf first");
    chooses("join", "join", &both, 1, "other first");
    chooses("futures_join", "futures_join", &both, 1, "other first");
    let both = both.map(|label| label.replace("join!", "select!"));
    let both = [both[0].as_str(), both[1].as_str()];
    chooses("select", "select", &both, 0, "leaf first");
    // The expressions of the branches are lines on the way there.
    chooses("select", "select", &both, 1, "other first");
    chooses("select", "select a", &[LEAF], 0, "leaf first");
    chooses("futures_select", "futures_select", &both, 1, "other first");
    let block = "into_zoo::branches::try_join {async block} (branch 2 of try_join!)";
    chooses("try_join", "try_join", &["into_zoo::branches::fallible (branch 1 of try_join!)", block], 1, "try_join");
}

#[test]
fn branches_of_one_function_are_told_apart() {
    let twins = ["into_zoo::leaf (branch 1 of join!)", "into_zoo::leaf (branch 2 of join!)"];
    for (index, more) in [(0, 0), (1, 100)] {
        let mut walker = Walker::start("twins", "twins");
        let found = walker.choose(&twins, index, "leaf first");
        assert_eq!(found, walker.id + more, "branch {index}");
        walker.client.disconnect();
    }
}

#[test]
fn a_branch_that_has_begun_goes_on_with_its_next_line() {
    let mut walker = Walker::start("select_loop", "select_loop");
    // In the second round.
    while walker.at() != "select_loop" || walker.value("rounds") == 0 {
        walker.stop = walker.client.step("next", walker.stop.thread);
    }
    let both = ["into_zoo::pause (branch 1 of select!)", "into_zoo::leaf (branch 2 of select!)"];
    let found = walker.choose(&both, 1, "leaf last");
    assert_eq!(found, walker.id);
    walker.client.disconnect();
}

#[test]
fn a_branch_that_is_not_polled_is_stepped_over() {
    let slow = "into_zoo::branches::slow (branch 2 of select!)";
    let mut walker = Walker::start("loses", "loses");
    let found = walker.choose(&[slow], 0, "loses a");
    assert_eq!(found, walker.id);
    let said = format!("{slow} has not run; the step has gone over the line");
    assert_eq!(walker.stop.body["description"], json!(said));
    walker.client.disconnect();
}

/// Eight tasks spawn theirs at the same time, and any thread may be the first to poll one.
#[test]
fn into_the_task_that_the_line_spawns() {
    let job = "into_zoo::spawned::job (new task)";
    chooses("spawn", "spawn", &[job], 0, "job first");
    chooses("spawn", "spawn only", &["into_zoo::leaf (new task)"], 0, "leaf first");
    chooses("spawn_local", "spawn_local", &[job], 0, "job first");
    // Another one of its kind was spawned just before.
    chooses("join_set", "join_set", &[job], 0, "job first");
    let block = "into_zoo::spawned::spawn_block {async block} (new task)";
    chooses("spawn_block", "spawn_block", &[block], 0, "spawned block first");
}

/// A step that was given on a task names it at its end; one that has gone into another task does not.
#[test]
fn into_the_task_that_a_task_spawns() {
    let mut walker = Walker::start("spawn", "spawn").by_task();
    let parent = walker.stop.thread;
    let found = walker.choose(&["into_zoo::spawned::job (new task)"], 0, "job first");
    assert!(found == walker.id && walker.stop.thread < parent, "{:?}", walker.stop);
    walker.client.disconnect();
    let mut walker = Walker::start("direct", "direct").by_task();
    let task = walker.stop.thread;
    let found = walker.choose(&[LEAF], 0, "leaf first");
    assert_eq!((found, walker.stop.thread), (walker.id, task));
    walker.client.disconnect();
}

/// Who awaits it hears of it, and so does the step. Its siblings run and are dropped too.
#[test]
fn into_a_task_that_is_cancelled_before_it_begins() {
    let mut walker = Walker::start("spawn_cancelled", "spawn_cancelled");
    let found = walker.choose(&["into_zoo::spawned::job (new task)"], 0, "spawn_cancelled behind");
    assert_eq!(found, walker.id);
    assert_eq!(walker.stop.body["description"], json!("the task was cancelled; its awaiter goes on here"));
    walker.client.disconnect();
}

/// The step cannot end, and the end of the program says so.
#[test]
fn into_a_task_that_never_begins() {
    let mut walker = Walker::start("spawn_forgotten", "spawn_forgotten");
    let job = "into_zoo::spawned::job (new task)";
    let target = walker.targets().into_iter().find(|(_, label)| label == job).expect("the task").0;
    walker.client.begin_step("stepIn", walker.stop.thread, &json!({"targetId": target}));
    walker.client.output_with("console", &format!("{job} has not begun and the program has ended"));
    assert_eq!(walker.client.exited(), 0);
    assert_eq!(walker.client.take_events("stopped"), Vec::<serde_json::Value>::new());
}

/// The new task is stepped like any other.
#[test]
fn a_spawned_task_is_stepped_further() {
    let mut walker = Walker::start("spawn", "spawn");
    walker.choose(&["into_zoo::spawned::job (new task)"], 0, "job first");
    walker.function = "into_zoo::spawned::job".to_owned();
    for to in ["job await", "job last"] {
        walker.stop = walker.client.step("next", walker.stop.thread);
        let at = walker.at();
        assert_eq!((at.as_str(), walker.task()), (to, walker.id));
    }
    walker.client.disconnect();
}

/// Optimised, what was compiled on its own is gone into; what was not may be stepped over. Never is it another task.
#[test]
fn optimised_coroutines_of_the_same_task() {
    let entered = [
        ("direct", "leaf first"),
        ("lines", "several first"),
        ("async_trait", "async_trait first"),
        ("boxed", "leaf first"),
        ("dynamic", "leaf first"),
        ("timeout", "leaf first"),
        ("caught", "leaf first"),
        ("started", "leaf last"),
        ("join", "leaf first"),
        ("futures_join", "leaf first"),
        ("join_all", "leaf first"),
    ];
    let others = ["one_line", "recursion", "attribute", "try_join", "select", "unordered", "buffered", "stream"];
    let all = entered.map(|(role, to)| (role, Some(to))).into_iter().chain(others.map(|role| (role, None)));
    for (role, to) in all {
        let mut walker = Walker::launch(Profile::Release, role, role);
        let before = walker.listed();
        walker.stop = walker.client.step("stepIn", walker.stop.thread);
        let (at, after) = (walker.at(), walker.listed());
        assert_eq!((walker.stop.reason.as_str(), after), ("step", before), "{role}: at {at}");
        if let Some(to) = to {
            assert_eq!(at, to, "{role}");
        }
        walker.client.disconnect();
    }
}

/// A function that makes the future was inlined into the one that awaits it: behind it comes the await, and then a line of that.
#[test]
fn out_of_an_optimised_function_that_makes_a_future() {
    let mut walker = Walker::launch(Profile::Release, "made", "maker first");
    let before = walker.listed();
    let mut top = walker.client.top(walker.stop.thread);
    while top.name == "into_zoo::awaited::maker" {
        walker.stop = walker.client.step("next", walker.stop.thread);
        top = walker.client.top(walker.stop.thread);
    }
    let (_, made) = place("made");
    assert!(top.name == "into_zoo::awaited::made" && top.line > made, "{top:?}: {:?}", walker.stop);
    let after = walker.listed();
    assert_eq!((walker.stop.reason.as_str(), after), ("step", before));
    walker.client.disconnect();
}

#[test]
fn optimised_tasks_of_choice() {
    for role in ["spawn", "join_set", "spawn_local"] {
        let mut walker = Walker::launch(Profile::Release, role, role);
        walker.id = walker.value("id");
        let found = walker.choose(&["into_zoo::spawned::job (new task)"], 0, "job first");
        assert_eq!(found, walker.id, "{role}");
        walker.client.disconnect();
    }
}
