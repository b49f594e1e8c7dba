//! Values as a Rust programmer would write them.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Variable};

const FILE: &str = "sync_zoo/src/values.rs";

fn look() -> (Client, i64) {
    let mut client = Client::weft();
    let stop = client.launch_to(&program("sync_zoo", Profile::Debug), &["values"], source(FILE), line(FILE, "values"));
    let frame = client.top(stop.thread).id;
    (client, frame)
}

/// Name, value, type. `…` at the end of a value: what follows is not compared.
const SHOWN: &[(&str, &str, &str)] = &[
    ("number", "42", "i64"),
    ("word", "\"argument\"", "&str"),
    ("place", "Point { x: 3, y: -4 }", "&Point"),
    ("truth", "true", "bool"),
    ("letter", "'é'", "char"),
    ("byte", "200", "u8"),
    ("negative", "-5", "i8"),
    ("wide", "1267650600228229401496703205376", "u128"),
    ("ratio", "2.5", "f64"),
    ("small", "0.25", "f32"),
    ("nothing", "()", "()"),
    ("unit", "Unit", "Unit"),
    ("pair", "Pair(9, \"nine\")", "Pair"),
    ("tuple", "(1, 'z', 2.5)", "(u8, char, f64)"),
    ("owned", "\"naïve \\\"quoted\\\"\\n\"", "String"),
    ("none", "None", "Option<u32>"),
    ("some", "Some(5)", "Option<u32>"),
    ("niche", "Some(6)", "Option<Box<u32>>"),
    ("no_box", "None", "Option<Box<u32>>"),
    ("failed", "Err(\"bad\")", "Result<u8, String>"),
    ("good", "Ok(1)", "Result<u8, String>"),
    ("empty", "Empty", "Shape"),
    ("circle", "Circle(1.5)", "Shape"),
    ("rect", "Rect { width: 2, height: 3 }", "Shape"),
    ("level", "High", "Level"),
    ("low", "Low", "Level"),
    ("array", "[10, 20, 30]", "[u16; 3]"),
    ("numbers", "[1, 2, 3, 4]", "Vec<i32>"),
    ("words", "[\"one\", \"two\"]", "Vec<String>"),
    ("slice", "[2, 3]", "&[i32]"),
    ("points", "[Point { x: 3, y: -4 }, Point { x: 7, y: 8 }]", "Vec<Point>"),
    ("boxed", "Point { x: 1, y: 2 }", "Box<Point>"),
    ("shared", "Rc(strong=1) 5", "Rc<u32>"),
    ("list", "Node { value: 1, next: Some(Node { value: 2, next: None }) }", "Node"),
    ("reference", "Point { x: 3, y: -4 }", "&&Point"),
    ("answer", "43", "i64"),
];

fn find<'a>(variables: &'a [Variable], name: &str) -> &'a Variable {
    variables.iter().find(|variable| variable.name == name).unwrap_or_else(|| panic!("no {name} in {variables:?}"))
}

