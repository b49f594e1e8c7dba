//! Random steps through one program.

use std::fs;

use serde_json::{Value, json};

use crate::programs::Profile;
use crate::session::text;
use crate::{Client, Launch, Stop, list};

use super::program::{NONE, SIBLINGS, SPARE, TASKS};
use super::record::{At, Comparison, Record, Who};
use super::{Program, Random};

/// Steps of one walk.
const STEPS: usize = 70;

/// Lines of a stack that are looked at for the task's label.
const LEVELS: i64 = 60;

/// How often each kind of step is taken.
const KINDS: [&str; 8] = ["next", "next", "next", "next", "stepIn", "stepIn", "stepIn", "stepOut"];

/// Whether a step can have a debug register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// It can.
    Free,
    /// Data breakpoints have them all.
    Taken,
}

/// Takes random steps in one of the tasks of a program that was built in this way, and compares; gives the number of stops.
///
/// # Panics
/// If a step ends elsewhere than the program went; of optimised code, whose lines need not all be there: if one ends in another task
/// or is lost.
pub fn walk(program: &Program, profile: Profile, seed: u64, registers: Registers) -> usize {
    let (mut walker, first) = Walker::start(program, seed, registers);
    let stops = match profile {
        Profile::Debug => walker.compared(first),
        Profile::Release => walker.kept_to_the_task(first),
    };
    stops.unwrap_or_else(|wrong| panic!("program {}, walk {seed}, registers {registers:?}: {wrong}", program.seed))
}

struct Walker<'a> {
    client: Client,
    program: &'a Program,
    source: Source,
    random: Random,
}

impl<'a> Walker<'a> {
    /// Stops on the first line of a task, and forgets the breakpoint.
    fn start(program: &'a Program, seed: u64, registers: Registers) -> (Self, Stop) {
        let source = Source::read(program);
        let mut client = Client::weft();
        let task = TASKS + u32::try_from(seed % u64::from(SIBLINGS)).unwrap_or(0);
        let first = source.line_of("async fn f0(") + 1;
        client.launch_configured(&program.path, &[], &Launch::default(), |client| {
            client.set_conditional(&program.source, first, &format!("parent == {task}"), "", "");
        });
        let stop = client.stopped();
        client.set_breakpoints(&program.source, &[]);
        if registers == Registers::Taken {
            let frame = client.top(stop.thread).id;
            let ids = SPARE.map(|name| client.data_info(frame, name).id.expect("a static can be watched"));
            let wanted = ids.each_ref().map(|id| (id.as_str(), "write"));
            assert!(client.set_data_breakpoints(&wanted).iter().all(|set| set.verified));
        }
        (Self { client, program, source, random: Random(program.seed.wrapping_mul(1000).wrapping_add(seed)) }, stop)
    }

    /// Compares each stop with what the program has written down.
    fn compared(&mut self, first: Stop) -> Result<usize, String> {
        let (mut stops, mut how, mut stop) = (Vec::new(), "start", Some(first));
        while let Some(at) = stop {
            stops.push(self.at(how, &at)?);
            let line = stops.last().map_or(0, |at| at.line);
            if stops.len() > STEPS || line == 0 || line >= self.source.main {
                self.client.resume(at.thread);
                break;
            }
            // What a line without a number leads into could not be told.
            how = if self.source.notes(line).is_some() { self.random.one_of(&KINDS) } else { "next" };
            self.client.ask(how, json!({"threadId": at.thread}));
            stop = self.client.stop_or_exit();
        }
        let record = Record::read(&self.client.output_with("stdout", "END"));
        assert_eq!(self.client.exited(), 0);
        let mut comparison = Comparison::new(&record, self.source.main);
        for (number, at) in stops.iter().enumerate() {
            let is_maker = self.source.text(at.line).contains("Box::pin(async move");
            let compared = comparison.goes_to(at, is_maker);
            if !compared.map_err(|wrong| format!("stop {number}, {at}: {wrong}"))? {
                break;
            }
        }
        Ok(stops.len())
    }

