//! Looking into programs that run already, and leaving them as they were.

use serde_json::json;
use weft_tests::programs::{self, Profile, line, program, source};
use weft_tests::{Adapter, Client, process, weft};

const FILE: &str = "ends/src/main.rs";

fn spinning() -> process::Guarded {
    let mut spinning = process::Guarded::start(&program("ends", Profile::Debug), &["spin"], &[]);
    spinning.wait_for("spinning");
    spinning
}

#[test]
fn a_program_lives_on_after_detaching() {
    let mut echo = process::Guarded::start(&program("ends", Profile::Debug), &["echo"], &[]);
    echo.wait_for("reading");
    let mut client = Client::weft();
    client.attach(echo.pid());
    let set = client.set_breakpoints(&source(FILE), &[line(FILE, "echo")]);
    assert!(set[0].verified, "{set:?}");
    echo.say("first\n");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let top = client.top(stop.thread);
    assert_eq!(client.evaluate("line", top.id).value, "\"first\"");
    assert_eq!(process::tracer(echo.pid()), Some(client.adapter_pid()));
    // Stopped at a breakpoint, with the trap in place: detaching puts the code back.
    client.ask("disconnect", json!({}));
    assert_eq!(process::tracer(echo.pid()), Some(0));
    assert_eq!(echo.wait_for("read "), "read first\n");
    echo.say("second\n");
    assert_eq!(echo.wait_for("read "), "read second\n");
    drop(client);
    echo.say("third\n");
    assert_eq!(echo.wait_for("read "), "read third\n");
}

#[test]
fn an_adapter_that_is_told_to_end_takes_its_breakpoints_along() {
    let mut echo = process::Guarded::start(&program("ends", Profile::Debug), &["echo"], &[]);
    echo.wait_for("reading");
    let mut client = Client::weft();
    client.attach(echo.pid());
    let set = client.set_breakpoints(&source(FILE), &[line(FILE, "echo")]);
    assert!(set[0].verified, "{set:?}");
    let told = std::process::Command::new("kill").args(["-TERM", &client.adapter_pid().to_string()]).status();
    assert!(told.expect("kill runs").success());
    client.wait_end();
    assert_eq!(process::tracer(echo.pid()), Some(0));
    echo.say("first\n");
    assert_eq!(echo.wait_for("read "), "read first\n");
}

/// Built anew while it runs, as every edit of a server's source does: the old program is what is debugged.
#[test]
fn a_program_that_was_built_anew_is_read_as_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("server");
    programs::copy(&program("ends", Profile::Debug), &copy);
    let mut echo = process::Guarded::start(&copy, &["echo"], &[]);
    echo.wait_for("reading");
    std::fs::remove_file(&copy).expect("it is there");
    std::fs::copy(program("sync_zoo", Profile::Debug), &copy).expect("another program of that name");
    let mut client = Client::weft();
    client.attach(echo.pid());
    let set = client.set_breakpoints(&source(FILE), &[line(FILE, "echo")]);
    assert!(set[0].verified, "{set:?}");
    echo.say("first\n");
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let top = client.top(stop.thread);
    assert_eq!((top.line, client.evaluate("line", top.id).value.as_str()), (line(FILE, "echo"), "\"first\""));
    client.ask("disconnect", json!({}));
    assert_eq!(echo.wait_for("read "), "read first\n");
}

#[test]
fn another_program_is_not_taken_for_the_one_that_runs() {
    let spinning = spinning();
    let other = program("sync_zoo", Profile::Debug);
    let mut client = Client::weft();
    client.ask("initialize", json!({"adapterID": "weft"}));
    let failure = client.refused("attach", json!({"pid": spinning.pid(), "program": other}));
    let sentence = format!(
        "{} is not the program that process {} executes: their build-ids differ",
        other.display(),
        spinning.pid()
    );
    assert_eq!((failure.id, failure.message.as_str()), (1204, sentence.as_str()));
    assert_eq!(process::tracer(spinning.pid()), Some(0));
}

