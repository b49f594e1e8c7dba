//! A stack that a program printed, unwound and read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{BUILDS, Build, Run, line_of, run, run_with};
use weft_memory::{MemAddr, Memory, Registers};
use weft_symbols::{CodeFrame, FunctionKind, Location, LocationContext, PieceSource, Variable};

/// A frame of the unwound stack: the functions at its address, innermost copy first.
struct Unwound {
    registers: Registers,
    cfa: Option<MemAddr>,
    pc: MemAddr,
    functions: Vec<CodeFrame>,
}

fn unwind(run: &Run) -> Vec<Unwound> {
    let mut frames = Vec::new();
    let mut registers = run.registers;
    let mut returned = false;
    for _ in 0..1000 {
        let pc = if returned { registers.pc().offset(-1) } else { registers.pc() };
        let module = run.modules.at(pc).expect("the pc lies in a module");
        let functions = module.image.frames_at(module.bias.to_file(pc)).unwrap();
        let caller = run.modules.caller(&registers, returned, &run.memory).unwrap();
        frames.push(Unwound { registers, cfa: caller.map(|caller| caller.cfa), pc, functions });
        match caller {
            Some(caller) => registers = caller.registers,
            None => return frames,
        }
        // What a signal interrupted goes on exactly where it was.
        returned = !caller.is_some_and(|caller| caller.signal_frame);
    }
    panic!("the stack has no end");
}

fn names(frames: &[Unwound]) -> Vec<String> {
    let functions = frames.iter().flat_map(|frame| &frame.functions);
    functions.filter(|frame| frame.function.krate == "shapes").map(|frame| frame.function.name.clone()).collect()
}

#[test]
fn the_stack_is_unwound_to_its_end_and_named() {
    for build in BUILDS {
        let run = run(build);
        let frames = unwind(&run);
        let names = names(&frames);
        let expected = [
            "shapes::snapshot",
            "shapes::inner_inline",
            "shapes::outer_inline",
            "shapes::inner",
            "shapes::nested::Worker::work",
            "shapes::main {async block}",
            "shapes::block_on",
            "shapes::main",
        ];
        assert_eq!(names, expected, "{build:?}");
        // The outermost frame is the program's entry, whose rule says that it has no caller.
        let last = frames.last().unwrap();
        let module = run.modules.at(last.pc).unwrap();
        assert!(module.image.function_bounds(module.bias.to_file(last.pc)).unwrap().contains(&module.image.entry()));
    }
}

