//! Names to DIEs: one parallel pass over all units, made when first asked.

use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use gimli::SectionId;
use rustc_hash::{FxHashMap, FxHasher};
use weft_memory::FileAddr;

use crate::index_pass::{self, Found};
use crate::interned::{Names, NodeId, ROOT};
use crate::names::{components, without_arguments};
use crate::sections::Sections;
use crate::{DieOffset, Image, Type};

/// Bytes of `.debug_str` held at a time.
const WINDOW: usize = 1 << 20;

/// A function with code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its entry.
    pub address: FileAddr,
    /// Its concrete DIE.
    pub die: DieOffset,
}

/// A static or thread-local variable.
#[derive(Clone, Debug)]
pub struct Static {
    /// The path with namespaces.
    pub path: String,
    /// Its mangled name.
    pub linkage_name: Option<String>,
    /// Its type.
    pub ty: Option<Type>,
    /// Its address, or its offset in the TLS segment.
    pub address: FileAddr,
    /// Whether `address` is an offset in the TLS segment.
    pub thread_local: bool,
}

/// Components of the longest path that is put together.
const MOST_COMPONENTS: usize = 64;

/// One name of the index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Of the whole path without generic arguments.
    hash: u32,
    node: NodeId,
    die: DieOffset,
}

/// The names of a file.
pub struct Index {
    names: Names,
    /// Sorted by hash, as the next ones.
    types: Vec<Entry>,
    functions: Vec<(Entry, u64)>,
    /// Functions that were inlined somewhere, by the DIE that the copies refer to; in no order.
    inlined: Vec<(NodeId, DieOffset)>,
    statics: Vec<Entry>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("names", &self.names.nodes.len())
            .field("types", &self.types.len())
            .field("functions", &self.functions.len())
            .field("statics", &self.statics.len())
            .finish()
    }
}

impl Index {
    fn build(image: &Image) -> Self {
        let found = index_pass::run(image);
        let hashes = path_hashes(image.sections(), &found.names);
        let hash = |node: NodeId| usize::try_from(node).ok().and_then(|node| hashes.get(node)).copied().unwrap_or(0);
        let entry = |node: NodeId, die: DieOffset| Entry { hash: hash(node), node, die };
        let Found { names, types, functions, inlined, statics } = found;
        let mut types: Vec<Entry> = types.into_iter().map(|(node, die)| entry(node, die)).collect();
        let mut functions: Vec<(Entry, u64)> =
            functions.into_iter().map(|found| (entry(found.node, found.die), found.address)).collect();
        let mut statics: Vec<Entry> = statics.into_iter().map(|(node, die)| entry(node, die)).collect();
        types.sort_unstable_by_key(|entry| (entry.hash, entry.die));
        functions.sort_unstable_by_key(|(entry, address)| (entry.hash, *address, entry.die));
        statics.sort_unstable_by_key(|entry| (entry.hash, entry.die));
        Self { names, types, functions, inlined, statics }
    }
}

impl Index {
    /// Every function with code: the node of its path, its concrete DIE, its address.
    pub(crate) fn functions_by_node(&self) -> impl Iterator<Item = (NodeId, DieOffset, FileAddr)> {
        self.functions.iter().map(|(entry, address)| (entry.node, entry.die, FileAddr::new(*address)))
    }

    /// Every function that was inlined somewhere: the node of its path, and its abstract DIE.
    pub(crate) fn inlined_by_node(&self) -> impl Iterator<Item = (NodeId, DieOffset)> {
        self.inlined.iter().copied()
    }

    /// A node's parent and the number of its name; none for the outermost scope.
    pub(crate) fn node(&self, node: NodeId) -> Option<(NodeId, u32)> {
        let found = self.names.nodes.get(usize::try_from(node).ok()?).filter(|_| node != ROOT)?;
        Some((found.parent, found.string))
    }

    /// A name by its number.
    pub(crate) fn name(&self, image: &Image, string: u32) -> Option<Vec<u8>> {
        match self.names.string(string) {
            Ok(inline) => Some(inline.to_vec()),
            Err(offset) => crate::roots::read_c_string(image.sections(), SectionId::DebugStr, offset),
        }
    }
}

/// How much of a path must be equal.
#[derive(Clone, Copy)]
enum Match {
    Exact,
    /// Generic arguments may be anything, in every component.
    AnyArguments,
}

