//! Paths of types and functions, taken apart.

use std::path::Path;
use std::sync::Arc;

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
pub(crate) fn location(source: &SourceLine) -> Arc<Location> {
    let file: &Path = &source.file;
    Arc::new(Location { file: file.to_path_buf(), line: source.line, column: source.column })
}

/// Whether a source file can be one of that crate's own. Code that a macro of another crate made is declared in that
/// crate's files; of those in cargo's registry and in the standard library's sources the owner shows in the path. This
/// tells macros from their users, and is not how user code is told: that goes by crate.
pub fn is_file_of(file: &Path, krate: &str) -> bool {
    let mut components = file.iter().map(|part| part.to_string_lossy());
    if components.any(|part| part == "registry") {
        // registry/src/<index>/<package>-<version>/…
        let package = components.nth(2);
        return package
            .is_none_or(|package| package_name(&package).replace('-', "_") == krate_of_package(krate, &package));
    }
    let text = file.to_string_lossy();
    !(text.starts_with("/rustc/") || text.contains("/lib/rustlib/src/rust/"))
        || ["std", "core", "alloc"].contains(&krate)
}

/// `tokio-util-0.7.1` → `tokio-util`: up to the first dash that a digit follows.
fn package_name(folder: &str) -> &str {
    let version = folder
        .match_indices('-')
        .find(|(at, _)| folder.as_bytes().get(at.saturating_add(1)).is_some_and(u8::is_ascii_digit));
    version.map_or(folder, |(at, _)| folder.get(..at).unwrap_or(folder))
}

/// A package's binaries are crates of other names (`mini_redis_server` of `mini-redis`): a crate whose name begins with
/// its package's counts as that package's.
fn krate_of_package<'a>(krate: &'a str, folder: &str) -> &'a str {
    let package = package_name(folder).replace('-', "_");
    match krate.strip_prefix(package.as_str()) {
        Some(rest) if rest.starts_with('_') => krate.get(..package.len()).unwrap_or(krate),
        _ => krate,
    }
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
    fn files_are_told_from_those_of_macros() {
        let registry = "/home/me/.cargo/registry/src/example-0123456789abcdef";
        for (file, krate, own) in [
            (format!("{registry}/tokio-1.54.1/src/macros/join.rs"), "mini_redis", false),
            (format!("{registry}/async-stream-0.3.6/src/lib.rs"), "mini_redis", false),
            (format!("{registry}/mini-redis-0.4.1/src/server.rs"), "mini_redis", true),
            (format!("{registry}/mini-redis-0.4.1/src/bin/server.rs"), "mini_redis_server", true),
            (format!("{registry}/tokio-util-0.7.1/src/lib.rs"), "tokio_util", true),
            (format!("{registry}/tokio-util-0.7.1/src/lib.rs"), "tokio", false),
            ("/rustc/abc/library/core/src/future/join.rs".to_owned(), "mine", false),
            ("/home/me/mine/src/main.rs".to_owned(), "mine", true),
        ] {
            assert_eq!(is_file_of(Path::new(&file), krate), own, "{file} {krate}");
        }
    }

    #[test]
    fn modules_end_at_separators() {
        assert!(within("tokio::sync::mutex::Mutex", "tokio::sync::mutex"));
        assert!(!within("tokio::sync::mutexes::Mutex", "tokio::sync::mutex"));
    }
}
