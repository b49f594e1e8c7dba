//! What was seen of one breakpoint, and whether that is what must have been seen.

use std::collections::HashMap;

use super::board::{Account, key_of};
use super::terms::Terms;

/// A breakpoint from when it was set until it was taken away.
pub(super) struct Watched {
    pub terms: Terms,
    pub id: i64,
    /// Accounts from just before it was asked for and just after it was set. None: before the program began.
    pub set: Option<(Account, Account)>,
    /// Accounts from just before somebody asked to take it away and just after that was done. None: never.
    pub gone: Option<(Account, Account)>,
    /// It was taken away while the program stood, and may not be seen any more.
    pub is_over: bool,
    /// How often each worker and turn was reported.
    seen: HashMap<(u64, u64), usize>,
    reported: u64,
}

impl Watched {
    pub(super) fn new(terms: Terms, id: i64, set: Option<(Account, Account)>) -> Self {
        Self { terms, id, set, gone: None, is_over: false, seen: HashMap::new(), reported: 0 }
    }

    /// A stop or a logged line.
    pub(super) fn saw(&mut self, worker: u64, turn: u64, key: u64) {
        assert!(!self.is_over, "{:?} is gone and was hit by {worker} in turn {turn}", self.terms);
        self.take(worker, turn, key);
    }

    fn take(&mut self, worker: u64, turn: u64, key: u64) {
        assert_eq!(key, key_of(worker, turn), "{:?}: what worker {worker} has in turn {turn}", self.terms);
        assert!(self.terms.accepts(key), "{:?} was hit with key {key}", self.terms);
        let times = self.seen.entry((worker, turn)).or_default();
        *times += 1;
        assert!(*times <= self.terms.times(key), "{:?} was hit twice by {worker} in turn {turn}", self.terms);
        self.reported += 1;
    }

    /// The lines that it logged.
    pub(super) fn logged(&mut self, name: usize, console: &str) {
        let start = format!("@{name} ");
        for line in console.lines().filter_map(|line| line.strip_prefix(&start)) {
            assert!(self.terms.logs, "{:?} logged {line:?}", self.terms);
            let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.trim().parse().ok()).collect();
            let [worker, turn, key] = numbers[..] else { panic!("{:?} logged {line:?}", self.terms) };
            self.take(worker, turn, key);
        }
    }

    /// Compares what was seen with the program's own account: exactly, for one that was there from beginning to end. A
    /// line for the log of the test.
    pub(super) fn check(&self, end: &Account) -> String {
        let (least, most) = match (&self.set, &self.gone) {
            (None, None) => (self.terms.exactly(end), self.terms.exactly(end)),
            (set, gone) => {
                let zero = end.zero();
                let (asked, set) = set.as_ref().map_or((&zero, &zero), |(asked, set)| (asked, set));
                let (leaving, gone) = gone.as_ref().map_or((end, end), |(leaving, gone)| (leaving, gone));
                self.terms.bounds(asked, set, leaving, gone)
            }
        };
        let reported = self.reported;
        let line = format!("{reported} of {least}..={most} for {:?}", self.terms);
        assert!((least..=most).contains(&reported), "{line}");
        line
    }
}
