//! Linked lists: `LinkedList {head, len}` of nodes `{next, element}`.

use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};

use crate::place::little_endian;
use crate::{At, Place, Stop, ValueError};

/// Most nodes that are walked to get somewhere in a list.
const MAX_LINKS: u64 = 1 << 20;

/// Where a list begins, and how to go along it.
pub(super) struct Links {
    head: u64,
    /// Offset of the next node's address in a node.
    next: u64,
    /// Offset and type of the element.
    element: (u64, Type),
    len: u64,
}

/// How long a list says it is, and its nodes.
pub(super) fn links(stop: &Stop, place: &Place) -> Result<(u64, Links), ValueError> {
    let head = place.member("head")?;
    let len = place.member("len")?.read_u64(stop)?;
    let no_type = || ValueError::NoType("the list's nodes".to_owned());
    let node = node_type(&head).ok_or_else(no_type)?;
    let offset = |name: &str| node.members().iter().find(|member| member.name == name);
    let (next, element) = offset("next").zip(offset("element")).ok_or_else(no_type)?;
    let ty = element.ty.and_then(|ty| node.at(ty)).ok_or_else(no_type)?;
    let first = u64::try_from(little_endian(&head.read_at(stop, 0, 8)?)).unwrap_or(0);
    Ok((len, Links { head: first, next: next.offset, element: (element.offset, ty), len }))
}

/// What `Option<NonNull<Node>>` points to.
fn node_type(head: &Place) -> Option<Type> {
    let some = head.variant_types().into_iter().find(|(name, _)| name == "Some")?.1?;
    let inner = Place::at(some, At::bytes(Vec::new())).peel();
    match inner.ty.kind() {
        TypeKind::Pointer(Some(pointee)) => inner.ty.at(*pointee),
        _ => None,
    }
}

impl Links {
    /// The elements, `count` from `start` on.
    pub(super) fn range(&self, stop: &Stop, start: u64, count: u64) -> Result<Vec<Place>, ValueError> {
        let found = walk(stop, self.head, self.next, self.len, start, count)?;
        let (offset, ty) = &self.element;
        found.into_iter().map(|node| Ok(Place::new(ty.clone(), beyond(node, *offset)?))).collect()
    }
}

fn beyond(address: MemAddr, offset: u64) -> Result<MemAddr, ValueError> {
    address.checked_add(offset).ok_or(ValueError::Dangling(address))
}

/// The addresses of the nodes from the `start`-th on.
fn walk(stop: &Stop, head: u64, next: u64, len: u64, start: u64, count: u64) -> Result<Vec<MemAddr>, ValueError> {
    let end = start.saturating_add(count).min(len);
    if end > MAX_LINKS {
        return Err(ValueError::Bound("1,048,576 nodes of a list"));
    }
    let (mut found, mut node) = (Vec::new(), head);
    for index in 0..end {
        if node == 0 {
            return Err(ValueError::Invalid(format!("a list of {len} elements that ends after {index}")));
        }
        let address = MemAddr::new(node);
        node = stop.memory.read_u64(beyond(address, next)?)?;
        if index >= start {
            found.push(address);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weft_memory::Bytes;
    use weft_symbols::Modules;

    use super::*;

    fn stop(memory: Bytes) -> Stop {
        Stop {
            generation: 1,
            pid: 0,
            memory: Arc::new(memory),
            modules: Arc::new(Modules::new(Vec::new())),
            threads: Vec::new(),
            clock: None,
            descriptors: None,
            stacks: crate::Stacks::default(),
        }
    }

    /// Three nodes: next, previous, element.
    fn three(last: u64) -> Stop {
        let at = MemAddr::new;
        let memory = Bytes::new().with_words(at(0x1000), &[0x2000, 0, 1]);
        stop(memory.with_words(at(0x2000), &[0x3000, 0x1000, 2]).with_words(at(0x3000), &[last, 0x2000, 3]))
    }

    fn addresses(found: Result<Vec<MemAddr>, ValueError>) -> Vec<u64> {
        found.expect("the list is walked").into_iter().map(MemAddr::raw).collect()
    }

    #[test]
    fn a_list_is_walked_from_any_element() {
        assert_eq!(addresses(walk(&three(0), 0x1000, 0, 3, 0, 100)), [0x1000, 0x2000, 0x3000]);
        assert_eq!(addresses(walk(&three(0), 0x1000, 0, 3, 1, 1)), [0x2000]);
        assert_eq!(addresses(walk(&three(0), 0x1000, 0, 3, 7, 1)), [0; 0]);
    }

    #[test]
    fn a_cycle_is_as_long_as_the_list_says() {
        assert_eq!(addresses(walk(&three(0x1000), 0x1000, 0, 5, 2, 100)), [0x3000, 0x1000, 0x2000]);
        let endless = walk(&three(0x1000), 0x1000, 0, 1 << 63, 1 << 62, 100);
        assert_eq!(endless, Err(ValueError::Bound("1,048,576 nodes of a list")));
        assert_eq!(addresses(walk(&three(0x1000), 0x1000, 0, 1 << 63, 4, 2)), [0x2000, 0x3000]);
    }

    #[test]
    fn a_list_that_is_shorter_than_it_says_is_refused() {
        let short = walk(&three(0), 0x1000, 0, 4, 0, 100);
        assert_eq!(short, Err(ValueError::Invalid("a list of 4 elements that ends after 3".to_owned())));
        assert!(matches!(walk(&three(0x10), 0x1000, 0, 4, 0, 100), Err(ValueError::Memory(_))));
    }
}
