//! What of a type can hold something: compiled once per type, kept between stops.
//!
//! Only ownership is followed: members, active variants, boxes, vectors, sets of futures, coroutines' saved locals. What is
//! behind a reference or an `Arc` is held by somebody else, or by several.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_symbols::{FIRST_AWAIT, FunctionKind, Member, Type, TypeKind, UNRESUMED};
use weft_values::{Saved, namesakes};

use super::guards::{Guard, guard};
use crate::drops::Glues;
use crate::leaves::{self, Acquire};
use crate::shape::{Choice, Kind, Part, Shapes, TypeId, choice, part, vector, wide};

/// How many types deep the search goes before it takes for granted that there may be something.
const MAX_TYPE_DEPTH: usize = 24;

/// A type, compiled.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The type; keeps its identity alive.
    pub(crate) ty: Type,
    /// What a walk does with it.
    pub(crate) keep: Keep,
}

/// What a walk does with a place of some type.
#[derive(Debug)]
pub(crate) enum Keep {
    /// Nothing can be held by it.
    Nothing,
    /// It holds something itself.
    Guard(Guard),
    /// It waits for permits, and has them once they were granted.
    Waiter(Acquire),
    /// A task's handle: offset of the pointer to the task's header.
    Handle(u64),
    /// Several of them.
    Handles(leaves::JoinSet),
    /// A coroutine: what each of its states keeps.
    Coroutine(Choice),
    /// Members that may hold something.
    Struct(Vec<Part>),
    /// Variants that may.
    Enum(Choice),
    /// A thin `Box`.
    Boxed(Type),
    /// Elements one after another: offsets of pointer and length.
    Elements { data: u64, length: u64, element: Type },
    /// An array, in place.
    Array { element: Type, count: u64 },
    /// A boxed trait object: offsets of pointer and vtable.
    Dyn { data: u64, vtable: u64 },
    /// `FuturesUnordered`.
    Unordered(leaves::Unordered),
}

/// The plans of all types met so far.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    known: RwLock<FxHashMap<TypeId, Arc<Plan>>>,
    leads: RwLock<FxHashMap<TypeId, bool>>,
    /// What tells which places of a coroutine are alive.
    pub(crate) glues: Glues,
}

impl Plans {
    /// A type's plan.
    pub(crate) fn of(&self, shapes: &Shapes, ty: &Type) -> Arc<Plan> {
        let id = TypeId::of(ty);
        if let Some(plan) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan { ty: ty.clone(), keep: self.compile(shapes, ty) });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(id).or_insert(plan))
    }

    fn compile(&self, shapes: &Shapes, ty: &Type) -> Keep {
        if let Some(guard) = guard(ty) {
            return Keep::Guard(guard);
        }
        if let Some(acquire) = leaves::acquire_of(ty) {
            return Keep::Waiter(acquire);
        }
        if let Some(header) = leaves::join_handle(ty) {
            return Keep::Handle(header);
        }
        if let Some(set) = leaves::join_set(ty) {
            return Keep::Handles(set);
        }
        if !self.leads(ty) {
            return Keep::Nothing;
        }
        if ty.is_coroutine() {
            let shape = shapes.of(ty);
            let Kind::Coroutine(_) = &shape.kind else { return Keep::Nothing };
            return coroutine(ty, &|inner| self.leads(inner)).map_or(Keep::Nothing, Keep::Coroutine);
        }
        if let Some(set) = leaves::unordered(ty) {
            return Keep::Unordered(set);
        }
        match ty.kind() {
            TypeKind::Pointer(Some(target)) => ty.at(*target).map_or(Keep::Nothing, Keep::Boxed),
            TypeKind::Array { element: Some(element), count: Some(count) } => {
                ty.at(*element).map_or(Keep::Nothing, |element| Keep::Array { element, count: *count })
            }
            TypeKind::Struct { variants: Some(part), .. } => Keep::Enum(choice(ty, part, &|inner| self.leads(inner))),
            TypeKind::Struct { members, variants: None } => self.structure(ty, members),
            _ => Keep::Nothing,
        }
    }

    fn structure(&self, ty: &Type, members: &[Member]) -> Keep {
        match wide(ty).or_else(|| vector(ty)) {
            Some(Kind::Slice { data, length, element } | Kind::Vector { data, length, element }) => {
                Keep::Elements { data, length, element }
            }
            Some(Kind::Dyn { data, vtable }) => Keep::Dyn { data, vtable },
            _ => {
                let parts = members.iter().filter_map(|member| part(ty, member));
                Keep::Struct(parts.filter(|part| self.leads(&part.ty)).collect())
            }
        }
    }

    /// Whether a value of this type can hold something.
    pub(crate) fn leads(&self, ty: &Type) -> bool {
        Search { plans: self, trail: Vec::new(), cut: false }.leads(ty)
    }
}

