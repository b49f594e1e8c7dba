//! A task's cell: the type-erased header back to its future.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Image, Type, TypeKind};
use weft_tasks::{Location, TaskKind};
use weft_values::{Place, Stop};

use super::header::HeaderPlan;
use super::outcome::Outcome;
use super::state::TaskState;
use crate::describe::{Described, concrete, describe};
use crate::names::{base, within};
use crate::shape::{Choice, choice, find_member, peel};

/// What all tasks with one vtable have in common.
#[derive(Debug)]
pub(crate) struct Cell {
    /// The entry future's type; none if it could not be found.
    pub(crate) future: Option<Type>,
    /// The task's name: its entry future's function, or its type.
    pub(crate) name: Arc<str>,
    /// Where the entry function is declared.
    pub(crate) entry: Option<Arc<Location>>,
    pub(crate) kind: TaskKind,
    /// One of the runtime's own worker-launch tasks.
    pub(crate) is_worker: bool,
    /// Why `layout` is not known.
    pub(crate) error: Option<String>,
    layout: Option<Layout>,
    /// The function that polls it.
    poll: FileAddr,
    image: Arc<Image>,
}

impl Cell {
    /// Where the function lies that polls tasks of this kind.
    pub(crate) fn poller(&self, stop: &Stop) -> Option<MemAddr> {
        stop.modules.of(&self.image).map(|module| module.bias.to_memory(self.poll))
    }
}

/// Offsets from the header.
#[derive(Debug)]
struct Layout {
    /// Of the task's id, and its size.
    id: Option<(u64, u64)>,
    /// Of the stage.
    stage: u64,
    /// Its variants: `Running(future)`, `Finished(result)`, `Consumed`.
    stages: Choice,
}

/// What a task's cell holds.
enum Stage {
    Running(Place),
    Finished(Place),
    Consumed,
}

/// One task, as its cell says.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) header: MemAddr,
    /// What it shares with others of its kind; none if not even that is known.
    pub(crate) cell: Option<Arc<Cell>>,
    pub(crate) id: Option<u64>,
    pub(crate) state: Option<TaskState>,
    /// Where the entry future lies; none once it has ended.
    pub(crate) future: Option<MemAddr>,
    /// How it ended, as long as nobody has taken its result.
    pub(crate) outcome: Option<Outcome>,
    /// What a trait object's concrete future is called and where it is declared: its cell does not know.
    concrete: Option<Described>,
    pub(crate) error: Option<String>,
}

impl Entry {
    /// The task's name.
    pub(crate) fn name(&self) -> Arc<str> {
        let of_cell = || self.cell.as_ref().map_or_else(|| Arc::from("task"), |cell| Arc::clone(&cell.name));
        self.concrete.as_ref().map_or_else(of_cell, |(name, _)| Arc::clone(name))
    }

    /// Where its entry function is declared.
    pub(crate) fn declared(&self) -> Option<Arc<Location>> {
        let of_cell = || self.cell.as_ref().and_then(|cell| cell.entry.clone());
        self.concrete.as_ref().map_or_else(of_cell, |(_, declared)| declared.clone())
    }
}

/// The cells met so far, by image and vtable.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    known: RwLock<FxHashMap<(usize, FileAddr), Arc<Cell>>>,
}

