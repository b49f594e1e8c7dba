//! Values that are changed while a Python program stands, and what is offered while an expression is typed.

use serde_json::{Value, json};
use weft_tests::python::{Python, line, source};
use weft_tests::{Client, Frame, Launch, list, on_each_python};

const SCRIPT: &str = "edits.py";

/// Launches the script, and gives the frames of the first stop, at a marker.
fn stopped_at(python: &Python, marker: &str) -> (Client, i64, Vec<Frame>) {
    let mut client = Client::weft();
    python.launch(&mut client, SCRIPT, &[marker]);
    let stop = client.stopped();
    let frames = client.stack(stop.thread);
    assert_eq!(frames[0].line, line(SCRIPT, marker));
    (client, stop.thread, frames)
}

/// What an assignment answers: the value that is there then, or the error.
fn said(answer: Result<Value, weft_tests::Failure>) -> String {
    match answer {
        Ok(body) => body["value"].as_str().expect("a value").to_owned(),
        Err(failure) => format!("! {}", failure.message),
    }
}

/// The same, and that a client is told to read variables again after a change, and only then.
fn changed(client: &mut Client, command: &str, asked: Value) -> String {
    let told = said(client.request(command, asked));
    if !told.starts_with('!') {
        assert_eq!(client.event("invalidated"), json!({"areas": ["variables"]}));
    }
    assert_eq!(client.take_events("invalidated"), Vec::<Value>::new());
    told
}

fn set_expression(client: &mut Client, frame: i64, target: &str, value: &str) -> String {
    changed(client, "setExpression", json!({"expression": target, "value": value, "frameId": frame}))
}

fn set_variable(client: &mut Client, container: i64, name: &str, value: &str) -> String {
    changed(client, "setVariable", json!({"variablesReference": container, "name": name, "value": value}))
}

/// The number of the scope of a frame: `Locals`, or the module's.
fn scope(client: &mut Client, frame: i64, locals: bool) -> i64 {
    let scopes = client.scopes(frame);
    scopes.iter().find(|scope| (scope.name == "Locals") == locals).expect("the scope").reference
}

