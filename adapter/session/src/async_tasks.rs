//! Tasks: their numbers, the snapshots they are paged from, and the async requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use weft_protocol::async_dap::{
    AsyncStackArguments, AsyncStackResponse, AsyncTasksArguments, AsyncTasksChangedEventBody, AsyncTasksResponse,
    Frame, FrameKind,
};
use weft_protocol::spec::FrameHint;
use weft_protocol::{Error, ErrorId};
use weft_tasks::{Snapshot, TaskKey};

use crate::debuggee::{Answer, AsyncStack, Debuggee, FrameBody};
use crate::handles::{Epoch, FrameSlot};
use crate::numbering::Numbering;
use crate::shared::{Position, Shared, lock};
use crate::wire;

/// Snapshots that are kept to page from, and tasks in all of them: the newest is kept however large it is.
const KEPT: usize = 4;
const KEPT_TASKS: usize = 40_000;

/// Depth to which a task's tree is sent; a tree this deep is a cycle that a backend did not notice.
const DEEPEST: usize = 400;

/// What the session knows of tasks.
#[derive(Default)]
pub(crate) struct TaskBook {
    numbering: Mutex<Numbering>,
    state: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    last: u64,
    /// The look that belongs to the current stop.
    here: Option<Look>,
    kept: VecDeque<(u64, Arc<Snapshot>)>,
}

/// A look at the tasks of one stop: taken when first asked for, by one worker while others wait for it.
#[derive(Clone)]
pub(crate) struct Look {
    pub(crate) generation: u64,
    snapshot: Arc<Mutex<Option<Arc<Snapshot>>>>,
}

