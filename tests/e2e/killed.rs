//! `kill -9` on the adapter: what it launched ends, what it attached to lives on as if nobody had been there.

use serde_json::Value;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Breakpoint, Client, DEADLINE, Launch, code, process};

use crate::crowd::Board;

const CROWD: &str = "crowd/src/main.rs";
const LINES: &str = "crowd/src/lines.rs";
const ROUNDS: usize = 5;

/// Kills the adapter and waits until all processes are gone that it had started.
fn kill(client: &mut Client) {
    let started = process::descendants(client.adapter_pid());
    // SAFETY: a signal to our own child.
    unsafe { libc::kill(client.adapter_pid(), libc::SIGKILL) };
    assert_eq!(client.adapter_ended(), None);
    let left: Vec<i32> = started.into_iter().filter(|&pid| !process::wait_gone(pid, DEADLINE)).collect();
    assert_eq!(left, Vec::<i32>::new());
}

fn launched(markers: &[&str]) -> Client {
    let mut client = Client::weft();
    let file = "busy/src/main.rs";
    let breakpoints = markers.iter().map(|marker| (source(file), line(file, marker))).collect();
    let set =
        client.launch(&program("busy", Profile::Debug), &["forever", "3"], &Launch { breakpoints, more: Value::Null });
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    client
}

#[test]
fn what_was_launched_ends_at_a_stop() {
    let mut client = launched(&["hot"]);
    let stop = client.stopped();
    assert_eq!(stop.reason, "breakpoint");
    let pid = client.debuggee();
    assert_eq!(process::tracer(pid), Some(client.adapter_pid()));
    kill(&mut client);
    assert!(!process::lives(pid));
    assert_eq!(process::guardians(pid), Vec::<i32>::new());
}

#[test]
fn what_was_launched_ends_while_it_runs() {
    let mut client = launched(&[]);
    client.output_with("stdout", "running");
    // Its threads hit this all the time; it is never true.
    let file = "busy/src/main.rs";
    let set = client.set_conditional(&source(file), line(file, "hot"), "1 == 2", "", "");
    assert!(set.verified, "{set:?}");
    let pid = client.debuggee();
    assert!(process::lives(pid));
    kill(&mut client);
    assert!(!process::lives(pid));
    assert_eq!(process::guardians(pid), Vec::<i32>::new());
}

/// A crowd that runs until it is told to end.
struct Crowd {
    board: Board,
    process: process::Guarded,
}

impl Crowd {
    fn start(more: &[&str]) -> Self {
        let board = Board::new();
        let args: Vec<&str> = [board.path(), "16", "0", "500"].into_iter().chain(more.iter().copied()).collect();
        let mut process = process::Guarded::start(&program("crowd", Profile::Debug), &args, &[]);
        process.wait_for("running");
        Self { board, process }
    }

    fn attach(&self) -> Client {
        let mut client = Client::weft();
        client.attach(self.process.pid());
        process::wait_guarded(self.process.pid());
        client
    }

    /// Nobody traces it, nobody guards it, and its code is what is in its files.
    fn check_free(&self) {
        let pid = self.process.pid();
        assert!(process::lives(pid));
        assert_eq!(process::tracer(pid), Some(0));
        assert_eq!(process::guardians(pid), Vec::<i32>::new());
        assert!(code::check_unchanged(pid) > 0);
    }

    /// It does to its end what it would have done alone.
    fn check_end(mut self) {
        self.process.say("enough\n");
        assert!(self.process.wait_for("finished").ends_with("wrong 0\n"));
        assert!(self.process.ended().success());
        self.board.read().check_unharmed();
    }
}

fn verified(set: &[Breakpoint], count: usize) {
    assert!(set.len() == count && set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
}

/// Breakpoints on lines that all threads run all the time; the adapter is killed at a stop at one of them.
#[test]
fn what_was_attached_to_goes_on_from_a_stop() {
    let crowd = Crowd::start(&["ticks"]);
    for round in 0..ROUNDS {
        let mut client = crowd.attach();
        let markers = ["exclusive", "called", "looped", "product", "returned", "born"];
        let set = client.set_breakpoints(&source(LINES), &markers.map(|marker| line(LINES, marker)));
        verified(&set, markers.len());
        let mut stop = client.stopped();
        for _ in 0..round {
            stop = client.resume_to_stop(stop.thread);
        }
        assert!(set.iter().any(|breakpoint| stop.hit == [breakpoint.id]), "{stop:?}");
        kill(&mut client);
        crowd.check_free();
    }
    crowd.check_end();
}

/// Breakpoints on lines that are not reached until the adapter is dead, and are reached afterwards.
#[test]
fn what_was_attached_to_runs_on() {
    let crowd = Crowd::start(&["ticks"]);
    for _ in 0..ROUNDS {
        let mut client = crowd.attach();
        let markers = ["enough", "finished"];
        verified(&client.set_breakpoints(&source(CROWD), &markers.map(|marker| line(CROWD, marker))), markers.len());
        verified(&client.set_function_breakpoints(&["forked".into(), "signals::install".into()]), 2);
        let found = std::panic::catch_unwind(|| code::check_unchanged(crowd.process.pid()));
        assert!(found.is_err(), "there are traps in its code");
        kill(&mut client);
        crowd.check_free();
    }
    crowd.check_end();
}
