//! Variables that the compiler has united: one of them is dead where the other one lives.
//!
//! rustc's optimiser unites locals of which one is copied into the other and not used any more, and describes both as the one
//! that is left (`debug id => _15; debug sum => _15` in `--emit mir`, rustc 1.95). Whoever writes one of them then changes what
//! the other is said to be.

use std::sync::Arc;

use gimli::AttributeValue;
use weft_memory::FileAddr;

use crate::dies::{DieReader, origins};
use crate::sections::Slice;
use crate::{Image, SymbolError, Variable};

/// Entries of one location list that are compared.
const MAX_ENTRIES: usize = 1024;

/// An expression, and the addresses at which it says where a variable is; none: at all of its scope.
struct Held {
    at: Option<(FileAddr, FileAddr)>,
    expression: Vec<u8>,
}

impl Variable {
    /// Whether this variable, of the same type, is said to lie where `other` does, wherever that has a place; where its only
    /// place holds for all of its scope, at `pc`. Both are right all the same if neither is written after the copy. `image` is
    /// the file of both.
    pub fn is_united_with(&self, other: &Self, image: &Arc<Image>, pc: FileAddr) -> Result<bool, SymbolError> {
        if self.ty.is_none() || self.ty != other.ty || self.has_no_bytes() {
            return Ok(false);
        }
        let (own, others) = (self.held(image)?, other.held(image)?);
        let covers = |own: &Held, other: &Held| {
            let (start, end) = other.at.unwrap_or((pc, pc.offset(1)));
            own.expression == other.expression && own.at.is_none_or(|(from, to)| from <= start && end <= to)
        };
        Ok(!others.is_empty() && others.iter().all(|other| own.iter().any(|own| covers(own, other))))
    }

    /// Where it is said to be. Empty: nowhere, or in more places than are looked at.
    fn held(&self, image: &Arc<Image>) -> Result<Vec<Held>, SymbolError> {
        let Some(die) = self.die else { return Ok(Vec::new()) };
        let chain = origins(image, die)?;
        let location =
            chain.first().and_then(|(reader, entry)| Some((reader, entry.attr_value(gimli::DW_AT_location)?)));
        location.map_or(Ok(Vec::new()), |(reader, location)| held_at(reader, location))
    }
}

fn held_at<'a>(reader: &DieReader<'a>, location: AttributeValue<Slice<'a>>) -> Result<Vec<Held>, SymbolError> {
    let broken = |error| reader.broken(error);
    if let Some(expression) = location.exprloc_value() {
        return Ok(vec![Held { at: None, expression: expression.0.slice().to_vec() }]);
    }
    let Some(mut list) = reader.dwarf().attr_locations(reader.unit(), location).map_err(broken)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    while let Some(entry) = list.next().map_err(broken)? {
        if found.len() >= MAX_ENTRIES {
            return Ok(Vec::new());
        }
        let at = Some((FileAddr::new(entry.range.begin), FileAddr::new(entry.range.end)));
        found.push(Held { at, expression: entry.data.0.slice().to_vec() });
    }
    found.retain(|held| !held.expression.is_empty());
    Ok(found)
}
