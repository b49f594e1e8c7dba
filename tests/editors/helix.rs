//! Helix: the configuration of docs/editors.md, by its keys.

use std::process::Command;

use weft_tests::{DEADLINE, process};

use crate::screen::Screen;
use crate::{Scene, started_by};

const ESCAPE: &str = "\x1b";

/// Opens a part of the debugger's menu, when none is open.
fn menu(screen: &mut Screen, keys: &[(&str, &str)]) {
    screen.press(" G");
    screen.until_row(&["Debug (experimental)"]);
    for (key, shown) in keys {
        screen.press(key);
        screen.until_row(&[shown]);
    }
}

fn close(screen: &mut Screen, what: &str) {
    screen.press(ESCAPE);
    screen.until_gone(what);
}

/// Where the program stands: Helix marks the line.
fn until_at(screen: &mut Screen, line: i64) {
    screen.until(&format!("the stop at line {line}"), |rows| {
        rows.iter().any(|row| {
            row.trim_start().strip_prefix('▶').is_some_and(|rest| rest.trim_start().starts_with(&format!("{line} ")))
        })
    });
}

#[test]
fn a_session_in_helix() {
    let scene = Scene::new();
    scene.configure("Helix", "toml", "config/helix/languages.toml", "");
    let awaits = Scene::line("audit awaits");
    let mut helix = Command::new(Scene::editor("hx"));
    helix.arg(format!("{}:{awaits}", Scene::file().display()));
    helix.env("PATH", scene.path()).env("TERM", "xterm-256color");
    helix.env("XDG_CONFIG_HOME", scene.folder.path().join("config")).env("XDG_CACHE_HOME", scene.folder.path());
    let mut screen = Screen::start(&helix);
    screen.until_row(&["NOR", &format!(" {awaits}:")]);

    menu(&mut screen, &[("b", "◯")]);
    close(&mut screen, "Debug (experimental)");
    screen.press(&format!(":debug-start binary {}\r", Scene::program().display()));
    until_at(&mut screen, awaits);
    let started = started_by(screen.pid());

    menu(&mut screen, &[("v", "before: usize = 3")]);
    screen.until_row(&["extra: u32 = 5"]);
    close(&mut screen, "before: usize = 3");
    close(&mut screen, "Debug (experimental)");

    menu(&mut screen, &[("s", "Switch current thread"), ("f", "awaited by task")]);
    screen.until(&"the logical stack".to_owned(), |rows| {
        let shown: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.strip_prefix('│')?.split('│').next())
            .map(|row| row.trim_start_matches(" > ").trim())
            .collect();
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
    close(&mut screen, "awaited by task");

    step(&mut screen, awaits + 1);

    menu(&mut screen, &[("s", "Switch current thread"), ("t", "await_chain::main")]);
    for task in ["child", "parent", "main"] {
        screen.until_row(&["task ", &format!("await_chain::{task} ")]);
    }
    screen.press("parent");
    screen.until_row(&["1/6"]);
    screen.press("\r");
    until_at(&mut screen, Scene::line("parent awaits"));

    menu(&mut screen, &[]);
    screen.press("t");
    for pid in started {
        assert!(process::wait_gone(pid, DEADLINE), "process {pid} is left");
    }
    close(&mut screen, "Debug (experimental)");
    screen.press(":q!\r");
    assert_eq!(screen.ended(), Some(0));
}

fn step(screen: &mut Screen, to: i64) {
    menu(screen, &[]);
    screen.press("n");
    until_at(screen, to);
    close(screen, "Debug (experimental)");
}
