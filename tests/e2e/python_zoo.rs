//! All that asyncio has, in programs that each show one side of it: every row of the list, and stacks frame by frame.

use std::collections::HashMap;
use std::fs;

use serde_json::{Value, json};
use weft_tests::python::{Python, source};
use weft_tests::{Client, Frame, Stop, list, on_each_python};

/// Runs a script to a marker.
fn stopped_at(python: &Python, script: &str, marker: &str) -> (Client, Stop) {
    let mut client = Client::weft();
    python.launch(&mut client, script, &[marker]);
    let stop = client.stopped();
    (client, stop)
}

/// The end of a program that nothing was wrong with.
fn ends_well(mut client: Client, stop: &Stop, said: &str) {
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), said);
}

/// A place by the marker of its line; without one, by its file and, in the script itself, its line.
struct Places {
    script: String,
    markers: HashMap<i64, String>,
}

impl Places {
    fn of(script: &str) -> Self {
        let text = fs::read_to_string(source(script)).expect("a script is text");
        let marked = |(number, line): (i64, &str)| Some((number, line.split_once("# BP: ")?.1.to_owned()));
        Self { script: script.to_owned(), markers: (1..).zip(text.lines()).filter_map(marked).collect() }
    }

    fn name(&self, file: &str, line: i64) -> String {
        let known = self.markers.get(&line).filter(|_| file == self.script);
        known.cloned().unwrap_or_else(|| if file == self.script { format!("line {line}") } else { file.to_owned() })
    }

    fn of_location(&self, location: &Value) -> String {
        let file = location["source"]["name"].as_str().unwrap_or("-");
        if location.is_null() { "-".to_owned() } else { self.name(file, location["line"].as_i64().unwrap_or(0)) }
    }

    /// A frame of a stack: `leaf sleeps`; a label as it is.
    fn of_frame(&self, frame: &Frame) -> String {
        if frame.hint == "label" {
            frame.name.clone()
        } else {
            format!("{} {}", frame.name, self.name(frame.file(), frame.line))
        }
    }

    fn stack(&self, client: &mut Client, thread: i64) -> Vec<String> {
        client.stack(thread).iter().map(|frame| self.of_frame(frame)).collect()
    }
}

/// A list of tasks, as a test compares it.
struct Zoo {
    body: Value,
    places: Places,
}

impl Zoo {
    fn look(client: &mut Client, script: &str) -> Self {
        let body = client.async_tasks();
        assert_eq!(body["notes"], json!([]));
        Self { body, places: Places::of(script) }
    }

    fn task(&self, name: &str) -> &Value {
        let found = list(&self.body["tasks"]).find(|task| task["name"] == name);
        found.unwrap_or_else(|| panic!("there is no task {name}: {}", self.body))
    }

    fn number(&self, name: &str) -> i64 {
        self.task(name)["id"].as_i64().expect("a number")
    }

    fn name_of(&self, number: &Value) -> &str {
        let found = list(&self.body["tasks"]).find(|task| task["id"] == *number);
        found.and_then(|task| task["name"].as_str()).unwrap_or("nobody")
    }

    fn names(&self, numbers: &Value) -> Vec<&str> {
        let mut names: Vec<&str> = list(numbers).map(|number| self.name_of(number)).collect();
        names.sort_unstable();
        names
    }

    /// A task in one line: `name: state place, kind: text, of …, held by …; awaited by … (via); from site of creator`.
    fn row(&self, name: &str) -> String {
        let task = self.task(name);
        let mut row = format!("{} {}", text(&task["state"]), self.places.of_location(&task["location"]));
        let wait = &task["waitingOn"];
        if !wait.is_null() {
            row += &format!(", {}: {}", text(&wait["kind"]), timeless(text(&wait["text"])));
            for (said, field) in [("for", "tasks"), ("held by", "holders")] {
                let names = self.names(&wait[field]);
                row += &if names.is_empty() { String::new() } else { format!(", {said} {}", names.join(" and ")) };
            }
        }
        let mut awaiters: Vec<String> = list(&task["awaitedBy"])
            .map(|edge| format!("{} ({})", self.name_of(&edge["task"]), text(&edge["via"])))
            .collect();
        awaiters.sort_unstable();
        row += &if awaiters.is_empty() { String::new() } else { format!("; awaited by {}", awaiters.join(" and ")) };
        row += &task["error"].as_str().map(|error| format!("; {error}")).unwrap_or_default();
        let creator = if task["spawnedBy"].is_null() { "nobody" } else { self.name_of(&task["spawnedBy"]) };
        row + &format!("; from {} of {creator}", self.places.of_location(&task["spawnedAt"]))
    }

