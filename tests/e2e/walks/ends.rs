//! Coroutines that do not come to their end.

use super::walk::Walk;

/// The `select!` that polled it drops it, and goes on with the branch that won.
pub(super) const LOST: Walk = Walk {
    file: "ends",
    marks: "endless",
    name: "lost",
    table: "
        at   1       id=2
        over 2       id=2 more=3
        over lost_4  id=2 start=- disabled=2 output (the future was dropped; its awaiter goes on here)
        over lost_5  id=2 start=- disabled=2 output n=21
        over lost_6  id=2 start=- won=22
        over lost_7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Cancelled where it is suspended; who does it awaits it.
pub(super) const ABORTED: Walk = Walk {
    file: "ends",
    marks: "endless",
    name: "aborted",
    table: "
        at   1          id=2
        over 2          id=2 more=3
        over aborted_4  id=2 task ended (the task was cancelled; its awaiter goes on here)
        over aborted_5  id=2 task ended cancelled=true
        over aborted_6  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Unwound from inside what it awaits.
pub(super) const PANICKED: Walk = Walk {
    file: "ends",
    marks: "failing",
    name: "panicked",
    table: "
        at   1           id=2
        over 2           id=2 more=3
        over panicked_3  id=2 task=- ended (a panic ended the task; its awaiter goes on here)
        over panicked_4  id=2 task=- ended failed=true
        over panicked_5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};
