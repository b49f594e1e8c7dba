//! Names in their scopes, each kept once.
//!
//! A name is its parent and an offset in `.debug_str`. Linkers merge equal strings, so equal names have equal offsets;
//! where a linker does not merge, a name is merely kept twice.

use rustc_hash::FxHashMap;

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

/// Interned names; a parent comes before its children.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) nodes: Vec<Node>,
    ids: FxHashMap<Node, NodeId>,
    /// Strings that stand in `.debug_info` itself.
    inline: Vec<Box<[u8]>>,
    inline_ids: FxHashMap<Box<[u8]>, u32>,
}

impl Names {
    /// Nothing but the outermost scope.
    pub(crate) fn new() -> Self {
        let root = Node { parent: ROOT, string: INLINE };
        let mut names = Self {
            nodes: vec![root],
            ids: FxHashMap::default(),
            inline: vec![Box::default()],
            inline_ids: FxHashMap::default(),
        };
        names.inline_ids.insert(Box::default(), INLINE);
        names
    }

    /// The node of a name in a scope.
    pub(crate) fn intern(&mut self, parent: NodeId, string: u32) -> NodeId {
        let node = Node { parent, string };
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        *self.ids.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            next
        })
    }

    /// The number of a string that is not in `.debug_str`.
    pub(crate) fn intern_inline(&mut self, bytes: &[u8]) -> u32 {
        if let Some(id) = self.inline_ids.get(bytes) {
            return *id;
        }
        let id = INLINE | u32::try_from(self.inline.len()).unwrap_or(u32::MAX);
        self.inline.push(bytes.into());
        self.inline_ids.insert(bytes.into(), id);
        id
    }

    /// A string that is not in `.debug_str`; the offset in `.debug_str` otherwise.
    pub(crate) fn string(&self, string: u32) -> Result<&[u8], usize> {
        if string & INLINE == 0 {
            return Err(usize::try_from(string).unwrap_or(usize::MAX));
        }
        let index = usize::try_from(string & !INLINE).unwrap_or(usize::MAX);
        Ok(self.inline.get(index).map_or(&[], |bytes| bytes))
    }

    /// Forgets what is only needed to add more.
    pub(crate) fn seal(&mut self) {
        self.ids = FxHashMap::default();
        self.inline_ids = FxHashMap::default();
    }
}
