//! Walks through coroutines: each step, the line that it ends on, and the locals there. Siblings of the task run the same code
//! all the time.
//!
//! A walk is a table. A row says how to step (`over`, `into`, `out`; `at` begins), the marker it ends on (without the walk's
//! name: `2` in the walk `chain` is `// BP: chain 2`; others in full: `leaf_1`) and all locals. A local with members has no
//! value here, one that is not kept across an `.await` has `-`, and one that has no value yet `?`.

use std::path::PathBuf;

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Frame, Launch, Stop, list};

/// The walked task's, of all that run the same code.
const WALKED: &str = "id == 2";

/// More steps than any of these walks takes.
const MOST_LINES: usize = 60;

#[derive(Clone, Copy)]
struct Walk {
    /// Where it is, below `walks/src`.
    file: &'static str,
    /// The first word of its markers.
    marks: &'static str,
    /// What the program calls it.
    name: &'static str,
    table: &'static str,
}

/// Takes walks one after the other, in one session.
fn take(walks: &[Walk]) {
    let mut client = Client::weft();
    let names: Vec<&str> = walks.iter().map(|walk| walk.name).collect();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &names, &Launch::default(), |client| walks[0].begin(client));
    let mut stop = client.stopped();
    for (number, walk) in walks.iter().enumerate() {
        if number > 0 {
            walk.begin(&mut client);
            stop = client.resume_to_stop(stop.thread);
        }
        client.set_breakpoints(&walk.path(), &[]);
        let found = walk.steps(&mut client, &mut stop);
        assert_eq!(found, walk.rows(), "{}", walk.name);
    }
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    // Whatever was stepped, all came to their ends.
    let written = client.output("stdout");
    assert_eq!(written.lines().filter_map(|line| line.split(' ').next()).collect::<Vec<_>>(), names);
}

impl Walk {
    fn path(&self) -> PathBuf {
        source(&format!("walks/src/{}.rs", self.file))
    }

    fn rows(&self) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.table.lines().map(words).filter(|row| !row.is_empty()).collect()
    }

    /// Breaks where the walk begins.
    fn begin(&self, client: &mut Client) {
        let marker = self.table.split_whitespace().nth(1).expect("a table begins with a marker");
        let is_own = marker.starts_with(|first: char| first.is_ascii_digit());
        let marker = if is_own { format!("{} {marker}", self.marks) } else { marker.replace('_', " ") };
        let at = line(&format!("walks/src/{}.rs", self.file), &marker);
        client.set_source_breakpoints(&self.path(), &[json!({"line": at, "condition": WALKED})]);
    }

    /// Steps over lines to the end of the task, in optimised code.
    fn keeps_to_the_task(&self) -> Result<(), String> {
        let mut client = Client::weft();
        let program = program("walks", Profile::Release);
        client.launch_configured(&program, &[self.name], &Launch::default(), |client| self.begin(client));
        let mut stop = client.stopped();
        client.set_breakpoints(&self.path(), &[]);
        let mut lines = vec![self.marker(&client.top(stop.thread))];
        let task = task(&client.stack(stop.thread));
        loop {
            let said = |what: String| Err(format!("{}: {lines:?}: {what}", self.name));
            if lines.len() > MOST_LINES {
                return said("does not end".to_owned());
            }
            stop = match stepped(&mut client, stop.thread, "over") {
                Ok(stop) => stop,
                Err(why) => return said(why),
            };
            let frames = client.stack(stop.thread);
            if stop.body["description"].is_string() {
                break;
            }
            if frames[0].path != Some(self.path()) || stop.reason != "step" || self::task(&frames) != task {
                return said(format!("left the task: {} {stop:?}", frames[0].name));
            }
            lines.push(self.marker(&frames[0]));
        }
        client.resume(stop.thread);
        assert_eq!(client.exited(), 0);
        Ok(())
    }

    /// Takes the steps, and says in the table's words where each ended.
    fn steps(&self, client: &mut Client, stop: &mut Stop) -> Vec<String> {
        let mut found = Vec::new();
        let mut task = task(&client.stack(stop.thread));
        for row in self.rows() {
            let how = row.split(' ').next().unwrap_or_default();
            if how != "at" {
                match stepped(client, stop.thread, how) {
                    Ok(next) => *stop = next,
                    Err(why) => {
                        found.push(format!("{how}: {why}"));
                        break;
                    }
                }
            }
            // It has ended, and the walk goes on in its awaiter.
            if stop.body["description"].is_string() {
                task = self::task(&client.stack(stop.thread));
            }
            found.push(format!("{how} {}", self.place(client, stop, &task)));
        }
        found
    }

    /// Where a stop is, and what is out of the ordinary there.
    fn place(&self, client: &mut Client, stop: &Stop, task: &str) -> String {
        let frames = client.stack(stop.thread);
        let mut words = vec![self.marker(&frames[0])];
        if frames[0].path == Some(self.path()) {
            words.extend(locals(client, frames[0].id));
        }
        let now = self::task(&frames);
        if now != task {
            words.push(format!("in {now}"));
        }
        words.extend(stop.body["description"].as_str().map(|told| format!("({told})")));
        if !matches!(stop.reason.as_str(), "step" | "breakpoint") {
            words.push(format!("by {}", stop.reason));
        }
        words.join(" ")
    }

    /// The marker of the line that a frame is at.
    fn marker(&self, frame: &Frame) -> String {
        let text = frame.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let index = usize::try_from(frame.line - 1).unwrap_or_default();
        match text.lines().nth(index).and_then(|line| line.split_once("// BP: ")) {
            Some((_, marker)) => marker.strip_prefix(&format!("{} ", self.marks)).unwrap_or(marker).replace(' ', "_"),
            None => format!("{}:{}", frame.file(), frame.line),
        }
    }
}

