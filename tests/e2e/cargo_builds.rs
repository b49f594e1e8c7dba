//! Programs that cargo builds when they are launched.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_tests::{Client, DEADLINE, Stop};

const LIBRARY: &str = "pub fn price(order: u32) -> u32 {
    let unit = 7;
    unit * order // price
}

#[test]
fn prices() {
    assert_eq!(price(3), 21);
}
";

const MAIN: &str = "fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!(\"{} {words:?} {:?}\", shop::price(2), std::env::var(\"CARGO_MANIFEST_DIR\").unwrap());
}
";

/// A package with a library, its tests, and two programs.
fn package() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    put("Cargo.toml", "[package]\nname = \"shop\"\nedition = \"2021\"\n\n[workspace]\n");
    put("src/lib.rs", LIBRARY);
    put("src/main.rs", MAIN);
    put("src/bin/other.rs", "fn main() {}\n");
    folder
}

/// A launch that stops where the price is computed.
fn launch_to_price(client: &mut Client, folder: &Path, more: Value) -> Stop {
    client.initialize();
    let mut configuration = more;
    configuration["cwd"] = json!(folder);
    let launch = client.send("launch", configuration);
    client.event("initialized");
    let set = client.set_breakpoints(&folder.join("src/lib.rs"), &[3]);
    client.ask("configurationDone", json!({}));
    client.answer(launch).expect("it is launched");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    stop
}

/// The folder as the compiler calls it.
fn real(folder: &TempDir) -> PathBuf {
    folder.path().canonicalize().expect("a folder")
}

/// Why such a program cannot be launched.
fn why(folder: &Path, cargo: Value) -> (Client, String) {
    let mut client = Client::weft();
    client.initialize();
    let failure = client.cannot_start("launch", json!({"cargo": cargo, "cwd": folder}));
    (client, failure.message)
}

#[test]
fn the_program_is_built_and_a_restart_builds_it_again() {
    let package = package();
    let folder = real(&package);
    let mut client = Client::weft();
    let cargo = json!({"args": ["build", "--bin", "shop"]});
    let stop = launch_to_price(&mut client, &folder, json!({"cargo": cargo, "args": ["of ${cargo:program}"]}));
    assert!(client.output("console").contains("Compiling shop v0.0.0"), "{}", client.output("console"));
    let frame = client.stack(stop.thread).remove(0);
    assert_eq!((frame.name.as_str(), frame.line), ("shop::price", 3));
    assert_eq!(client.evaluate("unit", frame.id).value, "7");
    fs::write(folder.join("src/lib.rs"), LIBRARY.replace('7', "8")).expect("a file");
    client.ask("restart", json!({}));
    let stop = client.stopped();
    let frame = client.stack(stop.thread).remove(0);
    assert_eq!(client.evaluate("unit", frame.id).value, "8");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let program = folder.join("target/debug/shop");
    let expected = format!("16 [\"of {}\"] {:?}\n", program.display(), folder.display().to_string());
    assert_eq!(client.output("stdout"), expected);
}

#[test]
fn tests_are_built_and_not_run_without_the_debugger() {
    let package = package();
    let folder = real(&package);
    let mut client = Client::weft();
    let cargo = json!({"args": ["test"], "filter": {"kind": "lib"}});
    let stop = launch_to_price(&mut client, &folder, json!({"cargo": cargo, "args": ["prices", "--color=never"]}));
    let names: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).take(2).collect();
    assert_eq!(names, ["shop::price", "shop::prices"]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert!(client.output("stdout").contains("test result: ok. 1 passed"), "{}", client.output("stdout"));
}

#[test]
fn what_is_not_built_is_said_with_what_to_do() {
    let package = package();
    let folder = real(&package);
    let (_, several) = why(&folder, json!({"args": ["build"]}));
    let expected = "`cargo build` built several programs: `other` (bin), `shop` (bin). Say which one with `cargo.filter`, such as \
                    {\"name\": \"other\", \"kind\": \"bin\"}";
    assert_eq!(several, expected);
    let (_, nobody) = why(&folder, json!({"args": ["build", "--bin", "nobody"]}));
    assert!(nobody.starts_with("`cargo build --bin nobody` failed: no bin target named `nobody`"), "{nobody}");
    let (_, runs) = why(&folder, json!({"args": ["run"]}));
    assert_eq!(runs, "`cargo.args`: `run` would run the program without the debugger: write `build`");
    fs::write(folder.join("src/main.rs"), "fn main() {\n    nothing();\n    let one: u8 = \"\";\n}\n").expect("a file");
    let (mut client, broken) = why(&folder, json!({"args": ["build", "--bin", "shop"]}));
    let main = folder.join("src/main.rs");
    let expected = format!(
        "`cargo build --bin shop` failed with 2 errors, of which the first is: {}:2: cannot find function `nothing` in this scope",
        main.display()
    );
    assert_eq!(broken, expected);
    // What an editor makes a link of.
    let places: Vec<(String, i64)> = client.placed_output().into_iter().map(|(_, file, line)| (file, line)).collect();
    assert_eq!(places, [("main.rs".to_owned(), 2), ("main.rs".to_owned(), 3)]);
    assert!(
        client.output("console").contains("error[E0425]: cannot find function `nothing`"),
        "{}",
        client.output("console")
    );
}

/// The build script waits for ever; who gives the build up ends it, too.
#[test]
fn a_build_can_be_given_up() {
    let package = package();
    let folder = real(&package);
    let script = "fn main() {
    std::fs::write(\"begun\", format!(\"{};\", std::process::id())).unwrap();
    loop { std::thread::park(); }
}
";
    fs::write(folder.join("build.rs"), script).expect("a file");
    let mut client = Client::weft();
    client.abilities = json!({"supportsProgressReporting": true});
    client.initialize();
    let launch = client.send("launch", json!({"cargo": {"args": ["build", "--bin", "shop"]}, "cwd": folder}));
    let told = client.event("progressStart");
    assert_eq!((&told["title"], &told["cancellable"]), (&json!("Building: cargo build --bin shop"), &json!(true)));
    let deadline = Instant::now() + DEADLINE;
    let begun = || fs::read_to_string(folder.join("begun")).ok()?.strip_suffix(';')?.parse::<u32>().ok();
    while begun().is_none() {
        assert!(Instant::now() < deadline, "the build script does not begin");
        thread::yield_now();
    }
    let stat = format!("/proc/{}/stat", begun().expect("its number"));
    client.ask("cancel", json!({"progressId": told["progressId"]}));
    let failure = client.answer(launch).expect_err("it was called off");
    assert_eq!(failure.message, "cancelled");
    // Gone, or nobody has collected it yet.
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the build script lives");
        thread::yield_now();
    }
}
