//! What a user does in an editor, in DAP's words: launch, break, look, step.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Client, Failure};

/// A launch configuration.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Where to stop: file and line.
    pub breakpoints: Vec<(PathBuf, i64)>,
    /// Attributes besides `program` and `args`.
    pub more: Value,
}

/// A breakpoint as the adapter set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// The adapter's number for it.
    pub id: i64,
    /// Whether it stops anywhere.
    pub verified: bool,
    /// Where.
    pub line: Option<i64>,
    /// Why not.
    pub message: String,
}

/// A stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// DAP's word for why.
    pub reason: String,
    /// Who the client should look at.
    pub thread: i64,
    /// The breakpoints that were hit.
    pub hit: Vec<i64>,
    /// The event itself.
    pub body: Value,
}

/// A row of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Works in `scopes` and `evaluate`.
    pub id: i64,
    /// What a user reads.
    pub name: String,
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// The line; 0 without a file.
    pub line: i64,
    /// `normal`, `label` or `subtle`.
    pub hint: String,
}

impl Frame {
    /// The last part of the file's path.
    pub fn file(&self) -> &str {
        self.path.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// A group of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `Arguments`, `Locals`, …
    pub name: String,
    /// Works in `variables`.
    pub reference: i64,
}

/// A variable, a member, or the result of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name; empty for an expression.
    pub name: String,
    /// As a user reads it.
    pub value: String,
    /// Its type's name.
    pub type_name: String,
    /// Works in `variables`; 0 when there is nothing inside.
    pub reference: i64,
    /// How many children have indices.
    pub indexed: i64,
    /// An expression for it.
    pub evaluate_name: Option<String>,
}

impl Client {
    /// `initialize`, as an editor with all the usual abilities sends it. Gives the capabilities.
    pub fn initialize(&mut self) -> Value {
        let mut arguments = json!({
                "clientID": "weft-tests", "adapterID": "weft", "pathFormat": "path", "linesStartAt1": true,
                "columnsStartAt1": true, "supportsVariableType": true, "supportsVariablePaging": true,
                "supportsProgressReporting": false, "supportsInvalidatedEvent": true, "locale": "en",
                "supportsMemoryReferences": true, "supportsMemoryEvent": true,
        });
        for (name, value) in self.abilities.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        self.ask("initialize", arguments)
    }

    /// Launches a program and lets it run, with breakpoints set in between as editors do.
    pub fn launch(&mut self, program: &Path, args: &[&str], launch: &Launch) -> Vec<Breakpoint> {
        self.launch_configured(program, args, launch, |_| {})
    }

    /// Launches a program and lets it run, after `configure` has set more than lines.
    pub fn launch_configured(
        &mut self,
        program: &Path,
        args: &[&str],
        launch: &Launch,
        configure: impl FnOnce(&mut Self),
    ) -> Vec<Breakpoint> {
        self.initialize();
        let mut arguments = json!({"program": program, "args": args});
        for (name, value) in launch.more.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        let seq = self.send("launch", arguments);
        self.event("initialized");
        let mut set = Vec::new();
        let mut files: Vec<&PathBuf> = launch.breakpoints.iter().map(|(file, _)| file).collect();
        files.dedup();
        for file in files {
            let lines: Vec<i64> =
                launch.breakpoints.iter().filter(|(of, _)| of == file).map(|(_, line)| *line).collect();
            set.extend(self.set_breakpoints(file, &lines));
        }
        self.ask("setExceptionBreakpoints", json!({"filters": []}));
        configure(self);
        self.ask("configurationDone", json!({}));
        self.answer(seq).unwrap_or_else(|failure| panic!("launch failed: {failure:?}"));
        set
    }

