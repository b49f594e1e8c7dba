//! Programs whose debug information is in another file, or nowhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_tests::{Client, Launch, list};

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

    fn build_id(&self) -> String {
        let notes = Command::new("readelf").arg("-n").arg(&self.program).output().expect("readelf runs");
        let notes = String::from_utf8(notes.stdout).expect("text");
        let (_, rest) = notes.split_once("Build ID: ").expect("it has a build-id");
        rest.split_whitespace().next().expect("it is there").to_owned()
    }
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
    let id = built.build_id();
    let by_id = symbols.path().join(format!(".build-id/{}/{}.debug", &id[..2], &id[2..]));
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
    assert_eq!(client.output("console"), "");
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
    let id = built.build_id();
    let expected = [
        format!("/nowhere/.build-id/{}/{}.debug", &id[..2], &id[2..]),
        format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]),
        built.debug.display().to_string(),
        built.folder.path().join(".debug/shop.debug").display().to_string(),
    ];
    for place in expected {
        assert!(message.contains(&place) && console.contains(&place), "{place}: {message}; {console}");
    }
}
