//! Futures side by side: what keeps them so, what that is called, and which of them are live.
//!
//! Most of it needs no knowledge: a struct that holds several futures is a branch of all that it holds. What is known here
//! are the names that users know (`select!` is a `PollFn` to the compiler) and the branches that are over: those keep a value
//! in their place, or are in the mask of `select!` although their future is still there.
//!
//! Layouts: Tokio 1.0 to 1.54 (`macros/select.rs`, `macros/join.rs`: a closure over `disabled` and a tuple `futures`),
//! futures-util 0.3 (`async_await/*_mod.rs`: a closure over `_fut0`, `_fut1`, … or over the branches' own names).

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_symbols::{Member, Type, TypeKind};
use weft_tasks::FrameKind;
use weft_values::{Place, Stop, is_user_crate};

use crate::chain::{Node, Walk, at};
use crate::executors::drives_executor;
use crate::names::{base, krate};
use crate::shape::{Part, pointee};

/// How the futures of a branch count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// The first that ends wins.
    Any,
    /// All must end.
    All,
    /// A future and the timer that ends it.
    Timeout,
}

/// Most wrappers between a branch and its future.
const MAX_WRAPPERS: usize = 8;
/// The most branches of one macro: what its mask has bits for.
const MAX_BRANCHES: usize = 128;

/// The types of known combinators, by the last part of their paths, under the names by which users make them.
const COMBINATORS: [(&str, &str, Group); 27] = [
    ("JoinAll", "join_all", Group::All),
    ("TryJoinAll", "try_join_all", Group::All),
    ("SelectAll", "select_all", Group::Any),
    ("SelectOk", "select_ok", Group::Any),
    ("Select", "select", Group::Any),
    ("TrySelect", "try_select", Group::Any),
    ("Join", "join", Group::All),
    ("Join3", "join3", Group::All),
    ("Join4", "join4", Group::All),
    ("Join5", "join5", Group::All),
    ("TryJoin", "try_join", Group::All),
    ("TryJoin3", "try_join3", Group::All),
    ("TryJoin4", "try_join4", Group::All),
    ("TryJoin5", "try_join5", Group::All),
    ("FuturesOrdered", "FuturesOrdered", Group::All),
    ("BufferUnordered", "buffer_unordered", Group::All),
    ("TryBufferUnordered", "try_buffer_unordered", Group::All),
    ("Buffered", "buffered", Group::All),
    ("TryBuffered", "try_buffered", Group::All),
    ("ForEachConcurrent", "for_each_concurrent", Group::All),
    ("TryForEachConcurrent", "try_for_each_concurrent", Group::All),
    ("FlattenUnordered", "flatten_unordered", Group::All),
    ("FlatMapUnordered", "flat_map_unordered", Group::All),
    ("Or", "or", Group::Any),
    ("Race", "race", Group::Any),
    ("TryRace", "try_race", Group::Any),
    ("Timeout", "timeout", Group::Timeout),
];

/// A `PollFn` that a macro made: its closure refers to the branches, which lie beside it in the coroutine.
#[derive(Debug)]
pub(crate) struct Macro {
    group: Group,
    /// It ends with the first error.
    is_try: bool,
    /// Offset of the pointer to the mask of branches that are over or were not allowed, and the mask's size.
    mask: Option<(u64, u64)>,
    branches: Branches,
}

/// Where a macro's branches are, in the order of the source.
#[derive(Debug)]
enum Branches {
    /// Fields of a tuple behind the pointer at this offset.
    Tuple(u64, Vec<Part>),
    /// Captures.
    Captures(Vec<Part>),
}

