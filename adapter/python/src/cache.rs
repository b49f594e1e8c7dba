//! The user's folder for what can be made again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

/// `$WEFT_CACHE_DIR`, else `$XDG_CACHE_HOME/weft`, else `~/.cache/weft`; none without a home.
pub(crate) fn folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let cache = || absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    absolute("WEFT_CACHE_DIR").or_else(|| Some(cache()?.join("weft")))
}

/// [`folder`], by our own environment.
pub(crate) fn ours() -> Option<PathBuf> {
    folder(|name| std::env::var_os(name).map(PathBuf::from))
}

/// Where a program may keep what it has compiled of these sources, in a folder that is there: the beginning of a file's name.
pub(crate) fn compiled(sources: &[(&str, &str)]) -> Option<String> {
    let folder = ours()?.join("probe");
    fs::create_dir_all(&folder).ok()?;
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    Some(folder.join(format!("{:016x}", hasher.finish())).to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_the_users() {
        let of = |set: &[(&str, &str)]| {
            folder(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value)))
        };
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.cache/weft".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Some("/x/weft".into()));
        assert_eq!(of(&[("WEFT_CACHE_DIR", "/w"), ("HOME", "/h")]), Some("/w".into()));
        assert_eq!(of(&[("HOME", "h")]), None);
    }
}
