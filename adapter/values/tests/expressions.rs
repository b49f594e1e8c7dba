//! Expressions over a real program's values.

mod support;

use support::{Program, shown};
use weft_values::{
    EvaluateError, Filter, FrameVariable, Variables, Within, as_operand, children, evaluate, typed_name, view,
};

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
        ("a_vec.len()", "3"),
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

/// Every expression with its value and its type, or with the reason why it has none.
#[test]
fn operators_follow_the_rules_of_rust() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let read = |text: &str| match evaluate(&program.stop, &Variables(&variables), text) {
        Ok(place) => {
            let view = view(&program.stop, &place, 3);
            format!("{}: {}", view.value, view.type_name)
        }
        Err(error) => error.to_string(),
    };
    let expected = [
        // Arithmetic, in the type of the operands.
        ("v_u8 + 1", "201: u8"),
        ("v_u8 - 201", "`200 - 201` overflows `u8`; widen it: `as i128`"),
        ("v_u8 + 56", "`200 + 56` overflows `u8`; widen it: `as i128`"),
        ("v_u8 as u32 + 56", "256: u32"),
        ("v_i32 - 1", "`-2147483648 - 1` overflows `i32`; widen it: `as i128`"),
        ("v_u64 as i128 + 1", "18446744073709551616: i128"),
        ("v_u128 == 340282366920938463463374607431768211455", "true: bool"),
        ("v_u128 - 1 < v_u128", "true: bool"),
        ("v_u128 + 1", "`340282366920938463463374607431768211455 + 1` overflows `u128`; widen it: `as i128`"),
        ("v_i128 / -1", "`-170141183460469231731687303715884105728 / -1` overflows `i128`; widen it: `as i128`"),
        ("v_usize * 3 % 4", "3: usize"),
        ("v_usize / 0", "`5 / 0` divides by zero"),
        ("v_usize % 0", "`5 % 0` divides by zero"),
        ("-v_isize", "5: isize"),
        ("-v_u8", "cannot negate `u8`, which has no sign; convert it: `as i128`"),
        ("-v_i8", "`-(-128)` overflows `i8`; widen it: `as i128`"),
        ("!v_u8", "55: u8"),
        ("!v_isize", "4: isize"),
        ("!v_bool", "false: bool"),
        ("v_u8 & 0x0f | 0x10 ^ 0x11", "9: u8"),
        ("v_u8 << 1", "144: u8"),
        ("v_u8 >> v_usize", "6: u8"),
        ("v_u8 << 8", "`200 << 8` overflows `u8`; widen it: `as i128`"),
        ("v_i16 >> 1", "-1: i16"),
        ("1 + 2 * 3 - -4", "11: i32"),
        ("(1 + 2) * 3", "9: i32"),
        ("1 << 40", "1099511627776: i64"),
        ("v_f32 * 2.0", "3.0: f32"),
        ("v_f64 + 0.2", "0.1: f64"),
        ("v_f64 / 0.0", "-inf: f64"),
        ("v_f32 + 1", "cannot compute `f32 + integer`; write the number with a point: `1.0`"),
        ("v_f32 + v_f64", "cannot compute `f32 + f64`; convert one side: `as f64`"),
        ("v_u8 + v_u16", "cannot compute `u8 + u16`; convert one side: `as u16`"),
        ("v_usize == v_u64", "cannot compare `usize` with `u64`; convert one side: `as usize`"),
        ("v_u8 == 256", "the number 256 does not fit `u8`"),
        ("v_u8 == -1", "the number -1 does not fit `u8`"),
        ("300u8", "the number 300 does not fit `u8`"),
        ("5q8", "this is not a Rust expression: there is no number type `q8`"),
        // Conversions.
        ("v_u16 as u8", "255: u8"),
        ("v_i8 as u8", "128: u8"),
        ("v_i8 as u32", "4294967168: u32"),
        ("v_f64 as i32", "0: i32"),
        ("-1.9 as i32", "-1: i32"),
        ("300.5 as u8", "255: u8"),
        ("-5.0 as u8", "0: u8"),
        ("v_nan as u8", "0: u8"),
        ("v_inf as i64", "9223372036854775807: i64"),
        ("v_i32 as f64", "-2147483648.0: f64"),
        ("97u8 as char", "'a': char"),
        ("v_char as u32", "233: u32"),
        ("v_bool as u8", "1: u8"),
        ("e_b as u8", "7: u8"),
        ("e_c as i32", "-3: i32"),
        ("v_u16 as char", "cannot convert `u16` to `char`"),
        ("v_point as u8", "cannot convert `Point` to `u8`"),
        // Comparisons.
        ("v_u8 == 200", "true: bool"),
        ("v_u8 != 200", "false: bool"),
        ("v_isize < 0", "true: bool"),
        ("v_u64 > 0xffff", "true: bool"),
        ("v_i64 <= -9223372036854775808", "true: bool"),
        ("v_char == 'é'", "true: bool"),
        ("v_char > 'z'", "true: bool"),
        ("v_nan == v_nan", "false: bool"),
        ("v_nan != v_nan", "true: bool"),
        ("v_f32 >= 1.5", "true: bool"),
        ("v_bool == true", "true: bool"),
        ("v_bool > v_false", "true: bool"),
        ("v_bool && v_false || v_bool", "true: bool"),
        ("v_false && v_u8 / 0 == 1", "false: bool"),
        ("v_bool || v_u8 / 0 == 1", "true: bool"),
        ("v_bool && v_u8 / 0 == 1", "`200 / 0` divides by zero"),
        ("v_bool & v_false", "false: bool"),
        ("v_bool ^ v_false", "true: bool"),
        ("v_u8 && v_bool", "`&&` needs a `bool` on both sides, and this is `u8`; compare it: `!= 0`"),
        ("v_u8 == \"200\"", "cannot compare `u8` with `str`"),
        ("v_u8 == true", "cannot compare `u8` with `bool`; a bool is compared with `true` or `false`"),
        ("v_point == v_point", "cannot compare `Point` with `Point`; compare their fields"),
        ("v_unit == v_unit", "cannot compare `()` with `()`; compare their fields"),
        // Text, through whatever holds it.
        ("s_str == \"plain\"", "true: bool"),
        ("s_str == \"plain \"", "false: bool"),
        ("s_str != s_string", "true: bool"),
        ("s_string == \"owned\"", "true: bool"),
        ("s_string < \"p\"", "true: bool"),
        ("s_box == \"boxed\"", "true: bool"),
        ("s_ref_ref == \"deep\"", "true: bool"),
        ("f_rc_str == \"text\"", "true: bool"),
        ("s_path == \"/tmp/x\"", "true: bool"),
        ("s_os == \"os\"", "true: bool"),
        ("s_c == \"c text\"", "true: bool"),
        ("s_empty == \"\"", "true: bool"),
        ("s_escape == \"a\\\"b\\\\c\\n\\t\\u{1b}é\"", "true: bool"),
        ("a_strs[1] == \"b\"", "true: bool"),
        ("v_tuple.1 == \"two\"", "true: bool"),
        ("a_array == b\"\\x01\\x02\\x03\"", "true: bool"),
        ("a_mut[1..] == b\"\\x08\"", "true: bool"),
        ("s_str == b\"plain\"", "cannot compare `str` with `[u8]`; texts are written `\"a\"`, bytes `b\"a\"`"),
        ("s_str == 'p'", "cannot compare `str` with `char`; characters are written `'a'`, texts `\"a\"`"),
        ("s_str + s_str", "cannot compute `str + str`"),
        ("x_str == \"abc\"", "<no readable memory at 0x10>"),
        ("x_str == \"ab\"", "false: bool"),
        ("\"text\"", "\"text\": str"),
        ("b\"ab\"", "[97, 98]: [u8]"),
        ("b'a'", "97: u8"),
        // Through references, smart pointers and cells.
        ("p_ref == 5", "true: bool"),
        ("*p_ref == 5", "true: bool"),
        ("f_arc + 1", "6: u8"),
        ("c_pin == 3", "true: bool"),
        ("c_atomic == 7", "true: bool"),
        ("c_nonzero > 8", "true: bool"),
        ("c_wrapping == 5", "true: bool"),
        ("c_cell.value == 5", "true: bool"),
        ("f_bool == true", "true: bool"),
        ("f_bool && v_bool", "true: bool"),
        ("f_mutex.data == 7", "true: bool"),
        ("f_guard == 3", "true: bool"),
        ("values::COUNTER + 1", "18: u32"),
        ("a_vec[a_vec[0] + 1]", "3: u32"),
        ("a_vec[a_vec[0]..][0] == 2", "true: bool"),
        ("a_vec[0 - 1]", "index -1 is out of range: the length is 3"),
        ("a_vec[v_bool]", "an index is a whole number, and this is `bool`"),
        ("f_raw == 0", "false: bool"),
        ("f_null == 0", "true: bool"),
        ("f_null == f_raw", "false: bool"),
        ("f_raw as usize > 4096", "true: bool"),
        ("f_raw + 1", "cannot compute `*const u16 + integer`; convert the pointer: `as usize`"),
        // Enums and their variants.
        ("e_a == Plain::A", "true: bool"),
        ("e_a != Plain::A", "false: bool"),
        ("e_b == Plain::C", "false: bool"),
        ("e_c == values::Plain::C", "true: bool"),
        ("e_big == Big::B", "true: bool"),
        ("e_a == e_a", "true: bool"),
        ("e_a == e_b", "false: bool"),
        ("e_ordering == Ordering::Less", "true: bool"),
        ("e_a == Plain::D", "no variant `D` in `Plain`; did you mean `A` or `B` or `C`?"),
        ("e_a == Other::A", "cannot compare `Plain` with `Other::A`; its variants are written `Plain::..`"),
        ("e_a == 0", "cannot compare `Plain` with `integer`; convert the enum: `as i64`"),
        ("v_u8 == Plain::A", "cannot compare `u8` with `Plain::A`"),
        ("o_none == None", "true: bool"),
        ("None == o_none", "true: bool"),
        ("o_some == None", "false: bool"),
        ("o_some != Option::None", "true: bool"),
        ("o_some == Some(5)", "true: bool"),
        ("o_some == Some(6)", "false: bool"),
        ("o_some != Some(6)", "true: bool"),
        ("o_none == Some(6)", "false: bool"),
        ("o_some == Some", "true: bool"),
        ("o_string == Some(\"s\")", "true: bool"),
        ("o_string_none == None", "true: bool"),
        ("o_box == Some(5)", "true: bool"),
        ("o_nested == Some(Some(true))", "true: bool"),
        ("o_nested == Some(None)", "false: bool"),
        ("r_ok == Ok(\"ok\")", "true: bool"),
        ("r_e == Err(3)", "true: bool"),
        ("r_e == Ok(\"ok\")", "false: bool"),
        ("d_number == Data::Number(7)", "true: bool"),
        ("d_nested == Data::Number", "false: bool"),
        ("d_nested.0 == Data::Number(1)", "true: bool"),
        ("n_p == Niche::P(true)", "true: bool"),
        ("o_some == Some(\"a\")", "cannot compare `u32` with `str`"),
        ("o_some == Some(1, 2)", "`Option::Some` holds 1 values in brackets, not 2"),
        (
            "o_some == 5",
            "cannot compare `Option<u32>` with `integer`; enums are compared with a variant: `== Option::None`",
        ),
        (
            "Some(5)",
            "`Some(..)` stands only beside `==` and `!=`; functions are not called; names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
        ("x_plain == Plain::A", "<invalid: no variant of `Plain` has the tag 0x64; uninitialised or moved out>"),
        ("x_bool && true", "<invalid: a bool of 0x7; uninitialised or moved out>"),
        ("node.next.0.next == None", "true: bool"),
        ("LIMIT == 5", "no variable `LIMIT` in this frame; a `const` is nowhere in the program: write its value"),
        (
            "v_u8 = 5",
            "variables are not assigned to here (`==` compares); names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated",
        ),
    ];
    let wrong: Vec<_> =
        expected.iter().map(|(text, value)| (*text, read(text), *value)).filter(|it| it.1 != it.2).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Methods of known types, keys, patterns: every expression with its value and its type, or with the reason.
#[test]
fn known_methods_are_looked_at() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let read = |text: &str| match evaluate(&program.stop, &Variables(&variables), text) {
        Ok(place) => {
            let view = view(&program.stop, &place, 3);
            format!("{}: {}", view.value, view.type_name)
        }
        Err(error) => error.to_string(),
    };
    let known = "names, fields, indices, operators and methods like `len`, `get`, `unwrap` can be evaluated";
    let not_called = |what: &str| format!("{what} is a function of the program, and those are not called; {known}");
    let refusals = [
        ("v_point.total()", not_called("`total`")),
        ("v_point.len()", not_called("`.len()` of `Point`")),
        ("v_u8.is_some()", not_called("`.is_some()` of `u8`")),
        ("d_text.is_some()", not_called("`.is_some()` of `Data`")),
        (
            "a_vec.lenn()",
            "`lenn` is a function of the program, and those are not called; did you mean `len`?; ".to_owned() + known,
        ),
    ];
    let expected = [
        // Lengths.
        ("a_vec.len()", "3: usize"),
        ("a_vec.len() == 3", "true: bool"),
        ("s_string.len() + 1", "6: usize"),
        ("a_array.len()", "3: usize"),
        ("a_deque.len()", "4: usize"),
        ("m_hash.len()", "1: usize"),
        ("f_map.len()", "200: usize"),
        ("f_arc_slice.len()", "1: usize"),
        ("\"né\".len()", "3: usize"),
        ("a_vec_empty.is_empty()", "true: bool"),
        ("m_tree_empty.is_empty() && !m_tree.is_empty()", "true: bool"),
        ("s_empty.is_empty()", "true: bool"),
        ("a_vec.capacity() >= 3", "true: bool"),
        (
            "x_vec.len()",
            "<invalid: length 18446744073709551615 is more than the capacity 9223372036854775807; uninitialised or moved out>",
        ),
        // Options and results.
        ("o_some.is_some()", "true: bool"),
        ("o_none.is_none()", "true: bool"),
        ("o_box_none.is_some()", "false: bool"),
        ("r_ok.is_ok() && r_e.is_err()", "true: bool"),
        ("o_some.unwrap() + 1", "6: u32"),
        ("o_some?", "5: u32"),
        ("o_none.unwrap()", "`.unwrap()` would panic: the value is `None`"),
        ("r_e.unwrap()", "`.unwrap()` would panic: the value is `Err`"),
        ("r_e.unwrap_err()", "3: u8"),
        ("o_none.unwrap_or(7)", "7: i32"),
        ("o_string.as_deref() == Some(\"s\")", "true: bool"),
        ("o_string.as_ref().unwrap().len()", "1: usize"),
        ("r_ok.ok() == Some(\"ok\")", "true: bool"),
        ("r_ok.err() == None", "true: bool"),
        ("f_weak.upgrade()", "5: u8"),
        ("f_weak.upgrade().unwrap()", "5: u8"),
        ("f_gone.upgrade() == None", "true: bool"),
        ("f_raw.read()", "65535: u16"),
        // Elements.
        ("a_vec.get(1)", "2: u32"),
        ("a_vec.get(1) == Some(2)", "true: bool"),
        ("a_vec.get(1) == Some(&3)", "false: bool"),
        ("a_vec.get(3)", "`None`: there is nothing at this index or key"),
        ("a_vec.get(3) == None", "true: bool"),
        ("a_vec.get(3).is_none()", "true: bool"),
        ("a_vec.get(1).unwrap() * 2", "4: u32"),
        (
            "a_vec.get(1) == 2",
            "cannot compare `Option<&u32>` with `integer`; compare it with `Some(..)`, or add `.unwrap()`",
        ),
        ("a_vec.first()", "1: u32"),
        ("a_points.last().unwrap().x", "3: i32"),
        ("a_points.last().x", "3: i32"),
        ("a_vec_empty.first().is_none()", "true: bool"),
        ("a_deque.front() == Some(2) && a_deque.back() == Some(5)", "true: bool"),
        ("a_vec.contains(&2)", "true: bool"),
        ("a_vec.contains(4)", "false: bool"),
        ("a_vec.contains(\"a\")", "cannot compare `u32` with `str`"),
        ("a_vec_string.contains(\"y\")", "true: bool"),
        ("a_vec.iter().count()", "3: usize"),
        ("a_vec.iter().nth(2)", "3: u32"),
        ("a_vec.iter().next().unwrap()", "1: u32"),
        ("s_string.contains(\"wn\")", "true: bool"),
        ("s_string.contains('z')", "false: bool"),
        ("s_str.starts_with(\"pl\") && s_str.ends_with(\"in\")", "true: bool"),
        ("s_escape.chars().count()", "9: usize"),
        ("s_str.chars().last()", "'n': char"),
        ("s_str.as_bytes()[0]", "112: u8"),
        ("s_string.clone()", "\"owned\": String"),
        // Keys.
        ("m_hash[\"one\"]", "1: u32"),
        ("m_tree[2]", "\"b\": &str"),
        ("m_tree[&1] == \"a\"", "true: bool"),
        ("f_map[199]", "39601: u32"),
        ("f_map[a_vec[1]]", "4: u32"),
        ("m_hash[\"two\"]", "there is no such key among the 1 of this map"),
        ("m_hash[1]", "cannot compare `str` with `integer`"),
        ("m_hash.get(\"one\").is_some()", "true: bool"),
        ("m_hash.get(\"two\").is_some()", "false: bool"),
        ("m_hash.contains_key(\"one\")", "true: bool"),
        ("f_map.contains_key(&200)", "false: bool"),
        ("m_set.contains(&42)", "true: bool"),
        ("m_tree_set.iter().nth(1)", "'b': char"),
        ("m_tree.keys().nth(0)", "1: u8"),
        ("m_tree.values().nth(1)", "\"b\": &str"),
        ("m_tree.iter().nth(0)", "a map's entry is no value of its own: take `.keys()` or `.values()` of the map"),
        ("m_set[0]", "only maps have keys: ask `.contains(value)`, or `.iter().nth(0)`"),
        // Cells and locks.
        ("c_cell.get()", "5: u8"),
        ("c_cell_none.get().unwrap()", "`.unwrap()` would panic: the value is `None`"),
        ("c_refcell.borrow()[0]", "1: u8"),
        ("c_refcell.try_borrow().unwrap()[0]", "1: u8"),
        ("f_mutex.lock().unwrap() + 1", "8: u8"),
        ("f_locked.lock()?", "3: u8"),
        ("c_atomic.load(Ordering::SeqCst)", "7: AtomicUsize"),
        ("c_atomic.load(Ordering::SeqCst) + 1", "8: usize"),
        ("f_arc.as_ref()", "Arc(strong=2, weak=1) 5: Arc<u8>"),
        // What would not be the value itself.
        ("v_point.clone()", &not_called("`.clone()` of `Point`")),
        ("(&v_point).as_str()", &not_called("`.as_str()` of `Point`")),
        ("v_u8.to_string()", &not_called("`.to_string()` of `u8`")),
        ("v_u8.load(Relaxed)", &not_called("`.load()` of `u8`")),
        ("s_str.to_string()", "\"plain\": &str"),
        (
            "m_tree.values()",
            &format!(
                "an iterator is not shown by itself: take `.values().count()`, `.values().nth(0)`, or the whole without `.values()`; {known}"
            ),
        ),
        // Patterns.
        ("o_some is _", "this pattern fits every value: the test says nothing"),
        ("o_some is Some", "true: bool"),
        ("o_some is Some(5)", "true: bool"),
        ("o_some is Some(_)", "true: bool"),
        ("o_some is Some(1..=4)", "false: bool"),
        ("o_some is Some(n) && v_bool", "true: bool"),
        ("v_false || o_none is None && v_bool", "true: bool"),
        ("(o_some is None) == false", "true: bool"),
        ("v_u8 is 100..=200", "true: bool"),
        ("v_i8 is -128 | 5", "true: bool"),
        ("o_nested is Some(Some(true))", "true: bool"),
        ("o_nested is Some(None)", "false: bool"),
        ("matches!(d_text, Data::Text { len: 2, .. })", "true: bool"),
        ("matches!(d_text, Data::Text { len: 3, .. })", "false: bool"),
        ("matches!(d_number, Data::Empty | Data::Number(7))", "true: bool"),
        ("matches!(v_tuple, (1, \"two\", _))", "true: bool"),
        ("a_vec.get(1) is Some(2..)", "true: bool"),
        ("(1..3).contains(&v_u8)", "false: bool"),
        ("e_a is Plain::A | Plain::B", "true: bool"),
        (
            "o_some is Some(n) if n > 3",
            "this is not a Rust expression: a pattern has no `if` here: write `&&` behind it",
        ),
        ("println!(\"a\")", &format!("macros are not expanded, but for `matches!(value, pattern)`; {known}")),
        // References.
        ("&v_point.x", "-1: i32"),
        ("&a_vec[1..]", "[2, 3]: [u32]"),
        // Where a text is no expression.
        (
            "a_vec[1",
            "this is not a Rust expression: brackets or quotes that are not closed, or a character that is none of Rust's, at `[1`",
        ),
        (
            "v_u8 + * 2 )",
            "this is not a Rust expression: brackets or quotes that are not closed, or a character that is none of Rust's, at `)`",
        ),
        ("v_u8 v_u16", "this is not a Rust expression: unexpected token, at `v_u16`"),
    ];
    let all = expected.iter().map(|(text, value)| (*text, (*value).to_owned())).chain(refusals);
    let wrong: Vec<_> = all.map(|(text, value)| (text, read(text), value)).filter(|it| it.1 != it.2).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every child of every value is reached by an expression, which says the same.
#[test]
fn children_have_expressions() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let mut missing = Vec::new();
    let mut accesses = Vec::new();
    for variable in &variables {
        let Ok(place) = &variable.place else { continue };
        for child in children(&program.stop, place, Filter::All, 0, 50) {
            let Some(access) = child.access else {
                missing.push(format!("{}: {}", variable.name, child.name));
                continue;
            };
            let expression = format!("{}{access}", variable.name);
            let told = evaluate(&program.stop, &Variables(&variables), &expression);
            let told = told.map(|place| view(&program.stop, &place, 3).value).map_err(|error| error.to_string());
            let own = child.place.map(|place| view(&program.stop, &place, 3).value).map_err(|error| error.to_string());
            assert_eq!(told, own, "{expression}");
            accesses.push(expression);
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    for expected in ["m_hash[\"one\"]", "m_tree[2]", "m_set.iter().nth(0)", "f_map[7]", "d_text.len", "a_vec[2]"] {
        assert!(accesses.iter().any(|access| access == expected), "{expected}");
    }
}

#[test]
fn a_part_is_named_behind_any_expression() {
    for (text, operand) in [
        ("a", "a"),
        ("a.b[0].c()", "a.b[0].c()"),
        ("*a", "(*a)"),
        ("&a", "(&a)"),
        ("a + b", "(a + b)"),
        ("a as u8", "(a as u8)"),
        ("(*a)", "(*a)"),
        ("(a) + (b)", "((a) + (b))"),
        ("x is Some", "(x is Some)"),
        ("a[1..]", "a[1..]"),
    ] {
        assert_eq!(as_operand(text), operand);
    }
}

#[test]
fn statics_are_named_as_in_the_source_of_the_frame() {
    let program = Program::start("values", &[]);
    let variables = scope(&program);
    let within = Within { variables: &variables, path: "values::main", nameless: None };
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
