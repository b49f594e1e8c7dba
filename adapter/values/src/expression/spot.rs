//! Places before there is a program: what a field, an index or a `*` reaches by types alone, and the way there.
//!
//! The mirror of what [`crate::view::reached`] does with values. Where only the program's memory tells, the answer is
//! that it is not known: nothing is refused here that could be evaluated.

use std::sync::Arc;

use weft_memory::{DwarfRegister, MemAddr};
use weft_symbols::{Route, Start, Type, TypeKind};

use super::EvaluateError;
use super::quick::{Elements, Operation, Run, Source};
use super::reach::hint;
use super::value::{Kind, MAX_DEREFS, is_byte, scalar_kind};
use crate::captures::source_name;
use crate::names::without_arguments;
use crate::navigate::narrowed;
use crate::view::{WRAPPERS, is_closure, is_raw_pointer, is_text_tail, tuple_index};
use crate::{Meta, Place};

/// Pointers behind an element.
const MAX_STEPS: usize = 8;
/// Wrappers in wrappers.
const MAX_WRAPPERS: usize = 16;

/// Where bytes are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
    /// In memory, at the end of a way.
    Memory(Route),
    /// In a register, from its low byte on.
    Register(DwarfRegister),
    /// They are the number at the end of a way.
    Number(Route),
    /// In memory, at the end of a way (its steps) that begins with the address that operations leave.
    Element(Arc<[Operation]>, Vec<i64>),
    /// Only the running program tells.
    Unknown,
}

/// A place as far as types tell.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// Its type; the address counts from where it is held.
    pub(super) place: Place,
    held: Held,
    /// For the target of a wide pointer.
    run: Option<Run>,
}

/// What one step reaches.
pub(super) enum Step {
    /// What a reference or a wrapper stands for.
    Through(Spot),
    /// Fields by the names of the source.
    Fields(Vec<(String, Spot)>),
    /// An enum: fields of the variants, of which one is there.
    Variants(Vec<String>),
    /// Text; where it is, if that is simple.
    Text(Option<Run>),
    /// Bytes that are written like text.
    ByteText,
    /// Elements of a type.
    Items(Type, Option<Run>),
    /// Nothing to go into.
    Leaf,
    /// Only the program's memory tells.
    Unknown,
}

/// A field, or the knowledge that only the program's memory tells which.
#[allow(clippy::large_enum_variant, reason = "it lives for one step")]
pub(super) enum Found {
    Spot(Spot),
    Unknown,
}

impl Spot {
    /// A value of a type somewhere.
    pub(super) fn new(ty: Type, held: Held) -> Self {
        Self { place: Place::new(ty, MemAddr::new(0)), held, run: None }
    }

    /// What only the program knows the place of.
    fn unknown(place: Place) -> Self {
        Self { place, held: Held::Unknown, run: None }
    }

    fn part(&self, place: Place) -> Self {
        Self { place, held: self.held.clone(), run: None }
    }

    pub(super) fn member(&self, name: &str) -> Option<Self> {
        self.place.member(name).ok().map(|place| self.part(place))
    }

    /// A member of its type, or the payload of a variant.
    pub(super) fn inner(&self, member: &weft_symbols::Member) -> Option<Self> {
        self.place.field(member).ok().map(|place| self.part(place))
    }

    /// What lies in an `UnsafeCell`; other places unchanged.
    pub(super) fn unwrapped_cell(&self) -> Self {
        self.part(self.place.unwrap_cell())
    }

    fn offset(&self) -> Option<i64> {
        i64::try_from(self.place.address()?.raw()).ok()
    }

    /// Where its bytes are, from `first` on; for sizes up to 8.
    pub(super) fn source(&self, first: u64, size: u64) -> Option<Source> {
        let offset = self.offset()?.checked_add(i64::try_from(first).ok()?)?;
        let in_number = || {
            let end = u64::try_from(offset).ok()?.checked_add(size)?;
            (end <= 8).then(|| u8::try_from(offset).ok()).flatten()
        };
        match &self.held {
            Held::Memory(route) => Some(Source::Memory(route.clone().plus(offset))),
            Held::Register(register) => Some(Source::Number(Route::new(Start::Register(*register), 0), in_number()?)),
            Held::Number(route) => Some(Source::Number(route.clone(), in_number()?)),
            Held::Element(_, steps) => {
                let (last, before) = steps.split_last()?;
                Some(Source::Taken(before.iter().copied().chain([last.wrapping_add(offset)]).collect()))
            }
            Held::Unknown => None,
        }
    }

