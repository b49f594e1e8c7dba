//! Editors that are clients of the Debug Adapter Protocol: Debian's, unpacked below the target folder and never installed, and
//! sessions in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::apt::{Apt, run_quietly};
use crate::stage::{Command, Outcome, Report, ci, target};

/// A suite whose versions stay what they are: those that docs/editors.md names.
const SUITE: &str = "trixie";
const PACKAGES: [&str; 3] = ["hx", "emacs-nox", "elpa-dape"];

/// Dependencies that nobody needs to edit: compilers, and Emacs' sources.
const LEFT_OUT: [&str; 5] = ["-dev", "binutils", "emacs-el", "san", "systemd"];

/// Runs the sessions; whether none failed. `built` is the adapter.
pub(crate) fn run(built: bool, adapter: &Path) -> bool {
    let mut report = Report::default();
    report.stage("editors", || if built { stage(adapter) } else { Outcome::Failed });
    report.close()
}

fn stage(adapter: &Path) -> Outcome {
    let editors = match provided() {
        Ok(editors) => editors,
        Err(why) if ci() => {
            println!("{why}");
            return Outcome::Failed;
        }
        Err(why) => return Outcome::Skipped(format!("Debian's editors cannot be fetched: {why}")),
    };
    let test = ["test", "--quiet", "--locked", "--package", "weft-tests", "--test", "editors"];
    let test = Command::cargo(&test).env("WEFT_BIN", adapter).env("WEFT_EDITORS", &editors);
    if test.env("WEFT_CACHE_DIR", &target().join("weft-cache")).runs() { Outcome::Passed } else { Outcome::Failed }
}

/// The folder that has `hx` and `emacs`, fetched now if it is not there.
fn provided() -> Result<PathBuf, String> {
    let folder = target().join("editors");
    let root = folder.join("root");
    if !root.is_dir() {
        let apt = Apt::fetch(folder.join("apt"), SUITE, &PACKAGES)?;
        let unpacked = apt.unpack(|package| LEFT_OUT.iter().all(|part| !package.contains(part)))?;
        fs::rename(&unpacked, &root).map_err(|error| error.to_string())?;
        fs::remove_dir_all(&apt.folder).map_err(|error| error.to_string())?;
    }
    write(&folder.join("hx"), &helix(&root)).map_err(|error| error.to_string())?;
    write(&folder.join("emacs"), &emacs(&root)).map_err(|error| error.to_string())?;
    for editor in ["hx", "emacs"] {
        let said = run_quietly(std::process::Command::new(folder.join(editor)).arg("--version"))?;
        println!("{}", said.lines().next().unwrap_or_default());
    }
    Ok(folder)
}

/// How a program is run with the C library that it was built for.
fn loaded(root: &Path, program: &str) -> String {
    let root = root.display();
    format!(
        r#"exec "{root}/usr/lib64/ld-linux-x86-64.so.2" --library-path "{root}/usr/lib/x86_64-linux-gnu" "{root}/usr/bin/{program}""#
    )
}

fn helix(root: &Path) -> String {
    let exec = loaded(root, "hx");
    let root = root.display();
    format!("#!/bin/sh\nexport HELIX_RUNTIME=\"{root}/usr/lib/hx/runtime\"\n{exec} \"$@\"\n")
}

/// Emacs looks for what it is made of where it would be installed, unless it is told.
fn emacs(root: &Path) -> String {
    let exec = loaded(root, "emacs-nox");
    let root = root.display();
    format!(
        r#"#!/bin/sh
share=$(echo "{root}"/usr/share/emacs/[0-9]*)
parts=$(echo "{root}"/usr/libexec/emacs/*/*)
export EMACSDATA="$share/etc" EMACSDOC="$share/etc" EMACSPATH="$parts"
EMACSLOADPATH=$(find "$share/lisp" -type d | tr '\n' ':' | sed 's/:$//')
export EMACSLOADPATH
{exec} --dump-file="$(echo "$parts"/*.pdmp)" --directory="$(echo "{root}"/usr/share/emacs/site-lisp/elpa-src/dape-*)" "$@"
"#
    )
}

fn write(script: &Path, text: &str) -> std::io::Result<()> {
    fs::write(script, text)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
}
