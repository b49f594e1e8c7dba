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
