//! Chains of inlined functions, with the lines of their calls, beside those of the crate `addr2line`: at thousands of
//! addresses of programs that were optimised in different ways.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use addr2line::gimli;
use object::{Object, ObjectSection};
use weft_memory::FileAddr;
use weft_symbols::Image;

/// Bytes from one address that is compared to the next: coprime to what compilers align to.
const STEP: usize = 29;

/// One function of a chain: its linkage name (or its own), file, line; 0 for no line.
type Link = (String, Option<PathBuf>, u32);

fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inlines-{name}-{}", std::process::id()));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-name=shapes", "-g", "-o"]).arg(&out).args(flags).arg(common::source());
    assert!(command.status().unwrap().success(), "{command:?}");
    out
}

fn ours(image: &Arc<Image>, pc: u64) -> Vec<Link> {
    let pc = FileAddr::new(pc);
    let mut source = image.line_at(pc).unwrap();
    let mut chain = Vec::new();
    for code in image.frames_at(pc).unwrap() {
        let name = code.function.linkage_name.clone().unwrap_or_else(|| code.function.path.clone());
        let (file, line) = source.map_or((None, 0), |source| (Some(source.file.to_path_buf()), source.line));
        chain.push((name, file, line));
        source = code.call_site.clone();
    }
    chain
}

fn theirs<R: gimli::Reader>(context: &addr2line::Context<R>, pc: u64) -> Vec<Link> {
    let mut frames = context.find_frames(pc).skip_all_loads().unwrap();
    let mut chain = Vec::new();
    while let Some(frame) = frames.next().unwrap() {
        let Some(function) = frame.function else { continue };
        let location = frame.location;
        let file = location.as_ref().and_then(|at| at.file).map(cleaned);
        let line = location.and_then(|at| at.line).unwrap_or(0);
        chain.push((function.raw_name().unwrap().into_owned(), file, line));
    }
    chain
}

/// Without `..`, which `addr2line` leaves as the compiler wrote it.
fn cleaned(path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => assert!(clean.pop(), "{path}"),
            component => clean.push(component),
        }
    }
    clean
}

fn is_same((our_name, our_file, our_line): &Link, (name, file, line): &Link) -> bool {
    // Where there is no linkage name, ours is the whole path.
    let same_name = our_name == name || our_name.ends_with(&format!("::{name}"));
    // A line 0 is of no file that anybody could name.
    same_name && our_line == line && (*line == 0 || our_file == file)
}

fn check(name: &str, flags: &[&str], least_inlined: usize) {
    let path = compile(name, flags);
    let bytes = std::fs::read(&path).unwrap();
    let image = Image::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let section = |id: gimli::SectionId| -> Result<Arc<[u8]>, gimli::Error> {
        let found = object.section_by_name(id.name());
        Ok(found.map_or(Cow::Borrowed(&[][..]), |section| section.uncompressed_data().unwrap()).into())
    };
    let dwarf = gimli::DwarfSections::load(section).unwrap();
    let dwarf = dwarf.borrow(|bytes| gimli::EndianSlice::new(bytes, gimli::LittleEndian));
    let context = addr2line::Context::from_dwarf(dwarf).unwrap();
    let text = object.section_by_name(".text").unwrap();
    let (mut compared, mut inlined, mut wrong) = (0, 0, Vec::new());
    for pc in (text.address()..text.address() + text.size()).step_by(STEP) {
        let (ours, theirs) = (ours(&image, pc), theirs(&context, pc));
        compared += 1;
        inlined += usize::from(ours.len() > 1);
        if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(|(one, other)| is_same(one, other)) {
            wrong.push(format!("{pc:#x}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    println!("{name}: {compared} addresses, {inlined} in inlined code, {} differ", wrong.len());
    assert!(compared > 5_000 && inlined > least_inlined, "{name}: {compared}, {inlined}");
    assert!(
        wrong.is_empty(),
        "{name}: {} of {compared} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(4)].join("\n")
    );
}

#[test]
fn without_optimisation() {
    check("debug", &[], 1_000);
}

#[test]
fn optimised() {
    check("release", &["-O"], 1_000);
}

#[test]
fn optimised_as_a_whole() {
    check("fat", &["-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1"], 1_000);
}

#[test]
fn optimised_as_a_whole_in_parts() {
    check("thin", &["-Copt-level=3", "-Clto=thin", "-Cdwarf-version=5"], 1_000);
}
