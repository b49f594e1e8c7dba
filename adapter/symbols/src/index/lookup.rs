//! What is looked up in an index: types, functions and statics by their paths.

use std::sync::Arc;

use gimli::SectionId;
use rustc_hash::FxHashSet;

use super::blocks::Damaged;
use super::interned::{INLINE, Node, NodeId, ROOT};
use super::layout::{Entry, Index, Table};
use super::prepare::{name_hash, path_hash};
use crate::names::{components, without_arguments};
use crate::roots::read_c_string;
use crate::search::is_inside;
use crate::sections::Sections;
use crate::{DieOffset, FunctionEntry, Image, Static, Type};
use weft_memory::FileAddr;

/// Components of the longest path that is put together or walked up.
const MOST_COMPONENTS: usize = 64;

/// How much of a path must be equal.
#[derive(Clone, Copy)]
enum Match {
    Exact,
    /// Generic arguments may be anything, in every component.
    AnyArguments,
}

/// All functions of one path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Those with code, by address.
    pub(crate) instances: Vec<DieOffset>,
    /// Those that copies were inlined from.
    pub(crate) origins: Vec<DieOffset>,
}

impl Image {
    /// Types of exactly this path (`tokio::runtime::task::core::Header`, `tokio::sync::mutex::MutexGuard<u32>`), one
    /// DIE per distinct path.
    pub fn types(self: &Arc<Self>, path: &str) -> Vec<Type> {
        self.types_like(path, Match::Exact).collect()
    }

    /// Types of this path whatever their generic arguments (`tokio::runtime::task::core::Cell`). Each is read when it is
    /// asked for: there are 12,000 `Option` in a large program, so whoever goes on to the end sets a bound.
    pub fn types_of_any_arguments(self: &Arc<Self>, path: &str) -> impl Iterator<Item = Type> + use<> {
        self.types_like(path, Match::AnyArguments)
    }

    /// Whether a path cannot be here: the C library has no crates, and its names need not be read to know that.
    fn lacks(&self, path: &str) -> bool {
        path.contains("::") && self.is_system_runtime()
    }

    fn types_like(self: &Arc<Self>, path: &str, how: Match) -> impl Iterator<Item = Type> + use<> {
        let look = || self.ask(|index| Query::new(self.sections(), index, path, how).entries(&index.types));
        let found = if self.lacks(path) { Vec::new() } else { look() };
        // A name of another file's is kept beside the same name of the image's own.
        let mut seen = FxHashSet::default();
        let image = Arc::clone(self);
        let types = found.into_iter().filter_map(move |entry| image.type_at(entry.die));
        types.filter(move |ty| seen.insert(ty.path().to_owned()))
    }

    /// Functions with code of this path, whatever their generic arguments (`tokio::runtime::task::raw::poll`).
    pub fn functions(self: &Arc<Self>, path: &str) -> Vec<FunctionEntry> {
        let found = self.functions_by(path, &|_| Some(()));
        let mut found: Vec<FunctionEntry> = found.into_iter().map(|((), entry)| entry).collect();
        // The linker may fold equal functions of several units into one.
        found.dedup_by_key(|entry| entry.address);
        found
    }

    /// Functions with code of this path, each with what `key` makes of its name with its generic arguments
    /// (`drop_in_place<u32>`); where that is nothing it is left out. Of functions that the linker folded into one, each.
    pub fn functions_by<K>(self: &Arc<Self>, path: &str, key: &dyn Fn(&[u8]) -> Option<K>) -> Vec<(K, FunctionEntry)> {
        if self.lacks(path) {
            return Vec::new();
        }
        self.ask(|index| {
            let query = Query::new(self.sections(), index, path, Match::AnyArguments);
            let near = index.range(&index.functions, &query.hash, |code| code.hash)?;
            let mut found = Vec::new();
            for code in index.all(&index.functions, near) {
                let code = code?;
                let Some(node) = index.node(code.node)? else { continue };
                let name = index.name(self.sections(), node.string)?;
                if query.is(code.node)?
                    && let Some(key) = name.and_then(|name| key(&name))
                {
                    found.push((key, FunctionEntry { address: FileAddr::new(code.address), die: code.die }));
                }
            }
            Ok(found)
        })
    }