/// One search for something held in a type. A type met again below itself adds nothing new there; what was decided under
/// that assumption is not remembered.
struct Search<'a> {
    plans: &'a Plans,
    trail: Vec<TypeId>,
    cut: bool,
}

impl Search<'_> {
    fn leads(&mut self, ty: &Type) -> bool {
        let id = TypeId::of(ty);
        if let Some(known) = self.plans.leads.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return *known;
        }
        if self.trail.len() >= MAX_TYPE_DEPTH {
            return true;
        }
        if self.trail.contains(&id) {
            self.cut = true;
            return false;
        }
        self.trail.push(id);
        let leads = self.decide(ty);
        self.trail.pop();
        if leads || !self.cut || self.trail.is_empty() {
            self.plans.leads.write().unwrap_or_else(PoisonError::into_inner).insert(id, leads);
        }
        leads
    }

    fn decide(&mut self, ty: &Type) -> bool {
        let is_kept = guard(ty).is_some() || leaves::acquire_of(ty).is_some();
        if is_kept || leaves::join_handle(ty).is_some() || leaves::join_set(ty).is_some() {
            return true;
        }
        let path = ty.path();
        if leaves::unordered(ty).is_some_and(|set| self.leads(&set.slot.1)) {
            return true;
        }
        match ty.kind() {
            TypeKind::Pointer(Some(target)) if path.starts_with("alloc::boxed::Box<") => {
                ty.at(*target).is_some_and(|target| self.leads(&target))
            }
            TypeKind::Array { element: Some(element), .. } => ty.at(*element).is_some_and(|inner| self.leads(&inner)),
            TypeKind::Struct { members, variants } => match wide(ty).or_else(|| vector(ty)) {
                // Which future a boxed one is shows at the place alone.
                Some(Kind::Dyn { .. }) => path.starts_with("alloc::boxed::Box<") && path.contains("Future"),
                Some(Kind::Slice { element, .. }) => path.starts_with("alloc::boxed::Box<") && self.leads(&element),
                Some(Kind::Vector { element, .. }) => self.leads(&element),
                _ => {
                    let payloads = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
                    members.iter().chain(payloads).any(|member| self.member(ty, member)) || self.namesakes(ty)
                }
            },
            _ => false,
        }
    }

    /// A guard may bear the name of what it guards, and be described as that.
    fn namesakes(&mut self, ty: &Type) -> bool {
        let states = ty.variant_part().filter(|_| ty.is_coroutine()).map_or(0, |part| part.variants.len());
        (FIRST_AWAIT..states).any(|state| namesakes(ty, state).iter().any(|saved| self.leads(&saved.ty)))
    }

    fn member(&mut self, ty: &Type, member: &Member) -> bool {
        member.ty.and_then(|die| ty.at(die)).is_some_and(|inner| inner.size() > 0 && self.leads(&inner))
    }
}

/// What a coroutine's states keep. Debug information collapses saved locals of one name into copies of the first: only the
/// first counts, unless the code tells what each of them is. What an `async fn` was made with it moves into bindings when it is first polled: of those that it
/// still has, the debug information says the name twice; the others are gone.
fn coroutine(ty: &Type, wanted: &dyn Fn(&Type) -> bool) -> Option<Choice> {
    let TypeKind::Struct { variants: Some(part), .. } = ty.kind() else { return None };
    let is_fn = ty.coroutine_function().is_some_and(|function| function.kind == FunctionKind::AsyncFn);
    let mut states = choice(ty, part, &|_| true);
    let made_with: Vec<String> = states
        .variants
        .get(UNRESUMED)
        .iter()
        .flat_map(|state| state.parts.iter().map(|part| part.name.clone()))
        .collect();
    for (index, state) in states.variants.iter_mut().enumerate() {
        // What has ended has dropped what it held.
        if index != UNRESUMED && index < FIRST_AWAIT {
            state.parts.clear();
            continue;
        }
        let names: Vec<String> = state.parts.iter().map(|part| part.name.clone()).collect();
        let told = if index < FIRST_AWAIT { Vec::new() } else { namesakes(ty, index) };
        let mut position = 0_usize;
        state.parts.retain(|part| {
            let is_told = told.iter().any(|saved| saved.name == part.name);
            let is_first = names.iter().position(|name| *name == part.name) == Some(position);
            let copies = names.iter().filter(|name| **name == part.name).count();
            position = position.saturating_add(1);
            let is_gone = index != UNRESUMED && is_fn && copies == 1 && made_with.contains(&part.name);
            is_first && !is_told && !is_gone && wanted(&part.ty)
        });
        let of_its_own = |saved: Saved| Part { name: saved.name, offset: saved.offset, ty: saved.ty };
        state.parts.extend(told.into_iter().map(of_its_own).filter(|part| wanted(&part.ty)));
    }
    Some(states)
}
