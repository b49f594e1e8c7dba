//! A walk, and how it is taken.

use std::path::PathBuf;

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Frame, Launch, Stop};

/// The walked task's, of all that run the same code.
pub(super) const WALKED: &str = "id == 2";

#[derive(Clone, Copy)]
pub(super) struct Walk {
    /// Where it is, below `walks/src`.
    pub(super) file: &'static str,
    /// The first word of its markers.
    pub(super) marks: &'static str,
    /// What the program calls it.
    pub(super) name: &'static str,
    /// See the module.
    pub(super) table: &'static str,
}

/// Takes walks one after the other, in one session.
pub(super) fn take(walks: &[Walk]) {
    take_prepared(walks, |_, _| {});
}

/// The same, with something to be done at the first stop.
pub(super) fn take_prepared(walks: &[Walk], prepare: impl FnOnce(&mut Client, &Stop)) {
    let mut client = Client::weft();
    let names: Vec<&str> = walks.iter().map(|walk| walk.name).collect();
    let program = program("walks", Profile::Debug);
    client.launch_configured(&program, &names, &Launch::default(), |client| walks[0].begin(client));
    let mut stop = client.stopped();
    prepare(&mut client, &stop);
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
    pub(super) fn path(&self) -> PathBuf {
        source(&format!("walks/src/{}.rs", self.file))
    }

    pub(super) fn rows(&self) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.table.lines().map(words).filter(|row| !row.is_empty()).collect()
    }

    /// Breaks where the walk begins.
    pub(super) fn begin(&self, client: &mut Client) {
        self.begin_if(client, WALKED);
    }

    /// The same, on a condition.
    pub(super) fn begin_if(&self, client: &mut Client, condition: &str) {
        let marker = self.table.split_whitespace().nth(1).expect("a table begins with a marker");
        let is_own = marker.starts_with(|first: char| first.is_ascii_digit());
        let marker = if is_own { format!("{} {marker}", self.marks) } else { marker.replace('_', " ") };
        let at = line(&format!("walks/src/{}.rs", self.file), &marker);
        client.set_source_breakpoints(&self.path(), &[json!({"line": at, "condition": condition})]);
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
    pub(super) fn marker(&self, frame: &Frame) -> String {
        let text = frame.path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let index = usize::try_from(frame.line - 1).unwrap_or_default();
        match text.lines().nth(index).and_then(|line| line.split_once("// BP: ")) {
            Some((_, marker)) => marker.strip_prefix(&format!("{} ", self.marks)).unwrap_or(marker).replace(' ', "_"),
            None => format!("{}:{}", frame.file(), frame.line),
        }
    }
}

/// A step, and the stop that ends it, or why there is none.
pub(super) fn stepped(client: &mut Client, thread: i64, how: &str) -> Result<Stop, String> {
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
pub(super) fn task(frames: &[Frame]) -> String {
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