/// The copy with this name, and the frame of the stack it lies in.
fn find<'a>(frames: &'a [Unwound], name: &str) -> (&'a Unwound, &'a CodeFrame) {
    let all = frames.iter().flat_map(|frame| frame.functions.iter().map(move |function| (frame, function)));
    all.into_iter().find(|(_, function)| function.function.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn variables(run: &Run, frame: &Unwound, function: &CodeFrame) -> Vec<Variable> {
    let module = run.modules.at(frame.pc).unwrap();
    function.variables_at(module.bias.to_file(frame.pc)).unwrap()
}

/// The bytes of the innermost variable of that name; `None`: optimised out.
fn bytes(run: &Run, frames: &[Unwound], function: &str, name: &str) -> Option<Vec<u8>> {
    let (frame, function) = find(frames, function);
    let variables = variables(run, frame, function);
    let named = variables.iter().filter(|variable| variable.name.as_deref() == Some(name));
    let variable = named.max_by_key(|variable| variable.depth).unwrap_or_else(|| panic!("no variable {name}"));
    let context = LocationContext {
        memory: &run.memory,
        registers: &frame.registers,
        cfa: frame.cfa,
        pc: frame.pc,
        modules: &run.modules,
        frame: function,
    };
    let size = usize::try_from(variable.ty.as_ref().unwrap().size()).unwrap();
    match variable.locate(&context).unwrap() {
        Location::Memory(address) => Some(run.memory.read_bytes(address, size).unwrap()),
        Location::Value(bytes) => Some(bytes),
        Location::Pieces(pieces) => {
            let known = pieces.into_iter().map(|piece| match piece.source {
                PieceSource::Memory(address) => run.memory.read_bytes(address, piece.size as usize).ok(),
                PieceSource::Value(bytes) => Some(bytes),
                PieceSource::OptimisedOut => None,
            });
            known.collect::<Option<Vec<_>>>().map(|pieces| pieces.concat())
        }
        Location::OptimisedOut => None,
    }
}

#[test]
fn variables_of_all_frames_have_their_values() {
    for build in [Build::Debug, Build::Modern] {
        let run = run(build);
        let frames = unwind(&run);
        let read = |function, name| bytes(&run, &frames, function, name);
        assert_eq!(read("shapes::inner_inline", "local"), Some(129u64.to_le_bytes().to_vec()));
        assert_eq!(read("shapes::inner_inline", "number"), Some(43u64.to_le_bytes().to_vec()));
        assert_eq!(read("shapes::outer_inline", "carried"), Some(43u64.to_le_bytes().to_vec()));
        assert_eq!(read("shapes::inner", "value"), Some(42u64.to_le_bytes().to_vec()));
        assert_eq!(read("shapes::inner", "numbers"), Some(vec![10, 0, 20, 0, 30, 0]));
        assert_eq!(read("shapes::inner", "shadowed"), Some(vec![42, 0, 0, 0]));
        assert_eq!(read("shapes::nested::Worker::work", "doubled"), Some(42u64.to_le_bytes().to_vec()));
        assert_eq!(read("shapes::nested::Worker::work", "n"), Some(21u64.to_le_bytes().to_vec()));
        let shape = read("shapes::inner", "shape").unwrap();
        let at = |name: &str| run.facts[&format!("offset Shape.{name}")] as usize;
        assert_eq!(shape[at("a")], 7);
        assert_eq!(shape[at("b")..at("b") + 8], 42u64.to_le_bytes());
    }
}

#[test]
fn optimised_code_shows_what_is_true_or_nothing() {
    let run = run(Build::Optimised);
    let frames = unwind(&run);
    let read = |function, name| bytes(&run, &frames, function, name);
    // Its address was taken, so it lies in memory.
    assert_eq!(read("shapes::inner_inline", "local"), Some(129u64.to_le_bytes().to_vec()));
    for (name, value) in [("number", 43u64), ("carried", 43)] {
        let function = if name == "number" { "shapes::inner_inline" } else { "shapes::outer_inline" };
        let shown = read(function, name);
        assert!(shown.is_none() || shown == Some(value.to_le_bytes().to_vec()), "{name}: {shown:?}");
    }
}

#[test]
fn shadowed_variables_differ_in_depth() {
    let run = run(Build::Debug);
    let frames = unwind(&run);
    let (frame, function) = find(&frames, "shapes::inner");
    let shadowed: Vec<_> = variables(&run, frame, function)
        .into_iter()
        .filter(|variable| variable.name.as_deref() == Some("shadowed"))
        .map(|variable| (variable.ty.unwrap().name().to_owned(), variable.depth, variable.decl_line))
        .collect();
    let [(outer, outer_depth, outer_line), (inner, inner_depth, inner_line)] = shadowed.as_slice() else {
        panic!("{shadowed:?}");
    };
    assert_eq!((outer.as_str(), inner.as_str()), ("u8", "u32"));
    assert!(outer_depth < inner_depth);
    assert_eq!((*outer_line, *inner_line), (line_of("let shadowed = 1u8"), line_of("let shadowed = shadowed")));
}

#[test]
fn inlined_copies_know_where_they_were_called() {
    for build in BUILDS {
        let run = run(build);
        let frames = unwind(&run);
        let (_, copy) = find(&frames, "shapes::inner_inline");
        let call = copy.call_site.as_ref().unwrap();
        assert!(call.file.ends_with("tests/fixtures/shapes.rs"), "{:?}", call.file);
        assert_eq!(call.line, line_of("inner_inline(black_box(carried))"), "{build:?}");
        let (_, outer) = find(&frames, "shapes::outer_inline");
        assert_eq!(outer.call_site.as_ref().unwrap().line, line_of("let sum = outer_inline(value)"));
        assert_eq!(copy.inline_depth, outer.inline_depth + 1);
        let (frame, body) = find(&frames, "shapes::inner");
        let pc = run.modules.at(frame.pc).unwrap().bias.to_file(frame.pc);
        assert_eq!(body.function.kind, FunctionKind::AsyncFn);
        let covered = |ranges: &[std::ops::Range<_>]| ranges.iter().any(|range| range.contains(&pc));
        assert!(covered(&body.inlined_ranges().unwrap()) && covered(&outer.inlined_ranges().unwrap()));
        assert!(!copy.inlined_ranges().unwrap().iter().any(|range| range.contains(&pc)));
    }
}

#[test]
fn a_poll_function_knows_its_environment() {
    for build in BUILDS {
        let run = run(build);
        let frames = unwind(&run);
        for (name, path) in [
            ("shapes::inner", "shapes::inner::{async_fn_env#0}"),
            ("shapes::nested::Worker::work", "shapes::nested::{impl#0}::work::{async_fn_env#0}<u32>"),
            ("shapes::main {async block}", "shapes::main::{async_block_env#1}"),
        ] {
            let (_, function) = find(&frames, name);
            let environment = function.environment_type().unwrap();
            assert_eq!(environment.path(), path, "{build:?}");
            assert!(environment.is_coroutine());
            let described = environment.coroutine_function().unwrap();
            assert_eq!((described.name.as_str(), described.kind), (name, function.function.kind), "{build:?}");
        }
        let (_, work) = find(&frames, "shapes::nested::Worker::work");
        assert_eq!(work.template_argument("T").unwrap().name(), "u32");
        assert_eq!(work.template_argument("U"), None);
    }
}

#[test]
fn a_signal_handler_is_unwound_into_what_it_interrupted() {
    for build in BUILDS {
        let run = run_with(build, &["signal"]);
        let frames = unwind(&run);
        let expected = ["shapes::snapshot", "shapes::on_signal", "shapes::interrupted", "shapes::main"];
        assert_eq!(names(&frames), expected, "{build:?}");
        // Between them lies the trampoline; it restores every register, also those a function may overwrite.
        let handler = frames
            .iter()
            .position(|frame| frame.functions.iter().any(|copy| copy.function.name.ends_with("on_signal")));
        let interrupted = &frames[handler.unwrap() + 2];
        assert_eq!(interrupted.registers.known().count(), 17);
    }
}
