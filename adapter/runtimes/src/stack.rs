//! Where a thread's stack and a task's chain become one.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_tasks::{FrameBody, FrameKind, TaskKey};
use weft_values::{Frame, FrameWalk, Stop, WalkEnd, frames, frames_above_foot, frames_in};

use crate::chain::Node;
use crate::labels::{self, Label};
use crate::listing::{Body, Listing, LogicalFrame, LogicalStack, Stack, StackFrame};
use crate::names::location;
use crate::runtimes::Runtimes;
use crate::threads::{MAX_FRAMES, ThreadView, polls, view_of};

/// How many awaiters one stack shows.
const MAX_AWAITERS: usize = 64;
/// How many frames of a running task its tree shows (a stack shows them all).
const MAX_PHYSICAL: usize = 64;

/// Rows of a deep stack that are shown without a look at its far end.
const NEAR: usize = MAX_FRAMES / 2;

/// The tree of a task and, as boundaries, of those that await it.
pub(crate) fn tree(runtimes: &Runtimes, stop: &Stop, listing: &Listing, task: TaskKey) -> Option<Stack> {
    listing.details(task)?;
    let mut builder = TreeBuilder { runtimes, stop, listing, seen: FxHashSet::default(), stack: Stack::default() };
    let mut frames = builder.task(task);
    frames.extend(spawn_site(runtimes, listing, task));
    builder.stack.frames = frames;
    Some(builder.stack)
}

/// Who spawned a task, and the stack that did: outermost frame first.
fn spawn_site(runtimes: &Runtimes, listing: &Listing, task: TaskKey) -> Option<weft_tasks::Frame> {
    let task = listing.task(task)?;
    let trace = runtimes.spawns.trace_of(&listing.snapshot, task)?;
    let site = |kind, name: String, location, user_code, children| weft_tasks::Frame {
        name,
        location,
        kind,
        user_code,
        body: None,
        task: None,
        note: None,
        children,
    };
    let frames = trace.told().frames.iter().take(MAX_PHYSICAL);
    let stack = frames.fold(Vec::new(), |children, frame| {
        vec![site(FrameKind::Physical, frame.name.clone(), frame.location.clone(), frame.user_code, children)]
    });
    let spawner = task.spawned_by.and_then(|key| listing.task(key));
    let name = spawner.map(|spawner| spawner.name.to_string()).unwrap_or_default();
    let boundary = site(FrameKind::SpawnSite, name, None, false, stack);
    (!boundary.children.is_empty()).then_some(weft_tasks::Frame { task: task.spawned_by, ..boundary })
}

struct TreeBuilder<'a> {
    runtimes: &'a Runtimes,
    stop: &'a Stop,
    listing: &'a Listing,
    seen: FxHashSet<TaskKey>,
    stack: Stack,
}

impl TreeBuilder<'_> {
    fn task(&mut self, key: TaskKey) -> Vec<weft_tasks::Frame> {
        self.seen.insert(key);
        let nodes = self.runtimes.nodes(self.stop, self.listing, key);
        let mut frames: Vec<_> = nodes.into_iter().map(|node| self.frame(node)).collect();
        let awaiters = self.listing.task(key).map(|task| task.awaited_by.clone()).unwrap_or_default();
        for awaiter in awaiters {
            if self.seen.len() > MAX_AWAITERS || self.seen.contains(&awaiter.task) {
                continue;
            }
            let Some(name) = self.listing.task(awaiter.task).map(|task| task.name.to_string()) else { continue };
            let children = self.task(awaiter.task);
            frames.push(weft_tasks::Frame {
                name,
                location: None,
                kind: FrameKind::Boundary,
                user_code: false,
                body: None,
                task: Some(awaiter.task),
                note: None,
                children,
            });
        }
        frames
    }

    fn frame(&mut self, node: Node) -> weft_tasks::Frame {
        let body = node.body.map(|body| {
            let index = FrameBody(u32::try_from(self.stack.bodies.len()).unwrap_or(u32::MAX));
            self.stack.bodies.push(body);
            index
        });
        weft_tasks::Frame {
            name: node.name.to_string(),
            location: node.location,
            kind: node.kind,
            user_code: node.user_code,
            body,
            task: None,
            note: node.note.as_deref().map(str::to_owned),
            children: node.children.into_iter().map(|child| self.frame(child)).collect(),
        }
    }
}

/// The frames of a running task as a chain, outermost first. What lies between two of the user's functions is left out
/// where it is only the standard library's or the runtime's glue.
pub(crate) fn physical(own: &[Frame]) -> Vec<Node> {
    let is_shown =
        |frame: &&Frame| frame.user_code || frame.code.as_ref().is_none_or(|code| code.function.kind.is_coroutine());
    let first = own.iter().position(|frame| is_shown(&frame)).unwrap_or(0);
    let inner = own.get(..first).unwrap_or_default();
    let shown: Vec<&Frame> = inner.iter().chain(own.iter().skip(first).filter(is_shown)).collect();
    // A deep recursion is shown by its two ends.
    let half = MAX_PHYSICAL.checked_div(2).unwrap_or(0);
    let tail = shown.len().saturating_sub(half);
    let ends = shown.iter().enumerate().filter(|(index, _)| *index < half || *index >= tail);
    ends.fold(Vec::new(), |children, (_, frame)| vec![physical_node(frame, children)])
}

