//! What a suspended task's variables are: the right value, or why there is none.

use weft_runtimes::{Body, Runtimes, Suspended};
use weft_tasks::Frame;
use weft_values::{FrameVariable, view};

use crate::fixture::{Profile, Stopped, markers, stopped};

const PROGRAM: &str = "locals_zoo";

/// The variables of the program's suspended futures, a line for each: the futures around it and its own name, then each
/// variable with its value, or why there is none; behind `;` what is said about it.
fn variables(profile: Profile) -> Vec<String> {
    let program = stopped(PROGRAM, profile, &[]);
    let runtimes = Runtimes::new();
    let listing = runtimes.list(&program.stop);
    let mut lines = Vec::new();
    for task in listing.snapshot.tasks.iter().filter(|task| task.name.starts_with("locals_zoo::")) {
        let stack = runtimes.stack(&program.stop, &listing, task.key).expect("a stack");
        if let Some(error) = task.error.as_ref().filter(|_| &*task.name != "locals_zoo::main") {
            lines.push(format!("{}: {error}", task.name.replace("locals_zoo::tricky::", "")));
        }
        let mut frames: &[Frame] = &stack.frames;
        let mut path = String::new();
        while let Some(frame) = frames.first().filter(|frame| frame.user_code && !frame.name.ends_with("::wait")) {
            let name = frame.name.replace("locals_zoo::", "").replace("tricky::", "");
            path = if path.is_empty() { name } else { format!("{path} > {name}") };
            if let Some(Body::Suspended(coroutine)) = frame.body.map(|body| &stack.bodies[body.0 as usize]) {
                lines.push(format!("{path}: {}", saved(&program, &runtimes, coroutine)));
            }
            frames = &frame.children;
        }
    }
    lines.retain(|line| !line.starts_with("main: "));
    lines.sort();
    lines
}

fn saved(program: &Stopped, runtimes: &Runtimes, coroutine: &Suspended) -> String {
    let state = runtimes.suspended(&program.stop, coroutine).expect("a state");
    let text = |variable: &FrameVariable| {
        let value = match &variable.place {
            Ok(place) => view(&program.stop, place, 2).value,
            Err(error) => error.to_string(),
        };
        let value = match value {
            value if value.contains("does not say where this one is") => "<not told>".to_owned(),
            value if value.contains("merged functions of equal code") => "<merged>".to_owned(),
            value => value,
        };
        let note = variable.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        format!("{} = {value}{note}", variable.label())
    };
    state.upvars.iter().chain(&state.locals).map(text).collect::<Vec<_>>().join(" | ")
}

/// What is expected is in `locals_zoo.txt`, a future a line. What a line has behind `||` is so in optimised code, where the
/// places of variables are lost: of several of one name those are shown that their type tells apart. Behind a second `||` is
/// what code optimised as a whole has, where functions of equal code are one; `-` is nothing.
fn check(profile: Profile) {
    let marked = markers(PROGRAM);
    let of_profile = |expected: &str| {
        let (name, values) = expected.split_once(": ").expect("a name");
        let columns: Vec<&str> = values.split(" || ").collect();
        let values = columns.get(profile as usize).or(columns.last()).expect("values");
        let at = marked.iter().find(|(_, _, marker)| marker == name).map_or(0, |(_, line, _)| *line);
        let values = values.replace("<not kept>", &format!("<not kept across the .await at line {at}>"));
        format!("{name}: {}", values.replace("<moved>", &format!("<moved or dropped before the .await at line {at}>")))
    };
    let mut expected: Vec<String> = include_str!("locals_zoo.txt").lines().map(of_profile).collect();
    let found = variables(profile);
    expected.retain(|line| !line.ends_with(": -"));
    expected.sort();
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let unexpected: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "{profile:?}: not {missing:#?} but {unexpected:#?}");
    assert_eq!(found, expected, "{profile:?}");
}

#[test]
fn variables_are_the_right_ones_or_none() {
    check(Profile::Debug);
}

#[test]
fn variables_of_optimised_code_are_the_right_ones_or_none() {
    check(Profile::Release);
}

#[test]
fn variables_of_code_optimised_as_a_whole_are_the_right_ones_or_none() {
    check(Profile::Lto);
}

/// The variables of the functions of `branch_zoo::macros`: the user's, and none that a macro made.
const BESIDE_MACROS: [(&str, &[&str]); 9] = [
    ("tokio_join", &[]),
    ("tokio_try_join", &[]),
    ("tokio_select", &[]),
    ("select_disabled", &["allowed"]),
    ("select_loop", &["rounds"]),
    ("select_by_reference", &["kept", "other"]),
    ("select_in_join", &["first"]),
    ("futures_join", &[]),
    ("futures_try_join", &[]),
];

#[test]
fn what_macros_made_is_no_variable_of_the_users() {
    for profile in [Profile::Debug, Profile::Release, Profile::Lto] {
        let program = stopped("branch_zoo", profile, &[]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        for (function, expected) in BESIDE_MACROS {
            let name = format!("branch_zoo::macros::{function}");
            let task = listing.snapshot.tasks.iter().find(|task| *task.name == *name).expect("a task");
            let stack = runtimes.stack(&program.stop, &listing, task.key).expect("a stack");
            let body = stack.frames[0].body.map(|body| &stack.bodies[body.0 as usize]);
            let Some(Body::Suspended(coroutine)) = body else { panic!("{name} is suspended") };
            let state = runtimes.suspended(&program.stop, coroutine).expect("a state");
            let mut names: Vec<_> = state.upvars.iter().chain(&state.locals).map(|local| &*local.name).collect();
            names.dedup();
            assert_eq!(names, expected, "{profile:?} {name}");
        }
    }
}
