//! What a user calls a task: by the future it was made of.

use std::sync::Arc;

use weft_symbols::Type;
use weft_tasks::Location;
use weft_values::{Place, Stop, is_user_crate};

use crate::names::{base, krate, location};
use crate::shape::find_member;

/// A name, and where what it names is declared.
pub(crate) type Described = (Arc<str>, Option<Arc<Location>>);

/// What a user calls a task with this entry future, and where it is declared. Boxes are looked through.
pub(crate) fn describe(future: &Type) -> Described {
    let mut ty = future.clone();
    for _ in 0..8 {
        if let Some(function) = ty.coroutine_function() {
            if let Some(driven) = captured(&ty).filter(|_| !is_user_crate(&function.krate)) {
                ty = driven;
                continue;
            }
            let declared = function.declared.as_ref().or_else(|| ty.declared()).map(location);
            return (function.name.as_str().into(), declared);
        }
        let Some(inner) = wrapped(&ty) else { break };
        ty = inner;
    }
    if let Some(name) = closure_name(ty.path()) {
        return (name.into(), ty.declared().map(location));
    }
    let name = if krate(ty.path()).is_empty() { ty.path() } else { base(ty.path()) };
    (name.into(), ty.declared().map(location))
}

/// What is to be said of the future behind a trait object; none where the type itself tells which future it is.
pub(crate) fn concrete(stop: &Stop, future: &Place) -> Option<Described> {
    behind(stop, future).map(|ty| describe(&ty))
}

/// The type of the future behind a trait object; none where the type itself tells which future it is.
pub(crate) fn behind(stop: &Stop, future: &Place) -> Option<Type> {
    if !future.ty.path().contains("dyn ") {
        return None;
    }
    let mut place = future.clone();
    for _ in 0..8 {
        if !is_box(&place.ty) {
            break;
        }
        place = place.deref(stop).ok()?;
    }
    Some(place.ty)
}

/// Whether it is a box, pinned or not.
pub(crate) fn is_box(ty: &Type) -> bool {
    matches!(base(ty.path()), "core::pin::Pin" | "alloc::boxed::Box")
}

/// A closure by the function it is in: `prog::load::{async_fn#0}::{closure_env#1}<u8>` → `prog::load {closure}`.
fn closure_name(path: &str) -> Option<String> {
    let path = base(path);
    path.rsplit("::").next().filter(|last| last.starts_with("{closure_env#"))?;
    // What the compiler made up begins with a brace; an impl's block has no name of its own.
    let named: Vec<&str> = path.split("::").filter(|component| !component.starts_with('{')).collect();
    Some(format!("{} {{closure}}", named.join("::")))
}

/// What a runtime's own coroutine was given by its caller to drive or to run: the first of what it captures that leads to
/// a user's future or closure (`Executor::run(future)`, `LocalSet::run_until(future)`, `unblock(job)`).
pub(crate) fn captured(coroutine: &Type) -> Option<Type> {
    captured_within(coroutine, 8)
}

fn captured_within(coroutine: &Type, levels: usize) -> Option<Type> {
    let levels = levels.checked_sub(1)?;
    let captures = coroutine.at(coroutine.variant_part()?.variants.first()?.member.ty?)?;
    let captured = captures.members().iter().filter_map(|member| coroutine.at(member.ty?));
    captured.into_iter().find(|captured| leads_to_user(captured, levels))
}

/// Whether it is a user's future or closure, or a runtime's wrapper or coroutine around one.
fn leads_to_user(ty: &Type, levels: usize) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    match ty.coroutine_function() {
        Some(function) => is_user_crate(&function.krate) || captured_within(ty, levels).is_some(),
        None if closure_name(ty.path()).is_some() => is_user_crate(krate(ty.path())),
        // A reference leads to what it does not own.
        None => crate::shape::pointee(ty).is_none() && wrapped(ty).is_some_and(|inner| leads_to_user(&inner, levels)),
    }
}

/// The future inside a wrapper that has no name of its own in a user's eyes.
fn wrapped(ty: &Type) -> Option<Type> {
    let path = base(ty.path());
    if let Some(target) = crate::shape::pointee(ty) {
        return Some(target);
    }
    match path {
        "core::pin::Pin" => find_member(ty, &["pointer", "__pointer"], 1).map(|(_, inner)| inner),
        // What rustc made of an async function up to 1.64.
        "core::future::from_generator::GenFuture"
        | "tracing::instrument::Instrumented"
        | "tokio::runtime::blocking::task::BlockingTask" => ty.template_argument("T"),
        "async_executor::AsyncCallOnDrop" | "futures_util::future::future::remote_handle::Remote" => {
            ty.template_argument("Fut")
        }
        "async_std::task::builder::SupportTaskLocals" => ty.template_argument("F"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_are_named_by_their_function() {
        assert_eq!(
            closure_name("prog::load::{async_fn#0}::{closure_env#1}<u8>").as_deref(),
            Some("prog::load {closure}")
        );
        assert_eq!(
            closure_name("tokio::fs::file::{impl#3}::poll_write::{closure_env#0}").as_deref(),
            Some("tokio::fs::file::poll_write {closure}")
        );
        assert_eq!(closure_name("prog::Job"), None);
    }
}
