//! Values that are set by a debugger, or must not be.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// What a set is ordered by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    level: u8,
}

#[allow(clippy::shadow_unrelated, reason = "three of one name")]
pub(crate) fn all() {
    let hidden = 1;
    println!("{hidden}");
    let hidden = 2;
    println!("{hidden}");
    let hidden = 3;
    let flag = AtomicBool::new(false);
    let count = AtomicUsize::new(7);
    let cell = Cell::new(true);
    let small = NonZeroU16::MIN;
    let target = 5_u32;
    let raw = &raw const target;
    let hashed = HashSet::from([1_u32]);
    let ranks = BTreeSet::from([Rank { level: 1 }, Rank { level: 2 }]);
    let heap = BinaryHeap::from([4_i64]);
    let linked = LinkedList::from([1_i32, 2]);
    let ages = HashMap::from([("ada".to_owned(), 36_u32)]);
    let long = |end: &str| format!("{}{end}", "long".repeat(60));
    let texts = BTreeMap::from([(long("a"), 1_i32), (long("b"), 2)]);
    println!("{hidden} {flag:?} {count:?} {cell:?} {small} {raw:?}"); // BP: edits
    println!("{hashed:?} {ranks:?} {heap:?} {linked:?} {ages:?} {:?}", texts.values());
}
