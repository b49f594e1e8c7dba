//! Where an exception that passes through a function is caught, or what is dropped on its way.
//!
//! Layout: the language-specific data area that gcc and LLVM write and every `__gxx_personality_v0`-like routine reads
//! (Itanium C++ ABI, exception handling, 7.4; LLVM's "Exception Handling Tables"); Rust's personality reads the same.

use gimli::{EndianSlice, LittleEndian, Pointer, Reader};
use weft_memory::FileAddr;

use crate::Image;

/// Bytes of one function's table that are looked at.
const MAX_TABLE: u64 = 1 << 20;

/// `DW_EH_PE_omit`.
const OMITTED: u8 = 0xff;

/// The way on when a call is left by an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandingPad {
    /// The code that is executed then, in the frame of the function that made the call.
    pub address: FileAddr,
    /// The exception ends there; else it goes on after values were dropped.
    pub catches: bool,
}

impl Image {
    /// Where a call at this address (any byte of the instruction, as unwinding looks it up: return address − 1) leads when
    /// it is left by an exception; `None`: through, or there is no table.
    pub fn landing_pad(&self, pc: FileAddr) -> Option<LandingPad> {
        let (frame, _) = self.frame_description(pc).ok()??;
        let Some(Pointer::Direct(table)) = frame.lsda() else { return None };
        let bytes = self.loaded_rest(table)?;
        find(&bytes, frame.initial_address(), pc.raw())
    }

    /// What is loaded from an address on, to the end of its segment or [`MAX_TABLE`].
    fn loaded_rest(&self, address: u64) -> Option<Vec<u8>> {
        let at = FileAddr::new(address);
        let segment = self.segments().iter().find(|segment| segment.addresses.contains(&at))?;
        let in_file = segment.file_range.end.checked_sub(segment.file_range.start)?;
        let rest = in_file.checked_sub(at.since(segment.addresses.start)?)?;
        self.loaded_bytes(address, usize::try_from(rest.min(MAX_TABLE)).ok()?)
    }
}

/// Looks an address up in the table of the function that begins at `start`.
fn find(table: &[u8], start: u64, pc: u64) -> Option<LandingPad> {
    let mut reader = EndianSlice::new(table, LittleEndian);
    // Rust and C++ leave the base of the landing pads out: it is the function's begin.
    if reader.read_u8().ok()? != OMITTED {
        return None;
    }
    if reader.read_u8().ok()? != OMITTED {
        reader.read_uleb128().ok()?;
    }
    let encoding = reader.read_u8().ok()?;
    let length = usize::try_from(reader.read_uleb128().ok()?).ok()?;
    let mut calls = reader.split(length).ok()?;
    let actions = reader;
    let offset = pc.checked_sub(start)?;
    while !calls.is_empty() {
        let (begin, covers) = (number(&mut calls, encoding)?, number(&mut calls, encoding)?);
        let (pad, action) = (number(&mut calls, encoding)?, calls.read_uleb128().ok()?);
        if offset < begin {
            return None;
        }
        if offset < begin.checked_add(covers)? {
            let address = FileAddr::new(start.checked_add(pad)?);
            return (pad != 0).then(|| LandingPad { address, catches: catches(actions, action).unwrap_or(false) });
        }
    }
    None
}

/// `DW_EH_PE_uleb128`, `udata2`, `udata4`, `udata8`: the formats that occur in call-site tables.
fn number(reader: &mut EndianSlice<'_, LittleEndian>, encoding: u8) -> Option<u64> {
    match encoding {
        0x01 => reader.read_uleb128().ok(),
        0x02 => reader.read_u16().ok().map(u64::from),
        0x03 => reader.read_u32().ok().map(u64::from),
        0x04 => reader.read_u64().ok(),
        _ => None,
    }
}

/// Whether an action ends the exception: 0 is none, and a record with filter 0 only cleans up.
fn catches(mut actions: EndianSlice<'_, LittleEndian>, action: u64) -> Option<bool> {
    let Some(at) = action.checked_sub(1) else { return Some(false) };
    actions.skip(usize::try_from(at).ok()?).ok()?;
    Some(actions.read_sleb128().ok()? != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function at 0x1000 with three calls: one that drops, one that catches, one that lets through.
    const TABLE: [u8; 20] = [
        0xff, 0x9b, 0x20, 0x01, 12, // no base of pads, types, uleb128, 12 bytes of calls
        0x04, 0x08, 0x40, 0, // 0x1004..0x100c: cleanup at 0x1040
        0x10, 0x04, 0x50, 1, // 0x1010..0x1014: caught at 0x1050
        0x20, 0x04, 0, 0, // 0x1020..0x1024: through
        1, 0, 0, // one action: the first type
    ];

    #[test]
    fn calls_lead_to_their_pads() {
        let at = |pc| find(&TABLE, 0x1000, pc).map(|pad| (pad.address.raw(), pad.catches));
        assert_eq!([at(0x1004), at(0x100b)], [Some((0x1040, false)); 2]);
        assert_eq!(at(0x1013), Some((0x1050, true)));
        assert_eq!([at(0x1003), at(0x100c), at(0x1020), at(0x1030), at(0xfff)], [None; 5]);
    }

    #[test]
    fn a_broken_table_leads_nowhere() {
        for length in 0..TABLE.len() {
            let _ = find(&TABLE[..length], 0x1000, 0x1013);
        }
        assert_eq!(find(&[0xff; 40], 0x1000, 0x1013), None);
        assert_eq!(find(&[0xff, 0xff, 0x04, 0x7f, 0xff], 0x1000, 0x1013), None);
    }
}
