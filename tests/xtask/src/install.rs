//! The extension in the editors of this machine, by one command.

use std::path::PathBuf;

use crate::stage::{Command, workspace};
use crate::test::EXTENSION;

/// The commands of editors that take VS Code's extensions.
const EDITORS: [&str; 4] = ["code", "code-insiders", "codium", "code-server"];

/// Builds the adapter, packs it with the extension, and installs that into each editor that is there.
pub(crate) fn run() -> bool {
    if !Command::new("npm", &["--version"]).exists() {
        println!("npm is not installed: it comes with Node.js (https://nodejs.org), version 20 or later");
        return false;
    }
    let npm = |arguments: &[&str]| Command::new("npm", arguments).within(EXTENSION).runs();
    if !npm(&["ci", "--no-audit", "--no-fund"]) || !npm(&["run", "--silent", "package"]) {
        return false;
    }
    let Some(package) = package() else {
        println!("{EXTENSION} has no .vsix, which packing should have written");
        return false;
    };
    let file = package.to_string_lossy().into_owned();
    let there: Vec<&str> = EDITORS.into_iter().filter(|editor| is_on_path(editor)).collect();
    if there.is_empty() {
        println!(
            "{file} is built, and no editor was found to install it into (looked for {} on the search path). In the editor: \
             Extensions: Install from VSIX…",
            EDITORS.join(", ")
        );
        return false;
    }
    let install = |editor: &&str| Command::new(editor, &["--install-extension", &file, "--force"]).runs();
    let installed = there.iter().filter(|editor| install(editor)).count();
    println!("installed into {installed} of {}: {}", there.len(), there.join(", "));
    installed == there.len()
}

/// Whether there is such a command. (Run by root, an editor says nothing but that it should not be.)
fn is_on_path(command: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(command).is_file())
}

/// What packing has written: there is one, since it removes those before it.
fn package() -> Option<PathBuf> {
    let files = std::fs::read_dir(workspace().join(EXTENSION)).ok()?;
    files.filter_map(|file| Some(file.ok()?.path())).find(|path| path.extension().is_some_and(|end| end == "vsix"))
}
