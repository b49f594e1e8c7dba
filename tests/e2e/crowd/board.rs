//! What the program says about itself, in the file that it counts in (`debuggees/crowd/src/board.rs` lays it out).

use std::fs;
use std::path::PathBuf;

use weft_tests::programs;

/// Marked lines that are counted, in the board's order, by marker. They run as often as there are turns, but for `looped`,
/// which runs `key % 4` times in a turn, and `born`, which runs once in a life.
pub(super) const MARKERS: [&str; 10] =
    ["exclusive", "called", "branch", "looped", "global", "product", "compared", "shifted", "returned", "born"];
/// Values of `key`.
pub(super) const KEYS: usize = 256;

const LINES: usize = 12;
const SINGLE: usize = 8;

pub(super) const FILE: &str = "crowd/src/lines.rs";

/// Where the program counts.
pub(crate) struct Board {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// What was on the board at some moment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Account(Vec<u64>);

impl Board {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("board");
        fs::write(&path, vec![0; (SINGLE + 2 * LINES * KEYS) * 8]).expect("a file");
        Self { path, _folder: folder }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().expect("a plain path")
    }

    pub(crate) fn read(&self) -> Account {
        let bytes = fs::read(&self.path).expect("the board can be read");
        Account(bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight"))).collect())
    }
}

impl Account {
    /// How often a line of this index was about to run, with this key.
    pub(super) fn before(&self, line: usize, key: usize) -> u64 {
        self.0[SINGLE + line * KEYS + key]
    }

    /// How often it has run.
    pub(super) fn after(&self, line: usize, key: usize) -> u64 {
        self.0[SINGLE + (LINES + line) * KEYS + key]
    }

    /// What was on the board before the program began.
    pub(super) fn zero(&self) -> Self {
        Self(vec![0; self.0.len()])
    }

    pub(super) fn children(&self) -> u64 {
        self.0[3]
    }

    pub(super) fn ticks(&self) -> u64 {
        self.0[1]
    }

    pub(super) fn finished(&self) -> u64 {
        self.0[5]
    }

    /// Nothing that a debugger does has shown in the program: no SIGTRAP came, no handler found itself called from code
    /// that the program has not, every child ended as it should, every sum is right.
    pub(crate) fn check_unharmed(&self) {
        let [sigtraps, _, strays, _, bad_children, _, wrong, ..] = self.0[..] else { panic!("a board") };
        let found = [("SIGTRAPs", sigtraps), ("strays", strays), ("bad children", bad_children), ("wrong sums", wrong)];
        assert!(found.iter().all(|(_, count)| *count == 0), "{found:?}");
    }
}

/// The line of a marked line.
pub(super) fn line_of(index: usize) -> i64 {
    programs::line(FILE, MARKERS[index])
}

/// `key_of` in the program.
pub(super) fn key_of(worker: u64, turn: u64) -> u64 {
    let mixed = (worker ^ turn.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) % KEYS as u64
}
