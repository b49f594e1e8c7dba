//! Which bytes of a coroutine's environment are alive. The compiler keeps the place of a local that was borrowed and then
//! moved away (`drop(guard)`), and the debug information does not tell it from one that is alive. The coroutine's own drop
//! glue does: it drops what is alive and nothing else, and what it does not even look at it does not drop.

mod machine;
mod plain;
#[cfg(test)]
mod tests;
mod value;
mod way;

use std::hash::{Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHasher};
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, FunctionEntry, Image, Member, Type};
use weft_values::Stop;

use crate::chain::at;
use crate::listing::Dropper;
use crate::names::base;
use crate::shape::TypeId;
use machine::Machine;

pub(crate) use machine::Function;

/// What drop glue is called; the second name is that of newer compilers.
const NAMES: [&str; 2] = ["core::ptr::drop_in_place", "core::ptr::drop_glue"];
/// Courses that one piece of glue is known to take; it has one for each state and what its drop flags can be.
const MAX_COURSES: usize = 256;
/// Addresses of programs end here; above are the kernel's.
const USER_END: u64 = 1 << 47;

/// What drop glue looks at of a coroutine in its present state.
#[derive(Debug)]
pub(crate) struct Seen(Vec<Range<u64>>);

impl Seen {
    /// Whether these bytes (offsets from the environment's begin) are left alone: what owned something there was moved
    /// away. Of what never needs to be dropped (a number, a reference) this says nothing.
    pub(crate) fn leaves(&self, bytes: &Range<u64>) -> bool {
        !bytes.is_empty() && !self.0.iter().any(|seen| seen.start < bytes.end && bytes.start < seen.end)
    }
}

/// Code that drops a value.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The function, given the value's address.
    pub(crate) function: MemAddr,
    pub(crate) value: Range<MemAddr>,
}

impl Start {
    /// What a task's vtable names.
    pub(crate) fn of_task(stop: &Stop, dropper: &Dropper) -> Option<Self> {
        let (vtable, function) = dropper.offsets;
        let vtable = stop.memory.read_pointer(at(dropper.task.start, vtable)).ok()?;
        let function = stop.memory.read_pointer(at(vtable, function)).ok()?;
        Some(Self { function, value: dropper.task.clone() })
    }

    /// Whether all of a coroutine lies in the value.
    fn has(&self, coroutine: &Type, environment: MemAddr) -> bool {
        let end = environment.checked_add(coroutine.size());
        self.value.start <= environment && end.is_some_and(|end| end <= self.value.end)
    }
}

/// A course that glue takes, and what it looks at on that.
type Course = (machine::Reads, Option<Arc<Seen>>);
/// A question whose answer depends on the value's bytes alone: the image, the function, and where in the value that it
/// drops the coroutine is: offset and size.
type Question = (usize, FileAddr, u64, u64);
/// Where the glue is of types with a name of this hash.
type ByName = FxHashMap<u64, Vec<FunctionEntry>>;
/// That, with the image, whose address is its key as long as somebody keeps it.
type OfImage = (Arc<Image>, Arc<ByName>);

/// The drop glue of the program's coroutines, found when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Glues {
    images: RwLock<FxHashMap<usize, OfImage>>,
    known: RwLock<FxHashMap<TypeId, Option<FileAddr>>>,
    courses: RwLock<FxHashMap<Question, Vec<Course>>>,
}

impl Glues {
    /// A coroutine's own glue; none where there is none, as when it was inlined into its callers.
    pub(crate) fn start(&self, stop: &Stop, coroutine: &Type, environment: MemAddr) -> Option<Start> {
        let module = stop.modules.of(coroutine.image())?;
        let function = module.bias.to_memory(self.own(coroutine)?);
        Some(Start { function, value: environment..environment.checked_add(coroutine.size())? })
    }

    /// What of the coroutine that is suspended at `environment` would be looked at if the value that it lies in were
    /// dropped now. `None`: it cannot be told. Whoever polls a coroutine has not stored its state yet: this is for those
    /// at rest.
    pub(crate) fn seen(&self, stop: &Stop, start: &Start, coroutine: &Type, environment: MemAddr) -> Option<Arc<Seen>> {
        let value = start.value.start.raw()..start.value.end.raw();
        let (module, function) = stop.modules.to_file(start.function)?;
        let is_near = Arc::ptr_eq(&module.image, coroutine.image()) && value.end <= USER_END;
        let offset = environment.since(start.value.start).filter(|_| is_near && start.has(coroutine, environment))?;
        // The image is kept from now on, and with it the meaning of its address.
        self.by_name(&module.image);
        let question = (Arc::as_ptr(&module.image) as usize, function, offset, coroutine.size());
        let known = self.courses.read().unwrap_or_else(PoisonError::into_inner);
        let mut courses = known.get(&question).into_iter().flatten();
        if let Some((_, seen)) = courses.find(|(reads, _)| machine::agree(reads, &*stop.memory, value.start)) {
            return seen.clone();
        }
        drop(known);
        // Where no value can be nothing is learnt of the glue.
        let region = stop.memory.region(start.value.start)?;
        (region.writable && start.value.end <= region.range.end).then_some(())?;
        let begin = environment.raw();
        let target = begin..begin.checked_add(coroutine.size())?;
        let kind = |address: u64| function_at(stop, address);
        let course = Machine::new(&*stop.memory, &kind, value.clone(), target).run(start.function.raw(), value.start);
        // Whoever has not looked at the state has not dropped this coroutine.
        let state = state_of(coroutine)?;
        let seen = course.seen.map(Seen).filter(|seen| !seen.leaves(&state)).map(Arc::new);
        let mut known = self.courses.write().unwrap_or_else(PoisonError::into_inner);
        let courses = known.entry(question).or_default();
        if courses.len() < MAX_COURSES {
            courses.push((course.reads, seen.clone()));
        }
        seen
    }

