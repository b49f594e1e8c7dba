//! Separate debug files are found, believed only if they are of the same build, and answer as if they were the program.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::{line, program, source};
use weft_symbols::{DebugFolders, DebugInfo, Image};

const WITH_BUILD_ID: &[&str] = &["-g", "-Clink-arg=-Wl,--build-id=sha1"];

/// A stripped program, its debug file and an empty folder for debug files; they go with the test.
struct Files {
    folder: tempfile::TempDir,
    program: PathBuf,
    debug: PathBuf,
}

fn objcopy(arguments: &[&str], from: &Path, to: &Path) {
    let done = Command::new("objcopy").args(arguments).arg(from).arg(to).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// `link`: the program names its debug file.
fn files(link: bool) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let (out, debug) = (folder.path().join("program"), folder.path().join("symbols"));
    objcopy(&["--only-keep-debug"], &program(WITH_BUILD_ID), &debug);
    let named = format!("--add-gnu-debuglink={}", debug.display());
    let arguments: &[&str] = if link { &["--strip-all", &named] } else { &["--strip-all"] };
    objcopy(arguments, &program(WITH_BUILD_ID), &out);
    Files { folder, program: out, debug }
}

impl Files {
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn build_id(&self) -> String {
        let image = Image::open_in(&self.program, &nowhere()).unwrap();
        image.build_id().unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn nowhere() -> DebugFolders {
    DebugFolders { global: Vec::new(), debuginfod: None }
}

/// Asks what only debug information knows, and what must still come from the program.
fn answers(image: &Arc<Image>) {
    let whole = Image::open(&program(WITH_BUILD_ID)).unwrap();
    let found = image.find_line(&source(), line("await")).unwrap();
    assert_eq!(found, whole.find_line(&source(), line("await")).unwrap());
    let at = found.unwrap().addresses[0];
    assert_eq!(image.types("u32").len(), whole.types("u32").len());
    assert_eq!(image.symbol_at(at), whole.symbol_at(at));
    assert!(image.symbol("main").is_some());
    // The debug file has the headers of `.eh_frame` and of the segments, and none of their bytes.
    assert_eq!(image.function_bounds(at), whole.function_bounds(at));
    assert!(image.cfa_rule(at).is_some() && image.segments() == whole.segments());
    assert_eq!(image.missing(), Vec::<String>::new());
}

#[test]
fn what_debuginfod_clients_fetched_is_used() {
    let files = files(false);
    let cache = files.folder("cache");
    let fetched = files.folder(&format!("cache/{}", files.build_id())).join("debuginfo");
    let folders = DebugFolders { global: Vec::new(), debuginfod: Some(cache) };
    // An empty file notes that a server had none.
    std::fs::write(&fetched, b"").unwrap();
    assert_eq!(Image::open_in(&files.program, &folders).unwrap().debug_info(), DebugInfo::Absent);
    std::fs::rename(&files.debug, &fetched).unwrap();
    let image = Image::open_in(&files.program, &folders).unwrap();
    assert_eq!(image.debug_file(), Some(fetched.as_path()));
    answers(&image);
}

#[test]
fn the_first_folder_wins_and_a_wrong_file_in_it_does_not() {
    let files = files(false);
    let id = files.build_id();
    let by_id =
        |name: &str| files.folder(&format!("{name}/.build-id/{}", &id[..2])).join(format!("{}.debug", &id[2..]));
    let (first, second) = (by_id("first"), by_id("second"));
    let folders = DebugFolders {
        global: ["first", "second"].map(|name| files.folder.path().join(name)).into(),
        debuginfod: None,
    };
    std::fs::write(&first, b"not at all").unwrap();
    symlink(&files.debug, &second).unwrap();
    let image = Image::open_in(&files.program, &folders).unwrap();
    assert_eq!(image.debug_file(), Some(second.as_path()));
    answers(&image);
    std::fs::remove_file(&second).unwrap();
    let sentences = Image::open_in(&files.program, &folders).unwrap().missing();
    let expected = format!("{} is no debug file: it is not an ELF file", first.display());
    assert!(sentences.len() == 2 && sentences[0] == expected, "{sentences:?}");
    assert!(sentences[1].ends_with(&format!("looked for: {}", second.display())), "{sentences:?}");
    std::fs::copy(&files.debug, &first).unwrap();
    assert_eq!(Image::open_in(&files.program, &folders).unwrap().debug_file(), Some(first.as_path()));
}

#[test]
fn a_link_is_followed_only_to_what_it_was_made_for() {
    let files = files(true);
    answers(&Image::open_in(&files.program, &nowhere()).unwrap());
    let told = || {
        let image = Image::open_in(&files.program, &nowhere()).unwrap();
        assert_eq!((image.debug_info(), image.debug_file()), (DebugInfo::Absent, None));
        image.missing().remove(0)
    };
    let debug = files.debug.display();
    let bytes = std::fs::read(&files.debug).unwrap();
    std::fs::write(&files.debug, [&bytes[..], b"more"].concat()).unwrap();
    assert_eq!(told(), format!("{debug} was changed since it was made for program: its CRC-32 is another"));
    std::fs::write(&files.debug, &bytes[..bytes.len() / 2]).unwrap();
    assert!(told().starts_with(&debug.to_string()), "{}", told());
    std::fs::File::create(&files.debug).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(told(), format!("{debug} is no debug file: it is not an ELF file"));
    std::fs::write(&files.debug, &bytes).unwrap();
    std::fs::OpenOptions::new().write(true).open(&files.debug).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(told(), format!("{debug} is too large for its CRC-32 to be checked"));
    std::fs::remove_file(&files.debug).unwrap();
    assert!(Command::new("mkfifo").arg(&files.debug).status().unwrap().success());
    assert_eq!(told(), format!("{debug} cannot be read: it is empty or no file"));
    std::fs::remove_file(&files.debug).unwrap();
    // The program itself, under the name it gives.
    std::fs::hard_link(&files.program, &files.debug).unwrap();
    assert!(told().starts_with("program has no debug information; build it with"), "{}", told());
}

#[test]
fn a_compressed_debug_file_is_inflated() {
    let files = files(false);
    let id = files.build_id();
    let by_id = files.folder(&format!(".build-id/{}", &id[..2])).join(format!("{}.debug", &id[2..]));
    objcopy(&["--compress-debug-sections=zlib"], &files.debug, &by_id);
    let folders = DebugFolders { global: vec![files.folder.path().to_owned()], debuginfod: None };
    let image = Image::open_in(&files.program, &folders).unwrap();
    assert!(image.to_inflate() > 0);
    answers(&image);
}

#[test]
fn a_debug_file_is_no_program() {
    let files = files(false);
    let error = Image::open(&files.debug).unwrap_err().to_string();
    assert!(error.ends_with("it is a debug file, which has no code: name the program that it was made for"), "{error}");
}
