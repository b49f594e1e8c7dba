//! What of a type can hold a future: compiled once per type, kept between stops.
//!
//! The rule (docs: coroutine layout of rustc 1.63 to 1.97): a coroutine leads to its `__awaitee`; an enum to what its
//! active variant holds; a struct to those members that can hold a future; `&mut`, `Box` and `Pin` to their target; a
//! trait object to its vtable's type. Shared pointers are not followed: what is shared is not being awaited.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_symbols::{DieOffset, FIRST_AWAIT, Member, RETURNED, Type, TypeKind, UNRESUMED, VariantPart};
use weft_tasks::{Location, WaitKind};
use weft_values::is_user_crate;

use crate::branches::{Combinator, Macro, macro_of};
use crate::executors::runs_others;
use crate::leaves::{self, Leaf};
use crate::names::{base, is_file_of, krate, location};

/// How many types deep the search for a future inside a type goes.
const MAX_TYPE_DEPTH: usize = 16;

/// How many types deep a struct is searched for what it may poll without being followed.
const MAX_HIDING: usize = 4;

/// A type's identity within one run of the debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(usize, DieOffset);

impl TypeId {
    /// The identity of a type; valid as long as somebody keeps the type (and so its image).
    pub(crate) fn of(ty: &Type) -> Self {
        Self(Arc::as_ptr(ty.image()) as usize, ty.die())
    }
}

/// A type, compiled.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The type; keeps its identity alive.
    pub(crate) ty: Type,
    /// What a walk does with it.
    pub(crate) kind: Kind,
    /// What it makes of several futures in it.
    pub(crate) combinator: Combinator,
}

/// What a walk does with a place of some type.
#[derive(Debug)]
pub(crate) enum Kind {
    /// No future can be in it.
    Nothing,
    /// A coroutine's environment.
    Coroutine(Coroutine),
    /// A primitive future.
    Leaf(Leaf),
    /// Members that may hold futures. `hides`: others may lead to some that are not followed.
    Struct { parts: Vec<Part>, hides: bool },
    /// Variants that may hold futures.
    Enum(Choice),
    /// A thin pointer to a future.
    Pointer(Type),
    /// `{data_ptr, length}`: offsets of both.
    Slice { data: u64, length: u64, element: Type },
    /// `Vec`: offsets of pointer and length.
    Vector { data: u64, length: u64, element: Type },
    /// An array, in place.
    Array { element: Type, count: u64 },
    /// `{pointer, vtable}`: offsets of both.
    Dyn { data: u64, vtable: u64 },
    /// `FuturesUnordered`.
    Unordered(leaves::Unordered),
    /// `JoinSet`.
    JoinSet(leaves::JoinSet),
    /// Branches that a macro refers to.
    Macro(Macro),
}

/// A member.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) ty: Type,
}

/// Where a discriminant lies and what it selects.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Offset and size in bytes; none if there is only one variant.
    pub(crate) tag: Option<(u64, u64)>,
    /// The variants' parts.
    pub(crate) variants: Vec<Alternative>,
}

/// One variant.
#[derive(Debug)]
pub(crate) struct Alternative {
    pub(crate) name: String,
    /// Inclusive ranges masked to the tag's width; empty for the default variant.
    pub(crate) selected_by: Vec<(u128, u128)>,
    /// Its members that may hold futures (of a coroutine: all of them), offsets from the start of the whole value.
    pub(crate) parts: Vec<Part>,
    pub(crate) location: Option<Arc<Location>>,
    /// Where the debug information declares it: in a macro, the macro's own line.
    pub(crate) written: Option<Arc<Location>>,
    /// Who wrote the await.
    pub(crate) writer: Writer,
}

/// Who wrote an await.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The user, where it is declared.
    User,
    /// A macro of another crate: `location` stands in for it.
    ForeignMacro,
    /// A macro of the coroutine's own crate, called between these lines.
    OwnMacro(u32, u32),
}

/// A coroutine's environment, compiled.
#[derive(Debug)]
pub(crate) struct Coroutine {
    /// The function's name as a user reads it.
    pub(crate) name: Arc<str>,
    /// What a runtime's own function says about waits inside it.
    pub(crate) waits: Option<WaitKind>,
    /// The function as one who calls it writes it: `Type::method`, `function`.
    pub(crate) called: Arc<str>,
    /// Where the function is declared.
    pub(crate) declared: Option<Arc<Location>>,
    pub(crate) user_code: bool,
    /// States, in the order of the debug information: unresumed, returned, panicked, then the awaits.
    pub(crate) states: Choice,
}

