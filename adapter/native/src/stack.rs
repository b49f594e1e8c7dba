//! Rows of a stack.

use std::ops::Range;
use std::sync::Arc;

use weft_protocol::{Error, ErrorId};
use weft_runtimes::{Body, LogicalFrame, StackFrame};
use weft_session::debuggee::{Answer, Frame, Row, Stack, Target};
use weft_symbols::Found;
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
            tasks.runtimes.thread_stack(stop, thread, rows.end, &|| tasks.listing(stop))
        }
        Target::Task(key) => tasks.runtimes.task_stack(stop, &tasks.listing(stop), key).ok_or_else(Tasks::unknown)?,
    };
    let (shown, total) = logical.rows(stop, rows);
    crate::variables::still(stop)?;
    Ok(Stack { rows: shown.into_iter().filter_map(|frame| row(tasks, stop, frame)).collect(), total })
}

fn row(tasks: &Tasks, stop: &Arc<Stop>, frame: LogicalFrame) -> Option<Row> {
    Some(match frame {
        LogicalFrame::Task(key, name) => Row::Task(key, name),
        LogicalFrame::AwaitedBy(key, name) => Row::AwaitedBy(key, name),
        LogicalFrame::Cut(why) => Row::Cut(why),
        LogicalFrame::Skipped { .. } => return None,
        LogicalFrame::Frame(frame) => Row::Frame(Frame {
            name: name(&frame),
            own: !frame.subtle && !frame.location.as_ref().is_some_and(|at| weft_symbols::is_foreign(&at.file)),
            location: frame.location,
            subtle: frame.subtle,
            instruction: frame.instruction.map(weft_memory::MemAddr::raw),
            restartable: matches!(&frame.body, Body::Physical(physical) if !physical.inlined),
            body: Some(body(tasks, stop, frame.body)),
        }),
    })
}

/// A frame's name, with a remark where the frame was found without unwinding information: it is right as far as can be
/// checked, but there may be others before it.
fn name(frame: &StackFrame) -> String {
    let found = match &frame.body {
        Body::Physical(physical) => physical.found,
        Body::Suspended(_) => Found::Rules,
    };
    match found {
        Found::Rules => frame.name.clone(),
        Found::Code => format!("{} (found by its callee's instructions)", frame.name),
        Found::FramePointer => format!("{} (found by the frame pointer)", frame.name),
        Found::WildCall => format!("{} (found on top of the stack)", frame.name),
    }
}
