//! Requests as types: the one table of what this version serves.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::async_dap::{
    AsyncFocusTaskArguments, AsyncRunToArguments, AsyncStackArguments, AsyncTaskStopsArguments, AsyncTasksArguments,
};
use crate::launch::{AttachArguments, LaunchArguments};
use crate::spec::{
    BreakpointLocationsArguments, CancelArguments, CompletionsArguments, ContinueArguments,
    DataBreakpointInfoArguments, DisassembleArguments, DisconnectArguments, EvaluateArguments, ExceptionInfoArguments,
    GotoArguments, GotoTargetsArguments, InitializeArguments, ModulesArguments, NextArguments, PauseArguments,
    ReadMemoryArguments, RestartArguments, RestartFrameArguments, ScopesArguments, SetBreakpointsArguments,
    SetDataBreakpointsArguments, SetExceptionBreakpointsArguments, SetExpressionArguments,
    SetFunctionBreakpointsArguments, SetInstructionBreakpointsArguments, SetVariableArguments, SourceArguments,
    StackTraceArguments, StepInArguments, StepInTargetsArguments, StepOutArguments, TerminateArguments,
    TerminateThreadsArguments, VariablesArguments, WriteMemoryArguments,
};
use crate::{Error, ErrorId, Request};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:literal => $variant:ident $(($arguments:ty))?,)*) => {
        /// A request with its arguments.
        #[derive(Debug, Clone)]
        pub enum Command {
            $($(#[$doc])* $variant $(($arguments))?,)*
        }

        impl Command {
            /// Every command that is served.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Reads a request's arguments as its command wants them.
            ///
            /// # Errors
            /// An unknown command, or arguments of another form; the sentence names what is wrong.
            pub fn parse(request: &Request) -> Result<Self, Error> {
                match request.command.as_str() {
                    $($name => commands!(@read request $variant $(($arguments))?),)*
                    unknown => Err(refuse(unknown)),
                }
            }
        }
    };
    // Without typed arguments, whatever comes is accepted: clients send `{}`, `null` and nothing.
    (@read $request:ident $variant:ident) => { Ok(Self::$variant) };
    (@read $request:ident $variant:ident ($arguments:ty)) => {
        arguments::<$arguments>($request).map(Self::$variant)
    };
}

commands! {
    /// The first request of a session.
    "initialize" => Initialize(InitializeArguments),
    /// Start a program.
    "launch" => Launch(Box<LaunchArguments>),
    /// Attach to a process.
    "attach" => Attach(Box<AttachArguments>),
    /// The client has sent its breakpoints.
    "configurationDone" => ConfigurationDone,
    /// End the session.
    "disconnect" => Disconnect(DisconnectArguments),
    /// Ask the program to end.
    "terminate" => Terminate(TerminateArguments),
    /// Take a request back.
    "cancel" => Cancel(CancelArguments),
    /// Breakpoints of one file.
    "setBreakpoints" => SetBreakpoints(SetBreakpointsArguments),
    /// Breakpoints by function.
    "setFunctionBreakpoints" => SetFunctionBreakpoints(SetFunctionBreakpointsArguments),
    /// Breakpoints on instructions.
    "setInstructionBreakpoints" => SetInstructionBreakpoints(SetInstructionBreakpointsArguments),
    /// What of a value can be watched.
    "dataBreakpointInfo" => DataBreakpointInfo(DataBreakpointInfoArguments),
    /// Breakpoints on data.
    "setDataBreakpoints" => SetDataBreakpoints(SetDataBreakpointsArguments),
    /// Exception filters; clients send it unasked, with none.
    "setExceptionBreakpoints" => SetExceptionBreakpoints(SetExceptionBreakpointsArguments),
    /// Where in some lines a breakpoint can be.
    "breakpointLocations" => BreakpointLocations(BreakpointLocationsArguments),
    /// The same again from the start.
    "restart" => Restart(Box<RestartArguments>),
    /// Go on.
    "continue" => Continue(ContinueArguments),
    /// Step over.
    "next" => Next(NextArguments),
    /// Step in.
    "stepIn" => StepIn(StepInArguments),
    /// Step out.
    "stepOut" => StepOut(StepOutArguments),
    /// Stop.
    "pause" => Pause(PauseArguments),
    /// The calls of a line that a step can go into.
    "stepInTargets" => StepInTargets(StepInTargetsArguments),
    /// Where a thread can be moved to.
    "gotoTargets" => GotoTargets(GotoTargetsArguments),
    /// Move a thread.
    "goto" => Goto(GotoArguments),
    /// Back to the begin of a function on the stack.
    "restartFrame" => RestartFrame(RestartFrameArguments),
    /// End threads, not the program.
    "terminateThreads" => TerminateThreads(TerminateThreadsArguments),
    /// List threads.
    "threads" => Threads,
    /// A thread's or task's stack.
    "stackTrace" => StackTrace(StackTraceArguments),
    /// A frame's scopes.
    "scopes" => Scopes(ScopesArguments),
    /// Children of a scope or value.
    "variables" => Variables(VariablesArguments),
    /// The value of an expression.
    "evaluate" => Evaluate(EvaluateArguments),
    /// Give a variable another value.
    "setVariable" => SetVariable(SetVariableArguments),
    /// Give what an expression stands for another value.
    "setExpression" => SetExpression(SetExpressionArguments),
    /// What something that is being typed may go on with.
    "completions" => Completions(CompletionsArguments),
    /// What the exception was that stopped the program.
    "exceptionInfo" => ExceptionInfo(ExceptionInfoArguments),
    /// Machine code.
    "disassemble" => Disassemble(DisassembleArguments),
    /// Bytes.
    "readMemory" => ReadMemory(ReadMemoryArguments),
    /// Change bytes.
    "writeMemory" => WriteMemory(WriteMemoryArguments),
    /// The files a program consists of.
    "modules" => Modules(ModulesArguments),
    /// The source files it was made of.
    "loadedSources" => LoadedSources,
    /// The text of a source file that the client does not have.
    "source" => Source(SourceArguments),
    /// List tasks.
    "asyncTasks" => AsyncTasks(AsyncTasksArguments),
    /// A task's logical stack.
    "asyncStack" => AsyncStack(AsyncStackArguments),
    /// Make the client look at a task.
    "asyncFocusTask" => AsyncFocusTask(AsyncFocusTaskArguments),
    /// Run until a task comes to a line.
    "asyncRunTo" => AsyncRunTo(AsyncRunToArguments),
    /// What a task stops for.
    "asyncTaskStops" => AsyncTaskStops(AsyncTaskStopsArguments),
}

/// Commands of the specification and of weft's own interface that this version lacks.
const NOT_YET: &[&str] = &["locations", "reverseContinue", "stepBack"];

fn refuse(command: &str) -> Error {
    if NOT_YET.contains(&command) {
        return Error::new(ErrorId::NotSupported, format!("`{command}` is not supported by this version of weft"));
    }
    let shown: String = command.chars().take(80).collect();
    Error::new(ErrorId::UnknownCommand, format!("unknown command `{shown}`"))
}

fn arguments<T: DeserializeOwned>(request: &Request) -> Result<T, Error> {
    let given = match &request.arguments {
        Value::Null => Value::Object(Map::new()),
        given => given.clone(),
    };
    serde_json::from_value(given).map_err(|error| {
        Error::new(ErrorId::InvalidArguments, format!("`{}`: the arguments are wrong: {error}", request.command))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(command: &str, arguments: Value) -> Result<Command, Error> {
        Command::parse(&Request { seq: 1, command: command.into(), arguments })
    }

    #[test]
    fn empty_arguments_are_no_obstacle() {
        for arguments in [json!({}), Value::Null] {
            assert!(matches!(parse("configurationDone", arguments.clone()), Ok(Command::ConfigurationDone)));
            assert!(matches!(parse("threads", arguments.clone()), Ok(Command::Threads)));
            assert!(matches!(parse("disconnect", arguments.clone()), Ok(Command::Disconnect(_))));
            assert!(matches!(parse("asyncTasks", arguments), Ok(Command::AsyncTasks(_))));
        }
    }

    #[test]
    fn unknown_missing_and_wrong_are_told_apart() {
        assert_eq!(parse("frobnicate", Value::Null).unwrap_err().id, ErrorId::UnknownCommand);
        assert_eq!(parse("stepBack", json!({})).unwrap_err().id, ErrorId::NotSupported);
        let error = parse("continue", json!({"threadId": "one"})).unwrap_err();
        assert_eq!(error.id, ErrorId::InvalidArguments);
        assert!(error.message.starts_with("`continue`: the arguments are wrong: "), "{}", error.message);
        assert_eq!(parse("next", json!([1])).unwrap_err().id, ErrorId::InvalidArguments);
        assert_eq!(parse("scopes", json!({"frameId": 1e300})).unwrap_err().id, ErrorId::InvalidArguments);
    }

    #[test]
    fn what_the_dap_crate_drops_is_read() {
        let Ok(Command::SetBreakpoints(asked)) = parse(
            "setBreakpoints",
            json!({"source": {"path": "/a.rs", "sourceReference": 0}, "breakpoints":
                [{"line": 3, "hitCondition": "> 2", "logMessage": "x", "mode": "any-task"}]}),
        ) else {
            panic!()
        };
        let breakpoint = &asked.breakpoints.unwrap()[0];
        assert_eq!(breakpoint.hit_condition.as_deref(), Some("> 2"));
        assert_eq!(breakpoint.log_message.as_deref(), Some("x"));
        assert_eq!(breakpoint.mode.as_deref(), Some("any-task"));
    }

    #[test]
    fn nothing_is_both_served_and_refused() {
        assert!(NOT_YET.iter().all(|name| !Command::NAMES.contains(name)));
    }
}
