//! Logical stacks: a task's suspended frames, and those of the tasks that await it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weft_session::debuggee::{AsyncStack, Frame as StackFrame, FrameBody, Row};
use weft_tasks::{Frame, FrameKind, State, Task, TaskKey, Wait, WaitKind};

use super::listing::{Place, Places};
use super::values::SuspendedFrame;
use super::{Listing, Probe, ProbeError, UserCode, wire};

/// How many awaiters one stack shows. In a tree they are nested, and some clients read no more than 128 levels of JSON.
const MAX_AWAITERS: usize = 48;
/// How long the frames of a stopped program may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stacks of tasks at one stop.
pub(crate) struct Stacks<'a> {
    pub(crate) probe: &'a Probe,
    pub(crate) listing: &'a Listing,
    pub(crate) user_code: &'a UserCode,
}

/// A suspended coroutine of a task.
struct Link {
    place: Place,
    /// That others are left out behind it.
    gap: Option<String>,
    body: Arc<dyn FrameBody>,
}

/// The coroutines of tasks, outermost first.
type Chains = HashMap<TaskKey, Vec<Link>>;

impl Stacks<'_> {
    /// Rows for the stack of a thread that is stopped: its own frames (top first), and where those of a task end, the task's label; below
    /// that of the innermost task the frames of those who await it. What a loop does to run the task is `subtle`.
    ///
    /// # Errors
    /// As [`Probe::ask`].
    pub(crate) fn thread_rows(&self, physical: Vec<StackFrame>, thread: i64) -> Result<Vec<Row>, ProbeError> {
        let mut edges: Vec<(usize, &Task)> =
            self.listing.running_on(thread).filter_map(|task| Some((self.edge(&physical, task.key)?, task))).collect();
        edges.sort_by_key(|(at, _)| *at);
        let Some((_, innermost)) = edges.first() else { return Ok(physical.into_iter().map(Row::Frame).collect()) };
        let mut below = Vec::new();
        let mut seen = HashSet::from([innermost.key]);
        self.awaiters(innermost.key, &self.chains(innermost.key)?, &mut seen, &mut below);
        let mut labels = edges.iter().peekable();
        let mut rows = Vec::new();
        for (at, frame) in physical.into_iter().enumerate() {
            let plumbing =
                labels.peek().is_none() || (at > 0 && !frame.own && matches!(rows.last(), Some(Row::Task(..))));
            rows.push(Row::Frame(StackFrame { subtle: frame.subtle || plumbing && !frame.own, ..frame }));
            while let Some((_, task)) = labels.next_if(|(edge, _)| *edge == at) {
                rows.push(Row::Task(task.key, task.name.clone()));
                rows.append(&mut below);
            }
        }
        Ok(rows)
    }

    /// The position of a running task's outermost coroutine on its thread's stack.
    fn edge(&self, physical: &[StackFrame], key: TaskKey) -> Option<usize> {
        let outermost = self.listing.outermost(key)?;
        // By the end of its path: pydevd resolves links, code objects do not.
        let is_it = |frame: &StackFrame| {
            let location = frame.location.as_deref();
            location.is_some_and(|at| at.line == outermost.line && at.file.file_name() == outermost.file.file_name())
        };
        physical.iter().rposition(is_it)
    }

    /// Rows for the stack of a task that no thread runs, innermost first, and below it of those who await it.
    ///
    /// # Errors
    /// As [`Probe::ask`].
    pub(crate) fn task_rows(&self, key: TaskKey) -> Result<Vec<Row>, ProbeError> {
        let chains = self.chains(key)?;
        let mut rows = Vec::new();
        push_links(&chains, key, &mut rows);
        self.awaiters(key, &chains, &mut HashSet::from([key]), &mut rows);
        Ok(rows)
    }

    fn awaiters(&self, of: TaskKey, chains: &Chains, seen: &mut HashSet<TaskKey>, rows: &mut Vec<Row>) {
        for awaiter in self.listing.task(of).map(|task| task.awaited_by.as_slice()).unwrap_or_default() {
            let Some(task) = self.listing.task(awaiter.task) else { continue };
            if seen.len() > MAX_AWAITERS || !seen.insert(task.key) {
                continue;
            }
            rows.push(Row::AwaitedBy(task.key, task.name.clone()));
            push_links(chains, task.key, rows);
            self.awaiters(task.key, chains, seen, rows);
        }
    }

    /// A task's tree, outermost frame first; behind it, as boundaries, those who await it and who created it. `running`: its frames on a
    /// thread, top first, if it is being run.
    ///
    /// # Errors
    /// As [`Probe::ask`].
    pub(crate) fn tree(&self, key: TaskKey, running: Vec<StackFrame>) -> Result<AsyncStack, ProbeError> {
        let mut tree =
            Tree { stacks: self, chains: self.chains(key)?, seen: HashSet::new(), stack: AsyncStack::default() };
        let own = self.edge(&running, key).map(|edge| {
            // A task that was started eagerly stands on the stack of the one that did so.
            let edges = self.listing.snapshot.tasks.iter().filter(|task| task.state == State::Running);
            let inner = edges.filter_map(|task| self.edge(&running, task.key)).filter(|other| *other < edge).max();
            let begin = inner.map_or(0, |inner| inner.saturating_add(1));
            running.into_iter().take(edge.saturating_add(1)).skip(begin).collect()
        });
        let mut frames = tree.task(key, own);
        frames.extend(self.creation(key));
        tree.stack.frames = frames;
        Ok(tree.stack)
    }

    /// Who created a task, and where.
    fn creation(&self, key: TaskKey) -> Option<Frame> {
        let task = self.listing.task(key)?;
        let site = node(FrameKind::Physical, self.listing.creator(key)?.to_owned());
        let site = Frame { location: task.spawned_at.clone(), user_code: true, ..site };
        let creator = task.spawned_by.and_then(|key| self.listing.task(key));
        let name = creator.map(|creator| creator.name.to_string()).unwrap_or_default();
        let children = vec![site];
        Some(Frame { task: creator.map(|creator| creator.key), children, ..node(FrameKind::SpawnSite, name) })
    }

    /// The coroutines of a task and of all that await it, directly or not; the program keeps their frames until it goes on.
    fn chains(&self, key: TaskKey) -> Result<Chains, ProbeError> {
        let mut keys = vec![key];
        let mut at = 0;
        while let Some(of) = keys.get(at).copied() {
            at = at.saturating_add(1);
            for awaiter in self.listing.task(of).map(|task| task.awaited_by.as_slice()).unwrap_or_default() {
                if keys.len() <= MAX_AWAITERS && !keys.contains(&awaiter.task) {
                    keys.push(awaiter.task);
                }
            }
        }
        let asked: Vec<[u64; 2]> = keys.iter().map(|key| [key.address, key.id]).collect();
        let told: wire::Stack = self.probe.ask("stack", json!({ "tasks": asked }), PATIENCE)?;
        let places = Places::new(&told.strings, &told.frames, self.user_code);
        let link = |(place, frame): &(u32, u64)| {
            let body = SuspendedFrame::new(self.probe.clone(), *frame);
            Some(Link { place: places.get(*place)?.clone(), gap: None, body: Arc::new(body) })
        };
        let chain = |(frames, left_out): &(Vec<_>, usize)| {
            let mut links: Vec<Link> = frames.iter().filter_map(link).collect();
            let gap = (links.len() / 2).checked_sub(1).filter(|_| *left_out > 0).and_then(|at| links.get_mut(at));
            gap.into_iter().for_each(|link| link.gap = Some(format!("{left_out} frames further in are left out")));
            links
        };
        let chains = told.tasks.iter().map(chain);
        Ok(keys.into_iter().zip(chains).collect())
    }
}

