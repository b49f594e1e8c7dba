//! What a breakpoint can ask of a hit, and what follows from it, worked out apart from the debugger.

use serde_json::{Value, json};

use super::board::{Account, KEYS, MARKERS, line_of};
use super::random::Random;

/// A condition, about `key` alone, so that the board's counts by key say how often it was true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Is(u64),
    Below(u64),
    /// `key % .0 == .1`
    Every(u64, u64),
    Mixed(u64),
    Never,
}

impl Condition {
    fn text(self) -> String {
        match self {
            Self::Is(wanted) => format!("key == {wanted}"),
            Self::Below(end) => format!("key < {end}"),
            Self::Every(divisor, rest) => format!("key % {divisor} == {rest}"),
            Self::Mixed(least) => format!("(key & 15) == 3 && key > {least} || key == 0"),
            Self::Never => "turn == 4000000000".to_owned(),
        }
    }

    pub(super) fn holds(self, key: u64) -> bool {
        match self {
            Self::Is(wanted) => key == wanted,
            Self::Below(end) => key < end,
            Self::Every(divisor, rest) => key % divisor == rest,
            Self::Mixed(least) => key & 15 == 3 && key > least || key == 0,
            Self::Never => false,
        }
    }
}

/// A hit condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hits {
    Only(u64),
    From(u64),
    Each(u64),
    To(u64),
}

impl Hits {
    fn text(self) -> String {
        match self {
            Self::Only(number) => number.to_string(),
            Self::From(number) => format!(">={number}"),
            Self::Each(number) => format!("%{number}"),
            Self::To(number) => format!("<={number}"),
        }
    }

    /// How many of the first `count` hits pass.
    fn passed(self, count: u64) -> u64 {
        match self {
            Self::Only(number) => u64::from(count >= number),
            Self::From(number) => count.saturating_sub(number - 1),
            Self::Each(number) => count / number,
            Self::To(number) => count.min(number),
        }
    }
}

/// A breakpoint, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Index of a marked line.
    pub line: usize,
    pub condition: Option<Condition>,
    pub hits: Option<Hits>,
    pub logs: bool,
}

impl Terms {
    pub(super) fn plain(line: usize) -> Self {
        Self { line, condition: None, hits: None, logs: false }
    }

    /// Something for a line that is free: often enough to matter, not so often that nothing else happens.
    pub(super) fn random(line: usize, random: &mut Random) -> Self {
        let (key, small, number) = (random.below(KEYS as u64), random.below(7), 1 + random.below(300));
        let rare = Condition::Is(key);
        let every = Condition::Every(random.pick(&[7, 16, 64]), small);
        let often = random.pick(&[Condition::Below(small), every, Condition::Mixed(key)]);
        let sometimes = random.pick(&[rare, Condition::Every(64, small), Condition::Mixed(200)]);
        let many = random.pick(&[Hits::Each(500), Hits::Only(number), Hits::To(3)]);
        let few = random.pick(&[Hits::Each(20), Hits::Only(1 + small), Hits::From(1), Hits::To(10)]);
        let (condition, hits, logs) = match random.below(8) {
            0 => (None, None, false),
            1 => (Some(rare), None, false),
            2 => (Some(often), Some(few), false),
            3 => (None, Some(many), false),
            4 => (Some(sometimes), None, true),
            5 => (None, Some(many), true),
            6 => (Some(often), Some(few), true),
            _ => (Some(Condition::Never), None, false),
        };
        Self { line, condition, hits, logs }
    }

    /// In DAP's words; `name` tells messages of different breakpoints apart.
    pub(super) fn words(&self, name: usize) -> Value {
        let mut words = json!({"line": line_of(self.line)});
        if let Some(condition) = self.condition {
            words["condition"] = json!(condition.text());
        }
        if let Some(hits) = self.hits {
            words["hitCondition"] = json!(hits.text());
        }
        if self.logs {
            words["logMessage"] = json!(format!("@{name} {{worker}} {{turn}} {{key}}"));
        }
        words
    }

    pub(super) fn accepts(&self, key: u64) -> bool {
        self.condition.is_none_or(|condition| condition.holds(key))
    }

    /// How often a turn with this key passes the line.
    pub(super) fn times(&self, key: u64) -> usize {
        if MARKERS[self.line] == "looped" { usize::try_from(key % 4).expect("small") } else { 1 }
    }

    /// How often a breakpoint that was set throughout must have stopped or logged by the end.
    pub(super) fn exactly(&self, end: &Account) -> u64 {
        self.passed(|key| end.after(self.line, key))
    }

    /// How often a breakpoint must have stopped or logged at least, and can have at most. It was set between `asked` and
    /// `set`, and taken away between `leaving` and `gone`.
    ///
    /// A thread that was not yet before the line when the breakpoint was set, and was behind it before the breakpoint went,
    /// has hit. One that was behind it already, or was not even before it at the end, has not.
    pub(super) fn bounds(&self, asked: &Account, set: &Account, leaving: &Account, gone: &Account) -> (u64, u64) {
        let line = self.line;
        let least = self.passed(|key| leaving.after(line, key).saturating_sub(set.before(line, key)));
        let most = self.passed(|key| gone.before(line, key).saturating_sub(asked.after(line, key)));
        (least, most)
    }

    fn passed(&self, ran: impl Fn(usize) -> u64) -> u64 {
        let hits = (0..KEYS).filter(|key| self.accepts(*key as u64)).map(ran).sum();
        self.hits.map_or(hits, |condition| condition.passed(hits))
    }
}
