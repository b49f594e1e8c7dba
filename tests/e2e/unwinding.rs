//! Stacks that are not easy to follow, frame for frame.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, Stop, list};

const MAIN: &str = "unwinds/src/main.rs";
const SIGNALS: &str = "unwinds/src/signals.rs";
const ASSEMBLY: &str = "unwinds/src/assembly.rs";

const PROFILES: [Profile; 2] = [Profile::Debug, Profile::Release];

fn run(profile: Profile, args: &[&str], at: Option<(&str, &str)>) -> (Client, Stop) {
    let mut client = Client::weft();
    let breakpoints = at.map(|(file, marker)| (source(file), line(file, marker))).into_iter().collect();
    client.launch(&program("unwinds", profile), args, &Launch { breakpoints, more: Value::Null });
    let stop = client.stopped();
    (client, stop)
}

/// Where a handler returns to. The C library's has a name only where its symbols are installed.
const TRAMPOLINE: (&str, i64) = ("the trampoline", 0);

/// The rows down to the program's `main`, with their lines (0: not known).
fn rows(client: &mut Client, thread: i64) -> Vec<(String, i64)> {
    let frames = client.stack(thread);
    let main = frames.iter().position(|frame| frame.name.starts_with("unwinds::main")).unwrap_or(frames.len());
    let is_trampoline =
        |name: &str| name.contains(" in libc") || name.contains("restore_rt") || name == "bare_trampoline";
    let name = |name: String| if is_trampoline(&name) { TRAMPOLINE.0.to_owned() } else { name };
    frames.into_iter().take(main + 1).map(|frame| (name(frame.name), frame.line)).collect()
}

/// Asserts that a program stopped with this stack, down to its `main` and the line there.
fn check(profile: Profile, args: &[&str], at: Option<(&str, &str)>, wanted: &[(&str, i64)], main: &str) {
    let (mut client, stop) = run(profile, args, at);
    let found = rows(&mut client, stop.thread);
    let mut expected: Vec<(String, i64)> = wanted.iter().map(|(name, line)| ((*name).to_owned(), *line)).collect();
    expected.push(("unwinds::main".to_owned(), line(MAIN, main)));
    assert_eq!(found, expected, "{profile:?} {args:?}");
    client.disconnect();
}

#[test]
fn what_a_signal_interrupted_is_shown_with_its_own_line() {
    let handler = ("unwinds::signals::on_signal", line(SIGNALS, "handler"));
    let interrupted = ("unwinds::signals::interrupt", line(SIGNALS, "interrupted") - 1);
    for profile in PROFILES {
        for (way, function, marker) in [
            ("handler", "unwinds::signals::on_the_same_stack", "same stack"),
            ("altstack", "unwinds::signals::on_another_stack", "other stack"),
            ("bare", "unwinds::signals::through_a_bare_trampoline", "bare"),
        ] {
            let stack = [handler, TRAMPOLINE, interrupted, (function, line(SIGNALS, marker))];
            check(profile, &[way], Some((SIGNALS, "handler")), &stack, way);
        }
    }
    let first = ("unwinds::signals::on_first", line(SIGNALS, "first handler"));
    let outer = ("unwinds::signals::within_one_another", line(SIGNALS, "nested"));
    let stack = [handler, TRAMPOLINE, interrupted, first, TRAMPOLINE, interrupted, outer];
    check(Profile::Debug, &["nested"], Some((SIGNALS, "handler")), &stack, "nested");
}

#[test]
fn code_without_unwinding_information_is_left_and_the_frame_marked() {
    let back = ("unwinds::called_back", line(MAIN, "called back"));
    for profile in PROFILES {
        let at = Some((MAIN, "called back"));
        let framed = "unwinds::assembly::framed (found by its callee's instructions)";
        check(profile, &["framed"], at, &[back, ("asm_framed", 0), (framed, line(ASSEMBLY, "framed"))], "framed");
        let pointer = "unwinds::assembly::by_frame_pointer (found by the frame pointer)";
        check(profile, &["pointer"], at, &[back, ("asm_pointer", 0), (pointer, line(ASSEMBLY, "pointer"))], "pointer");
        let leaf = "unwinds::assembly::leaf (found by its callee's instructions)";
        check(profile, &["leaf"], None, &[("asm_leaf", 0), (leaf, line(ASSEMBLY, "leaf"))], "leaf");
        let naked = "unwinds::assembly::naked (found by its callee's instructions)";
        let top = ("unwinds::assembly::asm_naked", 0);
        check(profile, &["naked"], None, &[top, (naked, line(ASSEMBLY, "naked"))], "naked");
    }
}

/// It would set registers by what was not proven.
#[test]
fn no_frame_is_restarted_behind_code_without_unwinding_information() {
    let (mut client, stop) = run(Profile::Debug, &["framed"], Some((MAIN, "called back")));
    let frames = client.stack(stop.thread);
    let framed = frames.iter().find(|frame| frame.name.contains("framed (found")).expect("it is on the stack");
    let failure = client.refused("restartFrame", json!({"frameId": framed.id}));
    assert!(format!("{failure:?}").contains("leads through code without unwinding information"), "{failure:?}");
    client.disconnect();
}

