//! Split debug information: what is said, and what still works, when the other half is not there or not the right one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::{DEBUG, PACKED, PACKED_DWARF_5, UNPACKED, UNPACKED_DWARF_5, UNPACKED_FUNCTIONS, line, program, source};
use weft_memory::FileAddr;
use weft_symbols::{Detail, Image, IndexStore, MOST_KEPT};

const PACKAGES: [&[&str]; 2] = [PACKED, PACKED_DWARF_5];
const OBJECTS: [&[&str]; 2] = [UNPACKED, UNPACKED_DWARF_5];

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("split-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A copy of a file.
    fn with(&self, file: &Path, name: &str) -> PathBuf {
        let to = self.0.join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, &to).unwrap();
        to
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn package_of(program: &Path) -> PathBuf {
    program.with_added_extension("dwp")
}

/// The `.dwo` files of a program.
fn objects_of(program: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(program).unwrap();
    let folder = program.parent().unwrap();
    let all = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    // Those of other builds of the fixture lie there too.
    let named = |path: &Path| memchr::memmem::find(&bytes, path.file_name().unwrap().as_encoded_bytes()).is_some();
    let found: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|tail| tail == "dwo") && named(path)).collect();
    assert!(!found.is_empty(), "{}", program.display());
    found
}

/// The program as if all folders of its build were gone: the paths of its `.dwo` files lead nowhere.
fn moved(program: &Path, to: &Path) {
    let folder = program.parent().unwrap().as_os_str().as_encoded_bytes();
    let mut bytes = std::fs::read(program).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, folder).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 1] = b'?';
    }
    std::fs::write(to, bytes).unwrap();
}

/// A function of the fixture, and whether its variables are known.
fn knows_variables(image: &Arc<Image>) -> bool {
    let entry = image.find_line(&source(), line("generic")).unwrap().unwrap().addresses[0];
    assert_eq!(image.line_at(entry).unwrap().unwrap().line, line("generic"));
    let frames = image.frames_at(entry).unwrap();
    frames.first().is_some_and(|frame| !frame.variables_at(entry).unwrap().is_empty())
}

/// What works without the other half.
fn only_lines(image: &Arc<Image>, path: &Path, word: &str) {
    assert!(!knows_variables(image));
    let main = image.symbols_containing("fixture4main").first().unwrap().address;
    assert!(image.code_name(main).is_some_and(|name| name.name.contains("main")));
    assert_eq!(image.frames_at(main).unwrap().len(), 0);
    assert!(image.line_at(FileAddr::new(main.raw())).unwrap().is_some());
    image.index().unwrap();
    let said = image.missing();
    assert_eq!(said.len(), 1);
    let (name, path) = (image.name(), path.display().to_string());
    for part in [name.as_str(), path.as_str(), word, "types and variables", &format!("{name}.dwp")] {
        assert!(said[0].contains(part), "{part:?} is not in {:?}", said[0]);
    }
}

#[test]
fn what_is_there_is_used_and_nothing_is_said() {
    for flags in PACKAGES.into_iter().chain(OBJECTS) {
        let image = Image::open(&program(flags)).unwrap();
        assert!(knows_variables(&image), "{flags:?}");
        image.index().unwrap();
        assert_eq!(image.missing(), [""; 0]);
    }
}

#[test]
fn a_missing_package_is_named() {
    let folder = Folder::new("package");
    for flags in PACKAGES {
        let path = folder.with(&program(flags), "program");
        only_lines(&Image::open(&path).unwrap(), Path::new(".dwo"), "is missing");
        folder.with(&package_of(&program(flags)), "program.dwp");
        assert!(knows_variables(&Image::open(&path).unwrap()));
        std::fs::remove_file(package_of(&path)).unwrap();
    }
}

#[test]
fn a_package_of_another_build_is_not_used() {
    let folder = Folder::new("other-package");
    let path = folder.with(&program(PACKED), "program");
    folder.with(&package_of(&program(PACKED_DWARF_5)), "program.dwp");
    only_lines(&Image::open(&path).unwrap(), Path::new("program.dwp"), "is of another build");
}

#[test]
fn a_package_may_be_written_to_while_it_is_read() {
    let folder = Folder::new("rewritten");
    let path = folder.with(&program(PACKED), "program");
    let package = folder.with(&package_of(&program(PACKED)), "program.dwp");
    let image = Image::open(&path).unwrap();
    assert!(knows_variables(&image));
    std::fs::write(&package, b"cut short").unwrap();
    assert!(knows_variables(&image));
    assert_eq!(image.missing(), [""; 0]);
}

