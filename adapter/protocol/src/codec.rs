//! x
/// x
pub struct Codec;
/// x
pub const MAX_MESSAGE: usize = 64 << 20;
