//! Files that are broken in every way a generator of random numbers thinks of: questions may go unanswered, but nothing
//! panics and nothing hangs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Build, program};
use object::{Object, ObjectSection};
use weft_memory::{Bias, Bytes, DwarfRegister, FileAddr, MemAddr, Registers};
use weft_symbols::{Image, LocationContext, Module, Modules};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn ask_everything(path: &Path, pcs: &[u64]) {
    let Ok(image) = Image::open(path) else { return };
    let module = Module { image: image.clone(), bias: Bias::default(), range: MemAddr::new(0)..MemAddr::new(u64::MAX) };
    let modules = Modules::new(vec![module]);
    let memory = Bytes::new().with(MemAddr::new(0x7000), vec![0x70; 4096]);
    let mut registers = Registers::unknown(0x7800);
    for number in 0..16 {
        registers.set(DwarfRegister(number), Some(0x7100 + u64::from(number) * 8));
    }
    for pc in pcs {
        registers.set(DwarfRegister::RA, Some(*pc));
        let _ = modules.caller(&registers, false, &memory);
        let address = FileAddr::new(*pc);
        image.function_bounds(address);
        let _ = (image.cfa_rule(address), image.code_name(address));
        for frame in image.frames_at(address).unwrap_or_default() {
            let _ = (frame.inlined_ranges(), frame.statements());
            frame.environment_type().map(|ty| ty.coroutine_function());
            for variable in frame.variables_at(address).unwrap_or_default() {
                let context = LocationContext {
                    memory: &memory,
                    registers: &registers,
                    cfa: Some(MemAddr::new(0x7400)),
                    pc: MemAddr::new(*pc),
                    modules: &modules,
                    frame: &frame,
                };
                let _ = (variable.locate(&context), variable.kept(&frame, address));
                if let Some(ty) = &variable.ty {
                    ty.is_uninhabited();
                    ty.active_variant(Some(0));
                    for member in ty.members() {
                        member.ty.and_then(|member| ty.at(member));
                    }
                }
            }
        }
    }
}

#[test]
fn broken_sections_break_nothing_else() {
    let good = std::fs::read(program(Build::Modern)).unwrap();
    let file = object::File::parse(&*good).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let names = [".debug_info", ".debug_abbrev", ".eh_frame", ".eh_frame_hdr", ".debug_loclists", ".debug_rnglists"];
    let ranges: Vec<(u64, u64)> = names.iter().filter_map(|name| file.section_by_name(name)?.file_range()).collect();
    assert!(ranges.len() >= 5);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("malformed-{}", std::process::id()));
    let mut numbers = Numbers(1);
    let image = Image::open(&program(Build::Modern)).unwrap();
    let known: Vec<u64> = image.symbols_containing("shapes").iter().map(|symbol| symbol.address.raw()).collect();
    for _ in 0..30 {
        let mut bytes = good.clone();
        let (start, length) = ranges[numbers.next(ranges.len() as u64) as usize];
        for _ in 0..=numbers.next(40) {
            let at = start + numbers.next(length);
            bytes[at as usize] = numbers.next(256) as u8;
        }
        std::fs::write(&path, &bytes).unwrap();
        let mut pcs: Vec<u64> = known.iter().map(|pc| pc + numbers.next(64)).collect();
        pcs.extend((0..20).map(|_| text.address() + numbers.next(text.size())));
        ask_everything(&path, &pcs);
    }
    std::fs::remove_file(&path).unwrap();
}
