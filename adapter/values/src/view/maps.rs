//! Hash tables and B-trees of the standard library, and what else has to be walked to be listed.
//!
//! Layouts (rustc 1.63 to 1.97). `HashMap`: `base.table: RawTable<(K, V)>` with `table {bucket_mask, ctrl, items}`; the
//! i-th entry lies at `ctrl - (i + 1) * size`, and is there if `ctrl[i] < 0x80`. `BTreeMap`: `root: Option<NodeRef
//! {height, node}>`, `length`; leaf `{keys[11], vals[11], len}`, inner nodes have `edges[12]` besides.

use weft_memory::MemAddr;
use weft_symbols::Type;

use super::shape::Shape;
use super::{headers, lists};
use crate::{At, Place, Stop, ValueError};

/// Most control bytes of a table that are looked at: a table of 16 million buckets.
const MAX_BUCKETS: u64 = 1 << 24;
/// Control bytes read at once.
const CHUNK: u64 = 4096;
/// Most nodes of a tree that are walked.
const MAX_NODES: usize = 100_000;
/// B-trees of eleven keys a node are never this high.
const MAX_HEIGHT: u64 = 24;

/// The entries of a map or set, found when asked.
pub(crate) struct Entries {
    len: u64,
    kind: Kind,
    store: Store,
}

/// How entries are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `{k: v}`.
    Map,
    /// `{k}`.
    Set,
    /// `[v]`.
    List,
}

enum Store {
    Hash { entry: Type, ctrl: MemAddr, buckets: u64 },
    Tree { root: Option<(Place, u64)> },
    Linked(lists::Links),
    Headers(headers::Headers),
}

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    let entries = match path {
        "std::collections::hash::map::HashMap" | "hashbrown::map::HashMap" => hash(stop, place, Kind::Map),
        "std::collections::hash::set::HashSet" | "hashbrown::set::HashSet" => hash(stop, place, Kind::Set),
        "alloc::collections::btree::map::BTreeMap" => tree(stop, place, Kind::Map),
        "alloc::collections::btree::set::BTreeSet" => place.member("map").and_then(|map| tree(stop, &map, Kind::Set)),
        "alloc::collections::linked_list::LinkedList" => list(stop, place),
        "http::header::map::HeaderMap" => header_map(stop, place),
        _ => return None,
    };
    Some(entries.map(Shape::Entries))
}

impl Entries {
    /// Keys without values.
    pub(crate) const fn is_set(&self) -> bool {
        !matches!(self.kind, Kind::Map)
    }

    /// What finds its elements by their values: a set, and no list.
    pub(super) const fn is_by_value(&self) -> bool {
        matches!(self.kind, Kind::Set)
    }

    /// Whether a key names one value, and can be compared: names of headers are no texts, and have several values.
    pub(super) const fn is_by_key(&self) -> bool {
        !matches!(self.store, Store::Headers(_))
    }

    /// How many.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) const fn open(&self) -> &'static str {
        if matches!(self.kind, Kind::List) { "[" } else { "{" }
    }

    pub(super) const fn close(&self) -> &'static str {
        if matches!(self.kind, Kind::List) { "]" } else { "}" }
    }

    /// Keys and (for maps) values, `count` from `start` on.
    pub(crate) fn range(&self, stop: &Stop, start: u64, count: u64) -> Result<Vec<(Place, Option<Place>)>, ValueError> {
        let count = count.min(self.len.saturating_sub(start));
        let entries = match &self.store {
            Store::Linked(links) => {
                let found = links.range(stop, start, count)?;
                return Ok(found.into_iter().map(|element| (element, None)).collect());
            }
            Store::Hash { entry, ctrl, buckets } => {
                let slots = full_slots(stop, *ctrl, *buckets, start, count)?;
                slots.into_iter().map(|slot| hash_entry(entry, *ctrl, slot)).collect::<Result<Vec<_>, _>>()?
            }
            Store::Headers(headers) => headers.range(stop, start, count)?,
            Store::Tree { root: None } => Vec::new(),
            Store::Tree { root: Some((root, height)) } => {
                let mut walk = TreeWalk { stop, skip: start, wanted: count, nodes: 0, found: Vec::new() };
                walk.node(root, *height)?;
                walk.found
            }
        };
        let is_map = self.kind == Kind::Map;
        Ok(entries.into_iter().map(|(key, value)| (key, is_map.then_some(value))).collect())
    }
}

fn header_map(stop: &Stop, place: &Place) -> Result<Entries, ValueError> {
    let (len, headers) = headers::headers(stop, place)?;
    Ok(Entries { len, kind: Kind::Map, store: Store::Headers(headers) })
}

fn list(stop: &Stop, place: &Place) -> Result<Entries, ValueError> {
    let (len, links) = lists::links(stop, place)?;
    Ok(Entries { len, kind: Kind::List, store: Store::Linked(links) })
}

fn hash(stop: &Stop, place: &Place, kind: Kind) -> Result<Entries, ValueError> {
    // The outer table is generic over its entries, the inner one is not.
    let outer = place.find("table")?;
    let entry = outer.ty.template_argument("T").ok_or_else(|| ValueError::NoType("the table's entries".to_owned()))?;
    let inner = outer.find("bucket_mask")?.read_u64(stop)?;
    let len = outer.find("items")?.read_u64(stop)?;
    let ctrl = outer.find("ctrl")?.peel().read_pointer(stop)?;
    let buckets = inner.checked_add(1).filter(|buckets| buckets.is_power_of_two() && *buckets <= MAX_BUCKETS);
    let buckets = buckets.ok_or_else(|| ValueError::Invalid(format!("a hash table with the mask {inner:#x}")))?;
    if len > buckets {
        return Err(ValueError::Invalid(format!("a hash table with {len} entries in {buckets} buckets")));
    }
    Ok(Entries { len, kind, store: Store::Hash { entry, ctrl, buckets } })
}