impl Choice {
    /// The position of the variant that a tag selects.
    pub(crate) fn select(&self, tag: Option<u128>) -> Option<(usize, &Alternative)> {
        let numbered = || self.variants.iter().enumerate();
        let Some(tag) = tag else { return numbered().next() };
        numbered()
            .find(|(_, variant)| variant.selected_by.iter().any(|(low, high)| (*low..=*high).contains(&tag)))
            .or_else(|| numbered().find(|(_, variant)| variant.selected_by.is_empty()))
    }
}

/// Where an await made by a macro is, if the code tells.
type MacroLine = Option<Arc<Location>>;

/// The shapes of all types met so far.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    known: RwLock<FxHashMap<TypeId, Arc<Shape>>>,
    holds: RwLock<FxHashMap<TypeId, bool>>,
    /// Lines of awaits made by macros, by environment and state.
    macro_lines: RwLock<FxHashMap<(TypeId, usize), MacroLine>>,
}

impl Shapes {
    /// A type's shape.
    pub(crate) fn of(&self, ty: &Type) -> Arc<Shape> {
        let id = TypeId::of(ty);
        if let Some(shape) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(shape);
        }
        let shape = Arc::new(Shape { ty: ty.clone(), kind: self.compile(ty), combinator: Combinator::of(ty) });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(id).or_insert(shape))
    }

    /// Where a macro is called that made the await of a state, if the debug information tells: of what a macro of another
    /// crate made (of one's own with `#[collapse_debuginfo(yes)]`, and before rustc 1.79) the poll function has the line of
    /// the call. `None` where several awaits of one type have different lines.
    fn macro_line(&self, environment: &Type, state: usize) -> Option<Arc<Location>> {
        let key = (TypeId::of(environment), state);
        if let Some(known) = self.macro_lines.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let awaits = environment.awaits();
        let found = awaits.and_then(|awaits| awaits.line_of_state(environment, state)).map(|line| location(&line));
        self.macro_lines.write().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        found
    }

    /// Where the coroutine with this environment awaits in a state: the line that its author wrote, where that is known. If
    /// a macro of the author's own awaits there, what is to be said about that.
    pub(crate) fn await_of(
        &self,
        environment: &Type,
        state: usize,
        active: &Alternative,
    ) -> (Option<Arc<Location>>, Option<Arc<str>>) {
        let written = active.written.as_ref();
        match active.writer {
            Writer::User => (active.location.clone(), None),
            Writer::ForeignMacro => {
                let called = self.macro_line(environment, state).filter(|called| Some(called) != written);
                (called.or_else(|| active.location.clone()), None)
            }
            Writer::OwnMacro(first, last) => {
                let is_call = |at: &Arc<Location>| {
                    written.is_some_and(|written| at.file == written.file) && (first..=last).contains(&at.line)
                };
                match (self.macro_line(environment, state).filter(is_call), written) {
                    (Some(called), Some(written)) => {
                        (Some(called), Some(format!("the macro awaits at line {}", written.line).into()))
                    }
                    _ => (
                        active.location.clone(),
                        Some(format!("in a macro called between lines {first} and {last}").into()),
                    ),
                }
            }
        }
    }

    fn compile(&self, ty: &Type) -> Kind {
        if ty.is_coroutine() {
            return coroutine(ty).map_or(Kind::Nothing, Kind::Coroutine);
        }
        if let Some(leaf) = leaves::leaf(ty) {
            return Kind::Leaf(leaf);
        }
        if let Some(made) = macro_of(ty) {
            return Kind::Macro(made);
        }
        if !self.holds_future(ty) {
            return Kind::Nothing;
        }
        if let Some(set) = leaves::unordered(ty) {
            return Kind::Unordered(set);
        }
        if let Some(set) = leaves::join_set(ty) {
            return Kind::JoinSet(set);
        }
        match ty.kind() {
            TypeKind::Pointer(Some(target)) => ty.at(*target).map_or(Kind::Nothing, Kind::Pointer),
            TypeKind::Array { element: Some(element), count: Some(count) } => {
                ty.at(*element).map_or(Kind::Nothing, |element| Kind::Array { element, count: *count })
            }
            TypeKind::Struct { variants: Some(part), .. } => Kind::Enum(choice(ty, part, &|ty| self.holds_future(ty))),
            TypeKind::Struct { members, variants: None } => {
                let structure = || Kind::Struct { parts: self.parts(ty, members), hides: self.hides(ty, MAX_HIDING) };
                wide(ty).or_else(|| vector(ty)).unwrap_or_else(structure)
            }
            _ => Kind::Nothing,
        }
    }

    fn parts(&self, ty: &Type, members: &[Member]) -> Vec<Part> {
        let mut parts: Vec<_> =
            members.iter().filter_map(|member| part(ty, member)).filter(|part| self.holds_future(&part.ty)).collect();
        parts.retain(|part| !runs_others(&part.ty));
        // Rust orders fields as it likes; tuples at least are shown as they were written.
        if parts.iter().all(|part| part.name.starts_with("__")) {
            parts.sort_by_key(|part| part.name.trim_start_matches("__").parse::<u32>().unwrap_or(u32::MAX));
        }
        parts
    }

    /// Whether a value of this type refers to something of the user's that it may poll, and that is not followed: what a
    /// closure captured (`|context| job.advance(context)`), a future that the user wrote behind a reference.
    fn hides(&self, ty: &Type, levels: usize) -> bool {
        let TypeKind::Struct { members, variants } = ty.kind() else { return false };
        let payloads = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
        let inner = members.iter().chain(payloads).filter_map(|member| ty.at(member.ty?));
        inner.filter(|inner| inner.size() > 0 && !self.holds_future(inner)).any(|inner| {
            let of_user = |path: &str| !krate(path).is_empty() && is_user_crate(krate(path));
            let path = inner.path();
            match pointee(&inner) {
                Some(target) => is_owning(path) && of_user(target.path()),
                None if is_owning(path) => path.split_once("dyn ").is_some_and(|(_, named)| of_user(named)),
                None => levels > 0 && self.hides(&inner, levels.saturating_sub(1)),
            }
        })
    }

    /// Whether a place of this type can hold a future that its owner polls.
    pub(crate) fn holds_future(&self, ty: &Type) -> bool {
        let mut search = Search { shapes: self, trail: Vec::new(), cut: false };
        search.holds(ty)
    }
}

