//! Where Tokio itself has recorded that tasks were spawned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use weft_runtimes::Runtimes;
use weft_tasks::{Snapshot, TaskKind};

use crate::fixture::{Profile, line, stopped, stopped_at, unstable, workspace};

const PROGRAM: &str = "spawn_zoo";

/// Lines by the name of the task that is spawned there.
fn lines(snapshot: &Snapshot) -> BTreeMap<String, Vec<u32>> {
    let mut lines: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let source: PathBuf = workspace().join("tests/debuggees/spawn_zoo/src/main.rs");
    for task in snapshot.tasks.iter().filter(|task| task.kind != TaskKind::Root) {
        let at = task.spawned_at.as_ref().unwrap_or_else(|| panic!("{task:?}"));
        assert_eq!(at.file, source);
        let name = task.name.trim_start_matches("spawn_zoo::").to_owned();
        lines.entry(name).or_default().push(at.line);
    }
    lines.values_mut().for_each(|lines| lines.sort_unstable());
    lines
}

#[test]
fn an_unstable_tokio_knows_every_spawn() {
    let program = stopped_at(&unstable(PROGRAM), &["multi"]);
    let snapshot = Runtimes::new().list(&program.stop).snapshot;
    assert_eq!(snapshot.notes, [""; 0]);
    let expected: [(&str, &[&str]); 10] = [
        ("from_thread", &["thread spawns"]),
        ("generic", &["loop spawns", "loop spawns", "other type"]),
        ("grandchild", &["block spawns"]),
        ("helped", &["helper spawns"]),
        ("in_local_set", &["set of locals"]),
        ("in_set", &["set spawns"]),
        ("parent", &["root spawns parent"]),
        ("plain", &["root spawns"]),
        ("run {closure}", &["blocking"]),
        ("parent {async block}", &["parent spawns"]),
    ];
    let expected: BTreeMap<String, Vec<u32>> = expected
        .map(|(name, markers)| (name.to_owned(), markers.iter().map(|marker| line(PROGRAM, marker)).collect()))
        .into();
    assert_eq!(lines(&snapshot), expected);
    assert!(snapshot.tasks.iter().all(|task| task.spawned_by.is_none()), "who spawned is not recorded");
}

#[test]
fn a_stable_one_does_not() {
    for profile in [Profile::Debug, Profile::Release] {
        let program = stopped(PROGRAM, profile, &["multi"]);
        let snapshot = Runtimes::new().list(&program.stop).snapshot;
        assert_eq!(snapshot.tasks.len(), 13);
        assert!(snapshot.tasks.iter().all(|task| task.spawned_at.is_none() && task.spawned_by.is_none()));
        // Where the entry function is declared is known all the same.
        let plain = snapshot.tasks.iter().find(|task| &*task.name == "spawn_zoo::plain").expect("a task");
        assert_eq!(plain.entry.as_ref().map(|entry| entry.line), Some(line(PROGRAM, "plain")));
    }
}