/// The numbers of the buckets in use, `count` from the `start`-th on.
fn full_slots(stop: &Stop, ctrl: MemAddr, buckets: u64, start: u64, count: u64) -> Result<Vec<u64>, ValueError> {
    let mut slots = Vec::new();
    let (mut seen, mut at) = (0_u64, 0_u64);
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    while at < buckets && slots.len() < wanted {
        let length = CHUNK.min(buckets.saturating_sub(at));
        let from = ctrl.checked_add(at).ok_or(ValueError::Dangling(ctrl))?;
        let bytes = stop.memory.read_bytes(from, usize::try_from(length).unwrap_or(0))?;
        for (slot, byte) in (at..).zip(bytes) {
            if byte < 0x80 {
                if seen >= start && slots.len() < wanted {
                    slots.push(slot);
                }
                seen = seen.saturating_add(1);
            }
        }
        at = at.saturating_add(length);
    }
    Ok(slots)
}

fn hash_entry(entry: &Type, ctrl: MemAddr, slot: u64) -> Result<(Place, Place), ValueError> {
    let back = slot.checked_add(1).and_then(|slots| slots.checked_mul(entry.size()));
    let address = back.and_then(|back| ctrl.checked_sub(back)).ok_or(ValueError::Dangling(ctrl))?;
    let pair = Place::new(entry.clone(), address);
    Ok((pair.member("__0")?, pair.member("__1")?))
}

fn tree(stop: &Stop, place: &Place, kind: Kind) -> Result<Entries, ValueError> {
    let len = place.member("length")?.read_u64(stop)?;
    let root = place.member("root")?.variant(stop)?;
    let root = match root.name.as_str() {
        "Some" => {
            let node_ref = root.place.member("__0")?;
            let height = node_ref.member("height")?.read_u64(stop)?;
            if height > MAX_HEIGHT {
                return Err(ValueError::Invalid(format!("a B-tree {height} levels high")));
            }
            Some((node_ref.member("node")?.deref(stop)?, height))
        }
        _ => None,
    };
    Ok(Entries { len, kind, store: Store::Tree { root } })
}

struct TreeWalk<'a> {
    stop: &'a Stop,
    skip: u64,
    wanted: u64,
    nodes: usize,
    found: Vec<(Place, Place)>,
}

impl TreeWalk<'_> {
    fn is_done(&self) -> bool {
        u64::try_from(self.found.len()).unwrap_or(u64::MAX) >= self.wanted
    }

    /// A node of the type `LeafNode`, in order; `height` 0 is a leaf.
    fn node(&mut self, leaf: &Place, height: u64) -> Result<(), ValueError> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > MAX_NODES {
            return Err(ValueError::Bound("100,000 nodes of a B-tree"));
        }
        let len = leaf.member("len")?.read_u64(self.stop)?;
        let (keys, values) = (slots(leaf, "keys", "K")?, slots(leaf, "vals", "V")?);
        if len > keys.len {
            return Err(ValueError::Invalid(format!("a B-tree node with {len} keys")));
        }
        for index in 0..=len {
            if self.is_done() {
                break;
            }
            if let Some(below) = height.checked_sub(1) {
                let edge = edge(self.stop, leaf, index)?;
                self.node(&edge, below)?;
            }
            if index < len && !self.is_done() {
                match self.skip.checked_sub(1) {
                    Some(rest) => self.skip = rest,
                    None => self.found.push((keys.get(index)?, values.get(index)?)),
                }
            }
        }
        Ok(())
    }
}

/// The array of keys or values of a node, with the `MaybeUninit` of its elements looked through.
fn slots(leaf: &Place, name: &str, argument: &str) -> Result<crate::Sequence, ValueError> {
    let array = leaf.member(name)?;
    let element = leaf.ty.template_argument(argument).ok_or_else(|| ValueError::NoType(format!("`{name}`")))?;
    let weft_symbols::TypeKind::Array { count, .. } = array.ty.kind() else {
        return Err(ValueError::NotSequence(array.ty.path().to_owned()));
    };
    Ok(crate::Sequence::contiguous(element, array.at, count.unwrap_or(0)))
}

/// The node below. Only the inner node's type has edges: it is what `parent` points to.
fn edge(stop: &Stop, leaf: &Place, index: u64) -> Result<Place, ValueError> {
    let no_type = || ValueError::NoType("the B-tree's inner nodes".to_owned());
    let inner_ty = parent_type(leaf).ok_or_else(no_type)?;
    let probe = Place::at(inner_ty.clone(), At::bytes(Vec::new()));
    let At::Bytes { offset: data, .. } = probe.member("data")?.at else { return Err(no_type()) };
    let address = leaf.address().and_then(|address| address.checked_sub(data)).ok_or_else(no_type)?;
    let edges = Place::new(inner_ty, address).member("edges")?;
    let slot = edges.elements(stop, index..index.saturating_add(1))?.into_iter().next().ok_or_else(no_type)?;
    let target = slot.peel().read_pointer(stop)?;
    if target.raw() == 0 {
        return Err(ValueError::Null);
    }
    Ok(Place::new(leaf.ty.clone(), target))
}

/// The pointee of `parent`, through `Option<NonNull<..>>`.
fn parent_type(leaf: &Place) -> Option<Type> {
    let parent = leaf.member("parent").ok()?;
    let some = parent.variant_types().into_iter().find(|(name, _)| name == "Some")?.1?;
    let inner = Place::at(some, At::bytes(Vec::new())).peel();
    match inner.ty.kind() {
        weft_symbols::TypeKind::Pointer(Some(pointee)) => inner.ty.at(*pointee),
        _ => None,
    }
}