fn push_links(chains: &Chains, key: TaskKey, rows: &mut Vec<Row>) {
    for link in chains.get(&key).into_iter().flatten().rev() {
        rows.extend(link.gap.clone().map(Row::Cut));
        rows.push(Row::Frame(StackFrame {
            name: link.place.name.to_string(),
            location: link.place.location.clone(),
            subtle: !link.place.user,
            own: link.place.user,
            instruction: None,
            restartable: false,
            body: Some(link.body.clone()),
        }));
    }
}

struct Tree<'a> {
    stacks: &'a Stacks<'a>,
    chains: Chains,
    seen: HashSet<TaskKey>,
    stack: AsyncStack,
}

impl Tree<'_> {
    fn task(&mut self, key: TaskKey, running: Option<Vec<StackFrame>>) -> Vec<Frame> {
        self.seen.insert(key);
        let task = self.stacks.listing.task(key);
        let mut frames = match running {
            Some(running) => self.physical(running),
            None => {
                let end = task.and_then(|task| task.waiting_on.as_ref()).map(|wait| self.end(wait));
                self.suspended(key, end.into_iter().collect())
            }
        };
        for awaiter in task.map(|task| task.awaited_by.clone()).unwrap_or_default() {
            let Some(task) = self.stacks.listing.task(awaiter.task) else { continue };
            if self.seen.len() > MAX_AWAITERS || self.seen.contains(&task.key) {
                continue;
            }
            let name = task.name.to_string();
            let children = self.task(awaiter.task, None);
            frames.push(Frame { task: Some(awaiter.task), children, ..node(FrameKind::Boundary, name) });
        }
        frames
    }

    /// The frames of a thread, top first, as a chain.
    fn physical(&mut self, running: Vec<StackFrame>) -> Vec<Frame> {
        running.into_iter().fold(Vec::new(), |children, frame| {
            let body = frame.body.map(|body| self.body(body));
            let (location, user_code) = (frame.location, frame.own);
            vec![Frame { location, user_code, body, children, ..node(FrameKind::Physical, frame.name) }]
        })
    }

    fn suspended(&mut self, key: TaskKey, end: Vec<Frame>) -> Vec<Frame> {
        let links = self.chains.remove(&key).unwrap_or_default();
        links.into_iter().rev().fold(end, |children, Link { place, gap, body }| {
            let body = Some(self.body(body));
            let (location, user_code) = (place.location, place.user);
            let frame = node(FrameKind::Await, place.name.to_string());
            vec![Frame { location, user_code, body, note: gap, children, ..frame }]
        })
    }

    /// What the innermost coroutine awaits: a leaf, or a branch for several tasks.
    fn end(&self, wait: &Wait) -> Frame {
        let kind = match wait.kind {
            WaitKind::Group | WaitKind::Select => FrameKind::Branch,
            _ => FrameKind::Leaf,
        };
        let member = |task: &Task| Frame { task: Some(task.key), ..node(FrameKind::Leaf, task.name.to_string()) };
        let members = wait.tasks.iter().filter_map(|key| self.stacks.listing.task(*key));
        Frame { children: members.take(MAX_AWAITERS).map(member).collect(), ..node(kind, wait.text.to_string()) }
    }

    fn body(&mut self, body: Arc<dyn FrameBody>) -> weft_tasks::FrameBody {
        let index = weft_tasks::FrameBody(u32::try_from(self.stack.bodies.len()).unwrap_or(u32::MAX));
        self.stack.bodies.push(body);
        index
    }
}

fn node(kind: FrameKind, name: String) -> Frame {
    Frame { name, location: None, kind, user_code: false, body: None, task: None, note: None, children: Vec::new() }
}
