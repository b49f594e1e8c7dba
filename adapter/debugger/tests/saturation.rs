//! A trap on every line of a program and of the libraries in it, and the program does what it does without.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use weft_debugger::{ImageCache, modules_of};
use weft_memory::MemAddr;
use weft_process::{Ended, LaunchSpec, Launched, Output, Tracee, Trap, Wait, WaitEvent, mappings};

fn build(name: &str, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/debuggees/saturated.rs");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("saturated-{name}"));
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    if modified(&program).is_ok_and(|built| built > modified(&source).unwrap()) {
        return program;
    }
    let unfinished = program.with_extension(std::process::id().to_string());
    let done =
        Command::new("rustc").args(["-g", "--edition=2024", "-o"]).arg(&unfinished).args(flags).arg(&source).status();
    assert!(done.unwrap().success());
    std::fs::rename(unfinished, &program).unwrap();
    program
}

/// Where lines begin, in all functions of the program.
fn lines(tracee: &Tracee, program: &Path) -> BTreeSet<MemAddr> {
    let mapped = mappings(tracee.pid()).unwrap();
    let modules = modules_of(tracee.pid(), program, &mapped, &ImageCache::new());
    let module = modules.iter().next().unwrap();
    let mut found = BTreeSet::new();
    for symbol in module.image.symbols_containing("") {
        let Some(end) = symbol.address.checked_add(symbol.size) else { continue };
        let rows = module.image.rows_in(symbol.address..end).unwrap_or_default();
        let begins = rows.iter().filter(|row| row.is_stmt && row.source.line != 0 && row.address >= symbol.address);
        found.extend(begins.map(|row| module.bias.to_memory(row.address)));
    }
    // Data in a segment of code is no line; neither is what is not mapped.
    found.retain(|at| mapped.iter().any(|mapping| mapping.executable && mapping.start <= *at && *at < mapping.end));
    found
}

/// The instruction is executed with all threads stopped.
fn pass_stopped(tracee: &mut Tracee, tid: i32, address: MemAddr) {
    tracee.stop_all().unwrap();
    tracee.set_pc(tid, address).unwrap();
    tracee.lift(address).unwrap();
    tracee.step(tid, 0).unwrap();
    let mut others = Vec::new();
    loop {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Trapped { tid: of, trap: Trap::Step }) if of == tid => break,
            Wait::Event(event) => others.push(event),
            Wait::Woken => {}
        }
    }
    tracee.plant(address).unwrap();
    others.into_iter().rev().for_each(|event| tracee.put_back(event));
    tracee.resume_all();
}

fn saturated(name: &str, flags: &[&str], count: &str) {
    let program = build(name, flags);
    let plain = Command::new(&program).arg(count).output().unwrap();
    assert_eq!(plain.status.code(), Some(5));
    let spec = LaunchSpec {
        program: program.clone(),
        args: vec![count.into()],
        output: Output::Pipes,
        ..LaunchSpec::default()
    };
    let Launched { mut tracee, stdout, .. } = Tracee::launch(&spec).unwrap();
    let mut stdout = stdout.unwrap();
    let reading = std::thread::spawn(move || {
        let mut written = Vec::new();
        stdout.read_to_end(&mut written).unwrap();
        written
    });
    let traps = lines(&tracee, &program);
    for at in &traps {
        tracee.plant(*at).unwrap();
    }
    tracee.resume_all();
    let mut hits: BTreeMap<MemAddr, u64> = BTreeMap::new();
    let mut refused: BTreeMap<MemAddr, u64> = BTreeMap::new();
    let ended = loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => {
                let address = tracee.position(tid).unwrap().0.checked_sub(1).unwrap();
                assert!(traps.contains(&address), "{address:?} is no trap of ours");
                *hits.entry(address).or_default() += 1;
                if !tracee.pass(tid, address).unwrap() {
                    *refused.entry(address).or_default() += 1;
                    pass_stopped(&mut tracee, tid, address);
                }
            }
            WaitEvent::Signal { tid, signal } => {
                assert_ne!(signal, nix::libc::SIGTRAP, "the program must not see our traps");
                tracee.resume(tid, signal).unwrap();
            }
            WaitEvent::Exited(ended) => break ended,
            event => {
                if let Some(tid) = event.stopped_thread().filter(|tid| tracee.is_stopped(*tid)) {
                    tracee.resume(tid, 0).unwrap();
                }
            }
        }
    };
    let written = reading.join().unwrap();
    eprintln!(
        "{name}: {} traps, {} hit {} times, refused {refused:?}",
        traps.len(),
        hits.len(),
        hits.values().sum::<u64>()
    );
    assert_eq!(ended, Ended::Code(5));
    assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(plain.stdout).unwrap());
    assert!(hits.len() > 1000 && hits.values().sum::<u64>() > 20_000, "{} {}", hits.len(), hits.values().sum::<u64>());
    assert!(refused.len() * 100 < hits.len(), "nearly everything is passed without stopping: {refused:?}");
}

#[test]
fn an_unoptimised_program() {
    saturated("debug", &[], "15");
}

#[test]
fn an_optimised_program() {
    saturated("release", &["-O"], "40");
}

#[test]
fn a_program_at_fixed_addresses() {
    saturated("fixed", &["-O", "-C", "relocation-model=static"], "40");
}
