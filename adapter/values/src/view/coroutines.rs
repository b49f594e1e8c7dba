//! Futures made by `async`: where they stand and what they hold.

use super::Child;
use super::shape::Shape;
use crate::{CoroutinePhase, FrameVariable, Place, Stop, ValueError};

/// A coroutine's environment. What is shown is its state when it was last suspended: of a future that is being polled
/// right now, that is out of date, and the thread's stack has the truth.
pub(super) fn environment(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let state = crate::coroutine(stop, place)?;
    let name = crate::short_type_name(place.ty.path());
    let at = state.own_line.as_ref().or(state.await_location.as_ref()).filter(|at| at.line > 0).map(|at| {
        let file = at.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{file}:{}", at.line)
    });
    let phase = match (state.phase, at) {
        (CoroutinePhase::Unresumed, _) => "not started".to_owned(),
        (CoroutinePhase::Returned, _) => "finished".to_owned(),
        (CoroutinePhase::Panicked, _) => "panicked".to_owned(),
        (CoroutinePhase::Suspended(_), Some(at)) => format!("awaits at {at}"),
        (CoroutinePhase::Suspended(point), None) => format!("awaits at point {point}"),
    };
    let saved = |variable: FrameVariable| Child::extra(variable.label(), variable.place);
    let awaitee = state.awaitee.map(|place| Child::extra("[awaits]", Ok(place)));
    let fields = state.upvars.into_iter().chain(state.locals).map(saved).chain(awaitee).collect();
    Ok(Shape::Summary { text: format!("{name} ({phase})"), fields })
}
