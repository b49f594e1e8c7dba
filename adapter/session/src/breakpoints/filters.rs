//! Exception filters and breakpoint modes: those that are offered, and what is said to others.

use weft_protocol::spec::{BreakpointMode, ExceptionFilter as Offered, SetExceptionBreakpointsArguments};

use crate::debuggee::{ExceptionFilter, FilterSpec};
use crate::serve::Runtime;

/// Filters of native programs, and of Python programs.
const NATIVE: &[(&str, ExceptionFilter)] = &[
    ("panic", ExceptionFilter::Panic),
    ("panic-in-task", ExceptionFilter::PanicInTask),
    ("long-poll", ExceptionFilter::LongPoll),
];
const PYTHON: &[(&str, ExceptionFilter)] = &[
    ("raised", ExceptionFilter::Raised),
    ("uncaught", ExceptionFilter::Uncaught),
    ("userUnhandled", ExceptionFilter::UserUnhandled),
    ("task-failed", ExceptionFilter::TaskFailed),
    ("never-retrieved", ExceptionFilter::NeverRetrieved),
];

/// What is offered for a kind of program; for both when it is not known yet.
pub(crate) fn offered(runtime: Option<Runtime>) -> Vec<Offered> {
    let mut filters = Vec::new();
    if runtime != Some(Runtime::Python) {
        filters.extend(native());
    }
    if runtime != Some(Runtime::Native) {
        filters.extend(python());
    }
    filters
}

/// A panic stops unless a user switches it off, as an uncaught exception does elsewhere; those in tasks are a subset of all, for
/// programs that panic as a matter of course.
fn native() -> [Offered; 3] {
    [
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

/// debugpy's own, by its names, and those of tasks. What is switched on is what most need: what would be lost.
fn python() -> [Offered; 5] {
    [
        Offered {
            filter: "raised",
            label: "Raised Exceptions",
            description: "Stops wherever an exception is raised, also when it is handled.",
            default: false,
            supports_condition: true,
        },
        Offered {
            filter: "uncaught",
            label: "Uncaught Exceptions",
            description: "Stops when an exception is about to end the program or a thread.",
            default: true,
            supports_condition: true,
        },
        Offered {
            filter: "userUnhandled",
            label: "User Uncaught Exceptions",
            description: "Stops when an exception leaves your code for a library's, such as one that ends a task.",
            default: false,
            supports_condition: true,
        },
        Offered {
            filter: "task-failed",
            label: "Failed Tasks",
            description: "Stops where an exception was raised that has ended an asyncio task, once for each exception.",
            default: false,
            supports_condition: true,
        },
        Offered {
            filter: "never-retrieved",
            label: "Exceptions Never Retrieved",
            description: "Stops where an exception was raised that has ended an asyncio task and that nobody has looked at, when asyncio says so.",
            default: true,
            supports_condition: true,
        },
    ]
}

/// Whom a breakpoint stops: anybody, or the task that the user looks at.
const ANY_TASK: &str = "any-task";
const FOCUSED_TASK: &str = "focused-task";

/// The breakpoint modes that are offered, the usual one first.
pub(crate) fn modes(runtime: Option<Runtime>) -> Vec<BreakpointMode> {
    let applies_to = match runtime {
        Some(Runtime::Python) => return Vec::new(),
        _ => vec!["source", "instruction"],
    };
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
pub(super) fn specs(asked: &SetExceptionBreakpointsArguments, runtime: Runtime) -> Vec<Result<FilterSpec, String>> {
    let plain = asked.filters.iter().map(|filter| (filter.as_str(), None));
    let options = asked.filter_options.iter().flatten();
    let options = options.map(|option| (option.filter_id.as_str(), option.condition.as_deref()));
    plain
        .chain(options)
        .map(|(name, condition)| {
            let filter = filter(name, runtime)?;
            let condition = condition.filter(|text| !text.trim().is_empty()).map(str::to_owned);
            Ok(FilterSpec { filter, condition })
        })
        .collect()
}

/// The filter of that name, or a sentence.
fn filter(name: &str, runtime: Runtime) -> Result<ExceptionFilter, String> {
    let (own, others, whose) = match runtime {
        Runtime::Native => (NATIVE, PYTHON, "Python"),
        Runtime::Python => (PYTHON, NATIVE, "native"),
    };
    let find =
        |filters: &[(&str, ExceptionFilter)]| filters.iter().find(|(known, _)| *known == name).map(|found| found.1);
    if let Some(filter) = find(own) {
        return Ok(filter);
    }
    let names: Vec<String> = own.iter().map(|(name, _)| format!("`{name}`")).collect();
    let instead = match names.split_last() {
        Some((last, rest)) => format!("use {} or {last}", rest.join(", ")),
        None => String::new(),
    };
    if find(others).is_some() {
        return Err(format!("`{name}` is for {whose} programs: {instead}"));
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!("there is no exception filter `{shown}`: {instead}"))
}
