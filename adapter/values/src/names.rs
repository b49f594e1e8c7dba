//! Type names as a programmer writes them.

use weft_symbols::{Type, TypeKind};

/// Arrays of arrays that are spelt out.
const MAX_NESTING: usize = 32;

/// A type's name in short Rust form; arrays too, which have no name in the debug information.
pub fn type_name(ty: &Type) -> String {
    spelt(ty, MAX_NESTING)
}

fn spelt(ty: &Type, depth: usize) -> String {
    let (TypeKind::Array { element, count }, Some(depth)) = (ty.kind(), depth.checked_sub(1)) else {
        return short_type_name(ty.path());
    };
    let element = element.and_then(|die| ty.at(die)).map_or_else(|| "_".to_owned(), |element| spelt(&element, depth));
    match count {
        Some(count) => format!("[{element}; {count}]"),
        None => format!("[{element}]"),
    }
}

/// A path without its balanced trailing generic arguments: `alloc::vec::Vec<u8>` → `alloc::vec::Vec`.
pub(crate) fn without_arguments(path: &str) -> &str {
    if !path.ends_with('>') {
        return path;
    }
    let mut depth = 0_usize;
    for (at, c) in path.char_indices().rev() {
        match c {
            // The `>` of an arrow closes nothing.
            '>' if path.get(..at).is_some_and(|before| before.ends_with('-')) => {}
            '>' => depth = depth.saturating_add(1),
            '<' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return path.get(..at).unwrap_or(path);
                }
            }
            _ => {}
        }
    }
    path
}

/// A type's path in short Rust form: namespaces, the global allocator and the default hasher dropped.
/// `core::option::Option<alloc::vec::Vec<u8, alloc::alloc::Global>>` → `Option<Vec<u8>>`.
pub fn short_type_name(path: &str) -> String {
    let mut short = String::with_capacity(path.len());
    let mut word = String::new();
    let mut rest = path.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                // `krate::f::{async_fn_env#0}`: the function's name is what a reader knows it by.
                if rest.peek() == Some(&'{') && !word.is_empty() && !word.starts_with("{impl") {
                    let tail: String = std::iter::from_fn(|| rest.next_if(|c| *c != '}')).collect();
                    rest.next();
                    match compiler_made(tail.trim_start_matches('{')) {
                        Some(what) => word = format!("{what} {}", bare(&word)),
                        None if rest.peek() == Some(&':') => {}
                        None => word = format!("{word}::{tail}}}"),
                    }
                } else {
                    word.clear();
                }
            }
            c if c.is_alphanumeric() || c == '_' || c == '{' || c == '}' || c == '#' => word.push(c),
            c => {
                short.push_str(&word);
                word.clear();
                short.push(c);
            }
        }
    }
    short.push_str(&word);
    drop_default_arguments(short)
}

/// A word without what [`compiler_made`] put before it.
fn bare(word: &str) -> &str {
    word.rsplit(' ').next().unwrap_or(word)
}

fn compiler_made(component: &str) -> Option<&'static str> {
    let kind = component.split('#').next()?;
    Some(match kind {
        "async_fn_env" => "async fn",
        "async_block_env" => "async block in",
        "async_closure_env" => "async closure in",
        "closure_env" => "closure in",
        _ => return None,
    })
}

/// Arguments that nobody writes.
fn drop_default_arguments(mut name: String) -> String {
    for argument in [", Global", ", RandomState"] {
        while let Some(at) = name.find(argument) {
            let end = at.saturating_add(argument.len());
            if !name.get(end..).is_some_and(|rest| rest.starts_with(['>', ','])) {
                break;
            }
            name.replace_range(at..end, "");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_cut_once_and_balanced() {
        assert_eq!(without_arguments("alloc::vec::Vec<u8, alloc::alloc::Global>"), "alloc::vec::Vec");
        assert_eq!(without_arguments("a::B<C<D>>::E<F>"), "a::B<C<D>>::E");
        assert_eq!(without_arguments("a::B<fn() -> u8>"), "a::B");
        assert_eq!(without_arguments("u8"), "u8");
        assert_eq!(without_arguments("a>"), "a>");
    }

    #[test]
    fn short_names_are_what_a_programmer_writes() {
        for (path, short) in [
            ("u8", "u8"),
            ("core::option::Option<alloc::vec::Vec<u8, alloc::alloc::Global>>", "Option<Vec<u8>>"),
            ("&mut [alloc::string::String]", "&mut [String]"),
            ("alloc::boxed::Box<dyn core::fmt::Debug, alloc::alloc::Global>", "Box<dyn Debug>"),
            ("std::collections::hash::map::HashMap<u8, u16, std::hash::random::RandomState>", "HashMap<u8, u16>"),
            ("prog::outer::{async_fn_env#0}", "async fn outer"),
            ("prog::outer::{async_fn_env#0}<u8>", "async fn outer<u8>"),
            ("prog::main::{async_fn#0}::{async_block_env#1}", "async block in main"),
            ("prog::main::{closure_env#0}", "closure in main"),
            ("prog::{impl#2}::call::{async_fn_env#0}", "async fn call"),
            ("(u8, alloc::string::String)", "(u8, String)"),
            ("fn(core::option::Option<u8>) -> alloc::string::String", "fn(Option<u8>) -> String"),
        ] {
            assert_eq!(short_type_name(path), short, "{path}");
        }
    }
}
