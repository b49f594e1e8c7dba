//! The frames of suspended tasks, their variables, and expressions in them: `frames.py`.

use std::sync::Arc;

use weft_protocol::ErrorId;
use weft_session::debuggee::{Container, FrameBody, Row, ScopeKind, Variable};
use weft_tasks::{Frame, FrameKind};
use weft_tests::python::Interpreter;

use super::program::{Program, in_each, line, named, place};
use crate::probe::{Listing, Options, Stacks};

/// A tree in words: `await outer:12`, indented.
fn told(frames: &[Frame], depth: usize, words: &mut Vec<String>) {
    for frame in frames {
        let kind = format!("{:?}", frame.kind).to_lowercase();
        let at = frame.location.as_ref().map(|_| format!(" {}", place(frame.location.as_ref()))).unwrap_or_default();
        let name = frame.name.rsplit('.').next().unwrap_or_default();
        words.push(format!("{}{kind} {name}{at}", "  ".repeat(depth)));
        told(&frame.children, depth + 1, words);
    }
}

fn at(marker: &str) -> String {
    format!("frames.py:{}", line("frames.py", marker))
}

fn start(python: &Interpreter) -> (Program, Listing) {
    let program = Program::start(python, "frames.py", &Options::default());
    let listing = program.listing();
    (program, listing)
}

#[test]
fn a_tasks_tree_goes_on_in_those_who_await_it() {
    in_each(|python| {
        let (program, listing) = start(python);
        let stacks = Stacks { probe: &program.probe, listing: &listing, user_code: &program.user_code };
        let stack = stacks.tree(named(&listing, "held").key, Vec::new()).unwrap();
        let mut words = Vec::new();
        told(&stack.frames, 0, &mut words);
        let leaf = words.iter().position(|word| word.contains("leaf wait")).unwrap();
        assert!(words.get(leaf - 1).unwrap().starts_with("      await wait locks.py:"), "{words:?}");
        words.remove(leaf - 1);
        let wanted = [
            format!("await outer {}", at("outer")),
            format!("  await inner {}", at("inner")),
            format!("    await forever frames.py:{}", line("frames.py", "inner") - 11),
            "        leaf wait".to_owned(),
            "boundary awaiter".to_owned(),
            format!("  await awaits {}", at("awaits")),
            "    leaf a task".to_owned(),
            "      leaf held".to_owned(),
            "  boundary gatherer".to_owned(),
            format!("    await gathers {}", at("gathers")),
            "      branch gather of 2, 2 left".to_owned(),
            "        leaf awaiter".to_owned(),
            "        leaf held".to_owned(),
            "spawnsite Task-1".to_owned(),
            format!("  physical spawn {}", at("spawn")),
        ];
        let forever = words.iter().position(|word| word.contains("forever")).unwrap();
        words[forever] = wanted[2].clone();
        assert_eq!(words, wanted, "{}", python.version);
    });
}

#[test]
fn rows_of_a_task_are_its_frames_and_then_its_awaiters() {
    in_each(|python| {
        let (program, listing) = start(python);
        let stacks = Stacks { probe: &program.probe, listing: &listing, user_code: &program.user_code };
        let rows = stacks.task_rows(named(&listing, "awaiter").key).unwrap();
        let words: Vec<String> = rows
            .iter()
            .map(|row| match row {
                Row::Frame(frame) => format!("{} {}", frame.name, place(frame.location.as_ref())),
                Row::Task(_, name) => format!("task {name}"),
                Row::AwaitedBy(_, name) => format!("awaited by {name}"),
                Row::Cut(why) => why.clone(),
            })
            .collect();
        let wanted = [
            format!("awaits {}", at("awaits")),
            "awaited by gatherer".to_owned(),
            format!("gathers {}", at("gathers")),
        ];
        assert_eq!(words, wanted, "{}", python.version);
    });
}

/// The body of the frame of `frames.py` whose function is named so.
fn body(program: &Program, listing: &Listing, task: &str, function: &str) -> Arc<dyn FrameBody> {
    let stacks = Stacks { probe: &program.probe, listing, user_code: &program.user_code };
    let rows = stacks.task_rows(named(listing, task).key).unwrap();
    let found = rows.into_iter().find_map(|row| match row {
        Row::Frame(frame) if frame.name == function => frame.body,
        _ => None,
    });
    found.unwrap()
}

