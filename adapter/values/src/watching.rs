//! What a breakpoint on data can watch: an expression's place, if the hardware can.

use weft_memory::MemAddr;

use crate::{Child, EvaluateError, Filter, Frame, Meta, Place, Scope, Stop, ValueError, children, evaluate, frames};

/// Frames of a thread that are looked at for the owner of a local.
const MAX_FRAMES: usize = 256;
/// Fields that are looked at for one to watch instead.
const MAX_FIELDS: u64 = 64;

/// Bytes that are watched at most. (What is no power of two, or does not lie at a multiple of its size, takes more than
/// one of the hardware's four watches.)
const WIDEST: u64 = 8;

/// Something in memory that the hardware can watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTarget {
    /// The first byte.
    pub address: MemAddr,
    /// Bytes: 1 to 8.
    pub size: u64,
    /// What a user calls it.
    pub name: String,
    /// Its type in short Rust form.
    pub type_name: String,
    /// The call whose local it is; what lies elsewhere (heap, statics, coroutines) outlives calls.
    pub local_of: Option<LocalOf>,
}

/// A call on a thread's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOf {
    /// The thread.
    pub tid: i32,
    /// The call's canonical frame address: the place is gone when the stack pointer is above it.
    pub cfa: MemAddr,
}

/// What a breakpoint on the data that `text` names would watch. `frame` is the frame it was evaluated in, if any: its
/// thread's stack tells whose local it is. The error is a sentence: why it cannot be watched, and what can.
pub fn data_target(
    stop: &Stop,
    frame: Option<&Frame>,
    scope: &dyn Scope,
    text: &str,
) -> Result<DataTarget, EvaluateError> {
    let place = evaluate(stop, scope, text)?;
    place_target(stop, frame.map(|frame| frame.tid), &place, text.trim()).map_err(EvaluateError::Value)
}

/// As [`data_target`], for a place that was found otherwise; `name` is its expression. `tid`: the thread in whose frame
/// it was found, if in one.
pub fn place_target(stop: &Stop, tid: Option<i32>, place: &Place, name: &str) -> Result<DataTarget, ValueError> {
    let refuse = |why: String| Err(ValueError::Refused(why));
    let size = place.size();
    let Some(address) = place.address() else {
        let other =
            if place.is_pointer() { format!("what it refers to: `*{name}`") } else { "something that does".to_owned() };
        return refuse(format!(
            "`{name}` lies nowhere in memory here: it is computed or held in a register; watch {other}"
        ));
    };
    if size == 0 {
        return refuse(format!("`{name}` has no bytes that could change"));
    }
    if size > WIDEST {
        return refuse(format!(
            "`{name}` has {size} bytes, the hardware watches {WIDEST} at most{}",
            instead(stop, place, name)
        ));
    }
    Ok(DataTarget {
        address,
        size,
        name: name.to_owned(),
        type_name: crate::view::type_name(place),
        local_of: tid.and_then(|tid| local_of(stop, tid, address)),
    })
}

/// A part that can be watched, as the end of a sentence.
fn instead(stop: &Stop, place: &Place, name: &str) -> String {
    let fits = |place: &Place| place.address().is_some() && (1..=WIDEST).contains(&place.size());
    // The target of a reference is looked through by `children`: only what lies in the place itself is a part of it.
    let raw = place.members().into_iter().find_map(|field| {
        let field_place = field.place.as_ref().ok().filter(|it| fits(it))?;
        let shown = crate::view::tuple_index(&field.name).unwrap_or(&field.name);
        (!field.name.is_empty() && field_place.size() > 0).then(|| format!("{name}.{}", crate::typed_name(shown)))
    });
    let shown = || {
        let of_child = |child: Child| {
            child.place.as_ref().ok().filter(|it| fits(it))?;
            Some(format!("{name}{}", child.access?))
        };
        children(stop, place, Filter::All, 0, MAX_FIELDS).into_iter().find_map(of_child)
    };
    let is_run = place.meta != Meta::Sized || matches!(place.ty.kind(), weft_symbols::TypeKind::Array { .. });
    let part = if is_run { shown() } else { raw.or_else(shown) };
    part.map_or_else(|| "; watch one of its parts".to_owned(), |part| format!("; watch a part of it: `{part}`"))
}

/// The innermost call on a thread's stack in whose part of the stack an address lies.
fn local_of(stop: &Stop, tid: i32, address: MemAddr) -> Option<LocalOf> {
    let walk = frames(stop, tid, MAX_FRAMES);
    let own = walk.frames.iter().find_map(|frame| {
        let cfa = frame.cfa?;
        (frame.registers.sp()..cfa).contains(&address).then_some(cfa)
    });
    own.map(|cfa| LocalOf { tid, cfa })
}