#[test]
fn code_without_a_file_is_left_too() {
    for profile in PROFILES {
        let (mut client, stop) = run(profile, &["generated"], Some((MAIN, "called back")));
        let found = rows(&mut client, stop.thread);
        assert!(found[1].0.starts_with("0x") && found[1].1 == 0, "{found:?}");
        let caller = "unwinds::assembly::generated (found by its callee's instructions)";
        assert_eq!(found[2], (caller.to_owned(), line(ASSEMBLY, "generated")));
        assert_eq!(found[3], ("unwinds::main".to_owned(), line(MAIN, "generated")));
        client.disconnect();
    }
}

#[test]
fn a_call_through_a_null_pointer_shows_who_made_it() {
    for profile in PROFILES {
        let caller = "unwinds::call_nothing (found on top of the stack)";
        check(profile, &["null"], None, &[("0x0", 0), (caller, line(MAIN, "nothing"))], "null");
    }
}

#[test]
fn a_stack_that_cannot_be_followed_says_why() {
    for profile in PROFILES {
        let (mut client, stop) = run(profile, &["lost"], Some((MAIN, "called back")));
        let frames = client.stack(stop.thread);
        assert_eq!(frames.len(), 3, "{frames:?}");
        assert_eq!((frames[1].name.as_str(), frames[2].hint.as_str()), ("asm_lost", "label"));
        let why = "the stack cannot be followed further: no unwinding information covers 0x";
        assert!(frames[2].name.starts_with(why), "{frames:?}");
        client.disconnect();
    }
}

/// Which rows a page has: names and lines, and how many rows there are, as far as is known.
fn page(client: &mut Client, thread: i64, start: usize, levels: usize) -> (Vec<(String, i64)>, Option<u64>) {
    let body = client.ask("stackTrace", json!({"threadId": thread, "startFrame": start, "levels": levels}));
    let row = |row: &Value| (row["name"].as_str().unwrap_or_default().to_owned(), row["line"].as_i64().unwrap_or(-1));
    (list(&body["stackFrames"]).map(row).collect(), body["totalFrames"].as_u64())
}

#[test]
fn a_deep_stack_comes_in_pages() {
    const DEPTH: usize = 30_000;
    let descend = ("unwinds::descend".to_owned(), line(MAIN, "descend"));
    let (mut client, stop) = run(Profile::Debug, &["deep", &DEPTH.to_string()], Some((MAIN, "bottom")));
    let (first, total) = page(&mut client, stop.thread, 0, 20);
    assert_eq!(first[0], ("unwinds::descend".to_owned(), line(MAIN, "bottom")));
    assert!(first.len() == 20 && first[1..].iter().all(|row| *row == descend), "{first:?}");
    assert_eq!(total, Some(40), "nobody has looked so far, and there are more");
    let (middle, total) = page(&mut client, stop.thread, 15_000, 50);
    assert_eq!(middle, vec![descend.clone(); 50]);
    let total = usize::try_from(total.expect("it is known now")).expect("a number");
    let (last, _) = page(&mut client, stop.thread, DEPTH, 1000);
    assert_eq!(last[0], descend);
    assert_eq!(last[1], ("unwinds::main".to_owned(), line(MAIN, "deep")));
    assert_eq!((last.len(), total), (total - DEPTH, DEPTH + last.len()));
    assert!(page(&mut client, stop.thread, total, 20).0.is_empty());
    assert_eq!(client.stack(stop.thread).len(), total, "all at once");
    client.disconnect();
}

#[test]
fn an_overflown_stack_is_shown() {
    for profile in PROFILES {
        let (mut client, stop) = run(profile, &["overflow"], None);
        assert_eq!(stop.reason, "exception");
        let (first, total) = page(&mut client, stop.thread, 0, 20);
        assert!(first.iter().skip(1).all(|(name, _)| name == "unwinds::descend"), "{first:?}");
        assert_eq!((first.len(), total), (20, Some(40)));
        let (_, total) = page(&mut client, stop.thread, 2000, 1);
        let total = usize::try_from(total.expect("it is known now")).expect("a number");
        let (last, _) = page(&mut client, stop.thread, total - 40, 40);
        assert!(last.iter().any(|(name, _)| name == "unwinds::main"), "{last:?}");
        client.disconnect();
    }
}

#[test]
fn the_vdso_has_names_and_is_a_module() {
    let (mut client, stop) = run(Profile::Debug, &["clock"], Some((MAIN, "clock")));
    let modules = client.ask("modules", json!({}));
    let vdso = list(&modules["modules"]).find(|module| module["name"] == "[vdso]").expect("it is listed").clone();
    assert!(vdso.get("path").is_none(), "{vdso}");
    let (start, _) = vdso["addressRange"].as_str().and_then(|range| range.split_once('-')).expect("a range");
    let set = client.set_function_breakpoints(&[json!({"name": "__vdso_clock_gettime"})]);
    assert!(set[0].verified, "{set:?}");
    let inside = client.resume_to_stop(stop.thread);
    let frames = client.stack(inside.thread);
    assert_eq!(frames[0].name, "__vdso_clock_gettime", "{frames:?} in {start}");
    let caller = frames.iter().find(|frame| frame.name.starts_with("unwinds::")).expect("the program's own function");
    assert_eq!((caller.name.as_str(), caller.line), ("unwinds::watch_the_clock", line(MAIN, "clock")));
    client.disconnect();
}
