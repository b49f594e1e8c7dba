//! Tasks that no thread leads to: one pass over everything that the program has made.
//!
//! A task's header has a pointer to one of the vtables that the program's file has for tasks; a word that is one is a hit. A
//! hit is nothing yet: copies of cells that were moved and memory that was freed look the same. It leads to a scheduler
//! (`core.scheduler`), and that one's own list decides: a scheduler is believed as soon as a hit is in the list it has. Where
//! it has none that is known (a pool of threads up to Tokio 1.8, a `LocalSet` up to 1.21), or its list cannot be followed, a hit
//! itself counts if its neighbours in the list agree that it is between them.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::MemAddr;
use weft_tasks::{RuntimeKey, TaskKind};
use weft_values::{Stop, ThreadState};

use super::cell::{Cell, Cells};
use super::layout::{Layout, Links, word};
use super::owned::Owned;
use super::scheduler::Scheduler;
use super::state::TaskState;
use super::vtables::{Vtables, words};

/// Most bytes that are searched.
const MAX_BYTES: u64 = 1 << 30;
/// Most hits that are looked into, and most schedulers.
const MAX_HITS: usize = 8_000_000;
const MAX_SCHEDULERS: usize = 100_000;
/// What glibc keeps of a thread above its thread pointer, at the least.
const ABOVE_FS_BASE: u64 = 4096;

/// A scheduler and its tasks.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) scheduler: Scheduler,
    /// What its own list says; none if it has none that is known.
    pub(crate) list: Option<Owned>,
    /// Tasks of it that are not in the list.
    pub(crate) strays: Vec<MemAddr>,
}

impl Owner {
    /// A scheduler with what its list says.
    pub(crate) fn of(stop: &Stop, cells: &Cells, scheduler: Scheduler) -> Self {
        let list = Owned::of(stop, cells, &scheduler.place);
        Self { scheduler, list, strays: Vec::new() }
    }

    /// Whether its list alone tells all of its tasks.
    pub(crate) fn is_whole(&self) -> bool {
        self.list.as_ref().is_some_and(Owned::is_whole)
    }

    /// The headers of its tasks.
    pub(crate) fn headers(&self) -> impl Iterator<Item = MemAddr> {
        let listed = self.list.iter().flat_map(|list| &list.headers);
        listed.chain(&self.strays).copied()
    }
}

/// What the pass has found.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// Those known before, with what was found of them, and those found.
    pub(crate) owners: Vec<Owner>,
    /// Tasks that were never polled and do not know yet whose they are (up to Tokio 1.12).
    pub(crate) unbound: Vec<MemAddr>,
    /// Bytes that were not searched.
    pub(crate) left_out: u64,
}

/// Searches what the program can write to. `known`: the schedulers that threads lead to.
pub(crate) fn search(stop: &Stop, cells: &Cells, known: Vec<Owner>) -> Pass {
    let vtables = Vtables::of(stop, cells);
    if vtables.is_empty() {
        return Pass { owners: known, ..Pass::default() };
    }
    let mut hits: Vec<(MemAddr, Arc<Cell>)> = Vec::new();
    let ranges = without_stacks(stop);
    let left_out = words(&*stop.memory, &ranges, MAX_BYTES, &mut |address, word| {
        let Some(kind) = vtables.kind(word).filter(|kind| kind.kind != TaskKind::Blocking) else { return };
        let Some(layout) = kind.layout.as_ref().filter(|_| hits.len() < MAX_HITS) else { return };
        let header = address.raw().checked_sub(layout.header.vtable).map(MemAddr::new);
        hits.extend(header.map(|header| (header, Arc::clone(kind))));
    });
    let mut judge = Judge::new(stop, cells, known);
    for (header, kind) in &hits {
        if let Some(layout) = &kind.layout {
            judge.hit(*header, layout);
        }
    }
    let owners = judge.candidates.into_iter().filter(|it| it.believed).map(|it| it.owner).collect();
    Pass { owners, unbound: judge.unbound, left_out }
}

/// A scheduler that a hit points to.
struct Candidate {
    owner: Owner,
    members: FxHashSet<MemAddr>,
    believed: bool,
}

impl Candidate {
    fn new(owner: Owner, believed: bool) -> Self {
        let members = owner.headers().collect();
        Self { owner, members, believed }
    }
}

struct Judge<'a> {
    stop: &'a Stop,
    cells: &'a Cells,
    candidates: Vec<Candidate>,
    by_key: FxHashMap<RuntimeKey, usize>,
    /// By what tasks point to, which need not be the scheduler itself.
    by_pointer: FxHashMap<MemAddr, Option<usize>>,
    unbound: Vec<MemAddr>,
}