#[test]
fn every_kind_is_shown() {
    let (mut client, frame) = look();
    let locals = client.locals(frame);
    let mut wrong = Vec::new();
    for (name, value, type_name) in SHOWN {
        let shown = find(&locals, name);
        if (shown.value.as_str(), shown.type_name.as_str()) != (*value, *type_name) {
            wrong.push(format!("{name}: {} / {}, not {value} / {type_name}", shown.value, shown.type_name));
        }
        // What is shown can be asked for.
        let expression = shown.evaluate_name.clone().unwrap_or_else(|| panic!("{name} has no expression"));
        assert_eq!(client.evaluate(&expression, frame).value, shown.value, "{expression}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let arguments: Vec<&str> = locals.iter().take(3).map(|variable| variable.name.as_str()).collect();
    assert_eq!(arguments, ["place", "number", "word"]);
    client.disconnect();
}

#[test]
fn paths_lead_inside() {
    let (mut client, frame) = look();
    let table = [
        ("place.x", "3"),
        ("place.y", "-4"),
        ("(*place).y", "-4"),
        ("pair.1", "\"nine\""),
        ("tuple.2", "2.5"),
        ("array[1]", "20"),
        ("numbers[3]", "4"),
        ("words[1]", "\"two\""),
        ("slice[0]", "2"),
        ("points[1].x", "7"),
        ("boxed.y", "2"),
        ("many[999]", "999"),
        ("list.value", "1"),
        ("*niche", "<"),
    ];
    for (expression, value) in &table[..table.len() - 1] {
        assert_eq!(client.evaluate(expression, frame).value, *value, "{expression}");
    }
    client.disconnect();
}

#[test]
fn operators_compute_and_compare() {
    let (mut client, frame) = look();
    for (expression, value) in [
        ("number + 1", "43"),
        ("number * 2 == 84 && !(place.x > 5)", "true"),
        ("place.x + place.y", "-1"),
        ("pair.1 == \"nine\"", "true"),
        ("pair.1 < \"nine\"", "false"),
        ("array[array[0] as usize / 10]", "20"),
        ("tuple.2 * 2.0", "5.0"),
        ("boxed.y as f64 / 4.0", "0.5"),
        ("many[number as usize] == 42", "true"),
        ("\"text\"", "\"text\""),
        ("numbers.len() == 4 && words.contains(\"two\")", "true"),
        ("rect is Shape::Rect { width: 1..=2, .. }", "true"),
        ("some.unwrap() + numbers.iter().count() as u32", "9"),
    ] {
        assert_eq!(client.evaluate(expression, frame).value, value, "{expression}");
    }
    for (expression, sentence) in [
        ("number / 0", "divides by zero"),
        ("place.x == \"three\"", "cannot compare `i32` with `str`"),
        ("place == 3", "cannot compare `Point` with `integer`; compare their fields"),
        ("numbers.sum() == 4", "`sum` is a function of the program, and those are not called"),
    ] {
        let told = client.cannot_evaluate(expression, frame);
        assert!(told.contains(sentence), "{expression}: {told}");
    }
    client.disconnect();
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let (mut client, frame) = look();
    for (expression, told) in
        [("nobody", "nobody"), ("place.z", "z"), ("numbers[4]", "4"), ("tuple.", ""), ("truth.x", "x"), ("sum(", "")]
    {
        let sentence = client.cannot_evaluate(expression, frame);
        assert!(!sentence.is_empty() && sentence.contains(told), "{expression}: {sentence}");
    }
    // The session has not suffered.
    assert_eq!(client.evaluate("number", frame).value, "42");
    client.disconnect();
}

#[test]
fn long_things_are_cut_and_paged() {
    let (mut client, frame) = look();
    let locals = client.locals(frame);
    let long = find(&locals, "long");
    assert!(long.value.starts_with("\"xxxx") && long.value.len() < 2_000, "{} characters", long.value.len());
    assert!(
        long.value.contains("10000") || long.value.contains("10 000"),
        "its length is said: {}",
        &long.value[long.value.len() - 40..]
    );

    let many = find(&locals, "many");
    assert_eq!(many.indexed, 1_000);
    assert!(many.value.starts_with("[0, 1, 2, ") && many.value.len() < 1_000, "{}", many.value);
    let page = client.ask(
        "variables",
        json!({"variablesReference": many.reference, "filter": "indexed", "start": 990, "count": 20}),
    );
    let page: Vec<(&str, &str)> = weft_tests::list(&page["variables"])
        .filter_map(|variable| Some((variable["name"].as_str()?, variable["value"].as_str()?)))
        .collect();
    assert_eq!(page.len(), 10);
    assert_eq!((page[0], page[9]), (("[990]", "990"), ("[999]", "999")));
    client.disconnect();
}

#[test]
fn trees_open_level_by_level() {
    let (mut client, frame) = look();
    let locals = client.locals(frame);
    let names = |variables: &[Variable]| variables.iter().map(|variable| variable.name.clone()).collect::<Vec<_>>();
    let point = client.variables(find(&locals, "place").reference);
    assert_eq!(names(&point), ["x", "y"]);
    assert_eq!((point[0].value.as_str(), point[0].reference), ("3", 0));
    let rect = client.variables(find(&locals, "rect").reference);
    assert_eq!(names(&rect), ["width", "height"]);
    let pair = client.variables(find(&locals, "pair").reference);
    assert_eq!(names(&pair), ["0", "1"]);
    let numbers = client.variables(find(&locals, "numbers").reference);
    assert_eq!(names(&numbers), ["[0]", "[1]", "[2]", "[3]"]);
    let list = client.variables(find(&locals, "list").reference);
    assert_eq!(names(&list), ["value", "next"]);
    client.disconnect();
}

#[test]
fn references_end_with_their_stop() {
    let (mut client, frame) = look();
    let reference = find(&client.locals(frame), "place").reference;
    let stop = client.step("next", client.debuggee().into());
    for (command, arguments) in [
        ("variables", json!({"variablesReference": reference})),
        ("scopes", json!({"frameId": frame})),
        ("evaluate", json!({"frameId": frame, "expression": "number"})),
    ] {
        let failure = client.refused(command, arguments);
        assert!([1301, 1302].contains(&failure.id), "{command}: {failure:?}");
    }
    let failure = client.refused("stackTrace", json!({"threadId": 999_999}));
    assert_eq!(failure.id, 1303, "{failure:?}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let failure = client.refused("stackTrace", json!({"threadId": stop.thread}));
    assert_ne!(failure.message, "");
    assert_eq!(client.take_events("stopped"), Vec::<Value>::new());
}

#[test]
fn callers_frames_have_their_own_variables() {
    let (mut client, _) = look();
    let thread = i64::from(client.debuggee());
    let frames = client.stack(thread);
    assert_eq!(frames[0].name, "sync_zoo::values::look");
    assert_eq!((frames[1].name.as_str(), frames[2].name.as_str()), ("sync_zoo::values::all", "sync_zoo::main"));
    assert_eq!(client.evaluate("point", frames[1].id).value, "Point { x: 3, y: -4 }");
    assert!(frames[3..].iter().all(|frame| frame.hint == "subtle"), "below main is the standard library: {frames:?}");
    // Slices of a stack fit together.
    let mut joined = Vec::new();
    for start in 0..frames.len() {
        let body = client.ask("stackTrace", json!({"threadId": thread, "startFrame": start, "levels": 1}));
        joined.extend(
            weft_tests::list(&body["stackFrames"]).filter_map(|frame| frame["name"].as_str().map(str::to_owned)),
        );
    }
    assert_eq!(joined, frames.iter().map(|frame| frame.name.clone()).collect::<Vec<_>>());
    client.disconnect();
}
