//! Functions by what users call them, and where they are stopped at.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use support::{
    DEBUG, DEBUG_DWARF_5, OPTIMISED, OPTIMISED_DWARF_5, PACKED, PACKED_DWARF_5, UNPACKED, UNPACKED_DWARF_5,
    WHOLE_PROGRAM, image, line, source,
};
use weft_memory::DwarfRegister;
use weft_symbols::{Fit, FoundFunction, FunctionQuery, FunctionStart, Image, ValueAt};

const ALL: [&[&str]; 9] = [
    DEBUG,
    DEBUG_DWARF_5,
    OPTIMISED,
    OPTIMISED_DWARF_5,
    WHOLE_PROGRAM,
    PACKED,
    PACKED_DWARF_5,
    UNPACKED,
    UNPACKED_DWARF_5,
];

fn search(image: &Arc<Image>, query: &str) -> Vec<FoundFunction> {
    image.find_functions(&FunctionQuery::parse(query).unwrap())
}

/// Paths of the functions of the fixture that a query means.
fn paths(image: &Arc<Image>, query: &str) -> Vec<String> {
    let found = search(image, query);
    found.iter().filter(|found| found.function.krate == "fixture").map(|found| found.function.path.clone()).collect()
}

/// Lines of the fixture where a query stops, with how often.
fn stops(image: &Arc<Image>, query: &str) -> BTreeMap<u32, usize> {
    let found = search(image, query);
    let own: Vec<&FoundFunction> = found.iter().filter(|found| found.function.krate == "fixture").collect();
    let mut lines = BTreeMap::new();
    for FunctionStart { address, at_each_poll, .. } in image.starts_of(&own, 1000) {
        assert!(!at_each_poll);
        let at = image.line_at(address).unwrap().unwrap();
        assert_eq!(&*at.file, source().as_path());
        *lines.entry(at.line).or_default() += 1;
    }
    lines
}

#[test]
fn the_end_of_a_path_is_enough() {
    for flags in ALL {
        let image = image(flags);
        let first = paths(&image, "Pair::first");
        assert_eq!(first, paths(&image, "fixture::outer::inner::Pair::first"), "{flags:?}");
        assert_eq!(first, paths(&image, "Pair<A, B>::first"));
        assert!(!first.is_empty());
        assert_eq!(paths(&image, "speak"), ["fixture::{impl#2}::speak"], "{flags:?}");
        for query in ["Droppable::speak", "Speak::speak", "<Droppable as Speak>::speak", "outer::Speak::speak"] {
            assert_eq!(paths(&image, query), ["fixture::{impl#2}::speak"], "{query} {flags:?}");
        }
        assert_eq!(search(&image, "fixture::ways")[0].fit, Fit::Whole);
        assert_eq!(search(&image, "ways")[0].fit, Fit::End);
        assert!(paths(&image, "inner::ways").is_empty());
    }
}

#[test]
fn an_async_function_is_its_body() {
    for flags in ALL {
        let image = image(flags);
        assert_eq!(paths(&image, "awaits"), ["fixture::awaits::{async_fn#0}"], "{flags:?}");
        assert_eq!(paths(&image, "in_loop"), ["fixture::in_loop::{async_fn#0}"], "{flags:?}");
    }
}

#[test]
fn every_instantiation_is_stopped_behind_its_prologue() {
    for flags in [DEBUG, DEBUG_DWARF_5, PACKED, UNPACKED_DWARF_5] {
        let image = image(flags);
        assert_eq!(stops(&image, "generic"), BTreeMap::from([(line("generic"), 4)]), "{flags:?}");
        assert_eq!(stops(&image, "calls_inlined"), BTreeMap::from([(line("first call"), 1)]));
        let bodies = stops(&image, "awaits");
        assert_eq!(bodies, BTreeMap::from([(line("await") - 1, 1)]), "{flags:?}");
        assert_eq!(stops(&image, "generic_await"), BTreeMap::from([(line("generic await"), 2)]));
        assert_eq!(stops(&image, "closure {closure}"), BTreeMap::from([(line("closure"), 1)]));
        assert_eq!(stops(&image, "closure::{closure#0}"), BTreeMap::from([(line("closure"), 1)]));
    }
}

