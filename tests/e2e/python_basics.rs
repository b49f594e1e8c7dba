//! Python programs: from a configuration to a stop with its stack and variables, and on to the end.

use serde_json::json;
use weft_tests::python::{line, source};
use weft_tests::{Client, on_each_python};

fn names(client: &mut Client, thread: i64) -> Vec<(String, i64)> {
    client.stack(thread).into_iter().map(|frame| (frame.name, frame.line)).collect()
}

on_each_python! {
    /// A breakpoint in a coroutine: the stack of its task, its variables, the values of expressions; steps; and the end.
    fn a_stop_shows_the_stack_and_the_variables(python: &Python) {
        let mut client = Client::weft();
        let set = python.launch(&mut client, "chain.py", &["leaf"]);
        assert_eq!((set[0].verified, set[0].line), (true, Some(line("chain.py", "leaf"))));
        let stop = client.stopped();
        assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("breakpoint", &[set[0].id][..]));
        assert_eq!(stop.thread, i64::from(client.debuggee()), "the main thread has the process's number");
        let at = |marker| line("chain.py", marker);
        let expected = [
            ("leaf", at("leaf")),
            ("middle", at("middle")),
            ("main", at("main")),
            ("task 1 Task-1", 0),
            ("<module>", at("script")),
        ];
        assert_eq!(names(&mut client, stop.thread), expected.map(|(name, line)| (name.to_owned(), line)));
        let frames = client.stack(stop.thread);
        assert_eq!(frames[0].path.as_deref(), Some(source("chain.py").as_path()));
        let scopes: Vec<String> = client.scopes(frames[0].id).into_iter().map(|scope| scope.name).collect();
        assert_eq!(scopes, ["Locals", "Globals"]);
        let locals: Vec<_> = client.locals(frames[0].id).into_iter().map(|v| (v.name, v.value, v.type_name)).collect();
        let int = |name: &str, value: &str| (name.to_owned(), value.to_owned(), "int".to_owned());
        assert_eq!(locals, [int("number", "21"), int("twice", "42")]);
        let shapes = client.evaluate("shapes", frames[1].id);
        assert_eq!(shapes.value, "{'list': [1, 2, 3], 'text': 'däta', 'none': None}");
        let inside = client.variables(shapes.reference);
        let list = inside.iter().find(|child| child.name == "'list'").expect("the list");
        let items: Vec<String> = client.variables(list.reference).into_iter().map(|item| item.value).take(9).collect();
        assert!(items.windows(3).any(|three| three == ["1", "2", "3"]), "{items:?}");
        assert_eq!(client.evaluate("twice + 1", frames[0].id).value, "43");
        let error = client.cannot_evaluate("no_such_name", frames[0].id);
        assert!(error.contains("NameError: name 'no_such_name' is not defined"), "{error}");
        // In the main module, where no frame is given.
        assert_eq!(client.ask("evaluate", json!({"expression": "GREETING + 'ä'", "context": "watch"}))["result"], "'helloä'");
        let error = client.refused("evaluate", json!({"expression": "NOTHING", "context": "watch"})).message;
        assert_eq!(error, "NameError: name 'NOTHING' is not defined");
        client.set_breakpoints(&source("chain.py"), &[]);
        client.resume(stop.thread);
        assert_eq!(client.exited(), 3);
        assert_eq!(client.output("stdout"), "hello 43\n");
        assert_eq!(client.output("stderr"), "something went wrong\n");
    }

    /// Over an await, out to the awaiter, and into what it calls.
    fn steps_follow_the_lines(python: &Python) {
        let mut client = Client::weft();
        python.launch(&mut client, "chain.py", &["main"]);
        let stop = client.stopped();
        let mut at = |how: &str| {
            let stop = client.step(how, stop.thread);
            assert_eq!(stop.reason, "step");
            let top = client.top(stop.thread);
            (top.name, top.line)
        };
        let here = |name: &str, marker| (name.to_owned(), line("chain.py", marker));
        assert_eq!(at("stepIn"), ("middle".to_owned(), line("chain.py", "middle") - 1));
        assert_eq!(at("next"), here("middle", "middle"));
        assert_eq!(at("stepIn"), ("leaf".to_owned(), line("chain.py", "leaf") - 1));
        assert_eq!(at("next"), here("leaf", "leaf"));
        assert_eq!(at("next"), here("leaf", "woken"));
        let (name, _) = at("stepOut");
        assert_eq!(name, "middle");
        client.disconnect();
    }
}
