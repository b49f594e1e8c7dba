//! Stacks and variables of a real program, in debug and optimised builds.

mod support;

use support::traced::Traced;
use weft_values::{Frame, Stop, WalkEnd, environment, frames, variables, view};

/// `label = value` of every variable of a frame.
fn listed(stop: &Stop, frame: &Frame) -> Vec<String> {
    variables(stop, frame)
        .iter()
        .map(|variable| match &variable.place {
            Ok(place) => format!("{} = {}", variable.label(), view(stop, place, 3).value),
            Err(error) => format!("{} = {error}", variable.label()),
        })
        .collect()
}

fn stack(stop: &Stop) -> Vec<Frame> {
    let walk = frames(stop, stop.threads[0].tid, 100);
    assert_eq!(walk.end, WalkEnd::Outermost);
    walk.frames
}

/// Frames from the innermost to `main`.
fn own(stop: &Stop) -> Vec<Frame> {
    let mut frames = stack(stop);
    let main = frames.iter().position(|frame| frame.name == "scopes::main").expect("main is on the stack");
    frames.truncate(main + 1);
    frames
}

/// What is expected at one stop: the frames up to `main`, each with its variables.
type Expected = &'static [(&'static str, &'static [&'static str])];

fn check(stop: &Stop, expected: Expected) {
    let frames = own(stop);
    let found: Vec<(&str, Vec<String>)> =
        frames.iter().take(frames.len() - 1).map(|frame| (frame.name.as_str(), listed(stop, frame))).collect();
    let expected: Vec<(&str, Vec<String>)> =
        expected.iter().map(|(name, list)| (*name, list.iter().map(|text| (*text).to_owned()).collect())).collect();
    assert_eq!(found, expected);
}

const STOPS: &[Expected] = &[
    &[("scopes::Account::deposit", &["self = Account { owner: \"ann\", balance: 15 }", "amount = 5", "before = 10"])],
    &[("scopes::Account::name", &["self = Account { owner: \"ann\", balance: 15 }", "suffix = \"!\""])],
    &[("scopes::shadows", &["x (shadowed) = 1", "x (shadowed) = 2", "x = \"inner 2\""])],
    &[("scopes::guarded", &["value = Some(9)", "k = 9"])],
    &[("scopes::patterns", &["a = 1", "b = \"two\"", "first = 3"])],
    &[("scopes::generic", &["items = <optimised out>", "copy = [\"p\", \"q\"]"])],
    &[
        ("scopes::inlined", &["left = 40", "right = 1", "sum = 41"]),
        ("scopes::caller", &["seed = 20", "doubled = 40", "item = <function item of type `fn(u8)`>"]),
    ],
];

#[test]
fn a_debug_build_shows_every_variable() {
    let mut program = Traced::start("scopes", &[]);
    for (index, expected) in STOPS.iter().enumerate() {
        let stop = program.next().unwrap_or_else(|| panic!("the program reaches stop {index}"));
        check(&stop, expected);
    }
    let stop = program.next().expect("the closure is reached");
    check(
        &stop,
        &[
            ("scopes::closures {closure}", &["by = 5", "count = 6", "text = \"captured\"", "was = 1"]),
            (
                "scopes::closures",
                &["text = \"captured\"", "count = 6", "add = closure in closures { count: 6, text: \"captured\" }"],
            ),
        ],
    );
    let stop = program.next().expect("the recursion is reached");
    let recursive = own(&stop);
    let depths: Vec<String> = recursive.iter().take(4).flat_map(|frame| listed(&stop, frame)).collect();
    assert_eq!(depths, ["depth = 0", "depth = 1", "depth = 2", "depth = 3"]);
    assert_eq!(frames(&stop, stop.threads[0].tid, 2).end, WalkEnd::Limit);
    let all = stack(&stop);
    assert!(all.iter().take(5).all(|frame| frame.user_code), "the program's own code is the user's");
    assert!(all.iter().any(|frame| frame.name.starts_with("std::rt::lang_start") && !frame.user_code));
    assert!(all.iter().enumerate().all(|(index, frame)| frame.index == index));
}

