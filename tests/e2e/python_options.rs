//! What a launch configuration of a Python program says, one after the other.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, on_each_python};

/// Launches a configuration with a breakpoint, and stops there.
fn launched(configuration: Value, file: &Path, at: i64) -> (Client, i64) {
    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("launch", configuration);
    client.event("initialized");
    let set = client.set_breakpoints(file, &[at]);
    client.ask("setExceptionBreakpoints", json!({"filters": []}));
    client.ask("configurationDone", json!({}));
    client.answer(seq).expect("it is launched");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    (client, stop.thread)
}

/// A configuration of the script that tells how it was started, and what it tells.
fn told(python: &Python, more: &Value) -> Value {
    let (mut client, thread) = launched(python.with(more), &source("options.py"), line("options.py", "told"));
    client.resume(thread);
    assert_eq!(client.exited(), 0);
    serde_json::from_str(client.output("stdout").trim()).expect("it tells in JSON")
}

on_each_python! {
    fn a_script_is_started_as_it_is_told(python: &Python) {
        let folder = TempDir::new().expect("a folder");
        let cwd = folder.path().canonicalize().expect("a path");
        fs::write(cwd.join("variables"), "WEFT_A=from the file\nWEFT_B=also\n").expect("a file");
        let configuration = python.configuration();
        let env = json!({"PYTHONPATH": configuration["env"]["PYTHONPATH"], "WEFT_B": "from env", "HOME": null});
        let started = told(python, &json!({
            "program": source("options.py"), "args": ["a b", "", "--flag=ä"], "cwd": cwd, "env": env,
            "envFile": "variables", "python": [configuration["python"], "-X", "utf8"], "pythonArgs": ["-B"],
            "asyncio": {"debug": true, "devMode": true},
        }));
        let expected = json!({
            "args": ["a b", "", "--flag=ä"], "cwd": cwd, "variables": ["from the file", "from env", null],
            "flags": [1, 1, true], "debug": "1",
        });
        assert_eq!(started, expected);
    }

    fn a_module_is_started_from_its_folder(python: &Python) {
        let cwd = source("options.py").parent().expect("a folder").to_owned();
        let started = told(python, &json!({"module": "options", "args": ["x"], "cwd": cwd}));
        assert_eq!((&started["args"], &started["cwd"]), (&json!(["x"]), &json!(cwd)));
    }

    fn text_is_run(python: &Python) {
        let mut client = Client::weft();
        client.initialize();
        let code = ["import sys", "print(sys.argv[1:], flush=True)", "sys.exit(6)"];
        let seq = client.send("launch", python.with(&json!({"code": code, "args": ["x"]})));
        client.event("initialized");
        client.ask("configurationDone", json!({}));
        client.answer(seq).expect("it is launched");
        assert_eq!(client.exited(), 6);
        assert_eq!(client.output("stdout"), "['x']\n");
    }

    /// In the internal console all output is told; the program does not tell it a second time.
    fn output_is_told_once(python: &Python) {
        let file = source("chain.py");
        let configuration = python.with(&json!({"program": file, "redirectOutput": true}));
        let (mut client, thread) = launched(configuration, &file, line("chain.py", "leaf"));
        client.resume(thread);
        assert_eq!(client.exited(), 3);
        assert_eq!((client.output("stdout"), client.output("stderr")), ("hello 43\n".into(), "something went wrong\n".into()));
    }

    /// What the last call returned is among the variables after a step, unless nobody wants it.
    fn return_values_are_shown(python: &Python) {
        for (wanted, shown) in [(true, vec!["'words'"]), (false, vec![])] {
            let folder = TempDir::new().expect("a folder");
            let script = folder.path().canonicalize().expect("a path").join("calls.py");
            fs::write(&script, "def call():\n    return 'words'\n\ncall()\nprint()\n").expect("a script");
            let configuration = python.with(&json!({"program": script, "showReturnValue": wanted}));
            let (mut client, thread) = launched(configuration, &script, 4);
            client.step("next", thread);
            let frame = client.top(thread).id;
            let scope = client.scopes(frame)[0].reference;
            let variables = client.variables(scope);
            let all: Vec<&str> = variables.iter().filter(|one| one.name.starts_with("(return)")).map(|one| one.value.as_str()).collect();
            assert_eq!(all, shown);
            client.disconnect();
        }
    }

    /// A step goes into the library only for those who want to see it.
    fn libraries_are_left_out_on_demand(python: &Python) {
        for (mine, file) in [(true, "lib.py"), (false, "textwrap.py")] {
            let folder = TempDir::new().expect("a folder");
            let script = folder.path().canonicalize().expect("a path").join("lib.py");
            fs::write(&script, "import textwrap\n\nprint(textwrap.dedent(' a'))\nprint()\n").expect("a script");
            let configuration = python.with(&json!({"program": script, "justMyCode": mine}));
            let (mut client, thread) = launched(configuration, &script, 3);
            client.step("stepIn", thread);
            assert_eq!(client.top(thread).file(), file);
            client.disconnect();
        }
    }

    /// Below the program's own outermost frame there is nothing to stop in.
    fn a_step_off_the_script_runs_to_its_end(python: &Python) {
        for (mine, step, from) in [(true, "stepOut", 1), (false, "stepOut", 1), (true, "next", 2), (false, "next", 2)] {
            let folder = TempDir::new().expect("a folder");
            let script = folder.path().canonicalize().expect("a path").join("two.py");
            fs::write(&script, "one = 1\nprint(one)\n").expect("a script");
            let configuration = python.with(&json!({"program": script, "justMyCode": mine}));
            let (mut client, thread) = launched(configuration, &script, from);
            client.ask(step, json!({"threadId": thread}));
            assert_eq!(client.exited(), 0);
            assert_eq!(client.take_events("stopped"), Vec::<Value>::new(), "{step}, {mine}");
            assert_eq!(client.output("stdout"), "1\n");
        }
        // A line that is nothing but the return is one all the same.
        for mine in [true, false] {
            let folder = TempDir::new().expect("a folder");
            let script = folder.path().canonicalize().expect("a path").join("ends.py");
            fs::write(&script, "one = 1\npass\n").expect("a script");
            let (mut client, thread) = launched(python.with(&json!({"program": script, "justMyCode": mine})), &script, 1);
            client.step("next", thread);
            assert_eq!(client.top(thread).line, 2);
            client.ask("next", json!({"threadId": thread}));
            assert_eq!(client.exited(), 0);
            assert_eq!(client.take_events("stopped"), Vec::<Value>::new(), "{mine}");
        }
    }

    /// The program's files lie elsewhere than those the user sees; either attribute says where.
    fn files_are_found_where_the_user_has_them(python: &Python) {
        let folder = TempDir::new().expect("a folder");
        let remote = folder.path().canonicalize().expect("a path");
        let local = source("chain.py").parent().expect("a folder").to_owned();
        fs::copy(source("chain.py"), remote.join("chain.py")).expect("a copy");
        let mappings = [
            json!({"sourceMap": {remote.to_str().expect("UTF-8"): local}}),
            json!({"pathMappings": [{"localRoot": local, "remoteRoot": remote}]}),
        ];
        for mut more in mappings {
            more["program"] = json!(remote.join("chain.py"));
            let (mut client, thread) =
                launched(python.with(&more), &source("chain.py"), line("chain.py", "leaf"));
            let top = client.top(thread);
            assert_eq!((top.name.as_str(), top.path), ("leaf", Some(source("chain.py"))));
            client.disconnect();
        }
    }

    /// Started again, it is another process, with the same breakpoints.
    fn a_restart_begins_anew(python: &Python) {
        let file = source("chain.py");
        let configuration = python.with(&json!({"program": file}));
        let (mut client, _) = launched(configuration, &file, line("chain.py", "leaf"));
        let before = client.event("process")["systemProcessId"].clone();
        client.ask("restart", json!({}));
        let after = client.event("process")["systemProcessId"].clone();
        assert_ne!(before, after);
        let stop = client.stopped();
        assert_eq!(client.top(stop.thread).line, line("chain.py", "leaf"));
        client.resume(stop.thread);
        assert_eq!(client.exited(), 3);
    }
}
