//! A task's cell: the type-erased header back to its future.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Image, Type};
use weft_tasks::{Location, TaskKind};
use weft_values::{Place, Stop};

use super::context::copies;
use super::header::HeaderPlan;
use super::layout::{Layout, Stage, number, word};
use super::merged::Merged;
use super::outcome::Outcome;
use super::state::TaskState;
use super::vtables::KnownVtables;
use crate::describe::{Described, behind, describe, is_box};
use crate::names::{base, within};
use crate::shape::{Kind, TypeId, peel, wide};

/// The function that a task's vtable begins with.
pub(crate) const POLL: &str = "tokio::runtime::task::raw::poll";

/// What all tasks with one vtable have in common.
#[derive(Debug)]
pub(crate) struct Cell {
    /// The entry future's type; none if it could not be found.
    pub(crate) future: Option<Type>,
    /// Which future it is shows at the task alone.
    is_dyn: bool,
    /// The offset in the future of the pointer to its vtable, where it is a boxed trait object itself.
    vtable: Option<u64>,
    /// The task's name: its entry future's function, or its type.
    pub(crate) name: Arc<str>,
    /// Where the entry function is declared.
    pub(crate) entry: Option<Arc<Location>>,
    pub(crate) kind: TaskKind,
    /// One of the runtime's own worker-launch tasks.
    pub(crate) is_worker: bool,
    /// Why `layout` is not known.
    pub(crate) error: Option<String>,
    pub(crate) layout: Option<Layout>,
    /// The type of the whole cell.
    pub(super) ty: Option<Type>,
    pub(super) image: Arc<Image>,
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

impl Entry {
    /// Whether a thread polls it.
    pub(crate) fn is_running(&self) -> bool {
        self.state.is_some_and(TaskState::is_running)
    }

    /// Whether this is how the headers of its copy of Tokio look.
    pub(crate) fn fits(&self, plan: &HeaderPlan) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.layout.as_ref().is_none_or(|layout| layout.header == *plan))
    }

    /// Whether it was made of such a future.
    pub(crate) fn is_of(&self, future: &Type) -> bool {
        let own = self.cell.as_ref().and_then(|cell| cell.future.as_ref());
        own.is_none_or(|own| own.path() == future.path())
    }

    /// What it has in common with those that were made of the same function, block or closure.
    pub(crate) fn made_of(&self) -> Arc<str> {
        match self.cell.as_ref().and_then(|cell| cell.future.as_ref().filter(|_| !cell.is_dyn)) {
            Some(future) => future.path().into(),
            None => self.name(),
        }
    }
}

type Known = RwLock<FxHashMap<(usize, FileAddr), Arc<Cell>>>;

/// The cells met so far, by image and address.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    by_vtable: Known,
    by_poll: Known,
    merged: Merged,
    pub(crate) vtables: KnownVtables,
    /// What futures behind trait objects are called; the type keeps its identity alive.
    concrete: RwLock<FxHashMap<TypeId, (Type, Described)>>,
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
                    entry.concrete = self.behind(stop, &cell, &future);
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

    /// What is to be said of the future behind a trait object.
    fn behind(&self, stop: &Stop, cell: &Cell, future: &Place) -> Option<Described> {
        let pointed = || {
            let vtable = word(stop, future.address()?, cell.vtable?)?;
            let (module, file) = stop.modules.to_file(MemAddr::new(vtable))?;
            module.image.vtable_type(file).filter(|ty| !is_box(ty))
        };
        if !cell.is_dyn {
            return None;
        }
        pointed().or_else(|| behind(stop, future)).map(|ty| self.describe(&ty))
    }

    /// What a user calls a task of this concrete future.
    fn describe(&self, ty: &Type) -> Described {
        let id = TypeId::of(ty);
        if let Some((_, known)) = self.concrete.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return known.clone();
        }
        let made = describe(ty);
        let mut known = self.concrete.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(id).or_insert((ty.clone(), made)).1.clone()
    }

    /// What a task with this header has in common with others of its kind.
    pub(crate) fn cell(&self, stop: &Stop, plan: &HeaderPlan, header: MemAddr) -> Result<Arc<Cell>, String> {
        let unreadable = |what: &str| format!("the task's {what} at {header} cannot be read");
        let vtable = word(stop, header, plan.vtable).ok_or_else(|| unreadable("header"))?;
        let vtable = MemAddr::new(vtable);
        let (module, file) = stop.modules.to_file(vtable).ok_or_else(|| format!("{vtable} is no task's vtable"))?;
        if let Some(cell) = known(&self.by_vtable, &module.image, file) {
            return Ok(cell);
        }
        let poll = word(stop, vtable, plan.poll).map(MemAddr::new).ok_or_else(|| unreadable("vtable"))?;
        let cell = self.polled_by(stop, poll)?;
        keep(&self.by_vtable, &module.image, file, &cell);
        Ok(cell)
    }

    /// The cell that a `poll` of a vtable is for.
    pub(crate) fn polled_by(&self, stop: &Stop, poll: MemAddr) -> Result<Arc<Cell>, String> {
        let (module, file) = stop.modules.to_file(poll).ok_or_else(|| format!("{poll} is no function"))?;
        if let Some(cell) = known(&self.by_poll, &module.image, file) {
            return Ok(cell);
        }
        let mut cell = resolve(&module.image, file)?;
        self.merged.mark(&mut cell);
        let cell = Arc::new(cell);
        keep(&self.by_poll, &module.image, file, &cell);
        Ok(cell)
    }
}

