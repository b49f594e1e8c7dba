//! Names of functions that attribute macros rewrote.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use weft_symbols::{FunctionKind, Image};

fn rustc(arguments: &[&str], out: &Path, source: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(source);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "-g"]).args(arguments).arg("-o").arg(out).arg(source);
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn image(arguments: &[&str], name: &str) -> Arc<Image> {
    let directory: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wrapped-{name}"));
    std::fs::create_dir_all(&directory).unwrap();
    let macros = directory.join("libattributes.so");
    rustc(&["--crate-type=proc-macro", "--crate-name=attributes", "--extern=proc_macro"], &macros, "attributes.rs");
    let out = directory.join("wrapped");
    let dependency = format!("attributes={}", macros.display());
    rustc(&[&["--crate-name=wrapped", "--extern", &dependency], arguments].concat(), &out, "wrapped.rs");
    Image::open(&out).unwrap()
}

/// Paths of the program's coroutines (generic arguments apart), with their names.
fn coroutines(image: &Arc<Image>) -> BTreeSet<(String, String)> {
    let symbols = image.symbols_containing("wrapped");
    let frames = symbols.iter().flat_map(|symbol| image.frames_at(symbol.address).unwrap());
    let own = frames.filter(|frame| frame.function.krate == "wrapped" && frame.function.kind.is_coroutine());
    own.map(|frame| {
        let environment = frame.environment_type().unwrap();
        // The environment alone leads to the same name.
        assert_eq!(environment.coroutine_function().unwrap().name, frame.function.name);
        (frame.function.path.clone(), frame.function.name.clone())
    })
    .collect()
}

#[test]
fn wrappers_have_the_names_of_their_functions() {
    for (name, arguments) in
        [("legacy", &[][..]), ("v0", &["-Csymbol-mangling-version=v0"]), ("units", &["-Ccodegen-units=16"])]
    {
        let image = image(arguments, name);
        let found = coroutines(&image);
        let expected = [
            ("main::{async_block#0}", "main"),
            ("several::{async_block#1}", "several {async block}"),
            ("several::{async_block#2}", "several {async block #2}"),
            ("{impl#0}::traced::{async_fn#0}", "P::traced"),
            ("{impl#0}::traced::{async_fn#0}::{async_block#0}", "P::traced"),
            ("{impl#0}::traced_with_block::{async_fn#0}", "P::traced_with_block"),
            ("{impl#0}::traced_with_block::{async_fn#0}::{async_block#0}", "P::traced_with_block"),
            (
                "{impl#0}::traced_with_block::{async_fn#0}::{async_block#0}::{async_block#0}",
                "P::traced_with_block {async block}",
            ),
            ("{impl#0}::traced_without_await::{async_fn#0}", "P::traced_without_await"),
            ("{impl#0}::traced_without_await::{async_fn#0}::{async_block#0}", "P::traced_without_await"),
            ("{impl#1}::boxed::{async_fn#0}", "P::boxed"),
            ("{impl#1}::pinned::{async_fn#0}", "P::pinned"),
            ("{impl#1}::pinned_box::{async_fn#0}", "P::pinned_box"),
            ("{impl#1}::shared::{async_fn#0}", "P::shared"),
            ("{impl#1}::shared::{async_fn#0}::{async_block#0}", "P::shared {async block}"),
            ("{impl#2}::by_hand::{async_block#0}", "P::by_hand {async block}"),
            ("{impl#2}::greet::{async_block#0}", "P::greet"),
            ("{impl#2}::quick::{async_block#0}", "P::quick"),
        ];
        let expected: BTreeSet<_> =
            expected.iter().map(|(path, name)| (format!("wrapped::{path}"), format!("wrapped::{name}"))).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Where a poll function is inlined nothing but the environment's type tells whose method it is.
#[test]
fn methods_have_the_names_of_their_types_in_optimised_code() {
    let image = image(&["-O", "-Ccodegen-units=1"], "optimised");
    for (method, name) in [
        ("traced", "P::traced"),
        ("boxed", "P::boxed"),
        ("pinned", "P::pinned"),
        ("pinned_box", "P::pinned_box"),
        ("shared", "P::shared"),
        ("shared::{async_fn#0}", "P::shared {async block}"),
    ] {
        let kind = if name.ends_with('}') { "{async_block_env#0}" } else { "{async_fn_env#0}" };
        let at = if method == "traced" { 0 } else { 1 };
        let found = image.types(&format!("wrapped::{{impl#{at}}}::{method}::{kind}"));
        assert_eq!(found.len(), 1, "{method}");
        assert_eq!(found[0].coroutine_function().unwrap().name, format!("wrapped::{name}"));
    }
}

#[test]
fn closures_are_told_from_blocks() {
    let image = image(&[], "closures");
    let symbols = image.symbols_containing("several");
    let closure = symbols
        .iter()
        .filter_map(|symbol| image.frames_at(symbol.address).unwrap().pop())
        .find(|frame| frame.function.kind == FunctionKind::Closure)
        .unwrap();
    assert_eq!(closure.function.name, "wrapped::several {closure}");
    assert_eq!(closure.function.path, "wrapped::several::{closure#0}");
}