#[test]
fn a_huge_package_that_is_written_to_is_not_read_any_more() {
    let folder = Folder::new("huge");
    let path = folder.with(&program(PACKED), "program");
    let package = folder.with(&package_of(&program(PACKED)), "program.dwp");
    // Nothing is behind its sections but a hole.
    std::fs::File::options().write(true).open(&package).unwrap().set_len((1 << 30) + 1).unwrap();
    let image = Image::open(&path).unwrap();
    assert!(knows_variables(&image));
    std::fs::write(&package, b"cut short").unwrap();
    // What was read before is kept; this was not.
    let main = image.symbols_containing("fixture4main").first().unwrap().address;
    assert!(image.frames_at(main).is_err());
    assert!(image.line_at(main).unwrap().is_some());
    assert!(image.missing()[0].contains(&format!("{} was written to since", package.display())));
}

#[test]
fn a_broken_package_is_not_said_to_be_of_another_build() {
    let folder = Folder::new("no-index");
    let path = folder.with(&program(PACKED), "program");
    let mut bytes = std::fs::read(package_of(&program(PACKED))).unwrap();
    let at = memchr::memmem::find(&bytes, b".debug_cu_index").unwrap();
    bytes[at + 1] = b'?';
    std::fs::write(package_of(&path), bytes).unwrap();
    only_lines(&Image::open(&path).unwrap(), &package_of(&path), "cannot be read (it has no .debug_cu_index)");
}

#[test]
fn a_section_that_cannot_be_inflated_is_said_and_its_index_is_not_kept() {
    let folder = Folder::new("uninflatable");
    let path = folder.with(&program(PACKED), "program");
    let package = package_of(&path);
    let option = "--compress-debug-sections=zlib";
    let mut objcopy = std::process::Command::new("objcopy");
    let done = objcopy.arg(option).arg(package_of(&program(PACKED))).arg(&package).status();
    assert!(done.is_ok_and(|done| done.success()), "objcopy (package binutils) is needed");
    let mut bytes = std::fs::read(&package).unwrap();
    let (start, size) = {
        let file = object::File::parse(&*bytes).unwrap();
        object::ObjectSection::file_range(&object::Object::section_by_name(&file, ".debug_str.dwo").unwrap()).unwrap()
    };
    let (start, size) = (usize::try_from(start).unwrap(), usize::try_from(size).unwrap());
    bytes[start + 24..start + size].fill(0x5a);
    std::fs::write(&package, bytes).unwrap();
    let image = Image::open(&path).unwrap();
    let store = folder.0.join("store");
    image.keep_index(Arc::new(IndexStore::in_folder(store.clone(), MOST_KEPT)));
    image.index().unwrap();
    let said = image.missing();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(&format!("{} cannot be read (its .debug_str: ", package.display())), "{said:?}");
    assert!(!store.exists());
}

#[test]
fn how_much_was_kept_is_read_off_the_other_half() {
    let image = Image::open(&program(UNPACKED_FUNCTIONS)).unwrap();
    let entry = image.find_line(&source(), line("generic")).unwrap().unwrap().addresses[0];
    assert_eq!(image.detail_at(entry), Some(Detail::Functions));
    let image = Image::open(&program(UNPACKED)).unwrap();
    let entry = image.find_line(&source(), line("generic")).unwrap().unwrap().addresses[0];
    assert_eq!(image.detail_at(entry), Some(Detail::Full));
}

#[test]
fn objects_are_found_where_the_build_was_moved_to() {
    for flags in OBJECTS {
        let folder = Folder::new("moved");
        let path = folder.0.join("program");
        moved(&program(flags), &path);
        only_lines(&Image::open(&path).unwrap(), Path::new(".dwo"), "is missing");
        let objects = objects_of(&program(flags));
        for place in ["", "deps/"] {
            for object in &objects {
                let name = object.file_name().unwrap().to_str().unwrap();
                folder.with(object, &format!("{place}{name}"));
            }
            let image = Image::open(&path).unwrap();
            assert!(knows_variables(&image), "{place} {flags:?}");
            // The mapping is of a copy: a build may write to the file.
            for object in &objects {
                let copy = folder.0.join(place).join(object.file_name().unwrap());
                std::fs::write(&copy, b"cut short").unwrap();
                std::fs::remove_file(&copy).unwrap();
            }
            assert!(knows_variables(&image));
            assert_eq!(image.missing(), [""; 0]);
        }
    }
}

#[test]
fn objects_of_another_build_are_not_used() {
    let folder = Folder::new("other-object");
    let path = folder.0.join("program");
    moved(&program(UNPACKED), &path);
    let other = &objects_of(&program(UNPACKED_DWARF_5))[0];
    for object in objects_of(&program(UNPACKED)) {
        folder.with(other, object.file_name().unwrap().to_str().unwrap());
    }
    only_lines(&Image::open(&path).unwrap(), &folder.0, "is of another build");
}