    /// The operations that come before a load from [`Spot::source`].
    pub(super) fn before(&self) -> &[Operation] {
        match &self.held {
            Held::Element(operations, _) => operations,
            _ => &[],
        }
    }

    /// The element that an index, left by operations, counts in this array or slice.
    pub(super) fn element(&self, index: Vec<Operation>) -> Held {
        let (element, of) = match self.step() {
            Step::Items(element, Some(run)) => (element, Some(Elements::Run(run))),
            Step::Items(element, None) => {
                let array = match (self.place.ty.kind(), self.source(0, 0)) {
                    (TypeKind::Array { count: Some(count), .. }, Some(Source::Memory(route))) => {
                        Some(Elements::Array(route, *count))
                    }
                    _ => None,
                };
                (element, array)
            }
            _ => return Held::Unknown,
        };
        let stride = element.size();
        match of.filter(|_| stride > 0) {
            Some(of) => {
                let operations = index.into_iter().chain([Operation::Element { of, stride }]).collect();
                Held::Element(operations, vec![0])
            }
            None => Held::Unknown,
        }
    }

    /// A way that ends with the number in its eight bytes.
    fn number(&self) -> Option<Route> {
        match self.source(0, 8)? {
            Source::Memory(route) => route.through(),
            Source::Number(route, 0) => Some(route),
            Source::Number(..) | Source::Taken(_) => None,
        }
    }

    /// What it points to, if it is (or wraps) a pointer.
    pub(super) fn pointed(&self) -> Option<Found> {
        let mut place = self.place.clone();
        for _ in 0..MAX_WRAPPERS {
            if let Some((pointer, meta)) = place.wide_pointer() {
                let TypeKind::Pointer(target) = pointer.ty.kind() else { return None };
                let ty = target.and_then(|die| place.ty.at(die))?;
                let unread = narrowed(meta.unread(), place.ty.path(), &ty);
                if matches!(unread, Meta::Vtable(_)) {
                    return Some(Found::Unknown);
                }
                let length = place.member("length").ok().map(|length| self.part(length));
                let mut spot = self.part(pointer).behind(ty)?;
                spot.run = self.run_of(&place, length);
                spot.place.meta = unread;
                return Some(Found::Spot(spot));
            }
            if let TypeKind::Pointer(target) = place.ty.kind() {
                let ty = target.and_then(|die| place.ty.at(die))?;
                return self.part(place).behind(ty).map(Found::Spot);
            }
            place = place.peel_once()?;
        }
        None
    }

    fn run_of(&self, wide: &Place, length: Option<Self>) -> Option<Run> {
        let address = self.part(wide.member("data_ptr").ok()?).number()?;
        Some(Run { address, length: length?.number()?, capacity: None })
    }

    /// The target of this thin pointer.
    fn behind(&self, ty: Type) -> Option<Self> {
        let held = match (&self.held, self.source(0, 8)) {
            (Held::Element(operations, _), Some(Source::Taken(mut steps))) if steps.len() < MAX_STEPS => {
                steps.push(0);
                Held::Element(operations.clone(), steps)
            }
            _ => self.number().map_or(Held::Unknown, Held::Memory),
        };
        Some(Self::new(ty, held))
    }

    /// What one step reaches.
    pub(super) fn step(&self) -> Step {
        let place = &self.place;
        match place.meta {
            Meta::Str(_) | Meta::Length(_) | Meta::Tail(_) if is_text_tail(place) => {
                // A C string counts its NUL.
                let run = self.run.clone().filter(|_| matches!(place.meta, Meta::Str(_)));
                return Step::Text(run);
            }
            Meta::Length(_) => return Step::Items(place.ty.clone(), self.run.clone()),
            Meta::Vtable(_) => return Step::Unknown,
            _ => {}
        }
        if is_raw_pointer(place) {
            return Step::Leaf;
        }
        match place.ty.kind() {
            TypeKind::Pointer(_) => self.pointed().map_or(Step::Unknown, Found::into_step),
            TypeKind::Array { element, .. } => {
                element.and_then(|die| place.ty.at(die)).map_or(Step::Unknown, |element| Step::Items(element, None))
            }
            TypeKind::Union(_) => Step::Fields(self.fields()),
            TypeKind::Struct { .. } => self.structure(),
            _ => Step::Leaf,
        }
    }

