//! What is shown of optimised code.

use serde_json::json;
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch};

const CHAINS: &str = "walks/src/chains.rs";

/// Turns of loops that are looked at.
const TURNS: usize = 12;

const UNITED: &str = "<optimised out: `sum` has its place, which may have been written since>";

/// `let mut sum = id`, and `id` is not used any more: the compiler describes both as the sum.
#[test]
fn a_variable_that_was_united_with_a_later_one_has_no_value() {
    let mut client = Client::weft();
    let mut stop = client.launch_to(
        &program("walks", Profile::Release),
        &["one_line"],
        source(CHAINS),
        line(CHAINS, "one_line 2"),
    );
    let mut sums = Vec::new();
    for _ in 0..TURNS {
        let frame = client.top(stop.thread).id;
        let locals = client.locals(frame);
        let value = |name: &str| locals.iter().find(|local| local.name == name).map(|local| local.value.clone());
        assert_eq!(value("id").as_deref(), Some(UNITED), "{locals:?}");
        sums.extend(value("sum").and_then(|sum| sum.parse::<u64>().ok()));
        stop = client.resume_to_stop(stop.thread);
    }
    // The ids go from 1 to 4, the sums on from there.
    assert!(sums.len() == TURNS && sums.iter().all(|sum| (1..=7).contains(sum)), "{sums:?}");
}

/// Nobody has such an id, but the place where it is said to be soon has a larger number.
#[test]
fn a_condition_on_it_is_not_taken_for_true() {
    let mut client = Client::weft();
    let wanted = json!({"line": line(CHAINS, "one_line 2"), "condition": "id > 4"});
    client.launch_configured(&program("walks", Profile::Release), &["one_line"], &Launch::default(), |client| {
        client.set_source_breakpoints(&source(CHAINS), &[wanted]);
    });
    let stop = client.stopped();
    let said = format!("breakpoint: the condition `id > 4` cannot be evaluated here: {UNITED}");
    assert_eq!(stop.body["description"].as_str(), Some(said.as_str()));
}