#[test]
fn inlined_copies_are_stopped_at_too() {
    for flags in [OPTIMISED, OPTIMISED_DWARF_5, WHOLE_PROGRAM, PACKED_DWARF_5, UNPACKED] {
        let image = image(flags);
        let found = search(&image, "fixture::inlined");
        let starts = image.starts_of(&found.iter().collect::<Vec<_>>(), 1000);
        let inlined: Vec<_> = starts.iter().filter(|start| start.inlined).collect();
        assert!(inlined.len() >= 2, "{flags:?} {starts:?}");
        for start in inlined {
            let frames = image.frames_at(start.address).unwrap();
            assert!(frames.iter().any(|frame| frame.function.name == "fixture::inlined"), "{frames:?}");
        }
        assert_eq!(image.starts_of(&found.iter().collect::<Vec<_>>(), 1).len(), 1);
    }
}

#[test]
fn an_inlined_coroutine_has_a_start_for_each_copy() {
    let image = image(OPTIMISED);
    for query in ["awaits", "in_loop"] {
        let found = search(&image, query);
        let starts = image.starts_of(&found.iter().collect::<Vec<_>>(), 1000);
        assert!(!starts.is_empty(), "{query}");
        // Where the first poll cannot be told from the others, the start says so.
        for start in starts {
            let frames = image.frames_at(start.address).unwrap();
            assert!(frames.iter().any(|frame| frame.function.name == format!("fixture::{query}")), "{frames:?}");
        }
    }
}

#[test]
fn patterns_look_at_whole_names() {
    let image = image(DEBUG);
    assert_eq!(
        paths(&image, "/^fixture::(awaits|in_loop)$/"),
        ["fixture::awaits::{async_fn#0}", "fixture::in_loop::{async_fn#0}"]
    );
    assert_eq!(paths(&image, "/Droppable::sp/"), ["fixture::{impl#2}::speak"]);
    assert!(paths(&image, "/^awaits/").is_empty());
}

#[test]
fn symbols_are_found_without_debug_information() {
    let program = image(DEBUG);
    let query = |text| FunctionQuery::parse(text).unwrap();
    let main = program.find_symbols(&query("main"));
    assert!(main.iter().any(|found| found.symbol.name == "main" && found.fit == Fit::Whole), "{main:?}");
    let speak = program.find_symbols(&query("<Droppable as Speak>::speak"));
    assert_eq!(speak.len(), 1);
    let libc = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = libc.lines().find_map(|line| line.split_whitespace().nth(5).filter(|path| path.contains("libc.so")));
    let libc = Image::open(std::path::Path::new(libc.unwrap())).unwrap();
    let malloc = libc.find_symbols(&query("malloc"));
    assert_eq!(malloc.iter().map(|found| (found.fit, found.indirect)).collect::<Vec<_>>(), [(Fit::Whole, false)]);
    assert!(libc.find_symbols(&query("memcpy")).iter().any(|found| found.indirect));
}

#[test]
fn what_is_nearly_right_is_offered() {
    let image = image(DEBUG);
    let near = |text| image.similar_functions(&FunctionQuery::parse(text).unwrap(), 3);
    assert_eq!(near("calls_inlinde")[0], (2, "fixture::calls_inlined".to_owned()));
    assert_eq!(near("Pair::fist")[0], (1, "fixture::outer::inner::Pair::first".to_owned()));
    assert_eq!(near("awiats")[0].1, "fixture::awaits");
    assert!(near("nothing_that_is_anywhere_near_anything").is_empty());
}

/// Where a counter's copies have the number that they have just given.
#[test]
fn numbers_are_found_where_they_are_given() {
    for flags in ALL {
        let image = image(flags);
        let copies = image.copies_of("fixture::number");
        let depths: Vec<u32> = copies.iter().map(|copy| copy.inline_depth).collect();
        let is_optimised = flags.contains(&"-O");
        assert_eq!(depths, if is_optimised { vec![1, 1] } else { vec![0] }, "{flags:?}");
        for copy in &copies {
            let found = if is_optimised { copy.words_added_to() } else { copy.returned_words() };
            assert_eq!(found.len(), 1, "{flags:?} {copy:?}");
            let ValueAt { address, register } = found[0];
            assert_eq!(image.begins_instruction(address), Some(true), "{flags:?} {address}");
            assert!(is_optimised || register == DwarfRegister::RAX, "{flags:?}");
        }
        assert!(image.copies_of("fixture::no_number").is_empty());
    }
}
