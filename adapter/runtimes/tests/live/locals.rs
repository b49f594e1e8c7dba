//! What a suspended task's variables are: the right value, or why there is none.

use weft_runtimes::{Body, Runtimes};
use weft_values::{coroutine, view};

use crate::fixture::{Profile, line, stopped};

/// The variables of a task's outermost future: name and value, or why there is none; behind `;` what is said about it.
fn variables(profile: Profile) -> impl Fn(&str) -> Vec<String> {
    let program = stopped("locals_zoo", profile, &[]);
    let runtimes = Runtimes::new();
    let listing = runtimes.list(&program.stop);
    move |name: &str| {
        let full = format!("locals_zoo::{name}");
        let task = listing.snapshot.tasks.iter().find(|task| *task.name == *full).expect("a task");
        let stack = runtimes.stack(&program.stop, &listing, task.key).expect("a stack");
        let body = stack.frames[0].body.expect("a body");
        let Body::Suspended(environment) = &stack.bodies[body.0 as usize] else { panic!("{name} runs") };
        let state = coroutine(&program.stop, environment).expect("a state");
        let text = |variable: &weft_values::FrameVariable| {
            let value = match &variable.place {
                Ok(place) => view(&program.stop, place, 2).value,
                Err(error) => format!("<{error}>"),
            };
            let note = variable.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            format!("{} = {value}{note}", variable.label())
        };
        state.upvars.iter().chain(&state.locals).map(text).collect()
    }
}

fn not_kept(name: &str, marker: &str) -> String {
    format!("{name} = <<not kept across the .await at line {}>>", line("locals_zoo", marker))
}

#[test]
fn variables_are_the_right_ones_or_none() {
    let of = variables(Profile::Debug);
    assert_eq!(of("kept"), ["number = 1", "text = \"kept 1\""]);
    assert_eq!(of("shadowed"), ["x (shadowed) = 7", "x (shadowed) = \"text 7\"", "x = [1, 2, 6]"]);
    assert_eq!(of("outer_kept"), ["x (shadowed) = \"outer\"", &not_kept("x", "outer_kept")]);
    assert_eq!(of("inner_kept"), ["x = \"inner\""]);
    assert_eq!(of("rebound"), ["seconds = 61"]);
    let passed = "number = 5; the value that was passed; the binding is not kept across the .await";
    assert_eq!(of("argument_not_kept"), [passed, &not_kept("text", "argument_not_kept")]);
    assert_eq!(of("not_kept"), [not_kept("number", "not_kept")]);
    assert_eq!(of("moved"), ["flag = true", &not_kept("text", "moved")]);
    assert_eq!(of("not_yet"), [not_kept("late", "not_yet")]);
    assert_eq!(of("main {async block}"), ["captured = \"captured\"", "number = 8"]);
}

/// There the places of variables are mostly lost: of several of one name the one that is described is shown.
#[test]
fn variables_of_optimised_code_are_the_saved_ones() {
    let of = variables(Profile::Release);
    assert_eq!(of("kept"), ["number = 1", "text = \"kept 1\""]);
    let only =
        "x (shadowed) = 7; another variable named `x` is saved here; the debug information describes only this one";
    assert_eq!(of("shadowed"), [only]);
    assert_eq!(of("inner_kept"), ["x = \"inner\""]);
    assert_eq!(of("rebound"), ["seconds = 61"]);
    assert_eq!(of("argument_not_kept")[1], not_kept("text", "argument_not_kept"));
    assert_eq!(of("not_kept"), [""; 0]);
    assert_eq!(of("moved"), ["flag = true"]);
    assert_eq!(of("not_yet"), [""; 0]);
    assert_eq!(of("main {async block}"), ["captured = \"captured\"", "number = 8"]);
}
