//! A coroutine at rest: its state, where it awaits, what it saved.
//!
//! Layout (rustc 1.63 to 1.97): the environment is a struct with a variant part; variant 0 is unresumed, 1 returned,
//! 2 panicked, 3 + n suspended at the n-th `.await`, whose line is the declaration of the variant's member. While the
//! coroutine runs its state is stale: a running task's truth is its thread's stack.

use std::sync::Arc;

use weft_symbols::{FIRST_AWAIT, Function, FunctionKind, PANICKED, RETURNED, Role, SourceLine, UNRESUMED};

use crate::captures::captured;
use crate::merged::hide_untold;
use crate::polling::as_passed;
use crate::saved::Awaiting;
use crate::variables::is_made_up;
use crate::{ActiveVariant, FieldPlace, FrameVariable, Place, Stop, ValueError};

/// How far a coroutine has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoroutinePhase {
    /// Never polled.
    Unresumed,
    /// Ran to its end.
    Returned,
    /// Ended by a panic.
    Panicked,
    /// Waiting at its n-th `.await` (from 0, in the compiler's order).
    Suspended(usize),
}

/// What can be read of a coroutine's environment.
#[derive(Clone, Debug)]
pub struct CoroutineState {
    /// Its function, as a user reads it.
    pub function: Option<Arc<Function>>,
    /// How far it has come.
    pub phase: CoroutinePhase,
    /// Suspended: the line of the `.await` (inside a macro: the macro's own line). Otherwise where the variant is
    /// declared: the function's first or last line.
    pub await_location: Option<SourceLine>,
    /// Suspended: the line of the function's own file that awaits; of an await in a macro of another file the line where
    /// that is called, as far as it can be told.
    pub own_line: Option<SourceLine>,
    /// Suspended: the future it polls, by value.
    pub awaitee: Option<Place>,
    /// Locals that live across the `.await`. Unresumed and ended coroutines have none.
    pub locals: Vec<FrameVariable>,
    /// What it was made with: arguments of an `async fn`, captures of a block.
    pub upvars: Vec<FrameVariable>,
}

/// How far a coroutine has come, and where it awaits if it does: the line of the `.await` (inside a macro: the macro's own).
/// Reads nothing but its state. Not for one that is being polled.
pub fn coroutine_phase(stop: &Stop, env: &Place) -> Result<(CoroutinePhase, Option<SourceLine>), ValueError> {
    let active = env.variant(stop)?;
    let phase = phase_of(&active);
    Ok((phase, active.declared.filter(|_| matches!(phase, CoroutinePhase::Suspended(_)))))
}

fn phase_of(active: &ActiveVariant) -> CoroutinePhase {
    match active.index {
        UNRESUMED => CoroutinePhase::Unresumed,
        RETURNED => CoroutinePhase::Returned,
        PANICKED => CoroutinePhase::Panicked,
        suspended => CoroutinePhase::Suspended(suspended.saturating_sub(FIRST_AWAIT)),
    }
}

/// Reads a coroutine's state from its environment. Not for one that is being polled.
pub fn coroutine(stop: &Stop, env: &Place) -> Result<CoroutineState, ValueError> {
    let active = env.variant(stop)?;
    let phase = phase_of(&active);
    let function = env.ty.coroutine_function();
    let is_fn = function.as_ref().is_some_and(|function| function.kind == FunctionKind::AsyncFn);
    let is_suspended = matches!(phase, CoroutinePhase::Suspended(_));
    let fields = active.place.members();
    let made_with = captured_fields(env);
    let scope = if is_suspended { Awaiting::at(&env.ty, active.index) } else { None };
    // A line of a macro's file says nothing to who reads the function.
    let body = function.as_ref().and_then(|function| function.declared.as_ref());
    let is_own = |line: &&SourceLine| body.is_none_or(|body| body.file == line.file);
    let called_at = scope.as_ref().and_then(|scope| scope.called_at.as_ref());
    let own_line = called_at.or(active.declared.as_ref().filter(is_own)).filter(|_| is_suspended).cloned();
    let line = own_line.as_ref();
    let (mut locals, mut upvars) = (Vec::new(), Vec::new());
    let mut awaitee = None;
    for (index, field) in fields.iter().enumerate() {
        if field.name == "__awaitee" {
            awaitee = field.place.clone().ok();
            continue;
        }
        let earlier = fields.iter().take(index).any(|other| other.name == field.name);
        if earlier || is_made_up(&field.name) {
            continue;
        }
        let is_upvar = made_with.iter().any(|made| made.name == field.name);
        let mut variable = saved(field, &fields, is_upvar, is_fn);
        let is_binding_kept = fields.iter().filter(|other| other.name == field.name).count() > 1;
        if let (true, true, false, true, Ok(place)) = (is_suspended, is_upvar, is_binding_kept, is_fn, &field.place) {
            (variable.place, variable.note) = as_passed(place.clone(), line);
        }
        if is_upvar && !is_fn {
            (variable.name, variable.place) = captured(stop, &field.name, variable.place);
            variable.ty = variable.place.as_ref().map_or(variable.ty, |place| Some(place.ty.clone()));
        }
        if is_upvar { upvars.push(variable) } else { locals.push(variable) }
    }
    if let Some(scope) = &scope {
        let mut all: Vec<_> = upvars.drain(..).chain(locals.drain(..)).collect();
        scope.correct(env, &fields, &made_with, line, &mut all);
        (upvars, locals) = all.into_iter().partition(|variable| variable.role == Role::Argument);
    }
    hide_untold(env, active.index, &mut upvars);
    hide_untold(env, active.index, &mut locals);
    // What has ended has dropped what it held: the bytes are still there, but they are nobody's.
    if matches!(phase, CoroutinePhase::Returned | CoroutinePhase::Panicked) {
        upvars.clear();
    }
    let ActiveVariant { declared, .. } = active;
    Ok(CoroutineState { function, phase, await_location: declared, own_line, awaitee, locals, upvars })
}

/// What the coroutine was made with: the members of its unresumed variant.
pub(crate) fn captured_fields(env: &Place) -> Vec<FieldPlace> {
    let unresumed = env.ty.variant_part().and_then(|part| part.variants.first());
    unresumed.and_then(|variant| env.field(&variant.member).ok()).map_or_else(Vec::new, |place| place.members())
}

/// One saved variable. Debug information collapses saved variables of one name into copies of the first, so only the
/// first is shown. An argument and the binding made of it share a name by nature; more than that is said. Of several
/// locals that are alive at one await, the first is the outermost: the others hide it.
fn saved(field: &FieldPlace, fields: &[FieldPlace], is_upvar: bool, is_fn: bool) -> FrameVariable {
    let copies = fields.iter().filter(|other| other.name == field.name).count();
    let expected = if is_upvar && is_fn { 2 } else { 1 };
    let hidden = if is_upvar { 2 } else { 1 };
    let note = (copies > expected).then(|| {
        format!("another variable named `{}` is saved here; the debug information describes only this one", field.name)
    });
    FrameVariable {
        name: field.name.clone(),
        role: if is_upvar { Role::Argument } else { Role::Local },
        ty: field.place.as_ref().ok().map(|place| place.ty.clone()),
        place: field.place.clone(),
        shadowed: copies > hidden,
        decl_line: field.declared.as_ref().map_or(0, |declared| declared.line),
        note,
    }
}
