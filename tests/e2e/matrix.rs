//! One program in every way that programs are built: each gets its breakpoints, its stack up through the awaiters, its
//! variables and its tasks. Less is right only where the file has less, and then it is said.

use serde_json::{Value, json};
use weft_tests::programs::{line, source};
use weft_tests::variants::Variant;
use weft_tests::{Breakpoint, Client, Launch, Stop, list};

const FILE: &str = "matrix/src/main.rs";
const OUTPUT: &str = "lamp for 21\ntotal 28\n";

/// A row of the matrix at work.
struct Session {
    variant: Variant,
    client: Client,
    /// The breakpoint on a line of an async function.
    line: Breakpoint,
    /// The breakpoint on a plain function.
    function: Breakpoint,
}

impl Session {
    fn launch(variant: Variant) -> Self {
        let mut client = Client::weft();
        let mut function = None;
        let launch = Launch {
            breakpoints: vec![(source(FILE), line(FILE, "resumed"))],
            more: json!({"debugDirectories": [variant.debug_folder()]}),
        };
        let mut set = client.launch_configured(&variant.program(), &[], &launch, |client| {
            function = client.set_function_breakpoints(&[json!({"name": "record"})]).pop();
        });
        let (line, function) = (set.remove(0), function.expect("one breakpoint"));
        Self { variant, client, line, function }
    }

    /// The next stop, at that breakpoint alone.
    fn stop_at(&mut self, breakpoint: &Breakpoint, reason: &str) -> Stop {
        let stop = self.client.stopped();
        assert_eq!((stop.reason.as_str(), &stop.hit[..]), (reason, &[breakpoint.id][..]), "{:?}", self.variant);
        stop
    }

    /// The rows above the runtime's own: name and line, labels with line 0.
    fn rows(&mut self, stop: &Stop) -> Vec<(String, i64)> {
        let frames = self.client.stack(stop.thread).into_iter().filter(|frame| frame.hint != "subtle");
        frames.map(|frame| (frame.name, if frame.hint == "label" { 0 } else { frame.line })).collect()
    }

    /// Values at the top of the stack.
    fn check_values(&mut self, stop: &Stop, wanted: &[(&str, &str)]) {
        let top = self.client.top(stop.thread).id;
        let locals = self.client.locals(top);
        for (name, value) in wanted {
            let found: Vec<&str> =
                locals.iter().filter(|local| local.name == *name).map(|local| local.value.as_str()).collect();
            assert_eq!(found, [*value], "{name} in {:?}: {locals:?}", self.variant);
            assert_eq!(self.client.evaluate(name, top).value, *value, "{:?}", self.variant);
        }
    }

    fn end(mut self, thread: i64) {
        self.client.resume(thread);
        assert_eq!(self.client.exited(), 0, "{:?}", self.variant);
        assert_eq!(self.client.output("stdout"), OUTPUT, "{:?}", self.variant);
    }
}

fn at(name: &str, marker: &str) -> (String, i64) {
    (format!("matrix::{name}"), line(FILE, marker))
}

/// A task's number, and its name and line.
fn task<'a>(tasks: &'a Value, name: &str, marker: &str) -> &'a Value {
    let found: Vec<&Value> = list(&tasks["tasks"]).filter(|task| task["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {tasks}");
    assert_eq!(found[0]["location"]["line"], json!(line(FILE, marker)), "{}", found[0]);
    &found[0]["id"]
}

fn whole(variant: Variant) {
    check(variant, &[("order", "Order { item: \"lamp\", count: 3 }"), ("cost", "21")]);
}

/// Optimised code keeps no variables in the async function.
fn optimised(variant: Variant) {
    check(variant, &[]);
}

/// Everything that there is to know.
fn check(variant: Variant, values: &[(&str, &str)]) {
    let mut session = Session::launch(variant);
    let (line_breakpoint, function_breakpoint) = (session.line.clone(), session.function.clone());
    for (set, marker) in [(&line_breakpoint, "resumed"), (&function_breakpoint, "record first")] {
        assert_eq!((set.verified, set.line), (true, Some(line(FILE, marker))), "{variant:?}: {set:?}");
    }

    let stop = session.stop_at(&line_breakpoint, "breakpoint");
    let tasks = session.client.async_tasks();
    assert_eq!(tasks["total"], json!(3), "these two, and the thread that waits for them: {variant:?}: {tasks}");
    let deliver = task(&tasks, "matrix::deliver", "resumed");
    let shop = task(&tasks, "matrix::shop", "shop awaits");
    let rows = session.rows(&stop);
    assert_eq!(
        rows[..5],
        [
            at("quote", "resumed"),
            at("deliver", "deliver awaits"),
            (format!("task {deliver} matrix::deliver"), 0),
            (format!("awaited by task {shop} matrix::shop"), 0),
            at("shop", "shop awaits"),
        ],
        "{variant:?}"
    );
    session.check_values(&stop, values);

    session.client.resume(stop.thread);
    let stop = session.stop_at(&function_breakpoint, "function breakpoint");
    let rows = session.rows(&stop);
    assert_eq!(rows[..2], [at("record", "record first"), at("quote", "resumed")], "{variant:?}");
    session.check_values(&stop, &[("cost", "21"), ("item", "\"lamp\"")]);
    session.end(stop.thread);
}