/// Recognises the `PollFn` of a macro by what its closure captures.
pub(crate) fn macro_of(ty: &Type) -> Option<Macro> {
    if !base(ty.path()).ends_with("::poll_fn::PollFn") {
        return None;
    }
    let TypeKind::Struct { members, .. } = ty.kind() else { return None };
    let held = members.iter().find(|member| member.name == "f")?;
    let closure = ty.at(held.ty?)?;
    let TypeKind::Struct { members: captures, .. } = closure.kind() else { return None };
    let part = |capture: &Member| {
        let offset = held.offset.saturating_add(capture.offset);
        Some(Part { name: capture.name.clone(), offset, ty: closure.at(capture.ty?)? })
    };
    let captured: Vec<Part> = captures.iter().filter_map(part).collect();
    let named =
        |name: &str| captured.iter().find(|part| part.name.strip_prefix("_ref__").unwrap_or(&part.name) == name);
    if let Some(futures) = named("futures") {
        let branches = tuple_behind(futures)?;
        let mask = match named("disabled") {
            Some(mask) => Some((mask.offset, pointee(&mask.ty).filter(is_integer)?.size())),
            None => None,
        };
        let are_kept = |(_, parts): &(u64, Vec<Part>)| parts.iter().all(|part| is_maybe_done(&part.ty));
        let group = if mask.is_some() { Group::Any } else { Group::All };
        return (mask.is_some() || are_kept(&branches)).then_some(Macro {
            group,
            is_try: mask.is_none() && returns_result(&closure),
            mask,
            branches: Branches::Tuple(branches.0, branches.1),
        });
    }
    let behind = |part: &Part| unpinned(&part.ty);
    if !captured.is_empty() && captured.iter().all(|part| behind(part).is_some_and(|ty| is_maybe_done(&ty))) {
        let is_try = returns_result(&closure);
        return Some(Macro { group: Group::All, is_try, mask: None, branches: Branches::Captures(captured) });
    }
    // `select!` of futures-util polls only what can say that it is over.
    let is_fused = |part: &Part| behind(part).is_some_and(|ty| base(ty.path()).ends_with("::fuse::Fuse"));
    let are_fused = captured.len() > 1 && captured.iter().all(is_fused);
    are_fused.then_some(Macro { group: Group::Any, is_try: false, mask: None, branches: Branches::Captures(captured) })
}

fn is_integer(ty: &Type) -> bool {
    matches!(ty.kind(), TypeKind::Base(_)) && (1..=16).contains(&ty.size())
}

fn is_maybe_done(ty: &Type) -> bool {
    let path = base(ty.path());
    path.ends_with("::MaybeDone") || path.ends_with("::TryMaybeDone")
}

/// Whether what this closure polls is a `Result` in the end: `try_join!` has one, `join!` a tuple.
fn returns_result(closure: &Type) -> bool {
    let output = closure.closure_result().and_then(|poll| poll.template_argument("T"));
    output.is_some_and(|output| base(output.path()) == "core::result::Result")
}

/// Through `Pin` and `&mut`: what a capture refers to in the end.
fn unpinned(ty: &Type) -> Option<Type> {
    let mut ty = ty.clone();
    for _ in 0..MAX_WRAPPERS {
        let (_, thin) = crate::shape::peel(&ty);
        match pointee(&thin) {
            Some(target) => ty = target,
            None => return Some(ty),
        }
    }
    None
}

/// The tuple behind a capture: the offset of the pointer to it, and its fields in order.
fn tuple_behind(capture: &Part) -> Option<(u64, Vec<Part>)> {
    let tuple = pointee(&capture.ty)?;
    let TypeKind::Struct { members, variants: None } = tuple.kind() else { return None };
    let number = |member: &Member| member.name.strip_prefix("__")?.parse::<usize>().ok();
    let field = |member: &Member| {
        let part = Part { name: member.name.clone(), offset: member.offset, ty: tuple.at(member.ty?)? };
        Some((number(member)?, part))
    };
    let mut fields: Vec<(usize, Part)> = members.iter().map(field).collect::<Option<_>>()?;
    fields.sort_by_key(|(number, _)| *number);
    let in_order = fields.iter().enumerate().all(|(index, (number, _))| index == *number);
    (in_order && !fields.is_empty() && fields.len() <= MAX_BRANCHES)
        .then(|| (capture.offset, fields.into_iter().map(|(_, part)| part).collect()))
}

impl Macro {
    /// What the user wrote.
    fn name(&self) -> &'static str {
        match self.group {
            Group::Any => "select!",
            _ if self.is_try => "try_join!",
            _ => "join!",
        }
    }
}

