//! A core file: headers, notes, mappings, memory.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use weft_fuzz::{bounded, tear};
use weft_memory::{MemAddr, Memory as _};
use weft_process::Core;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    bounded(bytes.len(), || {
        let Ok(core) = Core::open(file.path(), None) else { return };
        let _ = (core.executable(), core.remarks());
        let mut buffer = [0; 4096];
        let stacks = core.threads.iter().map(|thread| thread.registers.sp());
        let starts = core.mappings.iter().flat_map(|mapping| [mapping.start, mapping.end]);
        for address in stacks.chain(starts).chain([MemAddr::new(0), MemAddr::new(u64::MAX)]).take(256) {
            let _ = core.memory.read(address, &mut buffer);
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tear(data, size, max_size, seed, fuzzer_mutate)
});
