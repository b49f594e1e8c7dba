//! Where calls through the global offset table lead.
//!
//! Rust calls functions of other crates through a slot of the table, even when they end up in the same file; the loader
//! fills the slot by a relocation that says where the function is.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::Image;

/// Bytes of one relocation with an addend.
const ENTRY: usize = 24;
/// Relocations read at a time.
const WINDOW: usize = ENTRY * 4096;
/// `R_X86_64_RELATIVE`: the slot holds the file's own address `addend`.
const RELATIVE: u32 = 8;

/// The table and what fills it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GotPlace {
    /// Addresses of `.got`.
    pub(crate) slots: Range<u64>,
    /// Where `.rela.dyn` lies in the file.
    pub(crate) relocations: Range<usize>,
}

/// Slots to the addresses they will hold.
pub(crate) type Got = FxHashMap<u64, u64>;

impl Image {
    /// The function of this file that a slot of the global offset table will hold.
    pub(crate) fn got_target(&self, slot: u64) -> Option<u64> {
        if !self.got_place().slots.contains(&slot) {
            return None;
        }
        // Some linkers write the address into the file as well, or only there.
        let written = self.loaded_bytes(slot, 8).and_then(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)));
        written.filter(|target| self.is_code(*target)).or_else(|| self.got().get(&slot).copied())
    }

    fn got(&self) -> &Got {
        self.got_cell().get_or_init(|| {
            let place = self.got_place();
            let mut got = Got::default();
            let mut window = vec![0; WINDOW.min(place.relocations.len())];
            let mut at = place.relocations.start;
            while at < place.relocations.end {
                let length = window.len().min(place.relocations.end.saturating_sub(at));
                let Some(buffer) = window.get_mut(..length) else { break };
                let count = self.sections().read_file(at, buffer);
                let entries = window.get(..count).unwrap_or_default().chunks_exact(ENTRY);
                let taken = entries.len().saturating_mul(ENTRY);
                got.extend(entries.filter_map(relative).filter(|(slot, _)| place.slots.contains(slot)));
                if taken == 0 {
                    break;
                }
                at = at.saturating_add(taken);
            }
            got
        })
    }
}

/// Slot and address of a relocation, if it is a relative one.
fn relative(entry: &[u8]) -> Option<(u64, u64)> {
    let word = |at: usize| Some(u64::from_le_bytes(*entry.get(at..)?.first_chunk()?));
    let kind = u32::try_from(word(8)? & 0xffff_ffff).ok()?;
    (kind == RELATIVE).then_some((word(0)?, word(16)?))
}