impl<'a> Judge<'a> {
    fn new(stop: &'a Stop, cells: &'a Cells, known: Vec<Owner>) -> Self {
        let by_key = known.iter().enumerate().map(|(index, owner)| (owner.scheduler.key, index)).collect();
        let candidates = known.into_iter().map(|owner| Candidate::new(owner, true)).collect();
        Self { stop, cells, candidates, by_key, by_pointer: FxHashMap::default(), unbound: Vec::new() }
    }

    fn hit(&mut self, header: MemAddr, layout: &Layout) {
        let state = word(self.stop, header, layout.header.state).map(TaskState);
        // Tasks that have ended are told of by those who join them.
        if !state.is_some_and(|state| state.is_possible() && !state.is_complete()) {
            return;
        }
        let Some(index) = self.candidate(header, layout) else { return };
        let Some(candidate) = self.candidates.get(index) else { return };
        let listed = candidate.members.contains(&header);
        let proved = match &candidate.owner.list {
            Some(list) if list.is_whole() => listed,
            _ if candidate.believed && listed => true,
            Some(list) => {
                let owner = layout.owner.map(|offset| word(self.stop, header, offset));
                owner.is_none_or(|owner| list.id.is_some() && owner == list.id) && self.neighbours_agree(header, layout)
            }
            None => {
                let owner = layout.owner.map(|offset| word(self.stop, header, offset));
                owner.is_none_or(|owner| owner.is_some_and(|owner| owner != 0)) && self.neighbours_agree(header, layout)
            }
        };
        let Some(candidate) = self.candidates.get_mut(index).filter(|_| proved) else { return };
        candidate.believed = true;
        if candidate.members.insert(header) {
            candidate.owner.strays.push(header);
        }
    }

    /// The scheduler that a task points to.
    fn candidate(&mut self, header: MemAddr, layout: &Layout) -> Option<usize> {
        let Some(pointed) = layout.scheduler(self.stop, header) else {
            if layout.is_unbound(self.stop, header) {
                self.unbound.push(header);
            }
            return None;
        };
        let at = pointed.address()?;
        if let Some(known) = self.by_pointer.get(&at) {
            return *known;
        }
        let index =
            Scheduler::of_task(self.stop, pointed).and_then(|scheduler| match self.by_key.get(&scheduler.key) {
                Some(known) => Some(*known),
                None if self.candidates.len() >= MAX_SCHEDULERS => None,
                None => {
                    let index = self.candidates.len();
                    self.by_key.insert(scheduler.key, index);
                    self.candidates.push(Candidate::new(Owner::of(self.stop, self.cells, scheduler), false));
                    Some(index)
                }
            });
        self.by_pointer.insert(at, index);
        index
    }

    /// Whether the neighbours of a task in its list have it for their neighbour.
    fn neighbours_agree(&self, header: MemAddr, layout: &Layout) -> bool {
        let Some(links) = layout.links else { return false };
        let neighbour = |offset: u64| word(self.stop, header, offset).map(MemAddr::new);
        let (Some(prev), Some(next)) = (neighbour(links.prev), neighbour(links.next)) else { return false };
        let links_of = |task: MemAddr| self.cells.cell(self.stop, &layout.header, task).ok()?.layout.as_ref()?.links;
        let is_back = |at: MemAddr, back: &dyn Fn(Links) -> u64| {
            at.raw() == 0 || links_of(at).is_some_and(|links| word(self.stop, at, back(links)) == Some(header.raw()))
        };
        is_back(prev, &|links| links.next) && is_back(next, &|links| links.prev)
    }
}

/// What the program can write to, but for the stacks of its threads: there lie copies of cells from before they were moved.
fn without_stacks(stop: &Stop) -> Vec<Range<MemAddr>> {
    let ranges = stop.memory.writable();
    let last = ranges.last().cloned();
    let of_thread = |range: &Range<MemAddr>, thread: &ThreadState| {
        let (sp, base) = (thread.registers.sp(), MemAddr::new(thread.registers.fs_base));
        if !range.contains(&sp) {
            return None;
        }
        // A thread's own area is at the upper end of its stack; the kernel puts the first thread's stack above all else.
        let end = base.checked_add(ABOVE_FS_BASE).filter(|_| range.contains(&base) && base > sp);
        end.or_else(|| (last.as_ref() == Some(range)).then_some(range.end))
    };
    let behind_stack = |range: Range<MemAddr>| {
        let ends = stop.threads.iter().filter_map(|thread| of_thread(&range, thread));
        let from = ends.max().unwrap_or(range.start);
        from.min(range.end)..range.end
    };
    ranges.into_iter().map(behind_stack).filter(|range| range.start < range.end).collect()
}