    /// DIEs that copies of the functions of this path were inlined from, whatever the generic arguments.
    pub(crate) fn inlined_origins(self: &Arc<Self>, path: &str) -> Vec<DieOffset> {
        let Some(name) = components(path).next_back().filter(|_| !self.lacks(path)) else { return Vec::new() };
        self.ask(|index| {
            let query = Query::new(self.sections(), index, path, Match::AnyArguments);
            let mut origins = Vec::new();
            for at in index.range(&index.anchors, &name_hash(name.as_bytes()), |anchor| anchor.hash)? {
                let Some(anchor) = index.get(&index.anchors, at)? else { break };
                if query.is(anchor.node)? {
                    origins.extend(index.group(at)?.unwrap_or_default().origins);
                }
            }
            Ok(origins)
        })
    }

    /// What describes the functions of this path, whatever their generic arguments: those with code, and those that copies
    /// were inlined from.
    pub(crate) fn descriptions(self: &Arc<Self>, path: &str) -> Vec<DieOffset> {
        let mut names = components(path).map(|name| without_arguments(name.as_bytes()));
        let Some(anchor) = names.rfind(|name| !is_inside(name)).filter(|_| !self.lacks(path)) else {
            return Vec::new();
        };
        self.ask(|index| {
            let query = Query::new(self.sections(), index, path, Match::AnyArguments);
            let mut found = Vec::new();
            for at in index.range(&index.anchors, &name_hash(anchor), |anchor| anchor.hash)? {
                let Some(anchor) = index.get(&index.anchors, at)? else { break };
                if query.is(anchor.node)? {
                    let group = index.group(at)?.unwrap_or_default();
                    found.extend(group.instances.into_iter().chain(group.origins));
                }
            }
            Ok(found)
        })
    }

    /// The functions that poll coroutines, with code; at most `most`.
    pub fn coroutines(self: &Arc<Self>, most: usize) -> Vec<FunctionEntry> {
        if self.is_system_runtime() {
            return Vec::new();
        }
        let mut found = self.ask(|index| {
            let mut found = Vec::new();
            for code in index.all(&index.functions, 0..u64::MAX) {
                let code = code?;
                let Some(node) = index.node(code.node)? else { continue };
                let name = index.name(self.sections(), node.string)?.unwrap_or_default();
                if name.starts_with(b"{async_") && found.len() < most {
                    found.push(FunctionEntry { address: FileAddr::new(code.address), die: code.die });
                }
            }
            Ok(found)
        });
        found.dedup_by_key(|entry| entry.address);
        found
    }

    /// Statics of this path.
    pub fn statics(self: &Arc<Self>, path: &str) -> Vec<Static> {
        if self.lacks(path) {
            return Vec::new();
        }
        let found =
            self.ask(|index| Query::new(self.sections(), index, path, Match::AnyArguments).entries(&index.statics));
        let found = found.into_iter().filter_map(|entry| self.static_at(entry.die, path.to_owned()));
        let mut found: Vec<Static> = found.collect();
        found.sort_by_key(|found| (found.thread_local, found.address));
        found.dedup_by_key(|found| (found.thread_local, found.address));
        found
    }

    /// The statics of a crate that have a name in the source, by path; at most `most`.
    pub fn statics_of(self: &Arc<Self>, krate: &str, most: usize) -> Vec<Static> {
        let in_crate = |path: &str| path.split("::").next() == Some(krate) && !path.contains(['{', '<']);
        let mut named = self.ask(|index| {
            let mut named: Vec<(String, DieOffset)> = Vec::new();
            for entry in index.all(&index.statics, 0..u64::MAX) {
                let entry = entry?;
                let path = index.path(self.sections(), entry.node)?.filter(|path| in_crate(path));
                named.extend(path.map(|path| (path, entry.die)));
            }
            Ok(named)
        });
        named.sort_unstable();
        let mut found = named.into_iter().filter_map(|(path, die)| self.static_at(die, path));
        let mut statics: Vec<Static> = found.by_ref().take(most).collect();
        statics.dedup_by_key(|found| (found.thread_local, found.address));
        statics
    }
}

impl Index {
    /// A name by its number; `None` if it cannot be read.
    fn name(&self, sections: &Sections, string: u32) -> Result<Option<Vec<u8>>, Damaged> {
        if string & INLINE != 0 {
            return self.string(string & !INLINE).map(Some);
        }
        Ok(usize::try_from(string).ok().and_then(|offset| read_c_string(sections, SectionId::DebugStr, offset)))
    }

    /// A node that is in a scope; none for the outermost scope itself.
    fn node(&self, node: NodeId) -> Result<Option<Node>, Damaged> {
        if node == ROOT { Ok(None) } else { self.get(&self.nodes, u64::from(node)) }
    }

