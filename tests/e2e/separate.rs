//! Programs whose debug information is in another file, or nowhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_tests::programs::{Profile, program};
use weft_tests::{Client, Launch, list, process, weft_command};

use crate::builds::{build, check_built, line};

/// A program without debug information, and the file that has it, in a folder that goes with the test.
struct Separated {
    folder: TempDir,
    source: PathBuf,
    program: PathBuf,
    debug: PathBuf,
}

fn objcopy(arguments: &[&str], files: &[&Path]) {
    let done = Command::new("objcopy").args(arguments).args(files).output().expect("objcopy runs");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Builds as a distribution does: what is about the program goes into `shop.debug`, which the program names with its
/// CRC-32. Without a build-id when the name alone is to lead there.
fn separated(build_id: bool) -> Separated {
    let folder = tempfile::tempdir().expect("a folder");
    let build_id = if build_id { "link-arg=-Wl,--build-id=sha1" } else { "link-arg=-Wl,--build-id=none" };
    let (source, program) = build(folder.path(), &["-C", build_id]);
    let debug = program.with_extension("debug");
    objcopy(&["--only-keep-debug"], &[&program, &debug]);
    objcopy(&["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())], &[&program]);
    Separated { folder, source, program, debug }
}

impl Separated {
    fn work_with(&self, program: &Path, more: Value) -> Client {
        check_built(&self.source, program, &["separate"], false, more)
    }

    /// What is said when a breakpoint is set that cannot be found, and what the console says.
    fn told(&self, more: Value) -> (String, String) {
        let mut client = Client::weft();
        let launch = Launch { breakpoints: vec![(self.source.clone(), line("// at end"))], more };
        let set = client.launch(&self.program, &[], &launch);
        assert!(!set[0].verified, "{set:?}");
        assert_eq!(client.exited(), 0);
        (set[0].message.clone(), client.output("console"))
    }
}

/// Where the debug file of a program lies, by its build-id, in a folder of them.
fn by_build_id(program: &Path) -> String {
    let notes = Command::new("readelf").arg("-n").arg(program).output().expect("readelf runs");
    let notes = String::from_utf8(notes.stdout).expect("text");
    let (_, rest) = notes.split_once("Build ID: ").expect("it has a build-id");
    let id = rest.split_whitespace().next().expect("it is there");
    format!(".build-id/{}/{}.debug", &id[..2], &id[2..])
}

fn moved(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("made");
    fs::rename(from, to).expect("moved");
}

#[test]
fn beside_the_program() {
    for build_id in [true, false] {
        let built = separated(build_id);
        built.work_with(&built.program, Value::Null);
        let below = built.folder.path().join(".debug/shop.debug");
        moved(&built.debug, &below);
        built.work_with(&built.program, Value::Null);
    }
}

#[test]
fn beside_the_file_that_a_link_leads_to() {
    let built = separated(false);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = elsewhere.path().join("shop");
    symlink(&built.program, &link).expect("a link");
    built.work_with(&link, Value::Null);
}

#[test]
fn in_a_folder_of_debug_files() {
    let built = separated(true);
    let symbols = tempfile::tempdir().expect("a folder");
    let more = json!({"debugDirectories": [symbols.path()]});
    let by_id = symbols.path().join(by_build_id(&built.program));
    moved(&built.debug, &by_id);
    built.work_with(&built.program, more.clone());
    let real = built.folder.path().canonicalize().expect("it is there");
    let by_name = symbols.path().join(real.strip_prefix("/").expect("absolute")).join("shop.debug");
    moved(&by_id, &by_name);
    built.work_with(&built.program, more);
}

#[test]
fn a_client_is_told_where_it_is() {
    let built = separated(true);
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(built.source.clone(), line("// at end"))], more: Value::Null };
    client.launch(&built.program, &[], &launch);
    client.stopped();
    let body = client.ask("modules", json!({}));
    let program = list(&body["modules"]).next().expect("the program");
    assert_eq!(program["symbolStatus"], "debug information");
    assert_eq!(program["symbolFilePath"], json!(built.debug));
    assert!(!client.output("console").contains("debug information"), "{}", client.output("console"));
    client.disconnect();
}

#[test]
fn one_of_another_build_is_not_believed() {
    let (other, built) = (separated(false), separated(false));
    fs::write(&built.debug, [fs::read(&other.debug).expect("read"), b"changed".to_vec()].concat()).expect("written");
    let (message, console) = built.told(Value::Null);
    let expected = format!("{} was made for another build of shop: its CRC-32 is another", built.debug.display());
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.contains("shop has no debug information; build it with `debug = true`"), "{message}");
    assert!(console.contains(&expected), "{console}");

    let built = separated(true);
    let other = built.folder.path().join("other");
    fs::create_dir(&other).expect("made");
    let (_, another) = build(&other, &["-O", "-C", "link-arg=-Wl,--build-id=sha1"]);
    fs::rename(another, &built.debug).expect("moved");
    let (message, _) = built.told(Value::Null);
    let expected = format!("{} was made for another build of shop: their build-ids differ", built.debug.display());
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn where_it_was_looked_for_is_said() {
    let built = separated(true);
    fs::remove_file(&built.debug).expect("removed");
    let (message, console) = built.told(json!({"debugDirectories": ["/nowhere"]}));
    let by_id = by_build_id(&built.program);
    let expected = [
        format!("/nowhere/{by_id}"),
        format!("/usr/lib/debug/{by_id}"),
        built.debug.display().to_string(),
        built.folder.path().join(".debug/shop.debug").display().to_string(),
    ];
    for place in expected {
        assert!(message.contains(&place) && console.contains(&place), "{place}: {message}; {console}");
    }
}

#[test]
fn tasks_of_a_process_are_listed_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, stripped) = (program("spawner", Profile::Debug), folder.path().join("spawner"));
    let debug = folder.path().join(by_build_id(&whole));
    fs::create_dir_all(debug.parent().expect("a folder")).expect("made");
    objcopy(&["--only-keep-debug"], &[&whole, &debug]);
    objcopy(&["--strip-all"], &[&whole, &stripped]);
    let mut spawner = process::Guarded::start(&stripped, &["5"], &[]);
    spawner.wait_for("ready 5");
    let tasks = |more: &[&str]| {
        let done = weft_command(&["tasks", "--pid", &spawner.pid().to_string()]).args(more).output();
        let done = done.expect("weft runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let (status, _, told) = tasks(&[]);
    assert!(status == Some(1) && told.contains("tasks cannot be found: spawner has no debug information"), "{told}");
    let (status, tree, told) = tasks(&["--debug-directory", folder.path().to_str().expect("text")]);
    assert_eq!((status, told.as_str()), (Some(0), ""));
    assert!(tree.starts_with("tokio-multi-thread, 6 tasks, "), "{tree}");
    assert_eq!(tree.lines().filter(|line| line.contains("spawner::handle waiting")).count(), 5, "{tree}");
}

/// Builds and takes out the debug information (`--strip-debug`) or the symbols as well (`--strip-all`).
fn stripped(how: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = build(folder.path(), &[]);
    objcopy(&[how], &[&program]);
    (folder, source, program)
}

#[test]
fn symbols_alone_name_functions() {
    let (_folder, source, program) = stripped("--strip-debug");
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source, line("// at end"))], more: Value::Null };
    let mut functions = Vec::new();
    let lines = client.launch_configured(&program, &[], &launch, |client| {
        functions = client.set_function_breakpoints(&[json!("shop::total")]);
    });
    assert!(!lines[0].verified && lines[0].message.contains("has no debug information; build it with"), "{lines:?}");
    assert!(functions[0].verified, "{functions:?}");
    let stop = client.stopped();
    assert_eq!(stop.hit, [functions[0].id]);
    let names: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
    assert_eq!(names[..2], ["shop::total", "shop::main"], "{names:?}");
    assert!(names.iter().any(|name| name.contains("lang_start")), "{names:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

/// Unwinding needs neither names nor debug information: the way leads through the program to who called its `main`.
#[test]
fn without_any_symbol_stacks_are_whole() {
    let (_folder, _, program) = stripped("--strip-all");
    let mut client = Client::weft();
    let mut functions = Vec::new();
    client.launch_configured(&program, &[], &Launch::default(), |client| {
        functions = client.set_function_breakpoints(&[json!("write"), json!("shop::total")]);
    });
    let why = "no function matches `shop::total`; shop has no debug information; build it with";
    assert!(!functions[1].verified && functions[1].message.starts_with(why), "{functions:?}");
    // The library is loaded later, and the name found then.
    let stop = client.stopped();
    assert_eq!(stop.hit, [functions[0].id]);
    let names: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
    assert!(names[0].ends_with("write"), "{names:?}");
    let main = names.iter().position(|name| name.contains("libc_start_main"));
    assert!(main.is_some_and(|at| at > 5), "{names:?}");
    assert!(client.output("console").contains("shop has no debug information"), "{}", client.output("console"));
    client.disconnect();
}

#[test]
fn what_cannot_be_inflated_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = build(folder.path(), &[]);
    objcopy(&["--compress-debug-sections=zlib"], &[&program]);
    let sections = Command::new("readelf").args(["-SW"]).arg(&program).output().expect("readelf runs");
    let sections = String::from_utf8(sections.stdout).expect("text");
    let line_section = sections.lines().find(|line| line.contains(" .debug_line ")).expect("a section");
    let words: Vec<&str> = line_section.split_whitespace().skip_while(|word| *word != ".debug_line").collect();
    let offset = usize::from_str_radix(words[3], 16).expect("a number");
    let mut bytes = fs::read(&program).expect("read");
    // Behind the header (24 bytes) the data begin.
    bytes[offset + 24..offset + 64].fill(0x5a);
    fs::write(&program, bytes).expect("written");
    let mut client = Client::weft();
    let launch = Launch { breakpoints: vec![(source, line("// at end"))], more: Value::Null };
    let set = client.launch(&program, &[], &launch);
    let expected = format!(".debug_line of {} cannot be read: ", program.display());
    assert!(!set[0].verified && set[0].message.starts_with(&expected), "{set:?}");
    assert_eq!(client.exited(), 0);
}

