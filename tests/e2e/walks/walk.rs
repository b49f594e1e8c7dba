//! A walk, and how it is taken.

use std::path::PathBuf;

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Frame, Launch, Stop};

use crate::tables;

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
        let place = |client: &mut Client, stop: &Stop, task: &str| walk.place(client, stop, task);
        let found = tables::take(walk.table, &mut client, &mut stop, stepped, place);
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
        tables::rows(self.table)
    }

    /// Breaks where the walk begins.
    pub(super) fn begin(&self, client: &mut Client) {
        self.begin_if(client, WALKED);
    }

    /// The same, on a condition.
    pub(super) fn begin_if(&self, client: &mut Client, condition: &str) {
        let marker = tables::begin(self.table, self.marks);
        let at = line(&format!("walks/src/{}.rs", self.file), &marker);
        client.set_source_breakpoints(&self.path(), &[json!({"line": at, "condition": condition})]);
    }

    /// Where a stop is, and what is out of the ordinary there.
    fn place(&self, client: &mut Client, stop: &Stop, task: &str) -> String {
        let frames = client.stack(stop.thread);
        let mut words = vec![self.marker(&frames[0])];
        if frames[0].path == Some(self.path()) {
            words.extend(locals(client, frames[0].id));
        }
        words.extend(tables::remarks(stop, &frames, task));
        words.join(" ")
    }

    /// The marker of the line that a frame is at.
    pub(super) fn marker(&self, frame: &Frame) -> String {
        tables::marker(frame, "// BP: ", self.marks)
    }
}

/// A step, and the stop that ends it, or why there is none.
pub(super) fn stepped(client: &mut Client, thread: i64, how: &str) -> Result<Stop, String> {
    let stop = tables::step(client, thread, how)?;
    stop.ok_or_else(|| format!("the program has ended\n{}", client.output("console")))
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
