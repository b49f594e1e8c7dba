//! Shared libraries that come and go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weft_tests::{Client, Launch};

const HOST: &str = r#"
use std::ffi::{CString, c_char, c_int, c_void};

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
}

fn main() {
    for path in std::env::args().skip(1) {
        let path = CString::new(path).unwrap();
        unsafe {
            let library = dlopen(path.as_ptr(), 2);
            assert!(!library.is_null());
            let tool: extern "C" fn(c_int) -> c_int = std::mem::transmute(dlsym(library, c"tool".as_ptr()));
            println!("{}", tool(20));
            dlclose(library);
        }
        println!("closed"); // line 20
    }
}
"#;
const CLOSED: i64 = 20;

const RUST: &str = "#[unsafe(no_mangle)]
pub extern \"C\" fn tool(number: i32) -> i32 {
    let more = number + 1;
    more * 2 // line 4
}
";
const C: &str = "int tool(int number)
{
    int more = number + 2;
    return more * 3; /* line 4 */
}
";
const LINE: i64 = 4;

fn run(command: &mut Command) {
    let done = command.output().expect("a compiler");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The host, and two libraries of one name: one in Rust, one in C, each from a file `tool`.
fn build(folder: &Path) -> (PathBuf, [(PathBuf, PathBuf); 2]) {
    let host = folder.join("host");
    fs::write(folder.join("host.rs"), HOST).expect("written");
    run(rustc().args(["--edition=2024", "-g", "-o"]).arg(&host).arg(folder.join("host.rs")));
    let library = |name: &str, source: &str, text: &str| {
        let folder = folder.join(name);
        fs::create_dir(&folder).expect("made");
        let (source, library) = (folder.join(source), folder.join("libtool.so"));
        fs::write(&source, text).expect("written");
        (source, library)
    };
    let (rust, c) = (library("rust", "tool.rs", RUST), library("c", "tool.c", C));
    run(rustc().args(["--edition=2024", "--crate-type=cdylib", "-g", "-o"]).arg(&rust.1).arg(&rust.0));
    run(Command::new("cc").args(["-g", "-shared", "-fPIC", "-o"]).arg(&c.1).arg(&c.0));
    (host, [rust, c])
}

/// The next news of a breakpoint: whether it is set now, and what is said of it.
fn news(client: &mut Client, id: i64) -> (bool, String) {
    let body = client.event_where("breakpoint", |body| body["breakpoint"]["id"] == json!(id));
    let now = &body["breakpoint"];
    (now["verified"] == json!(true), now["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_library_takes_its_breakpoints_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().canonicalize().expect("it is there");
    let (host, libraries) = build(&real);
    let mut client = Client::weft();
    let mut breakpoints: Vec<_> = libraries.iter().map(|(source, _)| (source.clone(), LINE)).collect();
    breakpoints.push((real.join("host.rs"), CLOSED));
    let paths = libraries.clone().map(|(_, library)| library.display().to_string());
    // The first one comes back at the end.
    let arguments = [&*paths[0], &*paths[1], &*paths[0]];
    let set = client.launch(&host, &arguments, &Launch { breakpoints, more: Value::Null });
    assert_eq!(set.iter().map(|set| set.verified).collect::<Vec<_>>(), [false, false, true], "{set:?}");
    for (which, more) in [(0, "21"), (1, "22"), (0, "21")] {
        let (mine, other) = (set[which].id, set[1 - which].id);
        let stop = client.stopped();
        assert_eq!(stop.hit, [mine]);
        assert!(news(&mut client, mine).0);
        let frames = client.stack(stop.thread);
        assert!(frames[0].name.ends_with("tool") && frames[0].line == LINE, "{:?}", frames[0]);
        assert_eq!(frames[0].path.as_deref(), Some(&*libraries[which].0));
        assert_eq!(frames[1].name, "host::main");
        assert_eq!(client.evaluate("more", frames[0].id).value, more);
        let stop = client.resume_to_stop(stop.thread);
        assert_eq!(stop.hit, [set[2].id]);
        let (verified, why) = news(&mut client, mine);
        assert!(!verified && why.contains("libtool.so") && why.contains("is not loaded any more"), "{why}");
        assert!(client.take_events("breakpoint").iter().all(|body| body["breakpoint"]["id"] != json!(other)));
        let mapped = fs::read_to_string(format!("/proc/{}/maps", client.debuggee())).expect("its mappings");
        assert!(!mapped.contains("libtool.so"), "the library was unloaded");
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "42\nclosed\n66\nclosed\n42\nclosed\n");
}

/// Two copies of one library are two files: a breakpoint in their common source is in both.
#[test]
fn copies_of_a_library_have_the_breakpoints_of_their_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = folder.path().canonicalize().expect("it is there");
    let (host, [(source, library), _]) = build(&real);
    fs::create_dir(real.join("copy")).expect("made");
    let copy = real.join("copy/libtool.so");
    fs::copy(&library, &copy).expect("copied");
    let mut client = Client::weft();
    let arguments = [&library, &copy].map(|path| path.display().to_string());
    let launch = Launch { breakpoints: vec![(source, LINE)], more: Value::Null };
    let set = client.launch(&host, &[&arguments[0], &arguments[1]], &launch);
    for _ in 0..2 {
        let stop = client.stopped();
        assert_eq!(stop.hit, [set[0].id]);
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "42\nclosed\n42\nclosed\n");
}
