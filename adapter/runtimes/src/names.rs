//! Paths of types and functions, taken apart.

use std::path::Path;

use weft_symbols::SourceLine;
use weft_tasks::Location;

/// A path without its balanced trailing generic arguments: `a::B<C<D>>` → `a::B`.
pub(crate) fn base(path: &str) -> &str {
    if !path.ends_with('>') {
        return path;
    }
    let mut depth = 0_usize;
    for (at, byte) in path.bytes().enumerate().rev() {
        match byte {
            // The `>` of an arrow closes nothing.
            b'>' if at.checked_sub(1).and_then(|before| path.as_bytes().get(before)) == Some(&b'-') => {}
            b'>' => depth = depth.saturating_add(1),
            b'<' => {
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

/// The crate a path begins with; empty for primitives, tuples, pointers.
pub(crate) fn krate(path: &str) -> &str {
    let first = path.split("::").next().unwrap_or("");
    let is_name = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name && first.len() < path.len() { first } else { "" }
}

/// Whether `path` lies in the module `module` (itself included).
pub(crate) fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('<'))
}

/// A place in source code in the words of `tasks`.
pub(crate) fn location(source: &SourceLine) -> Location {
    let file: &Path = &source.file;
    Location { file: file.to_path_buf(), line: source.line, column: source.column }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_cut_once_and_balanced() {
        assert_eq!(base("tokio::task::Cell<a::B<C>, fn() -> u8>"), "tokio::task::Cell");
        assert_eq!(base("a::B<u8>::c::{async_fn_env#0}<D>"), "a::B<u8>::c::{async_fn_env#0}");
        assert_eq!(base("u8"), "u8");
    }

    #[test]
    fn crates_are_told_from_primitives() {
        assert_eq!(krate("mini_redis::server::Handler"), "mini_redis");
        assert_eq!(krate("u8"), "");
        assert_eq!(krate("(a::B, c::D)"), "");
        assert_eq!(krate("&mut a::B"), "");
    }

    #[test]
    fn modules_end_at_separators() {
        assert!(within("tokio::sync::mutex::Mutex", "tokio::sync::mutex"));
        assert!(!within("tokio::sync::mutexes::Mutex", "tokio::sync::mutex"));
    }
}
