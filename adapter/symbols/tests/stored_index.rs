//! Indexes that are kept: the same answers from the disk as from a new one, whatever happened to the file meanwhile.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::{COMPRESSED, DEBUG, OPTIMISED, OPTIMISED_DWARF_5, PACKED, WHOLE_PROGRAM, program};
use weft_symbols::{FunctionQuery, Image, IndexStore, MOST_KEPT};

/// A folder for indexes.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("names")
    }

    fn open(&self, program: &Path) -> Arc<Image> {
        let image = Image::open(program).unwrap();
        image.keep_index(Arc::new(IndexStore::in_folder(self.path(), MOST_KEPT)));
        image
    }

    /// What is in the folder.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn only_file(&self) -> PathBuf {
        let [file] = self.files().try_into().unwrap();
        file
    }
}

/// What an image answers to all kinds of questions that need its index.
fn answers(image: &Arc<Image>) -> String {
    let mut text = String::new();
    let mut note = |what: &dyn Debug| text.push_str(&format!("{what:?}\n"));
    for path in ["fixture::Droppable", "u32", "fixture::outer::inner::Pair<u8, u16>", "nothing", ""] {
        note(&image.types(path).iter().map(|ty| (ty.path().to_owned(), ty.size())).collect::<Vec<_>>());
    }
    for path in ["fixture::outer::inner::Pair", "core::option::Option"] {
        let mut paths: Vec<_> = image.types_of_any_arguments(path).map(|ty| ty.path().to_owned()).collect();
        paths.sort();
        note(&paths);
    }
    for path in ["fixture::main", "fixture::generic", "core::ptr::drop_in_place"] {
        note(&image.functions(path));
    }
    note(&image.statics("fixture::COUNTER"));
    note(&image.statics_of("fixture", 100));
    for query in ["generic", "fixture::main", "Pair::first", "/^fixture::.*first/", "{closure}", "nothing"] {
        let Ok(query) = FunctionQuery::parse(query) else { continue };
        let found = image.find_functions(&query);
        let named: Vec<_> = found.iter().map(|found| (&found.function.path, found.fit)).collect();
        note(&named);
        note(&image.starts_of(&found.iter().collect::<Vec<_>>(), 1000));
        note(&image.similar_functions(&query, 5));
    }
    text
}

#[test]
fn a_kept_index_answers_as_a_new_one() {
    for flags in [DEBUG, OPTIMISED, OPTIMISED_DWARF_5, WHOLE_PROGRAM, COMPRESSED] {
        let folder = Folder::new();
        let nowhere = answers(&Image::open(&program(flags)).unwrap());
        assert!(nowhere.contains("fixture::Droppable"));
        let new = answers(&folder.open(&program(flags)));
        let written = std::fs::read(folder.only_file()).unwrap();
        let kept = answers(&folder.open(&program(flags)));
        assert_eq!(new, nowhere, "{flags:?}");
        assert_eq!(kept, nowhere, "{flags:?}");
        assert_eq!(std::fs::read(folder.only_file()).unwrap(), written, "it was used and not written again");
    }
}

#[test]
fn a_damaged_index_is_made_anew() {
    let folder = Folder::new();
    let program = program(OPTIMISED);
    // Every table is asked for something.
    let asked = |image: &Arc<Image>| {
        let query = FunctionQuery::parse("generic").unwrap();
        let found: Vec<_> = image.find_functions(&query).iter().map(|found| found.function.path.clone()).collect();
        let types = image.types("fixture::outer::inner::Pair<u8, u16>").len();
        format!("{found:?} {types} {:?} {:?}", image.functions("fixture::generic"), image.statics("fixture::COUNTER"))
    };
    let right = asked(&folder.open(&program));
    let file = folder.only_file();
    let whole = std::fs::read(&file).unwrap();
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(asked(&folder.open(&program)), right, "{what}");
    };
    // The begin, the end and the middle of everything: the header, each block, the sums.
    let step = whole.len() / 12;
    for at in
        [0, 8, 12, 16, 31, 40, 56, 183].into_iter().chain((4096..whole.len()).step_by(step)).chain([whole.len() - 1])
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        check(&bytes, &format!("bit {} of byte {at} was flipped", at % 8));
    }
    for length in [0, 183, 4096, whole.len() / 2, whole.len() - 1] {
        check(&whole[..length], &format!("cut at {length}"));
    }
    check(&[whole.as_slice(), &[0]].concat(), "a byte was added");
    // The answers made it whole again.
    assert_eq!(std::fs::read(&file).unwrap().len(), whole.len());
}

