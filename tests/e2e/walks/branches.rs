//! Futures that are polled together, and streams.

use super::walk::Walk;

/// Futures that are polled together.
pub(super) const GATHERED: Walk = Walk {
    file: "branches",
    marks: "gathered",
    name: "gathered",
    table: "
        at   1  id=2
        over 2  id=- all
        over 3  id=- all some
        over 4  id=- all some sum=0 n=?
        over 5  id=- all=- some sum=0 n=4
        over 4  id=- all=- some sum=4 n=?
        over 5  id=- all=- some sum=4 n=5
        over 4  id=- all=- some sum=9 n=?
        over 6  id=- all=- some sum=9
        over 7  id=- all=- some sum=9 hour=3600s
        over 8  id=- all=- some sum=9 hour=- last
        over 9  id=- all=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A stream.
pub(super) const STREAMED: Walk = Walk {
    file: "branches",
    marks: "streamed",
    name: "streamed",
    table: "
        at   1  id=2
        over 2  id=2 numbers
        over 3  id=2 numbers sum=2 n=?
        over 4  id=- numbers sum=2 n=10
        over 3  id=- numbers sum=12 n=?
        over 4  id=- numbers sum=12 n=20
        over 3  id=- numbers sum=32 n=?
        over 5  id=- numbers sum=32
        over 6  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The lines of a `join!` are its head and what it joins.
pub(super) const JOINED: Walk = Walk {
    file: "branches",
    marks: "joined",
    name: "joined",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 3  id=- start=- b=22 a=21
        over 5  id=- start=- b=22 a=21 sum=43
        over 4  id=- start=- b=22 a=21 sum=43
        over 6  id=- start=- b=22 a=21 sum=43 _fut0 (shadowed) _fut0
        over 4  id=- start=- b=22 a=21 sum=43 _fut0 (shadowed) _fut0
        over 8  id=- start=- b=22 a=- sum=- c=44 d=24
        over 9  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The lines of a `select!` are its head, its futures, and the branch taken.
pub(super) const SELECTED: Walk = Walk {
    file: "branches",
    marks: "selected",
    name: "selected",
    table: "
        at   1  id=2
        over 2  id=2 never
        over 4  id=2 never disabled=0
        over 2  id=2 never disabled=0
        over 4  id=2 never disabled=2 output
        over 5  id=2 never disabled=2 output n=3
        over 6  id=2 never won=6
        over 7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A `select!` in a loop, over a future that outlives it.
pub(super) const TICKING: Walk = Walk {
    file: "branches",
    marks: "ticking",
    name: "ticking",
    table: "
        at   1  id=2
        over 2  id=2 slow
        over 3  id=2 slow ticks=0
        over 4  id=2 slow ticks=0 disabled=0
        over 6  id=2 slow ticks=0 disabled=0
        over 3  id=2 slow ticks=0 disabled=0
        over 7  id=- slow ticks=0 disabled=2 output
        over 3  id=- slow ticks=1
        over 4  id=- slow ticks=1 disabled=0
        over 6  id=- slow ticks=1 disabled=0
        over 3  id=- slow ticks=1 disabled=0
        over 4  id=- slow=async_fn_leaf_(finished) ticks=1 disabled=1 output
        over 5  id=- slow=async_fn_leaf_(finished) ticks=1 disabled=1 output n=3
        over 8  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The end of what a `join!` polls leads behind the `join!`.
pub(super) const ENTERED_JOIN: Walk = Walk {
    file: "branches",
    marks: "joined",
    name: "joined",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        into leaf_1
        over leaf_2
        over leaf_3
        over leaf_4
        over 3  id=- start=- b=22 a=21
    ",
};
