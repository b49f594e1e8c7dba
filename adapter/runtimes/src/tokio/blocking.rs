//! Jobs on threads made for blocking that wait for a thread.
//!
//! `blocking_spawner.inner → Inner { shared: Mutex<Shared { queue: VecDeque<Task>, .. }>, .. }` up to Tokio 1.53,
//! `Inner { inner_impl: Locked(..queue..) | Sharded(shards: [..queue..]) }` from 1.54 on. Running jobs are found by the frames
//! of their threads.

use weft_memory::MemAddr;
use weft_symbols::TypeKind;
use weft_values::{Place, Stop};

use crate::leaves::pointer_to;
use crate::names::base;
use crate::shape::find_member;

/// Most queued jobs of one runtime.
const MAX_QUEUED: u64 = 100_000;
/// How deep the queues lie in the pool, and how many places of it are looked at.
const MAX_DEPTH: usize = 16;
const MAX_PLACES: usize = 2_000;

/// The spawner of jobs within a handle or scheduler.
pub(crate) fn spawner_of_jobs(holder: &Place) -> Option<Place> {
    let (offset, spawner) = find_member(&holder.ty, &["blocking_spawner"], 4)?;
    Some(Place::at(spawner, holder.at.plus(offset)))
}

/// The headers of the jobs in the queues of a spawner, and what could not be read.
pub(crate) fn queued(stop: &Stop, spawner: &Place) -> (Vec<MemAddr>, Vec<String>) {
    let mut search = Search { stop, headers: Vec::new(), errors: Vec::new(), places: 0 };
    match spawner.find("inner").and_then(|inner| inner.deref(stop)) {
        Ok(pool) => search.place(&pool, 0),
        Err(error) => search.errors.push(format!("the queue of blocking jobs cannot be read: {error}")),
    }
    (search.headers, search.errors)
}

struct Search<'a> {
    stop: &'a Stop,
    headers: Vec<MemAddr>,
    errors: Vec<String>,
    places: usize,
}

impl Search<'_> {
    fn place(&mut self, place: &Place, depth: usize) {
        self.places = self.places.saturating_add(1);
        if depth > MAX_DEPTH || self.places > MAX_PLACES {
            return;
        }
        let depth = depth.saturating_add(1);
        if base(place.ty.path()) == "alloc::collections::vec_deque::VecDeque" {
            return self.queue(place);
        }
        match place.ty.kind() {
            TypeKind::Array { .. } => {
                let Ok(elements) = place.sequence(self.stop) else { return };
                for index in 0..elements.len {
                    if let Ok(element) = elements.get(index) {
                        self.place(&element, depth);
                    }
                }
            }
            TypeKind::Struct { variants: Some(_), .. } => {
                if let Ok(active) = place.variant(self.stop) {
                    self.place(&active.place, depth);
                }
            }
            TypeKind::Struct { .. } => {
                for member in place.members().into_iter().filter_map(|member| member.place.ok()) {
                    self.place(&member, depth);
                }
            }
            _ => {}
        }
    }

    fn queue(&mut self, queue: &Place) {
        let Some(job) = queue.ty.template_argument("T") else { return };
        let Some(offset) = pointer_to(&job, "tokio::runtime::task::core::Header") else { return };
        let jobs = match queue.sequence(self.stop) {
            Ok(jobs) => jobs,
            Err(error) => {
                self.errors.push(format!("the queue of blocking jobs cannot be read: {error}"));
                return;
            }
        };
        if jobs.len > MAX_QUEUED {
            self.errors.push(format!("{} blocking jobs are queued: the first {MAX_QUEUED} are shown", jobs.len));
        }
        for index in 0..jobs.len.min(MAX_QUEUED) {
            let header = jobs
                .get(index)
                .ok()
                .and_then(|job| self.stop.memory.read_pointer(job.address()?.checked_add(offset)?).ok());
            self.headers.extend(header);
        }
    }
}