#[test]
fn another_program_is_not_mistaken() {
    let folder = Folder::new();
    let copy = folder.0.path().join("program");
    std::fs::copy(program(DEBUG), &copy).unwrap();
    folder.open(&copy).index().unwrap();
    let first = folder.only_file();
    // The same content at another time is another program as far as anybody can tell without reading it.
    std::fs::File::options().append(true).open(&copy).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    folder.open(&copy).index().unwrap();
    assert_eq!(folder.files().len(), 2);
    // Nor does it help to rename the file.
    let second = folder.files().into_iter().find(|file| *file != first).unwrap();
    std::fs::rename(&first, &second).unwrap();
    folder.open(&copy).index().unwrap();
    assert_eq!(answers(&folder.open(&copy)), answers(&Image::open(&copy).unwrap()));
}

#[test]
fn without_a_place_to_keep_it_everything_works() {
    let program = program(DEBUG);
    let right = answers(&Image::open(&program).unwrap());
    let folder = Folder::new();
    std::fs::write(folder.path(), "a file where the folder should be").unwrap();
    assert_eq!(answers(&folder.open(&program)), right);
    let unwritable = Image::open(&program).unwrap();
    unwritable.keep_index(Arc::new(IndexStore::in_folder("/proc/nothing/here".into(), MOST_KEPT)));
    assert_eq!(answers(&unwritable), right);
    let no_room = Folder::new();
    let image = Image::open(&program).unwrap();
    image.keep_index(Arc::new(IndexStore::in_folder(no_room.path(), 100)));
    assert_eq!(answers(&image), right);
    assert_eq!(no_room.files(), [""; 0].map(PathBuf::from));
}

#[test]
fn many_write_at_once() {
    let folder = Folder::new();
    let program = program(DEBUG);
    let right = answers(&Image::open(&program).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(answers(&folder.open(&program)), right));
        }
    });
    assert_eq!(folder.files().len(), 1);
}

/// A copy of a split program, and its package beside it.
fn split_program(folder: &Folder) -> (PathBuf, PathBuf) {
    let (copy, from) = (folder.0.path().join("program"), program(PACKED));
    let package = copy.with_added_extension("dwp");
    std::fs::copy(&from, &copy).unwrap();
    std::fs::copy(from.with_added_extension("dwp"), &package).unwrap();
    (copy, package)
}

#[test]
fn what_is_not_whole_is_not_kept() {
    let folder = Folder::new();
    let (program, package) = split_program(&folder);
    let elsewhere = folder.0.path().join("elsewhere");
    std::fs::rename(&package, &elsewhere).unwrap();
    let lacking = answers(&folder.open(&program));
    assert_eq!(folder.files(), [""; 0].map(PathBuf::from));
    std::fs::rename(&elsewhere, &package).unwrap();
    let whole = answers(&folder.open(&program));
    assert_eq!(whole, answers(&Image::open(&program).unwrap()));
    assert_ne!(whole, lacking);
    // An index of the whole does not make up for what is missing now.
    folder.only_file();
    std::fs::remove_file(&package).unwrap();
    assert_eq!(answers(&folder.open(&program)), lacking);
}

#[test]
fn a_file_that_changes_meanwhile_is_not_taken_for_the_new_one() {
    let folder = Folder::new();
    let copy = folder.0.path().join("program");
    std::fs::copy(program(DEBUG), &copy).unwrap();
    let touch = |time| std::fs::File::options().append(true).open(&copy).unwrap().set_modified(time).unwrap();
    let image = folder.open(&copy);
    touch(std::time::SystemTime::UNIX_EPOCH);
    image.index().unwrap();
    assert_eq!(folder.files(), [""; 0].map(PathBuf::from), "it was written into since it was opened");
    folder.open(&copy).index().unwrap();
    let kept = std::fs::read(folder.only_file()).unwrap();
    // Nor is what was kept before used by one that sees the change.
    let image = folder.open(&copy);
    touch(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1));
    assert_eq!(answers(&image), answers(&Image::open(&copy).unwrap()));
    assert_eq!(std::fs::read(folder.only_file()).unwrap(), kept);
}

#[test]
fn names_that_cannot_be_read_are_not_kept() {
    let folder = Folder::new();
    let copy = folder.0.path().join("program");
    let mut objcopy = std::process::Command::new("objcopy");
    let done = objcopy.arg("--remove-section=.debug_str").arg(program(DEBUG)).arg(&copy).status();
    let Ok(done) = done else { return eprintln!("there is no objcopy here") };
    assert!(done.success());
    folder.open(&copy).index().unwrap();
    assert_eq!(folder.files(), [""; 0].map(PathBuf::from));
}