fn physical_node(frame: &Frame, children: Vec<Node>) -> Node {
    Node {
        kind: FrameKind::Physical,
        name: frame.name.as_str().into(),
        location: frame.source.as_ref().filter(|source| source.line > 0).map(location),
        user_code: frame.user_code,
        body: Some(Body::Physical(Box::new(frame.clone()))),
        wait: None,
        group: None,
        note: None,
        children,
    }
}

/// The stack of a thread, as far as its first `rows` rows need.
pub(crate) fn of_thread(
    runtimes: &Runtimes,
    stop: &Stop,
    tid: i32,
    rows: usize,
    listing: &dyn Fn() -> Arc<Listing>,
) -> LogicalStack {
    let near = frames_above_foot(stop, tid, MAX_FRAMES);
    if near.end != WalkEnd::Foot {
        return of_frames(runtimes, stop, tid, rows, near, listing);
    }
    let mut stack = of_frames(runtimes, stop, tid, rows, near, listing);
    if stack.frames.len() < rows {
        return of_frames(runtimes, stop, tid, rows, frames(stop, tid, MAX_FRAMES), listing);
    }
    stack.goes_on = true;
    stack
}

/// The stack of a thread with these innermost frames.
fn of_frames(
    runtimes: &Runtimes,
    stop: &Stop,
    tid: i32,
    rows: usize,
    near: FrameWalk,
    listing: &dyn Fn() -> Arc<Listing>,
) -> LogicalStack {
    let mut stack = LogicalStack::default();
    if near.end == WalkEnd::Limit && rows <= NEAR && !polls(stop, &near.frames) {
        push_frames(&mut stack, near.frames.get(..NEAR).unwrap_or_default(), false, &(0..0));
        stack.goes_on = true;
        return stack;
    }
    let view = view_of(stop, tid, near);
    if !view.activations.iter().any(|activation| activation.running && !activation.own.is_empty()) {
        push_frames(&mut stack, &view.frames, false, &view.skipped);
    } else if let Some(labels) = labels::of_stack(stop, &view) {
        thread_rows(&view, labels, |_, _| {}, &mut stack);
    } else {
        let listing = listing();
        let listed =
            listing.threads.iter().find(|listed| listed.tid == tid).filter(|_| listing.generation == stop.generation);
        let view = listed.unwrap_or(&view);
        let await_task = |key, stack: &mut LogicalStack| {
            let mut seen = FxHashSet::from_iter([key]);
            push_awaiters(runtimes, stop, &listing, key, &mut seen, stack);
        };
        thread_rows(view, listed_labels(view, &listing), await_task, &mut stack);
    }
    push_end(&mut stack, &view);
    stack
}

/// The labels of a thread's activations, of which a listing knows which tasks they are.
fn listed_labels(view: &ThreadView, listing: &Listing) -> Vec<Option<Label>> {
    let label = |key| Some(Label { key, name: listing.task(key)?.name.clone() });
    // Of the executor's own launch tasks there is nothing to say; of a root that waits neither.
    let keys = view.activations.iter().map(|activation| activation.key.filter(|_| activation.running));
    keys.map(|key| key.and_then(label)).collect()
}

impl LogicalStack {
    /// The rows of a range, worked out where they were left out, and how many there are in all, if that is known.
    pub fn rows(self, stop: &Stop, wanted: Range<usize>) -> (Vec<LogicalFrame>, Option<usize>) {
        let mut rows = LogicalStack::default();
        let mut at: usize = 0;
        for frame in self.frames {
            let begin = at;
            match frame {
                LogicalFrame::Skipped { tid, frames } => {
                    at = begin.saturating_add(frames.len());
                    let number = |row: usize| frames.start.saturating_add(row.clamp(begin, at).saturating_sub(begin));
                    let shown = number(wanted.start)..number(wanted.end);
                    push_frames(&mut rows, &frames_in(stop, tid, shown).frames, false, &(0..0));
                }
                frame => {
                    at = begin.saturating_add(1);
                    rows.frames.extend(wanted.contains(&begin).then_some(frame));
                }
            }
        }
        (rows.frames, (!self.goes_on).then_some(at))
    }
}

/// Says why the stack ends where it does, if that is not where it begins.
fn push_end(stack: &mut LogicalStack, view: &ThreadView) {
    stack.frames.extend(view.broken.clone().map(LogicalFrame::Cut));
}

/// Rows of a thread's frames: those of each activation, its label, those who await the innermost that has one, the
/// executor's.
fn thread_rows(
    view: &ThreadView,
    labels: Vec<Option<Label>>,
    push_awaiters: impl Fn(TaskKey, &mut LogicalStack),
    stack: &mut LogicalStack,
) {
    let mut innermost = true;
    let mut from = 0;
    for (activation, label) in view.activations.iter().zip(labels) {
        let own = view.frames.get(from..activation.own.end).unwrap_or_default();
        push_frames(stack, own, false, &view.skipped);
        if let Some(Label { key, name }) = label {
            stack.frames.push(LogicalFrame::Task(key, name));
            if std::mem::take(&mut innermost) {
                push_awaiters(key, stack);
            }
        }
        let executor = view.frames.get(activation.executor.clone()).unwrap_or_default();
        push_frames(stack, executor, true, &view.skipped);
        from = activation.executor.end;
    }
    push_frames(stack, view.frames.get(from..).unwrap_or_default(), false, &view.skipped);
}

