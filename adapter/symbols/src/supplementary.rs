//! The supplementary file of an image: debug information that `dwz -m` found in several programs and moved into a file that
//! they share.
//!
//! Looked for where the program says, then in `.dwz` of the global folders, then by build-id as other debug files are; the
//! one that is used has the build-id (or check sum, DWARF 5) that the program gives.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::DebugFolders;
use crate::companion::{Companion, Names};
use crate::elf::{Identity, SupplementaryLink};
use crate::scratch::Scratch;
use crate::separate::folders_of;

/// What a search came to.
#[derive(Debug, Default)]
pub(crate) struct Supplementary {
    pub(crate) found: Option<Companion>,
    /// A sentence about what is missing.
    pub(crate) lack: Option<String>,
}

/// Looks for the supplementary file that the file `holder` names.
pub(crate) fn find(
    holder: &Path,
    link: &SupplementaryLink,
    folders: &DebugFolders,
    scratch: &Arc<Scratch>,
) -> Supplementary {
    let mut wrong = None;
    let candidates = candidates(holder, link, folders);
    for path in &candidates {
        match Companion::map(path, Names::Plain, Some(&link.identity), scratch) {
            Ok(None) => {}
            Ok(found) => return Supplementary { found, lack: None },
            Err(error) => wrong = wrong.or(Some((path, error))),
        }
    }
    Supplementary { found: None, lack: candidates.first().map(|first| sentence(holder, first, wrong)) }
}

fn candidates(holder: &Path, link: &SupplementaryLink, folders: &DebugFolders) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = folders_of(holder).iter().map(|folder| folder.join(&link.path)).collect();
    if let Some(name) = link.path.file_name() {
        all.extend(folders.global.iter().map(|folder| folder.join(".dwz").join(name)));
    }
    if let Identity::BuildId(id) = &link.identity {
        all.extend(folders.of_build_id(id));
    }
    all.dedup();
    all
}

fn sentence(holder: &Path, first: &Path, wrong: Option<(&PathBuf, io::Error)>) -> String {
    let (name, first) = (holder.file_name().unwrap_or(holder.as_os_str()).display(), first.display());
    let why = match wrong {
        None => format!("{first}, which it shares with other programs, is missing"),
        Some((path, error)) => format!("{} cannot be used: {error}", path.display()),
    };
    format!(
        "a part of the debug information of {name} was moved to a file of its own (dwz), and {why}; stacks work, but \
         types, variables and folders of sources are not known: install the \
         package of debug symbols that the file belongs to, or put it there"
    )
}
