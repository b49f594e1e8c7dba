//! What an expression that is being typed may go on with: names in scope; fields of a value, and methods known of it.

use super::methods::{holder_fields, methods_of_variants};
use super::reach::{self, Items};
use super::value::{Kind, MAX_DEREFS, Value};
use super::{Scope, evaluate, typed_name};
use crate::view::{Reached, reached};
use crate::{Filter, Place, Stop, children};

/// Fields that are offered.
const MAX_FIELDS: u64 = 500;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Offered {
    Variable,
    Field,
    Method,
}

/// The end of `text` that is the beginning of a name, and the names that begin so, nearest first.
pub fn completions(stop: &Stop, scope: &dyn Scope, text: &str) -> (String, Vec<(String, Offered)>) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.trim_end_matches(is_word);
    let begin = text.get(before.len()..).unwrap_or_default().to_owned();
    let mut names = match before.strip_suffix('.') {
        Some(base) if base.ends_with('.') => all_variables(scope),
        Some(base) => operand(base).map(|base| parts(stop, scope, base)).unwrap_or_default(),
        None if before.ends_with(':') => Vec::new(),
        None => all_variables(scope),
    };
    names.retain(|(name, _)| name.starts_with(&begin));
    (begin, names)
}

fn all_variables(scope: &dyn Scope) -> Vec<(String, Offered)> {
    scope.names().into_iter().map(|name| (typed_name(&name), Offered::Variable)).collect()
}

/// The end of a text that is the value of which a part is asked; nothing behind quotes, which may mean anything.
fn operand(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        match c {
            '"' | '\'' => return None,
            ')' | ']' => depth = depth.checked_add(1)?,
            '(' | '[' if depth == 0 => break,
            '(' | '[' => depth = depth.checked_sub(1)?,
            _ if depth > 0 || c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '?') => {}
            _ => break,
        }
        start = at;
    }
    text.get(start..).filter(|operand| !operand.is_empty())
}

/// Fields and methods of a value.
fn parts(stop: &Stop, scope: &dyn Scope, base: &str) -> Vec<(String, Offered)> {
    let Ok(place) = evaluate(stop, scope, base) else { return Vec::new() };
    let field = |child: crate::Child| Some((child.access?.strip_prefix('.')?.to_owned(), Offered::Field));
    let fields = children(stop, &place, Filter::Named, 0, MAX_FIELDS).into_iter().filter_map(field);
    let method = |name: &&str| ((*name).to_owned(), Offered::Method);
    fields.filter(|(name, _)| !name.ends_with(')')).chain(methods(stop, &place).iter().map(method)).collect()
}

/// The usual methods of a value.
fn methods(stop: &Stop, place: &Place) -> Vec<&'static str> {
    let mut methods = match reach::items(stop, place) {
        Ok(Some(Items::Text(_))) => {
            vec!["len", "is_empty", "contains", "starts_with", "ends_with", "chars", "as_bytes"]
        }
        Ok(Some(Items::Sequence(_))) => vec!["len", "is_empty", "get", "first", "last", "contains", "iter"],
        Ok(Some(Items::Entries(entries))) if entries.is_set() => vec!["len", "is_empty", "contains", "iter"],
        Ok(Some(Items::Entries(_))) => vec!["len", "is_empty", "get", "contains_key", "keys", "values"],
        _ => Vec::new(),
    };
    if let Ok(value) = Value::load(stop, place)
        && let Kind::Enumeration(ty) = value.kind()
    {
        methods.extend(methods_of_variants(&ty));
    }
    methods.extend(of_holder(stop, place));
    methods
}

/// How the source would get at what a cell or lock holds.
fn of_holder(stop: &Stop, place: &Place) -> Option<&'static str> {
    let mut place = place.clone();
    for _ in 0..MAX_DEREFS {
        let path = crate::names::without_arguments(place.ty.path()).to_owned();
        if holder_fields(&path).next().is_some() {
            return Some(match path.rsplit("::").next() {
                Some("Cell") => "get",
                Some("RefCell") => "borrow",
                Some("RwLock") => "read",
                _ => "lock",
            });
        }
        match reached(stop, &place) {
            Ok(Reached::Through(target)) => place = target,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::operand;

    #[test]
    fn the_value_before_a_point_is_found() {
        for (text, value) in [
            ("a", Some("a")),
            ("x + a.b[i + 1]", Some("a.b[i + 1]")),
            ("f(a.b", Some("a.b")),
            ("v[a", Some("a")),
            ("(*a)", Some("(*a)")),
            ("!a.unwrap()", Some("a.unwrap()")),
            ("a::B", Some("a::B")),
            ("\"text\"", None),
            ("1 + ", None),
            ("", None),
        ] {
            assert_eq!(operand(text), value, "{text}");
        }
    }
}