    fn structure(&self) -> Step {
        let place = &self.place;
        if place.ty.is_coroutine() {
            return Step::Unknown;
        }
        if place.is_wide_pointer() {
            return self.pointed().map_or(Step::Unknown, Found::into_step);
        }
        let path = without_arguments(place.ty.path());
        if let Some(step) = self.text(path).or_else(|| self.cell(path)).or_else(|| self.standard(path)) {
            return step;
        }
        if let Some(part) = place.ty.variant_part() {
            let payloads = part.variants.iter().filter_map(|variant| place.ty.at(variant.member.ty?));
            let names = payloads.flat_map(|ty| ty.members().iter().map(|it| shown(&it.name)).collect::<Vec<_>>());
            return Step::Variants(names.collect());
        }
        if is_closure(place.ty.path()) { Step::Fields(self.captures()) } else { Step::Fields(self.fields()) }
    }

    fn fields(&self) -> Vec<(String, Self)> {
        let named = self.place.members().into_iter().filter(|field| !field.name.is_empty());
        named.filter_map(|field| Some((shown(&field.name), self.part(field.place.ok()?)))).collect()
    }

    fn captures(&self) -> Vec<(String, Self)> {
        let of_field = |field: crate::FieldPlace| {
            let spot = self.part(field.place.ok()?);
            let is_reference = field.name.starts_with("_ref__") && !spot.place.is_wide_pointer();
            let target = if is_reference { spot.pointed() } else { Some(Found::Spot(spot.clone())) };
            let spot = match target {
                Some(Found::Spot(target)) => target,
                _ => Self::unknown(spot.place),
            };
            Some((source_name(&field.name), spot))
        };
        self.place.members().into_iter().filter_map(of_field).collect()
    }

    fn text(&self, path: &str) -> Option<Step> {
        Some(match path {
            "alloc::string::String" => Step::Text(self.member("vec").and_then(|vec| vec.vec())),
            "std::ffi::os_str::OsString" | "std::path::PathBuf" | "alloc::ffi::c_str::CString" => Step::Text(None),
            "bytes::bytes::Bytes" | "bytes::bytes_mut::BytesMut" => Step::ByteText,
            _ => return None,
        })
    }

    /// The elements of a `Vec`.
    fn vec(&self) -> Option<Run> {
        let buffer = self.member("buf")?;
        let find = |name: &str| Some(buffer.part(buffer.place.find(name).ok()?.peel()));
        let (address, capacity) = (find("ptr")?.number()?, find("cap")?.number()?);
        Some(Run { address, length: self.member("len")?.number()?, capacity: Some(capacity) })
    }

    fn cell(&self, path: &str) -> Option<Step> {
        let named = |name: &str, field: &str| match self.member(field) {
            Some(inner) => Step::Fields(vec![(name.to_owned(), inner.part(inner.place.unwrap_cell()))]),
            None => Step::Unknown,
        };
        Some(match path {
            "alloc::rc::Rc" => self.shared("value"),
            "alloc::sync::Arc" => self.shared("data"),
            "core::cell::RefCell" | "core::cell::Cell" => named("value", "value"),
            "core::mem::maybe_uninit::MaybeUninit" => named("value", "value"),
            "core::cell::Ref" | "core::cell::RefMut" => {
                self.member("value").and_then(|value| value.pointed()).map_or(Step::Unknown, Found::into_step)
            }
            "core::cell::UnsafeCell"
            | "core::mem::manually_drop::ManuallyDrop"
            | "core::pin::Pin"
            | "core::num::nonzero::NonZero"
            | "core::ptr::non_null::NonNull"
            | "core::ptr::unique::Unique"
            | "core::num::wrapping::Wrapping"
            | "core::num::saturating::Saturating" => self.peeled(),
            "alloc::rc::Weak" | "alloc::sync::Weak" | "alloc::boxed::Box" => Step::Unknown,
            path if WRAPPERS.iter().any(|start| path.starts_with(start)) => self.peeled(),
            path if path.starts_with("std::sync::") && path.ends_with("mutex::Mutex") => named("data", "data"),
            path if path.starts_with("std::sync::") => Step::Unknown,
            _ => return None,
        })
    }

    fn peeled(&self) -> Step {
        self.place.peel_once().map_or(Step::Unknown, |inner| Step::Through(self.part(inner)))
    }

