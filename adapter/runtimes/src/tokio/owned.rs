//! A runtime's list of the tasks it owns.
//!
//! From 1.35 a sharded list (`list.lists[].head`), before that one list (`inner…head`); the wrappers between depend on
//! features, so `head` is searched by name. Each list is linked through the tasks themselves.

use rustc_hash::FxHashSet;
use weft_memory::{MemAddr, MemoryError};
use weft_symbols::Type;
use weft_values::{Place, Stop};

use super::cell::Cells;
use super::header::{HeaderPlan, Next};
use super::layout::word;
use crate::leaves::find_pointer;
use crate::names::base;
use crate::shape::find_member;

/// Most tasks of one runtime.
const MAX_TASKS: usize = 4_000_000;
/// Most shards (`MAX_SHARED_LIST_SIZE` in Tokio's runtime/task/list.rs).
const MAX_SHARDS: u64 = 1 << 16;

/// A scheduler's list of tasks.
#[derive(Debug, Default)]
pub(crate) struct Owned {
    pub(crate) headers: Vec<MemAddr>,
    /// Where its tasks' headers have what.
    pub(crate) plan: Option<HeaderPlan>,
    /// The list's number (from Tokio 1.9 on); all lists of a program count up.
    pub(crate) id: Option<u64>,
    /// How many the runtime says there are.
    pub(crate) count: Option<u64>,
    /// What could not be read.
    pub(crate) errors: Vec<String>,
}

impl Owned {
    /// The tasks that a scheduler owns; none if its type has no list that is known (a pool of threads up to Tokio 1.8, a
    /// `LocalSet` up to 1.21).
    pub(crate) fn of(stop: &Stop, cells: &Cells, scheduler: &Place) -> Option<Self> {
        let (offset, owned) = find_member(&scheduler.ty, &["owned"], 4)?;
        let owned = Place::at(owned, scheduler.at.plus(offset));
        let mut found = Self::default();
        if let Err(message) = found.collect(stop, cells, &owned) {
            found.errors.push(message);
        }
        Some(found)
    }

    fn collect(&mut self, stop: &Stop, cells: &Cells, owned: &Place) -> Result<(), String> {
        let number = |name: &str, levels: usize| {
            let (offset, ty) = find_member(&owned.ty, &[name], levels)?;
            Place::at(ty, owned.at.plus(offset)).peel().read_u64(stop).ok()
        };
        self.id = number("id", 1);
        self.count = number("count", 6);
        let heads = heads(stop, owned)?;
        let plan = HeaderPlan::of(&heads.header)?;
        let walk = Walk { stop, cells, plan: &plan };
        let mut seen = FxHashSet::default();
        // All lists one step at a time: tasks are given to them in turn, so that those found together lie together.
        let mut links = heads.addresses;
        while !links.is_empty() {
            links.retain_mut(|link| match walk.step(*link, &mut seen, &mut self.headers) {
                Ok(next) => {
                    *link = next.unwrap_or(*link);
                    next.is_some()
                }
                Err(message) => {
                    self.errors.push(message);
                    false
                }
            });
        }
        self.plan = Some(plan);
        Ok(())
    }

    /// Whether what was found is all there is, as far as the list itself tells.
    pub(crate) fn is_whole(&self) -> bool {
        let counted = self.count.is_none_or(|count| usize::try_from(count) == Ok(self.headers.len()));
        self.errors.is_empty() && counted
    }
}

/// Where the pointers to the lists' first tasks are, and the type they point to.
struct Heads {
    addresses: Vec<MemAddr>,
    header: Type,
}

fn heads(stop: &Stop, owned: &Place) -> Result<Heads, String> {
    let unknown = || format!("the task list of `{}` has a layout that is not known", owned.ty.path());
    let head = |list: &Type| -> Option<(u64, Type)> {
        let (offset, option) = find_member(list, &["head"], 8)?;
        let (inner, header) = find_pointer(&option, 6, &|ty| base(ty.path()).ends_with("::core::Header"))?;
        Some((offset.saturating_add(inner), header))
    };
    if let Some((offset, lists)) = find_member(&owned.ty, &["lists"], 2) {
        let slice = Place::at(lists, owned.at.plus(offset));
        let shards = slice.deref(stop).map_err(|error| error.to_string())?;
        let weft_values::Meta::Length(count) = shards.meta else { return Err(unknown()) };
        // A shard is chosen with this mask, so there is a power of two of them (Tokio's util/sharded_list.rs).
        let mask = find_member(&owned.ty, &["shard_mask"], 2)
            .and_then(|(offset, ty)| Place::at(ty, owned.at.plus(offset)).peel().read_u64(stop).ok());
        if count > MAX_SHARDS || mask.is_some_and(|mask| mask.checked_add(1) != Some(count)) {
            return Err(format!("the list of tasks says that it has {count} parts, which it cannot have"));
        }
        let first = shards.address().ok_or_else(unknown)?;
        let (offset, header) = head(&shards.ty).ok_or_else(unknown)?;
        let size = shards.ty.size();
        let address =
            |shard: u64| MemAddr::new(first.raw().wrapping_add(shard.wrapping_mul(size)).wrapping_add(offset));
        return Ok(Heads { addresses: (0..count).map(address).collect(), header });
    }
    let (offset, header) = head(&owned.ty).ok_or_else(unknown)?;
    let address = owned.address().and_then(|address| address.checked_add(offset)).ok_or_else(unknown)?;
    Ok(Heads { addresses: vec![address], header })
}

/// A walk along the links of tasks.
struct Walk<'a> {
    stop: &'a Stop,
    cells: &'a Cells,
    plan: &'a HeaderPlan,
}

impl Walk<'_> {
    /// Follows one link: the task's header is added, and the place of its own link is given back. None at a list's end.
    fn step(
        &self,
        link: MemAddr,
        seen: &mut FxHashSet<MemAddr>,
        headers: &mut Vec<MemAddr>,
    ) -> Result<Option<MemAddr>, String> {
        let broken = |error: MemoryError| format!("a list of tasks cannot be followed to its end: {error}");
        let task = self.stop.memory.read_pointer(link).map_err(broken)?;
        if task.raw() == 0 {
            return Ok(None);
        }
        if !seen.insert(task) {
            return Err("a list of tasks leads back into itself: the program was stopped while it changed".to_owned());
        }
        if headers.len() >= MAX_TASKS {
            return Err(format!("more than {MAX_TASKS} tasks: the rest is not shown"));
        }
        headers.push(task);
        let unknown = "where a task's link to the next one lies is not known";
        self.link(task).map(Some).ok_or_else(|| unknown.to_owned())
    }

    /// Where the link to the next task lies: the task's own type says so, else the header's.
    fn link(&self, header: MemAddr) -> Option<MemAddr> {
        let cell = self.cells.cell(self.stop, self.plan, header).ok();
        if let Some(links) = cell.as_ref().and_then(|cell| cell.layout.as_ref()?.links) {
            return header.checked_add(links.next);
        }
        match self.plan.next? {
            Next::Header(offset) => header.checked_add(offset),
            Next::Trailer { offset_in_vtable, link } => {
                let vtable = word(self.stop, header, self.plan.vtable)?;
                let trailer = word(self.stop, MemAddr::new(vtable), offset_in_vtable)?;
                header.checked_add(trailer)?.checked_add(link)
            }
        }
    }
}
