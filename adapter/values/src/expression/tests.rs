//! Bounds of what is parsed.

use super::syntax::{MAX_NESTING, nesting, parse};

#[test]
fn nesting_bounds_what_the_parser_recurses_on() {
    assert_eq!(nesting("a.b[1].c"), 4);
    assert_eq!(nesting(&"(".repeat(100)), 100);
    assert_eq!(nesting(&"return ".repeat(50)), 49);
    assert_eq!(nesting("v[0]   "), 1);
    assert_eq!(nesting("a + b + c"), 2);
    assert_eq!(nesting("name == \"a.b.c.(((((\""), 2);
    assert_eq!(nesting(&"a>(".repeat(100)), 200);
    assert!(nesting("r\"\\\"(((((((((((\"") > 10, "what stands in a raw string is counted");
    assert!(nesting("'\"' + ((((((((((((") > 10, "a quote may be a character");
    assert!(nesting("/*\"*/((((((((((((") > 10, "a quote may be in a comment");
}
