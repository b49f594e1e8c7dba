//! Attaching to a Python program by its number.

use serde_json::json;
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, list, on_each_python, process};

fn start(python: &Python, words: &[&str], variables: &[(&str, &str)]) -> process::Guarded {
    let file = source(words[0]);
    let debugpy = python.debugpy.as_ref().map(|folder| ("PYTHONPATH", folder.to_str().expect("UTF-8")));
    let variables: Vec<(&str, &str)> = debugpy.into_iter().chain(variables.iter().copied()).collect();
    let words: Vec<&str> = [file.to_str().expect("UTF-8")].into_iter().chain(words[1..].iter().copied()).collect();
    let mut program = process::Guarded::start(&python.interpreter.path, &words, &variables);
    program.wait_for("ready");
    program
}

/// A client that is attached, with a breakpoint at one marker.
fn attach(pid: i32, script: &str, marker: &str) -> (Client, i64) {
    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("attach", json!({"runtime": "python", "processId": pid}));
    client.event("initialized");
    let set = client.set_breakpoints(&source(script), &[line(script, marker)]);
    client.ask("configurationDone", json!({}));
    client.answer(seq).expect("it is attached to");
    (client, set[0].id)
}

/// Why a process cannot be attached to.
fn why(pid: i32) -> String {
    let mut client = Client::weft();
    client.initialize();
    client.cannot_start("attach", json!({"runtime": "python", "processId": pid})).message
}

/// Tells a program that computes to end, which must have computed right.
fn end(mut program: process::Guarded) {
    assert_eq!(process::tracer(program.pid()), Some(0));
    process::signal(program.pid(), libc::SIGUSR1);
    program.wait_for("right");
    assert!(program.ended().success());
}

on_each_python! {
    /// Twice: the second session finds what the first one left.
    fn an_idle_program_is_debugged_and_left_as_it_was(python: &Python) {
        let mut program = start(python, &["idles.py"], &[]);
        for _ in 0..2 {
            process::wait_asleep(program.pid());
            let (mut client, breakpoint) = attach(program.pid(), "idles.py", "echoes");
            assert_eq!(client.event("process")["systemProcessId"], program.pid());
            let tasks = client.async_tasks();
            let mut names: Vec<&str> = list(&tasks["tasks"]).filter_map(|task| task["name"].as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["Task-1", "echo"]);
            let threads = client.ask("threads", json!({}));
            let threads: Vec<&str> = list(&threads["threads"]).filter_map(|thread| thread["name"].as_str()).collect();
            assert_eq!(threads, ["MainThread"]);
            program.say("one\n");
            let stop = client.stopped();
            assert_eq!(stop.hit, [breakpoint]);
            let rows: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
            assert!(rows[0] == "echo" && rows[1].ends_with(" echo"), "{rows:?}");
            let top = client.top(stop.thread);
            assert_eq!(client.evaluate("text", top.id).value, "'one\\n'");
            client.ask("disconnect", json!({}));
            program.wait_for("echo one");
            assert_eq!(process::tracer(program.pid()), Some(0));
        }
        program.say("two\n");
        program.wait_for("echo two");
        program.close_input();
        assert!(program.ended().success());
    }

    /// No thread of it ever waits, and it has not imported `threading`.
    fn a_program_that_only_computes_goes_on_computing_right(python: &Python) {
        let program = start(python, &["toils.py", "alone"], &[]);
        let (mut client, breakpoint) = attach(program.pid(), "toils.py", "turn");
        let stop = client.stopped();
        assert_eq!((stop.hit, stop.thread), (vec![breakpoint], i64::from(program.pid())));
        let rows: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
        assert_eq!(rows[..3], ["turn", "toil", "alone"]);
        let top = client.top(stop.thread);
        let main = "__import__('threading').main_thread() is __import__('threading').current_thread()";
        assert_eq!(client.evaluate(main, top.id).value, "True");
        client.ask("disconnect", json!({}));
        end(program);
    }

    fn a_pool_of_threads_goes_on_computing_right(python: &Python) {
        let program = start(python, &["toils.py", "pool"], &[]);
        let (mut client, breakpoint) = attach(program.pid(), "toils.py", "turn");
        let stop = client.stopped();
        assert_eq!(stop.hit, [breakpoint]);
        assert_ne!(stop.thread, i64::from(program.pid()));
        let rows: Vec<String> = client.stack(stop.thread).into_iter().map(|frame| frame.name).collect();
        assert_eq!(rows[..2], ["turn", "toil"]);
        client.ask("disconnect", json!({}));
        end(program);
    }

    /// What was to attach is not done later, when the call is over.
    fn a_call_into_c_that_keeps_the_lock_is_left_alone(python: &Python) {
        let mut program = start(python, &["toils.py", "lock"], &[]);
        let text = why(program.pid());
        let begin = format!("process {} did not come to its debugger within 20 s: ", program.pid());
        assert!(text.starts_with(&begin), "{text}");
        assert!(text.contains("a call into C holds the interpreter's lock"), "{text}");
        assert_eq!(process::tracer(program.pid()), Some(0));
        program.close_input();
        program.wait_for("returned");
        // It is as good as any other now.
        let (mut client, breakpoint) = attach(program.pid(), "toils.py", "turn");
        assert_eq!(client.stopped().hit, [breakpoint]);
        client.ask("disconnect", json!({}));
        end(program);
    }
}

#[test]
fn what_cannot_be_attached_to_is_said() {
    let mut other = process::Guarded::start("/bin/cat".as_ref(), &[], &[]);
    let text = why(other.pid());
    assert!(text.contains("which is no Python interpreter: attach to it as a native program (`pid`)"), "{text}");
    other.close_input();
    assert!(other.ended().success());
    let gone = why(other.pid());
    assert!(gone.contains(&other.pid().to_string()), "{gone}");
    let Some(python) = Python::find("3.14") else { return };
    let mut closed = start(&python, &["idles.py"], &[("PYTHON_DISABLE_REMOTE_DEBUG", "1")]);
    let text = why(closed.pid());
    assert!(text.contains("PYTHON_DISABLE_REMOTE_DEBUG"), "{text}");
    closed.close_input();
    assert!(closed.ended().success());
}

/// It is neither let go on nor changed.
#[test]
fn a_program_that_is_stopped_stays_so() {
    let Some(python) = Python::find("3.13") else { return };
    let mut program = start(&python, &["idles.py"], &[]);
    process::signal(program.pid(), libc::SIGSTOP);
    process::wait_state(program.pid(), 'T');
    let text = why(program.pid());
    assert!(text.contains(&format!("`kill -CONT {}`", program.pid())), "{text}");
    process::wait_state(program.pid(), 'T');
    process::signal(program.pid(), libc::SIGCONT);
    program.say("one\n");
    program.wait_for("echo one");
    program.close_input();
    assert!(program.ended().success());
}
