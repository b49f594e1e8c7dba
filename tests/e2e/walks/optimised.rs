//! The same walks in optimised code: lines vanish or come in another order, but every step ends in the same task and in its source,
//! no line with an await is stopped at more often than it is evaluated, and the walk comes to its end, behind which the awaiter's
//! line comes.

use std::path::Path;

use weft_tests::programs::{Profile, program};
use weft_tests::variants::linked_as_one;
use weft_tests::{Client, Launch};

use super::branches::*;
use super::chains::*;
use super::shapes::*;
use super::walk::{Walk, stepped};
use crate::tables::task;

/// More steps than any of these walks takes.
const MOST_LINES: usize = 60;

/// What a line has that waits.
const WAITS: [&str; 3] = [".await", "join!(", "select! {"];

/// Steps over lines to the end of the task.
fn walked(walk: &Walk, program: &Path) -> Result<(), String> {
    let mut client = Client::weft();
    // Optimised code need not have kept the argument; the siblings are tasks of another function.
    let own = format!("task.name == \"walks::{}::{}\"", walk.file, walk.name);
    client.launch_configured(program, &[walk.name], &Launch::default(), |client| walk.begin_if(client, &own));
    let mut stop = client.stopped();
    client.set_breakpoints(&walk.path(), &[]);
    let mut lines = vec![walk.marker(&client.top(stop.thread))];
    let own = task(&client.stack(stop.thread));
    loop {
        let said = |what: String| Err(format!("{}: {lines:?}: {what}", walk.name));
        if lines.len() > MOST_LINES {
            return said("does not end".to_owned());
        }
        stop = match stepped(&mut client, stop.thread, "over") {
            Ok(stop) => stop,
            Err(why) => return said(why),
        };
        let frames = client.stack(stop.thread);
        if let Some(told) = stop.body["description"].as_str() {
            let end = (walk.marker(&frames[0]), told);
            if end != ("awaiter_2".to_owned(), "the task has ended; its awaiter goes on here") {
                return said(format!("{end:?}"));
            }
            break;
        }
        if frames[0].path != Some(walk.path()) || stop.reason != "step" || task(&frames) != own {
            return said(format!("left the task: {} {stop:?}", frames[0].name));
        }
        lines.push(walk.marker(&frames[0]));
    }
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let again = stops_again(walk, &lines);
    if again.is_empty() { Ok(()) } else { Err(format!("{}: {lines:?}: again at {again:?}", walk.name)) }
}

/// Lines with an await that were stopped at more often than without optimisation, where a stop is an evaluation.
fn stops_again(walk: &Walk, lines: &[String]) -> Vec<String> {
    let rows = walk.rows();
    let evaluated = |marker: &str| rows.iter().filter(|row| row.split(' ').nth(1) == Some(marker)).count();
    let text = std::fs::read_to_string(walk.path()).expect("a source file is text");
    let waiting = text.lines().filter(|line| WAITS.iter().any(|word| line.contains(word)));
    let markers = waiting.filter_map(|line| line.split_once(&format!("// BP: {} ", walk.marks)));
    let seen = |marker: &str| lines.iter().filter(|line| *line == marker).count();
    markers.filter(|(_, marker)| seen(marker) > evaluated(marker)).map(|(_, marker)| marker.to_owned()).collect()
}

fn all_keep_to_the_task(walks: &[Walk], program: &Path) {
    let wrong: Vec<String> = walks.iter().filter_map(|walk| walked(walk, program).err()).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn along_chains() {
    let walks = [CHAIN, FALLIBLE, MATCHED, TAILED, READY, REPOLLED, LONG, RECEIVED, ONE_LINE];
    all_keep_to_the_task(&walks, &program("walks", Profile::Release));
}

#[test]
fn along_branches_and_shapes() {
    let walks = [JOINED, SELECTED, TICKING, GATHERED, STREAMED, NESTED, DYNAMIC, KINDS, LARGE, CALLING];
    all_keep_to_the_task(&walks, &program("walks", Profile::Release));
}

/// Two `join!`s in one function are left out: fat LTO merges the code that polls them, and the lines of both alternate.
#[test]
fn over_all_crates() {
    let walks = [CHAIN, FALLIBLE, RECEIVED, SELECTED, TICKING, DYNAMIC, LARGE, CALLING];
    all_keep_to_the_task(&walks, &linked_as_one("walks"));
}
