//! What is said of code whose debug information has no variables: that they were left out only where they were.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use weft_symbols::{Detail, Image};

/// No function has a variable, or anything of a type.
const RUST: &str = "
mod quiet { #[inline(never)] #[unsafe(no_mangle)] pub extern \"C\" fn quiet() { crate::loud::loud(); } }
mod loud { #[inline(never)] pub fn loud() { println!(); } }
fn main() { quiet::quiet(); }
";
const C: &str = "void other(void); void quiet(void) { other(); }";
const ASSEMBLY: &str = ".globl quiet\n.type quiet, @function\nquiet:\nnop\nret\n.size quiet, . - quiet\n";

/// What is said of `quiet`, compiled with these arguments from a file with that name.
fn detail(compiler: &mut Command, name: &str, text: &str) -> Detail {
    let word = format!("detail-{:?}-{}", std::thread::current().id(), std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(word);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    let done = compiler.args(["-o", "made", name]).current_dir(&folder).output().unwrap();
    assert!(done.status.success(), "{compiler:?}: {}", String::from_utf8_lossy(&done.stderr));
    let image = Image::open(&folder.join("made")).unwrap();
    let found = image.detail_at(image.symbol("quiet").unwrap().address).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    found
}

/// Compiled as cargo's dev profile does: a module is a unit of its own.
fn rust(level: &str) -> Detail {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "-Cincremental=kept", &format!("-Cdebuginfo={level}")]);
    detail(&mut rustc, "quiet.rs", RUST)
}

#[test]
fn a_crate_that_was_told_to_leave_variables_out_is_known() {
    assert_eq!(rust("line-tables-only"), Detail::Lines);
    assert_eq!(rust("1"), Detail::Functions);
}

#[test]
fn a_module_without_variables_is_no_sign_of_it() {
    assert_eq!(rust("2"), Detail::Full);
}

#[test]
fn other_languages_without_variables_are_no_sign_of_it() {
    for (name, text) in [("quiet.c", C), ("quiet.s", ASSEMBLY)] {
        assert_eq!(detail(Command::new("cc").args(["-g", "-shared", "-fPIC"]), name, text), Detail::Full, "{name}");
    }
}
