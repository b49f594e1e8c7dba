//! Which coroutine a function makes, or a future has in it.

use std::collections::{BTreeSet, VecDeque};

use weft_symbols::{CodeFrame, Role, SourceLine, Type, TypeKind};
use weft_values::is_user_crate;

use super::bodies::blocks_of;

/// Types that are looked through for a coroutine.
const MOST_TYPES: usize = 256;

/// The coroutine of a function that only makes one: nobody wants to step into that. It returns the environment that is named
/// after it, or all of it is one block, which it may have put into a box as `async_trait` does.
pub(crate) fn coroutine_made_by(code: &CodeFrame) -> Option<Type> {
    let last = |path: &str| without_arguments(path).rsplit("::").next().unwrap_or_default().to_owned();
    let returned = code.return_type()?;
    if ["{async_fn_env#", "{async_closure_env#"].iter().any(|prefix| returned.name().starts_with(prefix)) {
        return (last(returned.namespace()) == last(&code.function.path)).then_some(returned);
    }
    let is_block = ["{async_block_env#", "Pin<alloc::boxed::Box<(dyn core::future::"];
    if !is_block.iter().any(|prefix| returned.name().starts_with(prefix)) {
        return None;
    }
    let parameters = code.variables_at(code.entry).unwrap_or_default().into_iter();
    let parameters: Vec<SourceLine> =
        parameters.filter_map(|it| it.declared.filter(|_| it.role == Role::Argument)).collect();
    // The block begins on the line of the function's name or, where an attribute is said to be that, of its parameters.
    let begins = |at: &SourceLine| {
        let mut all = parameters.iter().chain(&code.function.declared);
        all.any(|begin| (&begin.file, begin.line) == (&at.file, at.line))
    };
    let block = blocks_of(code).into_iter().find(|block| block.function.declared.as_ref().is_some_and(begins))?;
    block.environment_type()
}

/// A path up to the type arguments at its end.
fn without_arguments(path: &str) -> &str {
    if !path.ends_with('>') {
        return path;
    }
    let mut depth: usize = 0;
    for (at, letter) in path.char_indices().rev() {
        match letter {
            '>' => depth = depth.saturating_add(1),
            '<' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return path.get(..at).unwrap_or(path);
        }
    }
    path
}

/// The nearest coroutine of the user's in a future: itself, or what its fields and pointers lead to.
pub(crate) fn coroutine_in(future: &Type) -> Option<Type> {
    let mut open = VecDeque::from([future.clone()]);
    let mut seen = BTreeSet::new();
    while let Some(ty) = open.pop_front() {
        if seen.len() >= MOST_TYPES {
            return None;
        }
        if !seen.insert(ty.die()) {
            continue;
        }
        if ty.is_coroutine() {
            if ty.coroutine_function().is_some_and(|function| is_user_crate(&function.krate)) {
                return Some(ty);
            }
            continue;
        }
        match ty.kind() {
            TypeKind::Struct { members, variants } => {
                let within = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
                open.extend(members.iter().chain(within).filter_map(|member| ty.at(member.ty?)));
            }
            TypeKind::Pointer(Some(target)) => open.extend(ty.at(*target)),
            _ => {}
        }
    }
    None
}