const BUMP: &str = "
int bump(int by) {
    static __thread int count = 40;
    count += by;
    return count; // in bump
}
";

/// Calls it on two threads, with 2, 5 and 3.
const CALLER: &str = "
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static int (*bump_of(void *library))(int) {
    return (int (*)(int))dlsym(library, \"bump\");
}

static void *run(void *library) {
    bump_of(library)(5);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *library = dlopen(argv[1], RTLD_NOW);
    bump_of(library)(2);
    pthread_create(&thread, NULL, run, library);
    pthread_join(thread, NULL);
    printf(\"%d\\n\", bump_of(library)(3));
    return 0;
}
";

fn compile(compiler: &str, arguments: &[&str], text: &str, out: &Path) -> PathBuf {
    let source = out.with_extension("c");
    fs::write(&source, text).expect("written");
    let done = Command::new(compiler).args(arguments).arg("-g").arg("-o").arg(out).arg(&source).output();
    let done = done.unwrap_or_else(|error| panic!("{compiler} does not run: {error}"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    source
}

/// Stops in each call of `bump`, and sees each thread's own count there.
fn bumps(source: &Path, text: &str, program: &Path, args: &[&str]) {
    let at = text.lines().position(|line| line.ends_with("// in bump")).expect("a line") + 1;
    let mut client = Client::weft();
    let breakpoints = vec![(source.to_owned(), i64::try_from(at).expect("a number"))];
    client.launch(program, args, &Launch { breakpoints, more: Value::Null });
    let mut threads = Vec::new();
    for (expected, caller) in [("42", "main"), ("45", "run"), ("45", "main")] {
        let stop = client.stopped();
        let frames = client.stack(stop.thread);
        assert_eq!((frames[0].name.as_str(), frames[1].name.as_str()), ("bump", caller), "{frames:?}");
        assert_eq!(client.evaluate("count", frames[0].id).value, expected);
        threads.push(stop.thread);
        client.resume(stop.thread);
    }
    assert!(threads[0] == threads[2] && threads[0] != threads[1], "{threads:?}");
    assert_eq!(client.exited(), 0);
}

/// Each thread has its own, wherever glibc put it.
#[test]
fn thread_locals_of_a_library_that_was_loaded_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let (library, caller) = (folder.path().join("library.so"), folder.path().join("caller"));
    let source = compile("cc", &["-shared", "-fPIC"], BUMP, &library);
    compile("cc", &["-pthread"], CALLER, &caller);
    bumps(&source, BUMP, &caller, &[library.to_str().expect("text")]);
}

/// Without a dynamic loader, of glibc and of musl, at a fixed address and wherever the kernel puts them.
#[test]
fn static_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let alone = CALLER.replace("dlopen(argv[1], RTLD_NOW)", "NULL").replace("dlsym(library, \"bump\")", "bump");
    let text = format!("{BUMP}{alone}");
    // `musl-gcc` does not know `-static-pie`: this is what it would do.
    let start = "/usr/lib/x86_64-linux-musl/rcrt1.o";
    let movable = ["-static", "-fPIE", "-nostartfiles", "-Wl,-pie,--no-dynamic-linker", start];
    let ways: [(&str, &[&str]); 4] =
        [("cc", &["-static"]), ("cc", &["-static-pie"]), ("musl-gcc", &["-static"]), ("musl-gcc", &movable)];
    for (index, (compiler, how)) in ways.into_iter().enumerate() {
        let is_here = Command::new(compiler).arg("--version").output().is_ok() && Path::new(start).exists();
        if compiler == "musl-gcc" && !is_here {
            eprintln!("there is no musl-gcc here (Debian: musl-tools)");
            continue;
        }
        let program = folder.path().join(format!("alone-{index}"));
        let source = compile(compiler, &[how, &["-pthread"]].concat(), &text, &program);
        bumps(&source, &text, &program, &[]);
    }
}
