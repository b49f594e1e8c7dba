//! From a place to the places in it and behind it.

use std::collections::VecDeque;

use weft_memory::MemAddr;
use weft_symbols::{DieOffset, Member, SourceLine, Type, TypeKind};

use crate::place::little_endian;
use crate::{At, Meta, Place, Stop, ValueError};

/// How many members a search by name looks at before it gives up.
const MAX_SEARCHED: usize = 512;
/// How many structs deep a search by name, or a peel, goes.
const MAX_DEPTH: usize = 16;
/// The largest alignment a vtable can sensibly state.
const MAX_ALIGN: u64 = 1 << 29;

/// A field and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPlace {
    /// The field's name: `__0` in tuples, empty if unnamed.
    pub name: String,
    /// Where, or why not.
    pub place: Result<Place, ValueError>,
    /// Where it is declared.
    pub declared: Option<SourceLine>,
    /// Made by the compiler.
    pub artificial: bool,
}

/// The alternative an enum or coroutine is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveVariant {
    /// Its position in the debug information; for coroutines its state (0 unresumed, 1 returned, 2 panicked, 3 + n
    /// suspended).
    pub index: usize,
    /// The variant's name (`Some`); the state's number for coroutines.
    pub name: String,
    /// The payload struct.
    pub place: Place,
    /// For coroutines the line of the `.await`.
    pub declared: Option<SourceLine>,
}

impl Place {
    /// The field of exactly this name, of a struct, tuple or union.
    pub fn member(&self, name: &str) -> Result<Self, ValueError> {
        let member = self.ty.members().iter().find(|member| member.name == name).ok_or_else(|| {
            ValueError::NoMember { ty: crate::short_type_name(self.ty.path()), name: name.to_owned() }
        })?;
        self.field(member)
    }

    /// A path of fields, each of exactly that name.
    pub fn path(&self, names: &[&str]) -> Result<Self, ValueError> {
        let mut place = self.clone();
        for name in names {
            place = place.member(name)?;
        }
        Ok(place)
    }

    /// All fields in order of the debug information (memory order is free in Rust).
    pub fn members(&self) -> Vec<FieldPlace> {
        self.ty
            .members()
            .iter()
            .map(|member| FieldPlace {
                name: member.name.clone(),
                place: self.field(member),
                declared: member.declared.clone(),
                artificial: member.artificial,
            })
            .collect()
    }

    /// The nearest field of this name in this struct or in structs inside it, breadth first: names survive where the
    /// wrappers around them change. Pointers and variants are not followed. Bounded.
    pub fn find(&self, name: &str) -> Result<Self, ValueError> {
        let mut queue = VecDeque::from([(self.clone(), 0_usize)]);
        let mut searched = 0_usize;
        while let Some((place, depth)) = queue.pop_front() {
            if let Ok(found) = place.member(name) {
                return Ok(found);
            }
            for member in place.ty.members() {
                searched = searched.saturating_add(1);
                if searched > MAX_SEARCHED {
                    return Err(ValueError::Bound("512 fields"));
                }
                if let (true, Ok(inner)) = (depth < MAX_DEPTH, place.field(member)) {
                    queue.push_back((inner, depth.saturating_add(1)));
                }
            }
        }
        Err(ValueError::NoMember { ty: crate::short_type_name(self.ty.path()), name: name.to_owned() })
    }

    /// Through wrappers: the only non-zero-sized member of a struct without variants, again and again (`MaybeUninit`
    /// and other unions: `value`). The place itself if it is no wrapper. Bounded.
    #[must_use]
    pub fn peel(&self) -> Self {
        let mut place = self.clone();
        for _ in 0..MAX_DEPTH {
            match place.peel_once() {
                Some(inner) => place = inner,
                None => break,
            }
        }
        place
    }

    /// One step of [`Place::peel`]; none if this is no wrapper.
    pub fn peel_once(&self) -> Option<Self> {
        match self.ty.kind() {
            TypeKind::Struct { members, variants: None } => {
                let mut filled = members.iter().filter(|member| self.member_size(member) > 0);
                let only = filled.next()?;
                if filled.next().is_some() { None } else { self.field(only).ok() }
            }
            TypeKind::Union(members) => {
                let member = members.iter().find(|member| member.name == "value")?;
                self.field(member).ok()
            }
            _ => None,
        }
    }

    /// Through wrappers until a type of this path (generic arguments disregarded) is met.
    pub fn peel_to(&self, path: &str) -> Result<Self, ValueError> {
        let mut place = self.clone();
        for _ in 0..MAX_DEPTH {
            if crate::names::without_arguments(place.ty.path()) == path {
                return Ok(place);
            }
            place = place.peel_once().ok_or_else(|| ValueError::NotPointer(place.ty.path().to_owned()))?;
        }
        Err(ValueError::Bound("16 wrappers"))
    }

