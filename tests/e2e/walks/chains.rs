//! Awaits one after the other, in branches and in loops.

use super::walk::Walk;

/// What a pattern binds has no value before it is received, and one behind.
pub(super) const RECEIVED: Walk = Walk {
    file: "chains",
    marks: "received",
    name: "received",
    table: "
        at   1  id=2
        over 2  id=2 send recv
        over 3  id=2 send recv
        over 4  id=2 send recv sum=2 n=?
        over 5  id=- send=- recv sum=2 n=10
        over 4  id=- send=- recv sum=12 n=?
        over 5  id=- send=- recv sum=12 n=20
        over 4  id=- send=- recv sum=32 n=?
        over 6  id=- send=- recv sum=32
        over 7  id=-
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A loop of one line is one line.
pub(super) const ONE_LINE: Walk = Walk {
    file: "chains",
    marks: "one_line",
    name: "one_line",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=- sum=5
        over 4  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Three awaits, one after the other.
pub(super) const CHAIN: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "chain",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Two turns of a loop, and its end by `?`.
pub(super) const FALLIBLE: Walk = Walk {
    file: "chains",
    marks: "fallible",
    name: "fallible",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=2 sum=2 iter n=0
        over 4  id=- sum=2 iter n=- more=0
        over 2  id=- sum=2 iter
        over 3  id=- sum=2 iter n=1
        over 4  id=- sum=2 iter n=- more=10
        over 2  id=- sum=12 iter
        over 3  id=- sum=12 iter n=2
        over 6  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// The last thing is an await.
pub(super) const TAILED: Walk = Walk {
    file: "chains",
    marks: "tailed",
    name: "tailed",
    table: "
        at   tail_1  id=2
        over tail_2  id=2 n=4
        over tail_3  id=2
        over 2       id=2 sum=5
        over 3       id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Awaits that never suspend.
pub(super) const READY: Walk = Walk {
    file: "chains",
    marks: "ready",
    name: "ready",
    table: "
        at   1  id=2
        over 2  id=2 one=2
        over 3  id=2 one=2 two=3
        over 4  id=2 one=2 two=3 three=6
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// An await that is polled 200 times in vain.
pub(super) const REPOLLED: Walk = Walk {
    file: "chains",
    marks: "repolled",
    name: "repolled",
    table: "
        at   1  id=2
        over 2  id=2 before=6
        over 3  id=2 before=6
        over 4  id=2 before=6 after=7
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// Two awaits in an expression of several lines.
pub(super) const LONG: Walk = Walk {
    file: "chains",
    marks: "long",
    name: "long",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 3  id=2 start=20
        over 4  id=2 start=20
        over 5  id=- start=-
        over 6  id=- start=-
        over 7  id=- start=- sum=30
        over 8  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A `match` on an await, both arms.
pub(super) const MATCHED: Walk = Walk {
    file: "chains",
    marks: "matched",
    name: "matched",
    table: "
        at   1  id=2
        over 2  id=2 sum=2
        over 3  id=2 sum=2 iter n=1
        over 4  id=- sum=2 iter n=-
        over 5  id=- sum=2 iter n=- more=10
        over 6  id=- sum=12 iter n=-
        over 2  id=- sum=12 iter
        over 3  id=- sum=12 iter n=2
        over 7  id=- sum=12 iter n=-
        over 8  id=- sum=12 iter n=- why=\"2_is_too_much\"
        over 9  id=- sum=25 iter n=-
        over 2  id=- sum=25 iter
        over 10 id=- sum=25
        over 11 id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A task of a set that stays on one thread.
pub(super) const IN_LOCAL_SET: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "local_set",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over local_set_2 (the task has ended; its awaiter goes on here)
    ",
};

/// No task of a runtime: what a thread blocks on.
pub(super) const BLOCKED_ON: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "block_on",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        over 3  id=2 one=3 two=4
        over 4  id=2 one=3 two=- three=5
        over 5  id=2 one=3 two=- three=- sum=9
        over 6  id=2 one=3 two=- three=- sum=9 all=18
        over 7  id=2
        over block_on_2 (the future has completed; who blocked on it goes on here)
    ",
};

/// The rest of `#[tokio::main]` is its closing line. The block's variable is what it was before it was moved into the runtime.
pub(super) const MAIN: Walk = Walk {
    file: "homes",
    marks: "tokio_main",
    name: "tokio_main",
    table: "
        at   2 id=2
        over 3 id=2 one=3
        over 4 (the future has completed; who blocked on it goes on here)
    ",
};

/// Out of an awaited function is behind the await.
pub(super) const ENTERED: Walk = Walk {
    file: "chains",
    marks: "chain",
    name: "chain",
    table: "
        at   1  id=2
        over 2  id=2 one=3
        into leaf_1
        out  3  id=2 one=3 two=4
        into leaf_1
        over leaf_2
        over leaf_3
        over leaf_4
        over 4  id=2 one=3 two=- three=5
    ",
};
