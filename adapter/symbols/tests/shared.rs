//! Debug information that was made smaller by `dwz`: parts of units in units of their own, and parts of two programs in a
//! supplementary file. Everything is answered as before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::{DEBUG, OPTIMISED, line, program, source};
use weft_memory::FileAddr;
use weft_symbols::{DebugFolders, Image, Type};

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shared-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(&self, flags: &'static [&'static str], name: &str) -> PathBuf {
        let to = self.0.join(name);
        std::fs::copy(program(flags), &to).unwrap();
        to
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `dwz` in a folder; false where there is none.
fn dwz(folder: &Folder, arguments: &[&str]) -> bool {
    match Command::new("dwz").args(arguments).current_dir(&folder.0).status() {
        Ok(status) => {
            assert!(status.success(), "dwz {arguments:?}");
            true
        }
        Err(error) => {
            eprintln!("skipped, dwz cannot be run (Debian, Fedora: package `dwz`): {error}");
            false
        }
    }
}

/// A type as far as two levels down.
fn describe(ty: &Type, depth: usize, text: &mut String) {
    let declared = ty.declared().map(|at| format!("{}:{}", at.file.display(), at.line));
    write!(text, "{} ({} bytes, {:?}, {declared:?})", ty.path(), ty.size(), std::mem::discriminant(ty.kind())).unwrap();
    for member in ty.members() {
        write!(text, " .{} at {:?}: ", member.name, member.offset).unwrap();
        match member.ty.and_then(|of| ty.at(of)) {
            Some(of) if depth > 0 => describe(&of, depth - 1, text),
            Some(of) => text.push_str(of.path()),
            None => text.push('?'),
        }
    }
}

/// All that an image tells of the fixture.
fn everything(image: &Arc<Image>) -> String {
    let mut text = String::new();
    let mut symbols = image.symbols_containing("fixture");
    symbols.retain(|symbol| !symbol.thread_local);
    symbols.sort_by_key(|symbol| symbol.address);
    for symbol in symbols {
        for frame in image.frames_at(symbol.address).unwrap() {
            let function = &frame.function;
            writeln!(text, "{} {} {} {:?}", symbol.address, function.path, function.name, function.declared).unwrap();
            for variable in frame.variables_at(symbol.address).unwrap() {
                write!(text, "  {:?} {:?} {:?} ", variable.name, variable.role, variable.kept(&frame, symbol.address))
                    .unwrap();
                if let Some(ty) = &variable.ty {
                    describe(ty, 1, &mut text);
                }
                text.push('\n');
            }
        }
        writeln!(text, "{:?}", image.line_at(symbol.address).unwrap()).unwrap();
    }
    // Vtables have no symbols; they are in data that is relocated when the program is loaded.
    let data = image.segments().iter().filter(|segment| segment.writable).map(|segment| segment.addresses.clone());
    let words = data.flat_map(|range| (range.start.raw()..range.end.raw()).step_by(8));
    let vtables = words.filter_map(|at| Some((at, image.vtable_type(FileAddr::new(at))?.path().to_owned())));
    let vtables: Vec<_> = vtables.collect();
    writeln!(text, "{vtables:?}").unwrap();
    for path in [
        "fixture::outer::inner::Pair",
        "core::task::poll::Poll",
        "core::option::Option",
        "u32",
        "alloc::string::String",
    ] {
        let mut types: Vec<_> = image.types_of_any_arguments(path).collect();
        types.sort_by_key(|ty| ty.path().to_owned());
        for ty in types {
            describe(&ty, 1, &mut text);
            text.push('\n');
        }
    }
    for path in ["fixture::generic", "fixture::outer::inner::Pair::first", "core::ptr::drop_in_place", "fixture::main"]
    {
        writeln!(text, "{:?}", image.functions(path).iter().map(|found| found.address).collect::<Vec<_>>()).unwrap();
    }
    for found in image.statics_of("fixture", 100) {
        let ty = found.ty.as_ref().map(Type::path);
        writeln!(text, "{} {:?} {ty:?} {}", found.path, found.address, found.thread_local).unwrap();
    }
    for mark in ["generic", "inlined", "first call", "closure", "drop"] {
        writeln!(text, "{:?}", image.find_line(&source(), line(mark)).unwrap()).unwrap();
    }
    text
}

fn compare(changed: &Path, flags: &'static [&'static str]) {
    let (before, after) = (Image::open(&program(flags)).unwrap(), Image::open(changed).unwrap());
    let (before, text) = (everything(&before), everything(&after));
    assert!(before.len() > 10_000, "{}", before.len());
    assert!(before.contains("\"fixture::Droppable\")"), "no vtable was found");
    for (before, after) in before.lines().zip(text.lines()) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), text.len());
    assert_eq!(after.missing(), [""; 0]);
}