    /// `Rc`, `Arc`: what lies behind the counts. The place of what has no size of its own depends on its alignment.
    fn shared(&self, payload: &str) -> Step {
        match self.member("ptr").and_then(|pointer| pointer.pointed()) {
            Some(Found::Spot(inner)) if inner.place.meta == Meta::Sized => {
                inner.member(payload).map_or(Step::Unknown, Step::Through)
            }
            _ => Step::Unknown,
        }
    }

    fn standard(&self, path: &str) -> Option<Step> {
        Some(match path {
            "alloc::vec::Vec" => {
                self.place.ty.template_argument("T").map_or(Step::Unknown, |ty| Step::Items(ty, self.vec()))
            }
            "alloc::collections::vec_deque::VecDeque" | "alloc::collections::binary_heap::BinaryHeap" => {
                self.place.ty.template_argument("T").map_or(Step::Unknown, |ty| Step::Items(ty, None))
            }
            "core::net::ip_addr::IpAddr" | "core::net::socket_addr::SocketAddr" => Step::Unknown,
            "core::time::Duration"
            | "std::time::Instant"
            | "core::net::ip_addr::Ipv4Addr"
            | "core::net::ip_addr::Ipv6Addr"
            | "core::net::socket_addr::SocketAddrV4"
            | "core::net::socket_addr::SocketAddrV6"
            | "std::collections::hash::map::HashMap"
            | "hashbrown::map::HashMap"
            | "std::collections::hash::set::HashSet"
            | "hashbrown::set::HashSet"
            | "alloc::collections::btree::map::BTreeMap"
            | "alloc::collections::btree::set::BTreeSet" => Step::Leaf,
            _ => return None,
        })
    }

    /// The field of that name, through references and smart pointers.
    pub(super) fn field(&self, name: &str) -> Result<Found, EvaluateError> {
        let mut spot = self.clone();
        let mut own = None;
        let mut names = Vec::new();
        for _ in 0..MAX_DEREFS {
            own = own.or_else(|| spot.raw_field(name));
            match spot.step() {
                Step::Through(target) => spot = target,
                Step::Fields(fields) => {
                    if let Some((_, found)) = fields.iter().find(|(field, _)| field == name) {
                        return Ok(Found::Spot(found.clone()));
                    }
                    names.extend(fields.into_iter().map(|(name, _)| name));
                    break;
                }
                Step::Variants(fields) => {
                    if fields.iter().any(|field| field == name) {
                        return Ok(Found::Unknown);
                    }
                    names.extend(fields);
                    break;
                }
                Step::Unknown => return Ok(Found::Unknown),
                Step::Text(_) | Step::ByteText | Step::Items(..) | Step::Leaf => break,
            }
        }
        let ty = crate::type_name(if names.is_empty() { &self.place.ty } else { &spot.place.ty });
        own.map(Found::Spot).ok_or_else(|| EvaluateError::NoField {
            name: name.to_owned(),
            ty,
            hint: hint(name, &names),
        })
    }

    fn raw_field(&self, name: &str) -> Option<Self> {
        let is_index = name.bytes().all(|byte| byte.is_ascii_digit());
        if is_index { self.member(&format!("__{name}")) } else { self.member(name) }
    }

    /// What it is to operators, and where that lies.
    pub(super) fn value(&self) -> (Kind, Option<Self>) {
        let mut spot = self.clone();
        for _ in 0..MAX_DEREFS {
            if spot.place.meta == Meta::Sized
                && let Some(kind) = scalar_kind(&spot.place)
            {
                return (kind, Some(spot));
            }
            let name = crate::view::type_name(&spot.place);
            spot = match spot.step() {
                Step::Through(target) => target,
                Step::Text(_) => return (Kind::Text(name), Some(spot)),
                Step::ByteText => return (Kind::Bytes(name), None),
                Step::Items(element, _) if is_byte(&element) => return (Kind::Bytes(name), Some(spot)),
                Step::Unknown => return (Kind::Unknown, None),
                _ => return (Kind::Other(name), None),
            };
        }
        (Kind::Unknown, None)
    }
}

impl Found {
    fn into_step(self) -> Step {
        match self {
            Self::Spot(spot) => Step::Through(spot),
            Self::Unknown => Step::Unknown,
        }
    }
}

fn shown(name: &str) -> String {
    tuple_index(name).unwrap_or(name).to_owned()
}