    /// Launches, stops at the first of one breakpoint's hits, and gives that stop.
    pub fn launch_to(&mut self, program: &Path, args: &[&str], file: PathBuf, line: i64) -> Stop {
        let set = self.launch(program, args, &Launch { breakpoints: vec![(file, line)], ..Launch::default() });
        let stop = self.stopped();
        assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("breakpoint", &[set[0].id][..]), "{stop:?}");
        stop
    }

    /// Attaches to a process and lets it run.
    pub fn attach(&mut self, pid: i32) {
        self.attach_as(json!({"pid": pid}));
    }

    /// Attaches by a configuration.
    pub fn attach_as(&mut self, configuration: Value) {
        self.initialize();
        let seq = self.send("attach", configuration);
        self.event("initialized");
        self.ask("configurationDone", json!({}));
        self.answer(seq).unwrap_or_else(|failure| panic!("attach failed: {failure:?}"));
    }

    /// A launch or attach that cannot be served: the sentence for the user.
    pub fn cannot_start(&mut self, request: &str, arguments: Value) -> Failure {
        let seq = self.send(request, arguments);
        self.answer(seq).expect_err("this cannot be debugged")
    }

    /// Sets the breakpoints of one file.
    pub fn set_breakpoints(&mut self, file: &Path, lines: &[i64]) -> Vec<Breakpoint> {
        let wanted: Vec<Value> = lines.iter().map(|line| json!({"line": line})).collect();
        let body = self.ask("setBreakpoints", json!({"source": {"path": file}, "breakpoints": wanted}));
        let set: Vec<Breakpoint> = list(&body["breakpoints"]).map(breakpoint).collect();
        assert_eq!(set.len(), lines.len(), "one answer for each breakpoint: {body}");
        set
    }

    /// The next stop.
    pub fn stopped(&mut self) -> Stop {
        let stop = self.any_stop();
        assert_eq!(stop.body["allThreadsStopped"], json!(true), "{stop:?}");
        stop
    }

    /// The next stop, whether all threads ran before it or one.
    pub fn any_stop(&mut self) -> Stop {
        let body = self.event("stopped");
        Stop {
            reason: text(&body["reason"]),
            thread: body["threadId"].as_i64().unwrap_or(0),
            hit: list(&body["hitBreakpointIds"]).filter_map(Value::as_i64).collect(),
            body,
        }
    }

    /// The next stop, if one comes in time.
    pub fn stop_within(&mut self, longest: Duration) -> Option<Stop> {
        self.comes_within("stopped", longest).then(|| self.any_stop())
    }

    /// Asks for a pause; the stop that follows may be another that came first.
    pub fn pause_or_stop(&mut self) -> Stop {
        let threads = self.threads();
        let first = threads.first().map_or(0, |(id, _)| *id);
        self.ask("pause", json!({"threadId": first}));
        self.stopped()
    }

    /// The next stop, or none when the program ends first (its `exited` is left to be taken).
    pub fn stop_or_exit(&mut self) -> Option<Stop> {
        self.peek_event(&["stopped", "exited"]);
        (self.pending_events().iter().find(|name| matches!(name.as_str(), "stopped" | "exited"))? == "stopped")
            .then(|| self.stopped())
    }

    /// `continue`.
    pub fn resume(&mut self, thread: i64) {
        self.ask("continue", json!({"threadId": thread}));
    }

    /// `continue` to the next stop.
    pub fn resume_to_stop(&mut self, thread: i64) -> Stop {
        self.resume(thread);
        self.stopped()
    }

    /// A step (`next`, `stepIn` or `stepOut`) and the stop that ends it.
    pub fn step(&mut self, how: &str, thread: i64) -> Stop {
        self.ask(how, json!({"threadId": thread}));
        self.stopped()
    }

    /// `pause` and the stop that follows.
    pub fn pause(&mut self) -> Stop {
        let threads = self.threads();
        let first = threads.first().map_or(0, |(id, _)| *id);
        self.ask("pause", json!({"threadId": first}));
        let stop = self.stopped();
        assert_eq!(stop.reason, "pause");
        stop
    }

    /// `threads`: ids and names.
    pub fn threads(&mut self) -> Vec<(i64, String)> {
        let body = self.ask("threads", Value::Null);
        list(&body["threads"]).map(|thread| (thread["id"].as_i64().unwrap_or(0), text(&thread["name"]))).collect()
    }

    /// The whole stack of a thread or task.
    pub fn stack(&mut self, thread: i64) -> Vec<Frame> {
        let body = self.ask("stackTrace", json!({"threadId": thread}));
        let frames: Vec<Frame> = list(&body["stackFrames"]).map(frame).collect();
        if let Some(total) = body["totalFrames"].as_u64() {
            assert_eq!(frames.len() as u64, total, "a stack asked for whole is whole");
        }
        frames
    }

    /// Where a thread or task stands: name, file and line of its top frame.
    pub fn top(&mut self, thread: i64) -> Frame {
        let body = self.ask("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": 1}));
        let frames: Vec<Frame> = list(&body["stackFrames"]).map(frame).collect();
        assert_eq!(frames.len(), 1, "one frame was asked for: {body}");
        frames.into_iter().next().expect("one frame")
    }

    /// The scopes of a frame.
    pub fn scopes(&mut self, frame: i64) -> Vec<Scope> {
        let body = self.ask("scopes", json!({"frameId": frame}));
        list(&body["scopes"])
            .map(|scope| Scope {
                name: text(&scope["name"]),
                reference: scope["variablesReference"].as_i64().unwrap_or(0),
            })
            .collect()
    }

    /// What is inside a scope or variable.
    pub fn variables(&mut self, reference: i64) -> Vec<Variable> {
        let body = self.ask("variables", json!({"variablesReference": reference}));
        list(&body["variables"]).map(variable).collect()
    }

    /// Arguments and locals of a frame, in the order shown.
    pub fn locals(&mut self, frame: i64) -> Vec<Variable> {
        let scopes = self.scopes(frame);
        let wanted: Vec<i64> = scopes
            .iter()
            .filter(|scope| matches!(scope.name.as_str(), "Arguments" | "Locals"))
            .map(|scope| scope.reference)
            .collect();
        assert!(!wanted.is_empty(), "frame {frame} has neither arguments nor locals: {scopes:?}");
        wanted.into_iter().flat_map(|reference| self.variables(reference)).collect()
    }

    /// The value of an expression in a frame.
    pub fn evaluate(&mut self, expression: &str, frame: i64) -> Variable {
        let body = self.ask("evaluate", json!({"expression": expression, "frameId": frame, "context": "watch"}));
        evaluated(&body)
    }

    /// Why an expression has no value in a frame.
    pub fn cannot_evaluate(&mut self, expression: &str, frame: i64) -> String {
        self.refused("evaluate", json!({"expression": expression, "frameId": frame, "context": "watch"})).message
    }

    /// `asyncTasks`, all of them.
    pub fn async_tasks(&mut self) -> Value {
        let body = self.ask("asyncTasks", json!({}));
        let listed = list(&body["tasks"]).count() as u64;
        assert_eq!(body["matched"], json!(listed), "without a filter all tasks match, and without a count all come");
        // Those that have ended are listed as long as somebody has to do with them, and not counted.
        let is_over = |task: &&Value| ["done", "failed", "cancelled"].iter().any(|state| task["state"] == *state);
        let over = list(&body["tasks"]).filter(is_over).count() as u64;
        let total = body["total"].as_u64().unwrap_or(0);
        assert!((listed - over..=listed).contains(&total), "live tasks are counted: {body}");
        body
    }

    /// `asyncStack` of a task.
    pub fn async_stack(&mut self, task: i64) -> Vec<Value> {
        let body = self.ask("asyncStack", json!({"task": task}));
        list(&body["frames"]).cloned().collect()
    }

    /// Ends the session as an editor's stop button does, and checks that nothing stays behind.
    pub fn disconnect(&mut self) {
        let debuggee = self.debuggee();
        self.ask("disconnect", json!({"terminateDebuggee": true}));
        assert!(crate::process::wait_gone(debuggee, crate::DEADLINE), "the debuggee outlives disconnect");
        assert_eq!(crate::process::children(self.adapter_pid()), Vec::<i32>::new(), "children of the adapter stay");
    }

    /// Waits for the end of the program and gives its exit status.
    pub fn exited(&mut self) -> i64 {
        let code = self.event("exited")["exitCode"].as_i64().expect("a number");
        self.event("terminated");
        code
    }
}

/// The members of a JSON array; none when it is no array.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn breakpoint(body: &Value) -> Breakpoint {
    Breakpoint {
        id: body["id"].as_i64().unwrap_or(0),
        verified: body["verified"] == json!(true),
        line: body["line"].as_i64(),
        message: text(&body["message"]),
    }
}

fn frame(body: &Value) -> Frame {
    Frame {
        id: body["id"].as_i64().unwrap_or(0),
        name: text(&body["name"]),
        path: body["source"]["path"].as_str().map(PathBuf::from),
        line: body["line"].as_i64().unwrap_or(0),
        hint: body["presentationHint"].as_str().unwrap_or("normal").to_owned(),
    }
}

fn variable(body: &Value) -> Variable {
    Variable {
        name: text(&body["name"]),
        value: text(&body["value"]),
        type_name: text(&body["type"]),
        reference: body["variablesReference"].as_i64().unwrap_or(0),
        indexed: body["indexedVariables"].as_i64().unwrap_or(0),
        evaluate_name: body["evaluateName"].as_str().map(str::to_owned),
    }
}

fn evaluated(body: &Value) -> Variable {
    Variable { value: text(&body["result"]), ..variable(body) }
}
