//! The index of names that is kept on disk: made of a program, torn in several ways, and used for the next session. The
//! answers of a torn one are those of the whole one.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use weft_fuzz::{bounded, tear};
use weft_symbols::{DebugFolders, FunctionQuery, Image, IndexStore};

/// Ways of tearing one index.
const TEARS: u32 = 4;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (program, kept) = (folder.path().join("program"), folder.path().join("names"));
    fs::write(&program, bytes).expect("room for a temporary file");
    bounded(bytes.len(), || {
        let Some(whole) = answers(&program, &kept) else { return };
        let files = fs::read_dir(&kept).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        for file in files.collect::<Vec<_>>() {
            let Ok(index) = fs::read(&file) else { continue };
            for seed in 0..TEARS {
                let mut torn = index.clone();
                let (length, seed) =
                    (torn.len(), bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>() * TEARS + seed);
                tear(&mut torn, length, length, seed, |torn, size, _| {
                    torn[size / 2] ^= 0x55;
                    size
                });
                fs::write(&file, torn).expect("room for a temporary file");
                assert_eq!(answers(&program, &kept).as_ref(), Some(&whole), "a torn index answers otherwise");
            }
        }
    });
});

/// What is found by name.
fn answers(program: &Path, kept: &Path) -> Option<Vec<String>> {
    let image = Image::open_in(program, &DebugFolders { global: Vec::new(), debuginfod: None }).ok()?;
    image.keep_index(Arc::new(IndexStore::in_folder(kept.to_owned(), 1 << 30)));
    let _ = image.index();
    let mut found = Vec::new();
    for text in ["main", "walk", "chain", "/a/"] {
        let query = FunctionQuery::parse(text).expect("a query");
        found.extend(image.find_functions(&query).iter().map(|found| found.function.path.clone()));
    }
    for path in ["int", "u32", "node", "seed::Shape"] {
        found.extend(image.types(path).iter().map(|ty| format!("{:?} {}", ty.die(), ty.path())));
    }
    found.extend(image.statics_of("seed", 16).iter().map(|found| format!("{found:?}")));
    Some(found)
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tear(data, size, max_size, seed, fuzzer_mutate)
});