impl Image {
    /// The index, built now if it is not there yet (other callers wait meanwhile).
    pub fn index(self: &Arc<Self>) -> &Index {
        self.index_cell().get_or_init(|| {
            let start = std::time::Instant::now();
            let index = Index::build(self);
            tracing::debug!(file = %self.name(), ?index, elapsed = ?start.elapsed(), "indexed");
            index
        })
    }

    /// Types of exactly this path (`tokio::runtime::task::core::Header`, `tokio::sync::mutex::MutexGuard<u32>`), one
    /// DIE per distinct path.
    pub fn types(self: &Arc<Self>, path: &str) -> Vec<Type> {
        self.types_like(path, Match::Exact)
    }

    /// Types of this path whatever their generic arguments (`tokio::runtime::task::core::Cell`).
    pub fn types_of_any_arguments(self: &Arc<Self>, path: &str) -> Vec<Type> {
        self.types_like(path, Match::AnyArguments)
    }

    /// Functions with code of this path, whatever their generic arguments (`tokio::runtime::task::raw::poll`).
    pub fn functions(self: &Arc<Self>, path: &str) -> Vec<FunctionEntry> {
        let index = self.index();
        let query = Query::new(self.sections(), &index.names, path, Match::AnyArguments);
        let near = range_of(&index.functions, query.hash, |(entry, _)| entry.hash);
        let found = index.functions.get(near).unwrap_or_default().iter().filter(|(entry, _)| query.is(entry.node));
        let mut found: Vec<FunctionEntry> =
            found.map(|(entry, address)| FunctionEntry { address: FileAddr::new(*address), die: entry.die }).collect();
        // The linker may fold equal functions of several units into one.
        found.dedup_by_key(|entry| entry.address);
        found
    }

    /// Statics of this path.
    pub fn statics(self: &Arc<Self>, path: &str) -> Vec<Static> {
        let index = self.index();
        let query = Query::new(self.sections(), &index.names, path, Match::AnyArguments);
        let near = range_of(&index.statics, query.hash, |entry| entry.hash);
        let found = index.statics.get(near).unwrap_or_default().iter().filter(|entry| query.is(entry.node));
        let mut found: Vec<Static> = found.filter_map(|entry| self.static_at(entry.die, path.to_owned())).collect();
        found.sort_by_key(|found| (found.thread_local, found.address));
        found.dedup_by_key(|found| (found.thread_local, found.address));
        found
    }

    /// The statics of a crate that have a name in the source, by path; at most `most`.
    pub fn statics_of(self: &Arc<Self>, krate: &str, most: usize) -> Vec<Static> {
        let index = self.index();
        let in_crate = |path: &String| path.split("::").next() == Some(krate) && !path.contains(['{', '<']);
        let named = index.statics.iter().filter_map(|entry| Some((self.path_of(entry.node)?, entry.die)));
        let mut named: Vec<(String, DieOffset)> = named.filter(|(path, _)| in_crate(path)).collect();
        named.sort_unstable();
        let mut found = named.into_iter().filter_map(|(path, die)| self.static_at(die, path));
        let mut statics: Vec<Static> = found.by_ref().take(most).collect();
        statics.dedup_by_key(|found| (found.thread_local, found.address));
        statics
    }

    /// The path of a node, outermost component first. `None` if a name cannot be read.
    fn path_of(self: &Arc<Self>, mut node: NodeId) -> Option<String> {
        let names = &self.index().names;
        let mut components = Vec::new();
        while node != ROOT {
            if components.len() > MOST_COMPONENTS {
                return None;
            }
            let found = names.nodes.get(usize::try_from(node).ok()?)?;
            let name = match names.string(found.string) {
                Ok(inline) => inline.to_vec(),
                Err(offset) => crate::roots::read_c_string(self.sections(), SectionId::DebugStr, offset)?,
            };
            components.push(String::from_utf8(name).ok()?);
            node = found.parent;
        }
        components.reverse();
        Some(components.join("::"))
    }

    fn types_like(self: &Arc<Self>, path: &str, how: Match) -> Vec<Type> {
        let index = self.index();
        let query = Query::new(self.sections(), &index.names, path, how);
        let near = range_of(&index.types, query.hash, |entry| entry.hash);
        let found = index.types.get(near).unwrap_or_default().iter().filter(|entry| query.is(entry.node));
        found.filter_map(|entry| self.type_at(entry.die)).collect()
    }
}

