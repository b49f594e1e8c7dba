//! A task's state word. The bits are the same in Tokio 1.0 to 1.54.

use weft_tasks::State;

use super::layout::MAX_REFERENCES;
use super::outcome::Outcome;
use crate::roster::Progress;

/// `Header.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskState(pub(crate) u64);

impl TaskState {
    const RUNNING: u64 = 1;
    const COMPLETE: u64 = 1 << 1;
    const NOTIFIED: u64 = 1 << 2;
    const JOIN_INTEREST: u64 = 1 << 3;
    const CANCELLED: u64 = 1 << 5;
    /// References are counted above the bits.
    const REFERENCE: u64 = 1 << 6;

    pub(crate) fn is_running(self) -> bool {
        self.0 & Self::RUNNING != 0
    }

    /// Whether a task can have this word: somebody refers to it, and it is not both running and over.
    pub(crate) fn is_possible(self) -> bool {
        let references = self.0 / Self::REFERENCE;
        (1..=MAX_REFERENCES).contains(&references) && self.0 & 3 != 3
    }

    pub(crate) fn is_complete(self) -> bool {
        self.0 & Self::COMPLETE != 0
    }

    /// Whether there is a `JoinHandle` that may still take the output.
    pub(crate) fn has_join_handle(self) -> bool {
        self.0 & Self::JOIN_INTEREST != 0
    }

    /// How far the task is. A result that was taken, or cannot be read, says no more than that the task is done.
    pub(crate) fn progress(self, outcome: Option<&Outcome>) -> Progress {
        match self {
            _ if self.is_complete() => Progress::Ended(match outcome {
                Some(Outcome::Panic(_)) => State::Failed,
                Some(Outcome::Cancelled) => State::Cancelled,
                Some(Outcome::Value) | None => State::Done,
            }),
            _ if self.0 & Self::CANCELLED != 0 => Progress::Aborted,
            _ if self.0 & Self::NOTIFIED != 0 => Progress::Woken,
            _ => Progress::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_tasks_are_understood() {
        for (word, running, progress) in [
            (0xcc, false, Progress::Woken),
            (0x80, false, Progress::Idle),
            (0xd8, false, Progress::Idle),
            (0x81, true, Progress::Idle),
            (0x84, false, Progress::Woken),
            (0x4a, false, Progress::Ended(State::Done)),
            (0xf8, false, Progress::Aborted),
        ] {
            assert_eq!(TaskState(word).progress(None), progress, "{word:#x}");
            assert_eq!(TaskState(word).is_running(), running, "{word:#x}");
        }
    }

    #[test]
    fn a_join_handle_shows() {
        assert!([0xcc, 0xd8, 0x4a].into_iter().all(|word| TaskState(word).has_join_handle()));
        assert!([0x80, 0x81, 0x84].into_iter().all(|word| !TaskState(word).has_join_handle()));
    }

    #[test]
    fn words_of_no_task_are_recognised() {
        assert!([0xcc, 0x80, 0x4a].into_iter().all(|word| TaskState(word).is_possible()));
        assert!(
            [0, 0x3f, 0x43, 0x7fff_1234_5678_9a00, u64::MAX].into_iter().all(|word| !TaskState(word).is_possible())
        );
    }

    #[test]
    fn a_result_tells_how_a_task_ended() {
        for (outcome, state) in [
            (Outcome::Value, State::Done),
            (Outcome::Cancelled, State::Cancelled),
            (Outcome::Panic(None), State::Failed),
        ] {
            assert_eq!(TaskState(0x4a).progress(Some(&outcome)), Progress::Ended(state), "{outcome:?}");
        }
    }
}