/// A step, and the stop that ends it, or why there is none.
fn stepped(client: &mut Client, thread: i64, how: &str) -> Result<Stop, String> {
    let request = match how {
        "over" => "next",
        "into" => "stepIn",
        "out" => "stepOut",
        other => panic!("there is no step {other}"),
    };
    client.request(request, json!({"threadId": thread})).map_err(|failure| failure.message)?;
    client.stop_or_exit().ok_or_else(|| format!("the program has ended\n{}", client.output("console")))
}

/// The task that a stack is of, by its label.
fn task(frames: &[Frame]) -> String {
    frames.iter().find(|frame| frame.hint == "label").map_or_else(|| "no task".to_owned(), |frame| frame.name.clone())
}

fn locals(client: &mut Client, frame: i64) -> Vec<String> {
    let locals = client.locals(frame).into_iter();
    let shown = locals.map(|local| match local.value.as_str() {
        value if value.contains("not kept across") => format!("{}=-", local.name),
        value if value.contains("no value yet") => format!("{}=?", local.name),
        value if local.reference == 0 => format!("{}={}", local.name, value.replace(' ', "_")),
        _ => local.name,
    });
    shown.collect()
}

#[test]
fn along_chains() {
    take(&[CHAIN, FALLIBLE, MATCHED, TAILED, READY, REPOLLED, LONG]);
}

#[test]
fn among_a_hundred_siblings() {
    take(&[Walk { name: "crowd", ..CHAIN }]);
}

#[test]
fn where_tasks_live() {
    take(&[Walk { name: "current_thread", ..CHAIN }, IN_LOCAL_SET, BLOCKED_ON]);
    take(&[MAIN]);
}

