//! Types by name, within one unit.
//!
//! An image's types are found by their paths, and crates of one name but several versions in one program have types of the
//! same paths. A unit tells them apart: what a function refers to is in its own unit, each of these types with what it
//! refers to itself.

use std::sync::Arc;

use crate::dies::{DieReader, Visit};
use crate::names::components;
use crate::{DieOffset, Image, Type};

impl Image {
    /// The types of exactly this path in the unit that has this DIE; several where the unit uses several crates of that
    /// name. Reads the unit.
    pub fn types_beside(self: &Arc<Self>, die: DieOffset, path: &str) -> Vec<Type> {
        let Ok((reader, _)) = DieReader::at(self, die) else { return Vec::new() };
        let wanted: Vec<&str> = components(path).collect();
        let mut found = Vec::new();
        let root = reader.unit().header.root_offset();
        let is_scope = |tag| {
            matches!(
                tag,
                gimli::DW_TAG_namespace
                    | gimli::DW_TAG_structure_type
                    | gimli::DW_TAG_class_type
                    | gimli::DW_TAG_union_type
                    | gimli::DW_TAG_enumeration_type
                    // Its variables are in no namespace.
                    | gimli::DW_TAG_subprogram
            )
        };
        let walked = reader.walk(root, is_scope, |entry, depth| {
            let at = usize::try_from(depth).ok().and_then(|depth| depth.checked_sub(1));
            let Some(name) = at.and_then(|at| wanted.get(at)) else { return Ok(Visit::Past) };
            if reader.name(entry).as_deref() != Some(*name) {
                return Ok(Visit::Past);
            }
            if at.and_then(|at| at.checked_add(1)) == Some(wanted.len()) {
                found.extend(reader.die_of(entry));
            }
            Ok(Visit::Into)
        });
        if let Err(error) = walked {
            tracing::debug!(%error, file = %self.name(), "a unit breaks off");
        }
        let types = found.into_iter().filter_map(|die| self.type_at(die));
        types.filter(|ty| ty.path() == path).collect()
    }
}
