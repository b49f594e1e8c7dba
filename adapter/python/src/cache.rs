//! The user's folder for what can be made again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

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

/// The file of that name in a folder of ours, with that text in it; none where there is no folder that only this user writes to.
pub(crate) fn script(name: &str, text: &str) -> Option<PathBuf> {
    script_in(&ours()?, name, text).inspect_err(|error| tracing::debug!(%error, name, "a script cannot be kept")).ok()
}

fn script_in(cache: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let scripts = cache.join("scripts");
    let folder = scripts.join(format!("{:016x}", hasher.finish()));
    fs::create_dir_all(cache)?;
    for folder in [&scripts, &folder] {
        private(folder)?;
    }
    let file = folder.join(name);
    if !is_kept(&file, text) {
        // Several sessions may do this at once; all of them write the same, and a rename is whole.
        let mut own = tempfile::NamedTempFile::new_in(&folder)?;
        own.write_all(text.as_bytes())?;
        own.persist(&file)?;
    }
    Ok(file)
}

/// Makes a folder that only this user writes to; one that others may write to is refused, since they could change what lies in it.
fn private(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::symlink_metadata(folder)?;
    if metadata.is_dir() && is_ours(&metadata) {
        return Ok(());
    }
    Err(io::Error::other(format!("others may write to {}", folder.display())))
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == nix::unistd::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// Whether that text is there, and nobody else may have written it.
fn is_kept(file: &Path, text: &str) -> bool {
    let ours = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_file() && is_ours(&metadata));
    ours && fs::read(file).is_ok_and(|kept| kept == text.as_bytes())
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
    use std::os::unix::fs::PermissionsExt;

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

    #[test]
    fn a_script_is_what_it_should_be() {
        let cache = tempfile::tempdir().unwrap();
        let file = script_in(cache.path(), "one.py", "pass\n").unwrap();
        assert_eq!(file.file_name().unwrap(), "one.py");
        let written = fs::metadata(&file).unwrap().ino();
        assert_eq!(script_in(cache.path(), "one.py", "pass\n").unwrap(), file);
        assert_eq!(fs::metadata(&file).unwrap().ino(), written, "it is kept");
        // Another version of weft has another file; one that was changed, or may have been, is written again.
        assert_ne!(script_in(cache.path(), "one.py", "...\n").unwrap(), file);
        fs::write(&file, "import this\n").unwrap();
        assert_eq!(script_in(cache.path(), "one.py", "pass\n").unwrap(), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "pass\n");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        script_in(cache.path(), "one.py", "pass\n").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let names: Vec<_> =
            file.parent().unwrap().read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["one.py"]);
        // Whoever may write to the folder may put another file in its place.
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(script_in(cache.path(), "one.py", "pass\n").is_err());
    }
}
