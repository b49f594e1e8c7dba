//! The folder in which indexes are kept from one session to the next.
//!
//! Several processes use it at the same time and any of them may be killed: a file is written under a name of its own,
//! brought to the disk and then renamed, so what has a proper name is whole. Whatever is wrong with the folder (it cannot be
//! made, it is somebody else's, the disk is full) means that nothing is kept: never an error.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::identity::Identity;

/// The environment variable that names another folder; empty or `off`: nothing is kept.
pub const CACHE_VARIABLE: &str = "WEFT_CACHE_DIR";
/// Bytes that all indexes may take together; those that were not used for the longest time go first.
pub const MOST_KEPT: u64 = 1 << 30;

/// What indexes are called.
const SUFFIX: &str = ".names";
/// What files are called that are being written.
const DRAFT: &str = ".draft-";
/// A file that is being written for this long was given up.
const STALE: Duration = Duration::from_secs(3600);
/// The time of last use is noted as often as this.
const NOTED: Duration = Duration::from_secs(3600);

/// The user's folder for what can be made again: `$WEFT_CACHE_DIR`, else `$XDG_CACHE_HOME/weft`, else `~/.cache/weft`.
/// `None` if that is switched off, or there is no such place. `variable` reads the environment.
pub(crate) fn cache_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match variable(CACHE_VARIABLE) {
        Some(folder) if folder.is_empty() || folder == "off" => None,
        Some(folder) => std::path::absolute(folder).ok(),
        None => {
            let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
            cache.map(|cache| cache.join("weft"))
        }
    }
}

/// A folder with indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStore {
    folder: PathBuf,
    most: u64,
}

impl IndexStore {
    /// The user's: `names` in their [`cache_folder`].
    pub fn of_user(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        Some(Self::in_folder(cache_folder(variable)?.join("names"), MOST_KEPT))
    }

    /// One with a limit of its own, in bytes.
    pub fn in_folder(folder: PathBuf, most: u64) -> Self {
        Self { folder, most }
    }

    /// The stored index of a program, if there is one that could be of use.
    pub(crate) fn open(&self, identity: &Identity) -> Option<File> {
        let nofollow = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).clone();
        let file = nofollow.open(self.path_of(identity)).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_ours(&metadata) || metadata.len() > self.most {
            return None;
        }
        let now = SystemTime::now();
        if metadata.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > NOTED)) {
            // It may go earlier than it should if this fails.
            let _ = file.set_modified(now);
        }
        Some(file)
    }

    /// Keeps what `write` writes as the index of a program; gives it back, ready to be read. Makes room for it.
    pub(crate) fn keep(&self, identity: &Identity, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
        self.prepare()?;
        let draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(&self.folder)?;
        write(draft.as_file())?;
        draft.as_file().sync_all()?;
        if draft.as_file().metadata()?.len() > self.most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the index is larger than all may be together"));
        }
        let file = NamedTempFile::persist(draft, self.path_of(identity)).map_err(|failed| failed.error)?;
        self.make_room();
        Ok(file)
    }

    fn path_of(&self, identity: &Identity) -> PathBuf {
        self.folder.join(format!("{}{SUFFIX}", identity.file_name()))
    }

    /// Makes the folder if there is none; refuses one into which others may write.
    fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if is_ours(&self.folder.metadata()?) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the folder belongs to somebody else, or others may write there",
        ))
    }

    /// Removes what was given up, and of the indexes those that were not used for the longest time, until the rest is
    /// small enough. One that another process reads stays readable there.
    fn make_room(&self) {
        let mut kept: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in self.folder.read_dir().into_iter().flatten().flatten() {
            let (Ok(metadata), name) = (entry.metadata(), entry.file_name()) else { continue };
            let Ok(used) = metadata.modified() else { continue };
            let name = name.to_string_lossy();
            if name.ends_with(SUFFIX) {
                kept.push((used, metadata.len(), entry.path()));
            } else if name.starts_with(DRAFT) && used.elapsed().is_ok_and(|age| age > STALE) {
                remove(&entry.path());
            }
        }
        kept.sort_unstable_by(|a, b| b.cmp(a));
        let mut total = 0_u64;
        for (_, size, path) in kept {
            total = total.saturating_add(size);
            if total > self.most {
                remove(&path);
            }
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, path = %path.display(), "an index was not removed");
    }
}