fn locals(body: &dyn FrameBody) -> Vec<Variable> {
    let scopes = body.scopes().unwrap();
    let locals = scopes.iter().find(|scope| scope.kind == ScopeKind::Locals).unwrap();
    locals.variables.named(0..locals.variables.counts().named).unwrap()
}

#[test]
fn suspended_frames_have_variables() {
    in_each(|python| {
        let (program, listing) = start(python);
        let variables = locals(&*body(&program, &listing, "held", "inner"));
        let text = |name: &str| {
            let found = variables.iter().find(|variable| variable.name == name);
            found.map(|variable| variable.value.text.clone()).unwrap_or_else(|| panic!("no {name}"))
        };
        assert_eq!([text("first"), text("second"), text("rest")], ["1", "'two'", "()"]);
        assert_eq!(text("number"), format!("1{}", "0".repeat(30)));
        assert_eq!(text("text"), format!("'{}'… (1000 in all)", "x".repeat(400)));
        assert_eq!(text("numbers"), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 88 more]");
        assert_eq!(text("nested"), "{'a': {'b': {'c': {…}}}}");
        assert_eq!([text("point"), text("liar"), text("queue")], ["Point(1, 2)", "a liar", "deque([1, 2])"]);
        assert!(text("raises").ends_with("(its repr raises RuntimeError)"), "{}", text("raises"));
        let child = |of: &str, path: &[&str]| -> Variable {
            let mut at = variables.iter().find(|variable| variable.name == of).unwrap().clone();
            for name in path {
                let children: Arc<dyn Container> = at.value.children.clone().unwrap();
                let mut all = children.named(0..children.counts().named).unwrap();
                all.extend(children.indexed(0..children.counts().indexed).unwrap());
                at = all.into_iter().find(|child| child.name == *name).unwrap_or_else(|| panic!("no {name} in {of}"));
            }
            at
        };
        let deep = child("plain", &["inner", "'key'", "[1]"]);
        assert_eq!((deep.value.text.as_str(), deep.evaluate_name.as_deref()), ("2", Some("plain.inner['key'][1]")));
        assert_eq!(child("point", &["y"]).value.text, "2");
        let numbers = child("numbers", &[]).value.children.unwrap();
        assert_eq!(numbers.indexed(98..200).unwrap().len(), 2);
        let globals = body(&program, &listing, "held", "inner").scopes().unwrap();
        let globals = globals.iter().find(|scope| scope.kind == ScopeKind::Statics).unwrap();
        let globals = globals.variables.named(0..globals.variables.counts().named).unwrap();
        assert!(globals.iter().any(|variable| variable.name == "counter" && variable.value.text == "0"));
    });
}

#[test]
fn an_endless_repr_costs_its_own_text() {
    in_each(|python| {
        let (program, listing) = start(python);
        let variables = locals(&*body(&program, &listing, "endless", "endless"));
        let texts: Vec<&str> = variables.iter().map(|variable| variable.value.text.as_str()).collect();
        let [stuck, after] = texts.as_slice() else { panic!("{texts:?}") };
        assert!(stuck.ends_with("(its repr takes too long)"), "{stuck}");
        assert_eq!(*after, "5");
    });
}

#[test]
fn expressions_are_evaluated_in_suspended_frames() {
    in_each(|python| {
        let (program, listing) = start(python);
        let body = body(&program, &listing, "held", "inner");
        let value = |expression: &str| body.evaluate(expression, None).map(|value| value.text);
        assert_eq!(value("first + counter + sum(n for n in numbers if n < first + 5)").unwrap(), "16");
        assert_eq!(value("point.x").unwrap(), "1");
        assert_eq!(value("first = 7").unwrap(), "");
        assert_eq!(value("first").unwrap(), "7");
        let error = |expression: &str| body.evaluate(expression, None).err().unwrap();
        assert_eq!(error("nothing").id, ErrorId::Evaluate);
        assert_eq!(error("nothing").message, "NameError: name 'nothing' is not defined");
        assert!(error("fresh = 1").message.contains("no variables of this function"), "{}", error("fresh = 1").message);
        assert_eq!(error("1 +").id, ErrorId::Evaluate);
        program.probe.going().unwrap();
        assert_eq!(body.scopes().err().unwrap().id, ErrorId::StaleReference);
    });
}