/// One search for a future in a type. A type met again below itself adds nothing new there; what was decided under
/// that assumption is not remembered.
struct Search<'a> {
    shapes: &'a Shapes,
    trail: Vec<TypeId>,
    cut: bool,
}

impl Search<'_> {
    fn holds(&mut self, ty: &Type) -> bool {
        let id = TypeId::of(ty);
        if let Some(known) = self.shapes.holds.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return *known;
        }
        if self.trail.contains(&id) || self.trail.len() >= MAX_TYPE_DEPTH {
            self.cut = true;
            return false;
        }
        self.trail.push(id);
        let holds = self.decide(ty);
        self.trail.pop();
        if holds || !self.cut || self.trail.is_empty() {
            self.shapes.holds.write().unwrap_or_else(PoisonError::into_inner).insert(id, holds);
        }
        holds
    }

    fn decide(&mut self, ty: &Type) -> bool {
        if ty.is_coroutine() || leaves::is_leaf(ty) || leaves::is_set(ty) {
            return true;
        }
        let path = ty.path();
        match ty.kind() {
            TypeKind::Pointer(Some(target)) if is_owning(path) => {
                ty.at(*target).is_some_and(|target| self.follows(&target))
            }
            TypeKind::Array { element: Some(element), .. } => ty.at(*element).is_some_and(|inner| self.holds(&inner)),
            TypeKind::Struct { members, variants } => match wide(ty) {
                Some(Kind::Dyn { .. }) => is_owning(path) && names_future(path),
                Some(Kind::Slice { element, .. }) => is_owning(path) && self.holds(&element),
                _ => match vector(ty) {
                    Some(Kind::Vector { element, .. }) => self.holds(&element),
                    _ => {
                        members.iter().any(|member| self.member(ty, member))
                            || variants.as_ref().is_some_and(|part| {
                                part.variants.iter().any(|variant| self.member(ty, &variant.member))
                            })
                    }
                },
            },
            _ => false,
        }
    }

    /// Behind a pointer a struct of the user's may be anything that holds tasks or futures without polling them; only
    /// futures themselves and the runtimes' combinators are followed.
    fn follows(&mut self, target: &Type) -> bool {
        let target_krate = krate(target.path());
        (target.is_coroutine() || target_krate.is_empty() || !is_user_crate(target_krate)) && self.holds(target)
    }

    fn member(&mut self, ty: &Type, member: &Member) -> bool {
        member.ty.and_then(|die| ty.at(die)).is_some_and(|inner| inner.size() > 0 && self.holds(&inner))
    }
}

/// Behind this pointer is what `futures::future::Shared` polls: the one shared pointer that leads to a future.
const SHARED: &str = "*const alloc::sync::ArcInner<futures_util::future::future::shared::Inner<";

