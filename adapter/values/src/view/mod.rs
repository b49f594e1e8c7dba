//! What a user reads at a place: one line, and children when asked. A file per family of types.

use weft_memory::MemAddr;

use crate::{Place, Stop, ValueError};

/// How many children a place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Children {
    /// Fields.
    pub named: usize,
    /// Elements, if it has such.
    pub indexed: Option<u64>,
}

/// What a user reads at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// One line as a Rust programmer would write it, cut when long; what is wrong in angle brackets.
    pub value: String,
    /// The type in short Rust form; `place.ty.path()` has the full one.
    pub type_name: String,
    /// What can be expanded.
    pub children: Children,
    /// Where it lies, if in memory as a whole.
    pub address: Option<MemAddr>,
}

/// One child of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Field name, `0` for tuples, `[3]` for elements.
    pub name: String,
    /// Where, or why not.
    pub place: Result<Place, ValueError>,
    /// An expression for it, given the parent's: to be appended (`.name`, `.0`, `[3]`); none where there is none.
    pub access: Option<String>,
}

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Filter {
    /// Fields, then elements.
    #[default]
    All,
    /// Fields only.
    Named,
    /// Elements only.
    Indexed,
}

/// What a user reads at a place. `depth`: how many levels of nested values the line writes out; 3 is usual.
pub fn view(_stop: &Stop, place: &Place, _depth: usize) -> View {
    View {
        value: String::new(),
        type_name: crate::short_type_name(place.ty.path()),
        children: Children::default(),
        address: place.address(),
    }
}

/// The children of a place, `count` from `start` on, at most 10,000 at once.
pub fn children(_stop: &Stop, _place: &Place, _filter: Filter, _start: u64, _count: u64) -> Vec<Child> {
    Vec::new()
}