impl TaskBook {
    pub(crate) fn numbering(&self) -> MutexGuard<'_, Numbering> {
        lock(&self.numbering)
    }

    /// The task of a number.
    pub(crate) fn find(&self, number: i64) -> Answer<TaskKey> {
        self.numbering()
            .find_task(number)
            .ok_or_else(|| Error::new(ErrorId::UnknownTask, format!("there is no task {number}")))
    }

    /// A stop begins: its tasks have a number before anybody looked.
    pub(crate) fn begin(&self) -> u64 {
        let mut state = lock(&self.state);
        state.last = state.last.saturating_add(1);
        let generation = state.last;
        state.here = Some(Look { generation, snapshot: Arc::default() });
        generation
    }

    /// The stop is over.
    pub(crate) fn leave(&self) {
        lock(&self.state).here = None;
    }

    /// The look of the current stop, if the program stands.
    pub(crate) fn here(&self) -> Option<Look> {
        lock(&self.state).here.clone()
    }

    /// Keeps a snapshot taken while the program ran.
    fn glance(&self, snapshot: Arc<Snapshot>) -> (u64, Arc<Snapshot>) {
        let mut state = lock(&self.state);
        state.last = state.last.saturating_add(1);
        let generation = state.last;
        state.keep(generation, &snapshot);
        (generation, snapshot)
    }

    fn find_kept(&self, generation: u64) -> Option<Arc<Snapshot>> {
        let state = lock(&self.state);
        state.kept.iter().find(|(kept, _)| *kept == generation).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// The newest snapshot, however old.
    pub(crate) fn latest(&self) -> Option<Arc<Snapshot>> {
        lock(&self.state).kept.back().map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// The tasks of a stop, looked at once.
    pub(crate) fn look(&self, look: &Look, debuggee: &dyn Debuggee) -> Answer<Arc<Snapshot>> {
        let mut slot = lock(&look.snapshot);
        if let Some(snapshot) = &*slot {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = debuggee.tasks()?;
        let mut state = lock(&self.state);
        // If the program went on meanwhile, the debuggee may have glanced at a moving one.
        if state.here.as_ref().is_none_or(|here| here.generation != look.generation) {
            return Err(Error::resumed());
        }
        state.keep(look.generation, &snapshot);
        *slot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

impl Generations {
    fn keep(&mut self, generation: u64, snapshot: &Arc<Snapshot>) {
        let tasks = |kept: &VecDeque<(u64, Arc<Snapshot>)>| kept.iter().map(|(_, old)| old.tasks.len()).sum::<usize>();
        while self.kept.len() >= KEPT || tasks(&self.kept).saturating_add(snapshot.tasks.len()) > KEPT_TASKS {
            if self.kept.pop_front().is_none() {
                break;
            }
        }
        self.kept.push_back((generation, Arc::clone(snapshot)));
    }
}

/// Serves `asyncTasks`. The second value is what to announce after the answer.
pub(crate) fn tasks(
    shared: &Shared,
    asked: &AsyncTasksArguments,
) -> Answer<(AsyncTasksResponse, Option<AsyncTasksChangedEventBody>)> {
    let book = &shared.tasks;
    let here = book.here();
    let (generation, snapshot, announced) = match (asked.generation, here) {
        (Some(wanted), here) if here.as_ref().is_none_or(|look| look.generation != wanted) => {
            let snapshot = book.find_kept(wanted).ok_or_else(|| {
                let message = format!("the tasks of generation {wanted} are no longer kept: ask without `generation`");
                Error::new(ErrorId::GenerationGone, message)
            })?;
            (wanted, snapshot, None)
        }
        (_, Some(look)) => (look.generation, book.look(&look, &*shared.need_debuggee()?)?, None),
        (_, None) => {
            if matches!(shared.position(), Position::Nowhere) {
                return Err(Error::new(ErrorId::NoDebuggee, "no program is being debugged"));
            }
            let (generation, snapshot) = book.glance(shared.need_debuggee()?.tasks()?);
            shared.looked();
            (generation, snapshot, Some(AsyncTasksChangedEventBody { generation }))
        }
    };
    let places = shared.places();
    Ok((wire::tasks_body(&snapshot, generation, asked, &mut book.numbering(), &places), announced))
}

/// Serves `asyncStack`.
pub(crate) fn stack(shared: &Shared, asked: &AsyncStackArguments) -> Answer<AsyncStackResponse> {
    let epoch = shared.need_look()?;
    let task = shared.tasks.find(asked.task)?;
    let stack = shared.need_debuggee()?.async_stack(task)?;
    let mut tree = Tree { shared, epoch, task, stack: &stack, nodes: 0 };
    Ok(AsyncStackResponse { frames: tree.frames(&stack.frames, 0)? })
}

/// A task's tree on its way to the client.
struct Tree<'a> {
    shared: &'a Shared,
    epoch: Epoch,
    task: TaskKey,
    stack: &'a AsyncStack,
    /// Nodes numbered so far.
    nodes: usize,
}

impl Tree<'_> {
    fn frames(&mut self, frames: &[weft_tasks::Frame], depth: usize) -> Answer<Vec<Frame>> {
        if depth > DEEPEST {
            return Ok(Vec::new());
        }
        frames.iter().map(|frame| self.frame(frame, depth)).collect()
    }

    fn frame(&mut self, frame: &weft_tasks::Frame, depth: usize) -> Answer<Frame> {
        let slot = FrameSlot::Node(self.task, self.nodes);
        self.nodes = self.nodes.saturating_add(1);
        let id = self.shared.handles().frame(self.epoch, slot, self.body(frame))?;
        let task = frame.task.map(|key| self.shared.tasks.numbering().task(key));
        let name = match (frame.kind, task) {
            (weft_tasks::FrameKind::Boundary, Some(number)) => format!("awaited by task {number} {}", frame.name),
            (weft_tasks::FrameKind::SpawnSite, Some(number)) => format!("spawned by task {number} {}", frame.name),
            (weft_tasks::FrameKind::SpawnSite, None) => "spawned here".to_owned(),
            _ => frame.name.clone(),
        };
        let places = self.shared.places();
        Ok(Frame {
            id,
            name,
            source: frame.location.as_ref().map(|location| places.source(&location.file)),
            line: frame.location.as_ref().map(|location| places.line(location.line)),
            kind: kind(frame.kind),
            presentation_hint: self.is_subtle(frame).then_some(FrameHint::Subtle),
            task,
            note: frame.note.clone(),
            children: self.frames(&frame.children, depth.saturating_add(1))?,
        })
    }

    /// Whether it is a function that is not the user's. Leaves, branches and boundaries are nobody's code.
    fn is_subtle(&self, frame: &weft_tasks::Frame) -> bool {
        let code = matches!(frame.kind, weft_tasks::FrameKind::Await | weft_tasks::FrameKind::Physical);
        code && !frame.user_code && !self.shared.listing().shows_runtime_frames()
    }

    fn body(&self, frame: &weft_tasks::Frame) -> Option<Arc<dyn FrameBody>> {
        let index = usize::try_from(frame.body?.0).ok()?;
        self.stack.bodies.get(index).cloned()
    }
}

fn kind(kind: weft_tasks::FrameKind) -> FrameKind {
    match kind {
        weft_tasks::FrameKind::Await => FrameKind::Await,
        weft_tasks::FrameKind::Physical => FrameKind::Physical,
        weft_tasks::FrameKind::Leaf => FrameKind::Leaf,
        weft_tasks::FrameKind::Branch => FrameKind::Branch,
        weft_tasks::FrameKind::Boundary | weft_tasks::FrameKind::SpawnSite => FrameKind::Boundary,
    }
}
