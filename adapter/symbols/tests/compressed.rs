//! Compressed debug information answers like any other, and what is wrong with it is said.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use object::{Object, ObjectSection};
use support::{DEBUG, DEBUG_DWARF_5, line, program, source};
use weft_symbols::{DebugInfo, Image};

/// A file that goes with the test.
struct Made(PathBuf);

impl Made {
    fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compressed-{process}-{count}-{name}")))
    }

    fn open(&self) -> Arc<Image> {
        Image::open(&self.0).unwrap()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Compresses a program; `None` where the tool does not know how.
fn compressed(flags: &'static [&'static str], how: &str) -> Option<Made> {
    let made = Made::new(&format!("{how}-{}", flags.len()));
    let option = format!("--compress-debug-sections={how}");
    let done = Command::new("objcopy").arg(option).arg(program(flags)).arg(&made.0).output();
    let done = done.is_ok_and(|done| done.status.success());
    assert!(done || how != "zlib", "objcopy (package binutils) is needed");
    if !done {
        eprintln!("objcopy does not know {how}");
    }
    done.then_some(made)
}

#[test]
fn it_answers_like_any_other() {
    for flags in [DEBUG, DEBUG_DWARF_5] {
        let plain = Image::open(&program(flags)).unwrap();
        for how in ["zlib", "zlib-gnu", "zstd"] {
            let Some(made) = compressed(flags, how) else { continue };
            let image = made.open();
            assert_eq!((image.debug_info(), plain.to_inflate()), (DebugInfo::Present, 0), "{how}");
            assert!(image.to_inflate() > 100_000, "{how}: {}", image.to_inflate());
            let found = image.find_line(&source(), line("await"));
            assert!(found.as_ref().is_ok_and(Option::is_some), "{how}: {found:?}");
            assert_eq!(found, plain.find_line(&source(), line("await")), "{how}");
            let names = |image: &Arc<Image>| image.types("u32").len();
            assert_eq!((names(&image), image.to_inflate()), (names(&plain), 0), "{how}");
            assert_eq!(image.sources(), plain.sources(), "{how}");
            assert_eq!(image.missing(), Vec::<String>::new(), "{how}");
        }
    }
}

/// Whoever is first inflates, and others wait for it, some of them in jobs of a shared pool.
#[test]
fn many_may_ask_first_at_once() {
    let Some(made) = compressed(DEBUG, "zlib") else { return };
    let plain = Image::open(&program(DEBUG)).unwrap();
    let (sources, found) = (plain.sources(), plain.find_line(&source(), line("await")));
    let types = plain.types("u32").len();
    for _ in 0..6 {
        let image = made.open();
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                image.index().unwrap();
                assert_eq!(image.types("u32").len(), types);
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    assert_eq!(image.sources(), sources);
                });
            }
            start.wait();
            assert_eq!(image.find_line(&source(), line("await")), found);
        });
    }
}

/// Changes a compressed section: its header (type, 4 bytes unused, size, alignment) and what is behind.
fn broken(name: &str, section: &str, change: impl Fn(&mut [u8])) -> Option<(Made, Arc<Image>)> {
    let compressed = compressed(DEBUG, "zlib")?;
    let mut bytes = std::fs::read(&compressed.0).unwrap();
    let (start, size) = {
        let file = object::File::parse(&*bytes).unwrap();
        file.section_by_name(section).unwrap().file_range().unwrap()
    };
    let (start, size) = (usize::try_from(start).unwrap(), usize::try_from(size).unwrap());
    change(&mut bytes[start..start + size]);
    let made = Made::new(name);
    std::fs::write(&made.0, bytes).unwrap();
    let image = made.open();
    Some((made, image))
}

fn resize(section: &mut [u8], change: impl Fn(u64) -> u64) {
    let (_, size) = section.split_at_mut(8);
    let size = size.first_chunk_mut().unwrap();
    *size = change(u64::from_le_bytes(*size)).to_le_bytes();
}

#[test]
fn a_section_that_lies_about_its_size_is_absent_and_it_is_said() {
    let told = |name: &str, change: &dyn Fn(u64) -> u64| {
        let (made, image) = broken(name, ".debug_info", |section| resize(section, change))?;
        assert_eq!(image.missing(), Vec::<String>::new(), "{name}: nobody has asked yet");
        assert!(image.types("u32").is_empty(), "{name}");
        assert_eq!(image.debug_info(), DebugInfo::Absent, "{name}");
        let prefix = format!(".debug_info of {} cannot be read: ", made.0.display());
        let sentences = image.missing();
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        Some(sentences[0].strip_prefix(&prefix).unwrap().to_owned())
    };
    let Some(longer) = told("longer", &|size| size + 1) else { return };
    assert!(longer.starts_with("it has ") && longer.contains(" bytes instead of "), "{longer}");
    assert!(told("shorter", &|size| size - 1).unwrap().starts_with("it has more than "));
    assert!(told("huge", &|_| u64::MAX).unwrap().contains("which cannot be"));
    assert!(told("large", &|size| size * 1000).unwrap().contains("which cannot be"));
}

#[test]
fn a_new_kind_of_compression_is_said() {
    let Some((made, image)) = broken("kind", ".debug_info", |section| section[0] = 77) else { return };
    assert_eq!(image.debug_info(), DebugInfo::Absent);
    let expected = format!(".debug_info of {} cannot be read: Unsupported ELF compression type", made.0.display());
    assert!(image.missing()[0].starts_with(&expected), "{:?}", image.missing());
}

#[test]
fn a_broken_section_takes_no_other_with_it() {
    let Some((_made, image)) = broken("data", ".debug_aranges", |section| section[24..].fill(0x5a)) else { return };
    assert!(image.find_line(&source(), line("await")).unwrap().is_some());
    assert!(!image.types("u32").is_empty());
    let at = image.find_line(&source(), line("await")).unwrap().unwrap().addresses[0];
    assert_eq!(image.line_at(at).map(|at| at.map(|at| at.line)), Ok(Some(line("await"))));
    let sentences = image.missing();
    assert!(sentences.len() == 1 && sentences[0].starts_with(".debug_aranges of "), "{sentences:?}");
}