    /// What a pointer, reference or `Box` points to; wide pointers too, with what they say about their target. Through
    /// wrappers (`NonNull`, `Pin`, `AtomicPtr`). A trait object's concrete type is found by its vtable; where that is
    /// not possible the place keeps its `dyn` type.
    pub fn deref(&self, stop: &Stop) -> Result<Self, ValueError> {
        let mut place = self.clone();
        for _ in 0..MAX_DEPTH {
            if let Some((pointer, meta)) = place.wide_pointer() {
                let mut target = pointer.target(stop, meta.read(stop)?)?;
                target.meta = narrowed(target.meta, place.ty.path(), &target.ty);
                return target.concrete(stop);
            }
            if let TypeKind::Pointer(_) = place.ty.kind() {
                return place.target(stop, Meta::Sized);
            }
            place = place.peel_once().ok_or_else(|| not_pointer(&self.ty))?;
        }
        Err(not_pointer(&self.ty))
    }

    /// Whether [`Place::deref`] can work on this type.
    pub fn is_pointer(&self) -> bool {
        let mut place = self.clone();
        for _ in 0..MAX_DEPTH {
            if place.wide_pointer().is_some() || matches!(place.ty.kind(), TypeKind::Pointer(_)) {
                return true;
            }
            match place.peel_once() {
                Some(inner) => place = inner,
                None => return false,
            }
        }
        false
    }

    /// Whether this is itself a wide pointer: a struct of an address and a length or vtable.
    pub fn is_wide_pointer(&self) -> bool {
        self.wide_pointer().is_some()
    }

    /// For a trait object: its concrete type, and its address rounded up to that type's alignment (a `dyn` tail's
    /// offset in the debug information does not know it). Other places, and unknown vtables: unchanged.
    pub fn concrete(self, stop: &Stop) -> Result<Self, ValueError> {
        let Meta::Vtable(vtable) = self.meta else { return Ok(self) };
        if !is_dyn(&self.ty) {
            return Ok(self);
        }
        let Some((module, address)) = stop.modules.to_file(vtable) else { return Ok(self) };
        let Some(ty) = module.image.vtable_type(address) else { return Ok(self) };
        let align = vtable.checked_add(16).map(|at| stop.memory.read_u64(at)).transpose()?.unwrap_or(1);
        let at = match self.at {
            At::Memory(address) if align.is_power_of_two() && align <= MAX_ALIGN => {
                At::Memory(address.raw().checked_next_multiple_of(align).map_or(address, MemAddr::new))
            }
            at => at,
        };
        Ok(Self { ty, at, meta: Meta::Sized })
    }

    /// The active variant of an enum with data, or a coroutine's state. Reads the discriminant.
    pub fn variant(&self, stop: &Stop) -> Result<ActiveVariant, ValueError> {
        let TypeKind::Struct { variants: Some(part), .. } = self.ty.kind() else {
            return Err(ValueError::NoVariants(crate::short_type_name(self.ty.path())));
        };
        let tag = match &part.discriminant {
            None => None,
            Some(discriminant) => {
                let size = self.ty.discriminant_size().min(16);
                Some(little_endian(&self.read_at(stop, discriminant.offset, size)?))
            }
        };
        let variant = self.ty.active_variant(tag).ok_or_else(|| {
            let ty = crate::short_type_name(self.ty.path());
            match tag {
                Some(tag) => ValueError::InvalidTag { ty, tag },
                None => ValueError::Invalid(format!("`{ty}` has no values")),
            }
        })?;
        let index = part.variants.iter().position(|other| std::ptr::eq(other, variant)).unwrap_or(0);
        Ok(ActiveVariant {
            index,
            name: variant.member.name.clone(),
            place: self.field(&variant.member)?,
            declared: variant.member.declared.clone(),
        })
    }

    /// What each variant has in it, active or not. Empty for what has no variants.
    pub fn variant_places(&self) -> Vec<Self> {
        let part = self.ty.variant_part();
        part.into_iter().flat_map(|part| &part.variants).filter_map(|of| self.field(&of.member).ok()).collect()
    }