#[test]
fn many_objects_take_no_descriptors() {
    let image = Image::open(&program(UNPACKED)).unwrap();
    image.index().unwrap();
    assert!(knows_variables(&image));
    let open = Path::new("/proc/self/fd").read_dir().unwrap().filter_map(|entry| entry.ok()?.path().read_link().ok());
    let open: Vec<PathBuf> = open.filter(|path| path.to_string_lossy().contains(".dwo")).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn broken_packages_and_objects_break_nothing_else() {
    let folder = Folder::new("broken");
    let mut numbers = Numbers(1);
    let packed = folder.with(&program(PACKED_DWARF_5), "packed");
    let unpacked = folder.0.join("unpacked");
    moved(&program(UNPACKED), &unpacked);
    let objects = objects_of(&program(UNPACKED));
    let entry = {
        let image = Image::open(&packed).unwrap();
        image.find_line(&source(), line("generic")).unwrap().unwrap().addresses[0]
    };
    let ask = |path: &Path| {
        let image = Image::open(path).unwrap();
        image.index().unwrap();
        for frame in image.frames_at(entry).unwrap_or_default() {
            let _ = frame.variables_at(entry);
        }
        for ty in image.types_of_any_arguments("fixture::outer::inner::Pair") {
            let _ = ty.members();
        }
        let _ = image.missing();
    };
    for round in 0..60 {
        let (good, to) = match round % 2 {
            0 => (package_of(&program(PACKED_DWARF_5)), package_of(&packed)),
            _ => (objects[0].clone(), folder.0.join(objects[0].file_name().unwrap())),
        };
        let mut bytes = std::fs::read(good).unwrap();
        if round % 3 == 0 {
            bytes.truncate(1 + numbers.next(bytes.len()));
        }
        for _ in 0..numbers.next(60) {
            let at = numbers.next(bytes.len());
            bytes[at] = numbers.next(256) as u8;
        }
        std::fs::write(&to, &bytes).unwrap();
        ask(if round % 2 == 0 { &packed } else { &unpacked });
    }
    // Devices and folders are no files.
    std::fs::remove_file(package_of(&packed)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", package_of(&packed)).unwrap();
    ask(&packed);
    assert!(knows_variables(&Image::open(&program(DEBUG)).unwrap()));
}

/// A C program with everything that GCC can split off.
#[test]
fn what_gcc_splits_is_read() {
    let folder = Folder::new("gcc");
    let source = folder.0.join("points.c");
    let text = "struct point { int x; long y; };\nstruct point origin = { 1, 2 };\n\
                int sum(struct point *at) { int total = at->x + (int)at->y; return total; }\n\
                int main(void) { return sum(&origin) - 3; }\n";
    std::fs::write(&source, text).unwrap();
    let sets: [&[&str]; 7] = [
        &["-gdwarf-4", "-gsplit-dwarf"],
        &["-gdwarf-5", "-gsplit-dwarf"],
        &["-gdwarf-5", "-gdwarf64", "-gsplit-dwarf"],
        &["-gdwarf-4", "-gsplit-dwarf", "-gz"],
        &["-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section"],
        &["-gdwarf-4", "-fdebug-types-section"],
        &["-gdwarf-5", "-fdebug-types-section"],
    ];
    for flags in sets {
        let path = folder.0.join("points");
        let mut gcc = std::process::Command::new("gcc");
        let done = gcc.args(flags).args(["-g", "-o"]).arg(&path).arg(&source).current_dir(&folder.0).status().unwrap();
        assert!(done.success());
        let image = Image::open(&path).unwrap();
        let sum = image.functions("sum").first().unwrap_or_else(|| panic!("{flags:?} {:?}", image.missing())).address;
        let frames = image.frames_at(sum).unwrap();
        assert_eq!(frames[0].function.declared.as_ref().map(|at| at.line), Some(3), "{flags:?}");
        let variables = frames[0].variables_at(sum).unwrap();
        let names: Vec<_> = variables.iter().filter_map(|variable| variable.name.as_deref()).collect();
        assert_eq!(names, ["at", "total"], "{flags:?}");
        assert_eq!(variables[1].ty.as_ref().map(|ty| (ty.path(), ty.size())), Some(("int", 4)));
        assert_eq!(image.statics("origin").len(), 1);
        assert_eq!(image.missing(), [""; 0], "{flags:?}");
        if flags.contains(&"-gsplit-dwarf") && flags.contains(&"-fdebug-types-section") {
            // Type units of split files are not read.
            continue;
        }
        let members = |ty: &weft_symbols::Type| {
            ty.members().iter().map(|member| (member.name.clone(), member.offset)).collect::<Vec<_>>()
        };
        let expected = [(String::from("x"), 0), (String::from("y"), 8)];
        assert_eq!(members(&image.types("point")[0]), expected, "{flags:?}");
        assert_eq!(members(image.statics("origin")[0].ty.as_ref().unwrap()), expected, "{flags:?}");
    }
}
