//! A client that does whatever comes to its mind, and remembers what it was told.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use serde_json::{Value, json};
use weft_tests::{Client, DEADLINE, Stop, list, process, programs};

use super::board::{Board, FILE, MARKERS, line_of};
use super::random::Random;
use super::terms::Terms;
use super::watched::Watched;

pub(super) struct Session<'a> {
    pub client: Client,
    pub board: &'a Board,
    /// The program.
    pub pid: i32,
    pub starts_programs: bool,
    random: Random,
    /// Every breakpoint that there was; its index is the name that its messages carry.
    watched: Vec<Watched>,
    /// Those that are set, by index.
    active: Vec<usize>,
    /// Breakpoints that stay.
    steady: usize,
    /// Which breakpoint an id is or was.
    by_id: HashMap<i64, usize>,
    pauses: u64,
    stepped: Option<i64>,
    pub stops: u64,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: Client, board: &'a Board, seed: u64) -> Self {
        Self {
            client,
            board,
            pid: 0,
            starts_programs: false,
            random: Random::new(seed),
            watched: Vec::new(),
            active: Vec::new(),
            steady: 0,
            by_id: HashMap::new(),
            pauses: 0,
            stepped: None,
            stops: 0,
        }
    }

    /// Sets breakpoints that stay. With `running` the program has begun.
    pub(super) fn set_steady(&mut self, wanted: &[Terms], running: bool) {
        let mut next: Vec<(Option<usize>, Terms)> = wanted.iter().map(|terms| (None, *terms)).collect();
        self.apply(&mut next, !running);
        if !running {
            self.watched.iter_mut().for_each(|watched| watched.set = None);
        }
        self.steady = wanted.len();
    }

    /// Does things at the stop it is told of, lets the program go on, does things while it runs; until the program has
    /// ended or there were enough stops. True if it has ended.
    pub(super) fn run(&mut self, enough: u64) -> bool {
        while let Some(stop) = self.client.stop_or_exit() {
            self.stops += 1;
            let at = self.look(&stop);
            if self.random.one_in(6) {
                self.rearrange(true);
            }
            if self.random.one_in(16) {
                self.check_threads();
            }
            if self.stops >= enough {
                return false;
            }
            let how = if at.is_some() && self.random.one_in(12) { "next" } else { "continue" };
            self.stepped = (how == "next").then_some(stop.thread);
            self.client.ask(how, json!({"threadId": stop.thread}));
            match self.random.below(16) {
                0 => self.pause(stop.thread),
                1 => self.rearrange(false),
                2 => drop(self.client.threads()),
                _ => {}
            }
        }
        true
    }

    /// Asks for a stop, which may come too late.
    fn pause(&mut self, thread: i64) {
        self.pauses += 1;
        let _ = self.client.request("pause", json!({"threadId": thread}));
    }

    /// Understands a stop. Gives the marked line that was hit.
    fn look(&mut self, stop: &Stop) -> Option<usize> {
        let stepped = self.stepped.take();
        match stop.reason.as_str() {
            "breakpoint" => {}
            "pause" => {
                assert!(self.pauses > 0, "nobody asked for a pause: {stop:?}");
                self.pauses -= 1;
                if self.random.one_in(4) {
                    self.any_stack();
                }
                return None;
            }
            "step" => {
                assert_eq!(Some(stop.thread), stepped, "{stop:?}");
                let top = self.client.top(stop.thread);
                assert!(!top.name.is_empty(), "{top:?}");
                return None;
            }
            other => panic!("a stop of reason {other}: {stop:?}"),
        }
        let [id] = stop.hit[..] else { panic!("one breakpoint is on each line: {stop:?}") };
        let index = *self.by_id.get(&id).unwrap_or_else(|| panic!("there is no breakpoint {id}: {stop:?}"));
        let terms = self.watched[index].terms;
        let top = self.client.top(stop.thread);
        assert_eq!((top.file(), top.line), ("lines.rs", line_of(terms.line)), "{terms:?}: {top:?}");
        let number = |session: &mut Self, name: &str| -> u64 {
            let shown = session.client.evaluate(name, top.id).value;
            shown.parse().unwrap_or_else(|_| panic!("{name} is {shown:?} at {terms:?}"))
        };
        let (worker, turn) = (number(self, "worker"), number(self, "turn"));
        let key = number(self, "key");
        assert!(!terms.logs, "{terms:?} logs and does not stop");
        self.watched[index].saw(worker, turn, key);
        if self.random.one_in(10) {
            self.any_stack();
        }
        Some(terms.line)
    }

    /// Any thread has a stack, unless it is starting another program: then it cannot be stopped.
    fn any_stack(&mut self) {
        let threads = self.client.threads();
        let thread = self.random.pick(&threads.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        match self.client.request("stackTrace", json!({"threadId": thread})) {
            Ok(body) => assert!(list(&body["stackFrames"]).count() > 0, "thread {thread} has no stack: {body}"),
            Err(failure) => assert!(self.starts_programs, "thread {thread} has no stack: {failure:?}"),
        }
    }

    /// Sets, changes or clears a breakpoint on one of the lines where none stays. A breakpoint is changed only while the
    /// program stands: otherwise nobody could say which of the two a hit was meant for.
    pub(super) fn rearrange(&mut self, stands: bool) {
        let steady: Vec<usize> = self.watched[..self.steady].iter().map(|watched| watched.terms.line).collect();
        let free: Vec<usize> = (0..MARKERS.len()).filter(|line| !steady.contains(line)).collect();
        let line = self.random.pick(&free);
        let mut next: Vec<(Option<usize>, Terms)> =
            self.active.iter().map(|&index| (Some(index), self.watched[index].terms)).collect();
        let there = next.iter().position(|(_, terms)| terms.line == line);
        let before = there.map(|there| next.remove(there).1);
        if before.is_none() || (stands && self.random.one_in(2)) {
            let terms = Terms::random(line, &mut self.random);
            // With the same conditions its hits would be counted on.
            if before.is_none_or(|before| (before.condition, before.hits) != (terms.condition, terms.hits)) {
                next.push((None, terms));
            }
        }
        for last in (1..next.len()).rev() {
            let other = usize::try_from(self.random.below(last as u64 + 1)).expect("an index");
            next.swap(last, other);
        }
        self.apply(&mut next, stands);
    }

    /// Has exactly these breakpoints: ones that are there, by their index, and new ones. If the program runs, it may have
    /// ended before they are set: then it hits nothing any more, and all stays as it was.
    fn apply(&mut self, next: &mut [(Option<usize>, Terms)], stands: bool) {
        let mut name = self.watched.len();
        let words: Vec<Value> = next
            .iter_mut()
            .map(|(index, terms)| {
                let index = *index.get_or_insert_with(|| {
                    name += 1;
                    name - 1
                });
                terms.words(index)
            })
            .collect();
        let asked = self.board.read();
        let arguments = json!({"source": {"path": programs::source(FILE)}, "breakpoints": words});
        let body = self.client.ask("setBreakpoints", arguments);
        let done = self.board.read();
        if !stands && list(&body["breakpoints"]).any(|answer| answer["verified"] != json!(true)) {
            let stop = self.client.stop_or_exit();
            assert!(stop.is_none(), "not set in a program that goes on: {body}\n{stop:?}");
            return;
        }
        let kept: BTreeSet<usize> = next.iter().filter_map(|(index, _)| *index).collect();
        for index in self.active.drain(..).filter(|index| !kept.contains(index)) {
            let watched = &mut self.watched[index];
            watched.gone = Some((asked.clone(), done.clone()));
            watched.is_over = stands;
        }
        let answers: Vec<&Value> = list(&body["breakpoints"]).collect();
        assert_eq!(answers.len(), next.len(), "{body}");
        let mut answered: Vec<(usize, Terms, &Value)> = next
            .iter()
            .zip(answers)
            .map(|((index, terms), answer)| (index.expect("every one has a name now"), *terms, answer))
            .collect();
        answered.sort_by_key(|(index, ..)| *index);
        for (index, terms, answer) in answered {
            assert_eq!((&answer["verified"], &answer["line"]), (&json!(true), &json!(line_of(terms.line))), "{answer}");
            let id = answer["id"].as_i64().expect("a number");
            if let Some(watched) = self.watched.get(index) {
                assert_eq!(watched.id, id, "{terms:?} stayed as it was");
            } else {
                self.watched.push(Watched::new(terms, id, Some((asked.clone(), done.clone()))));
                self.by_id.insert(id, index);
            }
            self.active.push(index);
        }
    }

    /// Every thread that the kernel knows is listed and stands, and no other.
    fn check_threads(&mut self) {
        let pid = self.pid;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let listed: BTreeSet<i64> = self.client.threads().into_iter().map(|(id, _)| id).collect();
            let states: Vec<(i64, char)> = process::threads(pid)
                .into_iter()
                .filter_map(|tid| Some((i64::from(tid), process::state(tid)?)))
                .filter(|(_, state)| !matches!(state, 'Z' | 'X'))
                .collect();
            let alive: BTreeSet<i64> = states.iter().map(|(tid, _)| *tid).collect();
            if listed == alive && states.iter().all(|(_, state)| *state == 't') {
                return;
            }
            // One that was ending when the others were stopped gets the processor to do so.
            assert!(Instant::now() < deadline, "listed are {listed:?}, there are {states:?}");
            std::thread::yield_now();
        }
    }

    /// Compares everything that was told with what the program counted. A line for each breakpoint.
    pub(super) fn check(&mut self) -> Vec<String> {
        let end = self.board.read();
        let console = self.client.output("console");
        let check = |(name, watched): (usize, &mut Watched)| {
            watched.logged(name, &console);
            watched.check(&end)
        };
        self.watched.iter_mut().enumerate().map(check).collect()
    }

    /// Lets the program go, with all its breakpoints set. While it stands, nothing is hit that was not before.
    pub(super) fn detach(&mut self, stands: bool) {
        let asked = self.board.read();
        self.client.ask("disconnect", json!({}));
        let done = if stands { asked.clone() } else { self.board.read() };
        for index in self.active.drain(..) {
            self.watched[index].gone = Some((asked.clone(), done.clone()));
        }
    }
}
