//! Where the future of a `block_on` lies: on the stack of the thread that drives it, pinned in a frame of the executor.
//!
//! Frames further out hold copies of the future from before it was pinned, which look never polled: they are not used.
//! Debug information of optimised code is wrong at times: a pointer counts only if it points to where such a future can be.

use std::ops::Range;

use weft_memory::MemAddr;
use weft_symbols::{Role, Type, Variable};
use weft_values::{Frame, Place, Stop, environment, place_of};

use crate::cleanup::dropped;
use crate::executors::poller;
use crate::threads::{Driven, argument, each_variable};

/// Most rows of one function's line table that are looked at for an inlined poll function.
const MAX_ROWS: usize = 20_000;

/// What a run of executor frames that is a `block_on` drives.
pub(crate) fn root(stop: &Stop, run: &[Frame]) -> Driven {
    let future = argument(run);
    let place = future.as_ref().and_then(|future| place(stop, run, future));
    let cfa = run.iter().find_map(|frame| frame.cfa.filter(|_| frame.code.as_ref().and_then(poller).is_some()));
    Driven::Root { future, place, cfa }
}

fn place(stop: &Stop, run: &[Frame], future: &Type) -> Option<Place> {
    let pinned = run.iter().find_map(|frame| each_variable(stop, frame, &|ty| is_pin_of(ty, future)));
    if let Some(found) = pinned.and_then(|pinned| pinned.deref(stop).ok()) {
        return Some(found);
    }
    // All copies of a box point to the one that counts.
    if future.path().starts_with("core::pin::Pin<alloc::boxed::Box<") {
        let copy = run.iter().find_map(|frame| each_variable(stop, frame, &|ty| ty.path() == future.path()));
        return copy?.deref(stop).ok();
    }
    // The frames inside may have been given the future pinned already.
    let inner = run.iter().filter_map(|frame| outer_future(frame, future)).next();
    let (driven, pin) = match &inner {
        Some(inner) => (inner, Some(future)),
        None => (future, None),
    };
    pin.and_then(|pin| pointed(stop, run, pin))
        .or_else(|| run.iter().find_map(|frame| shadowed(stop, frame, driven)))
        .or_else(|| inlined(stop, run, driven))
        .or_else(|| alive(stop, run, driven))
}

/// The future of this frame, if what the frames inside drive is the pinned pointer to it.
fn outer_future(frame: &Frame, pin: &Type) -> Option<Type> {
    let code = frame.code.as_ref()?;
    let names = poller(code)?.future;
    names.iter().find_map(|name| code.template_argument(name)).filter(|future| is_pin_of(pin, future))
}

/// What the copies of a pinned pointer point to: it lies in the executor's own part of the stack, and they agree.
fn pointed(stop: &Stop, run: &[Frame], pin: &Type) -> Option<Place> {
    let stack = extent(run)?;
    let copies = run.iter().filter_map(|frame| each_variable(stop, frame, &|ty| ty.path() == pin.path()));
    let mut targets = copies.filter_map(|copy| copy.deref(stop).ok());
    let first = targets.find(|target| target.address().is_some_and(|at| stack.contains(&at)))?;
    let agree = |target: &Place| target.address().is_none_or(|at| !stack.contains(&at) || Some(at) == first.address());
    targets.all(|target| agree(&target)).then_some(first)
}

/// The future by its own place: `pin!` makes a local of the argument, of the same name, and shadows that with the pinned
/// pointer, which optimised code need not keep. In a function of the executor that blocks there is one such local.
fn shadowed(stop: &Stop, frame: &Frame, future: &Type) -> Option<Place> {
    let code = frame.code.as_ref().filter(|code| poller(code).is_some())?;
    let pc = frame.file_pc(stop)?;
    let variables = code.variables_at(pc).ok()?;
    let is_future = |variable: &Variable| variable.ty.as_ref().is_some_and(|ty| ty.path() == future.path());
    let argument = variables.iter().find(|variable| variable.role == Role::Argument && is_future(variable))?;
    let is_target =
        |variable: &&Variable| variable.role == Role::Local && variable.name == argument.name && is_future(variable);
    let mut targets = variables.iter().filter(is_target);
    let (Some(local), None) = (targets.next(), targets.next()) else { return None };
    let place = place_of(stop, frame, local).ok()?;
    let stack = frame.registers.sp()..frame.cfa?;
    place.address().is_some_and(|at| stack.contains(&at)).then_some(place)
}

/// The part of the stack that a run of frames takes.
fn extent(run: &[Frame]) -> Option<Range<MemAddr>> {
    Some(run.first()?.registers.sp()..run.last()?.cfa?)
}

/// Where optimised code keeps the future of a `block_on` that has inlined its poll function but does not execute it at
/// the moment: the future was pinned in the frame of `block_on` and stays there, so what the poll function's parameter
/// says elsewhere in the same frame is still true, provided that it says "in this frame".
fn inlined(stop: &Stop, run: &[Frame], future: &Type) -> Option<Place> {
    let concrete = blocking(run)?;
    let code = concrete.code.as_ref()?;
    let (module, _) = stop.modules.to_file(concrete.lookup_pc)?;
    let own = extent(std::slice::from_ref(concrete))?;
    let rows = code.ranges.iter().flat_map(|range| module.image.rows_in(range.clone()).unwrap_or_default());
    let mut asked = None;
    for row in rows.take(MAX_ROWS) {
        // Neighbouring rows say the same; one of each run of rows is enough.
        if asked == Some((row.source.line, row.source.file.clone())) {
            continue;
        }
        asked = Some((row.source.line, row.source.file.clone()));
        let polls = module.image.frames_at(row.address).unwrap_or_default();
        let poll = polls.into_iter().find(|copy| {
            copy.function.kind.is_coroutine() && copy.environment_type().is_some_and(|ty| ty.path() == future.path())
        });
        let Some(poll) = poll else { continue };
        let there = Frame {
            pc: module.bias.to_memory(row.address),
            lookup_pc: module.bias.to_memory(row.address),
            code: Some(poll),
            ..concrete.clone()
        };
        let found = environment(stop, &there).filter(|place| place.address().is_some_and(|at| own.contains(&at)));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The future as the frame that blocks would drop it if a panic left the call that it is in: for compilers that describe no
/// place for it at all. What lies there must be in one of the states of its type.
fn alive(stop: &Stop, run: &[Frame], future: &Type) -> Option<Place> {
    let concrete = blocking(run)?;
    let own = extent(std::slice::from_ref(concrete))?;
    let address = dropped(stop, concrete, future).filter(|at| own.contains(at))?;
    let place = Place::new(future.clone(), address);
    (future.variant_part().is_none() || place.variant(stop).is_ok()).then_some(place)
}

/// The frame of the innermost function that blocks, with all that is inlined into it.
fn blocking(run: &[Frame]) -> Option<&Frame> {
    let innermost = run.iter().position(|frame| frame.code.as_ref().and_then(poller).is_some())?;
    run.get(innermost..)?.iter().find(|frame| !frame.inlined)
}

fn is_pin_of(ty: &Type, future: &Type) -> bool {
    let inner = ty.path().strip_prefix("core::pin::Pin<&mut ").and_then(|rest| rest.strip_suffix('>'));
    inner == Some(future.path())
}
