//! What can be awaited.

use super::walk::Walk;

/// A block of several lines is one statement of the function around it.
pub(super) const NESTED: Walk = Walk {
    file: "shapes",
    marks: "nested",
    name: "nested",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        over 7  id=2 start=20
        over 8  id=2 start=20 sum=22
        over 9  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// `Box<dyn Future>`, `async_trait`, recursion.
pub(super) const DYNAMIC: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   1  id=2
        over 2  id=2 boxed
        over 3  id=2 boxed=- one=3
        over 4  id=2 boxed=- one=3 service
        over 5  id=2 boxed=- one=3 service two=7
        over 6  id=2 boxed=- one=3 service two=7 three=11
        over 7  id=2 boxed=- one=3
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A large output, generics, one line, an `async fn` of a trait, a closure, `let`-`else`.
pub(super) const KINDS: Walk = Walk {
    file: "shapes",
    marks: "kinds",
    name: "kinds",
    table: "
        at   1  id=2
        over 2  id=2 wide
        over 3  id=2 wide text=\"text2\"
        over 4  id=2 wide text=\"text2\" short=6
        over 5  id=2 wide text=\"text2\" short=- own=8
        over 6  id=2 wide text=\"text2\" short=- own=8 closure
        over 7  id=2 wide text=\"text2\" short=- own=8 closure called=10
        over 8  id=2 wide text=\"text2\" short=- own=8 closure called=- last=10
        over 9  id=2 wide
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A task that keeps its future in a box.
pub(super) const LARGE: Walk = Walk {
    file: "shapes",
    marks: "large",
    name: "large",
    table: "
        at   1  id=2
        over 2  id=2 numbers
        over 3  id=- numbers one=3
        over 4  id=- numbers one=3 two=3
        over 5  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// LLVM describes a frame that is larger than a page in another way.
pub(super) const ROOMY: Walk = Walk {
    file: "shapes",
    marks: "roomy",
    name: "roomy",
    table: "
        at   1  id=2
        over 2  id=2 page
        over 3  id=2 page last=2
        over 4  id=- page=- last=- one=3
        over 5  id=- page=- last=- one=3 two=4
        over 6  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A synchronous call before an await, on one line.
pub(super) const CALLING: Walk = Walk {
    file: "shapes",
    marks: "calling",
    name: "calling",
    table: "
        at   1  id=2
        over 2  id=2 one=6
        over 3  id=- one=6 two=21
        over 4  id=2
        over awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// A block is entered where it is awaited.
pub(super) const ENTERED_BLOCKS: Walk = Walk {
    file: "shapes",
    marks: "nested",
    name: "nested",
    table: "
        at   1  id=2
        over 2  id=2 start=20
        into 7  id=2 start=20
        into 3  start=20
        into leaf_1
        out  4  start=20 inner=21
        into 6  start=20 inner=21
        into 5  inner=21
        out  7  start=20
        out  8  id=2 start=20 sum=22
    ",
};

/// Through a box, a trait object, and a level of recursion.
pub(super) const ENTERED_SHAPES: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   1        id=2
        over 2        id=2 boxed
        into leaf_1
        out  3        id=2 boxed=- one=3
        over 4        id=2 boxed=- one=3 service
        into serve_1  self n (shadowed)=2 n=2
        over serve_2  self n (shadowed)=2 n=2 twice=4
        over serve_3  self n (shadowed)=2 n=- twice=4
        out  5        id=2 boxed=- one=3 service two=7
        into deep_1   depth=2 n=7
        over deep_3   depth=2 n=7
        into deep_1   depth=1 n=7
        out  deep_4   depth=2 n=- below=9
        out  6        id=2 boxed=- one=3 service two=7 three=11
    ",
};

/// The end of an `async_trait` function is no news: whoever awaits it goes on behind the await.
pub(super) const ENTERED_TRAIT: Walk = Walk {
    file: "shapes",
    marks: "dynamic",
    name: "dynamic",
    table: "
        at   4        id=2 boxed=- one=3 service
        into serve_1  self n (shadowed)=2 n=2
        over serve_2  self n (shadowed)=2 n=2 twice=4
        over serve_3  self n (shadowed)=2 n=- twice=4
        over 5        id=2 boxed=- one=3 service two=7
        into deep_1   depth=2 n=7
        out  6        id=2 boxed=- one=3 service two=7 three=11
        over 7        id=2 boxed=- one=3
        out  awaiter_2 (the task has ended; its awaiter goes on here)
    ",
};

/// First what is called on the line, then what it awaits.
pub(super) const ENTERED_CALLS: Walk = Walk {
    file: "shapes",
    marks: "calling",
    name: "calling",
    table: "
        at   1         id=2
        over 2         id=2 one=6
        into callee_1  n=6
        over callee_2  n=6 more=7
        over callee_3  n=6
        over 2         id=2 one=6
        into leaf_1
        out  3         id=- one=6 two=21
    ",
};

/// A large output, generics, one line, an `async fn` of a trait, a closure.
pub(super) const ENTERED_KINDS: Walk = Walk {
    file: "shapes",
    marks: "kinds",
    name: "kinds",
    table: "
        at   1          id=2
        into wide_1     n=2
        out  2          id=2 wide
        into generic_1  n=2 value=\"text\"
        out  3          id=2 wide text=\"text2\"
        into short_1    n=5
        out  4          id=2 wide text=\"text2\" short=6
        into own_1      self n=2
        out  5          id=2 wide text=\"text2\" short=- own=8
        over 6          id=2 wide text=\"text2\" short=- own=8 closure
        into 5          n (shadowed)=1 own=8 n=1
        out  7          id=2 wide text=\"text2\" short=- own=8 closure called=10
    ",
};
