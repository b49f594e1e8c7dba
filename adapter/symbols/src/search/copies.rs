//! Copies of functions that were inlined: nothing lists them, so all units are read for them.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::dies::{DieReader, Visit};
use crate::units::UnitIndex;
use crate::{DieOffset, Image};

/// Copies of one set of functions that are listed.
const MOST_COPIES: usize = 10_000;

/// DIEs (`DW_TAG_inlined_subroutine`) of the copies of some functions, given by their abstract DIEs; in the file's order.
pub(super) fn of_functions(image: &Image, functions: &FxHashSet<DieOffset>) -> Vec<DieOffset> {
    let units: Vec<UnitIndex> = (0..image.units().list().len()).collect();
    let mut found: Vec<DieOffset> = units.par_iter().flat_map_iter(|unit| in_unit(image, *unit, functions)).collect();
    found.sort_unstable();
    found.truncate(MOST_COPIES);
    found
}

fn in_unit(image: &Image, unit: UnitIndex, functions: &FxHashSet<DieOffset>) -> Vec<DieOffset> {
    let mut found = Vec::new();
    let Ok(reader) = DieReader::of_unit(image, unit) else { return found };
    let root = reader.unit().header.root_offset();
    let walked = reader.walk(
        root,
        |tag| tag == gimli::DW_TAG_inlined_subroutine,
        |copy, _| {
            let origin = reader.reference(copy, gimli::DW_AT_abstract_origin);
            if origin.is_some_and(|origin| functions.contains(&origin)) {
                found.extend(reader.die_of(copy));
            }
            Ok(if found.len() < MOST_COPIES { Visit::Into } else { Visit::Stop })
        },
    );
    if let Err(error) = walked {
        tracing::debug!(%error, unit, "a unit breaks off");
    }
    found
}