/// Pointers whose holder polls what they point to.
fn is_owning(path: &str) -> bool {
    path.starts_with("&mut ") || path.starts_with("alloc::boxed::Box<") || path.starts_with(SHARED)
}

fn names_future(path: &str) -> bool {
    path.contains("dyn ") && ["future::Future", "Stream", "futures_core::"].iter().any(|name| path.contains(name))
}

/// A wide pointer, by the names of its halves.
pub(crate) fn wide(ty: &Type) -> Option<Kind> {
    let TypeKind::Struct { members, variants: None } = ty.kind() else { return None };
    let [first, second] = members.as_slice() else { return None };
    let named = |name: &str| [first, second].into_iter().find(|member| member.name == name);
    if let (Some(data), Some(length)) = (named("data_ptr"), named("length")) {
        let element = pointee(&ty.at(data.ty?)?)?;
        return Some(Kind::Slice { data: data.offset, length: length.offset, element });
    }
    let (data, vtable) = (named("pointer")?, named("vtable")?);
    Some(Kind::Dyn { data: data.offset, vtable: vtable.offset })
}

/// `Vec<T>`: pointer and length are searched by name, the element is the generic argument.
pub(crate) fn vector(ty: &Type) -> Option<Kind> {
    if base(ty.path()) != "alloc::vec::Vec" {
        return None;
    }
    let element = ty.template_argument("T")?;
    let (data, _) = find_member(ty, &["ptr"], 8)?;
    let (length, _) = find_member(ty, &["len"], 1)?;
    Some(Kind::Vector { data, length, element })
}

/// What a thin pointer type points to.
pub(crate) fn pointee(ty: &Type) -> Option<Type> {
    match ty.kind() {
        TypeKind::Pointer(Some(target)) => ty.at(*target),
        _ => None,
    }
}

pub(crate) fn part(ty: &Type, member: &Member) -> Option<Part> {
    let inner = ty.at(member.ty?)?;
    // An awaited future counts even if it has no size, as `std::future::pending` has none.
    (inner.size() > 0 || member.name == "__awaitee").then(|| Part {
        name: member.name.clone(),
        offset: member.offset,
        ty: inner,
    })
}

/// Compiles a variant part; of each payload those members that `wanted` wants.
pub(crate) fn choice(ty: &Type, part_of: &VariantPart, wanted: &dyn Fn(&Type) -> bool) -> Choice {
    let tag = part_of.discriminant.as_ref().map(|member| {
        let size = member.ty.and_then(|die| ty.at(die)).map_or(1, |ty| ty.size());
        (member.offset, size.clamp(1, 16))
    });
    let mask = tag.map_or(u128::MAX, |(_, size)| width_mask(size));
    let alternative = |variant: &weft_symbols::Variant| {
        let payload = variant.member.ty.and_then(|die| ty.at(die));
        let members = payload.as_ref().map_or_else(Vec::new, |payload| match payload.kind() {
            TypeKind::Struct { members, .. } => members.iter().filter_map(|member| part(payload, member)).collect(),
            _ => Vec::new(),
        });
        let moved = |part: Part| Part { offset: part.offset.saturating_add(variant.member.offset), ..part };
        let written = variant.member.declared.as_ref().map(location);
        Alternative {
            name: variant.member.name.clone(),
            selected_by: variant.discriminants.iter().map(|(low, high)| (low & mask, high & mask)).collect(),
            parts: members.into_iter().filter(|part| wanted(&part.ty)).map(moved).collect(),
            location: written.clone(),
            written,
            writer: Writer::User,
        }
    };
    Choice { tag, variants: part_of.variants.iter().map(alternative).collect() }
}

fn width_mask(bytes: u64) -> u128 {
    let bits = u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX);
    1_u128.checked_shl(bits).map_or(u128::MAX, |limit| limit.wrapping_sub(1))
}

