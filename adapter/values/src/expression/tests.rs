//! Bounds of what is parsed.

use std::sync::Arc;

use proptest::prelude::*;
use weft_memory::Bytes;
use weft_symbols::Modules;

use super::check::Check;
use super::location::Location;
use super::syntax::{MAX_NESTING, nesting};
use super::{EvaluateError, Variables, evaluate};
use crate::{Place, Stop};

#[test]
fn nesting_bounds_what_the_parser_recurses_on() {
    assert_eq!(nesting("a.b[1].c"), 3);
    assert_eq!(nesting(&"(".repeat(100)), 100);
    assert_eq!(nesting(&"return ".repeat(50)), 49);
    assert_eq!(nesting("v[0]   "), 1);
    assert_eq!(nesting("a + b + c"), 2);
    assert_eq!(nesting("name == \"a.b.c.(((((\""), 1);
    assert_eq!(nesting(&"a>(".repeat(100)), 200);
    assert!(nesting("r\"\\\"(((((((((((\"") > 10, "what stands in a raw string is counted");
    assert!(nesting("'\"' + ((((((((((((") > 10, "a quote may be a character");
    assert!(nesting("/*\"*/((((((((((((") > 10, "a quote may be in a comment");
}

/// Parses and evaluates on a thread with half the stack that threads have.
fn on_a_small_stack(text: String) -> Result<Place, EvaluateError> {
    let name = text.chars().take(40).filter(|char| *char != '\0').collect();
    let evaluating = std::thread::Builder::new().name(name).stack_size(1 << 20).spawn(move || {
        let stop = Stop {
            generation: 1,
            pid: 0,
            memory: Arc::new(Bytes::new()),
            modules: Arc::new(Modules::default()),
            threads: Vec::new(),
            clock: None,
            descriptors: None,
            stacks: crate::Stacks::default(),
        };
        if let Ok(node) = super::syntax::parse(&text) {
            let location = Location::without_names(&stop.modules);
            let _ = Check { location: &location, nowhere: &stop }.typed(&node);
        }
        evaluate(&stop, &Variables(&[]), &text)
    });
    evaluating.expect("a thread starts").join().expect("it does not panic")
}

#[test]
fn the_deepest_text_that_is_parsed_fits_a_small_stack() {
    let half = MAX_NESTING / 2;
    let deepest = [
        format!("{}1{}", "(".repeat(half), ")".repeat(half)),
        format!("{}1", "*".repeat(MAX_NESTING)),
        format!("{}true", "!".repeat(MAX_NESTING)),
        format!("1{}", "+1".repeat(MAX_NESTING)),
        format!("a{}", ".b".repeat(MAX_NESTING)),
        format!("a{}", "[0]".repeat(MAX_NESTING)),
        format!("1{}", " as u8".repeat(half)),
        format!("a{}", "?".repeat(MAX_NESTING / 3)),
        format!("a{}", "=a".repeat(MAX_NESTING)),
        "return ".repeat(MAX_NESTING),
        format!("a{}", ".lock()".repeat(half / 2)),
        format!("a{}", ".unwrap()".repeat(half / 2)),
        format!("{}a{}", "a.get(".repeat(half / 3), ")".repeat(half / 3)),
        format!("{}a{}", "&".repeat(half), "?".repeat(half / 3)),
        format!("a is {}b{}", "Some(".repeat(half - 2), ")".repeat(half - 2)),
        format!("a{}", " is b".repeat(half)),
        format!("{}a{}", "[".repeat(half), "]".repeat(half)),
        format!("{}a{}", "{".repeat(half), "}".repeat(half)),
        format!("{}a{}", "a::<".repeat(half), ">".repeat(half)),
        format!("{}a{}", "Some(".repeat(half), ")".repeat(half)),
        format!("{}a", "|a|".repeat(half)),
    ];
    for text in deepest {
        assert!(nesting(&text) <= MAX_NESTING, "{text}: {}", nesting(&text));
        assert!(nesting(&text) >= half, "{text}: {}", nesting(&text));
        let _ = on_a_small_stack(text);
    }
    let refused = on_a_small_stack("1+".repeat(MAX_NESTING + 1) + "1");
    assert!(matches!(refused, Err(EvaluateError::Syntax(_))), "{refused:?}");
}

/// Pieces of expressions, and what may confuse whoever counts brackets.
const PIECES: [&str; 40] = [
    "(", ")", "[", "]", "{", "}", "<", ">", "::<", ",", ";", ".", "..", "?", "!", "-", "*", "&", "&&", "|", "||", "+",
    "==", "=", "as u8", "return ", "break ", "if ", "else ", "match ", "=>", "a", "1", "\"", "\"(\"", "'\"'",
    "r\"\\\"", "//", "/*\"*/", "'a: ",
];

proptest! {


    /// A pattern of a few pieces, again and again: recursion of any kind that is not counted ends the test process.
    #[test]
    fn no_text_exhausts_the_stack(pieces in prop::collection::vec(0..PIECES.len(), 1..6), end in 0..PIECES.len()) {
        let pattern: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let text = pattern.repeat(4000 / pattern.len()) + PIECES[end];
        let _ = on_a_small_stack(text.clone());
        let few = pattern.repeat((MAX_NESTING / nesting(&pattern).max(1)).min(4000 / pattern.len())) + PIECES[end];
        let _ = on_a_small_stack(few);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = on_a_small_stack(text);
    }
}
