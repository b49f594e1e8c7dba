//! Inputs out of inputs: a file with sections is torn inside them, where offsets, lengths, forms and counts are.

use std::ops::Range;

/// Numbers that break what adds, multiplies, allocates or looks up.
const EVIL: &[u64] = &[
    0,
    1,
    2,
    7,
    8,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fff0,
    0xffff_ffff,
    1 << 40,
    1 << 63,
    u64::MAX,
];

/// Changes `data[..size]` in place; gives the new size. `usual` is the fuzzer's own way, which has a few turns too:
/// (bytes, size, most) → new size.
pub fn tear(
    data: &mut [u8],
    size: usize,
    most: usize,
    seed: u32,
    usual: impl Fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut dice = Dice(u64::from(seed) << 1 | 1);
    let places = places(data.get(..size).unwrap_or_default());
    if places.is_empty() || dice.below(8) == 0 {
        return usual(data, size, most);
    }
    for _ in 0..=dice.below(4) {
        let place = places[dice.below(places.len())].clone();
        let bytes = &mut data[place];
        match dice.below(6) {
            0 => {
                let length = bytes.len();
                usual(bytes, length, length);
            }
            1 => copy_within(bytes, &mut dice),
            2 => long_number(bytes, &mut dice),
            _ => evil_number(bytes, &mut dice),
        }
    }
    size
}

/// The ELF headers and each section's bytes; the sections that are walked come more often. Of other files, all.
fn places(bytes: &[u8]) -> Vec<Range<usize>> {
    let word = |at: usize, size: usize| -> Option<usize> {
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes.get(at..at.checked_add(size)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    let mut found = Vec::new();
    let mut add = |range: Option<Range<usize>>, times: usize| {
        found.extend(
            range
                .filter(|range| range.end <= bytes.len() && !range.is_empty())
                .into_iter()
                .flat_map(|range| vec![range; times]),
        );
    };
    if !bytes.starts_with(b"\x7fELF") {
        add(Some(0..bytes.len()), 1);
        return found;
    }
    add(Some(16..64), 1);
    let (programs, sections) = (word(32, 8).unwrap_or(0), word(40, 8).unwrap_or(0));
    let (program_count, count) = (word(56, 2).unwrap_or(0), word(60, 2).unwrap_or(0));
    add(programs.checked_add(program_count * 56).map(|end| programs..end), 1);
    add(sections.checked_add(count * 64).map(|end| sections..end), 1);
    for index in 0..count {
        let field = |at: usize| word(sections.checked_add(index * 64 + at)?, 8);
        let (Some(offset), Some(size), Some(flags)) = (field(24), field(32), field(8)) else { break };
        // What is not loaded is what is read (besides unwinding tables, which are among the rest).
        add(offset.checked_add(size).map(|end| offset..end), if flags & 2 == 0 { 4 } else { 1 });
    }
    found
}

fn evil_number(bytes: &mut [u8], dice: &mut Dice) {
    let size = [1, 1, 2, 4, 8][dice.below(5)].min(bytes.len());
    let at = dice.below(bytes.len() - size + 1);
    let mut number = match dice.below(3) {
        0 => dice.next(),
        _ => EVIL[dice.below(EVIL.len())],
    };
    if dice.below(4) == 0 {
        // Near what is there: a neighbour's offset, one too many.
        let mut old = [0; 8];
        old[..size].copy_from_slice(&bytes[at..at + size]);
        number = u64::from_le_bytes(old).wrapping_add(dice.below(33) as u64).wrapping_sub(16);
    }
    bytes[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
}

/// A LEB128 number of up to twelve bytes.
fn long_number(bytes: &mut [u8], dice: &mut Dice) {
    let size = (dice.below(12) + 1).min(bytes.len());
    let at = dice.below(bytes.len() - size + 1);
    bytes[at..at + size].fill(if dice.below(2) == 0 { 0xff } else { 0x80 });
    bytes[at + size - 1] = [0, 1, 0x7f][dice.below(3)];
}

fn copy_within(bytes: &mut [u8], dice: &mut Dice) {
    let size = dice.below(bytes.len().min(64)) + 1;
    let (from, to) = (dice.below(bytes.len() - size + 1), dice.below(bytes.len() - size + 1));
    bytes.copy_within(from..from + size, to);
}

/// xorshift64*: the same seed tears in the same way.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % limit.max(1)
    }
}
