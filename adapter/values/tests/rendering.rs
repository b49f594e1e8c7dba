//! What a reader sees of a real program's values, compared with what the program itself prints of them.

mod support;

use support::{Program, shown, toolchain};
use weft_values::{Children, Filter, children, view};

/// Every value of a program against what it says a reader should see.
fn assert_reads(program: &str, flags: &[&str]) {
    let program = Program::start(program, flags);
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
fn values_read_as_the_program_prints_them() {
    assert_reads("values", &[]);
}

#[test]
fn values_of_the_library_read_as_the_program_prints_them() {
    assert_reads("library", &[]);
}

#[test]
fn optimised_values_read_the_same() {
    assert_reads("values", &["-Copt-level=2"]);
    assert_reads("library", &["-Copt-level=2"]);
}

/// The compiler of the day lays out the library's types as it likes; where it is not installed there is nothing to read.
#[test]
fn values_of_the_nightly_compiler_read_the_same() {
    if toolchain("+nightly") {
        assert_reads("values", &["+nightly"]);
        assert_reads("library", &["+nightly"]);
    }
}

/// Whether a line is what the program prints, as far as the line goes.
fn agrees(line: &str, printed: &str) -> bool {
    let start = line.split('…').next().unwrap_or(line);
    line == printed || (start.len() < line.len() && start.len() > 40 && printed.starts_with(start))
}

#[test]
fn random_values_read_as_the_program_prints_them() {
    for flags in [&[][..], &["-Copt-level=2"]] {
        let program = Program::start("random", flags);
        let shown = shown(&program);
        assert!(shown.len() > 800, "only {} values", shown.len());
        let wrong: Vec<String> = shown
            .iter()
            .map(|shown| (shown, view(&program.stop, &shown.place, 8).value))
            .filter(|(shown, value)| !agrees(value, &shown.expected))
            .map(|(shown, value)| format!("{}\n  is {value}\n  not {}", shown.name, shown.expected))
            .collect();
        assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), shown.len(), wrong.join("\n"));
        let cut = shown.iter().filter(|shown| view(&program.stop, &shown.place, 8).value.contains("… ")).count();
        assert!(cut < shown.len() / 10, "{cut} of {} are cut", shown.len());
    }
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

#[test]
fn large_containers_are_shown_a_page_at_a_time() {
    let program = Program::start("large", &[]);
    for shown in shown(&program) {
        let total = shown.expected.parse().expect("a number");
        let whole = view(&program.stop, &shown.place, 3);
        assert_eq!(whole.children, Children { named: 0, indexed: Some(total) }, "{}", shown.name);
        assert!(whole.value.len() < 200 && whole.value.contains(" more"), "{}", whole.value);
        // The last page is what is left, and each element is there once.
        let mut seen = std::collections::BTreeSet::new();
        for start in [0, total / 2, total - 50] {
            let page = children(&program.stop, &shown.place, Filter::Indexed, start, 100);
            assert_eq!(page.len() as u64, 100.min(total - start), "{} from {start}", shown.name);
            for child in page {
                let place = child.place.expect("it is there");
                assert!(seen.insert(place.address()), "{} {}", shown.name, child.name);
                let value: u64 = view(&program.stop, &place, 1).value.parse().expect("a number");
                assert!(value <= total, "{value}");
            }
        }
        assert!(children(&program.stop, &shown.place, Filter::Indexed, total, 100).is_empty());
    }
}