/// Whether only this user can have written something.
fn is_ours(metadata: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    metadata.uid() == nix::unistd::geteuid().as_raw() && metadata.mode() & OTHERS_WRITE == 0
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn identity(key: &str) -> Identity {
        Identity { key: key.into(), hash: 7 }
    }

    fn keep(store: &IndexStore, key: &str, size: usize) -> io::Result<File> {
        store.keep(&identity(key), |mut file| file.write_all(&vec![1; size]))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().split('-').next().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_users_folder_is_where_the_environment_says() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<(String, OsString)> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let store = IndexStore::of_user(|name| set.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone()));
            store.map(|store| store.folder.display().to_string())
        };
        assert_eq!(of(&[("HOME", "/h")]).unwrap(), "/h/.cache/weft/names");
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).unwrap(), "/x/weft/names");
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")]).unwrap(), "/h/.cache/weft/names");
        assert_eq!(of(&[("HOME", "/h"), (CACHE_VARIABLE, "/w")]).unwrap(), "/w/names");
        for off in [&[("HOME", "/h"), (CACHE_VARIABLE, "")], &[("HOME", "/h"), (CACHE_VARIABLE, "off")]] {
            assert_eq!(of(off), None);
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = IndexStore::in_folder(folder.path().join("names"), 3000);
        let age =
            |file: &File, hours: u64| file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
        age(&keep(&store, "first", 1000).unwrap(), 5);
        age(&keep(&store, "second", 1000).unwrap(), 4);
        age(&keep(&store, "third", 1000).unwrap(), 3);
        // Whoever uses it makes it young.
        assert!(store.open(&identity("first")).is_some());
        keep(&store, "fourth", 1000).unwrap();
        assert_eq!(names(&store.folder), ["first", "fourth", "third"]);
        let grown = OpenOptions::new().write(true).open(store.path_of(&identity("third"))).unwrap();
        grown.set_len(3001).unwrap();
        assert!(store.open(&identity("third")).is_none(), "no index is so large");
        grown.set_len(1000).unwrap();
        assert!(store.open(&identity("third")).is_some());
        assert_eq!(keep(&store, "huge", 3001).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(names(&store.folder), ["first", "fourth", "third"]);
    }

    #[test]
    fn what_was_given_up_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = IndexStore::in_folder(folder.path().to_owned(), 3000);
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        for (name, hours) in [(".draft-old", 2), (".draft-new", 0)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
        }
        let failed = store.keep(&identity("x"), |mut file| {
            file.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        keep(&store, "whole", 10).unwrap();
        assert_eq!(names(folder.path()), [".draft", "whole"]);
        assert!(!folder.path().join(".draft-old").exists());
    }

    #[test]
    fn what_others_can_write_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = IndexStore::in_folder(folder.path().join("names"), 3000);
        let file = keep(&store, "x", 10).unwrap();
        assert!(store.open(&identity("x")).is_some());
        file.set_permissions(std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(store.open(&identity("x")).is_none());
        std::fs::remove_file(store.path_of(&identity("x"))).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", store.path_of(&identity("x"))).unwrap();
        assert!(store.open(&identity("x")).is_none());
        std::fs::set_permissions(&store.folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(keep(&store, "y", 10).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        // Where a file is, no folder can be made.
        let store = IndexStore::in_folder(store.path_of(&identity("x")).join("names"), 3000);
        assert!(keep(&store, "y", 10).is_err() && store.open(&identity("y")).is_none());
    }
}
