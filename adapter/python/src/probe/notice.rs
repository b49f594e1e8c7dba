//! What asyncio would say to whoever reads its log, as events.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Deserialize;
use weft_tasks::{Location, TaskKey, duration};

use crate::stepping::StepOver;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeKind {
    /// A step of a task, or a callback, took longer than it should.
    SlowCallback,
    /// A coroutine was made and deleted, and never ran.
    NeverAwaited,
    /// A task or future failed, and nobody asked why before it was deleted.
    NeverRetrieved,
    /// A task failed, and the program stands where.
    TaskFailed,
    /// A callback raised.
    CallbackError,
    /// A task was deleted while it waited.
    DestroyedPending,
    /// Something else that a loop's exception handler was told.
    LoopError,
    /// Something of a loop's was called that only its own thread may call.
    WrongThread,
    /// A record of the logger `asyncio`.
    Log,
    /// A step is over, and nothing stops.
    StepLost,
    /// A breakpoint's terms cannot be evaluated.
    Terms,
    /// A task that is watched goes on, or has ended.
    Watched,
    /// A task has ended, and nobody watches it any more.
    WatchOver,
    /// Somebody else traces a thread, which cannot be debugged meanwhile.
    Traced,
}

/// Something that happened, with the place to look at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) kind: NoticeKind,
    /// Where to look: where it was raised, where the task is, where the coroutine was dropped.
    pub(crate) at: Option<Location>,
    /// Which task it is about.
    pub(crate) task: Option<TaskKey>,
    /// The name of the task, coroutine or callback.
    pub(crate) name: String,
    /// Where the task was created.
    pub(crate) created: Option<Location>,
    /// The exception: its class, and what it was made with.
    pub(crate) exception: Option<String>,
    /// The places that the exception came through, the innermost last: function and place.
    pub(crate) trace: Vec<(String, Location)>,
    /// For a log record its level.
    pub(crate) level: Option<String>,
    /// What asyncio says of it.
    pub(crate) message: String,
    /// How long a slow callback took.
    pub(crate) milliseconds: u64,
    /// The step that is over.
    pub(crate) step: Option<StepOver>,
    /// What stands there has ended.
    pub(crate) aside: bool,
    /// It is the end of a run to a line.
    pub(crate) run: bool,
    /// How many notices were left out before this one.
    pub(crate) dropped: u64,
}

/// A place: function, file, line.
type Told = (String, PathBuf, u32);

/// A notice as the probe says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    event: String,
    at: Option<Told>,
    task: Option<(u64, u64)>,
    name: String,
    created: Option<Told>,
    exception: Option<String>,
    trace: Vec<Told>,
    level: Option<String>,
    message: String,
    seconds: f64,
    step: Option<StepOver>,
    aside: bool,
    run: bool,
    dropped: u64,
}

