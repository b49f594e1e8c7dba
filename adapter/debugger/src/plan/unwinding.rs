//! Where a panic that passes through a step will be caught.
//!
//! Unwinding leaves functions without returning. It begins and goes on in a few functions of the unwinding library
//! (Itanium C++ ABI, exception handling, 1.3); a thread that gets there is asked, frame by frame, who has a landing pad
//! that catches. No frame has been left at that moment, so what is to come is known before it happens.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{Image, Modules};
use weft_values::Stop;

/// Frames that are looked at.
const DEPTH: usize = 10_000;

/// Functions in which every frame of the thread is still there, though some are about to be left.
const RAISERS: [&str; 3] = ["_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_Resume_or_Rethrow"];

/// The code that catches an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landing {
    /// Its first instruction.
    pub(super) pad: MemAddr,
    /// The frame it is in.
    pub(super) cfa: MemAddr,
}

/// Files with what was found in them.
type Known = Vec<(Weak<Image>, Vec<FileAddr>)>;

thread_local! {
    /// Finding a symbol reads a file's whole table.
    static KNOWN: RefCell<Known> = const { RefCell::new(Vec::new()) };
}

/// Where unwinding begins and goes on. A program that is not linked with an unwinding library of its own uses the one
/// that it has loaded.
pub(super) fn raisers(modules: &Modules) -> BTreeSet<MemAddr> {
    let of = |skip: usize, take: usize| -> BTreeSet<MemAddr> {
        let some = modules.iter().skip(skip).take(take);
        some.flat_map(|module| raisers_in(&module.image).into_iter().map(|at| module.bias.to_memory(at))).collect()
    };
    let loaded = of(1, usize::MAX);
    if loaded.is_empty() { of(0, 1) } else { loaded }
}

fn raisers_in(image: &Arc<Image>) -> Vec<FileAddr> {
    KNOWN.with_borrow_mut(|known| {
        known.retain(|(image, _)| image.strong_count() > 0);
        if let Some((_, found)) = known.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(image)) {
            return found.clone();
        }
        let found: Vec<FileAddr> =
            RAISERS.iter().filter_map(|name| image.symbol(name)).map(|symbol| symbol.address).collect();
        known.push((Arc::downgrade(image), found.clone()));
        found
    })
}

/// Where the exception that a thread at one of the [`raisers`] carries will be caught; `None`: nowhere, or the stack
/// cannot be followed that far.
pub(super) fn landing(stop: &Stop, tid: i32) -> Option<Landing> {
    let mut registers = stop.thread(tid)?.registers;
    let mut is_return_address = false;
    for _ in 0..DEPTH {
        let caller = stop.modules.caller(&registers, is_return_address, &*stop.memory).ok()??;
        let at = if is_return_address { registers.pc().offset(-1) } else { registers.pc() };
        let (module, address) = stop.modules.to_file(at)?;
        if let Some(pad) = module.image.landing_pad(address).filter(|pad| pad.catches) {
            return Some(Landing { pad: module.bias.to_memory(pad.address), cfa: caller.cfa });
        }
        (registers, is_return_address) = (caller.registers, !caller.signal_frame);
    }
    None
}

/// The frame that catches a panic which a thread is about to raise, by its CFA; `None`: nobody does, or the stack cannot
/// be followed that far.
pub(crate) fn panic_is_caught_at(stop: &Stop, tid: i32) -> Option<MemAddr> {
    landing(stop, tid).map(|landing| landing.cfa)
}