/// The futures side by side in a `select!` or `join!`, by the type of the future that it is: what the macro is called, and
/// the branches in the order of the source, as the macro keeps them. `None` for other futures.
pub fn macro_branches(future: &Type) -> Option<(&'static str, Vec<Type>)> {
    let made = macro_of(future)?;
    let (Branches::Tuple(_, parts) | Branches::Captures(parts)) = &made.branches;
    Some((made.name(), parts.iter().map(|part| part.ty.clone()).collect()))
}

/// In which branch of a macro's future something lies: in itself, or behind the pointers that the branch is. From 0.
pub fn macro_branch_of(stop: &Stop, future: &Place, address: MemAddr) -> Option<usize> {
    let made = macro_of(&future.ty)?;
    let begin = future.address()?;
    let (begin, parts) = match &made.branches {
        Branches::Captures(parts) => (begin, parts),
        Branches::Tuple(pointer, parts) => {
            let tuple = stop.memory.read_u64(begin.checked_add(*pointer)?).ok()?;
            (MemAddr::new(tuple), parts)
        }
    };
    parts.iter().position(|part| {
        let place = begin.checked_add(part.offset).map(|at| Place::new(part.ty.clone(), at));
        place.is_some_and(|place| holds(stop, place, address))
    })
}

/// Whether something lies in a place or behind the pointers that it is made of.
fn holds(stop: &Stop, place: Place, address: MemAddr) -> bool {
    let mut place = Some(place);
    for _ in 0..MAX_WRAPPERS {
        let Some((begin, ty)) = place.as_ref().and_then(|place| Some((place.address()?, place.ty.clone()))) else {
            return false;
        };
        if address.since(begin).is_some_and(|offset| offset < ty.size().max(1)) {
            return true;
        }
        let (offset, thin) = crate::shape::peel(&ty);
        let target = pointee(&thin).zip(begin.checked_add(offset));
        place = target.and_then(|(ty, at)| Some(Place::new(ty, MemAddr::new(stop.memory.read_u64(at).ok()?))));
    }
    false
}

impl Walk<'_> {
    /// The branch that a macro made, with those of its futures that are live.
    pub(crate) fn made_by_macro(&mut self, made: &Macro, address: MemAddr, depth: usize) -> Vec<Node> {
        let parts = match &made.branches {
            Branches::Captures(parts) => parts.iter().map(|part| (part, at(address, part.offset))).collect::<Vec<_>>(),
            Branches::Tuple(pointer, parts) => match self.pointer(at(address, *pointer)) {
                Some(tuple) => parts.iter().map(|part| (part, at(tuple, part.offset))).collect(),
                None => return Vec::new(),
            },
        };
        let mask = made.mask.map(|(pointer, size)| {
            let mask = self.pointer(at(address, pointer)).and_then(|mask| self.read(mask, size));
            mask.unwrap_or_default()
        });
        let is_off = |index: u32| mask.is_some_and(|mask| mask.checked_shr(index).is_some_and(|mask| mask & 1 == 1));
        let mut live = Vec::new();
        let mut nodes = Vec::new();
        for ((part, place), index) in parts.iter().zip(0_u32..) {
            if is_off(index) {
                continue;
            }
            let Some((ty, place)) = self.live(&part.ty, *place) else { continue };
            live.push(index.saturating_add(1));
            nodes.extend(self.future(&ty, place, depth));
        }
        let note = (live.len() < parts.len()).then(|| live_branches(&live, parts.len()).into());
        vec![Node { note, ..branch(made.name(), made.group, nodes) }]
    }

    /// The future within what says whether it is over (`MaybeDone`, `Fuse`, `Option`); none if it is.
    pub(crate) fn live(&self, ty: &Type, address: MemAddr) -> Option<(Type, MemAddr)> {
        let mut place = Place::new(ty.clone(), address);
        for _ in 0..MAX_WRAPPERS {
            let path = base(place.ty.path());
            let says = |ty: &Type| is_maybe_done(ty) || base(ty.path()).ends_with("::fuse::Fuse");
            place = if is_maybe_done(&place.ty) || path == "core::option::Option" {
                let active =
                    place.variant(self.stop).ok().filter(|active| ["Future", "Some"].contains(&&*active.name))?;
                active.place.members().into_iter().next()?.place.ok()?
            } else if path.ends_with("::fuse::Fuse") {
                place.members().into_iter().next()?.place.ok()?
            } else if unpinned(&place.ty).is_some_and(|ty| says(&ty)) {
                place.deref(self.stop).ok()?
            } else {
                break;
            };
        }
        Some((place.ty.clone(), place.address()?))
    }
}

