//! Which debugpy goes into a program, and what is said when something that debugging takes is missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_tests::python::{Interpreter, Python, interpreter, line, source};
use weft_tests::{Adapter, Client, DEADLINE, on_each_python, programs, weft};

/// A client whose adapter has these variables besides.
fn client(variables: &[(&str, &Path)]) -> Client {
    let mut words: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={}", value.display())).collect();
    words.extend([weft().display().to_string(), "dap".to_owned()]);
    Client::start(&Adapter::Other("/usr/bin/env".into(), words), true)
}

/// An interpreter of that version without a debugpy of its own.
fn bare(version: &'static str) -> Option<Interpreter> {
    interpreter(version).filter(|found| !found.has("debugpy") && found.has("pip"))
}

/// What a program finds around it when it is debugged with a breakpoint at its last line.
fn surroundings(client: &mut Client, python: &Path) -> Value {
    let script = source("surroundings.py");
    let seq = client.send("launch", json!({"program": script, "python": python, "subProcess": false}));
    client.event("initialized");
    let set = client.set_breakpoints(&script, &[line("surroundings.py", "told")]);
    client.ask("configurationDone", json!({}));
    client.answer(seq).expect("it is launched");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    serde_json::from_str(client.output("stdout").trim()).expect("it tells in JSON")
}

/// A folder of weft's own, as an extension carries it, whose debugpy is that of the tests.
fn extension(python: &Python) -> Option<(TempDir, PathBuf)> {
    let debugpy = python.debugpy.as_ref()?;
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("debugpy-1.8.22/any");
    fs::create_dir_all(&place).expect("a folder");
    symlink(debugpy.join("debugpy"), place.join("debugpy")).expect("a link");
    let binary = folder.path().join("weft");
    programs::copy(weft(), &binary);
    Some((folder, binary))
}

/// An executable file that says what a Python would.
fn impostor(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("python");
    programs::executable(&path, format!("#!/bin/sh\n{script}\n").as_bytes());
    path
}

/// Why a program cannot be launched.
fn why(configuration: Value) -> String {
    let mut client = Client::weft();
    client.initialize();
    client.cannot_start("launch", configuration).message
}

on_each_python! {
    /// Neither the program nor a Python that it starts can see weft's own debugpy.
    fn the_debugpy_beside_the_adapter_is_for_the_program_alone(python: &Python) {
        let path = &python.interpreter.path;
        let Some((folder, weft)) = extension(python).filter(|_| !python.interpreter.has("debugpy")) else {
            eprintln!("skipped: {} has a debugpy of its own", path.display());
            return;
        };
        // Nothing can be fetched into it: it is no folder.
        let cache = folder.path().join("weft");
        let words = vec![format!("WEFT_CACHE_DIR={}", cache.display()), weft.display().to_string(), "dap".to_owned()];
        let mut client = Client::start(&Adapter::Other("/usr/bin/env".into(), words), true);
        client.initialize();
        let found = surroundings(&mut client, path);
        assert_eq!(found, json!({"path": [], "environment": [], "child": "False"}));
    }

    /// Its arguments, its name and where its modules are looked for are those that it has when nobody debugs it.
    fn a_program_is_what_it_is_alone(python: &Python) {
        let script = source("itself.py");
        let text = fs::read_to_string(&script).expect("a script");
        let starts = [
            json!({"program": script}),
            json!({"program": script, "pythonArgs": ["-I"]}),
            json!({"program": script, "pythonArgs": ["-P"]}),
            json!({"module": "itself", "cwd": script.parent()}),
            json!({"code": text}),
        ];
        for start in starts {
            let told = [true, false].map(|no_debug| {
                let mut client = Client::weft();
                client.initialize();
                let mut configuration = python.with(&start);
                configuration["args"] = json!(["--one", "two three"]);
                configuration["noDebug"] = json!(no_debug);
                let launch = client.send("launch", configuration);
                client.event("initialized");
                client.ask("configurationDone", json!({}));
                client.answer(launch).expect("it is launched");
                assert_eq!(client.exited(), 0, "{start}");
                serde_json::from_str::<Value>(client.output("stdout").trim()).expect("it tells in JSON")
            });
            assert_eq!(told[0], told[1], "{start}");
            assert_eq!(told[1]["name"], "__main__");
        }
    }

    /// debugpy's own log is still there for who asks for it.
    fn debugpys_log_is_whole_where_it_is_read(python: &Python) {
        let folder = TempDir::new().expect("a folder");
        let mut client = client(&[("DEBUGPY_LOG_DIR", folder.path())]);
        client.initialize();
        let launch = client.send("launch", python.with(&json!({"program": source("chain.py")})));
        client.event("initialized");
        client.ask("configurationDone", json!({}));
        client.answer(launch).expect("it is launched");
        assert_eq!(client.exited(), 3);
        let logs = fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path());
        let server = logs.into_iter().find(|path| path.to_string_lossy().contains("debugpy.server"));
        let log = fs::read_to_string(server.expect("a log")).expect("text");
        for header in ["Initial environment:", "Pre-launch environment:", "Installed packages:"] {
            assert!(log.contains(header), "{header}");
        }
    }
}