/// What a container shows by a name: the value, and the number of its children.
fn child(client: &mut Client, container: i64, name: &str) -> (String, i64) {
    let found = client.variables(container).into_iter().find(|variable| variable.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no {name}"));
    (found.value, found.reference)
}

/// A frame of a task that waits.
fn waiting(client: &mut Client, task: &str, function: &str) -> i64 {
    let tasks = client.async_tasks();
    let thread = list(&tasks["tasks"]).find(|found| found["name"] == task).expect("the task")["threadId"].clone();
    let stack = client.stack(thread.as_i64().expect("a number"));
    stack.iter().find(|frame| frame.name == function).expect("its frame").id
}

/// What is offered at the end of a text: names, and how much of the text they replace.
fn offered(client: &mut Client, frame: i64, text: &str) -> (Vec<String>, i64) {
    let column = i64::try_from(text.encode_utf16().count()).expect("a column") + 1;
    let answer = client.ask("completions", json!({"frameId": frame, "text": text, "column": column}));
    let names = list(&answer["targets"]).map(|target| target["label"].as_str().expect("a label").to_owned()).collect();
    let length = answer["targets"][0]["length"].as_i64().unwrap_or(0);
    for target in list(&answer["targets"]) {
        assert_eq!((target["start"].as_i64(), target["length"].as_i64()), (Some(column - length), Some(length)));
    }
    (names, length)
}

on_each_python! {
    /// Variables, attributes and items of frames on a thread, of the innermost one and of one further out, are changed for the
    /// program, and a client that reads again sees it.
    fn what_is_assigned_the_program_has(python: &Python) {
        let (mut client, thread, frames) = stopped_at(python, "helper");
        let (top, works) = (frames[0].id, frames[1].id);
        let (inner, outer) = (scope(&mut client, top, true), scope(&mut client, works, true));
        assert_eq!(child(&mut client, inner, "number").0, "1");
        assert_eq!(set_variable(&mut client, inner, "number", "limit + 31"), "41");
        assert_eq!(child(&mut client, inner, "number").0, "41");
        assert_eq!(set_variable(&mut client, inner, "naïve", "naïve * 2"), "'🦀🦀'");
        assert_eq!(set_variable(&mut client, outer, "step", "[step + n for n in (1,)][0]"), "2");
        let globals = scope(&mut client, top, false);
        assert_eq!(set_variable(&mut client, globals, "limit", "11"), "11");
        // Items and attributes.
        let (_, table) = child(&mut client, outer, "table");
        assert_eq!(set_variable(&mut client, table, "'a'", "step"), "2");
        assert_eq!(child(&mut client, table, "'a'").0, "2");
        assert_eq!(child(&mut client, outer, "table").0, "{'a': 2, (1, 2): 'pair'}");
        let (_, items) = child(&mut client, outer, "items");
        assert_eq!(set_variable(&mut client, items, "2", "{'deep': [7]}"), "{'deep': [7]}");
        let (_, deep) = child(&mut client, items, "2");
        let (_, deep) = child(&mut client, deep, "'deep'");
        assert_eq!(set_variable(&mut client, deep, "0", "8"), "8");
        let (_, account) = child(&mut client, outer, "account");
        assert_eq!(set_variable(&mut client, account, "balance", "6"), "6");
        let (_, pair) = child(&mut client, outer, "pair");
        assert_eq!(set_variable(&mut client, pair, "left", "3"), "3");
        // By expression.
        assert_eq!(set_expression(&mut client, works, "account.rate", "7"), "7");
        assert_eq!(set_expression(&mut client, works, "table[1, 2]", "'other'"), "'other'");
        assert_eq!(set_expression(&mut client, works, "items[0]", "sum(items[:2])"), "3");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        let printed = "plain 1 2 10\nhelper 41 🦀🦀 11\nworks 2 43 [('a', 2), ((1, 2), 'other')] [3, 2, {'deep': [8]}]\n\
            account 6 7 3\nwaits 1 1 ['a', 'b'] 6\n";
        assert_eq!(client.output("stdout"), printed);
    }

    /// What stands in the target is evaluated once, also to show what is there then; what cannot be read is changed all the same.
    fn a_target_is_evaluated_once(python: &Python) {
        let (mut client, thread, frames) = stopped_at(python, "helper");
        let works = frames[1].id;
        let waits = waiting(&mut client, "waiting", "waits");
        let secret = "type('Secret', (), {'kept': property(None, lambda self, value: touched.append(value))})().kept";
        assert_eq!(set_expression(&mut client, works, "items[touched.append('thread') or 0]", "[9]"), "[9]");
        assert_eq!(set_expression(&mut client, waits, "names[touched.append('task') or 0]", "'c'"), "'c'");
        assert_eq!(set_expression(&mut client, works, "items[1:]", "[8]"), "[8]");
        assert_eq!(set_expression(&mut client, works, secret, "'in a thread'"), "'in a thread'");
        assert_eq!(set_expression(&mut client, waits, secret, "'in a task'"), "'in a task'");
        let in_module = json!({"expression": "(touched.append('module') or touched)[0]", "value": "'first'"});
        assert_eq!(changed(&mut client, "setExpression", in_module), "'first'");
        let touched = client.evaluate("touched", works).value;
        assert_eq!(touched, "['first', 'task', 'in a thread', 'in a task', 'module']");
        // Nor is it by what is shown behind it.
        let asked = json!({"expression": "items[0]", "value": "[7]", "frameId": works});
        let answer = client.ask("setExpression", asked);
        assert_eq!(answer["value"], "[7]");
        let children = client.ask("variables", json!({"variablesReference": answer["variablesReference"]}));
        let first = list(&children["variables"]).find(|child| child["name"] == "0").expect("an item").clone();
        assert_eq!((first["value"].as_str(), first.get("evaluateName")), (Some("7"), None));
        assert_eq!(client.evaluate("items", works).value, "[[7], 8]");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
    }

    /// What cannot be done is an error that says why, and nothing has changed.
    fn what_cannot_be_assigned_says_why(python: &Python) {
        let (mut client, thread, frames) = stopped_at(python, "helper");
        let (top, works) = (frames[0].id, frames[1].id);
        let (inner, outer) = (scope(&mut client, top, true), scope(&mut client, works, true));
        assert_eq!(set_variable(&mut client, inner, "number", "nothing"), "! NameError: name 'nothing' is not defined");
        assert!(set_variable(&mut client, inner, "number", "1 +").starts_with("! SyntaxError: invalid syntax"));
        assert_eq!(set_variable(&mut client, inner, "number", "1 / 0"), "! ZeroDivisionError: division by zero");
        assert_eq!(set_variable(&mut client, inner, "number", " "), "! nothing to assign: give an expression");
        assert_eq!(set_variable(&mut client, inner, "nothing", "1"), "! this is no variable, so it cannot be given another value");
        assert!(set_variable(&mut client, inner, "number", "(exit())").starts_with("! RuntimeError: SystemExit"));
        assert_eq!(set_expression(&mut client, works, "account.rate", "-1"), "! ValueError: no negative rate");
        assert_eq!(set_expression(&mut client, works, "nothing", "1"), "! NameError: name 'nothing' is not defined");
        let refusal = "! only a variable, an attribute or an item can be given another value";
        for target in ["step + 1", "(step, pair)", "helper()", "(step := 3)"] {
            assert_eq!(set_expression(&mut client, works, target, "1"), refusal);
        }
        assert!(set_expression(&mut client, works, "step = 2; step", "1").starts_with("! SyntaxError: "));
        let (_, table) = child(&mut client, outer, "table");
        let (_, length) = child(&mut client, table, "len()");
        assert_eq!(length, 0);
        assert!(set_variable(&mut client, table, "len()", "1").starts_with("! "));
        assert_eq!(client.refused("setVariable", json!({"variablesReference": 99_999, "name": "a", "value": "1"})).id, 1302);
        assert_eq!(child(&mut client, inner, "number").0, "1");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        let printed = client.output("stdout");
        assert!(printed.contains("helper 1 🦀 10\nworks 1 2 [('a', 1), ((1, 2), 'pair')] [1, 2, 3]\naccount 5 1 0\n"), "{printed}");
    }

    /// Variables of a task that waits, also one that a function within shares, are what it has when it goes on.
    fn a_task_that_waits_goes_on_with_what_was_assigned(python: &Python) {
        let (mut client, thread, _) = stopped_at(python, "helper");
        let frame = waiting(&mut client, "waiting", "waits");
        let locals = scope(&mut client, frame, true);
        assert_eq!(child(&mut client, locals, "count").0, "1");
        assert_eq!(set_variable(&mut client, locals, "count", "limit * 2"), "20");
        assert_eq!(child(&mut client, locals, "count").0, "20");
        let (_, names) = child(&mut client, locals, "names");
        assert_eq!(set_variable(&mut client, names, "[1]", "'c' * count"), format!("'{}'", "c".repeat(20)));
        assert_eq!(set_expression(&mut client, frame, "names[1]", "'d'"), "'d'");
        let (_, account) = child(&mut client, locals, "account");
        assert_eq!(set_variable(&mut client, account, "balance", "50"), "50");
        assert_eq!(set_expression(&mut client, frame, "limit", "12"), "12");
        let globals = scope(&mut client, frame, false);
        assert_eq!(set_variable(&mut client, globals, "limit", "limit + 1"), "13");
        assert_eq!(set_expression(&mut client, frame, "count", "count + 1"), "21");
        assert_eq!(set_variable(&mut client, locals, "count", "nothing"), "! NameError: name 'nothing' is not defined");
        assert_eq!(set_variable(&mut client, locals, "other", "1"), "! NameError: name 'other' is not defined");
        assert_eq!(set_expression(&mut client, frame, "account.rate", "-1"), "! ValueError: no negative rate");
        assert!(set_expression(&mut client, frame, "count", "await gate.wait()").starts_with("! SyntaxError: 'await' outside"));
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        let printed = client.output("stdout");
        assert!(printed.contains("helper 1 🦀 13\n") && printed.contains("account 50 1 0\n"), "{printed}");
        assert!(printed.ends_with("waits 21 21 ['a', 'd'] 50\n"), "{printed}");
    }

    /// In a thread without a loop as well; and without a frame it is the main module.
    fn threads_and_modules_are_changed(python: &Python) {
        let (mut client, thread, frames) = stopped_at(python, "plain");
        let locals = scope(&mut client, frames[0].id, true);
        assert_eq!(set_variable(&mut client, locals, "doubled", "number + 40"), "41");
        let in_module = json!({"expression": "limit", "value": "limit * 3"});
        assert_eq!(changed(&mut client, "setExpression", in_module), "30");
        assert_eq!(set_expression(&mut client, frames[0].id, "number", "limit"), "30");
        client.resume(thread);
        assert_eq!(client.exited(), 0);
        assert!(client.output("stdout").starts_with("plain 30 41 30\nhelper 1 🦀 30\n"));
    }

    /// What has ended cannot be changed any more: at an exception of a task's the calls that it came through are shown.
    fn what_has_ended_is_not_changed(python: &Python) {
        let mut client = Client::weft();
        let launch = Launch { breakpoints: Vec::new(), more: python.configuration() };
        client.launch_configured(&source(SCRIPT), &[], &launch, |client| {
            assert!(client.set_exceptions(&["task-failed"], &[])[0].verified);
        });
        let stop = client.stopped();
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), ("fails", line(SCRIPT, "fails")));
        let locals = scope(&mut client, top.id, true);
        let refusal = "! this call has ended: the program would not see the change";
        assert_eq!(set_variable(&mut client, locals, "number", "2"), refusal);
        assert_eq!(set_expression(&mut client, top.id, "number", "2"), refusal);
        assert_eq!(child(&mut client, locals, "number").0, "1");
        client.disconnect();
    }

    /// Names are completed from what lies there: no property is asked, on no thread's frame and in no task's that waits.
    fn names_are_completed(python: &Python) {
        let (mut client, _, frames) = stopped_at(python, "helper");
        let waits = waiting(&mut client, "waiting", "waits");
        let offer = |client: &mut Client, frame: i64, text: &str| offered(client, frame, text).0;
        let (top, works) = (frames[0].id, frames[1].id);
        assert_eq!(offered(&mut client, top, "na"), (vec!["naïve".to_owned()], 2));
        assert_eq!(offered(&mut client, top, "'🦀' + naïve + lim"), (vec!["limit".to_owned()], 3));
        assert_eq!(offer(&mut client, works, "account."), ["balance", "kind", "rate"]);
        assert_eq!(offered(&mut client, works, "f(account._ra"), (vec!["_rate".to_owned()], 3));
        assert_eq!(offer(&mut client, works, "account.balance.bit_c"), ["bit_count"]);
        assert_eq!(offer(&mut client, works, "pair.l"), ["left"]);
        assert_eq!(offer(&mut client, works, "table['a'].bit_l"), ["bit_length"]);
        assert_eq!(offer(&mut client, works, "asyncio.Ev")[0], "Event");
        assert_eq!(offer(&mut client, waits, "co"), ["count", "compile", "complex", "copyright", "continue"]);
        assert_eq!(offer(&mut client, waits, "account."), ["balance", "kind", "rate"]);
        assert_eq!(offer(&mut client, waits, "print(gate._val"), ["_value"]);
        // Where nobody knows, or nothing is to be completed.
        for text in ["account.rate.", "helper(1).", "'na", "1.", "# na", "\"\"\"na", "nothing.", "table[0].", "if.", "items[007].", "(1, 2)."] {
            assert_eq!(offer(&mut client, works, text), Vec::<String>::new(), "{text}");
        }
        // In the midst of a text of several lines.
        let asked = json!({"frameId": works, "text": "x = '🦀'\npair.ri + 1", "line": 2, "column": 8});
        let answer = client.ask("completions", asked);
        assert_eq!(answer["targets"], json!([{"label": "right", "type": "field", "start": 6, "length": 2, "sortText": "00000"}]));
        let answer = client.ask("completions", json!({"text": "touch", "column": 6}));
        assert_eq!(answer["targets"][0]["label"], "touched");
        assert_eq!(client.evaluate("touched", top).value, "[]");
        client.disconnect();
    }
}