    /// Where a coroutine's own glue begins.
    fn own(&self, coroutine: &Type) -> Option<FileAddr> {
        let key = TypeId::of(coroutine);
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *known;
        }
        let image = coroutine.image();
        let by_name = self.by_name(image);
        let mut entries = by_name.get(&hash(coroutine.path())).into_iter().flatten();
        let is_its = |entry: &&FunctionEntry| {
            let frame = image.function_frame(entry).ok().flatten();
            frame.and_then(|frame| frame.template_argument("T")).is_some_and(|it| is_alike(&it, coroutine))
        };
        let found = entries.find(is_its).map(|found| found.address);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, found);
        found
    }

    fn by_name(&self, image: &Arc<Image>) -> Arc<ByName> {
        let key = Arc::as_ptr(image) as usize;
        if let Some((_, known)) = self.images.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let mut found = ByName::default();
        for (name, entry) in NAMES.iter().flat_map(|path| image.functions_by(path, &dropped_coroutine)) {
            found.entry(name).or_default().push(entry);
        }
        let found = Arc::new(found);
        let mut images = self.images.write().unwrap_or_else(PoisonError::into_inner);
        images.insert(key, (Arc::clone(image), Arc::clone(&found)));
        found
    }
}

/// The hash of the path of the coroutine that glue of this name drops; none if it drops something else.
fn dropped_coroutine(name: &[u8]) -> Option<u64> {
    let (_, path) = std::str::from_utf8(name).ok()?.split_once('<')?;
    let path = path.strip_suffix('>')?;
    let last = base(path).rsplit("::").next()?;
    last.starts_with("{async_").then(|| hash(path))
}

fn hash(path: &str) -> u64 {
    let mut hasher = FxHasher::default();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Where the state of a coroutine is, as offsets.
fn state_of(coroutine: &Type) -> Option<Range<u64>> {
    let state = coroutine.variant_part()?.discriminant.as_ref()?;
    Some(state.offset..state.offset.checked_add(coroutine.discriminant_size())?)
}

/// Whether two types of one name are the same: there is a copy in each unit, and what several versions of a crate make of
/// one name differs.
fn is_alike(one: &Type, other: &Type) -> bool {
    let places =
        |members: &[Member]| members.iter().map(|member| (member.name.clone(), member.offset)).collect::<Vec<_>>();
    let states = |ty: &Type| {
        let part = ty.variant_part()?;
        let state = |member: &Member| member.ty.and_then(|die| ty.at(die)).map(|state| places(state.members()));
        let states = part.variants.iter().map(|variant| state(&variant.member)).collect::<Vec<_>>();
        Some((part.discriminant.as_ref().map(|member| member.offset), states))
    };
    one == other || one.path() == other.path() && one.size() == other.size() && states(one) == states(other)
}

/// What begins at an address of the program; none if no function does.
pub(crate) fn function_at(stop: &Stop, address: u64) -> Option<Function> {
    let (module, file) = stop.modules.to_file(MemAddr::new(address))?;
    let symbol = module.image.symbol_at(file);
    let frame = module.image.frames_at(file).ok().and_then(|mut frames| frames.pop());
    let begins = |entry: FileAddr| entry == file;
    if !symbol.as_ref().map(|it| it.address).into_iter().chain(frame.as_ref().map(|it| it.entry)).any(begins) {
        return None;
    }
    match symbol {
        Some(symbol) if panics(&symbol.name) => return Some(Function::Panics),
        Some(symbol) if frees(&symbol.name) => return Some(Function::Frees),
        _ => {}
    }
    let dropped = frame.and_then(|frame| dropped_by(&frame));
    Some(dropped.map_or(Function::Other, |dropped| Function::Glue(dropped.size())))
}

/// What the glue drops that begins at an address of the program.
pub(crate) fn dropped_at(stop: &Stop, address: u64) -> Option<Type> {
    let (module, file) = stop.modules.to_file(MemAddr::new(address))?;
    let frame = module.image.frames_at(file).ok()?.pop()?;
    (frame.entry == file).then(|| dropped_by(&frame))?
}

/// What a function drops, if it is glue.
fn dropped_by(frame: &CodeFrame) -> Option<Type> {
    frame.template_argument("T").filter(|_| NAMES.contains(&base(&frame.function.path)))
}

/// Whether a symbol's name is one of a function that never returns.
fn panics(name: &str) -> bool {
    const PARTS: [&str; 5] = [
        "4core9panicking",
        "_Unwind_Resume",
        "4core6option13expect_failed",
        "4core6option13unwrap_failed",
        "4core6result13unwrap_failed",
    ];
    PARTS.iter().any(|part| name.contains(part))
}

/// Whether it is one of a function that gives memory back.
fn frees(name: &str) -> bool {
    const PARTS: [&str; 3] = ["__rust_dealloc", "__rdl_dealloc", "__rg_dealloc"];
    matches!(name, "free" | "__libc_free" | "cfree") || PARTS.iter().any(|part| name.contains(part))
}