    /// All tasks, exactly these, each with its row.
    fn is(&self, expected: &[(&str, &str)]) {
        let mut found: Vec<(String, String)> = list(&self.body["tasks"])
            .map(|task| (text(&task["name"]).to_owned(), self.row(text(&task["name"]))))
            .collect();
        found.sort();
        let mut wanted: Vec<(String, String)> =
            expected.iter().map(|(name, row)| ((*name).to_owned(), (*row).to_owned())).collect();
        wanted.sort();
        assert_eq!(found, wanted);
    }

    /// The stack of a task.
    fn stack(&self, client: &mut Client, name: &str) -> Vec<String> {
        self.places.stack(client, self.task(name)["threadId"].as_i64().expect("a number"))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A wait's text without what changes from run to run: how much time is left, ports, processes.
fn timeless(text: &str) -> String {
    let text = text.split(" in ").next().filter(|text| text.ends_with("; timeout")).unwrap_or(text);
    let text = text.split(", ").next().filter(|text| *text == "sleep").unwrap_or(text);
    match text.split_once("127.0.0.1:").or_else(|| text.split_once("process ")) {
        Some((begin, _)) => format!("{begin}…"),
        None => text.to_owned(),
    }
}

fn minor(python: &Python) -> u32 {
    python.interpreter.minor()
}

on_each_python! {
    fn groups_and_gathers_within_each_other(python: &Python) {
        let (mut client, stop) = stopped_at(python, "groups.py", "stop");
        let zoo = Zoo::look(&mut client, "groups.py");
        let gathered = list(&zoo.task("nested")["waitingOn"]["tasks"]).map(|id| zoo.name_of(id).to_owned());
        let gathered: Vec<String> = gathered.collect();
        assert_eq!(gathered.len(), 3);
        let block = zoo.places.of_location(&zoo.task("left")["location"]);
        let group = |name: &str| {
            format!("waiting {block}, group: TaskGroup, 2 left, for {name}.1 and {name}.2")
        };
        let member = |group: &str, site: &str| {
            format!("waiting leaf, sleep: sleep; awaited by {group} (taskgroup); from {site} of {group}")
        };
        let third = "waiting leaf, sleep: sleep; awaited by nested (gather); from pair of nested";
        let shielded = "waiting leaf, sleep: sleep; awaited by nested (gather); from gathers of nested";
        let left = format!("{}; awaited by Task-1 (await); from left of Task-1", group("left"));
        let right = format!("{}; awaited by Task-1 (taskgroup); from right of Task-1", group("right"));
        let mut sorted = gathered.clone();
        sorted.sort();
        let nested = format!("waiting gathers, group: gather of 2, 2 left, for {}; from nests of watch", sorted.join(" and "));
        zoo.is(&[
            ("Task-1", "waiting awaits, join: a task; timeout, for left; from script of nobody"),
            ("left", &left),
            ("right", &right),
            ("watch", "running stop; awaited by Task-1 (taskgroup); from watch of Task-1"),
            ("left.1", &member("left", "first")),
            ("left.2", &member("left", "second")),
            ("right.1", &member("right", "first")),
            ("right.2", &member("right", "second")),
            ("nested", &nested),
            (&gathered[0], third),
            (&gathered[1], third),
            (&gathered[2], shielded),
        ]);
        let awaiters = |zoo: &Zoo| {
            vec![format!("awaited by task {} Task-1", zoo.number("Task-1")), "body awaits".to_owned(), "main body".to_owned()]
        };
        let mut expected = vec!["watch stop".to_owned(), format!("task {} watch", zoo.number("watch"))];
        expected.extend(awaiters(&zoo));
        expected.push("<module> script".to_owned());
        assert_eq!(zoo.places.stack(&mut client, stop.thread), expected);
        let stack = zoo.stack(&mut client, "right.2");
        let mut expected = vec!["sleep tasks.py".to_owned(), "leaf leaf".to_owned()];
        expected.push(format!("awaited by task {} right", zoo.number("right")));
        expected.extend(["TaskGroup.__aexit__ taskgroups.py".to_owned(), format!("group {block}")]);
        expected.extend(awaiters(&zoo));
        let without_versions = |stack: Vec<String>| -> Vec<String> {
            stack.into_iter().filter(|frame| frame != "TaskGroup._aexit taskgroups.py").collect()
        };
        assert_eq!(without_versions(stack), expected);
        ends_well(client, &stop, "ready\ncancelled\n");
    }

    fn generators_and_context_managers(python: &Python) {
        let (mut client, stop) = stopped_at(python, "pipes.py", "stop");
        let zoo = Zoo::look(&mut client, "pipes.py");
        let from = "from spawns of Task-1";
        zoo.is(&[
            ("Task-1", "running stop; from script of nobody"),
            ("consumes", &format!("waiting dry, notify: Event.wait; {from}")),
            ("leaves", &format!("waiting gives back, sleep: sleep; {from}")),
            ("enters", &format!("waiting opens, sleep: sleep; {from}")),
            ("throws", &format!("waiting handles, sleep: sleep; {from}")),
            ("closes", &format!("waiting tidies, sleep: sleep; {from}")),
        ]);
        let mut stack = |name| zoo.stack(&mut client, name);
        assert_eq!(stack("consumes"), [
            "Event.wait locks.py", "Source.__anext__ dry", "squares squares", "doubled doubled", "consumes consumes",
        ]);
        assert_eq!(stack("leaves"), [
            "sleep tasks.py", "resource gives back", "_AsyncGeneratorContextManager.__aexit__ contextlib.py", "leaves leaves",
        ]);
        assert_eq!(stack("enters"), ["sleep tasks.py", "Door.__aenter__ opens", "enters enters"]);
        assert_eq!(stack("throws"), ["sleep tasks.py", "stubborn handles", "throws throws"]);
        assert_eq!(stack("closes"), ["sleep tasks.py", "stubborn tidies", "closes closes"]);
        let suspended = client.stack(zoo.task("consumes")["threadId"].as_i64().expect("a number"));
        let doubled = client.locals(suspended[3].id);
        let value = doubled.iter().find(|variable| variable.name == "value").map(|variable| variable.value.as_str());
        assert_eq!(value, Some("4"), "the last that came was the square of 2: {doubled:?}");
        assert_eq!(client.evaluate("total + 1", suspended[4].id).value, "11");
        ends_well(client, &stop, "ready\n");
    }

    fn a_deadlock_of_two_and_others_that_only_wait(python: &Python) {
        let (mut client, stop) = stopped_at(python, "bank.py", "stop");
        let zoo = Zoo::look(&mut client, "bank.py");
        let from = "from spawn of Task-1";
        let guest = format!("waiting inside, notify: Event.wait; {from}");
        zoo.is(&[
            ("Task-1", "running stop; from script of nobody"),
            ("one to two", &format!("waiting target, mutex: Lock.acquire, held by two to one; {from}")),
            ("two to one", &format!("waiting target, mutex: Lock.acquire, held by one to two; {from}")),
            ("looks", &format!("waiting looks, mutex: Lock.acquire, held by one to two; {from}")),
            ("guest 0", &guest),
            ("guest 1", &guest),
            ("guest 2", &format!("waiting enters, semaphore: Semaphore.acquire, 0 free, held by guest 0 and guest 1; {from}")),
            ("producer", &format!("waiting produces, channel: Queue.put, 3 of 3; {from}")),
            ("consumer", &format!("waiting consumes, channel: PriorityQueue.get, 0 in it; {from}")),
            ("took", &format!("waiting took, notify: Event.wait; {from}")),
            ("wants", &format!("waiting looks, mutex: Lock.acquire; {from}")),
            ("notified", &format!("waiting notified, notify: Condition.wait; {from}")),
            ("notifies", &format!("waiting notifies, notify: Event.wait; {from}")),
            ("joins", &format!("waiting joins, mutex: Lock.acquire, held by notifies; {from}")),
        ]);
        let [problem] = &list(&zoo.body["problems"]).collect::<Vec<_>>()[..] else { panic!("{}", zoo.body["problems"]) };
        assert_eq!((&problem["kind"], zoo.names(&problem["tasks"])), (&json!("deadlock"), vec!["one to two", "two to one"]));
        let resource = |name| zoo.task(name)["waitingOn"]["resource"]["id"].clone();
        let mut locks = vec![resource("one to two"), resource("two to one")];
        locks.sort_by_key(Value::as_u64);
        let mut named: Vec<Value> = list(&problem["resources"]).cloned().collect();
        named.sort_by_key(Value::as_u64);
        assert_eq!(named, locks);
        assert_eq!(resource("looks"), resource("two to one"));
        let waits = format!("task {} looks waits for that", zoo.number("looks"));
        assert!(text(&problem["text"]).ends_with(&waits), "{problem}");
        ends_well(client, &stop, "ready\n");
    }

    fn streams_processes_and_threads(python: &Python) {
        let (mut client, stop) = stopped_at(python, "wires.py", "stop");
        let zoo = Zoo::look(&mut client, "wires.py");
        let from = "from spawn of Task-1";
        let unnamed = |place: &str| -> String {
            let found = list(&zoo.body["tasks"]).find(|task| zoo.places.of_location(&task["location"]) == place);
            text(&found.expect("a task there")["name"]).to_owned()
        };
        zoo.is(&[
            ("Task-1", "running stop; from script of nobody"),
            ("calls", &format!("waiting calls, io: read from …; {from}")),
            ("floods", &format!("waiting floods, io: drain to …; {from}")),
            ("child", &format!("waiting child, process: …; {from}")),
            ("in thread", &format!("waiting in thread, blocking-job: to_thread(waits), running; {from}")),
            ("in pool 1", &format!("waiting in pool, blocking-job: a job of an executor, running; {from}")),
            ("in pool 2", &format!("waiting in pool, blocking-job: a job of an executor, not begun; {from}")),
            ("serve", &format!("waiting base_events.py, io: serve_forever on …; {from}")),
            // The loop itself created them, for connections.
            (&unnamed("serves"), "waiting serves, io: readexactly from …; from - of nobody"),
            (&unnamed("sinks"), "waiting sinks, notify: Event.wait; from - of nobody"),
        ]);
        let io = |name: &str, field: &str| zoo.task(name)["waitingOn"][field].clone();
        assert_eq!(text(&io("calls", "text")), format!("read from {}", text(&io("calls", "peer"))));
        assert!(text(&io("serve", "text")).ends_with(text(&io("calls", "peer"))), "the server listens where the client calls");
        let descriptor = format!("/proc/{}/fd/{}", client.debuggee(), io("calls", "fd"));
        let behind = fs::read_link(&descriptor).expect("a descriptor");
        assert!(behind.to_string_lossy().starts_with("socket:"), "{behind:?}");
        let child = text(&io("child", "text")).strip_prefix("process ").and_then(|pid| pid.parse::<i32>().ok());
        let command = fs::read_to_string(format!("/proc/{}/comm", child.expect("a number"))).expect("it lives");
        assert_eq!(command, "cat\n");
        ends_well(client, &stop, "ready\nover\n");
    }

    fn loops_in_threads(python: &Python) {
        let (mut client, stop) = stopped_at(python, "loops.py", "stop");
        let zoo = Zoo::look(&mut client, "loops.py");
        let mut runtimes: Vec<(&str, &str, u64, i64)> = list(&zoo.body["runtimes"])
            .map(|one| {
                let thread = list(&one["osThreads"]).next().and_then(Value::as_i64).expect("a thread");
                (text(&one["kind"]), text(&one["name"]), one["taskCount"].as_u64().unwrap_or(0), thread)
            })
            .collect();
        runtimes.sort_unstable();
        let threads: HashMap<String, i64> = client.threads().into_iter().map(|(id, name)| (name, id)).collect();
        let expected = ["MainThread", "alpha", "beta"].map(|name| ("asyncio", name, 3, threads[name]));
        assert_eq!(runtimes, expected);
        for name in ["main", "alpha", "beta"] {
            let creators: Vec<Value> = (0..2).map(|number| zoo.task(&format!("{name}.{number}"))["spawnedBy"].clone()).collect();
            assert_eq!(creators[0], creators[1]);
            let creator = zoo.name_of(&creators[0]);
            let row = format!("waiting sleeps, sleep: sleep; from spawns of {creator}");
            assert_eq!(zoo.row(&format!("{name}.1")), row);
            let numbers = |task: &str| zoo.task(task)["runtime"].clone();
            assert_eq!(numbers(creator), numbers(&format!("{name}.0")));
        }
        assert_eq!(client.top(stop.thread).name, "run");
        assert_eq!(stop.thread, threads["MainThread"]);
        ends_well(client, &stop, "ready\n");
    }

    /// What is stopped in a task that began where it was created stands on the stack of the task that did so.
    fn tasks_that_begin_at_once(python: &Python) {
        if minor(python) < 12 {
            return;
        }
        let mut client = Client::weft();
        python.launch(&mut client, "eager.py", &["within", "stop"]);
        let stop = client.stopped();
        let zoo = Zoo::look(&mut client, "eager.py");
        let running: Vec<&Value> = list(&zoo.body["tasks"]).filter(|task| task["state"] == "running").collect();
        let [outer, inner] = &running[..] else { panic!("{}", zoo.body) };
        assert_eq!(outer["name"], "Task-1");
        let places = [outer, inner].map(|task| zoo.places.of_location(&task["location"]));
        assert_eq!(places, ["spawns", "within"]);
        let labels = [inner, outer].map(|task| format!("task {} {}", task["id"], text(&task["name"])));
        let stack = zoo.places.stack(&mut client, stop.thread);
        assert_eq!(stack, ["nests within", &labels[0], "main spawns", &labels[1], "<module> script"]);
        let frames = client.async_stack(outer["id"].as_i64().expect("a number"));
        assert_eq!((&frames[0]["name"], &frames[0]["children"]), (&json!("main"), &json!([])), "only its own frames");
        let stop = client.resume_to_stop(stop.thread);
        let zoo = Zoo::look(&mut client, "eager.py");
        zoo.is(&[
            ("Task-1", "running stop; from script of nobody"),
            ("sleeps", "waiting sleeps, sleep: sleep; from spawns of Task-1"),
            ("nests", "waiting awaits, join: a task, for grandchild; from spawns of Task-1"),
            ("grandchild", "waiting sleeps, sleep: sleep; awaited by nests (await); from nests of nests"),
            ("returns", "done -; from spawns of Task-1"),
        ]);
        ends_well(client, &stop, "within\nready\n");
    }

    fn ends_of_tasks(python: &Python) {
        let (mut client, stop) = stopped_at(python, "ends.py", "stop");
        let zoo = Zoo::look(&mut client, "ends.py");
        let from = "from spawn of Task-1";
        let within_group = zoo.places.of_location(&zoo.task("groups")["location"]);
        for (name, row) in [
            ("Task-1", "running stop; from script of nobody".to_owned()),
            ("inner", format!("waiting waits, notify: Event.wait; awaited by shields (shield) and waits for (wait); {from}")),
            ("fails", format!("failed fails; ended with ValueError: number 1; {from}")),
            ("bad", format!("failed bad; ended with Bad; {from}")),
            ("resists", format!("cancelled resists, sleep: sleep; {from}")),
            ("shields", format!("waiting shields, join: shield, for inner; {from}")),
            ("limits", format!("waiting waits, notify: Event.wait; timeout; {from}")),
            ("waits for", format!("waiting waits for, group: wait for all of 1, 1 left; timeout, for inner; {from}")),
            ("groups", format!("cancelled {within_group}, group: TaskGroup, 1 left, for member that stays; {from}")),
            ("gathers", format!("failed fails; ended with ValueError: number 0; {from}")),
            ("cancelled", format!("cancelled waits; {from}")),
            ("member that stays", "cancelled resists, sleep: sleep; awaited by groups (taskgroup); from member of groups".to_owned()),
            ("not begun", format!("created never; {from}")),
        ] {
            assert_eq!(zoo.row(name), row, "{name}");
        }
        assert!(zoo.task("limits")["waitingOn"]["remainingMs"].as_u64().is_some_and(|left| left <= 500_000));
        assert!(zoo.task("waits for")["waitingOn"]["remainingMs"].as_u64().is_some_and(|left| (500_000..=777_000).contains(&left)));
        let mut failed: Vec<(String, Vec<&str>)> = list(&zoo.body["problems"])
            .map(|problem| (text(&problem["kind"]).to_owned(), zoo.names(&problem["tasks"])))
            .collect();
        failed.sort();
        let expected = ["bad", "fails", "gathers"].map(|name| ("panicked-task".to_owned(), vec![name]));
        assert_eq!(failed, expected, "what a gather or a group was told of is nobody's problem");
        client.resume(stop.thread);
        client.exited();
    }

    /// Of a chain that is too long both ends are shown; a task that runs is where its thread is.
    fn coroutines_far_within_each_other(python: &Python) {
        let (mut client, stop) = stopped_at(python, "depths.py", "stop");
        let zoo = Zoo::look(&mut client, "depths.py");
        let main = zoo.task("Task-1");
        assert_eq!((zoo.places.of_location(&main["location"]), &main["frames"]), ("stop".to_owned(), &json!(53)));
        for (name, frames) in [("1 deep", 3), ("100 deep", 102), ("900 deep", 902)] {
            assert_eq!(zoo.row(name), "waiting bottom, sleep: sleep; from spawns of Task-1", "{name}");
            assert_eq!(zoo.task(name)["frames"], frames, "{name}");
        }
        let stack = zoo.places.stack(&mut client, stop.thread);
        assert_eq!(stack[..3], ["plain stop", "runs calls", "runs runs"]);
        assert_eq!(stack[51..], ["runs runs", "main main", &format!("task {} Task-1", main["id"]), "<module> script"]);
        let stack = zoo.stack(&mut client, "100 deep");
        assert_eq!((stack.len(), stack[0].as_str(), stack[1].as_str()), (102, "sleep tasks.py", "dives bottom"));
        assert!(stack[2..].iter().all(|frame| frame == "dives dives"), "{stack:?}");
        let frames = client.stack(zoo.task("900 deep")["threadId"].as_i64().expect("a number"));
        assert_eq!((frames.len(), frames[200].name.as_str()), (401, "502 frames further in are left out"));
        assert_eq!(client.evaluate("depth", frames[1].id).value, "0");
        assert_eq!(client.evaluate("depth", frames[199].id).value, "198");
        assert_eq!(client.evaluate("depth", frames[201].id).value, "701");
        assert_eq!(client.evaluate("depth", frames[400].id).value, "900");
        ends_well(client, &stop, "ready\n");
    }

    /// What harms whoever looks harms nobody: neither the list, nor other variables, nor the program.
    fn odd_names_and_values(python: &Python) {
        let (mut client, stop) = stopped_at(python, "odd.py", "stop");
        let zoo = Zoo::look(&mut client, "odd.py");
        let mut names: Vec<&str> = list(&zoo.body["tasks"]).map(|task| text(&task["name"])).collect();
        names.sort_unstable();
        let cut = "a".repeat(200) + "…";
        let expected =
            ["12345", "<b>{braces} %s", "? half", "Grüße 🎉", "Task-1", cut.as_str(), "own", "sleeps", "two\nlines"];
        assert_eq!(names, expected);
        assert_eq!(zoo.row("own"), "waiting values, sleep: sleep; from - of nobody", "nobody is asked who made it");
        let stack = client.stack(zoo.task("own")["threadId"].as_i64().expect("a number"));
        let frame = stack[1].id;
        let (exits, nothing) = ("<Exits object at", "<__main__.Nothing object at");
        let begins = |client: &mut Client, expression: &str, begin: &str| {
            let value = client.evaluate(expression, frame).value;
            assert!(value.starts_with(begin), "{expression}: {value}");
        };
        let shown: HashMap<String, String> =
            client.locals(frame).into_iter().map(|variable| (variable.name, variable.value)).collect();
        assert!(shown["slow"].starts_with("<Slow object at") && shown["slow"].ends_with("(its repr takes too long)"), "{shown:?}");
        assert!(shown["exits"].starts_with(exits) && shown["exits"].ends_with("(its repr raises SystemExit)"));
        assert!(shown["number"].ends_with("(its repr raises TypeError)"), "{shown:?}");
        assert!(shown["text"].ends_with("(its repr raises ValueError)"), "{shown:?}");
        assert!(shown["nothing"].starts_with(nothing), "{shown:?}");
        assert_eq!(shown["loop"], "Loop()");
        assert_eq!(shown["large"], "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 99988 more]");
        assert!(shown["nested"].starts_with(&format!("{{'key': [{exits}")), "{shown:?}");
        // A thread that does not come back is given up; the others go on.
        begins(&mut client, "slow", "<Slow object at");
        assert_eq!(client.evaluate("len(large)", frame).value, "100000");
        assert_eq!(client.evaluate("loop.me.me is loop", frame).value, "True");
        assert_eq!(client.cannot_evaluate("nothing.at_all", frame), "RuntimeError: at_all");
        let top = client.top(stop.thread);
        assert_eq!(client.evaluate("len(tasks)", top.id).value, "8");
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        assert_eq!((client.output("stdout"), client.output("stderr")), ("ready\n".to_owned(), String::new()));
    }

    fn thousands_of_tasks(python: &Python) {
        let (mut client, stop) = stopped_at(python, "crowd.py", "stop");
        let body = client.async_tasks();
        assert_eq!(body["total"], 5002);
        let waits = |task: &&Value| {
            task["waitingOn"]["text"] == "Event.wait" && task["frames"] == 3 && task["awaitedBy"][0]["via"] == "gather"
        };
        assert_eq!(list(&body["tasks"]).filter(waits).count(), 5000);
        let page = client.ask("asyncTasks", json!({"start": 4000, "count": 10, "generation": body["generation"]}));
        assert_eq!((&page["total"], &page["tasks"][0]["id"]), (&json!(5002), &body["tasks"][4000]["id"]));
        assert_eq!(list(&page["tasks"]).count(), 10);
        let found = client.ask("asyncTasks", json!({"filter": {"text": "w4321"}}));
        assert_eq!((&found["matched"], &found["tasks"][0]["name"]), (&json!(1), &json!("w4321")));
        let places = Places::of("crowd.py");
        let stack = places.stack(&mut client, found["tasks"][0]["threadId"].as_i64().expect("a number"));
        assert_eq!(stack, ["Event.wait locks.py", "leaf leaf", "middle middle", "awaited by task 1 Task-1", "main main"]);
        assert_eq!(client.threads().len(), 1, "tasks become threads when they are asked for");
        ends_well(client, &stop, "ready\nover\n");
    }
}
