//! What a user reads at a place: one line, and children when asked. A file per family of types.

mod aggregates;
mod cells;
mod channels;
mod coroutines;
mod crates;
mod headers;
mod iterators;
mod line;
mod lists;
mod locks;
mod maps;
mod once;
mod pointers;
mod scalars;
mod shape;
mod standard;
mod system;
mod text;
mod threads;
mod time;

pub(crate) use aggregates::{is_closure, tuple_index};
pub(crate) use cells::WRAPPERS;
pub(crate) use maps::Entries;
pub(crate) use pointers::is_raw_pointer;
pub(crate) use text::is_text_tail;

use weft_memory::MemAddr;

use crate::names::without_arguments;
use crate::sequence::MAX_ELEMENTS;
use crate::{Place, Sequence, Stop, ValueError};
use shape::{Shape, shape};

/// References to references, wrappers in wrappers: how many are looked through for children.
const MAX_THROUGH: usize = 32;

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
    /// Why neither it nor what is inside of it is to be changed, if that would break what it is a part of.
    pub fixed: Option<&'static str>,
}

/// Where a set has an element, and whether it has it, goes by the element's value.
const OF_SET: &str = "elements of a set are not set: the set finds them by their values";
/// A heap is in the order of its elements.
const OF_HEAP: &str = "elements of a heap are not set: the heap is ordered by them";

impl Child {
    /// A field that the expression `.name` reaches.
    fn field(name: impl Into<String>, place: Result<Place, ValueError>) -> Self {
        let name = name.into();
        let access = Some(format!(".{}", crate::typed_name(&name)));
        Self { name, place, access, fixed: None }
    }

    /// Something that is no field of the source: `[strong]`.
    fn extra(name: impl Into<String>, place: Result<Place, ValueError>) -> Self {
        let name = name.into();
        // A pointer's target is read; other parts are named without their brackets.
        let access = match name.as_str() {
            "*" => Some(".read()".to_owned()),
            _ => crate::expression::extra_access(&name),
        };
        Self { name, place, access, fixed: None }
    }
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
pub fn view(stop: &Stop, place: &Place, depth: usize) -> View {
    let children = match innermost(stop, place).map(|(_, shape)| shape) {
        Ok(Shape::Fields { fields, .. } | Shape::Summary { fields, .. }) => {
            Children { named: fields.len(), indexed: None }
        }
        Ok(Shape::Items(sequence)) => Children { named: 0, indexed: Some(sequence.len) },
        Ok(Shape::Entries(entries)) => Children { named: 0, indexed: Some(entries.len()) },
        _ => Children::default(),
    };
    View { value: line::line(stop, place, depth), type_name: type_name(place), children, address: place.address() }
}

/// The children of a place, `count` from `start` on, at most 10,000 at once. What is referred to is looked through:
/// the children of a `&Point` or `Arc<Point>` are the point's.
pub fn children(stop: &Stop, place: &Place, filter: Filter, start: u64, count: u64) -> Vec<Child> {
    let count = count.min(MAX_ELEMENTS);
    let end = start.saturating_add(count);
    let (place, shape) = match innermost(stop, place) {
        Ok(found) => found,
        Err(_) => return Vec::new(),
    };
    match shape {
        Shape::Fields { fields, .. } | Shape::Summary { fields, .. } if filter != Filter::Indexed => {
            let skip = usize::try_from(start).unwrap_or(usize::MAX);
            fields.into_iter().skip(skip).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()
        }
        Shape::Items(sequence) if filter != Filter::Named => {
            let is_heap = without_arguments(place.ty.path()) == "alloc::collections::binary_heap::BinaryHeap";
            let element = |index| Child {
                name: format!("[{index}]"),
                place: sequence.get(index),
                access: Some(format!("[{index}]")),
                fixed: is_heap.then_some(OF_HEAP),
            };
            (start..end.min(sequence.len)).map(element).collect()
        }
        Shape::Entries(entries) if filter != Filter::Named => match entries.range(stop, start, count) {
            Err(error) => vec![Child::extra("(entries)", Err(error))],
            Ok(found) => (start..).zip(found).map(|(index, entry)| entry_child(stop, &entries, index, entry)).collect(),
        },
        _ => Vec::new(),
    }
}

/// A map's entry under its key, a set's under its number.
fn entry_child(stop: &Stop, entries: &Entries, index: u64, (key, value): (Place, Option<Place>)) -> Child {
    match value {
        Some(value) => Child {
            name: format!("[{}]", line::line(stop, &key, 1)),
            access: Some(match entries.is_by_key() {
                true => crate::expression::entry_access(stop, &key, index),
                false => crate::expression::value_access(index),
            }),
            place: Ok(value),
            fixed: None,
        },
        None => Child {
            name: format!("[{index}]"),
            place: Ok(key),
            access: Some(format!(".iter().nth({index})")),
            fixed: entries.is_by_value().then_some(OF_SET),
        },
    }
}

/// What one step in an expression can reach from a place: the same that a reader is shown.
pub(crate) enum Reached {
    /// What a reference, `Box`, `Rc`.. stands for.
    Through(Place),
    /// Fields to name.
    Fields(Vec<Child>),
    /// Bytes that are text, or are written like it (`Bytes`).
    Text {
        /// The bytes.
        bytes: Sequence,
        /// Whether they are text.
        is_str: bool,
    },
    /// Elements.
    Items(Sequence),
    /// Entries of a map or set.
    Entries(Entries),
    /// None of these.
    Other,
}

/// One step from a place.
pub(crate) fn reached(stop: &Stop, place: &Place) -> Result<Reached, ValueError> {
    Ok(match shape(stop, place)? {
        Shape::Through { target, .. } => Reached::Through(target),
        Shape::Fields { fields, .. } | Shape::Summary { fields, .. } => Reached::Fields(fields),
        Shape::Text(text) => {
            let (bytes, is_str) = text.content();
            Reached::Text { bytes, is_str }
        }
        Shape::Items(sequence) => Reached::Items(sequence),
        Shape::Entries(entries) => Reached::Entries(entries),
        Shape::Leaf(_) => Reached::Other,
    })
}

/// The shape behind references and wrappers, and where that is.
fn innermost(stop: &Stop, place: &Place) -> Result<(Place, Shape), ValueError> {
    let mut place = place.clone();
    for _ in 0..MAX_THROUGH {
        match shape(stop, &place)? {
            Shape::Through { target, .. } => place = target,
            other => return Ok((place, other)),
        }
    }
    Err(ValueError::Bound("32 references to references"))
}

/// The type's name; the target of a wide pointer has one that the debug information does not spell.
pub(crate) fn type_name(place: &Place) -> String {
    let name = crate::type_name(&place.ty);
    match place.meta {
        crate::Meta::Length(_) => format!("[{name}]"),
        crate::Meta::Str(_) if place.ty.size() == 1 => "str".to_owned(),
        _ => name,
    }
}