/// Lines and functions, but neither types nor variables: what there is to see is seen, and what is not is said.
fn without_types(variant: Variant, built: &str) {
    let mut session = Session::launch(variant);
    let (line_breakpoint, function_breakpoint) = (session.line.clone(), session.function.clone());
    for (set, marker) in [(&line_breakpoint, "resumed"), (&function_breakpoint, "record first")] {
        assert_eq!((set.verified, set.line), (true, Some(line(FILE, marker))), "{variant:?}: {set:?}");
    }

    let stop = session.stop_at(&line_breakpoint, "breakpoint");
    assert_eq!(session.rows(&stop), [at("quote", "resumed"), at("deliver", "deliver awaits")], "{variant:?}");
    let tasks = session.client.async_tasks();
    let note = "the debug information of matrix has no types: build it with `debug = true` to see its tasks";
    assert_eq!((&tasks["total"], &tasks["notes"]), (&json!(0), &json!([note])), "{variant:?}");
    let top = session.client.top(stop.thread).id;
    let missing = format!(
        "no variable `cost` in this frame: this code was built {built}: set `debug = true` in its cargo profile (`-g` for \
         other compilers)"
    );
    assert_eq!(session.client.cannot_evaluate("cost", top), missing);

    session.client.resume(stop.thread);
    let stop = session.stop_at(&function_breakpoint, "function breakpoint");
    let rows = session.rows(&stop);
    assert_eq!(rows[..2], [at("record", "record first"), at("quote", "resumed")], "{variant:?}");
    session.end(stop.thread);
}

/// Neither lines nor names: it runs, and it is said what would help.
fn nothing(variant: Variant) {
    let mut session = Session::launch(variant);
    let missing = "matrix has no debug information; build it with `debug = true` in its cargo profile (`-g`), or put its \
                   debug file where one was looked for: ";
    assert!(!session.line.verified && session.line.message.starts_with(missing), "{:?}", session.line);
    let missing = format!("no function matches `record`; {missing}");
    assert!(!session.function.verified && session.function.message.starts_with(&missing), "{:?}", session.function);
    assert_eq!(session.client.exited(), 0);
    assert_eq!(session.client.output("stdout"), OUTPUT);
}

#[test]
fn debug() {
    whole(Variant::Profile("debug"));
}

#[test]
fn release() {
    optimised(Variant::Profile("release-debug"));
}

#[test]
fn fat_lto() {
    optimised(Variant::Profile("lto-fat"));
}

#[test]
fn thin_lto() {
    optimised(Variant::Profile("lto-thin"));
}

#[test]
fn dwarf_5() {
    whole(Variant::Dwarf5("dwarf-5"));
}

#[test]
fn compressed_by_zlib() {
    whole(Variant::Compressed("zlib"));
}

#[test]
fn compressed_by_zstd() {
    whole(Variant::Compressed("zstd"));
}

#[test]
fn limited_debug_information() {
    without_types(Variant::Profile("limited"), "without variables and types (`debug = 1`)");
}

#[test]
fn lines_only() {
    without_types(Variant::Profile("lines-only"), "with line tables only");
}

#[test]
fn separate_file_beside_it() {
    whole(Variant::Separate);
}

#[test]
fn separate_file_by_build_id() {
    whole(Variant::SeparateByBuildId);
}

#[test]
fn stripped() {
    nothing(Variant::Stripped);
}

#[test]
fn split_packed() {
    whole(Variant::Profile("split-packed"));
}

#[test]
fn split_unpacked() {
    whole(Variant::Profile("split-unpacked"));
}

#[test]
fn dwarf_5_split_packed() {
    whole(Variant::Dwarf5("dwarf-5-packed"));
}

#[test]
fn dwarf_5_split_unpacked() {
    whole(Variant::Dwarf5("dwarf-5-unpacked"));
}
