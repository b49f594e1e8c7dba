//! Exception filters and breakpoint modes: those that are offered, and what is said to others.

use weft_protocol::spec::{BreakpointMode, ExceptionFilter as Offered, SetExceptionBreakpointsArguments};

use crate::debuggee::{ExceptionFilter, FilterSpec};
use crate::serve::Runtime;

/// Filters of Python programs.
const PYTHON: &[&str] = &["raised", "uncaught", "userUnhandled", "task-failed", "never-retrieved"];

/// What `initialize` offers. A panic stops unless a user switches it off, as an uncaught exception does elsewhere;
/// those in tasks are a subset of all, for programs that panic as a matter of course.
pub(crate) fn offered(runtime: Option<Runtime>) -> Vec<Offered> {
    if runtime == Some(Runtime::Python) {
        return Vec::new();
    }
    vec![
        Offered {
            filter: "panic",
            label: "Panics",
            description: "Stops where any panic begins, before the stack is unwound.",
            default: true,
            supports_condition: false,
        },
        Offered {
            filter: "panic-in-task",
            label: "Panics in Tasks",
            description: "Stops where a panic begins that an async runtime will catch at the edge of a task.",
            default: false,
            supports_condition: false,
        },
        Offered {
            filter: "long-poll",
            label: "Long Polls",
            description: "Stops when one poll of a task takes longer than `async.longPollMs`; without it that is told in the console.",
            default: true,
            supports_condition: false,
        },
    ]
}

/// Whom a breakpoint stops: anybody, or the task that the user looks at.
const ANY_TASK: &str = "any-task";
const FOCUSED_TASK: &str = "focused-task";

/// The breakpoint modes that `initialize` offers, the usual one first.
pub(crate) fn modes(runtime: Option<Runtime>) -> Vec<BreakpointMode> {
    if runtime == Some(Runtime::Python) {
        return Vec::new();
    }
    let applies_to = vec!["source", "instruction"];
    vec![
        BreakpointMode {
            mode: ANY_TASK,
            label: "Any Task",
            description: "Stops whoever comes by.",
            applies_to: applies_to.clone(),
        },
        BreakpointMode {
            mode: FOCUSED_TASK,
            label: "Focused Task",
            description: "Stops only the task that you look at: the one chosen in the task view, or that of the last stop.",
            applies_to,
        },
    ]
}

/// Whether a breakpoint is for the task in focus alone; a mode that is not known is an error.
pub(super) fn is_in_focus(mode: Option<&str>) -> Result<bool, String> {
    match mode {
        None | Some("" | ANY_TASK) => Ok(false),
        Some(FOCUSED_TASK) => Ok(true),
        Some(mode) => {
            let shown: String = mode.chars().take(80).collect();
            Err(format!("there is no breakpoint mode `{shown}`: use `{ANY_TASK}` or `{FOCUSED_TASK}`"))
        }
    }
}

/// What was asked, or why it cannot be; in the order of the answers: filters, then those with options.
pub(super) fn specs(asked: &SetExceptionBreakpointsArguments) -> Vec<Result<FilterSpec, String>> {
    let plain = asked.filters.iter().map(|filter| (filter.as_str(), None));
    let options = asked.filter_options.iter().flatten();
    let options = options.map(|option| (option.filter_id.as_str(), option.condition.as_deref()));
    plain
        .chain(options)
        .map(|(name, condition)| {
            let filter = match name {
                "panic" => ExceptionFilter::Panic,
                "panic-in-task" => ExceptionFilter::PanicInTask,
                "long-poll" => ExceptionFilter::LongPoll,
                name if PYTHON.contains(&name) => {
                    return Err(format!("`{name}` is for Python programs: use `panic` or `panic-in-task`"));
                }
                name => {
                    let shown: String = name.chars().take(80).collect();
                    return Err(format!(
                        "there is no exception filter `{shown}`: use `panic`, `panic-in-task` or `long-poll`"
                    ));
                }
            };
            let condition = condition.filter(|text| !text.trim().is_empty()).map(str::to_owned);
            Ok(FilterSpec { filter, condition })
        })
        .collect()
}
