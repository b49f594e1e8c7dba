//! Variables whose type cannot be told because the compiler merged the functions that have them.

use weft_symbols::{Member, Type};

use crate::{At, FrameVariable, Place, ValueError};

/// Takes away the values of those variables of a coroutine's environment, in its present state, that have another type in an
/// instantiation of the same function that may be meant as well: which of them it is, nothing says.
pub(crate) fn hide_untold(environment: &Place, state: usize, variables: &mut [FrameVariable]) {
    let merged = environment.ty.merged_instances();
    if merged.is_empty() {
        return;
    }
    for variable in variables {
        let Some(here) = variable.place.as_ref().ok().and_then(|place| offset(environment, place)) else { continue };
        let others = merged.iter().map(|other| type_at(other, state, &variable.name, here));
        let mut names: Vec<String> =
            others.map(|ty| ty.map_or_else(|| "another type".to_owned(), |ty| format!("`{}`", ty.path()))).collect();
        let own = variable.ty.as_ref().map(|ty| format!("`{}`", ty.path()));
        names.retain(|name| Some(name) != own.as_ref());
        if names.is_empty() {
            continue;
        }
        names.extend(own);
        names.sort();
        names.dedup();
        variable.ty = None;
        variable.place = Err(ValueError::Unavailable(format!(
            "{}: the compiler merged functions of equal code, and which of them this is cannot be told",
            names.join(" or ")
        )));
    }
}

fn offset(environment: &Place, place: &Place) -> Option<u64> {
    let (At::Memory(start), At::Memory(at)) = (&environment.at, &place.at) else { return None };
    at.raw().checked_sub(start.raw())
}

/// The type of a variable of this name at an offset of an environment.
fn type_at(environment: &Type, state: usize, name: &str, offset: u64) -> Option<Type> {
    let member = &environment.variant_part()?.variants.get(state)?.member;
    let payload = environment.at(member.ty?)?;
    let is_it = |field: &&Member| field.name == name && field.offset.checked_add(member.offset) == Some(offset);
    payload.at(payload.members().iter().find(is_it)?.ty?)
}
