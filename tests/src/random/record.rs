//! What a program has written down, and whether a walk agrees with it.

use std::collections::BTreeMap;
use std::fmt;

use super::program::{NONE, TASKS};

/// One execution of a line.
#[derive(Clone, Copy, Debug)]
struct Entry {
    line: i64,
    coroutine: u32,
    parent: u32,
}

/// All of a run, in order.
pub(super) struct Record {
    entries: Vec<Entry>,
    parents: BTreeMap<u32, u32>,
}

/// Which coroutine a stop is in, by the variable that its line writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// One that is about to be numbered, with this parent.
    Begins(u32),
    Is(u32),
    /// The line writes nothing down, or belongs to a block that has no number.
    Unknown,
}

/// Where the program stopped.
#[derive(Clone)]
pub(super) struct At {
    /// What led here: `start`, `next`, `stepIn` or `stepOut`.
    pub(super) how: &'static str,
    /// 0: the program has ended, or the stop is outside of its source.
    pub(super) line: i64,
    pub(super) who: Who,
    /// The stop's description.
    pub(super) said: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to line {} of {:?} ({})", self.how, self.line, self.who, self.said)
    }
}

/// A walk that is compared, entry by entry.
pub(super) struct Comparison<'a> {
    record: &'a Record,
    /// Where `main` begins: behind it no coroutine is numbered.
    main: i64,
    /// The coroutine that the walk is in, if that is known.
    coroutine: Option<u32>,
    /// The entry of the line that it stands on, which was not executed yet.
    entry: Option<usize>,
    /// It is in the function that makes a box, which has no number yet.
    makes: bool,
}

impl Record {
    /// # Panics
    /// If the text is not what programs write.
    pub(super) fn read(text: &str) -> Self {
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<u32>().ok()).expect("a number");
        let entry = |line: &str| {
            let mut words = line.split(' ');
            let line = i64::from(number(words.next()));
            Entry { line, coroutine: number(words.next()), parent: number(words.next()) }
        };
        let entries: Vec<Entry> = text.lines().take_while(|line| *line != "END").map(entry).collect();
        let begins = entries.iter().filter(|entry| entry.parent != NONE);
        let parents = begins.map(|entry| (entry.coroutine, entry.parent)).collect();
        Self { entries, parents }
    }

    /// Whether `outer` awaits, directly or not, `inner`.
    fn is_around(&self, outer: Option<u32>, inner: u32) -> bool {
        let up = |at: &u32| self.parents.get(at).copied().filter(|parent| *parent < TASKS);
        std::iter::successors(up(&inner), up).any(|around| Some(around) == outer)
    }

    /// The first entry behind another that fits.
    fn behind(&self, from: Option<usize>, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
        let first = from.map_or(0, |from| from + 1);
        self.entries.iter().enumerate().skip(first).find(|(_, entry)| fits(entry)).map(|(at, _)| at)
    }
}

impl<'a> Comparison<'a> {
    pub(super) fn new(record: &'a Record, main: i64) -> Self {
        Self { record, main, coroutine: None, entry: None, makes: false }
    }

    /// The walk's next stop. `Ok(false)`: nothing behind it can be compared.
    pub(super) fn goes_to(&mut self, at: &At, is_maker: bool) -> Result<bool, String> {
        if at.line == 0 || at.line >= self.main {
            return self.leaves(at).map(|()| false);
        }
        let record = self.record;
        let fits = |entry: &Entry| match at.who {
            Who::Begins(parent) => entry.line == at.line && entry.parent == parent,
            Who::Is(coroutine) => entry.line == at.line && entry.coroutine == coroutine,
            Who::Unknown => false,
        };
        if at.who == Who::Unknown {
            self.makes |= is_maker;
            if at.how == "stepOut" {
                self.coroutine = None;
            }
            return Ok(true);
        }
        // Out of a function that has only made the future: the same line again.
        let again = self.entry.is_some_and(|here| fits(&record.entries[here]));
        if std::mem::take(&mut self.makes) && again {
            return Ok(true);
        }
        let entry = record.behind(self.entry, fits);
        let coroutine = match at.who {
            Who::Is(coroutine) => Some(coroutine),
            _ => entry.map(|entry| record.entries[entry].coroutine),
        };
        if let Some(from) = self.coroutine {
            self.follows(from, at, entry, coroutine)?;
        }
        self.coroutine = coroutine;
        self.entry = entry.or(self.entry);
        Ok(true)
    }

