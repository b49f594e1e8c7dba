//! Which tasks the threads of a program poll at the moment, read from their stacks.

use std::ops::Range;

use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::TaskKey;
use weft_values::{Frame, FrameWalk, Place, Stop, WalkEnd, depth, environment, frames, frames_in, place_of};

use crate::executors::{PollKind, Poller, poller};
use crate::leaves::find_pointer;
use crate::names::{base, within};
use crate::root::root;

/// Most frames of a stack that are looked at for tasks.
pub(crate) const MAX_FRAMES: usize = 2_000;

/// A thread's stack and the tasks on it.
#[derive(Clone, Debug)]
pub(crate) struct ThreadView {
    pub(crate) tid: i32,
    /// Innermost first.
    pub(crate) frames: Vec<Frame>,
    /// The numbers of frames that are left out of a deep stack.
    pub(crate) skipped: Range<usize>,
    /// Why the stack ends early, if it does.
    pub(crate) broken: Option<String>,
    /// What the thread polls, innermost first.
    pub(crate) activations: Vec<Activation>,
}

/// One future being driven by a thread.
#[derive(Clone, Debug)]
pub(crate) struct Activation {
    /// What.
    pub(crate) what: Driven,
    /// The future's own frames; empty if it is not being polled.
    pub(crate) own: Range<usize>,
    /// The executor's frames around them.
    pub(crate) executor: Range<usize>,
    /// Whether its poll function is on the stack (a root that waits is not).
    pub(crate) running: bool,
    /// Which task this is, once that is known.
    pub(crate) key: Option<TaskKey>,
}

/// What a thread drives.
#[derive(Clone, Debug)]
pub(crate) enum Driven {
    /// A task of an executor.
    Task {
        /// Its header, if the frame still says so.
        header: Option<MemAddr>,
        /// Type of the entry future.
        future: Option<Type>,
    },
    /// A coroutine that somebody polls who keeps no task that is known.
    Loose {
        /// Its type.
        future: Option<Type>,
        /// Where it lies, if its frame still says so.
        place: Option<Place>,
        /// Canonical frame address of the function that polls it: its identity if not.
        cfa: Option<MemAddr>,
    },
    /// The future of a `block_on`.
    Root {
        /// Type of the future.
        future: Option<Type>,
        /// The future, pinned; none if the frames do not say any more.
        place: Option<Place>,
        /// Canonical frame address of `block_on`: its identity when the future's address is not known.
        cfa: Option<MemAddr>,
    },
}

/// The frames of a thread and what it drives.
pub(crate) fn view(stop: &Stop, tid: i32) -> ThreadView {
    view_of(stop, tid, near(stop, tid))
}

/// The innermost frames of a thread, as many as are looked at.
pub(crate) fn near(stop: &Stop, tid: i32) -> FrameWalk {
    frames(stop, tid, MAX_FRAMES)
}

/// What a thread drives, by its innermost frames; of a stack with more of them by its two ends.
pub(crate) fn view_of(stop: &Stop, tid: i32, near: FrameWalk) -> ThreadView {
    let (frames, end, skipped) = match near.end {
        WalkEnd::Limit => both_ends(stop, tid, near.frames),
        end => (near.frames, end, 0..0),
    };
    let broken = match end {
        WalkEnd::Outermost | WalkEnd::Foot => None,
        WalkEnd::Limit => Some("the stack goes on: it has more frames than can be shown".to_owned()),
        WalkEnd::Broken(why) => Some(format!("the stack cannot be followed further: {why}")),
    };
    let activations = activations(stop, &frames);
    ThreadView { tid, frames, skipped, broken, activations }
}

/// The first and the last frames of a stack, why it ends, and which frames were left out between them. In the middle of a
/// stack of thousands a recursion is at work, which polls no task; the executor is at its begin.
fn both_ends(stop: &Stop, tid: i32, mut near: Vec<Frame>) -> (Vec<Frame>, WalkEnd, Range<usize>) {
    let half = MAX_FRAMES / 2;
    let (total, end) = depth(stop, tid);
    let far = total.saturating_sub(half).max(half);
    near.truncate(half);
    near.extend(frames_in(stop, tid, far..total).frames);
    (near, end, half..far)
}

/// Whether somebody is polled in these frames.
pub(crate) fn polls(stop: &Stop, frames: &[Frame]) -> bool {
    !activations(stop, frames).is_empty()
}

/// Whether a frame is the executor's own function that polls a task: what lies outside of it on the stack is not that
/// task's.
pub fn polls_task(frame: &Frame) -> bool {
    frame.code.as_ref().and_then(poller).is_some_and(|poller| poller.kind == PollKind::Task)
}

