//! Which debugpy goes into a program: the user's own if it fits, else the one that weft is made for.
//!
//! That one is used for this program only: its folder is told to what starts the program (`launcher.py`), so neither the
//! environment nor `sys.path` knows of it. It lies in `debugpy-<version>/<tag>/debugpy`
//! beside the binary (as the extension carries it) or in weft's cache folder, where the tag is that of the interpreter
//! (`cp313`), or `any` where it is good for all. If it is in neither, the interpreter's own pip fetches it, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::debuggee::{Answer, Work};

use crate::cache;
use crate::interpreter::{Installed, Interpreter};
use crate::patience::{Output, Waiting, output_within};

/// The version that weft is made for.
const PINNED: &str = "1.8.22";

/// The oldest that is good enough: those before it answer a question that is asked without a frame with nothing, and print the
/// answer into the program's output.
const OLDEST: (u64, u64, u64) = (1, 8, 21);

/// The first that is too new.
const TOO_NEW: (u64, u64, u64) = (2, 0, 0);

/// What the folder is called while pip works in it.
const UNFINISHED: &str = ".fetching-";

/// How long pip may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The package's folder, to start Python with.
pub(crate) fn find(interpreter: &Interpreter, events: &EventSender) -> Answer<PathBuf> {
    if let Some(own) = interpreter.debugpy.as_ref().filter(|own| fits(own)) {
        return Ok(own.folder.clone());
    }
    let tag = format!("cp{}", interpreter.version.replace('.', ""));
    let cache = cache::ours().map(|weft| weft.join(format!("debugpy-{PINNED}")));
    let roots = [beside_us(), cache.clone()];
    if let Some(found) = roots.iter().flatten().find_map(|root| kept(root, &tag)) {
        return Ok(found);
    }
    let Some(cache) = cache else {
        return Err(missing(interpreter, "there is no folder to keep it in: set WEFT_CACHE_DIR or HOME"));
    };
    fetch(interpreter, &cache.join(&tag), events).map_err(|why| missing(interpreter, &why))
}

fn fits(own: &Installed) -> bool {
    let version = parse(&own.version);
    let fits = version.is_some_and(|version| (OLDEST..TOO_NEW).contains(&version));
    fits && own.folder.join("__main__.py").is_file()
}

/// `1.8.22`, and `1.8.22+something`.
fn parse(version: &str) -> Option<(u64, u64, u64)> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut parts = version.split('.');
    Some((digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?))
}

/// What the extension brings along.
fn beside_us() -> Option<PathBuf> {
    let weft = std::env::current_exe().ok()?;
    Some(weft.parent()?.join(format!("debugpy-{PINNED}")))
}

fn kept(root: &Path, tag: &str) -> Option<PathBuf> {
    let folders = [tag, "any"].map(|tag| root.join(tag).join("debugpy"));
    folders.into_iter().find(|folder| folder.join("__main__.py").is_file())
}

/// Why there is none, in words that lead somewhere.
fn missing(interpreter: &Interpreter, why: &str) -> Error {
    let had = match &interpreter.debugpy {
        Some(own) => format!("has debugpy {}, which is too old or too new", own.version),
        None => "has no debugpy".to_owned(),
    };
    let python = interpreter.path.display();
    let sentence = format!("{python} {had}, and debugpy {PINNED} could not be fetched for it: {why}");
    Error::new(ErrorId::LaunchFailed, sentence)
}

/// What kept pip from it, and what to do.
fn complaint(interpreter: &Interpreter, output: &Output) -> String {
    let python = interpreter.path.display();
    if output.stderr.contains("No module named pip") {
        return format!(
            "it has no pip. Give it one (`{python} -m ensurepip`), or set `python` to an environment that has debugpy"
        );
    }
    let why = if output.stderr.contains("Could not find a version") {
        "it is in no package index that pip can reach (is this machine offline?)".to_owned()
    } else {
        format!("pip says: {}", output.complaint())
    };
    format!("{why}. Install it yourself: `{python} -m pip install debugpy=={PINNED}`")
}

/// Has pip put the package into a folder, which appears whole or not at all.
fn fetch(interpreter: &Interpreter, place: &Path, events: &EventSender) -> Result<PathBuf, String> {
    let title = format!("Fetching debugpy {PINNED} for Python {}", interpreter.version);
    let fetching = Arc::new(Waiting::new(title));
    events.work(Arc::clone(&fetching) as Arc<dyn Work>);
    let done = fetch_into(interpreter, place, &fetching);
    fetching.end();
    done
}

fn fetch_into(interpreter: &Interpreter, place: &Path, fetching: &Waiting) -> Result<PathBuf, String> {
    let unusable = |error: std::io::Error| format!("{} cannot be used: {error}", place.display());
    let parent = place.parent().ok_or("it has nowhere to go")?;
    fs::create_dir_all(parent).map_err(unusable)?;
    let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(unusable)?;
    let mut pip = Command::new(&interpreter.path);
    // From that folder: where the adapter is, files may lie that are called like Python's own.
    pip.args(["-m", "pip", "install"]).current_dir(folder.path());
    pip.args(["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(folder.path()).arg(format!("debugpy=={PINNED}"));
    let output = output_within(pip, PATIENCE, || fetching.is_cancelled())?;
    if !output.success {
        return Err(complaint(interpreter, &output));
    }
    // Of several sessions the first one's stays; the others' are the same, and go.
    if let Err(error) = fs::rename(folder.path(), place) {
        tracing::debug!(%error, "somebody else has fetched debugpy already");
    }
    let tag = place.file_name().unwrap_or_default().to_string_lossy();
    kept(parent, &tag).ok_or_else(|| format!("{} is not what it should be: remove it", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("__main__.py"), "").unwrap();
        let own = |version: &str| Installed { version: version.to_owned(), folder: folder.path().to_owned() };
        for (version, good) in [
            ("1.8.20", false),
            ("1.8.21", true),
            ("1.8.22+1.gabc", true),
            ("1.9.0rc1", true),
            ("2.0.0", false),
            ("x", false),
        ] {
            assert_eq!(fits(&own(version)), good, "{version}");
        }
        assert!(!fits(&Installed { version: "1.8.22".to_owned(), folder: "/nowhere".into() }));
    }

    #[test]
    fn the_copy_for_an_interpreter_comes_before_the_one_for_any() {
        let root = tempfile::tempdir().unwrap();
        let make = |tag: &str| {
            let folder = root.path().join(tag).join("debugpy");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("__main__.py"), "").unwrap();
            folder
        };
        assert_eq!(kept(root.path(), "cp313"), None);
        let any = make("any");
        assert_eq!(kept(root.path(), "cp313"), Some(any));
        let own = make("cp313");
        assert_eq!(kept(root.path(), "cp313"), Some(own));
    }

    #[test]
    fn what_kept_pip_from_it_leads_somewhere() {
        let interpreter = Interpreter { path: "/p".into(), version: "3.13".into(), debugpy: None };
        let said = |stderr: &str| {
            complaint(&interpreter, &Output { stdout: String::new(), stderr: stderr.to_owned(), success: false })
        };
        let text = said("/p: No module named pip\n");
        assert!(text.starts_with("it has no pip. Give it one (`/p -m ensurepip`)"), "{text}");
        let text = said("ERROR: Could not find a version that satisfies …\nERROR: No matching distribution found");
        assert!(text.starts_with("it is in no package index that pip can reach (is this machine offline?)"), "{text}");
        let text = said("ERROR: [Errno 28] No space left on device\n");
        assert!(text.starts_with("pip says: ERROR: [Errno 28] No space left on device. Install it yourself"), "{text}");
    }
}
