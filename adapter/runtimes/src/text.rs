//! Text in a program's memory.

use weft_memory::MemAddr;
use weft_values::{Place, Stop};

/// What a `String` says, or the beginning of it: at most `max` bytes. None if it is not there or no text.
pub(crate) fn string(stop: &Stop, string: &Place, max: u64) -> Option<String> {
    let length = string.find("len").ok()?.read_u64(stop).ok()?;
    let pointer = string.find("ptr").ok()?.peel().read_pointer(stop).ok()?;
    text(stop, pointer, length, max)
}

/// What so many bytes say, or the beginning of it: at most `max` bytes. None if they are not there or no text.
pub(crate) fn text(stop: &Stop, at: MemAddr, length: u64, max: u64) -> Option<String> {
    let bytes = stop.memory.read_bytes(at, usize::try_from(length.min(max)).ok()?).ok()?;
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if length > max && error.error_len().is_none() => bytes.get(..error.valid_up_to())?,
        _ => &bytes,
    };
    String::from_utf8(whole.to_vec()).ok()
}
