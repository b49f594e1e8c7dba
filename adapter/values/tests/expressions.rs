//! Expressions over a real program's values.

mod support;

use support::{Program, shown};
use weft_values::{EvaluateError, FrameVariable, Variables, Within, evaluate, typed_name, view};

fn scope(program: &Program) -> Vec<FrameVariable> {
    let variable = |shown: support::Shown| FrameVariable {
        name: shown.name,
        role: weft_symbols::Role::Local,
        ty: Some(shown.place.ty.clone()),
        place: Ok(shown.place),
        shadowed: false,
        decl_line: 0,
        note: None,
    };
    shown(program).into_iter().map(variable).collect()
}

#[test]
fn expressions_reach_what_they_name() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let read = |text: &str| match evaluate(&program.stop, &Variables(&variables), text) {
        Ok(place) => view(&program.stop, &place, 3).value,
        Err(error) => error.to_string(),
    };
    for (text, value) in [
        ("v_point", "Point { x: -1, y: 2 }"),
        ("v_point.x", "-1"),
        ("(v_point).y", "2"),
        ("v_tuple.1", "\"two\""),
        ("p_box.x", "7"),
        ("(*p_box).y", "8"),
        ("f_rc.y", "2"),
        ("*f_rc", "Point { x: 1, y: 2 }"),
        ("a_vec[1]", "2"),
        ("a_points[1].x", "3"),
        ("a_slice[a_vec[0]]", "-2"),
        ("f_arc_slice[0].x", "1"),
        ("a_vec[1..]", "[2, 3]"),
        ("a_vec[..=1]", "[1, 2]"),
        ("a_deque[3]", "5"),
        ("node.next.0.value", "2"),
        ("d_text.text", "\"hi\""),
        ("c_refcell.value[0]", "1"),
        ("f_raw", "*"),
        ("*f_raw", "65535"),
        ("f_closure.captured", "\"cap\""),
        ("v_point.z", "no field `z` on type `Point`; did you mean `x` or `y`?"),
        ("a_vec[3]", "index 3 is out of range: the length is 3"),
        ("v_point[0]", "type `Point` cannot be indexed"),
        ("*v_u8", "type `u8` cannot be dereferenced"),
        (
            "a_vec.len()",
            "functions and methods of the program are not called; paths, fields, indices, `*` and literals can be evaluated",
        ),
        (
            "v_u8 + 1",
            "arithmetic and comparisons are not done; paths, fields, indices, `*` and literals can be evaluated",
        ),
        ("", "this is not a Rust expression: there is nothing to evaluate"),
    ] {
        if value == "*" {
            assert!(read(text).starts_with("0x7f"), "{text}");
        } else {
            assert_eq!(read(text), value, "{text}");
        }
    }
    assert!(matches!(evaluate(&program.stop, &Variables(&variables), "a +"), Err(EvaluateError::Syntax(_))));
    assert!(matches!(
        evaluate(&program.stop, &Variables(&variables), &"(".repeat(4000)),
        Err(EvaluateError::Syntax(_))
    ));
}

#[test]
fn names_and_literals_come_from_the_program() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let read = |text: &str| match evaluate(&program.stop, &Variables(&variables), text) {
        Ok(place) => view(&program.stop, &place, 3).value,
        Err(error) => error.to_string(),
    };
    for (text, value) in [
        ("5", "5"),
        ("-1", "-1"),
        ("200u8", "200"),
        ("true", "true"),
        ("'a'", "'a'"),
        ("1.5", "1.5"),
        ("values::COUNTER", "17"),
        ("v_pont", "no variable `v_pont` in this frame; did you mean `v_point`?"),
    ] {
        assert_eq!(read(text), value, "{text}");
    }
}

#[test]
fn statics_are_named_as_in_the_source_of_the_frame() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let within = Within { variables: &variables, path: "values::main" };
    for name in ["COUNTER", "crate::COUNTER", "values::COUNTER"] {
        let place = evaluate(&program.stop, &within, name).expect("it is found");
        assert_eq!(view(&program.stop, &place, 3).value, "17", "{name}");
    }
    assert!(evaluate(&program.stop, &Variables(&variables), "COUNTER").is_err());
}

#[test]
fn keywords_are_typed_raw() {
    let program = Program::start("values", &[]);
    let mut variables = scope(&program);
    variables.truncate(1);
    variables[0].name = "type".to_owned();
    assert_eq!(typed_name("type"), "r#type");
    assert!(evaluate(&program.stop, &Variables(&variables), &typed_name("type")).is_ok());
    for name in ["self", "plain", "0", "self.v"] {
        assert_eq!(typed_name(name), name);
    }
}
