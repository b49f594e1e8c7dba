//! Where in a program's code tasks get their numbers, and which task a thread polls meanwhile: what it takes to see a task
//! come into being.
//!
//! Every spawn (on a runtime, a `LocalSet` or a thread for blocking; one by one or through a `JoinSet`) takes its number from
//! one counter, `Id::next` (Tokio 1.20 to 1.54: `runtime/task/id.rs`, before 1.23 `runtime/task/mod.rs`). Where that is a
//! function of its own the number is what it returns. Where it was inlined it is what the atomic addition in that copy gives.

use std::sync::Arc;

use weft_memory::{MemAddr, Memory};
use weft_symbols::{DebugInfo, Image, Module, Modules, Static, TypeKind, ValueAt};

use super::context::storages;
use crate::shape::{Choice, choice, find_member, peel};

/// The function that numbers tasks, under the paths it has had.
const NEXT: [&str; 2] = ["tokio::runtime::task::id::Id::next", "tokio::runtime::task::Id::next"];

/// Places in one file that are watched.
const MOST_PLACES: usize = 1_000;

/// What it takes to see the tasks of one file's Tokio come into being.
#[derive(Debug, Default)]
pub struct Births {
    /// Where a thread has the number of a task that it is about to make.
    pub places: Vec<ValueAt>,
    /// How many copies of Tokio the file has. Each counts for itself, so numbers of several cannot be told apart.
    pub copies: usize,
    /// Spawns that cannot be seen, and why: for the user, a sentence.
    pub unseen: Option<String>,
    current: Option<CurrentTask>,
}

impl Births {
    /// Looks for them in a file. Builds its index if that has not happened yet, and reads all of its units if the function
    /// was inlined.
    pub fn find(image: &Arc<Image>) -> Self {
        if image.is_system_runtime() || image.debug_info() == DebugInfo::Absent {
            return Self::default();
        }
        let name = image.name();
        let storages = storages(image);
        if storages.is_empty() {
            return Self::default();
        }
        let copies: Vec<_> = NEXT.iter().flat_map(|path| image.copies_of(path)).collect();
        let mut births =
            Self { copies: storages.len(), current: storages.first().and_then(CurrentTask::of), ..Self::default() };
        let mut hidden: usize = 0;
        for copy in &copies {
            let found = if copy.inline_depth == 0 { copy.returned_words() } else { copy.words_added_to() };
            hidden = hidden.saturating_add(usize::from(found.is_empty()));
            births.places.extend(found);
        }
        births.places.sort_unstable_by_key(|place| place.address);
        births.places.dedup();
        births.unseen = match (copies.len(), hidden) {
            (0, _) => Some(format!(
                "the Tokio of {name} numbers its tasks nowhere that is known (Tokio 1.20 and newer do): where they are \
                 spawned is not recorded"
            )),
            (_, 0) if births.places.len() <= MOST_PLACES => None,
            (copies, hidden) => Some(format!(
                "of {copies} places of {name} that spawn tasks {} cannot be watched: those tasks have no spawn site",
                hidden.max(births.places.len().saturating_sub(MOST_PLACES))
            )),
        };
        births.places.truncate(MOST_PLACES);
        births
    }

    /// Where a thread notes which task it polls; none if it does not.
    pub fn current_task(&self) -> Option<&CurrentTask> {
        self.current.as_ref()
    }
}

/// Where a thread notes which task it polls (Tokio 1.23 and newer).
#[derive(Debug)]
pub struct CurrentTask {
    storage: Static,
    /// Of the `Option<Id>`, behind the storage.
    offset: u64,
    option: Choice,
}

impl CurrentTask {
    fn of(storage: &Static) -> Option<Self> {
        let (offset, cell) = find_member(storage.ty.as_ref()?, &["current_task_id"], 6)?;
        let (inner, ty) = peel(&cell);
        let TypeKind::Struct { variants: Some(part), .. } = ty.kind() else { return None };
        let option = choice(&ty, part, &|_| true);
        Some(Self { storage: storage.clone(), offset: offset.checked_add(inner)?, option })
    }

    /// The task that a thread polls, by its thread pointer. `Some(None)`: none. None: that cannot be told. (An idle worker
    /// and a thread for blocking name the job that they are.)
    pub fn read(&self, modules: &Modules, module: &Module, fs_base: u64, memory: &dyn Memory) -> Option<Option<u64>> {
        let note = self.note(modules, module, fs_base, memory)?;
        self.noted(note, |at, bytes| memory.read_exact(at, bytes).is_ok())
    }

    /// Where the thread with this thread pointer has its note, as long as it lives.
    pub fn note(&self, modules: &Modules, module: &Module, fs_base: u64, memory: &dyn Memory) -> Option<MemAddr> {
        modules.thread_local(module, &self.storage, fs_base, memory)?.checked_add(self.offset)
    }

    /// What a note says, like [`CurrentTask::read`]; `read` fills all of a buffer, or fails.
    pub fn noted(&self, note: MemAddr, read: impl Fn(MemAddr, &mut [u8]) -> bool) -> Option<Option<u64>> {
        // What a thread has never used is zero, which names no task.
        let read = |offset: u64, size: u64| {
            let mut word = [0; 8];
            let bytes = word.get_mut(..usize::try_from(size).ok()?)?;
            read(note.checked_add(offset)?, bytes).then(|| u64::from_le_bytes(word))
        };
        let tag = match self.option.tag {
            Some((offset, size)) => Some(u128::from(read(offset, size)?)),
            None => None,
        };
        let (_, variant) = self.option.select(tag)?;
        if variant.name != "Some" {
            return Some(None);
        }
        let number = variant.parts.first()?;
        let (inner, word) = peel(&number.ty);
        read(number.offset.checked_add(inner)?, word.size().clamp(1, 8)).map(Some)
    }
}

/// Where the threads of a file's Tokio note which task they poll: one for each copy of it.
pub(crate) fn current_tasks(image: &Arc<Image>) -> Vec<CurrentTask> {
    storages(image).iter().filter_map(CurrentTask::of).collect()
}
