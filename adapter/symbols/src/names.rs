//! Paths as Rust's debug information writes them, taken apart.

/// The components of a path: split at `::` outside brackets.
pub(crate) fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> + Clone {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0_usize;
    let bytes = path.as_bytes();
    let mut previous = 0;
    let mut skip = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth = depth.saturating_add(1),
            // `->` of a function pointer's type
            b'>' if previous == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && previous == b':' && !skip => {
                parts.extend(path.get(start..at.saturating_sub(1)));
                start = at.saturating_add(1);
                skip = true;
                previous = 0;
                continue;
            }
            _ => {}
        }
        skip = false;
        previous = *byte;
    }
    parts.extend(path.get(start..));
    parts.into_iter()
}

/// A component without its generic arguments: `Cell<T, S>` is `Cell`, `{async_fn_env#0}<u8>` is `{async_fn_env#0}`.
pub(crate) fn without_arguments(name: &[u8]) -> &[u8] {
    if name.last() != Some(&b'>') || name.first() == Some(&b'<') {
        return name;
    }
    let mut depth = 0_usize;
    for (at, byte) in name.iter().enumerate().rev() {
        match byte {
            b'>' if at.checked_sub(1).and_then(|before| name.get(before)) == Some(&b'-') => {}
            b'>' => depth = depth.saturating_add(1),
            b'<' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return name.get(..at).unwrap_or(name);
                }
            }
            _ => {}
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> Vec<&str> {
        components(path).collect()
    }

    #[test]
    fn paths_are_split_outside_brackets() {
        assert_eq!(split("u32"), ["u32"]);
        assert_eq!(split("core::option::Option<a::b::C>"), ["core", "option", "Option<a::b::C>"]);
        assert_eq!(split("a::{impl#0}::f::{async_fn_env#0}<x::Y>"), ["a", "{impl#0}", "f", "{async_fn_env#0}<x::Y>"]);
        assert_eq!(split("<a::B as c::D>::{vtable}"), ["<a::B as c::D>", "{vtable}"]);
        assert_eq!(split("a::F<fn(u8) -> b::C>::g"), ["a", "F<fn(u8) -> b::C>", "g"]);
        assert_eq!(split("a::(b::C, d::E)"), ["a", "(b::C, d::E)"]);
    }

    #[test]
    fn arguments_are_one_balanced_tail() {
        let strip = |name: &'static str| String::from_utf8_lossy(without_arguments(name.as_bytes()));
        assert_eq!(strip("Cell<T, S>"), "Cell");
        assert_eq!(strip("Cell<Option<T>, fn(u8) -> u8>"), "Cell");
        assert_eq!(strip("{async_fn_env#0}<u8>"), "{async_fn_env#0}");
        assert_eq!(strip("u32"), "u32");
        assert_eq!(strip("<a as b>"), "<a as b>");
        assert_eq!(strip("a>"), "a>");
    }
}