    fn follows(&self, from: u32, at: &At, entry: Option<usize>, coroutine: Option<u32>) -> Result<(), String> {
        let record = self.record;
        if at.how == "stepOut" {
            let is_around = record.is_around(coroutine, from) || at.who == Who::Is(from);
            return if is_around { Ok(()) } else { Err(format!("out of {from} comes {coroutine:?}")) };
        }
        let own = record.behind(self.entry, |entry| entry.coroutine == from);
        let child = record.behind(self.entry, |entry| entry.parent == from);
        let entered = child.filter(|child| at.how == "stepIn" && own.is_none_or(|own| *child < own));
        match entered.or(own) {
            None if record.is_around(coroutine, from) => Ok(()),
            None => Err(format!("{from} has ended, and then comes {coroutine:?}, which has not awaited it")),
            wanted if wanted == entry => Ok(()),
            Some(wanted) => Err(format!("{:?} comes first", record.entries[wanted])),
        }
    }

    /// To the code that drives the tasks: none of the coroutine's lines may be left.
    fn leaves(&self, at: &At) -> Result<(), String> {
        let Some(from) = self.coroutine.filter(|_| at.how != "stepOut") else { return Ok(()) };
        match self.record.behind(self.entry, |entry| entry.coroutine == from) {
            Some(left) => Err(format!("{:?} was passed", self.record.entries[left])),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::SPAWNED;
    use super::*;

    /// Coroutine 1 calls 2 on line 11, which has lines 20 and 21, and spawns 3 there.
    const RUN: &str = "10 1 1000000\n11 1 4294967295\n20 2 1\n21 2 4294967295\n20 3 16777218\n12 1 4294967295\nEND\n";

    fn walk(stops: &[(&'static str, i64, Who)]) -> Result<(), String> {
        let record = Record::read(RUN);
        let mut comparison = Comparison::new(&record, 100);
        for (how, line, who) in stops {
            comparison.goes_to(&At { how, line: *line, who: *who, said: String::new() }, false)?;
        }
        Ok(())
    }

    #[test]
    fn over_and_into_what_was_called() {
        let start = ("start", 10, Who::Begins(TASKS));
        assert_eq!(
            walk(&[start, ("next", 11, Who::Is(1)), ("next", 12, Who::Is(1)), ("next", 100, Who::Unknown)]),
            Ok(())
        );
        let within = [start, ("next", 11, Who::Is(1)), ("stepIn", 20, Who::Begins(1)), ("next", 21, Who::Is(2))];
        assert_eq!(walk(&within), Ok(()));
        assert_eq!(walk(&[&within[..], &[("next", 12, Who::Is(1))]].concat()), Ok(()));
        assert_eq!(walk(&[&within[..], &[("stepOut", 12, Who::Is(1))]].concat()), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_seen() {
        let start = [("start", 10, Who::Begins(TASKS)), ("next", 11, Who::Is(1))];
        let wrong = |more: &[(&'static str, i64, Who)]| walk(&[&start[..], more].concat()).expect_err("it is wrong");
        assert!(wrong(&[("next", 20, Who::Begins(1))]).contains("line: 12"));
        assert!(wrong(&[("stepIn", 12, Who::Is(1))]).contains("line: 20"));
        assert!(wrong(&[("next", 100, Who::Unknown)]).contains("was passed"));
        let within = [("stepIn", 20, Who::Begins(1)), ("next", 21, Who::Is(2))];
        assert!(wrong(&[&within[..], &[("next", 20, Who::Begins(2 + SPAWNED))]].concat()).contains("has ended"));
        assert!(wrong(&[&within[..], &[("stepOut", 20, Who::Begins(2 + SPAWNED))]].concat()).contains("out of 2"));
    }
}
