//! Names, statics, vtables and thread-locals of compiled programs, against what the programs say themselves.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;

use support::{
    COMPRESSED, DEBUG, DEBUG_DWARF_5, OPTIMISED, OPTIMISED_DWARF_5, PACKED, PACKED_DWARF_5, UNPACKED, UNPACKED_DWARF_5,
    WHOLE_PROGRAM, image, program,
};
use weft_memory::{Bias, Bytes, FileAddr, MemAddr};
use weft_symbols::{Image, Module, Modules};

const ALL: [&[&str]; 10] = [
    DEBUG,
    DEBUG_DWARF_5,
    COMPRESSED,
    OPTIMISED,
    OPTIMISED_DWARF_5,
    WHOLE_PROGRAM,
    PACKED,
    PACKED_DWARF_5,
    UNPACKED,
    UNPACKED_DWARF_5,
];

/// What the program printed, and its image.
fn run(flags: &'static [&'static str]) -> (Arc<Image>, HashMap<String, u64>) {
    let output = Command::new(program(flags)).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let facts = text.lines().map(|line| line.split_once(' ').unwrap());
    (image(flags), facts.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect())
}

fn bias(image: &Arc<Image>, facts: &HashMap<String, u64>) -> Bias {
    let main = image.functions("fixture::main");
    assert_eq!(main.len(), 1);
    Bias::between(main[0].address, MemAddr::new(facts["main"]))
}

#[test]
fn types_are_found_by_exact_path() {
    for flags in ALL {
        let image = image(flags);
        let paths = |path| image.types(path).iter().map(|ty| ty.path().to_owned()).collect::<Vec<_>>();
        for path in [
            "fixture::Droppable",
            "fixture::outer::inner::Pair<u8, u16>",
            "fixture::outer::inner::Pair<u32, &str>",
            "core::task::poll::Poll<u32>",
            "u32",
            "fixture::awaits::{async_fn_env#0}",
        ] {
            assert_eq!(paths(path), [path], "{flags:?}");
        }
        for path in ["fixture::Nothing", "Droppable", "fixture::outer::inner::Pair", "", "::", "fixture::", "x::u32"] {
            assert_eq!(paths(path), [""; 0], "{path}");
        }
    }
}

#[test]
fn types_are_found_whatever_their_arguments() {
    for flags in ALL {
        let image = image(flags);
        let mut names: Vec<_> =
            image.types_of_any_arguments("fixture::outer::inner::Pair").map(|ty| ty.name().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["Pair<u32, &str>", "Pair<u8, u16>"]);
        assert_eq!(image.types_of_any_arguments("fixture::generic_await::{async_fn_env#0}").count(), 2);
        assert_eq!(image.types_of_any_arguments("fixture::Droppable").count(), 1);
    }
}

#[test]
fn functions_are_found_with_all_their_instantiations() {
    for flags in ALL {
        let image = image(flags);
        for (path, count) in [
            ("fixture::generic", 4),
            ("fixture::calls_inlined", 1),
            ("fixture::outer::inner::Pair::first", 2),
            ("fixture::nothing", 0),
        ] {
            let found = image.functions(path);
            assert_eq!(found.len(), count, "{path} {flags:?}");
            for function in found {
                let frames = image.frames_at(function.address).unwrap();
                assert_eq!(frames.last().unwrap().entry, function.address);
            }
        }
    }
    // Unoptimised, a coroutine's poll function is not inlined.
    assert_eq!(image(DEBUG).functions("fixture::awaits::{async_fn#0}").len(), 1);
    assert_eq!(image(DEBUG).functions("fixture::generic_await::{async_fn#0}").len(), 2);
}

#[test]
fn statics_are_where_the_program_says() {
    for flags in ALL {
        let (image, facts) = run(flags);
        let counter = image.statics("fixture::COUNTER");
        let of_crate: Vec<String> = image.statics_of("fixture", 100).into_iter().map(|found| found.path).collect();
        assert!(of_crate.contains(&"fixture::COUNTER".to_owned()), "{of_crate:?}");
        assert!(of_crate.iter().all(|path| path.starts_with("fixture::") && !path.contains('{')), "{of_crate:?}");
        assert_eq!(image.statics_of("fixture", 0).len(), 0);
        assert_eq!(counter.len(), 1);
        assert!(!counter[0].thread_local);
        assert_eq!(bias(&image, &facts).to_memory(counter[0].address).raw(), facts["counter"]);
        assert!(counter[0].ty.as_ref().unwrap().path().starts_with("core::sync::atomic::Atomic"));
    }
}

#[test]
fn a_thread_local_is_where_the_program_says() {
    for flags in ALL {
        let (image, facts) = run(flags);
        let module =
            Module { image: image.clone(), bias: bias(&image, &facts), range: MemAddr::new(0)..MemAddr::new(u64::MAX) };
        let modules = Modules::new(vec![module.clone()]);
        let name = image.statics("fixture::NAME::{constant#0}::{closure#0}::__RUST_STD_INTERNAL_VAL");
        let twin = image.statics("fixture::NAME::{constant#0}::{closure#1}::__RUST_STD_INTERNAL_VAL");
        let live: Vec<_> = name.iter().chain(&twin).collect();
        assert_eq!(live.len(), 1, "one of the twins is dead: {live:?}");
        let at = modules.thread_local(&module, live[0], facts["fs_base"], &Bytes::new()).unwrap();
        assert_eq!(at.raw(), facts["name"], "{flags:?}");
        // Not for another module's variables, nor for plain statics.
        assert_eq!(
            modules.thread_local(&module, &image.statics("fixture::COUNTER")[0], facts["fs_base"], &Bytes::new()),
            None
        );
    }
}

#[test]
fn a_vtable_tells_its_type() {
    for flags in ALL {
        let (image, facts) = run(flags);
        let vtable = bias(&image, &facts).to_file(MemAddr::new(facts["vtable"]));
        assert_eq!(image.vtable_type(vtable).unwrap().path(), "fixture::Droppable", "{flags:?}");
        assert_eq!(image.vtable_type(vtable.offset(8)), None);
        assert_eq!(image.vtable_type(FileAddr::new(0)), None);
    }
}

#[test]
fn symbols_are_found_by_name_part_and_address() {
    for flags in ALL {
        let image = image(flags);
        let main = image.symbol("main").unwrap();
        assert!(!main.thread_local);
        assert_eq!(image.symbol_at(main.address).unwrap().name, "main");
        assert_eq!(image.symbol("mai"), None);
        assert_eq!(image.symbol("ain"), None);
        let generic = image.symbols_containing("fixture7generic17h");
        assert_eq!(generic.len(), 4);
        for symbol in generic {
            assert_eq!(image.symbol(&symbol.name), Some(symbol.clone()));
            assert_eq!(image.symbol_at(symbol.address.offset(1)), Some(symbol));
        }
        assert_eq!(image.symbol_at(FileAddr::new(0)), None);
        assert_eq!(image.symbol_at(FileAddr::new(u64::MAX)), None);
    }
}

#[test]
fn many_ask_for_the_index_at_once() {
    let image = image(DEBUG);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(image.types("fixture::Droppable").len(), 1));
        }
    });
}
