//! Names in their scopes, each kept once.
//!
//! A name is its parent and an offset in `.debug_str`. Linkers merge equal strings, so equal names have equal offsets;
//! where a linker does not merge, a name is merely kept twice.

use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHasher};

/// The outermost scope.
pub(crate) const ROOT: NodeId = 0;
/// Marks a string that is not in `.debug_str` but in the names' own table.
pub(crate) const INLINE: u32 = 1 << 31;

/// A place in [`Names::nodes`].
pub(crate) type NodeId = u32;

/// A name in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) string: u32,
}

impl Node {
    /// The outermost scope, which is its own parent.
    pub(crate) const OUTERMOST: Self = Self { parent: ROOT, string: INLINE };

    fn hash(self) -> u64 {
        let mut hasher = FxHasher::default();
        Hash::hash(&self, &mut hasher);
        hasher.finish()
    }
}

/// Interned names; a parent comes before its children.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) nodes: Vec<Node>,
    /// Finds a node's number by what it is. Only numbers are kept here: a large program has a million nodes.
    ids: HashTable<NodeId>,
    pub(crate) strings: Strings,
}

impl Names {
    /// Nothing but the outermost scope.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::OUTERMOST], ids: HashTable::new(), strings: Strings::new() }
    }

    /// The node of a name in a scope.
    pub(crate) fn intern(&mut self, node: Node) -> NodeId {
        let Self { nodes, ids, .. } = self;
        let at = |id: NodeId| usize::try_from(id).ok().and_then(|id| nodes.get(id)).copied();
        let hash = node.hash();
        if let Some(id) = ids.find(hash, |id| at(*id) == Some(node)) {
            return *id;
        }
        let id = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        ids.insert_unique(hash, id, |id| at(*id).map_or(0, Node::hash));
        nodes.push(node);
        id
    }

    /// Forgets what is only needed to add more.
    pub(crate) fn seal(&mut self) {
        self.ids = HashTable::new();
        self.strings.ids = FxHashMap::default();
    }
}

/// Strings that are not in `.debug_str`, by number.
#[derive(Debug)]
pub(crate) struct Strings {
    pub(crate) list: Vec<Box<[u8]>>,
    ids: FxHashMap<Box<[u8]>, u32>,
}

impl Strings {
    /// Nothing but the empty string, which has the number [`INLINE`].
    pub(crate) fn new() -> Self {
        let mut strings = Self { list: Vec::new(), ids: FxHashMap::default() };
        strings.intern(&[]);
        strings
    }

    /// The number of a string, marked with [`INLINE`].
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(bytes) {
            return *id;
        }
        let id = INLINE | u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(bytes.into());
        self.ids.insert(bytes.into(), id);
        id
    }

    /// A string of this table; the offset in `.debug_str` otherwise.
    pub(crate) fn get(&self, string: u32) -> Result<&[u8], usize> {
        let number = usize::try_from(string & !INLINE).unwrap_or(usize::MAX);
        if string & INLINE == 0 {
            return Err(number);
        }
        Ok(self.list.get(number).map_or(&[], |bytes| bytes))
    }
}
