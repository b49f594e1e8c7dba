//! What closures and async blocks captured: under which names debug information keeps it, and where.
//!
//! A capture by value is called as the place it captures (`x`, `self__db`), one by reference `_ref__x`. In the body the
//! captures are variables typed as the place itself. For an unsized place behind a reference (`s: &str` captured by
//! reference) rustc 1.70 to 1.97 types that variable as one element: `s: u8`, at the first byte.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use weft_memory::{MemAddr, Memory, MemoryError, Region};
use weft_symbols::{CodeFrame, FunctionKind, Location, LocationContext, Type, TypeKind, Variable};

use crate::{Place, Stop, ValueError};

/// The name in the source of a capture: `_ref__x` → `x`, `self__db` → `self.db`. Other places' parts cannot be told
/// from names with underscores and stay joined.
pub(crate) fn source_name(name: &str) -> String {
    let name = name.strip_prefix("_ref__").unwrap_or(name);
    match name.strip_prefix("self__") {
        Some(rest) => format!("self.{}", rest.replace("__", ".")),
        None => name.to_owned(),
    }
}

/// A capture's name and place as the source has them: what a capture by reference refers to.
pub(crate) fn captured(
    stop: &Stop,
    name: &str,
    place: Result<Place, ValueError>,
) -> (String, Result<Place, ValueError>) {
    // A slice is better known by its reference.
    let refers = |place: &Place| name.starts_with("_ref__") && !place.is_wide_pointer();
    let place = place.and_then(|place| if refers(&place) { place.deref(stop) } else { Ok(place) });
    (source_name(name), place)
}

/// The wide pointers among the captures by reference of a body, with the names of their variables.
pub(crate) struct WideCaptures(Vec<(String, Type)>);

impl WideCaptures {
    /// What the environment of this code says of its captures.
    pub(crate) fn of(code: &CodeFrame) -> Self {
        let environments = match code.function.kind {
            FunctionKind::AsyncBlock | FunctionKind::AsyncClosure => code.environment_type().into_iter().collect(),
            FunctionKind::Closure => closure_environments(code),
            _ => Vec::new(),
        };
        let members = environments.iter().flat_map(|environment| {
            let unresumed = environment.variant_part().and_then(|part| part.variants.first());
            let holder = unresumed.map_or(Some(environment.clone()), |variant| environment.at(variant.member.ty?));
            let members = holder.as_ref().map_or(&[][..], Type::members);
            members.iter().filter_map(|member| wide_capture(environment, &member.name, member.ty)).collect::<Vec<_>>()
        });
        Self(members.collect())
    }

    /// The wide pointer that a variable, described as one element, really is.
    pub(crate) fn of_variable(&self, variable: &Variable) -> Option<&Type> {
        let (name, element) = (variable.name.as_ref()?, variable.ty.as_ref()?);
        let is_it = |(captured, wide): &&(String, Type)| {
            captured == name && data_pointer(wide).is_some_and(|(_, target)| target.path() == element.path())
        };
        self.0.iter().find(is_it).map(|(_, wide)| wide)
    }
}

/// Instances of one closure that are looked at; of a function that has more, some variables stay as they are described.
const MOST_ENVIRONMENTS: usize = 1024;

fn closure_environments(code: &CodeFrame) -> Vec<Type> {
    match code.function.path.rsplit_once("{closure#") {
        Some((before, after)) if after.ends_with('}') => {
            let path = format!("{before}{{closure_env#{after}");
            code.image.types_of_any_arguments(&path).take(MOST_ENVIRONMENTS).collect()
        }
        _ => Vec::new(),
    }
}

fn wide_capture(holder: &Type, name: &str, ty: Option<weft_symbols::DieOffset>) -> Option<(String, Type)> {
    let name = name.strip_prefix("_ref__")?;
    let reference = holder.at(ty?)?;
    data_pointer(&reference)?;
    Some((name.to_owned(), reference))
}

/// Offset and target of a slice reference's data pointer.
fn data_pointer(wide: &Type) -> Option<(u64, Type)> {
    let member = wide.members().iter().find(|member| member.name == "data_ptr")?;
    match wide.at(member.ty?)?.kind() {
        TypeKind::Pointer(Some(target)) => Some((member.offset, wide.at(*target)?)),
        _ => None,
    }
}

/// Where a wide pointer lies of which a variable's location leads to the first element: the location's last step reads
/// the data pointer, so the pointer lies where that step read.
pub(crate) fn locate_wide(
    variable: &Variable,
    context: &LocationContext<'_>,
    wide: &Type,
) -> Result<Place, ValueError> {
    let unknown = || ValueError::Unavailable("the debug information describes only its first element".to_owned());
    let memory = LastRead { memory: context.memory, last: Mutex::new(None) };
    let location = variable.locate(&LocationContext { memory: &memory, ..*context })?;
    let last = *memory.last.lock().unwrap_or_else(PoisonError::into_inner);
    match (location, last, data_pointer(wide)) {
        (Location::Memory(found), Some((at, value)), Some((offset, _))) if found == value => {
            Ok(Place::new(wide.clone(), at.checked_sub(offset).ok_or_else(unknown)?))
        }
        _ => Err(unknown()),
    }
}

/// Memory that remembers the last pointer read.
struct LastRead<'a> {
    memory: &'a dyn Memory,
    last: Mutex<Option<(MemAddr, MemAddr)>>,
}

impl Memory for LastRead<'_> {
    fn region(&self, address: MemAddr) -> Option<Region> {
        self.memory.region(address)
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        self.memory.writable()
    }

    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.memory.read(address, buffer)?;
        let pointer = <[u8; 8]>::try_from(&*buffer).ok().map(|bytes| MemAddr::new(u64::from_le_bytes(bytes)));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = pointer.map(|pointer| (address, pointer));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_have_the_names_of_the_source() {
        for (name, source) in
            [("x", "x"), ("_ref__x", "x"), ("_ref__self__db", "self.db"), ("self__a__b", "self.a.b"), ("p__b", "p__b")]
        {
            assert_eq!(source_name(name), source);
        }
    }
}
