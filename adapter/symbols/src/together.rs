//! Several units read at a time, for one who will ask about many addresses one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::FxHashMap;
use weft_memory::FileAddr;

use crate::Image;
use crate::units::UnitIndex;

/// Threads at most.
const MAX_THREADS: usize = 4;

impl Image {
    /// Reads what describing the code at these addresses takes, on as many processors as there are, if they lie in several
    /// units that nobody has asked about yet. Changes no answer.
    pub fn read_together(self: &Arc<Self>, addresses: &[FileAddr]) {
        let mut units: FxHashMap<UnitIndex, Vec<FileAddr>> = FxHashMap::default();
        for address in addresses {
            if let Some(unit) = self.unit_at(*address).filter(|unit| !self.cache().code.knows(*unit)) {
                units.entry(unit).or_default().push(*address);
            }
        }
        let mut units: Vec<(UnitIndex, Vec<FileAddr>)> = units.into_iter().collect();
        // The longest first: whoever is done takes one of the shorter ones that are left.
        units
            .sort_by_key(|(unit, _)| std::cmp::Reverse(self.units().list().get(*unit).map_or(0, |entry| entry.length)));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(units.len());
        if threads < 2 {
            return;
        }
        let next = AtomicUsize::new(0);
        let read = || {
            while let Some((_, addresses)) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                for address in addresses {
                    // Who asks for it will be told of what cannot be read.
                    let _ = (self.frames_at(*address), self.line_at(*address));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let _ = std::thread::Builder::new().name("units".to_owned()).spawn_scoped(scope, read);
            }
            read();
        });
    }
}