impl Notice {
    /// What a line says; none if it is none of this.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line: Line = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(%error, "the probe said something that makes no sense");
                return None;
            }
        };
        let kind = match line.event.as_str() {
            "slow-callback" => NoticeKind::SlowCallback,
            "never-awaited" => NoticeKind::NeverAwaited,
            "never-retrieved" => NoticeKind::NeverRetrieved,
            "task-failed" => NoticeKind::TaskFailed,
            "callback-error" => NoticeKind::CallbackError,
            "destroyed-pending" => NoticeKind::DestroyedPending,
            "loop-error" => NoticeKind::LoopError,
            "wrong-thread" => NoticeKind::WrongThread,
            "log" => NoticeKind::Log,
            "step-lost" => NoticeKind::StepLost,
            "terms" => NoticeKind::Terms,
            "watched" => NoticeKind::Watched,
            "watch-over" => NoticeKind::WatchOver,
            "traced" => NoticeKind::Traced,
            event => {
                tracing::warn!(event, message = line.message, "the probe says");
                return None;
            }
        };
        let place = |(_, file, line): Told| (line > 0).then_some(Location { file, line, column: 0 });
        let traced = |told: Told| Some((told.0.clone(), place(told)?));
        Some(Self {
            kind,
            at: line.at.and_then(place),
            task: line.task.map(|(address, id)| TaskKey { address, id }),
            name: line.name,
            created: line.created.and_then(place),
            exception: line.exception,
            trace: line.trace.into_iter().filter_map(traced).collect(),
            level: line.level,
            message: line.message,
            milliseconds: std::time::Duration::try_from_secs_f64(line.seconds)
                .map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            step: line.step,
            aside: line.aside,
            run: line.run,
            dropped: line.dropped,
        })
    }

    /// In a user's words, without the place. `number`: the number by which the client knows a task.
    pub(crate) fn text(&self, number: impl Fn(TaskKey) -> u64) -> String {
        let mut text = self.said(number);
        if let Some(created) = &self.created {
            let _ = write!(text, "; created at {}:{}", created.file.display(), created.line);
        }
        if self.dropped > 0 {
            let _ = write!(text, " ({} notices before this one were left out)", self.dropped);
        }
        text
    }

    /// What has happened, and nothing about it.
    pub(crate) fn said(&self, number: impl Fn(TaskKey) -> u64) -> String {
        let who = match (self.task, self.kind) {
            (Some(task), _) => format!("task {} {}", number(task), self.name),
            (None, NoticeKind::SlowCallback) => format!("callback {}", self.name),
            (None, _) => self.name.clone(),
        };
        let failure = self.exception.as_deref().unwrap_or("an exception");
        match self.kind {
            NoticeKind::SlowCallback => format!("{who} held up its loop for {}", duration(self.milliseconds)),
            NoticeKind::NeverAwaited => format!("coroutine {who} was never awaited"),
            NoticeKind::NeverRetrieved if who.is_empty() => {
                format!("a future failed with {failure}, and nobody looked")
            }
            NoticeKind::NeverRetrieved => format!("{who} ended with {failure}, and nobody looked"),
            NoticeKind::TaskFailed => format!("{who} failed with {failure}"),
            NoticeKind::DestroyedPending => format!("{who} was deleted while it waited"),
            NoticeKind::CallbackError | NoticeKind::LoopError => match &self.exception {
                Some(failure) => format!("{}: {failure}", self.message),
                None => self.message.clone(),
            },
            NoticeKind::WrongThread if !who.is_empty() => format!("{}; it is to wake {who}", self.message),
            NoticeKind::Terms | NoticeKind::Traced | NoticeKind::WrongThread => self.message.clone(),
            NoticeKind::Watched | NoticeKind::WatchOver => format!("{who} {}", self.message),
            NoticeKind::StepLost => {
                let passed = self.step.as_ref().and_then(|step| step.passed(&number));
                passed.into_iter().fold(self.message.clone(), |said, passed| format!("{said}; {passed}"))
            }
            NoticeKind::Log => format!("asyncio {}: {}", self.level.as_deref().unwrap_or_default(), self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_notice() {
        let none = [&b"{}"[..], b"{\"event\": 5}", b"[]", b"{\"event\": \"?\"}", b"{\"event\":\"log\",\"at\":[1]}"];
        assert!(none.iter().all(|line| Notice::parse(line).is_none()));
        let odd = Notice::parse(b"{\"event\":\"slow-callback\",\"seconds\":1e300,\"at\":[\"f\",\"/a.py\",0]}").unwrap();
        assert_eq!((odd.milliseconds, odd.at), (0, None));
    }

    #[test]
    fn a_notice_reads_well() {
        let line = br#"{"event":"never-retrieved","name":"worker","task":[16,3],"exception":"ValueError: no",
            "created":["main","/app.py",7],"at":["worker","/app.py",3],"trace":[["worker","/app.py",3]]}"#;
        let notice = Notice::parse(line).unwrap();
        let text = notice.text(|task| task.id + 9);
        assert_eq!(text, "task 12 worker ended with ValueError: no, and nobody looked; created at /app.py:7");
        let failed = Notice { kind: NoticeKind::TaskFailed, ..notice };
        assert_eq!(failed.said(|task| task.id + 9), "task 12 worker failed with ValueError: no");
    }
}