fn range_of<T>(sorted: &[T], hash: u32, of: impl Fn(&T) -> u32) -> Range<usize> {
    sorted.partition_point(|item| of(item) < hash)..sorted.partition_point(|item| of(item) <= hash)
}

/// A path somebody looks for.
struct Query<'a> {
    sections: &'a Sections,
    names: &'a Names,
    /// Innermost component first.
    components: Vec<&'a str>,
    hash: u32,
    how: Match,
}

impl<'a> Query<'a> {
    fn new(sections: &'a Sections, names: &'a Names, path: &'a str, how: Match) -> Self {
        let parts = components(path);
        let full = parts.clone().fold(0, |hash, part| add_to_hash(hash, without_arguments(part.as_bytes())));
        Self { sections, names, components: parts.rev().collect(), hash: short_hash(full), how }
    }

    fn is(&self, node: NodeId) -> bool {
        let mut node = node;
        for wanted in &self.components {
            let Some(found) = usize::try_from(node).ok().and_then(|node| self.names.nodes.get(node)) else {
                return false;
            };
            if node == ROOT || !self.is_name(found.string, wanted.as_bytes()) {
                return false;
            }
            node = found.parent;
        }
        node == ROOT
    }

    fn is_name(&self, string: u32, wanted: &[u8]) -> bool {
        let equal = |name: &[u8]| match self.how {
            Match::Exact => name == wanted,
            Match::AnyArguments => name == wanted || without_arguments(name) == wanted,
        };
        match self.names.string(string) {
            Ok(inline) => equal(inline),
            Err(offset) => {
                crate::roots::read_c_string(self.sections, SectionId::DebugStr, offset).is_some_and(|name| equal(&name))
            }
        }
    }
}

/// The hash of every node's path. Reads `.debug_str` once, in order.
fn path_hashes(sections: &Sections, names: &Names) -> Vec<u32> {
    let mut strings: Vec<u32> = names.nodes.iter().map(|node| node.string).collect();
    strings.sort_unstable();
    strings.dedup();
    let mut window = StringWindow { sections, bytes: Vec::new(), start: 0 };
    let hashed: FxHashMap<u32, u64> = strings
        .into_iter()
        .map(|string| {
            let hash = match names.string(string) {
                Ok(inline) => hash_name(without_arguments(inline)),
                Err(offset) => window.at(offset).map_or(0, |name| hash_name(without_arguments(name))),
            };
            (string, hash)
        })
        .collect();
    let mut full: Vec<u64> = Vec::with_capacity(names.nodes.len());
    for (at, node) in names.nodes.iter().enumerate() {
        let own = hashed.get(&node.string).copied().unwrap_or(0);
        let parent = usize::try_from(node.parent).ok().and_then(|parent| full.get(parent)).copied().unwrap_or(0);
        full.push(if at == 0 { 0 } else { combine(parent, own) });
    }
    full.into_iter().map(short_hash).collect()
}

fn hash_name(name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.finish()
}

fn combine(parent: u64, own: u64) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(parent);
    hasher.write_u64(own);
    hasher.finish()
}

fn add_to_hash(parent: u64, name: &[u8]) -> u64 {
    combine(parent, hash_name(name))
}

fn short_hash(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0) ^ u32::try_from(hash & 0xffff_ffff).unwrap_or(0)
}

/// Strings of `.debug_str`, asked for in ascending order, through a buffer that moves along.
struct StringWindow<'a> {
    sections: &'a Sections,
    bytes: Vec<u8>,
    start: usize,
}

impl StringWindow<'_> {
    fn at(&mut self, offset: usize) -> Option<&[u8]> {
        let end = |this: &Self| -> Option<usize> {
            let from = offset.checked_sub(this.start)?;
            memchr::memchr(0, this.bytes.get(from..)?)?.checked_add(from)
        };
        if end(self).is_none() {
            self.sections.read_into(SectionId::DebugStr, offset, WINDOW, &mut self.bytes);
            self.start = offset;
        }
        let end = end(self)?;
        self.bytes.get(offset.checked_sub(self.start)?..end)
    }
}
