//! One program, built in the ways that programs are built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::{Client, Launch};

const SOURCE: &str = r#"
#[derive(Debug)]
struct Item { name: String, price: u32 }

#[inline(never)]
fn total(items: &[Item], rate: u32) -> u32 {
    let mut sum = 0;
    for item in items {
        sum += item.price * rate; // in loop
    }
    println!("sum {sum}"); // at end
    sum
}

fn main() {
    let items = vec![
        Item { name: "pen".to_owned(), price: 3 },
        Item { name: "ink".to_owned(), price: 4 },
    ];
    let rate = std::env::args().count() as u32;
    let sum = total(&items, rate);
    println!("{} {sum}", items[0].name); // in main
}
"#;

pub(crate) fn line(text: &str) -> i64 {
    let index = SOURCE.lines().position(|line| line.ends_with(text)).expect("the text is there");
    i64::try_from(index + 1).expect("a line number")
}

/// Compiles with rustc's flags; the folder goes with the test.
pub(crate) fn build(folder: &Path, flags: &[&str]) -> (PathBuf, PathBuf) {
    let source = folder.join("shop.rs");
    let program = folder.join("shop");
    fs::write(&source, SOURCE).expect("written");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done =
        Command::new(rustc).args(["--edition", "2024", "-g"]).args(flags).arg("-o").arg(&program).arg(&source).output();
    let done = done.expect("rustc runs");
    assert!(done.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&done.stderr));
    (source, program)
}

/// Stops where it is asked to, shows its variables and its callers, and ends as it would alone.
fn check(flags: &[&str], optimised: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = build(folder.path(), flags);
    check_built(&source, &program, flags, optimised, Value::Null);
}

/// The same with a program that is built; `more` goes into the launch configuration.
pub(crate) fn check_built(source: &Path, program: &Path, flags: &[&str], optimised: bool, more: Value) -> Client {
    let mut client = Client::weft();
    let breakpoints = vec![(source.to_owned(), line("// at end")), (source.to_owned(), line("// in main"))];
    let set = client.launch(program, &[], &Launch { breakpoints, more });
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{flags:?}: {set:?}");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id], "{flags:?}");
    let frames = client.stack(stop.thread);
    assert_eq!((frames[0].name.as_str(), frames[0].line), ("shop::total", line("// at end")), "{flags:?}");
    assert_eq!(frames[1].name, "shop::main", "{flags:?}");
    if optimised {
        assert_eq!(client.evaluate("sum", frames[0].id).type_name, "u32", "{flags:?}");
    } else {
        assert_eq!(client.evaluate("sum", frames[0].id).value, "7", "{flags:?}");
        assert_eq!(client.evaluate("items[1].name", frames[0].id).value, "\"ink\"", "{flags:?}");
        assert_eq!(client.evaluate("rate", frames[1].id).value, "1", "{flags:?}");
    }
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(stop.hit, [set[1].id], "{flags:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0, "{flags:?}");
    assert_eq!(client.output("stdout"), "sum 7\npen 7\n", "{flags:?}");
    client
}

#[test]
fn at_a_fixed_address() {
    check(&["-C", "relocation-model=static"], false);
}

#[test]
fn with_compressed_debug_information() {
    check(&["-C", "link-arg=-Wl,--compress-debug-sections=zlib"], false);
}

#[test]
fn with_dwarf_5() {
    check(&["-C", "dwarf-version=5"], false);
}

#[test]
fn with_the_new_mangling() {
    check(&["-C", "symbol-mangling-version=v0"], false);
}

#[test]
fn statically_linked() {
    check(&["-C", "target-feature=+crt-static"], false);
}

#[test]
fn with_frame_pointers_and_without_unwinding() {
    check(&["-C", "force-frame-pointers=yes", "-C", "panic=abort"], false);
}

#[test]
fn optimised() {
    check(&["-O"], true);
}

#[test]
fn optimised_as_a_whole() {
    check(&["-C", "opt-level=3", "-C", "lto=fat", "-C", "codegen-units=1", "-C", "panic=abort"], true);
}

/// Lines, but neither types nor variables: it is said where somebody would look for them.
#[test]
fn with_less_debug_information() {
    for (level, says) in
        [("line-tables-only", "built with line tables only"), ("1", "built without variables and types")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, program) = build(folder.path(), &["-C", &format!("debuginfo={level}")]);
        let mut client = Client::weft();
        let end = line("// at end");
        let set = client.launch_configured(&program, &[], &Launch::default(), |client| {
            let wanted = json!([{"line": end}, {"line": end, "condition": "sum > 1"}]);
            let set = client.ask("setBreakpoints", json!({"source": {"path": source}, "breakpoints": wanted}));
            assert_eq!(set["breakpoints"][0]["verified"], json!(true), "{level}: {set}");
            let refused = set["breakpoints"][1]["message"].as_str().unwrap_or_default();
            assert!(refused.contains(says), "{level}: {set}");
            let set = client.ask("setFunctionBreakpoints", json!({"breakpoints": [{"name": "shop::total"}]}));
            assert_eq!(set["breakpoints"][0]["verified"], json!(true), "{level}: {set}");
        });
        assert!(set.is_empty());
        let entered = client.stopped();
        let thread = client.resume_to_stop(entered.thread).thread;
        let frames = client.stack(thread);
        assert_eq!((frames[0].name.as_str(), frames[0].line), ("shop::total", end), "{level}");
        assert_eq!((frames[1].name.as_str(), frames[1].line), ("shop::main", line("total(&items, rate);")), "{level}");
        assert_eq!((frames[0].hint.as_str(), frames[1].hint.as_str()), ("normal", "normal"), "{level}");
        let scopes = client.scopes(frames[0].id);
        let locals = scopes.iter().find(|scope| scope.name == "Locals").expect("locals");
        let rows = client.variables(locals.reference);
        assert_eq!(rows.len(), 1, "{level}: {rows:?}");
        assert!(rows[0].name == "(no variables)" && rows[0].value.contains(says), "{level}: {rows:?}");
        let why = client.cannot_evaluate("sum", frames[0].id);
        assert!(why.starts_with("no variable `sum`") && why.contains("`debug = true`"), "{level}: {why}");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }
}

/// A function without variables is no sign of anything.
#[test]
fn with_nothing_to_show() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("quiet.rs"), folder.path().join("quiet"));
    fs::write(&source, "fn main() {\n    quiet();\n}\n\nfn quiet() {\n    println!();\n}\n").expect("written");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done = Command::new(rustc).args(["-g", "-o"]).arg(&program).arg(&source).output().expect("rustc runs");
    assert!(done.status.success());
    let mut client = Client::weft();
    let stop = client.launch_to(&program, &[], source, 6);
    let frame = client.top(stop.thread).id;
    let scopes = client.scopes(frame);
    let locals = scopes.iter().find(|scope| scope.name == "Locals").expect("locals");
    assert_eq!(client.variables(locals.reference), []);
    assert!(!client.cannot_evaluate("sum", frame).contains("debug"));
    client.disconnect();
}

/// A program of today's sources whose symbols went into a file of their own.
#[test]
fn with_split_debug_information() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = build(folder.path(), &["-C", "split-debuginfo=packed"]);
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source, line("// at end"))], more: Value::Null };
    let set = client.launch(&program, &[], &launch);
    // Either it works, or it is said why not; a silent miss would be neither.
    if set[0].verified {
        let stop = client.stopped();
        assert_eq!(client.top(stop.thread).line, line("// at end"));
        client.resume(stop.thread);
    } else {
        assert!(!set[0].message.is_empty(), "{set:?}");
    }
    assert_eq!(client.exited(), 0);
}
