//! Everything that a debugger asks a compiled file.

use std::path::Path;
use std::sync::Arc;

use weft_memory::{Bias, DwarfRegister, FileAddr, MemAddr, Memory, MemoryError, Registers};
use weft_symbols::{CodeFrame, FunctionQuery, Image, LocationContext, Module, Modules, Type, TypeKind};

/// Addresses asked of each executable segment.
const PROBES: u64 = 6;
/// Functions, statics and types that are looked at.
const MOST: usize = 16;
/// How deep types are followed.
const DEPTH: usize = 4;

/// Asks all of it, and is content with any answer.
pub fn ask(image: &Arc<Image>) {
    let _ = (image.debug_info(), image.build_id(), image.tls(), image.is_position_independent(), image.missing());
    let modules = Modules::new(vec![whole(image)]);
    ask_names(image);
    ask_sources(image);
    let mut addresses = vec![image.entry()];
    addresses.extend(image.symbol("main").map(|symbol| symbol.address));
    for segment in image.segments().iter().filter(|segment| segment.executable) {
        let (start, end) = (segment.addresses.start.raw(), segment.addresses.end.raw());
        let step = (end.saturating_sub(start) / PROBES).max(1);
        addresses.extend((0..PROBES).map(|index| FileAddr::new(start.saturating_add(step.saturating_mul(index)))));
    }
    for address in addresses.into_iter().take(4 * MOST) {
        ask_address(image, &modules, address);
    }
}

fn whole(image: &Arc<Image>) -> Module {
    let ranges = image.segments().iter();
    let low = ranges.clone().map(|segment| segment.addresses.start.raw()).min().unwrap_or(0);
    let high = ranges.map(|segment| segment.addresses.end.raw()).max().unwrap_or(0);
    Module { image: image.clone(), bias: Bias::default(), range: MemAddr::new(low)..MemAddr::new(high.max(low)) }
}

fn ask_names(image: &Arc<Image>) {
    let _ = (image.functions("main"), image.types("core::option::Option"), image.types_of_any_arguments("int").count());
    let _ = image.symbols_containing("main");
    for name in image.statics_of("seed", MOST) {
        let _ = name;
    }
    for text in ["main", "seed::walk", "/a/"] {
        let Ok(query) = FunctionQuery::parse(text) else { continue };
        let found = image.find_functions(&query);
        let some: Vec<_> = found.iter().take(MOST).collect();
        let _ = (image.starts_of(&some, MOST), image.find_symbols(&query), image.similar_functions(&query, MOST));
        for found in some {
            let _ = image.function_at(found.function.die);
        }
    }
    for path in ["int", "u32", "seed::Node", "node", "seed::chain::{async_fn_env#0}"] {
        for ty in image.types(path).iter().take(MOST) {
            ask_type(ty, DEPTH);
        }
    }
}

fn ask_sources(image: &Arc<Image>) {
    for source in image.sources().iter().take(MOST) {
        for line in [0, 1, 10, 20] {
            let _ = image.find_line(source, line);
        }
        let _ = (image.find_place(source, 12, Some(5)), image.breakpoint_locations(source, 1..=60));
    }
    let _ = image.find_line(Path::new("seed.rs"), 1);
}

fn ask_address(image: &Arc<Image>, modules: &Modules, address: FileAddr) {
    let _ = (image.symbol_at(address), image.function_bounds(address), image.line_at(address), image.cfa_rule(address));
    let _ = (image.landing_pad(address), image.begins_instruction(address), image.vtable_type(address));
    let _ = (image.came_with_the_toolchain(address), image.code_name(address));
    let _ = image.behind_prologue_at(address);
    let mut registers = Registers::unknown(0x7000);
    for number in 0..17 {
        registers.set(DwarfRegister(number), Some(0x1000 + u64::from(number) * 8));
    }
    registers.set(DwarfRegister::RA, Some(address.raw()));
    for _ in 0..MOST {
        let Ok(Some(caller)) = modules.caller(&registers, false, &Pattern) else { break };
        registers = caller.registers;
    }
    registers.set(DwarfRegister::RA, Some(address.raw()));
    for frame in image.frames_at(address).unwrap_or_default().iter().take(MOST) {
        ask_frame(frame, modules, &registers, address);
    }
}

fn ask_frame(frame: &CodeFrame, modules: &Modules, registers: &Registers, address: FileAddr) {
    let _ = (frame.template_argument("T"), frame.inlined_ranges(), frame.behind_prologue(), frame.statements());
    let _ = frame.rows_finishing_awaits();
    for ty in [frame.return_type(), frame.environment_type()].into_iter().flatten() {
        let _ = ty.coroutine_function();
        ask_type(&ty, DEPTH);
    }
    let pc = MemAddr::new(address.raw());
    let context = LocationContext { memory: &Pattern, registers, cfa: Some(MemAddr::new(0x2000)), pc, modules, frame };
    for variable in frame.variables_at(address).unwrap_or_default().iter().take(4 * MOST) {
        let _ = (variable.locate(&context), variable.kept(frame, address));
        variable.ty.iter().for_each(|ty| ask_type(ty, DEPTH));
    }
}

fn ask_type(ty: &Type, depth: usize) {
    let _ = (ty.path().len(), ty.size(), ty.align(), ty.declared(), ty.is_uninhabited(), ty.is_coroutine());
    let Some(depth) = depth.checked_sub(1) else { return };
    let part = ty.variant_part();
    let variants = part.iter().flat_map(|part| part.variants.iter()).take(MOST).map(|variant| &variant.member);
    let members = ty.members().iter().chain(variants).take(4 * MOST).filter_map(|member| member.ty);
    let target = match ty.kind() {
        TypeKind::Pointer(target) => *target,
        _ => None,
    };
    let _ = (ty.active_variant(Some(1)), ty.discriminant_size());
    for inner in members.chain(target).filter_map(|die| ty.at(die)) {
        ask_type(&inner, depth);
    }
}

/// Memory in which every address has bytes: its own digits.
struct Pattern;

impl Memory for Pattern {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        for (at, byte) in (0..).zip(buffer.iter_mut()) {
            let place = address.raw().wrapping_add(at);
            *byte = (place.wrapping_mul(0x9e37_79b9) >> 16) as u8;
        }
        Ok(buffer.len())
    }
}