impl Cells {
    /// Reads a task's header and cell.
    pub(crate) fn read(&self, stop: &Stop, plan: &HeaderPlan, header: MemAddr) -> Entry {
        let mut entry = Entry {
            header,
            cell: None,
            id: None,
            state: None,
            future: None,
            outcome: None,
            concrete: None,
            error: None,
        };
        entry.state = word(stop, header, plan.state).map(TaskState);
        let cell = match self.cell(stop, plan, header) {
            Ok(cell) => cell,
            Err(message) => {
                entry.error = Some(message);
                return entry;
            }
        };
        entry.error.clone_from(&cell.error);
        if let Some(layout) = &cell.layout {
            entry.id = layout.id.and_then(|(offset, size)| number(stop, header, offset, size));
            match layout.stage(stop, header) {
                Ok(Stage::Running(future)) => {
                    entry.future = future.address();
                    entry.concrete = concrete(stop, &future);
                }
                // Until the word says so it may still be being written.
                Ok(Stage::Finished(result)) if entry.state.is_some_and(TaskState::is_complete) => {
                    let outcome = Outcome::of(stop, &result);
                    entry.error =
                        outcome.as_ref().err().map(|error| format!("how the task ended cannot be read: {error}"));
                    entry.outcome = outcome.ok();
                }
                Ok(_) => {}
                Err(message) => entry.error = Some(message),
            }
        }
        entry.cell = Some(cell);
        entry
    }

    fn cell(&self, stop: &Stop, plan: &HeaderPlan, header: MemAddr) -> Result<Arc<Cell>, String> {
        let unreadable = |what: &str| format!("the task's {what} at {header} cannot be read");
        let vtable = word(stop, header, plan.vtable).ok_or_else(|| unreadable("header"))?;
        let vtable = MemAddr::new(vtable);
        let (module, file) = stop.modules.to_file(vtable).ok_or_else(|| format!("{vtable} is no task's vtable"))?;
        let key = (Arc::as_ptr(&module.image) as usize, file);
        if let Some(cell) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(cell));
        }
        let poll = word(stop, vtable, plan.poll).map(MemAddr::new).ok_or_else(|| unreadable("vtable"))?;
        let cell = Arc::new(resolve(stop, poll)?);
        // A plan is found again by its image's address: it keeps the image, so that no other can take its place.
        if Arc::ptr_eq(&cell.image, &module.image) {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&cell));
        }
        Ok(cell)
    }
}

impl Layout {
    fn stage(&self, stop: &Stop, header: MemAddr) -> Result<Stage, String> {
        let at = |offset: u64| header.checked_add(self.stage).and_then(|stage| stage.checked_add(offset));
        let tag = match self.stages.tag {
            None => None,
            Some((offset, size)) => {
                let read = || stop.memory.read_uint(at(offset)?, usize::try_from(size).ok()?).ok();
                Some(read().ok_or("the task's stage cannot be read")?)
            }
        };
        let Some((_, stage)) = self.stages.select(tag) else { return Err("the task's stage is invalid".to_owned()) };
        let held = stage.parts.first().and_then(|part| Some(Place::new(part.ty.clone(), at(part.offset)?)));
        Ok(match (stage.name.as_str(), held) {
            ("Running", Some(future)) => Stage::Running(future),
            ("Finished", Some(result)) => Stage::Finished(result),
            _ => Stage::Consumed,
        })
    }
}

fn word(stop: &Stop, base: MemAddr, offset: u64) -> Option<u64> {
    stop.memory.read_u64(base.checked_add(offset)?).ok()
}

fn number(stop: &Stop, base: MemAddr, offset: u64, size: u64) -> Option<u64> {
    let value = stop.memory.read_uint(base.checked_add(offset)?, usize::try_from(size).ok()?).ok()?;
    u64::try_from(value).ok()
}

