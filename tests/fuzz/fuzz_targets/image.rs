//! A compiled file, asked everything that a debugger asks: it may refuse, it may know little, it never panics, hangs or
//! takes memory without a bound.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use weft_fuzz::{ask, bounded, tear};
use weft_symbols::{DebugFolders, Image};

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    bounded(bytes.len(), || {
        if let Ok(image) = Image::open_in(file.path(), &DebugFolders { global: Vec::new(), debuginfod: None }) {
            ask(&image);
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tear(data, size, max_size, seed, fuzzer_mutate)
});