/// What is driven in these frames, innermost first.
pub(crate) fn activations(stop: &Stop, frames: &[Frame]) -> Vec<Activation> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut index = 0;
    while let Some(frame) = frames.get(index) {
        let Some(poller) = frame.code.as_ref().and_then(poller) else {
            index = index.saturating_add(1);
            continue;
        };
        let end = run_end(frames, index, poller);
        let executor = index..end;
        let own = own_frames(frames, start..index, poller.kind);
        let run = frames.get(executor.clone()).unwrap_or_default();
        let what = match poller.kind {
            PollKind::Task => Driven::Task { header: header(stop, run), future: argument(run) },
            PollKind::BlockOn => root(stop, run),
            PollKind::Object => loose(stop, frames.get(own.clone()).unwrap_or_default()),
        };
        let running = poller.kind != PollKind::BlockOn || !own.is_empty();
        found.push(Activation { what, own: own.clone(), executor: own.end..end, running, key: None });
        start = end;
        index = end;
    }
    // A coroutine outside of all executors that are known is polled by one that is not.
    let rest = frames.get(start..).unwrap_or_default();
    let is_coroutine = |frame: &Frame| frame.code.as_ref().is_some_and(|code| code.function.kind.is_coroutine());
    if let Some(outermost) = rest.iter().rposition(is_coroutine) {
        let own = start..start.saturating_add(outermost).saturating_add(1);
        let what = loose(stop, frames.get(own.clone()).unwrap_or_default());
        found.push(Activation { what, executor: own.end..own.end, own, running: true, key: None });
    }
    found
}

/// The outermost coroutine of these frames, of which the frames around do not say whose task it is.
fn loose(stop: &Stop, own: &[Frame]) -> Driven {
    let outermost = own.last();
    let future = outermost.and_then(|frame| frame.code.as_ref()?.environment_type());
    Driven::Loose {
        future,
        place: outermost.and_then(|frame| environment(stop, frame)),
        cfa: outermost.and_then(|frame| frame.cfa),
    }
}

/// The end of the executor's frames that begin at `from`: up to the next poller of another future, or code that is
/// neither the executor's nor the standard library's.
fn run_end(frames: &[Frame], from: usize, of: Poller) -> usize {
    let rest = frames.get(from..).unwrap_or_default();
    let mut left_kind = false;
    let length = rest
        .iter()
        .take_while(|frame| {
            let Some(code) = &frame.code else { return true };
            match poller(code) {
                Some(same) if same == of => !left_kind,
                Some(_) => false,
                None => {
                    // Between two frames of one poll there is only the task's own machinery.
                    left_kind |= of.kind == PollKind::Task && !within(&code.function.path, of.machinery);
                    !frame.user_code && !code.function.kind.is_coroutine()
                }
            }
        })
        .count();
    from.saturating_add(length.max(1))
}

/// The frames of a future in a stretch of stack that ends at its executor: up to the outermost coroutine or, for futures
/// and jobs written by hand, the outermost function of the user's. An executor that waits is no future's frame: it does
/// so in plumbing and `libc`, and a root's own poll function is called `poll`.
fn own_frames(frames: &[Frame], stretch: Range<usize>, kind: PollKind) -> Range<usize> {
    let inside = frames.get(stretch.clone()).unwrap_or_default();
    let is_own = |frame: &Frame| {
        let Some(function) = frame.code.as_ref().map(|code| &code.function) else { return false };
        let is_users = frame.user_code && function.krate != "libc";
        let by_hand = is_users && (kind == PollKind::Task || base(&function.path).ends_with("::poll"));
        function.kind.is_coroutine() || by_hand
    };
    let count = inside.iter().rposition(is_own).map_or(0, |last| last.saturating_add(1));
    stretch.start..stretch.start.saturating_add(count)
}

/// The future's type, as the first frame tells whose generic arguments name it.
pub(crate) fn argument(run: &[Frame]) -> Option<Type> {
    run.iter().find_map(|frame| {
        let code = frame.code.as_ref()?;
        poller(code)?.future.iter().find_map(|name| code.template_argument(name))
    })
}

/// The header of the task that a run of executor frames polls: a pointer to a header or cell among their variables.
fn header(stop: &Stop, run: &[Frame]) -> Option<MemAddr> {
    const TARGETS: [&str; 3] =
        ["tokio::runtime::task::core::Header", "tokio::runtime::task::core::Cell", "async_task::header::Header"];
    let pointer = |ty: &Type| find_pointer(ty, 4, &|target| TARGETS.contains(&base(target.path())));
    run.iter().filter(|frame| polls_task(frame)).find_map(|frame| {
        let place = each_variable(stop, frame, &|ty| pointer(ty).is_some())?;
        let (offset, _) = pointer(&place.ty)?;
        // It may be in a register.
        let bytes = place.read_at(stop, offset, 8).ok()?;
        let header = u64::from_le_bytes(bytes.try_into().ok()?);
        (header != 0).then_some(MemAddr::new(header))
    })
}

/// The first variable of a frame whose type is wanted and whose place is known.
pub(crate) fn each_variable(stop: &Stop, frame: &Frame, wanted: &dyn Fn(&Type) -> bool) -> Option<Place> {
    let code = frame.code.as_ref()?;
    let pc = frame.file_pc(stop)?;
    let variables = code.variables_at(pc).ok()?;
    // The innermost of several: a pinned future shadows the future it was made of.
    variables.iter().rev().find_map(|variable| {
        variable.ty.as_ref().filter(|ty| wanted(ty))?;
        place_of(stop, frame, variable).ok()
    })
}
