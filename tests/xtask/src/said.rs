//! What a command says, passed on as it comes, and repeated at the end of everything where the command failed: whoever reads
//! only the end of a long log still sees why.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Mutex, PoisonError};

/// Lines kept of a command that names no failing test.
const LAST: usize = 60;
/// Lines kept of what failing tests say.
const FAILURES: usize = 600;

/// What is repeated at the end.
static REPEATED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What is worth repeating of one command.
#[derive(Default)]
pub(crate) struct Said {
    last: VecDeque<String>,
    failures: Vec<String>,
    within: bool,
}

impl Said {
    /// Passes on everything that comes, line by line, to the end.
    pub(crate) fn tee(reader: impl Read, mut out: impl Write) -> Self {
        let mut said = Self::default();
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            // Whoever reads us may have gone; the command still has to run.
            let _ = out.write_all(&line).and_then(|()| out.flush());
            said.hear(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
        said
    }

    /// Rust's tests tell of failures between `failures:` and `test result:`; other runners have their own last words.
    fn hear(&mut self, line: &str) {
        self.within |= line == "failures:";
        self.within &= !line.starts_with("test result:");
        if self.within && self.failures.len() < FAILURES {
            self.failures.push(line.to_owned());
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }

    /// The command failed: this is told again.
    pub(crate) fn repeat(self, command: &str) {
        let mut repeated = REPEATED.lock().unwrap_or_else(PoisonError::into_inner);
        repeated.push(format!("\n== failed: {command}"));
        if self.failures.is_empty() {
            repeated.extend(self.last);
        } else {
            repeated.extend(self.failures);
        }
    }
}

/// Everything to be told again.
pub(crate) fn repeated() -> Vec<String> {
    std::mem::take(&mut *REPEATED.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tests_are_kept_and_else_the_last_lines() {
        let log = "running 2 tests\n.F\nfailures:\n\n---- a stdout ----\npanicked\n\nfailures:\n    a\n\ntest result: FAILED\nmore\n";
        let said = Said::tee(log.as_bytes(), std::io::sink());
        assert_eq!(said.failures, ["failures:", "", "---- a stdout ----", "panicked", "", "failures:", "    a", ""]);
        let lines: String = (0..100).map(|line| format!("{line}\n")).collect();
        let said = Said::tee(lines.as_bytes(), std::io::sink());
        assert!(said.failures.is_empty());
        assert_eq!((said.last.len(), said.last.front().map(String::as_str)), (60, Some("40")));
    }
}