#[test]
fn what_suspended_frames_have_is_changed() {
    in_each(|python| {
        let (program, listing) = start(python);
        let body = body(&program, &listing, "held", "inner");
        let assigned = |target: &str, value: &str| body.assign(target, value).map(|value| value.text);
        assert_eq!(assigned("first", "first + 1").unwrap(), "2");
        assert_eq!(assigned("counter", "first * 10").unwrap(), "20");
        assert_eq!(assigned("point.y", "[3]").unwrap(), "[3]");
        assert_eq!(assigned("nested['a']['b']", "counter").unwrap(), "20");
        assert_eq!(assigned("raises.name", "1").unwrap(), "1");
        assert_eq!(
            assigned("rest[0]", "1").err().unwrap().message,
            "TypeError: 'tuple' object does not support item assignment"
        );
        assert_eq!(assigned("first + 1", "1").err().unwrap().id, ErrorId::Evaluate);
        let variables = locals(&*body);
        let children = |name: &str| {
            let found = variables.iter().find(|variable| variable.name == name).unwrap();
            found.value.children.clone().unwrap()
        };
        assert_eq!(children("point").assign("x", "'left'").unwrap().text, "'left'");
        assert_eq!(children("nested").assign("'a'", "first").unwrap().text, "2");
        assert_eq!(children("numbers").assign("[99]", "0").unwrap().text, "0");
        let refusal = "this has no name in the program, so it cannot be given another value";
        assert_eq!(children("numbers").assign("[100]", "0").err().unwrap().message, refusal);
        assert_eq!(children("point").assign("z", "0").err().unwrap().message, refusal);
        let told = [("first", "2"), ("nested", "{'a': 2}"), ("point", "Point(left, [3])")];
        let now = locals(&*body);
        for (name, text) in told {
            assert_eq!(
                now.iter().find(|variable| variable.name == name).unwrap().value.text,
                text,
                "{}",
                python.version
            );
        }
    });
}

#[test]
fn names_are_completed_without_running_anything() {
    in_each(|python| {
        let (program, listing) = start(python);
        let body = body(&program, &listing, "held", "inner");
        let names = |text: &str| {
            let found = body.complete(text).unwrap();
            (found.begin, found.names.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        let these =
            |begin: &str, names: &[&str]| (begin.to_owned(), names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names("first + numb"), these("numb", &["number", "numbers"]));
        assert_eq!(names("plain."), these("", &["inner", "name"]));
        assert_eq!(names("plain.inner['key'][1].real"), these("real", &["real"]));
        assert_eq!(names("point.x.numer"), these("numer", &["numerator"]));
        assert_eq!(names("raises.__re"), these("__re", &["__repr__", "__reduce__", "__reduce_ex__"]));
        assert_eq!(names("liar."), these("", &[]));
        assert_eq!(names("Liar.__d"), these("__d", &["__dict__", "__doc__", "__delattr__", "__dir__"]));
        assert_eq!(names("collections.deq"), these("deq", &["deque"]));
        assert_eq!(names(&"(".repeat(200_000)).0, "");
        assert_eq!(names(&format!("{}.x", "a.".repeat(100_000))).1, Vec::<String>::new());
    });
}

#[test]
fn a_threads_rows_go_on_below_the_task() {
    in_each(|python| {
        let (program, listing) = start(python);
        let stacks = Stacks { probe: &program.probe, listing: &listing, user_code: &program.user_code };
        let main = named(&listing, "Task-1");
        let frame = |name: &str, location: Option<_>, own: bool| weft_session::debuggee::Frame {
            name: name.to_owned(),
            location,
            subtle: !own,
            own,
            instruction: None,
            restartable: false,
            body: None,
        };
        let physical = vec![
            frame("readline", None, false),
            frame("main", main.location.clone(), true),
            frame("_run_once", None, false),
            frame("<module>", None, true),
        ];
        let thread = i64::from(main.os_thread.unwrap());
        let rows = stacks.thread_rows(physical, thread).unwrap();
        let words: Vec<&str> = rows
            .iter()
            .map(|row| match row {
                Row::Frame(frame) => frame.name.as_str(),
                Row::Task(_, name) | Row::AwaitedBy(_, name) => name,
                Row::Cut(why) => why,
            })
            .collect();
        assert_eq!(words, ["readline", "main", "Task-1", "_run_once", "<module>"], "{}", python.version);
        let tree = stacks.tree(main.key, vec![frame("main", main.location.clone(), true)]).unwrap();
        assert_eq!(tree.frames.first().map(|frame| frame.kind), Some(FrameKind::Physical));
    });
}