#[test]
fn what_was_attached_to_can_be_ended() {
    let mut spinning = spinning();
    let mut client = Client::weft();
    client.attach(spinning.pid());
    client.ask("disconnect", json!({"terminateDebuggee": true}));
    assert!(!spinning.ended().success());
}

#[test]
fn an_adapter_that_is_killed_leaves_what_it_attached_to() {
    let spinning = spinning();
    let mut client = Client::weft();
    client.attach(spinning.pid());
    client.pause();
    drop(client);
    assert!(process::lives(spinning.pid()));
    assert_eq!(process::tracer(spinning.pid()), Some(0));
    // It can be debugged again.
    let mut client = Client::weft();
    client.attach(spinning.pid());
    let stop = client.pause();
    assert!(client.stack(stop.thread).iter().any(|frame| frame.name == "ends::spin"));
    client.ask("disconnect", json!({}));
    assert!(process::lives(spinning.pid()));
}

#[test]
fn a_pid_may_be_text() {
    let spinning = spinning();
    let mut client = Client::weft();
    client.initialize();
    let seq = client.send("attach", json!({"pid": spinning.pid().to_string()}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()));
    client.ask("disconnect", json!({}));
    assert!(process::lives(spinning.pid()));
}

#[test]
fn a_pid_that_is_gone_is_told_in_one_sentence() {
    let pid = {
        let ended = spinning();
        ended.pid()
    };
    let mut client = Client::weft();
    client.initialize();
    let failure = client.cannot_start("attach", json!({"pid": pid}));
    assert_eq!(failure.id, 1203, "{failure:?}");
    assert!(failure.message.contains(&pid.to_string()), "{failure:?}");
    lives_on(&mut client);
}

/// Each process can have one debugger; the second is told.
#[test]
fn a_process_of_another_debugger_is_told_in_one_sentence() {
    let spinning = spinning();
    let mut first = Client::weft();
    first.attach(spinning.pid());
    let mut second = Client::weft();
    second.initialize();
    let failure = second.cannot_start("attach", json!({"pid": spinning.pid()}));
    assert_eq!(failure.id, 1205, "{failure:?}");
    assert!(failure.message.contains(&spinning.pid().to_string()), "{failure:?}");
    lives_on(&mut second);
    first.ask("disconnect", json!({}));
}

/// Without the right to look, a sentence says whose right is missing. The adapter runs as nobody, or, where the tests do
/// not run as root, looks at a process of root's.
#[test]
fn a_process_of_another_user_is_told_in_one_sentence() {
    let spinning = spinning();
    // SAFETY: asks for a number.
    let root = unsafe { libc::geteuid() } == 0;
    let weft = weft().display().to_string();
    let (mut client, pid) = if root {
        let args = ["--reuid", "65534", "--regid", "65534", "--clear-groups", &weft, "dap"];
        let nobody = Adapter::Other("setpriv".into(), args.map(str::to_owned).into());
        (Client::start(&nobody, true), spinning.pid())
    } else {
        (Client::weft(), 1)
    };
    client.initialize();
    let failure = client.cannot_start("attach", json!({"pid": pid}));
    assert_eq!(failure.id, 1205, "{failure:?}");
    assert!(failure.message.contains(&pid.to_string()) && !failure.message.contains('\n'), "{failure:?}");
    lives_on(&mut client);
}

#[test]
fn our_own_adapter_is_no_debuggee() {
    let mut client = Client::weft();
    client.initialize();
    let pid = client.adapter_pid();
    let failure = client.cannot_start("attach", json!({"pid": pid}));
    assert!(!failure.message.is_empty());
    lives_on(&mut client);
}

/// A session whose launch or attach failed still debugs the next program.
fn lives_on(client: &mut Client) {
    let seq = client.send("launch", json!({"program": program("ends", Profile::Debug), "args": ["exit", "5"]}));
    client.event("initialized");
    client.ask("configurationDone", json!({}));
    assert_eq!(client.answer(seq).map(|_| ()), Ok(()));
    assert_eq!(client.exited(), 5);
}