    /// The path of a node, outermost component first. `None` if a name cannot be read.
    fn path(&self, sections: &Sections, node: NodeId) -> Result<Option<String>, Damaged> {
        let mut components = Vec::new();
        let mut at = node;
        while let Some(found) = self.node(at)? {
            let name = self.name(sections, found.string)?.and_then(|name| String::from_utf8(name).ok());
            let (Some(name), true) = (name, components.len() < MOST_COMPONENTS) else { return Ok(None) };
            components.push(name);
            at = found.parent;
        }
        components.reverse();
        Ok((at == ROOT).then(|| components.join("::")))
    }

    /// The innermost name of a path that stands in the source, without generic arguments.
    fn anchor(&self, sections: &Sections, node: NodeId) -> Result<Option<Vec<u8>>, Damaged> {
        let mut at = node;
        for _ in 0..MOST_COMPONENTS {
            let Some(found) = self.node(at)? else { return Ok(None) };
            let name = self.name(sections, found.string)?.unwrap_or_default();
            let bare = without_arguments(&name);
            if !is_inside(bare) {
                return Ok(Some(bare.to_vec()));
            }
            at = found.parent;
        }
        Ok(None)
    }

    /// The names of all functions (of those inside a function, its name), each once; at most `most`.
    pub(crate) fn function_names(&self, sections: &Sections, most: usize) -> Result<Vec<Vec<u8>>, Damaged> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut before = None;
        for anchor in self.all(&self.anchors, 0..u64::MAX) {
            let anchor = anchor?;
            if before.replace(anchor.hash) != Some(anchor.hash) && names.len() < most {
                names.extend(self.anchor(sections, anchor.node)?);
            }
        }
        Ok(names)
    }

    /// The functions of this name, and those inside them, by path; at most `most` paths.
    pub(crate) fn functions_named(&self, sections: &Sections, name: &[u8], most: usize) -> Result<Vec<Group>, Damaged> {
        let near = self.range(&self.anchors, &name_hash(name), |anchor| anchor.hash)?;
        let mut groups = Vec::new();
        for at in near {
            let Some(anchor) = self.get(&self.anchors, at)? else { break };
            if groups.len() >= most {
                break;
            }
            if self.anchor(sections, anchor.node)?.as_deref() == Some(name) {
                groups.extend(self.group(at)?);
            }
        }
        Ok(groups)
    }

    /// The functions of the path at a place in the table of anchors.
    pub(crate) fn group(&self, at: u64) -> Result<Option<Group>, Damaged> {
        let Some(anchor) = self.get(&self.anchors, at)? else { return Ok(None) };
        let mut group = Group::default();
        for code in self.all(&self.functions, self.range(&self.functions, &anchor.path, |code| code.hash)?) {
            let code = code?;
            if code.node == anchor.node {
                group.instances.push(code.die);
            }
        }
        for inlined in self.all(&self.inlined, self.range(&self.inlined, &anchor.node, |inlined| inlined.node)?) {
            group.origins.push(inlined?.die);
        }
        Ok(Some(group))
    }
}

/// A path somebody looks for.
struct Query<'a> {
    sections: &'a Sections,
    index: &'a Index,
    /// Innermost component first.
    components: Vec<&'a str>,
    hash: u32,
    how: Match,
}

impl<'a> Query<'a> {
    fn new(sections: &'a Sections, index: &'a Index, path: &'a str, how: Match) -> Self {
        Self { sections, index, components: components(path).rev().collect(), hash: path_hash(path), how }
    }

    /// The entries of a table that have this path.
    fn entries(&self, table: &Table<Entry>) -> Result<Vec<Entry>, Damaged> {
        let mut found = Vec::new();
        for entry in self.index.all(table, self.index.range(table, &self.hash, |entry| entry.hash)?) {
            let entry = entry?;
            if self.is(entry.node)? {
                found.push(entry);
            }
        }
        Ok(found)
    }

    fn is(&self, node: NodeId) -> Result<bool, Damaged> {
        let mut at = node;
        for wanted in &self.components {
            let Some(found) = self.index.node(at)? else { return Ok(false) };
            let name = self.index.name(self.sections, found.string)?;
            if !name.is_some_and(|name| self.is_name(&name, wanted.as_bytes())) {
                return Ok(false);
            }
            at = found.parent;
        }
        Ok(at == ROOT)
    }

    fn is_name(&self, name: &[u8], wanted: &[u8]) -> bool {
        match self.how {
            Match::Exact => name == wanted,
            Match::AnyArguments => name == wanted || without_arguments(name) == wanted,
        }
    }
}
