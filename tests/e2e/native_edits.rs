//! Variables of native programs get other values, and the program goes on with them.

use serde_json::{Value, json};
use weft_tests::Client;
use weft_tests::programs::{Profile, line, program, source};

fn look() -> (Client, i64, i64) {
    look_at("sync_zoo/src/values.rs", "values")
}

/// At the line that is named like the part of the program.
fn look_at(file: &str, part: &str) -> (Client, i64, i64) {
    let mut client = Client::weft();
    let stop = client.launch_to(&program("sync_zoo", Profile::Debug), &[part], source(file), line(file, part));
    let frame = client.top(stop.thread).id;
    let scopes = client.scopes(frame);
    let locals = scopes.iter().find(|scope| scope.name == "Locals").expect("the scope").reference;
    (client, frame, locals)
}

/// What an assignment answers: value and type, or the error. A client is told to read again after a change, and only then.
fn said(client: &mut Client, command: &str, asked: Value) -> String {
    match client.request(command, asked) {
        Ok(body) => {
            assert_eq!(client.event("invalidated"), json!({"areas": ["variables"]}));
            format!("{}: {}", body["value"].as_str().expect("a value"), body["type"].as_str().expect("a type"))
        }
        Err(failure) => {
            assert_eq!(client.take_events("invalidated"), Vec::<Value>::new());
            format!("! {}", failure.message)
        }
    }
}

fn set_variable(client: &mut Client, container: i64, name: &str, value: &str) -> String {
    said(client, "setVariable", json!({"variablesReference": container, "name": name, "value": value}))
}

fn set_expression(client: &mut Client, frame: i64, target: &str, value: &str) -> String {
    said(client, "setExpression", json!({"expression": target, "value": value, "frameId": frame}))
}

