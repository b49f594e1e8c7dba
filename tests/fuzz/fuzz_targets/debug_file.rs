//! A program and its separate debug file, which is found by its build-id. The last four bytes of the input say how long
//! the program is.
#![no_main]

use std::fs;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use weft_fuzz::{ask, bounded, tear};
use weft_symbols::{DebugFolders, Image};

/// Program and debug file.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (files, length) = bytes.split_last_chunk::<4>()?;
    files.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((program, debug)) = parts(bytes) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("program");
    fs::write(&path, program).expect("room for a temporary file");
    let folders = DebugFolders { global: vec![folder.path().to_owned()], debuginfod: None };
    let id = Image::open_in(&path, &folders).ok().and_then(|image| image.build_id().map(<[u8]>::to_vec));
    let Some(id) = id.filter(|id| (2..=64).contains(&id.len())) else { return };
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let place = folder.path().join(".build-id").join(&digits[..2]);
    fs::create_dir_all(&place).expect("a folder");
    fs::write(place.join(format!("{}.debug", &digits[2..])), debug).expect("room for a temporary file");
    bounded(bytes.len(), || {
        if let Ok(image) = Image::open_in(&path, &folders) {
            ask(&image);
        }
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let program = parts(&data[..size]).map(|(program, debug)| (program.len(), debug.len()));
    match program {
        Some((program, 0)) => tear(data, program, program, seed, fuzzer_mutate).max(size),
        // The program itself is torn by the other target, and seldom here.
        Some((program, _)) if seed % 8 == 0 => tear(data, program, program, seed, fuzzer_mutate).max(size),
        Some((program, debug)) => {
            tear(&mut data[program..], debug, debug, seed, fuzzer_mutate);
            size
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