#[test]
fn parts_of_units_are_found() {
    let folder = Folder::new("one");
    for flags in [DEBUG, OPTIMISED] {
        let path = folder.with(flags, "program");
        if !dwz(&folder, &["program"]) {
            return;
        }
        compare(&path, flags);
    }
}

/// DWARF 5 has a link of its own, with a check sum.
#[test]
fn a_shared_file_is_known_by_its_check_sum() {
    let folder = Folder::new("sum");
    let text = "struct point { int x; long y; struct { int a, b, c; char name[20]; } inner; };\n\
                int main(void) { struct point point = { 0 }; return point.x; }\n";
    std::fs::write(folder.0.join("point.c"), text).unwrap();
    for (name, level) in [("one", "-O0"), ("two", "-O1")] {
        let mut gcc = Command::new("gcc");
        let done = gcc.args(["-gdwarf-5", level, "-o", name, "point.c"]).current_dir(&folder.0).status().unwrap();
        assert!(done.success());
    }
    let one = folder.0.join("one");
    if !dwz(&folder, &["--dwarf-5", "-m", "common.debug", "-r", "one", "two"]) {
        return;
    }
    assert_eq!(Image::open(&one).unwrap().missing(), [""; 0]);
    // The program has the same check sum, as the name of another.
    std::fs::copy(&one, folder.0.join("common.debug")).unwrap();
    let said = Image::open(&one).unwrap().missing();
    assert!(said.len() == 1 && said[0].contains("is of another build"), "{said:?}");
}

#[test]
fn what_two_programs_share_is_found() {
    let folder = Folder::new("two");
    let (one, two) = (folder.with(DEBUG, "one"), folder.with(OPTIMISED, "two"));
    if !dwz(&folder, &["-m", "common.debug", "-r", "one", "two"]) {
        return;
    }
    compare(&one, DEBUG);
    compare(&two, OPTIMISED);
    // In the folder of such files, then nowhere, then one that was made for others.
    let global = folder.0.join("debug");
    std::fs::create_dir_all(global.join(".dwz")).unwrap();
    std::fs::rename(folder.0.join("common.debug"), global.join(".dwz/common.debug")).unwrap();
    let folders = DebugFolders::and_usual([global]);
    let image = Image::open_in(&one, &folders).unwrap();
    assert_eq!(image.missing(), [""; 0]);
    assert_eq!(everything(&image), everything(&Image::open(&program(DEBUG)).unwrap()));
    let only_lines = |why: &str| {
        let image = Image::open(&one).unwrap();
        let said = image.missing();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains(why) && said[0].contains(folder.0.join("common.debug").to_str().unwrap()), "{said:?}");
        // The folders of the sources are in the shared file too.
        let main = image.symbols_containing("fixture4main").first().unwrap().address;
        let at = image.line_at(main).unwrap().unwrap();
        assert!(at.file.ends_with("lines.rs") && at.line != 0, "{at:?}");
        everything(&image);
    };
    only_lines("is missing");
    std::fs::copy(program(DEBUG), folder.0.join("common.debug")).unwrap();
    only_lines("is of another build");
}
