//! Source files: opened through links, compiled elsewhere, with any name that a file can have.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::{Client, Launch};

const MAIN: &str = "fn main() {
    let count = std::env::args().count();
    println!(\"count {count}\"); // line 3
}
";
const LINE: i64 = 3;

fn rustc(folder: &Path, arguments: &[&OsStr]) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done = Command::new(rustc).args(["--edition", "2024", "-g"]).args(arguments).current_dir(folder).output();
    let done = done.expect("rustc runs");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Compiles a file, named as a user or cargo would in that folder, to `out`.
fn build(folder: &Path, source: &Path, out: &Path, more: &[&str]) {
    let mut arguments: Vec<&OsStr> = more.iter().map(OsStr::new).collect();
    arguments.extend(["--crate-name".as_ref(), "shop".as_ref(), "-o".as_ref(), out.as_os_str(), source.as_os_str()]);
    rustc(folder, &arguments);
}

/// A folder that goes with the test, by its real name, with `p/src/main.rs` in it.
fn project() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().canonicalize().expect("it is there");
    fs::create_dir_all(real.join("p/src")).expect("made");
    fs::write(real.join("p/src/main.rs"), MAIN).expect("written");
    (folder, real)
}

fn at(file: &Path, more: Value) -> Launch {
    Launch { breakpoints: vec![(file.to_owned(), LINE)], more }
}

/// Stops on the line and gives the path that the client sees there.
fn check_stops(program: &Path, file: &Path, more: Value) -> PathBuf {
    let mut client = Client::weft();
    let set = client.launch(program, &[], &at(file, more));
    assert_eq!((set[0].verified, set[0].line), (true, Some(LINE)), "{file:?}: {set:?}");
    let stop = client.stopped();
    let top = client.top(stop.thread);
    assert_eq!((top.name.as_str(), top.line), ("shop::main", LINE));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    top.path.expect("a path")
}

/// The message of a breakpoint that is not set.
fn why_not(program: &Path, file: &Path, more: Value) -> String {
    let mut client = Client::weft();
    let set = client.launch(program, &[], &at(file, more));
    assert!(!set[0].verified, "{set:?}");
    assert_eq!(client.exited(), 0);
    set[0].message.clone()
}

#[test]
fn a_folder_has_all_its_names() {
    let (_gone, folder) = project();
    symlink("p", folder.join("link")).expect("linked");
    symlink("p/src/main.rs", folder.join("other.rs")).expect("linked");
    let names = ["p/src/main.rs", "link/src/main.rs"];
    for built in names {
        let program = folder.join("shop");
        build(&folder, &folder.join(built), &program, &[]);
        for opened in names {
            let file = folder.join(opened);
            assert_eq!(check_stops(&program, &file, json!({})), file, "built as {built}");
        }
        let file = folder.join("other.rs");
        assert_eq!(check_stops(&program, &file, json!({})), file, "built as {built}");
    }
}

/// The folder's name is replaced in the program: what the client is told to configure works.
#[test]
fn a_source_map_is_suggested_that_works() {
    for (prefix, name) in [("/build", "/build/src/main.rs"), ("", "src/main.rs"), (".", "src/main.rs")] {
        let (_gone, folder) = project();
        let home = folder.join("p");
        let program = folder.join("shop");
        let remap = format!("--remap-path-prefix={}={prefix}", home.display());
        build(&home, Path::new("src/main.rs"), &program, &[&remap]);
        let file = home.join("src/main.rs");
        let message = why_not(&program, &file, json!({}));
        assert!(message.contains(&format!("it has {name}: ")), "{message}");
        let entry = message.split_once("add ").expect("advice").1;
        let more: Value = serde_json::from_str(&format!("{{{entry}}}")).expect("an entry of a configuration");
        assert_eq!(check_stops(&program, &file, more.clone()), file);
        // Another file of that name is none of the program's.
        fs::create_dir_all(folder.join("q/src")).expect("made");
        fs::write(folder.join("q/src/main.rs"), MAIN).expect("written");
        let message = why_not(&program, &folder.join("q/src/main.rs"), more);
        assert!(message.contains("which `sourceMap` leads elsewhere"), "{message}");
        // What the adapter itself calls the file is understood, too.
        check_stops(&program, Path::new(name), json!({}));
    }
}

/// A frame whose file is not here, while the folder that is debugged in has such a file.
#[test]
fn a_frame_elsewhere_says_what_to_map() {
    let (_gone, folder) = project();
    let (home, program) = (folder.join("p"), folder.join("shop"));
    let remap = format!("--remap-path-prefix={}=/build", home.display());
    build(&home, Path::new("src/main.rs"), &program, &[&remap]);
    let mut client = Client::weft();
    client.launch(&program, &[], &at(Path::new("/build/src/main.rs"), json!({"cwd": home})));
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).path.as_deref(), Some(Path::new("/build/src/main.rs")));
    client.stack(stop.thread);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let said = client.output("console");
    let entry = format!("\"sourceMap\": {{\"/build\": \"{}\"}}", home.display());
    assert_eq!(said.matches(&entry).count(), 1, "{said}");
}

#[test]
fn a_source_map_to_nowhere_is_said() {
    let (_gone, folder) = project();
    let program = folder.join("shop");
    build(&folder, Path::new("p/src/main.rs"), &program, &[]);
    let mut client = Client::weft();
    let map = json!({"sourceMap": {"/build": "/nowhere/at/all"}});
    client.launch(&program, &[], &Launch { breakpoints: Vec::new(), more: map });
    assert_eq!(client.exited(), 0);
    assert!(client.output("console").contains("`sourceMap`: there is no /nowhere/at/all for /build"));
}