#[test]
fn coroutines_at_rest_and_running() {
    let mut program = Traced::start("scopes", &[]);
    let mut stop = program.next();
    while let Some(reached) = &stop {
        if own(reached)[0].name.starts_with("scopes::look") {
            break;
        }
        stop = program.next();
    }
    let stop = stop.expect("the future is reached");
    let look = |stop: &Stop| {
        let frames = own(stop);
        let future = variables(stop, &frames[0]).into_iter().find(|variable| variable.name == "future");
        future.expect("it is an argument").place.expect("it has a place").deref(stop).expect("it refers")
    };
    let env = look(&stop);
    assert_eq!(view(&stop, &env, 3).value, "async fn outer (not started)");
    let state = weft_values::coroutine(&stop, &env).expect("its state can be read");
    assert_eq!(state.upvars.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["start"]);

    let stop = program.next().expect("it is suspended");
    let env = look(&stop);
    let state = weft_values::coroutine(&stop, &env).expect("its state can be read");
    assert_eq!(state.phase, weft_values::CoroutinePhase::Suspended(0));
    let line = include_str!("programs/scopes.rs").lines().position(|line| line.contains("leaf(start, &limit).await"));
    assert_eq!(state.await_location.map(|at| at.line as usize), line.map(|line| line + 1));
    let text = |variables: &[weft_values::FrameVariable]| -> Vec<String> {
        let value = |it: &weft_values::FrameVariable| {
            format!("{} = {}", it.label(), view(&stop, it.place.as_ref().expect("it is there"), 3).value)
        };
        variables.iter().map(value).collect()
    };
    assert_eq!(text(&state.upvars), ["start = 41"]);
    // The environment describes only the first of several of one name; the poll function each.
    assert_eq!(text(&state.locals), ["limit (shadowed) = 42", "limit = \"42\""]);
    assert!(state.locals[0].note.is_none());
    let inner = weft_values::coroutine(&stop, &state.awaitee.expect("it awaits leaf")).expect("its state can be read");
    assert_eq!(text(&inner.upvars), ["limit = 41", "label = \"42\""]);
    assert_eq!(text(&inner.locals), ["kept = \"kept\""]);
    let yielded = inner.awaitee.expect("leaf awaits Yield");
    assert_eq!(view(&stop, &yielded, 3).value, "Yield(true)");

    let stop = program.next().expect("it runs again");
    check(
        &stop,
        &[
            ("scopes::leaf", &["limit = 41", "label = \"42\"", "kept = \"kept\"", "got = 7"]),
            ("scopes::outer", &["start = 41", "limit (shadowed) = 42", "limit = \"42\""]),
        ],
    );
    let frames = own(&stop);
    let outer = environment(&stop, &frames[1]).expect("a poll function has an environment");
    assert_eq!(outer.address(), env.address());
    assert!(environment(&stop, &frames[0]).is_some());
    assert!(environment(&stop, &frames[2]).is_none(), "main is no coroutine");

    let stop = program.next().expect("it is done");
    assert_eq!(view(&stop, &look(&stop), 3).value, "async fn outer (finished)");
}

#[test]
fn captures_are_known_by_what_was_captured() {
    let mut program = Traced::start("scopes", &[]);
    for passed in 0..13 {
        program.next().unwrap_or_else(|| panic!("the program reaches stop {passed}"));
    }
    let captured = |line: &str| ["self = ", "text = ", "list = ", "local = "].iter().any(|name| line.starts_with(name));
    let expected =
        ["self = Account { owner: \"ann\", balance: 15 }", "text = \"unsized\"", "list = [8, 9]", "local = 3"];
    let stop = program.next().expect("the closure is reached");
    let frames = own(&stop);
    assert_eq!(frames[0].name, "scopes::Account::blocks {closure}");
    assert_eq!(listed(&stop, &frames[0]), expected);

    let stop = program.next().expect("the block is suspended");
    let blocks =
        variables(&stop, &own(&stop)[0]).remove(0).place.expect("it is there").deref(&stop).expect("it refers");
    let state = weft_values::coroutine(&stop, &blocks).expect("its state can be read");
    let part = state.awaitee.expect("it awaits the block");
    let state = weft_values::coroutine(&stop, &part).expect("its state can be read");
    let text = |it: &weft_values::FrameVariable| {
        let place = it.place.as_ref().expect("it is there");
        format!("{} = {}", it.name, view(&stop, place, 3).value)
    };
    assert_eq!(state.upvars.iter().map(text).collect::<Vec<_>>(), expected);

    let stop = program.next().expect("the block runs again");
    let frames = own(&stop);
    assert_eq!(frames[0].name, "scopes::Account::blocks {async block}");
    let lines: Vec<String> = listed(&stop, &frames[0]).into_iter().filter(|line| captured(line)).collect();
    assert_eq!(lines, expected);
    let lines = listed(&stop, &frames[1]);
    assert!(lines.iter().any(|line| line.starts_with("part = <not kept across the .await at line ")), "{lines:?}");

    let stop = program.next().expect("it was resumed twice");
    let lines = listed(&stop, &own(&stop)[0]);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("between = <not kept across the .await at line "), "{lines:?}");
    assert_eq!(lines[1], "after = 3");
}

/// `frame: label = value` at every stop.
fn everything(flags: &[&str]) -> Vec<Vec<String>> {
    let mut program = Traced::start("scopes", flags);
    let lines = |stop: Stop| {
        let of_frame = |frame: &Frame| {
            let line = |line: String| format!("{}: {line}", frame.name);
            listed(&stop, frame).into_iter().map(line).collect::<Vec<_>>()
        };
        own(&stop).iter().flat_map(of_frame).collect()
    };
    std::iter::from_fn(|| program.next()).map(lines).collect()
}

#[test]
fn an_optimised_build_shows_what_is_known_and_never_something_else() {
    let (debug, optimised) = (everything(&[]), everything(&["-O"]));
    assert_eq!((debug.len(), optimised.len()), (17, 17));
    let mut known = 0;
    for (stop, (debug, optimised)) in debug.iter().zip(&optimised).enumerate() {
        for line in optimised.iter().filter(|line| !line.contains('<')) {
            known += 1;
            // A constant is known to the optimiser even where the debug build has lost its slot.
            let label = line.split(" = ").next().unwrap_or(line);
            let lost = format!("{label} = <");
            let agrees = debug.iter().any(|other| other == line || other.starts_with(&lost));
            assert!(agrees, "stop {stop} shows {line}, the debug build {debug:#?}");
        }
    }
    assert!(known > 40, "only {known} values are known");
}
