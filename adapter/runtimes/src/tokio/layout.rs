//! Where everything is in a task's cell, from its type.
//!
//! `Cell<T, S> { header, core { scheduler, task_id, stage }, trailer }`; the links between the tasks of a list are in the
//! header up to Tokio 1.20 and in the trailer from 1.21 on.

use weft_memory::MemAddr;
use weft_symbols::{Type, TypeKind};
use weft_values::{Place, Stop};

use super::header::HeaderPlan;
use super::recorded::RecordedAt;
use crate::leaves::{find_pointer, next_offset, previous_offset};
use crate::listing::Dropper;
use crate::names::base;
use crate::shape::{Choice, choice, find_member, peel};

/// More references than anything in a program has: what says so is no count.
pub(crate) const MAX_REFERENCES: u64 = 1 << 32;

/// Offsets from the header.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Of what every task of this copy of Tokio has.
    pub(crate) header: HeaderPlan,
    /// Of the cell's end.
    end: u64,
    /// Of the task's id, and its size.
    pub(crate) id: Option<(u64, u64)>,
    /// Of where Tokio has recorded where it was spawned, if it does.
    pub(super) recorded: Option<RecordedAt>,
    /// Of the number of the list that owns it (from Tokio 1.12 on); zero before it is owned.
    pub(crate) owner: Option<u64>,
    /// Of its links in that list.
    pub(crate) links: Option<Links>,
    /// Of the pointer to its scheduler; none where that is no shared one.
    pub(crate) scheduler: Option<SchedulerPointer>,
    /// Of the stage.
    stage: u64,
    /// Its variants: `Running(future)`, `Finished(result)`, `Consumed`.
    stages: Choice,
}

/// Offsets of the pointers to the neighbours in a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) prev: u64,
    pub(crate) next: u64,
}

/// The way to a shared scheduler.
#[derive(Debug)]
pub(crate) struct SchedulerPointer {
    /// Of the pointer, from the header.
    pointer: u64,
    /// Behind it, of how many there are of this pointer.
    strong: u64,
    /// Behind it, of the scheduler, and its type.
    data: (u64, Type),
}

/// What a task's cell holds.
pub(crate) enum Stage {
    Running(Place),
    Finished(Place),
    Consumed,
}

impl Layout {
    /// Of this `Cell<T, S>`; none if a part of it is not known.
    pub(crate) fn of(cell: &Type) -> Option<Self> {
        let (core, core_type) = find_member(cell, &["core"], 1)?;
        let (header, header_type) = find_member(cell, &["header"], 1)?;
        let from_header = |offset: u64| core.checked_add(offset)?.checked_sub(header);
        let id = find_member(&core_type, &["task_id"], 1).and_then(|(offset, ty)| {
            let (inner, number) = peel(&ty);
            Some((from_header(offset.checked_add(inner)?)?, number.size().clamp(1, 8)))
        });
        let (stage, stage_type) = find_member(&core_type, &["stage"], 1)?;
        let (inner, stage_type) = peel(&stage_type);
        let TypeKind::Struct { variants: Some(part), .. } = stage_type.kind() else { return None };
        let links = links(&header_type, 0).or_else(|| {
            let (trailer, trailer_type) = find_member(cell, &["trailer"], 1)?;
            links(&trailer_type, trailer.checked_sub(header)?)
        });
        Some(Self {
            header: HeaderPlan::of(&header_type).ok()?,
            end: cell.size(),
            id,
            recorded: from_header(0).and_then(|core| RecordedAt::of(&core_type, core)),
            owner: find_member(&header_type, &["owner_id"], 1).map(|(offset, _)| offset),
            links,
            scheduler: scheduler(&core_type, from_header(0)?),
            stage: from_header(stage.checked_add(inner)?)?,
            stages: choice(&stage_type, part, &|_| true),
        })
    }

    /// What the task's cell holds at the moment.
    pub(crate) fn stage(&self, stop: &Stop, header: MemAddr) -> Result<Stage, String> {
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

    /// What drops the task with this header; the header has to be the first thing in it (since Tokio 1.0 it is).
    pub(crate) fn dropper(&self, header: MemAddr) -> Option<Dropper> {
        let task = header..header.checked_add(self.end)?;
        Some(Dropper { task, offsets: (self.header.vtable, self.header.dealloc?) })
    }

    /// Whether the task with this header has no scheduler yet (up to Tokio 1.12 it gets one when it is first polled).
    pub(crate) fn is_unbound(&self, stop: &Stop, header: MemAddr) -> bool {
        self.scheduler.as_ref().is_some_and(|plan| word(stop, header, plan.pointer) == Some(0))
    }

    /// Where the scheduler of the task with this header lies; none if it has none, or what it points to is gone.
    pub(crate) fn scheduler(&self, stop: &Stop, header: MemAddr) -> Option<Place> {
        let plan = self.scheduler.as_ref()?;
        let shared = word(stop, header, plan.pointer).filter(|to| *to != 0).map(MemAddr::new)?;
        let strong = word(stop, shared, plan.strong)?;
        let lives = (1..=MAX_REFERENCES).contains(&strong);
        let data = shared.checked_add(plan.data.0).filter(|_| lives)?;
        Some(Place::new(plan.data.1.clone(), data))
    }
}

/// The links in a header or trailer that begins at `offset`.
fn links(holder: &Type, offset: u64) -> Option<Links> {
    let (at, pointers) = find_member(holder, &["owned"], 1)?;
    let at = at.checked_add(offset)?;
    Some(Links { prev: at.checked_add(previous_offset(&pointers))?, next: at.checked_add(next_offset(&pointers))? })
}

/// `core.scheduler`: an `Arc`, or (up to Tokio 1.12) an `Option` of one. A job's is no shared one.
fn scheduler(core: &Type, from_header: u64) -> Option<SchedulerPointer> {
    let (offset, ty) = find_member(core, &["scheduler"], 1)?;
    let is_shared = |inner: &Type| base(inner.path()) == "alloc::sync::ArcInner";
    let (pointer, inner) = find_pointer(&ty, 6, &is_shared)?;
    let data = find_member(&inner, &["data"], 1)?;
    let (strong, _) = find_member(&inner, &["strong"], 1)?;
    Some(SchedulerPointer { pointer: from_header.checked_add(offset)?.checked_add(pointer)?, strong, data })
}

/// The word at an offset; none if it cannot be read.
pub(crate) fn word(stop: &Stop, base: MemAddr, offset: u64) -> Option<u64> {
    stop.memory.read_u64(base.checked_add(offset)?).ok()
}

/// A number of `size` bytes at an offset; none if it cannot be read.
pub(crate) fn number(stop: &Stop, base: MemAddr, offset: u64, size: u64) -> Option<u64> {
    let value = stop.memory.read_uint(base.checked_add(offset)?, usize::try_from(size).ok()?).ok()?;
    u64::try_from(value).ok()
}