/// Two sessions fetch it at once; the cache then has one, whole, and a third session takes it from there.
#[test]
fn a_debugpy_that_is_missing_is_fetched_once() {
    let Some(python) = bare("3.13") else { return };
    let cache = TempDir::new().expect("a folder");
    let configuration = json!({"program": source("chain.py"), "python": python.path});
    let mut clients = [0, 1].map(|_| client(&[("WEFT_CACHE_DIR", cache.path())]));
    let launches = clients.each_mut().map(|client| {
        client.abilities = json!({"supportsProgressReporting": true});
        client.initialize();
        client.send("launch", configuration.clone())
    });
    for (client, launch) in clients.iter_mut().zip(launches) {
        client.event("initialized");
        client.ask("configurationDone", json!({}));
        client.answer(launch).expect("it is launched");
        assert_eq!(client.exited(), 3);
        let told = client.take_events("progressStart");
        assert_eq!(told[0]["title"], "Fetching debugpy 1.8.22 for Python 3.13", "{told:?}");
        client.event("progressEnd");
    }
    let inside: Vec<_> = fs::read_dir(cache.path().join("debugpy-1.8.22")).expect("a folder").flatten().collect();
    let names: Vec<_> = inside.iter().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["cp313"], "nothing unfinished is left");
    // Nothing can be fetched any more.
    let nowhere =
        [("WEFT_CACHE_DIR", cache.path()), ("PIP_NO_INDEX", Path::new("1")), ("PIP_FIND_LINKS", Path::new(""))];
    let mut third = client(&nowhere);
    third.initialize();
    let found = surroundings(&mut third, &python.path);
    assert_eq!(found, json!({"path": [], "environment": [], "child": "False"}));
}

#[test]
fn a_debugpy_that_cannot_be_fetched_is_told_of_and_leaves_nothing() {
    let Some(python) = bare("3.13") else { return };
    let cache = TempDir::new().expect("a folder");
    let nowhere =
        [("WEFT_CACHE_DIR", cache.path()), ("PIP_NO_INDEX", Path::new("1")), ("PIP_FIND_LINKS", Path::new(""))];
    let mut client = client(&nowhere);
    client.initialize();
    let configuration = json!({"program": source("chain.py"), "python": python.path});
    let failure = client.cannot_start("launch", configuration);
    let path = python.path.display();
    let expected = format!(
        "{path} has no debugpy, and debugpy 1.8.22 could not be fetched for it: it is in no package index that pip can \
         reach (is this machine offline?). Install it yourself: `{path} -m pip install debugpy==1.8.22`"
    );
    assert_eq!(failure.message, expected);
    let left = fs::read_dir(cache.path().join("debugpy-1.8.22")).expect("a folder").count();
    assert_eq!(left, 0);
}

/// The user gives the fetching up: the helper is gone, and so is what it had written.
#[test]
fn fetching_can_be_given_up() {
    let folder = TempDir::new().expect("a folder");
    let said = r#"[ "$1" = -c ] && echo '{"version": [3, 13], "executable": "'"$0"'", "debugpy": null}' && exit
touch "$(dirname "$0")/begun"; exec sleep 1000"#;
    let python = impostor(folder.path(), said);
    let cache = folder.path().join("cache");
    let mut client = client(&[("WEFT_CACHE_DIR", &cache)]);
    client.abilities = json!({"supportsProgressReporting": true});
    client.initialize();
    let launch = client.send("launch", json!({"program": source("chain.py"), "python": python}));
    let told = client.event("progressStart");
    assert_eq!(told["cancellable"], true);
    let deadline = Instant::now() + DEADLINE;
    while !folder.path().join("begun").is_file() {
        assert!(Instant::now() < deadline, "the helper does not begin");
        std::thread::yield_now();
    }
    client.ask("cancel", json!({"progressId": told["progressId"]}));
    let failure = client.answer(launch).expect_err("it was called off");
    assert!(failure.message.ends_with("could not be fetched for it: it was called off"), "{failure:?}");
    assert_eq!(fs::read_dir(cache.join("debugpy-1.8.22")).expect("a folder").count(), 0);
}

#[test]
fn what_is_missing_or_too_old_is_said_with_what_to_do() {
    let Some(python) = Python::find("3.13") else { return };
    let script = source("chain.py");
    let text = why(json!({"program": script, "python": "/nowhere/python"}));
    assert_eq!(text, "`python`: there is no interpreter /nowhere/python");
    let folder = TempDir::new().expect("a folder");
    let old = impostor(folder.path(), r#"echo '{"version": [3, 9], "executable": "/x", "debugpy": null}'"#);
    let text = why(json!({"program": script, "python": old}));
    let expected =
        format!("{} is Python 3.9, and weft debugs 3.10 and later: set `python` to a newer one", old.display());
    assert_eq!(text, expected);
    let broken = impostor(folder.path(), "echo something is wrong >&2; exit 1");
    let text = why(json!({"program": script, "python": broken}));
    let expected = format!("{} does not work as a Python interpreter: something is wrong", broken.display());
    assert_eq!(text, expected);
    let text = why(python.with(&json!({"module": "no.such"})));
    let path = python.interpreter.path.display();
    let expected = format!(
        "{path} has no module `no.such`: install it there, set `python` to the interpreter that has it, or `cwd` to the \
         folder it lies in"
    );
    assert_eq!(text, expected);
    let text = why(python.with(&json!({"program": "/nowhere/at/all.py"})));
    assert_eq!(text, "`program`: there is no /nowhere/at/all.py");
    let without_pip = impostor(
        folder.path(),
        r#"[ "$1" = -c ] && echo '{"version": [3, 13], "executable": "'"$0"'", "debugpy": null}' && exit
echo "$0: No module named pip" >&2; exit 1"#,
    );
    let mut client = client(&[("WEFT_CACHE_DIR", &folder.path().join("cache"))]);
    client.initialize();
    let failure = client.cannot_start("launch", json!({"program": script, "python": without_pip}));
    let path = without_pip.display();
    let expected = format!(
        "{path} has no debugpy, and debugpy 1.8.22 could not be fetched for it: it has no pip. Give it one (`{path} -m \
         ensurepip`), or set `python` to an environment that has debugpy"
    );
    assert_eq!(failure.message, expected);
}