/// From the address of a vtable's `poll` to the cell it polls.
fn resolve(stop: &Stop, poll: MemAddr) -> Result<Cell, String> {
    let (module, file) = stop.modules.to_file(poll).ok_or_else(|| format!("{poll} is no function"))?;
    let frames = module.image.frames_at(file).map_err(|error| error.to_string())?;
    let concrete: &CodeFrame = frames.last().ok_or_else(|| {
        format!("{} has no debug information for the function that polls the task", module.image.name())
    })?;
    if base(&concrete.function.path) != "tokio::runtime::task::raw::poll" {
        return Err(format!("`{}` is no task's poll function", concrete.function.path));
    }
    let future = concrete.template_argument("T");
    let scheduler = concrete.template_argument("S");
    let Some(future) = future else {
        return Ok(unknown(&module.image, file, &concrete.function.path));
    };
    let (name, entry) = describe(&future);
    let local = scheduler.as_ref().is_some_and(|scheduler| scheduler.path().contains("<tokio::task::local::"));
    let layout = scheduler.and_then(|scheduler| layout(&future, &scheduler));
    let error = layout.is_none().then(|| "the debug information does not describe the task's memory".to_owned());
    let blocking = base(future.path()).ends_with("::BlockingTask");
    let job = future.template_argument("T").or_else(|| future.template_argument("F"));
    let is_worker = blocking && job.is_some_and(|job| is_worker_launch(job.path()));
    Ok(Cell {
        name,
        entry,
        kind: match (blocking, local) {
            (true, _) => TaskKind::Blocking,
            (_, true) => TaskKind::Local,
            _ => TaskKind::Task,
        },
        is_worker,
        error,
        layout,
        poll: file,
        image: Arc::clone(&module.image),
        future: Some(future),
    })
}

/// A task whose poll function has a name but no types: built with too little debug information.
fn unknown(image: &Arc<Image>, file: FileAddr, poll: &str) -> Cell {
    Cell {
        future: None,
        name: weft_values::short_type_name(poll).into(),
        entry: None,
        kind: TaskKind::Task,
        is_worker: false,
        error: Some(format!("{} has no types in its debug information; build it with `debug = 2`", image.name())),
        layout: None,
        poll: file,
        image: Arc::clone(image),
    }
}

/// The closure with which a multi-thread runtime starts its workers (and replaces one that blocks in place).
pub(crate) fn is_worker_launch(job: &str) -> bool {
    within(job, "tokio::runtime::scheduler::multi_thread::worker")
        || within(job, "tokio::runtime::scheduler::multi_thread_alt::worker")
        || within(job, "tokio::runtime::thread_pool::worker")
}

fn layout(future: &Type, scheduler: &Type) -> Option<Layout> {
    let cell = cell_type(future, scheduler)?;
    let (core, core_type) = find_member(&cell, &["core"], 1)?;
    let (header, _) = find_member(&cell, &["header"], 1)?;
    let from_header = |offset: u64| core.checked_add(offset)?.checked_sub(header);
    let id = find_member(&core_type, &["task_id"], 1).and_then(|(offset, ty)| {
        let (inner, number) = peel(&ty);
        Some((from_header(offset.checked_add(inner)?)?, number.size().clamp(1, 8)))
    });
    let (stage, stage_type) = find_member(&core_type, &["stage"], 1)?;
    let (inner, stage_type) = peel(&stage_type);
    let TypeKind::Struct { variants: Some(part), .. } = stage_type.kind() else { return None };
    Some(Layout { id, stage: from_header(stage.checked_add(inner)?)?, stages: choice(&stage_type, part, &|_| true) })
}

/// Kinds of tasks that are looked through for one; each place that spawns makes one.
const MOST_CELLS: usize = 16 * 1024;

/// `Cell<T, S>` of exactly these arguments.
fn cell_type(future: &Type, scheduler: &Type) -> Option<Type> {
    let path = format!("tokio::runtime::task::core::Cell<{}, {}>", future.path(), scheduler.path());
    let image = future.image();
    image.types(&path).into_iter().next().or_else(|| {
        let same = |cell: &Type, name: &str, wanted: &Type| {
            cell.template_argument(name).is_some_and(|argument| argument.path() == wanted.path())
        };
        image
            .types_of_any_arguments("tokio::runtime::task::core::Cell")
            .take(MOST_CELLS)
            .find(|cell| same(cell, "T", future) && same(cell, "S", scheduler))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_told_from_jobs() {
        assert!(is_worker_launch("tokio::runtime::scheduler::multi_thread::worker::{impl#0}::launch::{closure_env#0}"));
        assert!(!is_worker_launch("tokio::fs::file::{impl#3}::poll_write::{closure_env#0}"));
    }
}