    /// The variants' names and payload types, active or not: for looking at what an enum could be.
    pub fn variant_types(&self) -> Vec<(String, Option<Type>)> {
        match self.ty.kind() {
            TypeKind::Struct { variants: Some(part), .. } => part
                .variants
                .iter()
                .map(|variant| (variant.member.name.clone(), variant.member.ty.and_then(|die| self.ty.at(die))))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The place of a member of this place's type (or of its variants).
    pub(crate) fn field(&self, member: &Member) -> Result<Self, ValueError> {
        let ty = self.type_of(member)?;
        // What a wide pointer said about its target concerns the target's tail, which lies at the end.
        let is_tail = self.ty.members().iter().all(|other| other.offset <= member.offset);
        let meta = if is_tail { narrowed(self.meta, self.ty.path(), &ty) } else { Meta::Sized };
        Ok(Self { ty, at: self.at.plus(member.offset), meta })
    }

    fn type_of(&self, member: &Member) -> Result<Type, ValueError> {
        self.type_at(member.ty).ok_or_else(|| ValueError::NoType(format!("field `{}`", member.name)))
    }

    fn type_at(&self, die: Option<DieOffset>) -> Option<Type> {
        self.ty.at(die?)
    }

    fn member_size(&self, member: &Member) -> u64 {
        self.type_at(member.ty).map_or(0, |ty| ty.size())
    }

    /// The two halves of a wide pointer: `{data_ptr, length}` or `{pointer, vtable}`, whatever the struct is called.
    pub(crate) fn wide_pointer(&self) -> Option<(Self, WideMeta)> {
        let TypeKind::Struct { members, variants: None } = self.ty.kind() else { return None };
        if members.len() != 2 {
            return None;
        }
        let thin = |name: &str| self.member(name).ok().filter(|half| matches!(half.ty.kind(), TypeKind::Pointer(_)));
        if let (Some(data), Ok(length)) = (thin("data_ptr"), self.member("length")) {
            return Some((data, WideMeta::Length { length, is_str: names_str(self.ty.path()) }));
        }
        match (thin("pointer"), self.member("vtable")) {
            (Some(data), Ok(vtable)) => Some((data, WideMeta::Vtable(vtable))),
            _ => None,
        }
    }

    fn target(&self, stop: &Stop, meta: Meta) -> Result<Self, ValueError> {
        let TypeKind::Pointer(pointee) = self.ty.kind() else { return Err(not_pointer(&self.ty)) };
        let ty = self.type_at(*pointee).ok_or_else(|| ValueError::NoType("what the pointer points to".to_owned()))?;
        let address = self.read_pointer(stop)?;
        if address.raw() == 0 {
            return Err(ValueError::Null);
        }
        Ok(Self { ty, at: At::Memory(address), meta })
    }
}

/// What is left of a wide pointer's knowledge one step further in. Debug information shows a slice as one element, so
/// only the name of what holds it tells `[T]` from a struct `T` that ends in a slice.
pub(crate) fn narrowed(meta: Meta, holder: &str, ty: &Type) -> Meta {
    match meta {
        Meta::Length(count) | Meta::Tail(count) => {
            let is_struct = matches!(ty.kind(), TypeKind::Struct { .. });
            if is_struct && !holder.contains(&format!("[{}]", ty.path())) {
                Meta::Tail(count)
            } else {
                Meta::Length(count)
            }
        }
        other => other,
    }
}

/// The second half of a wide pointer.
pub(crate) enum WideMeta {
    Length { length: Place, is_str: bool },
    Vtable(Place),
}

impl WideMeta {
    /// What it says, with numbers that are not known.
    pub(crate) const fn unread(&self) -> Meta {
        match self {
            Self::Length { is_str: true, .. } => Meta::Str(0),
            Self::Length { is_str: false, .. } => Meta::Length(0),
            Self::Vtable(_) => Meta::Vtable(MemAddr::new(0)),
        }
    }

    fn read(&self, stop: &Stop) -> Result<Meta, ValueError> {
        Ok(match self {
            Self::Length { length, is_str: true } => Meta::Str(length.read_u64(stop)?),
            Self::Length { length, is_str: false } => Meta::Length(length.read_u64(stop)?),
            Self::Vtable(vtable) => Meta::Vtable(vtable.read_pointer(stop)?),
        })
    }
}

fn not_pointer(ty: &Type) -> ValueError {
    ValueError::NotPointer(crate::short_type_name(ty.path()))
}

/// Whether a wide pointer's name says that its target is (or ends in) a `str`: `&str`, `Box<str, ..>`,
/// `*const ArcInner<str>`.
fn names_str(path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    path.split(|c: char| !is_word(c)).any(|word| word == "str")
}

/// Whether this is a trait object's own type, `dyn Trait`, which has no size.
pub(crate) fn is_dyn(ty: &Type) -> bool {
    let name = ty.name();
    (name.starts_with("dyn ") || name.starts_with("(dyn ")) && ty.size() == 0
}