#[test]
fn crates_with_the_same_file_names_are_told_apart() {
    let (_gone, folder) = project();
    for name in ["a", "b", "c"] {
        fs::create_dir_all(folder.join(name).join("src")).expect("made");
        let text = format!("pub fn {name}(count: u32) -> u32 {{\n    let more = count + 1;\n    more * 2\n}}\n");
        fs::write(folder.join(name).join("src/lib.rs"), text).expect("written");
    }
    for name in ["a", "b"] {
        // One by its whole path, the other as cargo does it.
        let source = folder.join(name).join("src/lib.rs");
        let source = if name == "a" { source.as_os_str() } else { "b/src/lib.rs".as_ref() };
        rustc(&folder, &["--crate-type=rlib".as_ref(), "--crate-name".as_ref(), name.as_ref(), source]);
    }
    let text = "fn main() {\n    let sum = a::a(1) + b::b(2);\n    println!(\"{sum}\");\n}\n";
    fs::write(folder.join("p/src/main.rs"), text).expect("written");
    let program = folder.join("shop");
    build(&folder, Path::new("p/src/main.rs"), &program, &["-L", ".", "--extern", "a", "--extern", "b"]);
    let mut client = Client::weft();
    let files = ["a/src/lib.rs", "b/src/lib.rs", "c/src/lib.rs"].map(|file| folder.join(file));
    let mut breakpoints: Vec<_> = files.iter().map(|file| (file.clone(), LINE)).collect();
    breakpoints.push(("src/lib.rs".into(), 2));
    let set = client.launch(&program, &[], &Launch { breakpoints, more: Value::Null });
    assert_eq!(set.iter().map(|set| set.verified).collect::<Vec<_>>(), [true, true, false, true], "{set:?}");
    assert!(!set[2].message.contains("sourceMap"), "both are other files: {set:?}");
    let taken = format!(
        "2 files end with src/lib.rs: this is {}; write more of the path for {}",
        files[0].display(),
        files[1].display()
    );
    assert_eq!(set[3].message, taken);
    for (hit, function, line) in [(3, "a::a", 2), (0, "a::a", LINE), (1, "b::b", LINE)] {
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[hit].id]);
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), (function, line));
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
}

/// Names are bytes: nothing in them is special, and two ways to write a letter are two names.
#[test]
fn any_name_will_do() {
    let (_gone, folder) = project();
    let names = ["a b.rs", "#1.rs", "100%20.rs", "it's \"so\".rs", "caf\u{e9}.rs", "cafe\u{301}.rs", "日本.rs"];
    for name in names {
        fs::write(folder.join(name), MAIN).expect("written");
        let program = folder.join("shop");
        build(&folder, Path::new(name), &program, &[]);
        let file = folder.join(name);
        assert_eq!(check_stops(&program, &file, json!({})), file);
    }
    let message = why_not(&folder.join("shop"), &folder.join(names[4]), json!({}));
    assert!(message.contains("no code of shop"), "{message}");
}

/// JSON cannot say the name; what the adapter sent says it all the same.
#[test]
fn a_name_that_is_no_text_comes_back() {
    let (_gone, folder) = project();
    let home = folder.join(OsStr::from_bytes(b"m\xfcll"));
    fs::rename(folder.join("p"), &home).expect("renamed");
    let program = folder.join("shop");
    build(&home, Path::new("src/main.rs"), &program, &[]);
    let mut client = Client::weft();
    client.launch_configured(&program, &[], &Launch::default(), |client| {
        client.ask("setFunctionBreakpoints", json!({"breakpoints": [{"name": "shop::main"}]}));
    });
    let stop = client.stopped();
    let frames = client.ask("stackTrace", json!({"threadId": stop.thread, "levels": 1}));
    let source = frames["stackFrames"][0]["source"].clone();
    assert!(source["path"].as_str().is_some_and(|path| path.ends_with("/m\u{fffd}ll/src/main.rs")), "{source}");
    let text = client.ask("source", json!({"source": source, "sourceReference": source["sourceReference"]}));
    assert_eq!(text["content"], json!(MAIN));
    let set = client.ask("setBreakpoints", json!({"source": source, "breakpoints": [{"line": LINE}]}));
    assert_eq!(set["breakpoints"][0]["verified"], json!(true), "{set}");
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(client.top(stop.thread).line, LINE);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

/// A client that writes paths as URIs reads and gets every name whole.
#[test]
fn paths_may_be_uris() {
    let (_gone, folder) = project();
    let home = folder.join(OsStr::from_bytes(b"m\xfc ll#1"));
    fs::rename(folder.join("p"), &home).expect("renamed");
    let program = folder.join("shop");
    build(&home, Path::new("src/main.rs"), &program, &[]);
    let mut client = Client::weft();
    client.abilities = json!({"pathFormat": "uri"});
    let base = folder.display();
    let uri = format!("file://{base}/m%FC%20ll%231/src/main.rs");
    let set = client.launch(&program, &[], &at(Path::new(&OsString::from(&uri)), Value::Null));
    assert!(set[0].verified, "{set:?}");
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).path, Some(uri.into()));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}
