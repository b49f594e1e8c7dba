//! Sessions in editors that know nothing of weft, by what their screens show. `cargo xtask editors` fetches them and runs this.

mod emacs;
mod helix;
mod screen;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{process, weft};

const FILE: &str = "await_chain/src/main.rs";

/// What every session is about: a program that stops before an await, three async functions deep.
struct Scene {
    /// Settings of the editor, thrown away with the scene.
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        symlink(weft(), folder.path().join("weft")).expect("a link");
        Self { folder }
    }

    /// An editor's program, as it was fetched.
    fn editor(name: &str) -> PathBuf {
        let folder =
            std::env::var_os("WEFT_EDITORS").expect("WEFT_EDITORS names the folder: run `cargo xtask editors`");
        Path::new(&folder).join(name)
    }

    /// A search path on which `weft` is the one that is tested.
    fn path(&self) -> String {
        format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap_or_default())
    }

    /// Writes what the page on editors says under a heading, in this language, where the editor looks for it.
    fn configure(&self, heading: &str, language: &str, file: &str, more: &str) -> PathBuf {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("editors.md");
        let page = fs::read_to_string(page).expect("the page");
        let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("a section");
        let (_, block) = section.split_once(&format!("```{language}\n")).expect("a configuration");
        let (block, _) = block.split_once("```").expect("its end");
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, format!("{block}{more}")).expect("a file");
        path
    }

    fn program() -> PathBuf {
        program("await_chain", Profile::Debug)
    }

    fn file() -> PathBuf {
        source(FILE)
    }

    fn line(marker: &str) -> i64 {
        line(FILE, marker)
    }
}

/// The processes that an editor has started, and theirs: the adapter and the program.
fn started_by(editor: i32) -> Vec<i32> {
    let found = process::descendants(editor);
    assert!(found.len() >= 2, "there are an adapter and a program: {found:?}");
    found
}
