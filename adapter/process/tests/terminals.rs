//! Programs that write to terminals: to ours, and to somebody else's.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::zombie_processes, reason = "who traces a child of its own collects it")]

mod common;

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::{ROLE, hear, reader, rest, spec};
use weft_process::{Ended, LaunchSpec, Launched, Meeting, Output, ProcessError, Tracee, Wait, WaitEvent};

/// Lets it run to its end.
fn run(tracee: &mut Tracee) -> Ended {
    loop {
        tracee.resume_all();
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Exited(ended)) => return ended,
            Wait::Event(WaitEvent::Signal { tid, signal }) => tracee.resume(tid, signal).unwrap(),
            _ => {}
        }
    }
}

/// How to launch this binary in a role, with terminals to write to.
fn at_terminals(role: &str) -> LaunchSpec {
    let mut spec = LaunchSpec { output: Output::Terminals, stdin: weft_process::Stdin::Null, ..spec(role) };
    spec.env.push(("TERM".into(), None));
    spec
}

#[test]
fn a_program_believes_that_a_user_watches() {
    let Launched { mut tracee, stdout, stderr, .. } = Tracee::launch(&at_terminals("looks:0")).unwrap();
    assert_eq!(run(&mut tracee), Ended::Code(0));
    let mut stdout = reader(stdout);
    assert_eq!(hear(&mut stdout), "[0, 1, 1] (0, 24, 80) dumb");
    assert_eq!(rest(stdout), "");
    assert_eq!(rest(stderr.unwrap()), "@this is the other stream\n");
}

/// More than a terminal holds, read while it is written and after the program has ended.
#[test]
fn nothing_is_lost_at_the_end() {
    for _ in 0..20 {
        let Launched { mut tracee, stdout, stderr: _open, .. } = Tracee::launch(&at_terminals("looks:2000")).unwrap();
        let reading = std::thread::spawn(move || rest(stdout.unwrap()));
        assert_eq!(run(&mut tracee), Ended::Code(0));
        let text = reading.join().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("line ")).collect();
        let expected: Vec<String> = (0..2000).map(|number| format!("line {number}")).collect();
        assert_eq!(lines, expected);
        assert!(!text.contains('\r'), "a line feed is a line feed");
    }
}

/// What an editor's terminal does: runs what it is told to.
fn terminal(words: &[OsString], next: &str) -> std::process::Child {
    let [program, args @ ..] = words else { panic!("{words:?}") };
    Command::new(program)
        .args(args)
        .envs([(ROLE, "helper"), ("WEFT_TEST_NEXT_ROLE", next)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn words(meeting: &Meeting, program: &Path, args: &[OsString]) -> Vec<OsString> {
    meeting.command(&[std::env::current_exe().unwrap().into_os_string()], program, args, None)
}

#[test]
fn a_program_in_a_terminal_is_held_at_its_begin() {
    let meeting = Meeting::new().unwrap();
    let own = std::env::current_exe().unwrap();
    let mut child = terminal(&words(&meeting, &own, &["a b".into()]), "looks:1");
    let helper = meeting.wait(Duration::from_secs(60), || None).unwrap();
    assert_eq!(helper.pid(), child.id().cast_signed());
    let mut tracee = Tracee::adopt(helper).unwrap();
    assert_eq!(tracee.pid(), child.id().cast_signed());
    assert_eq!(weft_process::command_line(tracee.pid()).unwrap()[1..], ["a b"]);
    assert_eq!(weft_process::executable_path(tracee.pid()).unwrap(), own);
    // The terminal's stream is the program's: nothing of it comes to us.
    assert_eq!(run(&mut tracee), Ended::Code(0));
    let text = rest(child.stdout.take().unwrap());
    assert!(text.contains("[0, 0, 0]") && text.ends_with("line 0\n"), "{text:?}");
}

#[test]
fn what_goes_wrong_in_a_terminal_is_said_here() {
    let meeting = Meeting::new().unwrap();
    let mut child = terminal(&words(&meeting, Path::new("/no/such/program"), &[]), "");
    let text = Tracee::adopt(meeting.wait(Duration::from_secs(60), || None).unwrap()).unwrap_err().to_string();
    assert_eq!(text, "the program /no/such/program does not exist");
    assert!(rest(child.stderr.take().unwrap()).ends_with("the program /no/such/program does not exist\n"));

    let meeting = Meeting::new().unwrap();
    let folder = Path::new(&words(&meeting, Path::new("x"), &[])[2]).parent().unwrap().to_owned();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&folder).unwrap().permissions()) & 0o777, 0o700);
    let refused = meeting.wait(Duration::from_secs(60), || Some("the editor went away".to_owned())).unwrap_err();
    assert!(matches!(refused, ProcessError::Terminal(sentence) if sentence == "the editor went away"));
    assert!(!folder.exists(), "a meeting leaves nothing behind");
}
