//! From what the pass found to the lists that are written: hashes of paths, and everything in its order.

use gimli::SectionId;
use twox_hash::XxHash3_64;

use super::interned::{Names, Node, NodeId};
use super::layout::{Anchor, Code, Entry, Inlined, Lists};
use super::pass::Found;
use crate::DieOffset;
use crate::names::{components, without_arguments};
use crate::search::is_inside;
use crate::sections::Sections;

/// Bytes of `.debug_str` held at a time.
const WINDOW: usize = 1 << 20;

/// Puts what was found in order.
pub(crate) fn lists(found: Found, sections: &Sections) -> Lists {
    let Found { names, types, functions, inlined, statics, is_whole, split } = found;
    let Hashes { paths, anchors, all_read } = Hashes::of(&names, sections);
    let path = |node: NodeId| value(&paths, node);
    let entry = |(node, die): (NodeId, DieOffset)| Entry { hash: path(node), die, node };
    let mut types: Vec<Entry> = types.into_iter().map(entry).collect();
    let mut statics: Vec<Entry> = statics.into_iter().map(entry).collect();
    let functions = functions.into_iter();
    let mut functions: Vec<Code> = functions
        .map(|found| Code { hash: path(found.node), address: found.address, die: found.die, node: found.node })
        .collect();
    let mut inlined: Vec<Inlined> = inlined.into_iter().map(|(node, die)| Inlined { node, die }).collect();
    let nodes = functions.iter().map(|code| code.node).chain(inlined.iter().map(|inlined| inlined.node));
    let mut anchors: Vec<Anchor> =
        nodes.map(|node| Anchor { hash: value(&anchors, node), node, path: path(node) }).collect();
    types.sort_unstable();
    statics.sort_unstable();
    functions.sort_unstable();
    inlined.sort_unstable();
    anchors.sort_unstable();
    anchors.dedup();
    let Names { nodes, strings, .. } = names;
    Lists {
        nodes,
        types,
        functions,
        inlined,
        statics,
        anchors,
        strings: strings.list,
        is_whole: is_whole && all_read,
        split,
    }
}

fn value(values: &[u32], node: NodeId) -> u32 {
    usize::try_from(node).ok().and_then(|node| values.get(node)).copied().unwrap_or(0)
}

/// By node.
struct Hashes {
    paths: Vec<u32>,
    /// Of the innermost name of the path that stands in the source.
    anchors: Vec<u32>,
    /// Whether every name could be read.
    all_read: bool,
}

impl Hashes {
    fn of(names: &Names, sections: &Sections) -> Self {
        let mut hashes = Self::of_names(names, sections);
        for at in 1..names.nodes.len() {
            let Some(Node { parent, .. }) = names.nodes.get(at) else { continue };
            let (path, anchor) = (value(&hashes.paths, *parent), value(&hashes.anchors, *parent));
            if let Some(own) = hashes.paths.get_mut(at) {
                *own = combine(path, *own);
            }
            // Parents come first, so theirs is settled.
            if let Some(own) = hashes.anchors.get_mut(at).filter(|own| **own == 0) {
                *own = anchor;
            }
        }
        hashes
    }

    /// The hashes of the nodes' own names; as anchor, none for a name that is not in the source. Reads `.debug_str` once,
    /// in order.
    fn of_names(names: &Names, sections: &Sections) -> Self {
        let count = names.nodes.len();
        let string =
            |node: NodeId| usize::try_from(node).ok().and_then(|node| names.nodes.get(node)).map_or(0, |it| it.string);
        // The outermost scope has no name, and 0 for its hash.
        let mut order: Vec<NodeId> = (1..).take(count.saturating_sub(1)).collect();
        order.sort_unstable_by_key(|node| string(*node));
        let mut hashes = Self { paths: vec![0; count], anchors: vec![0; count], all_read: true };
        let mut window = StringWindow { sections, bytes: Vec::new(), start: 0 };
        let (mut known, mut hash, mut inside) = (None, 0, false);
        for node in order {
            if known != Some(string(node)) {
                known = Some(string(node));
                let name = match names.strings.get(string(node)) {
                    Ok(own) => Some(own),
                    Err(offset) => window.at(offset),
                };
                hashes.all_read &= name.is_some();
                let bare = without_arguments(name.unwrap_or_default());
                (hash, inside) = (name_hash(bare), is_inside(bare));
            }
            let Ok(at) = usize::try_from(node) else { continue };
            if let (Some(path), Some(anchor)) = (hashes.paths.get_mut(at), hashes.anchors.get_mut(at)) {
                (*path, *anchor) = (hash, if inside { 0 } else { hash });
            }
        }
        hashes
    }
}

/// The hash of a path that somebody wrote.
pub(crate) fn path_hash(path: &str) -> u32 {
    components(path).fold(0, |hash, part| combine(hash, name_hash(without_arguments(part.as_bytes()))))
}

/// The hash of a name without generic arguments; never 0.
pub(crate) fn name_hash(name: &[u8]) -> u32 {
    short(XxHash3_64::oneshot(name)).max(1)
}

fn combine(parent: u32, own: u32) -> u32 {
    short(XxHash3_64::oneshot(&(u64::from(parent) << 32 | u64::from(own)).to_le_bytes()))
}

fn short(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)
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
