//! What fuzzing begins with: small files as compilers write them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::workspace;

/// Each way of building `seed.c`: a name and gcc's flags.
const C: &[(&str, &str)] = &[
    ("dwarf-4", "-gdwarf-4 -O0"),
    ("dwarf-5", "-gdwarf-5 -O2"),
    ("type-units", "-gdwarf-5 -O1 -fdebug-types-section"),
    ("zlib", "-gdwarf-5 -O1 -gz=zlib"),
    ("split", "-gdwarf-5 -O1 -gsplit-dwarf"),
];

/// Each way of building `seed.rs`: a name and rustc's flags.
const RUST: &[(&str, &str)] = &[
    ("rust-4", "-Copt-level=1 -Cdwarf-version=4"),
    ("rust-5", "-Copt-level=3 -Cdwarf-version=5"),
    ("rust-lines", "-Copt-level=1 -Cdebuginfo=line-tables-only"),
];

/// Puts a target's seeds into its corpus.
pub(crate) fn plant(name: &str, corpus: &Path) -> Result<(), String> {
    match name {
        "image" | "index" => programs(corpus).map(|_| ()),
        "debug_file" => separate(corpus),
        "core" => put(&corpus.join("seed-core"), &core()),
        "tasks" => changes(corpus),
        _ => Ok(()),
    }
}

fn programs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let seeds = workspace().join("tests/fuzz/seeds");
    let mut made = Vec::new();
    for (name, flags) in C {
        let path = folder.join(format!("seed-{name}"));
        let mut gcc = Command::new("gcc");
        gcc.args("-nostdlib -static-pie -fpie -fasynchronous-unwind-tables -Wl,--build-id".split(' '));
        done(gcc.args(flags.split(' ')).arg("-o").arg(&path).arg(seeds.join("seed.c")))?;
        made.push(path);
    }
    for (name, flags) in RUST {
        let path = folder.join(format!("seed-{name}"));
        let mut rustc = Command::new("rustc");
        rustc.args("--edition=2024 --crate-type=cdylib --crate-name=seed -g -Cpanic=abort".split(' '));
        rustc.arg("-Clink-args=-nostdlib -Wl,--build-id").args(flags.split(' '));
        done(rustc.arg("-o").arg(&path).arg(seeds.join("seed.rs")))?;
        made.push(path);
    }
    Ok(made)
}

/// A program without debug information, its debug file, and the length of the first.
fn separate(corpus: &Path) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| error.to_string())?;
    for program in programs(work.path())? {
        let (stripped, debug) = (program.with_extension("stripped"), program.with_extension("debug"));
        done(Command::new("objcopy").arg("--strip-all").arg(&program).arg(&stripped))?;
        done(Command::new("objcopy").arg("--only-keep-debug").arg(&program).arg(&debug))?;
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut bytes = read(&stripped)?;
        let length = u32::try_from(bytes.len()).map_err(|error| error.to_string())?;
        bytes.extend(read(&debug)?);
        bytes.extend(length.to_le_bytes());
        put(&corpus.join(program.file_name().unwrap_or_default()), &bytes)?;
    }
    Ok(())
}

/// A core file of one thread, a mapped file and eight bytes of memory (`elfcore.h`; places as in `process::core`).
fn core() -> Vec<u8> {
    const NOTE: u32 = 4;
    const LOAD: u32 = 1;
    let mut notes = Vec::new();
    let mut status = vec![0; 336];
    status[12] = 11;
    status[32] = 77;
    status[112 + 16 * 8..][..8].copy_from_slice(&0x1004u64.to_le_bytes());
    status[112 + 19 * 8..][..8].copy_from_slice(&0x1008u64.to_le_bytes());
    note(&mut notes, 1, &status);
    let mut process = vec![0; 136];
    process[24] = 77;
    process[40..44].copy_from_slice(b"seed");
    note(&mut notes, 3, &process);
    let words = [1, 0x1000u64, 0x1000, 0x2000, 0];
    let mut files: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
    files.extend(b"/bin/seed\0");
    note(&mut notes, 0x4649_4c45, &files);
    let mut core = b"\x7fELF\x02\x01\x01".to_vec();
    core.resize(64, 0);
    (core[16], core[18], core[32], core[54], core[56]) = (4, 62, 64, 56, 2);
    let (begin, size) = (176, notes.len() as u64);
    for (kind, offset, address, in_file, in_memory) in
        [(NOTE, begin, 0, size, 0), (LOAD, begin + size, 0x1000, 8, 0x1000)]
    {
        core.extend(kind.to_le_bytes());
        core.extend(5u32.to_le_bytes());
        core.extend([offset, address, address, in_file, in_memory, 0x1000u64].into_iter().flat_map(u64::to_le_bytes));
    }
    core.extend(notes);
    core.extend(b"memory!!");
    core
}

/// A few changes of a program's memory, of each kind: eleven bytes say which word is changed, how, and into what.
fn changes(corpus: &Path) -> Result<(), String> {
    for kind in 0..8_u8 {
        let each = (0..40_u16).flat_map(|number| {
            let word = number.wrapping_mul(1_637);
            let value = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            [&word.to_le_bytes()[..], &[kind], &value.to_le_bytes()].concat()
        });
        put(&corpus.join(format!("seed-{kind}")), &each.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn note(notes: &mut Vec<u8>, kind: u32, content: &[u8]) {
    let length = u32::try_from(content.len()).unwrap_or(0);
    notes.extend([5, length, kind].into_iter().flat_map(u32::to_le_bytes));
    notes.extend(b"CORE\0\0\0\0");
    notes.extend(content);
    notes.resize(notes.len().next_multiple_of(4), 0);
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn done(command: &mut Command) -> Result<(), String> {
    let output =
        command.output().map_err(|error| format!("{} does not run: {error}", command.get_program().display()))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
