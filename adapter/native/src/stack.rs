//! Rows of a stack.

use std::ops::Range;
use std::sync::Arc;

use weft_protocol::{Error, ErrorId};
use weft_runtimes::{Body, LogicalFrame, LogicalStack};
use weft_session::debuggee::{Answer, Frame, Row, Stack, Target};
use weft_values::Stop;

use crate::frame::body;
use crate::tasks::Tasks;

/// The rows of a thread's or a task's logical stack that lie in `rows`.
pub(crate) fn rows(tasks: &Tasks, stop: &Arc<Stop>, of: Target, rows: Range<usize>) -> Answer<Stack> {
    let logical = match of {
        Target::Thread(tid) => {
            let thread = i32::try_from(tid).ok().filter(|tid| stop.thread(*tid).is_some());
            let thread =
                thread.ok_or_else(|| Error::new(ErrorId::UnknownThread, format!("there is no thread {tid}")))?;
            tasks.runtimes.thread_stack(stop, thread, &|| tasks.listing(stop))
        }
        Target::Task(key) => tasks.runtimes.task_stack(stop, &tasks.listing(stop), key).ok_or_else(Tasks::unknown)?,
    };
    crate::variables::still(stop)?;
    Ok(window(stop, logical, rows))
}

fn window(stop: &Arc<Stop>, logical: LogicalStack, rows: Range<usize>) -> Stack {
    let total = Some(logical.frames.len());
    let shown = logical.frames.into_iter().skip(rows.start).take(rows.len());
    Stack { rows: shown.map(|frame| row(stop, frame)).collect(), total }
}

fn row(stop: &Arc<Stop>, frame: LogicalFrame) -> Row {
    match frame {
        LogicalFrame::Task(key, name) => Row::Task(key, name),
        LogicalFrame::AwaitedBy(key, name) => Row::AwaitedBy(key, name),
        LogicalFrame::Frame(frame) => Row::Frame(Frame {
            name: frame.name,
            own: !frame.subtle && !frame.location.as_ref().is_some_and(|at| weft_symbols::is_foreign(&at.file)),
            location: frame.location,
            subtle: frame.subtle,
            instruction: frame.instruction.map(weft_memory::MemAddr::raw),
            restartable: matches!(&frame.body, Body::Physical(physical) if !physical.inlined),
            body: Some(body(stop, frame.body)),
        }),
    }
}
