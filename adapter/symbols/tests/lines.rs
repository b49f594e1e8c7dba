//! Lines to addresses and back, on compiled programs.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;

use support::{
    COMPRESSED, DEBUG, DEBUG_DWARF_5, LINES_ONLY, OPTIMISED, OPTIMISED_DWARF_5, PACKED, PACKED_DWARF_5, UNPACKED,
    UNPACKED_DWARF_5, image, line, source,
};
use weft_memory::FileAddr;
use weft_symbols::{Image, LineMatch};

const UNOPTIMISED: [&[&str]; 5] = [DEBUG, DEBUG_DWARF_5, COMPRESSED, PACKED, UNPACKED_DWARF_5];
const ALL: [&[&str]; 10] = [
    DEBUG,
    DEBUG_DWARF_5,
    COMPRESSED,
    LINES_ONLY,
    OPTIMISED,
    OPTIMISED_DWARF_5,
    PACKED,
    PACKED_DWARF_5,
    UNPACKED,
    UNPACKED_DWARF_5,
];

fn find(image: &Image, mark: &str) -> LineMatch {
    image.find_line(&source(), line(mark)).unwrap().unwrap_or_else(|| panic!("{mark} has no code"))
}

#[test]
fn every_place_is_on_the_line() {
    // Optimised, some lines have no code of their own.
    for flags in ALL {
        let image = image(flags);
        let optimised = flags.contains(&"-O");
        for mark in ["generic", "ready", "await", "sum", "inlined", "loop await"] {
            let found = find(&image, mark);
            if optimised && found.line != line(mark) {
                continue;
            }
            assert_eq!(found.line, line(mark), "{mark} {flags:?}");
            assert_eq!(&*found.file, source().as_path());
            assert!(!found.addresses.is_empty());
            assert!(found.addresses.is_sorted());
            for address in &found.addresses {
                let at = image.line_at(*address).unwrap().unwrap();
                assert_eq!((at.line, &*at.file), (line(mark), source().as_path()), "{mark} {flags:?}");
                let rows = image.rows_in(*address..address.checked_add(1).unwrap()).unwrap();
                assert!(rows.iter().any(|row| row.address == *address && row.is_stmt && row.source == at));
            }
        }
    }
}

#[test]
fn each_instantiation_has_a_place() {
    for flags in ALL {
        assert_eq!(find(&image(flags), "generic").addresses.len(), 4, "{flags:?}");
    }
}

#[test]
fn a_closure_on_the_line_has_its_own_place() {
    for flags in UNOPTIMISED {
        assert_eq!(find(&image(flags), "closure").addresses.len(), 2);
    }
}

#[test]
fn an_inlined_function_has_a_place_in_every_copy() {
    for flags in [OPTIMISED, OPTIMISED_DWARF_5, PACKED_DWARF_5, UNPACKED] {
        assert_eq!(find(&image(flags), "inlined").addresses.len(), 2, "{flags:?}");
    }
}

#[test]
fn a_line_without_code_moves_to_the_next_that_has_some() {
    for flags in UNOPTIMISED {
        assert_eq!(find(&image(flags), "nothing").line, line("after nothing"), "{flags:?}");
    }
}

#[test]
fn there_is_nothing_behind_the_last_line() {
    for flags in ALL {
        assert_eq!(image(flags).find_line(&source(), line("past all code")).unwrap(), None);
    }
}

#[test]
fn an_entry_moves_behind_the_prologue() {
    for flags in UNOPTIMISED {
        let image = image(flags);
        let found = find(&image, "entry");
        assert_eq!((found.line, found.addresses.len()), (line("first call"), 1), "{flags:?}");
        assert_eq!(found.addresses, find(&image, "first call").addresses);
        let rows = image.rows_in(found.addresses[0]..found.addresses[0].checked_add(1).unwrap()).unwrap();
        assert!(rows[0].prologue_end);
    }
}

#[test]
fn a_path_is_matched_by_whole_components() {
    for flags in ALL {
        let image = image(flags);
        let whole = find(&image, "closure");
        for path in ["fixtures/lines.rs", "tests/fixtures/lines.rs", "lines.rs"] {
            assert_eq!(image.find_line(Path::new(path), line("closure")).unwrap().as_ref(), Some(&whole));
            assert!(!image.source_files(Path::new(path)).is_empty());
        }
        for path in ["xtures/lines.rs", "/lines.rs", "other/fixtures/lines.rs", "", "/", ".."] {
            assert_eq!(image.find_line(Path::new(path), line("closure")).unwrap(), None, "{path}");
            assert!(image.source_files(Path::new(path)).is_empty());
        }
    }
}