/// Each await of this walk comes back on another worker.
#[test]
fn from_worker_to_worker() {
    let walk = Walk { file: "chains", marks: "moving", name: "moving", table: "at 1" };
    let mut client = Client::weft();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &[walk.name], &Launch::default(), |client| walk.begin(client));
    let mut stop = client.stopped();
    client.set_breakpoints(&walk.path(), &[]);
    let mut threads = vec![stop.thread];
    for marker in ["2", "3", "4", "5"] {
        stop = client.step("next", stop.thread);
        let top = client.top(stop.thread);
        assert_eq!((walk.marker(&top).as_str(), client.evaluate("id", top.id).value.as_str()), (marker, "2"));
        threads.push(stop.thread);
    }
    assert!(threads[0] == threads[1] && threads[1] != threads[2], "{threads:?}");
    assert!(threads[2] == threads[3] && threads[3] != threads[4], "{threads:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

/// A breakpoint in the task that is waited for stops first; then the step is taken up, as if nothing had happened.
#[test]
fn on_after_another_task_has_interrupted() {
    let walk = Walk { marks: "panicked", table: "at 1", ..PANICKED };
    let mut client = Client::weft();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &[walk.name], &Launch::default(), |client| walk.begin(client));
    let mut stop = client.stopped();
    let task = task(&client.stack(stop.thread));
    let is_walked = |other: &&Value| task.starts_with(&format!("task {} ", other["id"]));
    let tasks = client.async_tasks();
    let thread = list(&tasks["tasks"]).find(is_walked).and_then(|task| task["threadId"].as_i64()).expect("a thread");
    let other = json!({"line": line("walks/src/ends.rs", "failing 1"), "condition": WALKED});
    client.set_source_breakpoints(&walk.path(), &[other]);
    // The other task may run while the walked one still spawns it.
    let (mut seen, mut from) = (Vec::new(), client.top(thread));
    while stop.reason != "breakpoint" || seen.is_empty() {
        from = client.top(thread);
        seen.push(walk.marker(&from));
        stop = client.step("next", thread);
    }
    let said = format!("breakpoint; the step over line {} was interrupted", from.line);
    assert_eq!(stop.body["description"].as_str(), Some(said.as_str()));
    client.set_breakpoints(&walk.path(), &[]);
    while seen.len() < 4 {
        stop = client.step("next", thread);
        let top = client.top(stop.thread);
        assert_eq!((stop.thread, client.evaluate("id", top.id).value.as_str()), (thread, "2"));
        seen.push(walk.marker(&top));
    }
    assert_eq!(seen, ["1", "2", "3", "4"]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn along_loops_that_wait() {
    take(&[RECEIVED, ONE_LINE, GATHERED, STREAMED]);
}

#[test]
fn along_branches() {
    take(&[JOINED, SELECTED, TICKING]);
}

#[test]
fn into_what_is_awaited_and_out_again() {
    take(&[ENTERED, ENTERED_BLOCKS, ENTERED_SHAPES, ENTERED_TRAIT, ENTERED_JOIN, ENTERED_CALLS, ENTERED_KINDS]);
}

#[test]
fn on_when_a_coroutine_is_cancelled() {
    take(&[LOST, ABORTED]);
}

#[test]
fn on_when_a_coroutine_panics() {
    take(&[PANICKED]);
}

/// Optimised: lines vanish or come in another order, but every step ends in the same task and in its source, and the walk comes
/// to its end.
#[test]
fn optimised_code_keeps_to_the_task() {
    let all = [CHAIN, FALLIBLE, MATCHED, TAILED, READY, REPOLLED, LONG, JOINED, TICKING, NESTED, DYNAMIC, KINDS, LARGE];
    let wrong: Vec<String> = all.iter().filter_map(|walk| walk.keeps_to_the_task().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn along_what_can_be_awaited() {
    take(&[NESTED, DYNAMIC, KINDS, LARGE, CALLING]);
}

/// What a pattern binds has no value before it is received, and one behind.
const RECEIVED: Walk = Walk {
    file: "chains",
    marks: "received",
    name: "received",
    table: "
        at   1  id=2
        over 2  id=2 send recv
        over 3  id=2 send recv
        over 4  id=2 send recv sum=2 n=?
        over 5  id=- send=- recv sum=2 n=10
        over 4  id=- send=- recv sum=12 n=?
        over 5  id=- send=- recv sum=12 n=20
        over 4  id=- send=- recv sum=32 n=?
        over 6  id=- send=- recv sum=32
        over 7  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A loop of one line is one line.
const ONE_LINE: Walk = Walk {
    file: "chains",
    marks: "one_line",
    name: "one_line",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=- sum=5
        over 4  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Futures that are polled together.
const GATHERED: Walk = Walk {
    file: "branches",
    marks: "gathered",
    name: "gathered",
    table: "
        at   1  id=2
        over 2  id=- all
        over 3  id=- all some
        over 4  id=- all some sum=0 n=?
        over 5  id=- all=- some sum=0 n=4
        over 4  id=- all=- some sum=4 n=?
        over 5  id=- all=- some sum=4 n=5
        over 4  id=- all=- some sum=9 n=?
        over 6  id=- all=- some sum=9
        over 7  id=- all=- some sum=9 hour=3600s
        over 8  id=- all=- some sum=9 hour=- last
        over 9  id=- all=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A stream.
const STREAMED: Walk = Walk {
    file: "branches",
    marks: "streamed",
    name: "streamed",
    table: "
        at   1  id=2
        over 2  id=2 numbers
        over 3  id=2 numbers sum=2 n=?
        over 4  id=- numbers sum=2 n=10
        over 3  id=- numbers sum=12 n=?
        over 4  id=- numbers sum=12 n=20
        over 3  id=- numbers sum=32 n=?
        over 5  id=- numbers sum=32
        over 6  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Three awaits, one after the other.
const CHAIN: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "chain",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Two turns of a loop, and its end by `?`.
const FALLIBLE: Walk = Walk {
    file: "chains",
    marks: "fallible",
    name: "fallible",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=2 sum=2 iter n=0
        over 4  id=- sum=2 iter n=- more=0
        over 2  id=- sum=2 iter
        over 3  id=- sum=2 iter n=1
        over 4  id=- sum=2 iter n=- more=10
        over 2  id=- sum=12 iter
        over 3  id=- sum=12 iter n=2
        over 6  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The last thing is an await.
const TAILED: Walk = Walk {
    file: "chains",
    marks: "tailed",
    name: "tailed",
    table: "
        at   tail_1  id=2
        over tail_2  id=2 n=4
        over tail_3  id=2
        over 2       id=2 sum=5
        over 3       id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Awaits that never suspend.
const READY: Walk = Walk {
    file: "chains",
    marks: "ready",
    name: "ready",
    table: "
        at   1  id=2
        over 2  id=2 one=2
        over 3  id=2 one=2 two=3
        over 4  id=2 one=2 two=3 three=6
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// An await that is polled 200 times in vain.
const REPOLLED: Walk = Walk {
    file: "chains",
    marks: "repolled",
    name: "repolled",
    table: "
        at   1  id=2
        over 2  id=2 before=6
        over 3  id=2 before=6
        over 4  id=2 before=6 after=7
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Two awaits in an expression of several lines.
const LONG: Walk = Walk {
    file: "chains",
    marks: "long",
    name: "long",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 3  id=2 start=20
        over 4  id=2 start=20
        over 5  id=- start=-
        over 6  id=- start=-
        over 7  id=- start=- sum=30
        over 8  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A `match` on an await, both arms.
const MATCHED: Walk = Walk {
    file: "chains",
    marks: "matched",
    name: "matched",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=2 sum=2 iter n=1
        over 4  id=- sum=2 iter n=-
        over 5  id=- sum=2 iter n=- more=10
        over 6  id=- sum=12 iter n=-
        over 2  id=- sum=12 iter
        over 3  id=- sum=12 iter n=2
        over 7  id=- sum=12 iter n=-
        over 8  id=- sum=12 iter n=- why=\"2_is_too_much\"
        over 9  id=- sum=25 iter n=-
        over 2  id=- sum=25 iter
        over 10 id=- sum=25
        over 11 id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The lines of a `join!` are its head and what it joins.
const JOINED: Walk = Walk {
    file: "branches",
    marks: "joined",
    name: "joined",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 3  id=- start=- b=22 a=21
        over 5  id=- start=- b=22 a=21 sum=43
        over 4  id=- start=- b=22 a=21 sum=43
        over 6  id=- start=- b=22 a=21 sum=43 _fut0 (shadowed) _fut0
        over 4  id=- start=- b=22 a=21 sum=43 _fut0 (shadowed) _fut0
        over 8  id=- start=- b=22 a=- sum=- c=44 d=24
        over 9  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The lines of a `select!` are its head, its futures, and the branch taken.
const SELECTED: Walk = Walk {
    file: "branches",
    marks: "selected",
    name: "selected",
    table: "
        at   1  id=2
        over 2  id=2 never
        over 4  id=2 never disabled=0
        over 2  id=2 never disabled=0
        over 4  id=2 never disabled=2 output
        over 5  id=2 never disabled=2 output n=3
        over 6  id=2 never won=6
        over 7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A `select!` in a loop, over a future that outlives it.
const TICKING: Walk = Walk {
    file: "branches",
    marks: "ticking",
    name: "ticking",
    table: "
        at   1  id=2
        over 2  id=2 slow
        over 3  id=2 slow ticks=0
        over 4  id=2 slow ticks=0 disabled=0
        over 6  id=2 slow ticks=0 disabled=0
        over 3  id=2 slow ticks=0 disabled=0
        over 7  id=- slow ticks=0 disabled=2 output
        over 3  id=- slow ticks=1
        over 4  id=- slow ticks=1 disabled=0
        over 6  id=- slow ticks=1 disabled=0
        over 3  id=- slow ticks=1 disabled=0
        over 4  id=- slow=async_fn_leaf_(finished) ticks=1 disabled=1 output
        over 5  id=- slow=async_fn_leaf_(finished) ticks=1 disabled=1 output n=3
        over 8  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A block of several lines is one statement of the function around it.
const NESTED: Walk = Walk {
    file: "shapes",
    marks: "nested",
    name: "nested",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 7  id=2 start=20
        over 8  id=2 start=20 sum=22
        over 9  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// `Box<dyn Future>`, `async_trait`, recursion.
const DYNAMIC: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   1  id=2
        over 2  id=2 boxed
        over 3  id=2 boxed=- one=3
        over 4  id=2 boxed=- one=3 service
        over 5  id=2 boxed=- one=3 service two=7
        over 6  id=2 boxed=- one=3 service two=7 three=11
        over 7  id=2 boxed=- one=3
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A large output, generics, one line, an `async fn` of a trait, a closure, `let`-`else`.
const KINDS: Walk = Walk {
    file: "shapes",
    marks: "kinds",
    name: "kinds",
    table: "
        at   1  id=2
        over 2  id=2 wide
        over 3  id=2 wide text=\"text2\"
        over 4  id=2 wide text=\"text2\" short=6
        over 5  id=2 wide text=\"text2\" short=- own=8
        over 6  id=2 wide text=\"text2\" short=- own=8 closure
        over 7  id=2 wide text=\"text2\" short=- own=8 closure called=10
        over 8  id=2 wide text=\"text2\" short=- own=8 closure called=- last=10
        over 9  id=2 wide
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A task that keeps its future in a box.
const LARGE: Walk = Walk {
    file: "shapes",
    marks: "large",
    name: "large",
    table: "
        at   1  id=2
        over 2  id=2 numbers
        over 3  id=- numbers one=3
        over 4  id=- numbers one=3 two=3
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A synchronous call before an await, on one line.
const CALLING: Walk = Walk {
    file: "shapes",
    marks: "calling",
    name: "calling",
    table: "
        at   1  id=2
        over 2  id=2 one=6
        over 3  id=- one=6 two=21
        over 4  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Out of an awaited function is behind the await.
const ENTERED: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "chain",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        into leaf_1
        out  3  id=2 one=3 two=4
        into leaf_1
        over leaf_2
        over leaf_3
        over leaf_4
        over 4  id=2 one=3 two=- three=5
    ",
};

/// A block is entered where it is awaited.
const ENTERED_BLOCKS: Walk = Walk {
    file: "shapes",
    marks: "nested",
    name: "nested",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        into 7  id=2 start=20
        into 3  start=20
        into leaf_1
        out  4  start=20 inner=21
        into 6  start=20 inner=21
        into 5  inner=21
        out  7  start=20
        out  8  id=2 start=20 sum=22
    ",
};

/// Through a box, a trait object, and a level of recursion.
const ENTERED_SHAPES: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   1        id=2
        over 2        id=2 boxed
        into leaf_1
        out  3        id=2 boxed=- one=3
        over 4        id=2 boxed=- one=3 service
        into serve_1  self n (shadowed)=2 n=2
        over serve_2  self n (shadowed)=2 n=2 twice=4
        over serve_3  self n (shadowed)=2 n=- twice=4
        out  5        id=2 boxed=- one=3 service two=7
        into deep_1   depth=2 n=7
        over deep_3   depth=2 n=7
        into deep_1   depth=1 n=7
        out  deep_4   depth=2 n=- below=9
        out  6        id=2 boxed=- one=3 service two=7 three=11
    ",
};

/// The end of an `async_trait` function is no news: whoever awaits it goes on behind the await.
const ENTERED_TRAIT: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   4        id=2 boxed=- one=3 service
        into serve_1  self n (shadowed)=2 n=2
        over serve_2  self n (shadowed)=2 n=2 twice=4
        over serve_3  self n (shadowed)=2 n=- twice=4
        over 5        id=2 boxed=- one=3 service two=7
        into deep_1   depth=2 n=7
        out  6        id=2 boxed=- one=3 service two=7 three=11
        over 7        id=2 boxed=- one=3
        out  awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The end of what a `join!` polls leads behind the `join!`.
const ENTERED_JOIN: Walk = Walk {
    file: "branches",
    marks: "joined",
    name: "joined",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        into leaf_1
        over leaf_2
        over leaf_3
        over leaf_4
        over 3  id=- start=- b=22 a=21
    ",
};

/// First what is called on the line, then what it awaits.
const ENTERED_CALLS: Walk = Walk {
    file: "shapes",
    marks: "calling",
    name: "calling",
    table: "
        at   1         id=2
        over 2         id=2 one=6
        into callee_1  n=6
        over callee_2  n=6 more=7
        over callee_3  n=6
        over 2         id=2 one=6
        into leaf_1
        out  3         id=- one=6 two=21
    ",
};

/// A large output, generics, one line, an `async fn` of a trait, a closure.
const ENTERED_KINDS: Walk = Walk {
    file: "shapes",
    marks: "kinds",
    name: "kinds",
    table: "
        at   1          id=2
        into wide_1     n=2
        out  2          id=2 wide
        into generic_1  n=2 value=\"text\"
        out  3          id=2 wide text=\"text2\"
        into short_1    n=5
        out  4          id=2 wide text=\"text2\" short=6
        into own_1      self n=2
        out  5          id=2 wide text=\"text2\" short=- own=8
        over 6          id=2 wide text=\"text2\" short=- own=8 closure
        into 5          n (shadowed)=1 own=8 n=1
        out  7          id=2 wide text=\"text2\" short=- own=8 closure called=10
    ",
};

/// The `select!` that polled it drops it, and goes on with the branch that won.
const LOST: Walk = Walk {
    file: "ends",
    marks: "endless",
    name: "lost",
    table: "
        at   1       id=2
        over 2       id=2 more=3
        over lost_4  id=2 start=- disabled=2 output (the future was dropped; its awaiter goes on here)
        over lost_5  id=2 start=- disabled=2 output n=21
        over lost_6  id=2 start=- won=22
        over lost_7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Cancelled where it is suspended; who does it awaits it.
const ABORTED: Walk = Walk {
    file: "ends",
    marks: "endless",
    name: "aborted",
    table: "
        at   1          id=2
        over 2          id=2 more=3
        over aborted_4  id=2 task ended (the task was cancelled; its awaiter goes on here)
        over aborted_5  id=2 task ended cancelled=true
        over aborted_6  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Unwound from inside what it awaits.
const PANICKED: Walk = Walk {
    file: "ends",
    marks: "failing",
    name: "panicked",
    table: "
        at   1           id=2
        over 2           id=2 more=3
        over panicked_3  id=2 task=- ended (a panic ended the task; its awaiter goes on here)
        over panicked_4  id=2 task=- ended failed=true
        over panicked_5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A task of a set that stays on one thread.
const IN_LOCAL_SET: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "local_set",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over local_set_2 (the task has ended; its awaiter goes on here)
    ",
};

/// No task of a runtime: what a thread blocks on.
const BLOCKED_ON: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "block_on",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over block_on_2 (the future has completed; who blocked on it goes on here)
    ",
};

/// The rest of `#[tokio::main]` is its closing line. The block's variable is what it was before it was moved into the runtime.
const MAIN: Walk = Walk {
    file: "homes",
    marks: "tokio_main",
    name: "tokio_main",
    table: "
        at   2 id=2
        over 3 id=2 one=3
        over 4 body=async_block_in_tokio_main_(not_started) (the future has completed; who blocked on it goes on here)
    ",
};
