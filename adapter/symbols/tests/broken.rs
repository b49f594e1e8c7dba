//! Files that are no programs, or broken ones: a sentence, never a panic.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::{DEBUG, DEBUG_DWARF_5, line, program, source};
use weft_memory::FileAddr;
use weft_symbols::{DebugInfo, Image, OpenError};

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("broken-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn refusal(name: &str, bytes: &[u8]) -> String {
    let path = file(name, bytes);
    let error = Image::open(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    error.strip_prefix(&format!("{} ", path.display())).unwrap().to_owned()
}

/// An ELF header with nothing behind it.
fn header(class: u8, data: u8, kind: u16, machine: u16) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data, 1];
    bytes.resize(64, 0);
    let half = |value: u16| if data == 2 { value.to_be_bytes() } else { value.to_le_bytes() };
    bytes[16..18].copy_from_slice(&half(kind));
    bytes[18..20].copy_from_slice(&half(machine));
    bytes
}

#[test]
fn what_is_not_a_program_is_refused_with_a_reason() {
    let prefix = "is not a program that can be debugged: ";
    assert_eq!(refusal("empty", b""), format!("{prefix}the file is empty"));
    assert_eq!(refusal("script", b"#!/bin/sh\n"), format!("{prefix}it is a script"));
    assert_eq!(refusal("text", b"hello"), format!("{prefix}it is not an ELF file"));
    assert_eq!(refusal("short", b"\x7fELF\x02"), format!("{prefix}it is truncated"));
    assert_eq!(
        refusal("object", &header(2, 1, 1, 62)),
        format!("{prefix}it is an object file that was not linked yet")
    );
    assert_eq!(refusal("core", &header(2, 1, 4, 62)), format!("{prefix}it is a core file"));
    assert_eq!(refusal("windows", b"MZ\x90\x00"), format!("{prefix}it is a Windows program"));
    assert!(matches!(Image::open(Path::new("/nonexistent/x")), Err(OpenError::Io { .. })));
    assert!(matches!(Image::open(Path::new("/")), Err(OpenError::NotElf { .. })));
}

#[test]
fn another_machine_is_named() {
    let of = |machine: &str| format!("was built for {machine}; only x86-64 programs can be debugged");
    assert_eq!(refusal("arm64", &header(2, 1, 2, 183)), of("aarch64"));
    assert_eq!(refusal("x86", &header(1, 1, 2, 3)), of("32-bit x86"));
    assert_eq!(refusal("s390", &header(2, 2, 2, 22)), of("s390x"));
    assert_eq!(refusal("other", &header(2, 1, 2, 9999)), of("another machine (ELF machine number 9999)"));
}

#[test]
fn a_file_without_debug_information_says_so() {
    let path = file("stripped", b"");
    let strip = std::process::Command::new("objcopy").arg("--strip-all").arg(program(DEBUG)).arg(&path).status();
    if !strip.is_ok_and(|status| status.success()) {
        return eprintln!("there is no objcopy here");
    }
    let image = Image::open(&path).unwrap();
    assert_eq!(image.debug_info(), DebugInfo::Absent);
    ask_everything(&image);
    assert_eq!(image.find_line(&source(), 1), Ok(None));
    assert!(image.types("u32").is_empty());
    std::fs::remove_file(path).unwrap();
}

/// Asks everything; what matters is that there is an answer.
fn ask_everything(image: &Arc<Image>) {
    let _ = image.find_line(&source(), line("await"));
    let _ = image.find_line(Path::new("lines.rs"), line("generic"));
    let _ = !image.source_files(Path::new("option.rs")).is_empty();
    for segment in image.segments() {
        for step in 0..8 {
            let Some(address) = segment.addresses.start.checked_add(step * 977) else { continue };
            let end = address.checked_add(64).unwrap_or(address);
            let _ = (image.line_at(address), image.rows_in(address..end), image.symbol_at(address));
            let _ = (image.vtable_type(address), image.code_name(address), image.cfa_rule(address));
        }
    }
    let _ = image.line_at(image.entry());
    let _ = (image.breakpoint_locations(Path::new("lines.rs"), 1..=100), image.sources());
    let _ = (image.types("u32"), image.functions("fixture::main"), image.statics("fixture::COUNTER"));
    let _ = (
        image.types_of_any_arguments("core::option::Option").count(),
        image.symbol("main"),
        image.symbols_containing("main"),
    );
    let _ = image.vtable_type(FileAddr::new(u64::MAX));
}

#[test]
fn a_truncated_file_is_refused_or_answers() {
    let bytes = std::fs::read(program(DEBUG)).unwrap();
    let steps = 60;
    for step in 0..steps {
        let length = bytes.len() * step / steps;
        let path = file("truncated", &bytes[..length]);
        match Image::open(&path) {
            Ok(image) => ask_everything(&image),
            Err(error) => assert!(error.to_string().starts_with(&path.display().to_string()), "{error}"),
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for (round, flags) in [DEBUG, DEBUG_DWARF_5].into_iter().enumerate() {
        let good = std::fs::read(program(flags)).unwrap();
        let debug_starts = good.len() / 4;
        // A fixed sequence: xorshift.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 + round as u64;
        for _ in 0..12 {
            let mut bytes = good.clone();
            for _ in 0..4000 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = debug_starts + (state as usize) % (bytes.len() - debug_starts);
                bytes[at] = (state >> 40) as u8;
            }
            let path = file(&format!("flipped-{round}"), &bytes);
            if let Ok(image) = Image::open(&path) {
                ask_everything(&image);
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}
