//! Memory as a core file has it.

use std::{fs::File, ops::Range, path::Path, sync::Arc};

use weft_memory::{MemAddr, Memory, MemoryError, Region};

use super::file::{Header, read_at};
use crate::{
    Mapping,
    memory::{region_at, writable},
};

/// A part of memory and where its bytes are.
#[derive(Debug)]
struct Part {
    start: u64,
    end: u64,
    source: Arc<File>,
    offset: u64,
}

/// A program's memory as a core file has it. Code and constants that were not dumped are read from the files that they
/// were mapped from; what was writable and is not in the file is not readable.
#[derive(Debug, Default)]
pub struct CoreMemory {
    /// By rising address, without overlaps.
    parts: Vec<Part>,
    /// What was mapped, dumped or not; by rising address.
    regions: Vec<Region>,
}

impl CoreMemory {
    pub(super) fn new(file: File, loads: &[Header]) -> Self {
        let core = Arc::new(file);
        let part = |load: &Header| {
            let dumped = load.address.saturating_add(load.in_file.min(load.in_memory));
            Part { start: load.address, end: dumped, source: Arc::clone(&core), offset: load.offset }
        };
        let region = |load: &Header| {
            let end = load.address.saturating_add(load.in_memory);
            let (executable, writable) = (load.flags & 1 != 0, load.flags & 2 != 0);
            Region { range: MemAddr::new(load.address)..MemAddr::new(end), executable, writable }
        };
        let mut regions: Vec<Region> = loads.iter().map(region).collect();
        regions.sort_by_key(|region| region.range.start);
        Self { parts: in_order(loads.iter().map(part).collect()), regions }
    }

    /// Adds what was not dumped of mappings that could not be written to, from their files.
    pub(super) fn with_files(mut self, mappings: &[Mapping], loads: &[Header]) -> Self {
        let mut opened: Vec<(&Path, Option<Arc<File>>)> = Vec::new();
        for mapping in mappings.iter().filter(|mapping| mapping.readable && !mapping.writable) {
            let load = loads.iter().find(|load| load.holds(mapping.start.raw()));
            let dumped = load.map_or(0, |load| load.address.saturating_add(load.in_file.min(load.in_memory)));
            let start = mapping.start.raw().max(dumped);
            let Some(path) = mapping.path.as_deref().filter(|_| start < mapping.end.raw()) else { continue };
            let source = match opened.iter().find(|(known, _)| *known == path) {
                Some((_, source)) => source.clone(),
                None => {
                    let source = open_mapped(path).map(Arc::new);
                    opened.push((path, source.clone()));
                    source
                }
            };
            let offset = mapping.offset.checked_add(start.wrapping_sub(mapping.start.raw()));
            if let (Some(source), Some(offset)) = (source, offset) {
                self.parts.push(Part { start, end: mapping.end.raw(), source, offset });
            }
        }
        Self { parts: in_order(self.parts), ..self }
    }

    fn part(&self, address: u64) -> Option<&Part> {
        let index = self.parts.partition_point(|part| part.start <= address).checked_sub(1)?;
        self.parts.get(index).filter(|part| address < part.end)
    }
}

/// Parts by rising address. Of parts that overlap, as they do in damaged files only, the first one counts.
fn in_order(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| part.start);
    let mut behind = 0;
    parts.retain(|part| {
        let fits = part.start >= behind && part.start < part.end;
        behind = if fits { part.end } else { behind };
        fits
    });
    parts
}

impl Memory for CoreMemory {
    fn region(&self, address: MemAddr) -> Option<Region> {
        region_at(&self.regions, address).cloned()
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        writable(&self.regions)
    }

    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let mut done: usize = 0;
        while let Some(at) = address.raw().checked_add(done as u64) {
            let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) else { break };
            let Some(part) = self.part(at) else { break };
            let room = usize::try_from(part.end.saturating_sub(at)).unwrap_or(usize::MAX).min(rest.len());
            let Some(offset) = part.offset.checked_add(at.saturating_sub(part.start)) else { break };
            let count = read_at(&part.source, offset, rest.get_mut(..room).unwrap_or_default());
            done = done.saturating_add(count);
            if count < room {
                break;
            }
        }
        if done == 0 && !buffer.is_empty() { Err(MemoryError::Unmapped(address)) } else { Ok(done) }
    }
}

/// Opens a file that a core file names. Regular files only: the core file may name anything, and opening a pipe waits for
/// its other end.
pub(super) fn open_mapped(path: &Path) -> Option<File> {
    let regular = path.metadata().is_ok_and(|metadata| metadata.is_file());
    if regular { File::open(path).ok() } else { None }
}
