//! What the compiler says, in words and with its place.

use std::path::{Path, PathBuf};

use cargo_metadata::CompilerMessage;
use cargo_metadata::diagnostic::DiagnosticLevel;
use weft_tasks::Location;

/// The diagnostic as the compiler would print it.
pub(super) fn text(told: &CompilerMessage) -> String {
    told.message.rendered.clone().unwrap_or_else(|| told.message.message.clone())
}

/// Whether it keeps the build from succeeding. (The line that counts the others is an error without a place or a code.)
pub(super) fn is_error(told: &CompilerMessage) -> bool {
    let diagnostic = &told.message;
    let counts = diagnostic.spans.is_empty() && diagnostic.message.starts_with("aborting due to");
    matches!(diagnostic.level, DiagnosticLevel::Error | DiagnosticLevel::Ice) && !counts
}

/// Where the code is that it is about.
pub(super) fn place(told: &CompilerMessage) -> Option<Location> {
    let span = told.message.spans.iter().find(|span| span.is_primary)?;
    let file = found(Path::new(&span.file_name), told.target.src_path.as_std_path())?;
    let number = |at: usize| u32::try_from(at).unwrap_or(0);
    Some(Location { file, line: number(span.line_start), column: number(span.column_start) })
}

/// The error and its place in one line.
pub(super) fn sentence(told: &CompilerMessage, at: Option<&Location>) -> String {
    let message = told.message.message.lines().next().unwrap_or_default();
    match at {
        Some(at) => format!("{}:{}: {message}", at.file.display(), at.line),
        None => message.to_owned(),
    }
}

/// The file that the compiler calls so: it is started in the folder of the workspace, or of a package that belongs to none, and
/// that is one of those around the target's source with a manifest.
fn found(file: &Path, target: &Path) -> Option<PathBuf> {
    if file.is_absolute() {
        return Some(file.to_owned());
    }
    let folders = target.ancestors().skip(1).filter(|folder| folder.join("Cargo.toml").is_file());
    folders.map(|folder| folder.join(file)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_found_from_the_folder_that_the_compiler_was_started_in() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        put("Cargo.toml");
        let (main, other) = (put("src/main.rs"), put("src/other.rs"));
        put("member/Cargo.toml");
        let (library, part) = (put("member/src/lib.rs"), put("member/src/part/mod.rs"));
        assert_eq!(found(Path::new("src/main.rs"), &main).as_ref(), Some(&main));
        assert_eq!(found(Path::new("src/other.rs"), &main).as_ref(), Some(&other));
        assert_eq!(found(Path::new("member/src/part/mod.rs"), &library).as_ref(), Some(&part));
        assert_eq!(found(Path::new("src/part/mod.rs"), &library).as_ref(), Some(&part), "a package of its own");
        assert_eq!(found(Path::new("src/none.rs"), &library), None);
        assert_eq!(found(&main, &library), Some(main.clone()));
    }
}
