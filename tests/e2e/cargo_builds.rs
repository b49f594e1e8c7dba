//! Programs that cargo builds when they are launched.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use weft_tests::process::{descendants, wait_gone};
use weft_tests::{Adapter, Client, DEADLINE, Stop, weft};

/// Between two looks at something that nobody tells of: cargo needs the processor.
const PAUSE: Duration = Duration::from_millis(5);

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

/// Builds with these arguments, wherever and however the tests themselves are built.
fn cargo(args: &[&str]) -> Value {
    let decide = ["CARGO_BUILD_", "CARGO_ENCODED_RUSTFLAGS", "CARGO_PROFILE_", "CARGO_TARGET_", "RUSTFLAGS"];
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let env: Map<String, Value> = names
        .filter(|name| decide.iter().any(|start| name.starts_with(start)))
        .map(|name| (name, Value::Null))
        .collect();
    json!({"args": args, "env": env})
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
    let cargo = cargo(&["build", "--bin", "shop"]);
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
    let mut cargo = cargo(&["test"]);
    cargo["filter"] = json!({"kind": "lib"});
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
    let (_, several) = why(&folder, cargo(&["build"]));
    let expected = "`cargo build` built several programs: `other` (bin), `shop` (bin). Say which one with `cargo.filter`, such as \
                    {\"name\": \"other\", \"kind\": \"bin\"}";
    assert_eq!(several, expected);
    let (_, nobody) = why(&folder, cargo(&["build", "--bin", "nobody"]));
    assert!(nobody.starts_with("`cargo build --bin nobody` failed: no bin target named `nobody`"), "{nobody}");
    let (_, runs) = why(&folder, cargo(&["run"]));
    assert_eq!(runs, "`cargo.args`: `run` would run the program without the debugger: write `build`");
    fs::write(folder.join("src/main.rs"), "fn main() {\n    nothing();\n    let one: u8 = \"\";\n}\n").expect("a file");
    let (mut client, broken) = why(&folder, cargo(&["build", "--bin", "shop"]));
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

/// A build of a package whose build script waits for ever: the request, and the number of that.
fn begin_for_ever(client: &mut Client, folder: &Path) -> (i64, i32) {
    let script = "fn main() {
    std::fs::write(\"begun\", format!(\"{};\", std::process::id())).unwrap();
    loop { std::thread::park(); }
}
";
    fs::write(folder.join("build.rs"), script).expect("a file");
    client.abilities = json!({"supportsProgressReporting": true});
    client.initialize();
    let launch = client.send("launch", json!({"cargo": cargo(&["build", "--bin", "shop"]), "cwd": folder}));
    let deadline = Instant::now() + DEADLINE;
    let begun = || fs::read_to_string(folder.join("begun")).ok()?.strip_suffix(';')?.parse::<i32>().ok();
    loop {
        if let Some(script) = begun() {
            return (launch, script);
        }
        assert!(Instant::now() < deadline, "the build script does not begin");
        thread::sleep(PAUSE);
    }
}

/// Who gives the build up ends the build script, too.
#[test]
fn a_build_can_be_given_up() {
    let package = package();
    let mut client = Client::weft();
    let (launch, script) = begin_for_ever(&mut client, &real(&package));
    let told = client.event("progressStart");
    assert_eq!((&told["title"], &told["cancellable"]), (&json!("Building: cargo build --bin shop"), &json!(true)));
    client.ask("cancel", json!({"progressId": told["progressId"]}));
    let failure = client.answer(launch).expect_err("it was called off");
    assert_eq!(failure.message, "cancelled");
    assert!(wait_gone(script, DEADLINE), "the build script lives");
}

#[test]
fn who_leaves_ends_the_build() {
    let package = package();
    let mut client = Client::weft();
    let (_, script) = begin_for_ever(&mut client, &real(&package));
    let started = descendants(client.adapter_pid());
    assert!(started.len() >= 2 && started.contains(&script), "cargo and {script}: {started:?}");
    client.ask("disconnect", json!({}));
    assert!(started.iter().all(|&process| wait_gone(process, DEADLINE)), "the build goes on");
}

/// A library for C, whose unit tests find the toolchain's own libraries as they do under cargo.
#[test]
fn unit_tests_of_any_library_are_found_and_find_theirs() {
    let package = package();
    let folder = real(&package);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a file");
    fs::write(folder.join("Cargo.toml"), format!("{manifest}\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n"))
        .expect("a file");
    // The tests' own cargo has put them in there.
    let cache = format!("WEFT_CACHE_DIR={}", folder.join("cache").display());
    let words = ["-u", "LD_LIBRARY_PATH", &cache, &weft().display().to_string(), "dap"].map(str::to_owned);
    let mut client = Client::start(&Adapter::Other("env".into(), words.to_vec()), true);
    let mut cargo = cargo(&["test", "--no-run", "--package=shop", "--lib"]);
    cargo["filter"] = json!({"name": "shop", "kind": "lib"});
    cargo["env"]["RUSTFLAGS"] = json!("-C prefer-dynamic");
    let stop = launch_to_price(&mut client, &folder, json!({"cargo": cargo}));
    assert_eq!(client.stack(stop.thread)[1].name, "shop::prices");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}
