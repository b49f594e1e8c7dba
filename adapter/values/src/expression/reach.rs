//! From a place to what a field name, an index or a `*` reaches.

use weft_symbols::Modules;

use super::EvaluateError;
use super::value::MAX_DEREFS;
use crate::view::{Entries, Reached, reached};
use crate::{Meta, Place, Sequence, Stop, ValueError};

/// Names offered as near ones.
const MAX_HINTS: usize = 3;

/// The field of that name, through references and smart pointers.
pub(super) fn field(stop: &Stop, base: &Place, name: &str) -> Result<Place, EvaluateError> {
    let mut place = base.clone();
    let mut own = None;
    let mut names = Vec::new();
    for _ in 0..MAX_DEREFS {
        // A wrapper's own field (`ptr` of an `Arc`) serves if what it refers to has none of that name.
        own = own.or_else(|| raw_field(&place, name));
        match reached(stop, &place) {
            Ok(Reached::Through(target)) => place = target,
            Ok(Reached::Fields(fields)) => {
                let extra = format!("[{name}]");
                let named = |wanted: &str| fields.iter().find(|field| field.name == wanted);
                if let Some(field) = named(name).or_else(|| named(&extra)) {
                    return Ok(field.place.clone()?);
                }
                names.extend(fields.into_iter().map(|field| field.name));
                break;
            }
            Ok(_) => break,
            Err(error) => return own.ok_or_else(|| error.into()),
        }
    }
    // What has no fields at all (the bytes of a `str`) is not what was asked.
    let ty = crate::type_name(if names.is_empty() { &base.ty } else { &place.ty });
    own.ok_or_else(|| EvaluateError::NoField { name: name.to_owned(), ty, hint: hint(name, &names) })
}

fn raw_field(place: &Place, name: &str) -> Option<Place> {
    let is_index = name.bytes().all(|byte| byte.is_ascii_digit());
    let name = if is_index { format!("__{name}") } else { name.to_owned() };
    place.member(&name).ok()
}

/// What `*` reaches.
pub(super) fn dereferenced(stop: &Stop, place: &Place) -> Result<Place, ValueError> {
    match reached(stop, place)? {
        Reached::Through(target) => Ok(target),
        _ => place.deref(stop),
    }
}

/// The elements that an index counts, through references and smart pointers.
pub(super) fn sequence(stop: &Stop, base: &Place) -> Result<Sequence, ValueError> {
    let mut place = base.clone();
    for _ in 0..MAX_DEREFS {
        match place.sequence(stop) {
            Err(ValueError::NotSequence(ty)) => match reached(stop, &place)? {
                Reached::Through(target) => place = target,
                _ => return Err(ValueError::NotSequence(ty)),
            },
            other => return other,
        }
    }
    Err(ValueError::Bound("32 references to references"))
}

/// What has a length.
pub(super) enum Items {
    /// The bytes of a text.
    Text(Sequence),
    /// Elements.
    Sequence(Sequence),
    /// Of a map or set.
    Entries(Entries),
}

impl Items {
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Text(sequence) | Self::Sequence(sequence) => sequence.len,
            Self::Entries(entries) => entries.len(),
        }
    }

    pub(super) const fn capacity(&self) -> Option<u64> {
        match self {
            Self::Text(sequence) | Self::Sequence(sequence) => sequence.capacity,
            Self::Entries(_) => None,
        }
    }
}

/// What a place has a length of, through references and smart pointers; `None`: it has none.
pub(super) fn items(stop: &Stop, base: &Place) -> Result<Option<Items>, ValueError> {
    let mut place = base.clone();
    for _ in 0..MAX_DEREFS {
        place = match reached(stop, &place)? {
            Reached::Through(target) => target,
            Reached::Text { bytes, .. } => return Ok(Some(Items::Text(bytes))),
            Reached::Items(sequence) => return Ok(Some(Items::Sequence(sequence))),
            Reached::Entries(entries) => return Ok(Some(Items::Entries(entries))),
            Reached::Fields(_) | Reached::Other => return Ok(None),
        };
    }
    Err(ValueError::Bound("32 references to references"))
}

/// `sequence[start..end]`, as a slice.
pub(super) fn slice(sequence: &Sequence, start: u64, end: u64) -> Result<Place, ValueError> {
    if end > sequence.len || start > end {
        return Err(ValueError::OutOfRange { index: start.max(end), len: sequence.len });
    }
    let len = end.saturating_sub(start);
    let whole = sequence.contiguous_at(start, len)?;
    Ok(Place { meta: Meta::Length(len), ..whole })
}

/// Modules around a function in which a name is looked for.
const MAX_MODULES: usize = 32;

/// The full paths that `name` may stand for in the function at `path`, nearest first.
pub(super) fn static_paths(name: &str, path: &str) -> Vec<String> {
    let mut components: Vec<&str> = path.split("::").filter(|component| !component.is_empty()).collect();
    if let Some(rest) = name.strip_prefix("crate::") {
        return components.first().map(|krate| format!("{krate}::{rest}")).into_iter().collect();
    }
    let mut paths = Vec::new();
    while !components.is_empty() && paths.len() < MAX_MODULES {
        paths.push(format!("{}::{name}", components.join("::")));
        components.pop();
    }
    paths.push(name.to_owned());
    paths
}

/// A static of that path, with its namespaces.
pub(super) fn static_variable(modules: &Modules, path: &str) -> Option<Result<Place, EvaluateError>> {
    modules.iter().find_map(|module| {
        // A static at address 0 was left out by the linker.
        let live = |it: &weft_symbols::Static| it.thread_local || it.address.raw() != 0;
        let found = module.image.statics(path).into_iter().find(live)?;
        if found.thread_local {
            return Some(Err(super::unsupported("a thread-local variable is not looked up")));
        }
        let ty = found.ty.ok_or_else(|| ValueError::NoType(format!("`{path}`")));
        Some(ty.map(|ty| Place::new(ty, module.bias.to_memory(found.address))).map_err(Into::into))
    })
}

/// `; did you mean ..?` with the names that are nearly this one, or nothing.
pub(super) fn hint(name: &str, names: &[String]) -> String {
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .filter(|other| !other.is_empty())
        .map(|other| (strsim::levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= name.len().div_ceil(3).max(1) || other.starts_with(name))
        .collect();
    near.sort();
    near.dedup();
    // Beginnings of names, and of the misspelt ones only the nearest.
    let nearest = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, other)| *distance == nearest || other.starts_with(name));
    let shown: Vec<String> = near.iter().take(MAX_HINTS).map(|(_, name)| format!("`{name}`")).collect();
    if shown.is_empty() { String::new() } else { format!("; did you mean {}?", shown.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_in_the_modules_around() {
        let paths = static_paths("LIMIT", "app::net::accept");
        assert_eq!(paths, ["app::net::accept::LIMIT", "app::net::LIMIT", "app::LIMIT", "LIMIT"]);
        assert_eq!(static_paths("crate::LIMIT", "app::net::accept"), ["app::LIMIT"]);
        assert_eq!(static_paths("app::LIMIT", ""), ["app::LIMIT"]);
    }

    #[test]
    fn near_names_are_offered() {
        let names = ["shared", "share", "db", "connection"].map(String::from);
        assert_eq!(hint("shard", &names), "; did you mean `share` or `shared`?");
        assert_eq!(hint("conn", &names), "; did you mean `connection`?");
        assert_eq!(hint("zzz", &names), "");
    }
}