    /// The compiler may have left out any line, but not the task.
    fn kept_to_the_task(&mut self, first: Stop) -> Result<usize, String> {
        let (mut stops, mut stop) = (1, first);
        let own = self.task(stop.thread);
        loop {
            let how = self.random.one_of(&KINDS);
            self.client.ask(how, json!({"threadId": stop.thread}));
            let Some(next) = self.client.stop_or_exit() else {
                return Err(format!("{how} was lost at stop {stops}: {}", self.client.output("console")));
            };
            stop = next;
            stops += 1;
            let top = self.client.top(stop.thread);
            let (said, task) = (text(&stop.body["description"]), self.task(stop.thread));
            let is_in_source = top.path.as_ref() == Some(&self.program.source);
            if is_in_source && top.line >= self.source.main {
                break;
            }
            if task != own || !is_in_source {
                return Err(format!("stop {stops}: {how} leads to {}:{} in {task:?} ({said})", top.name, top.line));
            }
            if stops > STEPS {
                break;
            }
        }
        self.client.resume(stop.thread);
        assert_eq!(self.client.exited(), 0);
        Ok(stops)
    }

    /// Where a thread stopped.
    fn at(&mut self, how: &'static str, stop: &Stop) -> Result<At, String> {
        let top = self.client.top(stop.thread);
        let line = if top.path.as_ref() == Some(&self.program.source) { top.line } else { 0 };
        let at = At { how, line, who: Who::Unknown, said: text(&stop.body["description"]) };
        let Some((me, parent)) = self.source.notes(line) else { return Ok(at) };
        let begins = parent != NONE.to_string();
        let expression = if begins { &parent } else { &me };
        let value = self.client.request("evaluate", json!({"expression": expression, "frameId": top.id}));
        // The block that makes a stream's items is a line with the stream, and has no number.
        if value.is_err() && self.source.text(line).contains("unfold(") {
            return Ok(at);
        }
        let number = value.ok().and_then(|value| value["result"].as_str()?.parse().ok());
        let number = number.ok_or_else(|| format!("{at}: `{expression}` has no value"))?;
        Ok(At { who: if begins { Who::Begins(number) } else { Who::Is(number) }, ..at })
    }

    /// The label of the task that a thread polls.
    fn task(&mut self, thread: i64) -> Option<String> {
        let body = self.client.ask("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": LEVELS}));
        let label = |frame: &&Value| frame["presentationHint"] == "label";
        list(&body["stackFrames"]).find(label).map(|frame| text(&frame["name"]))
    }
}

/// A program's source.
struct Source {
    lines: Vec<String>,
    /// Where `main` begins: nothing from there on is a task's.
    main: i64,
}

impl Source {
    fn read(program: &Program) -> Self {
        let text = fs::read_to_string(&program.source).expect("a source file is text");
        let mut source = Self { lines: text.lines().map(str::to_owned).collect(), main: 0 };
        source.main = source.line_of("fn main() {");
        source
    }

    /// The line that begins with a text, from 1.
    fn line_of(&self, text: &str) -> i64 {
        let at = self.lines.iter().position(|line| line.starts_with(text)).expect("a line");
        i64::try_from(at + 1).expect("a line's number")
    }

    fn text(&self, line: i64) -> &str {
        let index = usize::try_from(line).unwrap_or(0).checked_sub(1);
        index.and_then(|index| self.lines.get(index)).map_or("", String::as_str)
    }

    /// What a line writes down: its coroutine, and the parent of one that begins there.
    fn notes(&self, line: i64) -> Option<(String, String)> {
        let (_, notes) = self.text(line).split_once("push([line!(), ")?;
        let (me, parent) = notes.split_once("])")?.0.split_once(", ")?;
        Some((me.to_owned(), parent.to_owned()))
    }
}
