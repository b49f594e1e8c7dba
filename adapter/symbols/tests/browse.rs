//! What a file has to offer: places for breakpoints, sources, names of addresses.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;

use support::{
    COMPRESSED, DEBUG, DEBUG_DWARF_5, LINES_ONLY, OPTIMISED, PACKED, PACKED_DWARF_5, UNPACKED, UNPACKED_DWARF_5, image,
    line, source,
};
use weft_memory::{Bias, FileAddr, MemAddr};
use weft_symbols::{CodePlace, Module, Modules};

const ALL: [&[&str]; 9] =
    [DEBUG, DEBUG_DWARF_5, COMPRESSED, LINES_ONLY, OPTIMISED, PACKED, PACKED_DWARF_5, UNPACKED, UNPACKED_DWARF_5];

fn loaded(flags: &'static [&'static str]) -> Modules {
    let range = MemAddr::new(0x5555_0000_0000)..MemAddr::new(0x5555_1000_0000);
    Modules::new(vec![Module { image: image(flags), bias: Bias::between(FileAddr::new(0), range.start), range }])
}

#[test]
fn every_statement_of_a_range_of_lines_is_a_place() {
    for flags in ALL {
        let modules = loaded(flags);
        let (first, last) = (line("generic"), line("after nothing"));
        let places = modules.breakpoint_locations(&source(), first..=last).unwrap();
        assert!(places.is_sorted() && !places.is_empty(), "{flags:?}");
        assert!(places.iter().all(|place| (first..=last).contains(&place.line)), "{places:?}");
        assert!(places.iter().any(|place| place.line == first), "{places:?} {flags:?}");
        assert!(places.iter().all(|place| place.line != line("nothing")), "{places:?}");
        let suffix = Path::new("fixtures/lines.rs");
        assert_eq!(modules.breakpoint_locations(suffix, first..=last).unwrap(), places);
    }
    let modules = loaded(DEBUG);
    assert_eq!(modules.breakpoint_locations(Path::new("/no/such.rs"), 1..=100).unwrap(), []);
    assert_eq!(modules.breakpoint_locations(&source(), line("nothing")..=line("nothing")).unwrap(), []);
    // One line with two calls one in the other: a place for each.
    let closure = modules.breakpoint_locations(&source(), line("closure")..=line("closure")).unwrap();
    let columns: Vec<u32> = closure.iter().map(|place| place.column).collect();
    let text = std::fs::read_to_string(source()).unwrap();
    let code = text.lines().nth(line("closure") as usize - 1).unwrap();
    for part in ["iter()", "black_box", "sum()"] {
        let column = u32::try_from(code.find(part).unwrap() + 1).unwrap();
        assert!(columns.contains(&column), "{part} at {column}: {columns:?}");
    }
    // Whoever asks for one of them gets it.
    for place in modules.breakpoint_locations(&source(), 1..=200).unwrap().iter().filter(|place| place.column != 0) {
        let found = image(DEBUG).find_place(&source(), place.line, Some(place.column)).unwrap();
        let found = found.unwrap_or_else(|| panic!("nothing at {place:?}"));
        assert_eq!((found.line, found.column), (place.line, place.column));
    }
}

#[test]
fn places_agree_with_the_rows_of_addresses() {
    let image = image(DEBUG);
    let entry = image.find_line(&source(), line("entry")).unwrap().unwrap();
    let code = image.frames_at(entry.addresses[0]).unwrap().pop().unwrap();
    let statements = code.statements().unwrap();
    assert!(statements.is_sorted_by_key(|row| row.address));
    let lines: Vec<u32> = statements.iter().map(|row| row.source.line).collect();
    for mark in ["entry", "first call", "second call"] {
        assert!(lines.contains(&line(mark)), "{mark}: {lines:?}");
    }
    let places = image.breakpoint_locations(&source(), 1..=10_000).unwrap();
    for row in &statements {
        assert!(places.contains(&CodePlace { line: row.source.line, column: row.source.column }), "{row:?}");
    }
}

#[test]
fn inlined_code_is_not_the_callers_own() {
    let image = image(OPTIMISED);
    let entry = image.find_line(&source(), line("second call")).unwrap().unwrap();
    let code = image.frames_at(entry.addresses[0]).unwrap().pop().unwrap();
    assert!(code.function.name.ends_with("calls_inlined"), "{}", code.function.name);
    let statements = code.statements().unwrap();
    assert!(statements.iter().all(|row| row.source.line != line("inlined")), "{statements:?}");
}

#[test]
fn sources_are_listed_once() {
    for flags in ALL {
        let sources = loaded(flags).sources();
        assert!(sources.is_sorted() && sources.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(sources.iter().any(|path| **path == *source()), "{flags:?}");
        assert!(sources.iter().any(|path| path.ends_with("library/core/src/ptr/mod.rs")), "{flags:?}");
        assert!(!sources.iter().any(|path| path.to_string_lossy().contains('<')), "{sources:?}");
    }
}

#[test]
fn addresses_are_called_by_their_function() {
    for flags in [DEBUG, OPTIMISED] {
        let modules = loaded(flags);
        let module = modules.iter().next().unwrap();
        let entry = module.image.find_line(&source(), line("first call")).unwrap().unwrap();
        let address = module.bias.to_memory(entry.addresses[0]);
        let name = modules.code_name(address).unwrap();
        assert_eq!(name.name, "fixture::calls_inlined");
        let start = modules.code_name(address.checked_sub(name.offset).unwrap()).unwrap();
        assert_eq!((start.name.as_str(), start.offset), ("fixture::calls_inlined", 0));
        // Start-up code has no debug information, but a symbol.
        let entry = module.bias.to_memory(module.image.entry());
        assert_eq!(modules.code_name(entry).unwrap().name, "_start");
        assert_eq!(modules.code_name(MemAddr::new(0x10)), None);
    }
}