#[test]
fn the_standard_library_is_found_by_its_own_path() {
    for flags in ALL {
        let image = image(flags);
        assert!(!image.source_files(Path::new("library/core/src/option.rs")).is_empty());
        assert!(!image.source_files(Path::new("/x/lib/rustlib/src/rust/library/core/src/option.rs")).is_empty());
        assert!(image.source_files(Path::new("/x/library/core/src/option.rs")).is_empty());
    }
}

#[test]
fn rows_cover_a_function_without_gaps() {
    for flags in ALL {
        let image = image(flags);
        let start = find(&image, "first call").addresses[0];
        let end = start.checked_add(40).unwrap();
        let rows = image.rows_in(start..end).unwrap();
        assert!(rows[0].address <= start && rows[0].end > start);
        for pair in rows.windows(2) {
            assert!(pair[0].end <= pair[1].address && pair[0].address < pair[0].end);
        }
    }
}

#[test]
fn addresses_without_code_have_no_line() {
    let image = image(DEBUG);
    for address in [0, 1, u64::MAX] {
        let address = FileAddr::new(address);
        assert_eq!(image.line_at(address).unwrap(), None);
        assert_eq!(image.rows_in(address..address).unwrap(), []);
    }
}

#[test]
fn an_await_is_stopped_at_once_per_evaluation() {
    for flags in UNOPTIMISED {
        let image = image(flags);
        for (mark, instances) in
            [("await", 1), ("second await", 1), ("generic await", 2), ("loop await", 1), ("many awaits", 1)]
        {
            let found = find(&image, mark);
            assert_eq!((found.line, found.addresses.len()), (line(mark), instances), "{mark} {flags:?}");
        }
    }
}

#[test]
fn pieces_of_one_statement_are_one_place() {
    // Additions that check for overflow, a macro with blocks of its own; an end that two ways lead to, each through a
    // row of its own.
    for flags in UNOPTIMISED {
        let image = image(flags);
        for mark in ["pieces", "macro", "last line", "end of ways"] {
            let found = find(&image, mark);
            let count = if mark == "end of ways" { 2 } else { 1 };
            assert_eq!((found.line, found.addresses.len()), (line(mark), count), "{mark} {flags:?}");
        }
    }
}

#[test]
fn an_async_function_is_entered_once_per_call() {
    for flags in UNOPTIMISED {
        let image = image(flags);
        let header = line("await") - 2;
        let found = image.find_line(&source(), header).unwrap().unwrap();
        // The poll function only, behind the jump on its state; not the function that makes the future.
        assert_eq!((found.line, found.addresses.len()), (header, 1), "{flags:?}");
        let frames = image.frames_at(found.addresses[0]).unwrap();
        assert!(frames[0].function.kind.is_coroutine());
        assert!(found.addresses[0] > frames[0].entry);
    }
}

#[test]
fn a_place_behind_the_jump_on_a_state_has_a_line() {
    // What the compiler puts there to move the arguments into the coroutine belongs to no line.
    for flags in UNOPTIMISED {
        let image = image(flags);
        for mark in ["many header", "one line"] {
            for address in find(&image, mark).addresses {
                assert_ne!(image.line_at(address).unwrap().unwrap().line, 0, "{mark} {flags:?}");
            }
        }
    }
}

#[test]
fn large_programs_are_read_too() {
    // This test program itself, with the file it was made from.
    let image = Image::open(&std::env::current_exe().unwrap()).unwrap();
    let here = line!();
    let found = image.find_line(Path::new(file!()), here).unwrap().unwrap();
    assert_eq!(found.line, here);
    assert!(found.file.ends_with(file!()), "{:?}", found.file);
}

/// One line is found by running one function's part of a line program, many by running all of it.
#[test]
fn one_line_is_what_the_whole_program_says() {
    for flags in ALL {
        let (one, all) = (image(flags), image(flags));
        let code = one.segments().iter().find(|segment| segment.executable).unwrap().addresses.clone();
        let mut asked = 0;
        for address in (code.start.raw()..code.end.raw()).step_by(61).take(3000).map(FileAddr::new) {
            let rows = all.rows_in(address..address.checked_add(1).unwrap()).unwrap();
            let row = rows.into_iter().rfind(|row| row.address <= address && address < row.end);
            assert_eq!(one.line_at(address).unwrap(), row.map(|row| row.source), "{address} {flags:?}");
            asked += 1;
        }
        assert!(asked > 1000, "{flags:?}");
    }
}
