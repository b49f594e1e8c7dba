//! What can be awaited.

use super::walk::Walk;

pub(super) const CHAIN: Walk = Walk {
    name: "chain",
    table: "
        at   1      me=2
        over 2      me=2 total=2
        over 3      me=2 total=2 turn=0
        over 4      me=2 total=5 turn=0
        over 2      me=2 total=5 turn=0
        over 3      me=2 total=5 turn=1
        over 4      me=2 total=8 turn=1
        over 2      me=2 total=8 turn=1
        over 5      me=2 total=8 turn=1
    ",
};

pub(super) const CAUGHT: Walk = Walk {
    name: "caught",
    table: "
        at   1 me=2
        over 2 me=2
        over 3 me=2
        over 4 failure me=2
        over 5 me=4
        over 6 me=4
    ",
};

pub(super) const STREAMED: Walk = Walk {
    name: "streamed",
    table: "
        at   1 me=2
        over 2 me=2 seen
        over 3 me=2 number=2 seen
        over 2 me=2 number=2 seen
        over 3 me=2 number=3 seen
        over 2 me=2 number=3 seen
        over 4 me=2 number=3 seen
        over 5 door=5 me=2 number=3 seen
        over 4 door=5 me=2 number=3 seen
        over 6 door=5 me=2 number=3 seen
        over 7 door=5 me=2 more number=3 seen
    ",
};

pub(super) const QUEUED: Walk = Walk {
    name: "queued",
    table: "
        at   1 me=2
        over 2 me=2 queue
        over 3 me=2 queue
        over 4 me=2 queue
        over 5 first=2 me=2 queue
        over 6 first=2 me=2 queue second=7
    ",
};

pub(super) const GATHERED: Walk = Walk {
    name: "gathered",
    table: "
        at   1 me=2
        over 2 both me=2
        over 3 both me=2 timed=3
    ",
};

/// An awaited coroutine, an async generator, a context manager; back by steps over their last lines.
pub(super) const ENTERED: Walk = Walk {
    name: "streamed",
    table: "
        at   1         me=2
        over 2         me=2 seen
        into numbers_1 me=2
        over numbers_2 me=2 number=0
        over numbers_3 me=2 number=0
        over 2         me=2 seen
        over 3         me=2 number=2 seen
        over 2         me=2 number=2 seen
        over 3         me=2 number=3 seen
        over 2         me=2 number=3 seen
        over 4         me=2 number=3 seen
        into enter_1   self
        over enter_2   self
        over 4         me=2 number=3 seen
        over 5         door=5 me=2 number=3 seen
        over 4         door=5 me=2 number=3 seen
        into exit_1    _ self
        out  4         door=5 me=2 number=3 seen
        over 6         door=5 me=2 number=3 seen
    ",
};

/// A step into a line that only starts other tasks is one over it.
pub(super) const STARTED: Walk = Walk {
    name: "gathered",
    table: "
        at   1 me=2
        into 2 both me=2
    ",
};

/// Out of an awaited coroutine, and of the task's own.
pub(super) const LEFT: Walk = Walk {
    name: "chain",
    table: "
        at   1      me=2
        over 2      me=2 total=2
        over 3      me=2 total=2 turn=0
        into leaf_1 me=2
        out  3      me=2 total=2 turn=0
        over 4      me=2 total=5 turn=0
        out  main_1 siblings=5 tasks (the task has ended; its awaiter goes on here)
        out  run_1  (the task has ended; its awaiter goes on here)
        over run_2
    ",
};
