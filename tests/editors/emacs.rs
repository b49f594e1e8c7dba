//! Emacs with dape: the configuration of docs/editors.md, by its keys.

use std::process::Command;

use weft_tests::{DEADLINE, process};

use crate::screen::Screen;
use crate::{Scene, started_by};

/// Where the program stands: dape has an arrow in the source, in the right window.
fn until_at(screen: &mut Screen, source: &str) {
    screen.until_row(&["=>", source]);
}

/// Says something in dape's REPL, which has the keyboard.
fn say(screen: &mut Screen, command: &str) {
    screen.press(&format!("{command}\r"));
}

#[test]
fn a_session_in_emacs() {
    let scene = Scene::new();
    // What comes with Emacs has no grammar of Rust.
    let plain = "(add-to-list 'auto-mode-alist '(\"\\\\.rs\\\\'\" . prog-mode))\n(setq confirm-kill-processes nil)\n";
    let settings = scene.configure("Emacs", "elisp", "init.el", plain);
    let awaits = Scene::line("audit awaits");
    let mut emacs = Command::new(Scene::editor("emacs"));
    emacs.args(["--no-window-system", "--quick", "--load"]).arg(settings);
    emacs.arg(format!("+{awaits}")).arg(Scene::file());
    // A terminal that Emacs asks nothing.
    emacs.env("PATH", scene.path()).env("TERM", "screen").env("HOME", scene.folder.path());
    let mut screen = Screen::start(&emacs);
    screen.until_row(&["main.rs", "(Prog"]);

    screen.press("\x18\x01b");
    screen.until("the breakpoint", |rows| rows.iter().any(|row| row.starts_with("B ") && row.contains("audit awaits")));
    screen.press("\x1bxdape\r");
    screen.until_row(&["Run adapter:"]);
    screen.press(&format!("weft :program \"{}\"\r", Scene::program().display()));
    until_at(&mut screen, "ledger.total(extra).await");
    screen.until_row(&["dape:", "stopped/breakpoint"]);
    let started = started_by(screen.pid());

    screen.until_row(&["ledger", "entries: [1, 2, 3]"]);
    screen.until_row(&["extra 5"]);
    screen.until("the logical stack", |rows| {
        let shown: Vec<&str> = rows.iter().filter_map(|row| row.split('|').next()?.get(3..)).collect();
        let labels = [
            "await_chain::audit",
            "await_chain::child",
            "task ",
            "awaited by task ",
            "await_chain::parent",
            "awaited by task ",
            "await_chain::main",
        ];
        shown.windows(labels.len()).any(|rows| rows.iter().zip(labels).all(|(row, label)| row.starts_with(label)))
    });

    screen.press("\x18o");
    say(&mut screen, "before + 40");
    screen.until("the value", |rows| rows.iter().any(|row| row == "43"));
    say(&mut screen, "threads");
    for task in ["child", "parent", "main"] {
        screen.until_row(&["task ", &format!("await_chain::{task} stopped in await_chain::")]);
    }
    say(&mut screen, "next");
    until_at(&mut screen, "total + before as u32");
    screen.until_row(&["dape:", "stopped/step"]);

    // A thread is selected by its row and name.
    let rows = screen.rows();
    let parent = rows.iter().find_map(|row| row.trim().split_once("::parent stopped in")).expect("a task").0;
    screen.press("\x18\x01t");
    screen.until_row(&["Select thread (current tokio-rt-worker):"]);
    screen.press(&format!("{parent}::parent\r"));
    until_at(&mut screen, "parent awaits");

    screen.press("\x18\x01q");
    for pid in started {
        assert!(process::wait_gone(pid, DEADLINE), "process {pid} is left");
    }
    screen.until_gone("*dape-repl*");
    screen.press("\x18\x03");
    assert_eq!(screen.ended(), Some(0));
}
