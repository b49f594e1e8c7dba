//! Where a program's debug information is when the program has none: in a separate debug file
//! (`objcopy --only-keep-debug`), found as gdb finds it (gdb manual, "Debugging Information in Separate Files").
//!
//! First by build-id, in the global folders and in what `debuginfod` clients have fetched; then by the name in
//! `.gnu_debuglink`, beside the program and in the global folders. What is found must be of the same build: a file found by
//! build-id has it, one found by name has the CRC-32 that the program gives, and no other build-id.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::OpenError;
use crate::elf::{self, DebugLink, Headers, Separate};
use crate::mapped::{MappedFile, open_regular};

/// Bytes read at a time for a check sum.
const WINDOW: usize = 256 * 1024;
/// Longest file whose check sum is worked out; the check has to end.
const MAX_CHECKED: usize = 16 << 30;
/// Longest build-id (SHA-1 has 20 bytes) and longest file name (`NAME_MAX`) that are believed.
const MAX_BUILD_ID: usize = 64;
const MAX_NAME: usize = 255;

/// Where separate debug files lie, apart from beside their programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugFolders {
    /// Folders that have debug files in `.build-id` and below the paths of their programs' folders; the first wins.
    pub global: Vec<PathBuf>,
    /// What `debuginfod` clients have fetched. Only looked into: nothing is ever fetched.
    pub debuginfod: Option<PathBuf>,
}

impl Default for DebugFolders {
    /// Where distributions and `debuginfod` clients put them.
    fn default() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        let debuginfod = variable("DEBUGINFOD_CACHE_PATH").or_else(|| Some(cache()?.join("debuginfod_client")));
        Self { global: vec![PathBuf::from("/usr/lib/debug")], debuginfod }
    }
}

impl DebugFolders {
    /// These folders first, then the usual ones.
    pub fn and_usual(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let usual = Self::default();
        Self { global: folders.into_iter().chain(usual.global).collect(), debuginfod: usual.debuginfod }
    }

    /// Where a debug file of a build-id may lie.
    pub(crate) fn of_build_id(&self, build_id: &[u8]) -> Vec<PathBuf> {
        let believed = build_id.split_first().filter(|(_, rest)| (1..MAX_BUILD_ID).contains(&rest.len()));
        let Some((first, rest)) = believed else { return Vec::new() };
        let (first, rest) = (hexadecimal(&[*first]), hexadecimal(rest));
        let global = self.global.iter().map(|folder| folder.join(format!(".build-id/{first}/{rest}.debug")));
        let fetched = self.debuginfod.iter().map(|folder| folder.join(format!("{first}{rest}/debuginfo")));
        global.chain(fetched).collect()
    }

    /// Where the debug file that a program names may lie, by the folders that the program is in.
    fn of_link(&self, link: &DebugLink, folders: &[PathBuf]) -> Vec<PathBuf> {
        if link.name.len() > MAX_NAME {
            return Vec::new();
        }
        let beside = folders.iter().flat_map(|folder| [folder.clone(), folder.join(".debug")]);
        let below = self.global.iter().flat_map(|global| {
            folders.iter().filter_map(move |folder| Some(global.join(folder.strip_prefix("/").ok()?)))
        });
        beside.chain(below).map(|folder| folder.join(&link.name)).collect()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A separate debug file of the right build.
pub(crate) struct DebugFile {
    pub(crate) path: PathBuf,
    pub(crate) mapped: Arc<MappedFile>,
    pub(crate) contents: Separate,
}

/// What a search came to.
#[derive(Default)]
pub(crate) struct Search {
    pub(crate) found: Option<DebugFile>,
    /// Where it was looked for in vain.
    pub(crate) looked: Vec<PathBuf>,
    /// A sentence for each file that was there and is not the right one.
    pub(crate) wrong: Vec<String>,
}

/// Looks for the debug file of a program.
pub(crate) fn find(path: &Path, program: &Headers, folders: &DebugFolders) -> Search {
    let mut search = Search::default();
    let by_id = program.build_id.iter().flat_map(|id| folders.of_build_id(id)).map(|path| (path, None));
    let by_name = program.debug_link.iter().flat_map(|link| {
        let files = folders.of_link(link, &folders_of(path));
        files.into_iter().map(move |path| (path, Some(link)))
    });
    for (candidate, link) in by_id.chain(by_name) {
        if same_file(&candidate, path) {
            continue;
        }
        match check(&candidate, path, program, link) {
            Ok(Some(found)) => {
                search.found = Some(found);
                return search;
            }
            Ok(None) => search.looked.push(candidate),
            Err(sentence) => search.wrong.push(sentence),
        }
    }
    search
}

/// The folder of a program by the path it was opened as, and the one it really is in. A program that was deleted since it
/// was started is opened through `/proc`, where the link still says where it was.
pub(crate) fn folders_of(path: &Path) -> Vec<PathBuf> {
    let real = std::fs::canonicalize(path).or_else(|_| std::fs::read_link(path));
    let paths = std::path::absolute(path).into_iter().chain(real);
    let mut folders: Vec<PathBuf> = paths.filter_map(|path| path.parent().map(Path::to_owned)).collect();
    folders.dedup();
    folders
}

fn same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|data| (data.dev(), data.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Opens a file if it is there. `Err` says why it is not the debug file of the program.
fn check(
    candidate: &Path,
    path: &Path,
    program: &Headers,
    link: Option<&DebugLink>,
) -> Result<Option<DebugFile>, String> {
    let (shown, name) = (candidate.display(), path.file_name().unwrap_or(path.as_os_str()).display());
    let unreadable = |error| format!("{shown} cannot be read: {error}");
    let Some(file) = open_regular(candidate).map_err(unreadable)? else { return Ok(None) };
    let mapped = Arc::new(MappedFile::map(file).map_err(unreadable)?);
    let contents = elf::read_separate(candidate, &mapped).map_err(|error| match error {
        OpenError::NotElf { reason, .. } => format!("{shown} is no debug file: {reason}"),
        error => error.to_string(),
    })?;
    let same_build = contents.build_id.as_ref().zip(program.build_id.as_ref()).map(|(theirs, ours)| theirs == ours);
    match (same_build, link) {
        (Some(false), _) => {
            return Err(format!("{shown} was made for another build of {name}: their build-ids differ"));
        }
        (None, None) => return Err(format!("{shown} has no build-id, so it may be of another build of {name}")),
        (_, Some(_)) if mapped.bytes().len() > MAX_CHECKED => {
            return Err(format!("{shown} is too large for its CRC-32 to be checked"));
        }
        (_, Some(link)) if crc32(&mapped) != link.crc => {
            return Err(match same_build {
                Some(_) => format!("{shown} was changed since it was made for {name}: its CRC-32 is another"),
                None => format!("{shown} was made for another build of {name}: its CRC-32 is another"),
            });
        }
        _ => {}
    }
    Ok(Some(DebugFile { path: candidate.to_owned(), mapped, contents }))
}

/// The check sum of `.gnu_debuglink` over a whole file, read once from begin to end.
fn crc32(file: &MappedFile) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let mut window = vec![0; WINDOW];
    let mut at = 0_usize;
    loop {
        let count = file.read_at(at, &mut window);
        hasher.update(window.get(..count).unwrap_or(&[]));
        if count < window.len() {
            return hasher.finalize();
        }
        at = at.saturating_add(count);
    }
}