fn coroutine(ty: &Type) -> Option<Coroutine> {
    let TypeKind::Struct { variants: Some(part), .. } = ty.kind() else { return None };
    let function = ty.coroutine_function();
    let path = function.as_ref().map_or_else(|| ty.path().to_owned(), |function| function.path.clone());
    let name = function.as_ref().map_or_else(|| weft_values::short_type_name(ty.path()), |f| f.name.clone());
    let function_krate = function.as_ref().map_or_else(|| krate(ty.path()).to_owned(), |f| f.krate.clone());
    let declared = function.as_ref().and_then(|f| f.declared.clone()).or_else(|| ty.declared().cloned());
    let mut states = choice(ty, part, &|_| true);
    // Unresumed is declared where the function is.
    let declared = declared
        .map(|declared| location(&declared))
        .or_else(|| states.variants.first().and_then(|state| state.location.clone()));
    // What a macro of another crate made is declared in that crate: no place of the user's. For an await the function
    // then stands in; for a function the first await that the user wrote.
    let own = |at: &Arc<Location>| is_file_of(&at.file, &function_krate);
    let awaits = || states.variants.iter().skip(FIRST_AWAIT).filter_map(|state| state.location.clone());
    let declared = match declared {
        Some(declared) if own(&declared) => Some(declared),
        declared => awaits().find(own).or(declared),
    };
    for state in states.variants.iter_mut().skip(FIRST_AWAIT) {
        if state.location.as_ref().is_some_and(|at| !own(at)) && declared.as_ref().is_some_and(own) {
            state.writer = Writer::ForeignMacro;
            state.location.clone_from(&declared);
        }
    }
    mark_own_macros(&mut states);
    let user_code = is_user_crate(&function_krate);
    let waits = leaves::wait_kind_of_module(&path);
    Some(Coroutine { waits, called: called(&name).into(), name: name.into(), declared, user_code, states })
}

/// `tokio::sync::Mutex::lock` → `Mutex::lock`, `tokio::time::sleep` → `sleep`.
fn called(name: &str) -> String {
    let mut parts = name.rsplit("::");
    let (last, before) = (parts.next().unwrap_or(name), parts.next());
    match before {
        Some(owner) if owner.starts_with(char::is_uppercase) => format!("{owner}::{last}"),
        _ => last.to_owned(),
    }
}

/// An await outside of its function's lines was written by a macro that the function calls.
fn mark_own_macros(states: &mut Choice) {
    let line = |state: usize| states.variants.get(state)?.written.clone();
    // Unresumed is declared where the function begins, returned where it ends.
    let (Some(first), Some(last)) = (line(UNRESUMED), line(RETURNED)) else { return };
    if first.file != last.file || first.line >= last.line {
        return;
    }
    for state in states.variants.iter_mut().skip(FIRST_AWAIT) {
        let is_outside =
            |at: &Arc<Location>| at.file == first.file && !(first.line..=last.line).contains(&at.line) && at.line > 0;
        if state.written.as_ref().is_some_and(is_outside) {
            state.writer = Writer::OwnMacro(first.line, last.line);
        }
    }
}

/// A member of one of these names, searched breadth first through structs (not enums, not pointers), at most `levels`
/// deep: its offset from the start of `ty`, and its type.
pub(crate) fn find_member(ty: &Type, names: &[&str], levels: usize) -> Option<(u64, Type)> {
    find_by(ty, levels, &|member, _| names.contains(&member.name.as_str()))
}

/// The first member that `wanted` wants, breadth first through structs, at most `levels` deep.
pub(crate) fn find_by(ty: &Type, levels: usize, wanted: &dyn Fn(&Member, &Type) -> bool) -> Option<(u64, Type)> {
    let mut level = vec![(0_u64, ty.clone())];
    let mut looked_at = 0_usize;
    for _ in 0..levels {
        let mut next = Vec::new();
        for (offset, ty) in &level {
            let members = match ty.kind() {
                TypeKind::Struct { members, .. } => members,
                // Thread-locals that are made when they are first used lie in one.
                TypeKind::Union(members) if base(ty.path()) == "core::mem::maybe_uninit::MaybeUninit" => members,
                _ => continue,
            };
            for member in members {
                looked_at = looked_at.saturating_add(1);
                if looked_at > 2_000 {
                    return None;
                }
                let Some(inner) = member.ty.and_then(|die| ty.at(die)) else { continue };
                let at = offset.saturating_add(member.offset);
                if wanted(member, &inner) {
                    return Some((at, inner));
                }
                next.push((at, inner));
            }
        }
        level = next;
    }
    None
}

/// Through wrappers: the only member with a size, again and again. The offset gained and the type reached.
pub(crate) fn peel(ty: &Type) -> (u64, Type) {
    let mut reached = (0_u64, ty.clone());
    for _ in 0..MAX_TYPE_DEPTH {
        let TypeKind::Struct { members, variants: None } = reached.1.kind() else { break };
        let mut filled = members.iter().filter_map(|member| part(&reached.1, member));
        let (Some(only), None) = (filled.next(), filled.next()) else { break };
        reached = (reached.0.saturating_add(only.offset), only.ty);
    }
    reached
}
