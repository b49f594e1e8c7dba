//! One task for each way in which futures hold futures: what each awaits, and where.

use std::path::PathBuf;

use weft_runtimes::Runtimes;
use weft_tasks::Frame;

use crate::fixture::{Profile, markers, stopped};

const PROGRAM: &str = "branch_zoo";

/// The trees of all tasks of the program as text, by task name.
fn trees(profile: Profile) -> Vec<(String, String)> {
    let program = stopped(PROGRAM, profile, &[]);
    let runtimes = Runtimes::new();
    let listing = runtimes.list(&program.stop);
    let marked = markers(PROGRAM);
    let text = |task: &weft_tasks::Task| {
        let stack = runtimes.stack(&program.stop, &listing, task.key).expect("a stack");
        let own: Vec<Frame> = stack.frames.into_iter().filter(|frame| frame.task.is_none()).collect();
        let error = task.error.as_ref().map(|error| format!(" ERROR {error}")).unwrap_or_default();
        (short(&task.name), chain(&own, &marked) + &error)
    };
    listing.snapshot.tasks.iter().map(text).collect()
}

/// A chain as text: `f > g > join! > [h, i]`. A frame of the program's has behind `@` the marker of its line, unless that
/// is its name; a note follows in brackets.
fn chain(frames: &[Frame], marked: &[(PathBuf, u32, String)]) -> String {
    let texts: Vec<String> = frames.iter().map(|frame| node(frame, marked)).collect();
    match texts.as_slice() {
        [only] => only.clone(),
        [first, rest @ ..] if rest.len() > 2 && rest.iter().all(|text| text == first) => {
            format!("[{} × {first}]", texts.len())
        }
        _ => format!("[{}]", texts.join(", ")),
    }
}

fn node(frame: &Frame, marked: &[(PathBuf, u32, String)]) -> String {
    let name = short(&frame.name);
    let mut text = name.clone();
    if let Some(at) = frame.location.as_ref().filter(|_| frame.user_code) {
        match marked.iter().find(|(file, line, _)| *file == at.file && *line == at.line) {
            Some((_, _, marker)) if name.ends_with(marker.as_str()) => {}
            Some((_, _, marker)) => text += &format!("@{marker}"),
            None => text += &format!("@{}:{}", at.file.file_name().expect("a name").to_string_lossy(), at.line),
        }
    }
    if let Some(note) = &frame.note {
        text += &format!(" ({note})");
    }
    if !frame.children.is_empty() {
        text += &format!(" > {}", chain(&frame.children, marked));
    }
    text
}

/// Without the crate and the module.
fn short(name: &str) -> String {
    let modules = ["macros::", "sets::", "combinators::", "streams::", "written::", "lines::"];
    let own = name.strip_prefix("branch_zoo::").unwrap_or(name);
    modules.iter().find_map(|module| own.strip_prefix(module)).unwrap_or(own).to_owned()
}

/// What is expected is in `branch_zoo.txt`, a tree a line.
fn check(profile: Profile) {
    let mut expected: Vec<String> = include_str!("branch_zoo.txt").lines().map(str::to_owned).collect();
    let mut found: Vec<String> =
        trees(profile).into_iter().filter(|(name, _)| !name.starts_with("tokio::")).map(|(_, tree)| tree).collect();
    expected.sort();
    found.sort();
    let missing: Vec<_> = expected.iter().filter(|tree| !found.iter().any(|found| found == *tree)).collect();
    let unexpected: Vec<_> = found.iter().filter(|found| !expected.contains(found)).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "{profile:?}: not {missing:#?} but {unexpected:#?}");
    assert_eq!(found, expected, "{profile:?}");
}

#[test]
fn every_branch_is_found() {
    check(Profile::Debug);
}

#[test]
fn every_branch_is_found_in_optimised_code() {
    check(Profile::Release);
}

#[test]
fn every_branch_is_found_in_code_optimised_as_a_whole() {
    check(Profile::Lto);
}
