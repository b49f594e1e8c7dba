//! Tasks that end while they are stepped: the step goes on in whoever awaits them.

use super::walk::Walk;

pub(super) const JOINED: Walk = Walk {
    name: "joined",
    table: "
        at   child_1 me=2
        over child_2 me=2
        over 2       me=2 task (the task has ended; its awaiter goes on here)
        over 3       me=2 task value=3
        over main_1  siblings=5 tasks (the task has ended; its awaiter goes on here)
        over main_2  results siblings=5 tasks
        over run_1   (the task has ended; its awaiter goes on here)
        over run_2
    ",
};

/// The other one that the `gather` is for takes longer.
pub(super) const COLLECTED: Walk = Walk {
    name: "collected",
    table: "
        at   child_1 me=2
        over child_2 me=2
        into 1       me=2 (the task has ended; its awaiter goes on here)
        over 2       me=2 values
    ",
};

pub(super) const GROUPED: Walk = Walk {
    name: "grouped",
    table: "
        at   child_1 me=2
        out  1       group me=2 task (the task has ended; its awaiter goes on here)
        over 3       group me=2 task
    ",
};

pub(super) const SHIELDED: Walk = Walk {
    name: "shielded",
    table: "
        at   child_1 me=2
        out  1       me=2 (the task has ended; its awaiter goes on here)
        over 2       me=2 value=3
    ",
};

pub(super) const LIMITED: Walk = Walk {
    name: "limited",
    table: "
        at   child_1 me=2
        over child_2 me=2
        over 1       me=2 (the task has ended; its awaiter goes on here)
        over 2       me=2 value=3
    ",
};

pub(super) const SELECTED: Walk = Walk {
    name: "selected",
    table: "
        at   child_1 me=2
        over child_2 me=2
        over 1       me=2 (the task has ended; its awaiter goes on here)
        over 2       _ done me=2
    ",
};

/// By `as_completed`.
pub(super) const COMPLETED: Walk = Walk {
    name: "completed",
    table: "
        at   child_1 me=2
        over child_2 me=2
        over 2       first me=2 total=0 (the task has ended; its awaiter goes on here)
        over 1       first me=2 total=3
        over 3       first me=2 total=3
    ",
};

/// While it waits.
pub(super) const ABORTED: Walk = Walk {
    name: "aborted",
    table: "
        at   endless_1 me=2
        over 4         me=2 task (the task was cancelled; its awaiter goes on here)
        over 5         me=2 task
        over 6         me=2 task
    ",
};

pub(super) const BROKEN: Walk = Walk {
    name: "broken",
    table: "
        at   failing_1 me=2
        over failing_2 me=2
        over 3         me=2 task (an exception has ended the task; its awaiter goes on here)
        over 4         me=2 task
        over 5         me=2 task
    ",
};

pub(super) const ALONE: Walk = Walk {
    name: "alone",
    table: "
        at   child_1 me=2
        over child_2 me=2
        over the program has ended: the task has ended, and nobody awaits it; the program runs on
    ",
};

/// Into the second of two children of a `gather`; a plain step into that line is one over it.
pub(super) const SECOND: Walk = Walk {
    name: "gathered",
    table: "
        at               1      me=2
        into:leaf(me+1)  leaf_1 me=3 in task 3 Task-12
        over             leaf_2 me=3 in task 3 Task-12
        over             1      me=2 (the task has ended; its awaiter goes on here)
        over             2      both me=2
    ",
};

pub(super) const SPAWNED: Walk = Walk {
    name: "joined",
    table: "
        at              1       me=2
        into:child(me)  child_1 me=2 in task 3 Task-9
        out             2       me=2 task (the task has ended; its awaiter goes on here)
    ",
};

/// In a task group.
pub(super) const ADOPTED: Walk = Walk {
    name: "grouped",
    table: "
        at              1       me=2
        into            2       group me=2
        into:child(me)  child_1 me=2 in task 3 Task-9
        out             1       group me=2 task (the task has ended; its awaiter goes on here)
        over            3       group me=2 task
    ",
};

/// Into what ends within the call that makes it, and back.
pub(super) const EAGER: Walk = Walk {
    name: "eager",
    table: "
        at   1 me=2
        over 2 me=2
        into:quick(me) quick_1 me=2 in task 3 Task-11
        over quick_2 me=2 value=3 in task 3 Task-11
        over 2 me=2 (the task has ended; its maker goes on here)
        over 3 me=2 task
    ",
};

/// What began there goes on by itself, and its maker too.
pub(super) const EAGER_AND_WAITS: Walk = Walk {
    name: "eager",
    table: "
        at   3 me=2 task
        into:child(me) child_1 me=2 in task 3 Task-12
        out  4 me=2 other task (the task has ended; its awaiter goes on here)
        over 5 me=2 other task value=6
    ",
};