/// What a type makes of the futures in it.
#[derive(Debug)]
pub(crate) enum Combinator {
    /// Nothing: what is around it has the name.
    Nameless,
    /// A wrapper passes its one future on, several are a branch of this name.
    Several(Arc<str>, Group),
    /// A combinator that users know by this name, however many futures are in it.
    Known(Arc<str>, Group),
    /// What an executor runs beside the future that was given to it is no branch of that one; several are.
    Executor(Option<(Arc<str>, Group)>),
}

impl Combinator {
    pub(crate) fn of(ty: &Type) -> Self {
        let path = base(ty.path());
        let last = path.rsplit("::").next().unwrap_or(path);
        let known = COMBINATORS.iter().find(|(name, ..)| *name == last && !is_user_crate(krate(path)));
        let several: Option<(Arc<str>, Group)> = match known {
            Some((_, name, group)) => Some(((*name).into(), *group)),
            None if path.ends_with("::poll_fn::PollFn") => Some(("poll_fn".into(), Group::Any)),
            // A tuple, a `Pin`, a closure.
            None if path.contains('{') || ["", "core", "alloc", "std"].contains(&krate(path)) => None,
            None => {
                let group = if path.contains("select") { Group::Any } else { Group::All };
                Some((weft_values::short_type_name(path).into(), group))
            }
        };
        match several {
            several if drives_executor(ty) => Self::Executor(several),
            Some((name, group)) if known.is_some() => Self::Known(name, group),
            Some((name, group)) => Self::Several(name, group),
            None => Self::Nameless,
        }
    }

    /// The futures that a value of the type holds, under its name.
    pub(crate) fn combined(&self, nodes: Vec<Node>) -> Vec<Node> {
        match (self, nodes.as_slice()) {
            (_, []) | (Self::Nameless | Self::Executor(None), _) | (Self::Several(..) | Self::Executor(_), [_]) => {
                nodes
            }
            (Self::Known(name, group), [only]) if only.kind == FrameKind::Branch && SETS.contains(&&*only.name) => {
                nodes.into_iter().map(|set| Node { name: Arc::clone(name), group: Some(*group), ..set }).collect()
            }
            (Self::Known(name, group) | Self::Several(name, group) | Self::Executor(Some((name, group))), _) => {
                vec![branch(Arc::clone(name), *group, nodes)]
            }
        }
    }
}

/// Sets that combinators are made of.
const SETS: [&str; 2] = ["FuturesUnordered", "FuturesOrdered"];

/// `branches 2 and 3 of 3 are live`.
fn live_branches(live: &[u32], all: usize) -> String {
    let numbers: Vec<String> = live.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [] => format!("none of {all} branches is live"),
        [only] => format!("branch {only} of {all} is live"),
        [first @ .., last] => format!("branches {} and {last} of {all} are live", first.join(", ")),
    }
}

/// A node for futures side by side.
pub(crate) fn branch(name: impl Into<Arc<str>>, group: Group, children: Vec<Node>) -> Node {
    Node {
        kind: FrameKind::Branch,
        name: name.into(),
        location: None,
        user_code: false,
        body: None,
        wait: None,
        group: Some(group),
        note: None,
        children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_branches_are_counted_as_the_source_has_them() {
        assert_eq!(live_branches(&[3], 3), "branch 3 of 3 is live");
        assert_eq!(live_branches(&[2, 3], 3), "branches 2 and 3 of 3 are live");
        assert_eq!(live_branches(&[1, 2, 4], 4), "branches 1, 2 and 4 of 4 are live");
        assert_eq!(live_branches(&[], 2), "none of 2 branches is live");
    }
}
