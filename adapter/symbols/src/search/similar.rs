//! Names that are nearly what somebody wrote.

use std::sync::Arc;

use super::FunctionQuery;
use crate::Image;
use crate::naming::is_user_code;

/// Names compared at most.
const MOST_NAMES: usize = 500_000;
/// Paths with one of the nearest names that are looked at.
const MOST_PATHS: usize = 1000;
/// Bytes of a name that are compared.
const MOST_LENGTH: usize = 64;

impl Image {
    /// What functions are called whose own name is nearly that of a query: the nearest ones, those of the user's crates
    /// first, at most `most`; with how many letters differ. Nothing for patterns.
    pub fn similar_functions(self: &Arc<Self>, query: &FunctionQuery, most: usize) -> Vec<(usize, String)> {
        let Some(wanted) = query.anchor().filter(|wanted| wanted.len() <= MOST_LENGTH) else { return Vec::new() };
        // A third of the letters may differ.
        let mut limit = (wanted.len() / 3).max(1);
        let names = self.ask(|index| index.function_names(self.sections(), MOST_NAMES));
        let mut near: Vec<(usize, &[u8])> = Vec::new();
        for name in &names {
            if let Some(distance) = distance(wanted.as_bytes(), name, limit) {
                limit = limit.min(distance);
                near.push((distance, name));
            }
        }
        near.retain(|(distance, _)| *distance <= limit);
        let groups = self.ask(|index| {
            let groups = near.iter().map(|(_, name)| index.functions_named(self.sections(), name, MOST_PATHS));
            Ok(groups.collect::<Result<Vec<_>, _>>()?.concat())
        });
        let mut found: Vec<(bool, usize, String)> = groups
            .iter()
            .filter_map(|group| self.function_at(*group.instances.first()?))
            .filter(|function| function.kind != crate::FunctionKind::Glue && !function.name.contains(" {"))
            .map(|function| (!is_user_code(&function.krate), limit, function.name.clone()))
            .collect();
        found.sort();
        found.dedup();
        found.into_iter().take(most).map(|(_, distance, name)| (distance, name)).collect()
    }
}

/// Letters to insert, remove or replace to make one name of the other, upper and lower case being the same; none if it
/// takes more than `limit`.
fn distance(a: &[u8], b: &[u8], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit || b.len() > MOST_LENGTH {
        return None;
    }
    let distance = strsim::generic_levenshtein(&a.to_ascii_lowercase(), &b.to_ascii_lowercase());
    (distance <= limit).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        let between = |a: &str, b: &str| distance(a.as_bytes(), b.as_bytes(), 3);
        assert_eq!(between("handle", "handle"), Some(0));
        assert_eq!(between("handel", "handle"), Some(2));
        assert_eq!(between("handl", "handle"), Some(1));
        assert_eq!(between("Handle", "handle"), Some(0));
        assert_eq!(between("measure", "treasure"), Some(2));
        assert_eq!(between("", "abc"), Some(3));
        assert_eq!(between("abcd", ""), None);
        assert_eq!(between("one", "seven"), None);
    }
}
