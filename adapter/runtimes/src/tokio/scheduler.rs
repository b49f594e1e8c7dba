//! What a runtime or a `LocalSet` shares with its tasks: its identity, its kind, its list.

use weft_tasks::{Runtime, RuntimeKey, RuntimeKind};
use weft_values::{Place, Stop};

use crate::shape::find_member;
use crate::text::string;

/// A scheduler in the program's memory: what the `Arc` in its tasks and handles shares.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    pub(crate) key: RuntimeKey,
    pub(crate) place: Place,
}

impl Scheduler {
    /// The scheduler at this place; none if that is nowhere in memory.
    pub(crate) fn new(place: Place) -> Option<Self> {
        let key = RuntimeKey(place.address()?.raw());
        Some(Self { key, place })
    }

    /// The scheduler that a task points to: up to Tokio 1.8 a task of a pool of threads points to a worker, which shares it
    /// with the others.
    pub(crate) fn of_task(stop: &Stop, pointed: Place) -> Option<Self> {
        if !pointed.ty.path().ends_with("::worker::Worker") {
            return Self::new(pointed);
        }
        Self::new(pointed.member("shared").ok()?.deref(stop).ok()?.member("data").ok()?)
    }

    /// Its row. `threads`: those that are inside.
    pub(crate) fn runtime(&self, stop: &Stop, threads: Vec<i32>) -> Runtime {
        Runtime { key: self.key, kind: self.kind(), name: self.name(stop), os_threads: threads, task_count: 0 }
    }

    fn kind(&self) -> RuntimeKind {
        let path = self.place.ty.path();
        if path.starts_with("tokio::task::local::") {
            RuntimeKind::TokioLocalSet
        } else if path.contains("::current_thread") || path.contains("::basic_scheduler") {
            RuntimeKind::TokioCurrentThread
        } else {
            RuntimeKind::TokioMultiThread
        }
    }

    /// The name given to a runtime's builder (Tokio 1.51 and later keep it).
    fn name(&self, stop: &Stop) -> Option<String> {
        let (offset, option) = find_member(&self.place.ty, &["name"], 1)?;
        let option = Place::at(option, self.place.at.plus(offset));
        let some = option.variant(stop).ok().filter(|active| active.name == "Some")?;
        string(stop, &some.place.peel(), 200)
    }
}
