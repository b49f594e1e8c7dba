//! A task's state word. The bits are the same in Tokio 1.0 to 1.54.

use weft_tasks::State;

use super::outcome::Outcome;

/// `Header.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskState(pub(crate) u64);

impl TaskState {
    const RUNNING: u64 = 1;
    const COMPLETE: u64 = 1 << 1;
    const NOTIFIED: u64 = 1 << 2;
    const CANCELLED: u64 = 1 << 5;

    pub(crate) fn is_running(self) -> bool {
        self.0 & Self::RUNNING != 0
    }

    pub(crate) fn is_complete(self) -> bool {
        self.0 & Self::COMPLETE != 0
    }

    /// What a user reads. `unresumed`: the future was never polled. A result that was taken, or cannot be read, says
    /// no more than that the task is done.
    pub(crate) fn state(self, unresumed: bool, outcome: Option<&Outcome>) -> State {
        match self {
            _ if self.is_complete() => match outcome {
                Some(Outcome::Panic(_)) => State::Failed,
                Some(Outcome::Cancelled) => State::Cancelled,
                Some(Outcome::Value) | None => State::Done,
            },
            _ if self.0 & Self::CANCELLED != 0 => State::Cancelled,
            _ if self.is_running() => State::Running,
            _ if unresumed => State::Created,
            _ if self.0 & Self::NOTIFIED != 0 => State::Ready,
            _ => State::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_real_tasks_are_understood() {
        for (word, unresumed, state) in [
            (0xcc, true, State::Created),
            (0x80, false, State::Waiting),
            (0xd8, false, State::Waiting),
            (0x81, false, State::Running),
            (0x84, false, State::Ready),
            (0x4a, false, State::Done),
            (0xf8, false, State::Cancelled),
        ] {
            assert_eq!(TaskState(word).state(unresumed, None), state, "{word:#x}");
        }
    }
    #[test]
    fn a_result_tells_how_a_task_ended() {
        for (outcome, state) in [
            (Outcome::Value, State::Done),
            (Outcome::Cancelled, State::Cancelled),
            (Outcome::Panic(None), State::Failed),
        ] {
            assert_eq!(TaskState(0x4a).state(false, Some(&outcome)), state, "{outcome:?}");
        }
    }
}