/// The stack of a task.
pub(crate) fn of_task(runtimes: &Runtimes, stop: &Stop, listing: &Listing, task: TaskKey) -> Option<LogicalStack> {
    listing.details(task)?;
    let mut stack = LogicalStack::default();
    push_task(runtimes, stop, listing, task, None, &mut stack);
    let mut seen = FxHashSet::from_iter([task]);
    push_awaiters(runtimes, stop, listing, task, &mut seen, &mut stack);
    Some(stack)
}

fn push_awaiters(
    runtimes: &Runtimes,
    stop: &Stop,
    listing: &Listing,
    of: TaskKey,
    seen: &mut FxHashSet<TaskKey>,
    stack: &mut LogicalStack,
) {
    let awaiters = listing.task(of).map(|task| task.awaited_by.clone()).unwrap_or_default();
    for awaiter in awaiters {
        let Some(task) = listing.task(awaiter.task) else { continue };
        if seen.len() > MAX_AWAITERS || !seen.insert(awaiter.task) {
            continue;
        }
        stack.frames.push(LogicalFrame::AwaitedBy(awaiter.task, task.name.clone()));
        push_task(runtimes, stop, listing, awaiter.task, Some(of), stack);
        push_awaiters(runtimes, stop, listing, awaiter.task, seen, stack);
    }
}

/// The frames of one task, innermost first; of several branches the one that awaits `towards`, else the one that has the
/// innermost frame of user code.
fn push_task(
    runtimes: &Runtimes,
    stop: &Stop,
    listing: &Listing,
    task: TaskKey,
    towards: Option<TaskKey>,
    stack: &mut LogicalStack,
) {
    let polled = listing.details(task).and_then(|details| {
        let (thread, activation) = details.polled?;
        let view = listing.threads.get(thread)?;
        let activation = view.activations.get(activation).filter(|activation| activation.running)?;
        Some((view, view.frames.get(activation.own.clone())?, view.frames.get(activation.executor.clone())?))
    });
    if let Some((view, own, executor)) = polled {
        push_frames(stack, own, false, &view.skipped);
        // A job of the runtime's own has no frame that is its alone.
        if own.is_empty() {
            push_frames(stack, executor, true, &view.skipped);
        }
        return;
    }
    let nodes = runtimes.nodes(stop, listing, task);
    let joins =
        |node: &Node| towards.is_some_and(|key| node.wait.as_ref().is_some_and(|wait| wait.tasks.contains(&key)));
    let path = path_to(&nodes, &joins)
        .or_else(|| path_to(&nodes, &|node| node.user_code && node.location.is_some()))
        .or_else(|| path_to(&nodes, &|node| node.children.is_empty()))
        .unwrap_or_default();
    let innermost = path.last().map(|node| straight(node)).unwrap_or_default();
    for node in path.iter().copied().chain(innermost).collect::<Vec<_>>().into_iter().rev() {
        if let Some(body) = &node.body {
            stack.frames.push(LogicalFrame::Frame(StackFrame {
                name: node.name.to_string(),
                location: node.location.clone(),
                subtle: !node.user_code,
                instruction: None,
                body: body.clone(),
            }));
        }
    }
}

/// The way from the outermost node to the innermost one that is wanted, on the first branch that has one.
fn path_to<'a>(nodes: &'a [Node], wanted: &dyn Fn(&Node) -> bool) -> Option<Vec<&'a Node>> {
    nodes.iter().find_map(|node| match path_to(&node.children, wanted) {
        Some(mut path) => {
            path.insert(0, node);
            Some(path)
        }
        None => wanted(node).then(|| vec![node]),
    })
}

/// What lies further in, as long as there is only one way.
fn straight(node: &Node) -> Vec<&Node> {
    let mut way = Vec::new();
    let mut node = node;
    while let [only] = node.children.as_slice() {
        way.push(only);
        node = only;
    }
    way
}

/// Adds a thread's frames. `skipped`: those that were left out, before the one with the number where that range ends.
fn push_frames(stack: &mut LogicalStack, frames: &[Frame], executor: bool, skipped: &Range<usize>) {
    for frame in frames {
        if frame.index == skipped.end && !skipped.is_empty() {
            stack.frames.push(LogicalFrame::Skipped { tid: frame.tid, frames: skipped.clone() });
        }
        stack.frames.push(LogicalFrame::Frame(StackFrame {
            name: frame.name.clone(),
            location: frame.source.as_ref().filter(|source| source.line > 0).map(location),
            subtle: executor || !frame.user_code,
            instruction: Some(MemAddr::new(frame.pc.raw())),
            body: Body::Physical(Box::new(frame.clone())),
        }));
    }
}