fn known(cells: &Known, image: &Arc<Image>, at: FileAddr) -> Option<Arc<Cell>> {
    let key = (Arc::as_ptr(image) as usize, at);
    cells.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
}

/// A cell is found again by its image's address: it keeps the image, so that no other can take its place.
fn keep(cells: &Known, image: &Arc<Image>, at: FileAddr, cell: &Arc<Cell>) {
    if Arc::ptr_eq(&cell.image, image) {
        let key = (Arc::as_ptr(image) as usize, at);
        cells.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(cell));
    }
}

/// From the address of a vtable's `poll` to the cell it polls.
fn resolve(image: &Arc<Image>, file: FileAddr) -> Result<Cell, String> {
    let frames = image.frames_at(file).map_err(|error| error.to_string())?;
    let concrete: &CodeFrame = frames
        .last()
        .ok_or_else(|| format!("{} has no debug information for the function that polls the task", image.name()))?;
    if base(&concrete.function.path) != POLL {
        return Err(format!("`{}` is no task's poll function", concrete.function.path));
    }
    let future = concrete.template_argument("T");
    let scheduler = concrete.template_argument("S");
    let Some(future) = future else {
        return Ok(unknown(image, &concrete.function.path));
    };
    let (name, entry) = describe(&future);
    let local = scheduler.as_ref().is_some_and(|scheduler| scheduler.path().contains("<tokio::task::local::"));
    let ty = scheduler.and_then(|scheduler| cell_type(concrete, &future, &scheduler));
    let layout = ty.as_ref().and_then(Layout::of);
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
        is_dyn: future.path().contains("dyn "),
        vtable: boxed_vtable(&future),
        error,
        layout,
        ty,
        image: Arc::clone(image),
        future: Some(future),
    })
}

/// Where in a boxed trait object the pointer to its vtable lies.
fn boxed_vtable(future: &Type) -> Option<u64> {
    let (offset, pointer) = peel(future);
    match wide(&pointer).filter(|_| is_box(future))? {
        Kind::Dyn { vtable, .. } => offset.checked_add(vtable),
        _ => None,
    }
}

/// A task whose poll function has a name but no types: built with too little debug information.
fn unknown(image: &Arc<Image>, poll: &str) -> Cell {
    Cell {
        future: None,
        is_dyn: false,
        vtable: None,
        name: weft_values::short_type_name(poll).into(),
        entry: None,
        kind: TaskKind::Task,
        is_worker: false,
        error: Some(format!("{} has no types in its debug information; build it with `debug = 2`", image.name())),
        layout: None,
        ty: None,
        image: Arc::clone(image),
    }
}

/// The closure with which a multi-thread runtime starts its workers (and replaces one that blocks in place).
pub(crate) fn is_worker_launch(job: &str) -> bool {
    within(job, "tokio::runtime::scheduler::multi_thread::worker")
        || within(job, "tokio::runtime::scheduler::multi_thread_alt::worker")
        || within(job, "tokio::runtime::thread_pool::worker")
}

/// Kinds of tasks that are looked through for one; each place that spawns makes one.
pub(super) const MOST_CELLS: usize = 16 * 1024;

/// `Cell<T, S>` of exactly these arguments. Several copies of Tokio in one program have types of the same names: then only
/// the one that refers to these very types is meant, and it is in the unit of the function that polls it.
fn cell_type(poll: &CodeFrame, future: &Type, scheduler: &Type) -> Option<Type> {
    let path = format!("tokio::runtime::task::core::Cell<{}, {}>", future.path(), scheduler.path());
    let image = future.image();
    let found = image.types(&path).into_iter().next();
    let is = |cell: &Type, name: &str, wanted: &Type| cell.template_argument(name).is_some_and(|it| it == *wanted);
    let exact = |cell: &Type| is(cell, "T", future) && is(cell, "S", scheduler);
    if let Some(found) = found.clone().filter(exact) {
        return Some(found);
    }
    if copies(image) > 1 {
        let beside = [poll.die, future.die(), scheduler.die()];
        return beside.into_iter().flat_map(|die| image.types_beside(die, &path)).find(exact);
    }
    let same = |cell: &Type, name: &str, wanted: &Type| {
        cell.template_argument(name).is_some_and(|argument| argument.path() == wanted.path())
    };
    found.or_else(|| {
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