/// By name in a scope or a value, and by expression; numbers of frames and variables stay what they were.
#[test]
fn the_program_goes_on_with_what_is_set() {
    let (mut client, frame, locals) = look();
    for (name, value, told) in [
        ("truth", "number == 41", "false: bool"),
        ("letter", "'z'", "'z': char"),
        ("byte", "byte - 100", "100: u8"),
        ("negative", "-6", "-6: i8"),
        ("wide", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455: u128"),
        ("ratio", "ratio * 2.0", "5.0: f64"),
        ("small", "0.5", "0.5: f32"),
        ("owned", "\"né\"", "\"né\": String"),
        ("none", "Some(numbers.len() as u32)", "Some(4): Option<u32>"),
        ("some", "None", "None: Option<u32>"),
        ("level", "Level::Low", "Low: Level"),
        ("low", "level", "Low: Level"),
        ("circle", "Shape::Circle(0.5)", "Circle(0.5): Shape"),
        ("empty", "Shape::Circle(2.5)", "Circle(2.5): Shape"),
        (
            "reference",
            "&points[1]",
            "! a `&&Point` can be set to another `&&Point`, or to the `&` of what it may refer to; what it refers to is set by `*`",
        ),
    ] {
        assert_eq!(set_variable(&mut client, locals, name, value), told, "{name}");
    }
    for (target, value, told) in [
        ("array[1]", "21", "21: u16"),
        ("numbers[0] ", "answer as i32", "43: i32"),
        ("*shared", "6", "6: u32"),
        ("list.next.0.value", "9", "9: i32"),
        ("tuple.1", "'y'", "'y': char"),
        ("good", "Ok(7)", "Ok(7): Result<u8, String>"),
        ("slice", "slice", "[2, 3]: &[i32]"),
        ("words[1]", "\"2\"", "\"2\": String"),
    ] {
        assert_eq!(set_expression(&mut client, frame, target, value), told, "{target}");
    }
    let rect = client.evaluate("rect", frame).reference;
    assert_eq!(set_variable(&mut client, rect, "width", "5"), "5: u32");
    let points = client.evaluate("points", frame).reference;
    let second = client.variables(points)[1].reference;
    assert_eq!(set_variable(&mut client, second, "y", "-8"), "-8: i32");
    // What was handed out before still answers, with what is there now.
    assert_eq!(client.variables(second)[1].value, "-8");
    assert_eq!(client.variables(locals).iter().find(|it| it.name == "byte").expect("it is there").value, "100");
    let thread = client.debuggee().into();
    client.resume(thread);
    assert_eq!(client.exited(), 0);
    let printed = client.output("stdout");
    let expected = "43 false z 100 -6 340282366920938463463374607431768211455 5 0.5 () Unit\n\
        Pair(9, \"nine\") (1, 'y', 2.5) né 10000 Some(4) None Some(6) None Err(\"bad\") Ok(7)\n\
        Circle(2.5) Circle(0.5) Rect { width: 5, height: 3 } Low Low [10, 21, 30] [43, 2, 3, 4] [\"one\", \"2\"] [2, 3] 1000\n\
        [Point { x: 3, y: -4 }, Point { x: 7, y: -8 }] Point { x: 1, y: 2 } 6 Node { value: 1, next: Some(Node { value: 9, next: None }) }";
    assert!(printed.starts_with(expected), "{printed}");
}

#[test]
fn what_cannot_be_set_says_why() {
    let (mut client, frame, locals) = look();
    for (name, value, told) in [
        ("byte", "256", "the number 256 does not fit `u8`"),
        ("byte", "number", "a `u8` cannot be set to `i64`; convert it: `as u8`"),
        ("truth", "1", "a `bool` cannot be set to `integer`"),
        ("ratio", "2", "a `f64` cannot be set to `integer`; write the number with a point: `1.0`"),
        ("owned", "long", "the text has 10000 bytes, and this `String` has memory for 16; the debugger allocates none"),
        ("owned", "5", "a `String` is set to a text: `\"..\"`, and this is `integer`"),
        ("level", "5", "a `Level` cannot be set to `integer`; it is set to a variant: `Level::..`"),
        ("level", "Level::Middle", "no variable `Level::Middle` in this frame"),
        ("some", "5", "a `Option<u32>` is set to one of its variants, with what it holds: `Some(5)`, `None`"),
        ("some", "Some(true)", "a `u32` cannot be set to `bool`"),
        ("some", "Some", "`Option::Some` holds 1 values in brackets, not 0"),
        ("empty", "Shape::Rect", "`Rect` has named fields: a `Shape` cannot be set to it as a whole"),
        ("failed", "Err(\"worse\")", "a `String` is not set as a whole: set its fields"),
        ("boxed", "boxed", "a `Box<Point>` is not set as a whole: set its fields"),
        ("numbers", "numbers", "a `Vec<i32>` is not set as a whole: set its fields"),
        ("nobody", "1", "there is no `nobody` here"),
        ("byte", "byt", "no variable `byt` in this frame; did you mean `byte`?"),
    ] {
        assert_eq!(set_variable(&mut client, locals, name, value), format!("! {told}"), "{name} = {value}");
    }
    let told = set_expression(&mut client, frame, "word", "\"other\"");
    assert!(
        told.starts_with("! a `&str` can be set to another `&str`, or to the `&` of what it may refer to"),
        "{told}"
    );
    let told = set_expression(&mut client, frame, "byte + 1", "2");
    assert_eq!(
        told,
        "! this value lies nowhere in memory: it is computed, or held in a register, and cannot be set here"
    );
    assert_eq!(client.evaluate("byte", frame).value, "200");
    client.disconnect();
}

/// Wrappers of numbers, entries of maps, elements of lists; and what a program goes by is left alone.
#[test]
fn what_holds_numbers_is_set_unless_it_goes_by_them() {
    let (mut client, frame, locals) = look_at("sync_zoo/src/edits.rs", "edits");
    for (name, value, told) in [
        ("hidden", "4", "4: i32"),
        ("flag", "true", "true: AtomicBool"),
        ("count", "8", "8: AtomicUsize"),
        ("cell", "false", "Cell { value: false }: Cell<bool>"),
        ("small", "9", "9: NonZero<u16>"),
        ("small", "0", "! this type has no zero"),
        ("raw", "0", "0x0: *const u32"),
    ] {
        assert_eq!(set_variable(&mut client, locals, name, value), told, "{name}");
    }
    let ambiguous = |name: &str| {
        format!(
            "! more than one may be called `{name}` here, so that it is not known which is meant; what has an expression \
             is reached by that"
        )
    };
    assert_eq!(set_variable(&mut client, locals, "hidden (shadowed)", "9"), ambiguous("hidden (shadowed)"));
    let of_set = "! elements of a set are not set: the set finds them by their values";
    let of_heap = "! elements of a heap are not set: the heap is ordered by them";
    for (container, name, told) in [
        ("hashed", "[0]", of_set),
        ("ranks", "[1]", of_set),
        ("heap", "[0]", of_heap),
        ("linked", "[1]", "9: i32"),
        ("ages", "[\"ada\"]", "9: u32"),
        ("ages", "[\"eve\"]", "! there is no `[\"eve\"]` here"),
    ] {
        let inside = client.evaluate(container, frame).reference;
        assert_eq!(set_variable(&mut client, inside, name, "9"), told, "{container}");
    }
    let ranks = client.evaluate("ranks", frame).reference;
    let first = client.variables(ranks)[0].reference;
    assert_eq!(set_variable(&mut client, first, "level", "9"), of_set);
    let texts = client.evaluate("texts", frame).reference;
    let second = client.variables(texts)[1].clone();
    assert_eq!(set_variable(&mut client, texts, &second.name, "9"), ambiguous(&second.name));
    assert_eq!(set_expression(&mut client, frame, "texts.values().nth(1)", "9"), "9: i32");
    let thread = client.debuggee().into();
    client.resume(thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(
        client.output("stdout"),
        "1\n2\n4 true 8 Cell { value: false } 9 0x0\n\
         {1} {Rank { level: 1 }, Rank { level: 2 }} [4] [1, 9] {\"ada\": 9} [1, 9]\n"
    );
}

/// The names that may follow a text, each with what it is and where it is put.
fn completed(client: &mut Client, frame: i64, text: &str) -> Vec<(String, String)> {
    let column = text.chars().count() + 1;
    let body = client.ask("completions", json!({"frameId": frame, "text": text, "column": column}));
    let word = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    weft_tests::list(&body["targets"]).map(|item| (word(item, "label"), word(item, "type"))).collect()
}

#[test]
fn names_complete_what_is_typed() {
    let (mut client, frame, _) = look();
    let pairs = |names: &[(&str, &str)]| {
        names.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(completed(&mut client, frame, "number + poi"), pairs(&[("points", "variable")]));
    assert_eq!(completed(&mut client, frame, "place."), pairs(&[("x", "field"), ("y", "field")]));
    assert_eq!(completed(&mut client, frame, "points[1]."), pairs(&[("x", "field"), ("y", "field")]));
    assert_eq!(completed(&mut client, frame, "rect.w"), pairs(&[("width", "field")]));
    assert_eq!(
        completed(&mut client, frame, "byte + owned."),
        pairs(
            &["len", "is_empty", "contains", "starts_with", "ends_with", "chars", "as_bytes"].map(|it| (it, "method"))
        )
    );
    assert_eq!(completed(&mut client, frame, "some.is_"), pairs(&[("is_some", "method"), ("is_none", "method")]));
    assert_eq!(completed(&mut client, frame, "nobody."), pairs(&[]));
    assert_eq!(completed(&mut client, frame, "\"a.b\"."), pairs(&[]));
    client.disconnect();
}
