//! Breakpoints on functions, by name and by pattern, and on single instructions.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Breakpoint, Client, Launch};

const STEPS: &str = "sync_zoo/src/steps.rs";
const GENERICS: &str = "sync_zoo/src/generics.rs";
const CHAIN: &str = "await_chain/src/main.rs";

/// Sets function breakpoints before the program starts, and runs it to its end: how they were set, and the lines and
/// breakpoints of the stops.
fn run(name: &str, args: &[&str], profile: Profile, wanted: &[Value]) -> (Vec<Breakpoint>, Vec<(i64, Vec<i64>)>) {
    let mut client = Client::weft();
    let mut set = Vec::new();
    client.launch_configured(&program(name, profile), args, &Launch::default(), |client| {
        set = client.set_function_breakpoints(wanted);
    });
    let mut stops = Vec::new();
    while let Some(stop) = client.stop_or_exit() {
        assert_eq!(stop.reason, "function breakpoint", "{stop:?}");
        stops.push((client.top(stop.thread).line, stop.hit.clone()));
        client.resume(stop.thread);
    }
    assert_eq!(client.exited(), 0);
    (set, stops)
}

#[test]
fn the_end_of_a_path_is_enough_and_hits_are_counted() {
    let wanted = [json!({"name": "factorial", "hitCondition": ">=3"}), json!({"name": "steps::plain"})];
    let (set, stops) = run("sync_zoo", &["steps"], Profile::Debug, &wanted);
    assert!(set.iter().all(|breakpoint| breakpoint.verified), "{set:?}");
    assert_eq!(set[0].line, Some(line(STEPS, "factorial first")));
    let [factorial, plain] = [set[0].id, set[1].id];
    assert_eq!(
        stops,
        [
            (line(STEPS, "plain first"), vec![plain]),
            (line(STEPS, "factorial first"), vec![factorial]),
            (line(STEPS, "factorial first"), vec![factorial]),
        ]
    );
}

#[test]
fn a_pattern_means_all_that_it_is_found_in() {
    let wanted = [json!({"name": "/^sync_zoo::steps::(plain|finish)$/"}), json!({"name": "/[/"})];
    let (set, stops) = run("sync_zoo", &["steps"], Profile::Debug, &wanted);
    assert_eq!(set[0].message, "2 functions: sync_zoo::steps::finish, sync_zoo::steps::plain");
    assert!(!set[1].verified);
    assert_eq!(set[1].message, "the regular expression is not valid: unclosed character class");
    let lines: Vec<i64> = stops.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [line(STEPS, "plain first"), line(STEPS, "finish")]);
}

#[test]
fn every_instantiation_of_a_generic_function_stops() {
    let source_text = std::fs::read_to_string(source(GENERICS)).expect("a source");
    let marked = usize::try_from(line(GENERICS, "generic")).expect("a line");
    let declared = source_text.lines().take(marked).filter_map(|text| text.split("fn ").nth(1)).last();
    let name = declared.and_then(|text| text.split(['<', '(']).next()).expect("a generic function");
    let (set, stops) = run("sync_zoo", &["generics"], Profile::Debug, &[json!({ "name": name })]);
    assert_eq!(set[0].line, Some(line(GENERICS, "generic")));
    assert_eq!(stops.len(), 3, "{stops:?}");
    assert!(stops.iter().all(|(at, _)| *at == line(GENERICS, "generic")), "{stops:?}");
}

#[test]
fn an_async_function_stops_once_when_it_begins() {
    // `total` is polled twice, and begins once.
    let (set, stops) = run("await_chain", &[], Profile::Debug, &[json!({"name": "Ledger::total"})]);
    assert!(set[0].verified, "{set:?}");
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert!(stops[0].0 < line(CHAIN, "yields"), "{stops:?}");
}

#[test]
fn optimised_functions_stop_wherever_they_were_inlined() {
    let (set, stops) = run("sync_zoo", &["steps"], Profile::Release, &[json!({"name": "steps::finish"})]);
    assert!(set[0].verified, "{set:?}");
    assert_eq!(stops, [(line(STEPS, "finish"), vec![set[0].id])]);
}

#[test]
fn a_name_that_is_not_there_is_answered_with_near_ones() {
    let (set, stops) = run("sync_zoo", &["steps"], Profile::Debug, &[json!({"name": "factoral"})]);
    assert!(!set[0].verified && stops.is_empty());
    let message = set[0].message.clone();
    assert_eq!(message, "no function matches `factoral`; did you mean `sync_zoo::steps::factorial`?");
}

#[test]
fn an_instruction_stops_and_what_is_none_is_refused() {
    let mut client = Client::weft();
    let at = Launch { breakpoints: vec![(source(STEPS), line(STEPS, "start"))], more: Value::Null };
    client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &at);
    let stop = client.stopped();
    let here = client.instruction(stop.thread);
    let listing = client.disassemble(here, 0, 8);
    let (next, after) = (listing[1].address, listing[2].address);
    assert!(after > next && next > here);
    let longest = listing.windows(2).find(|pair| pair[1].address - pair[0].address > 1).expect("a long instruction");
    let inside = longest[0].address + 1;
    let reference = |address: u64| json!({ "instructionReference": format!("{address:#x}") });
    let offset = json!({"instructionReference": format!("{here:#x}"), "offset": after - here});
    let set = client.set_instruction_breakpoints(&[offset, reference(inside), reference(8)]);
    assert_eq!(set.iter().map(|breakpoint| breakpoint.verified).collect::<Vec<_>>(), [true, false, false], "{set:?}");
    assert_eq!(set[1].message, format!("no instruction begins at {inside:#x}"));
    assert_eq!(set[2].message, "0x8 is not in a file that is loaded now");
    client.resume(stop.thread);
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), &stop.hit), ("instruction breakpoint", &vec![set[0].id]));
    assert_eq!(client.instruction(stop.thread), after);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 43\n");
}
