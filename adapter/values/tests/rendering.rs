//! What a reader sees of a real program's values, compared with what the program itself prints of them.

mod support;

use support::{Program, shown};
use weft_values::view;

#[test]
fn values_read_as_the_program_prints_them() {
    let program = Program::start("values", &[]);
    let shown = shown(&program);
    assert!(shown.len() > 100, "only {} values", shown.len());
    let wrong: Vec<String> = shown
        .iter()
        .filter_map(|shown| {
            let value = view(&program.stop, &shown.place, 8).value;
            (value != shown.expected)
                .then(|| format!("{} ({:?})\n  is {value}\n  not {}", shown.name, shown.place.ty, shown.expected))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), shown.len(), wrong.join("\n"));
}

#[test]
fn types_read_as_a_programmer_writes_them() {
    let program = Program::start("values", &[]);
    let shown = shown(&program);
    for (name, written) in [
        ("v_u8", "u8"),
        ("a_array", "[u8; 3]"),
        ("a_points", "[Point; 2]"),
        ("a_vec_vec", "Vec<Vec<u8>>"),
        ("s_str", "&str"),
        ("o_box", "Option<Box<u8>>"),
        ("v_generic", "Generic<Option<Wrap>>"),
        ("dyn_box", "Box<dyn Shape>"),
        ("m_set", "HashSet<u64>"),
        ("f_arc_slice", "Arc<[Point]>"),
        ("v_tuple", "(u8, &str, f64)"),
    ] {
        let value = shown.iter().find(|shown| shown.name == name).unwrap_or_else(|| panic!("there is a {name}"));
        assert_eq!(view(&program.stop, &value.place, 3).type_name, written, "{name}");
    }
}
