//! Memory that is not what it should be.

use std::sync::atomic::{AtomicU64, Ordering};

use weft_memory::{MemAddr, Memory, MemoryError};
use weft_process::StoppedMemory;

use crate::fixture::{interpreters, start, stopped};

/// A program's memory of which some words are others.
struct Torn<'a> {
    memory: &'a StoppedMemory,
    /// One in so many aligned words is changed.
    rarity: u64,
    seed: u64,
    reads: AtomicU64,
}

impl Torn<'_> {
    fn tear(&self, word: u64, bytes: &mut [u8]) {
        let mixed =
            (word ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        if !mixed.is_multiple_of(self.rarity) {
            return;
        }
        match (mixed >> 32) % 4 {
            0 => bytes.fill(0),
            1 => bytes.fill(0xff),
            // Points to itself, or somewhere near.
            2 => bytes.iter_mut().zip(word.to_le_bytes()).for_each(|(byte, own)| *byte = own),
            _ => bytes.iter_mut().take(1).for_each(|byte| *byte ^= 0x18),
        }
    }
}

impl Memory for Torn<'_> {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let before = self.reads.fetch_add(1, Ordering::Relaxed);
        let read = self.memory.read(address, buffer)?;
        // First it is read what the interpreter says of itself.
        if let (3.., 0, Some(bytes)) = (before, address.raw() % 8, buffer.get_mut(..read)) {
            for (word, bytes) in (address.raw()..).step_by(8).zip(bytes.chunks_mut(8)) {
                self.tear(word, bytes);
            }
        }
        Ok(read)
    }
}

#[test]
fn torn_memory_is_less_information() {
    for python in interpreters() {
        let program = start(&python, "chains.py", &[]);
        stopped(&program, |interpreter, memory| {
            let whole = interpreter.list(memory).expect("it describes itself").snapshot.tasks.len();
            let mut told = Vec::new();
            for seed in 0..200 {
                let torn = Torn {
                    memory,
                    rarity: [17, 101, 1009, 10_007][seed % 4],
                    seed: seed as u64,
                    reads: AtomicU64::new(0),
                };
                let listing = interpreter.list(&torn).expect("what it says of itself is whole");
                assert!(listing.snapshot.tasks.len() < whole * 3);
                assert!(torn.reads.load(Ordering::Relaxed) < 2_000_000);
                for task in &listing.snapshot.tasks {
                    assert!(listing.stack(task.key).is_some());
                }
                told.push(listing.snapshot.tasks.len());
            }
            assert!(told.contains(&whole) && told.iter().any(|count| *count < whole / 2), "{told:?}");
        });
    }
}
