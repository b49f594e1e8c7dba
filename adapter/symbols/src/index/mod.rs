//! Names to DIEs: the index of a file.
//!
//! It is made by one parallel pass over all units, when first asked for, and written in the form in which it is looked up:
//! into the user's cache directory, where the next session finds it, or into memory. Either way a lookup reads a few
//! blocks of it; no table is held.
//!
//! **Invariant:** an index that was found on the disk gives the answers that a new one would give. If a byte of it is not
//! what was written, or the program is not the same, it is made anew.

mod blocks;
mod identity;
mod interned;
mod layout;
mod lookup;
mod pass;
mod prepare;
mod store;
mod work;

use std::fs::File;
use std::io::{BufWriter, Cursor};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use gimli::SectionId;
use weft_memory::FileAddr;

use crate::{DieOffset, Image, Type};
use blocks::{Damaged, Source};
use identity::Identity;
use layout::Lists;

pub(crate) use layout::Index;
pub(crate) use lookup::Group;
pub(crate) use store::cache_folder;
pub use store::{CACHE_VARIABLE, IndexStore, MOST_KEPT};
pub use work::{Cancelled, Watcher, Work};

/// A function with code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its entry.
    pub address: FileAddr,
    /// Its concrete DIE.
    pub die: DieOffset,
}

/// A static or thread-local variable.
#[derive(Clone, Debug)]
pub struct Static {
    /// The path with namespaces.
    pub path: String,
    /// Its mangled name.
    pub linkage_name: Option<String>,
    /// Its type.
    pub ty: Option<Type>,
    /// Its address, or its offset in the TLS segment.
    pub address: FileAddr,
    /// Whether `address` is an offset in the TLS segment.
    pub thread_local: bool,
}

/// The store of images for which no other was named.
static STORE: OnceLock<Arc<IndexStore>> = OnceLock::new();

/// Has the indexes of all images kept in a folder, and taken from there, but for those for which
/// [`Image::keep_index`] names another. To be said once, before the first one is asked for.
pub fn keep_indexes(store: IndexStore) {
    let _ = STORE.set(Arc::new(store));
}

/// An image's index, once there is one.
#[derive(Debug, Default)]
pub(crate) struct IndexCell {
    store: OnceLock<Arc<IndexStore>>,
    watcher: OnceLock<Watcher>,
    identity: OnceLock<Option<Identity>>,
    first: OnceLock<Index>,
    /// Made, in memory, when the first one turned out to be damaged.
    second: OnceLock<Option<Index>>,
    /// Held by the one who makes the first.
    making: Mutex<()>,
    /// How many wait for it who cannot do without.
    needed: AtomicUsize,
    /// How often its making was given up.
    given_up: AtomicUsize,
}

impl IndexCell {
    fn store(&self) -> Option<&IndexStore> {
        self.store.get().or_else(|| STORE.get()).map(Arc::as_ref)
    }
}

impl Image {
    /// Has the index kept in a folder of its own. To be said before anything asks for the index.
    pub fn keep_index(&self, store: Arc<IndexStore>) {
        let _ = self.index_cell().store.set(store);
    }

    /// Has somebody told when the index is being made. To be said before anything asks for it.
    pub fn watch(&self, watcher: Watcher) {
        let _ = self.index_cell().watcher.set(watcher);
    }

    /// Makes the index now if it is not there yet; other callers wait meanwhile.
    ///
    /// # Errors
    /// Whoever was told of the work gave it up.
    pub fn index(self: &Arc<Self>) -> Result<(), Cancelled> {
        let cell = self.index_cell();
        let before = cell.given_up.load(Ordering::Acquire);
        let there = cell.first.get().or_else(|| {
            let _making = cell.making.lock().unwrap_or_else(PoisonError::into_inner);
            // Who waited for one that was given up does not begin again.
            let goes_on = cell.given_up.load(Ordering::Acquire) == before;
            if goes_on { self.first_index() } else { cell.first.get() }
        });
        there.map(|_| ()).ok_or_else(|| Cancelled { file: self.name() })
    }

    /// The index, for one who cannot do without it.
    fn needed_index(self: &Arc<Self>) -> Option<&Index> {
        let cell = self.index_cell();
        cell.first.get().or_else(|| {
            cell.needed.fetch_add(1, Ordering::AcqRel);
            let _making = cell.making.lock().unwrap_or_else(PoisonError::into_inner);
            let found = self.first_index();
            cell.needed.fetch_sub(1, Ordering::AcqRel);
            found
        })
    }

    /// Finds or makes it. `None` if that was given up.
    fn first_index(self: &Arc<Self>) -> Option<&Index> {
        let cell = self.index_cell();
        if cell.first.get().is_none() {
            let work = Begun::tell(self);
            match self.find_index().or_else(|| self.make_index(&work.0)) {
                Some(index) => drop(cell.first.set(index)),
                None => drop(cell.given_up.fetch_add(1, Ordering::AcqRel)),
            }
        }
        cell.first.get()
    }

    /// Asks the index, which is made first if it is not there. One that turns out to be damaged is made anew.
    pub(crate) fn ask<T: Default>(self: &Arc<Self>, question: impl Fn(&Index) -> Result<T, Damaged>) -> T {
        let Some(first) = self.needed_index() else { return T::default() };
        question(first).unwrap_or_else(|Damaged| {
            tracing::warn!(file = %self.name(), "the stored index of names is damaged and made anew");
            let second = self.index_cell().second.get_or_init(|| self.undamaged_index()).as_ref();
            second.and_then(|second| question(second).ok()).unwrap_or_default()
        })
    }

    /// The index that is kept of this program. It was made when nothing was missing. Of split units the first is looked for,
    /// since a package holds all of them; where a single object's file is missing now, what the index tells of it leads to
    /// DIEs that cannot be read.
    fn find_index(&self) -> Option<Index> {
        let start = Instant::now();
        let store = self.index_cell().store()?;
        let identity = self.identity()?;
        let found = Index::open(Source::File(store.open(identity)?), identity);
        tracing::debug!(file = %self.name(), error = found.as_ref().err(), elapsed = ?start.elapsed(), "a stored index");
        let found = found.ok().filter(|index| index.split.is_none_or(|unit| self.has_split(unit)));
        found.filter(|_| self.missing().is_empty() && Identity::holds(self))
    }

    /// What it was when it was opened; worked out once.
    fn identity(&self) -> Option<&Identity> {
        self.index_cell().identity.get_or_init(|| Identity::of(self)).as_ref()
    }

    /// Reads all units, and keeps what was found. `None` if that was given up.
    fn make_index(&self, work: &Work) -> Option<Index> {
        let lists = self.read_names(work)?;
        self.stored(&lists).or_else(|| in_memory(&lists))
    }

    /// One that nothing on the disk can damage; the stored one is replaced.
    fn undamaged_index(&self) -> Option<Index> {
        let lists = self.read_names(&Work::new(self.name()))?;
        drop(self.stored(&lists));
        in_memory(&lists)
    }

    /// Reads all units. `None` if that was given up.
    fn read_names(&self, work: &Work) -> Option<Lists> {
        let start = Instant::now();
        work.expect(self.sections().len(SectionId::DebugInfo) as u64);
        let needed = &self.index_cell().needed;
        let found = pass::run(self, |bytes| {
            work.advance(bytes as u64);
            let given_up = work.is_cancelled() && needed.load(Ordering::Acquire) == 0;
            if given_up { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let passed = start.elapsed();
        let lists = prepare::lists(found, self.sections());
        let prepared = start.elapsed();
        let (types, functions) = (lists.types.len(), lists.functions.len());
        tracing::debug!(file = %self.name(), types, functions, ?passed, ?prepared, elapsed = ?start.elapsed(), "indexed");
        Some(lists)
    }

    /// Writes an index into the folder for them. `None` if that is not possible, if something was missing that may be there
    /// the next time, or if somebody wrote into a file since it was opened.
    fn stored(&self, lists: &Lists) -> Option<Index> {
        let store = self.index_cell().store()?;
        let identity = self.identity()?;
        if !lists.is_whole || !self.missing().is_empty() || !Identity::holds(self) {
            return None;
        }
        let write = |file: &File| lists.write(identity, BufWriter::new(file)).map(|_| ());
        match store.keep(identity, write) {
            Ok(file) => Index::open(Source::File(file), identity).ok(),
            Err(error) => {
                tracing::debug!(%error, file = %self.name(), "the index is not kept");
                None
            }
        }
    }
}

/// Work that somebody was told of; they hear of its end, however it comes.
struct Begun(Arc<Work>);

impl Begun {
    fn tell(image: &Image) -> Self {
        let work = Work::new(image.name());
        if let Some(watcher) = image.index_cell().watcher.get() {
            watcher.tell(&work);
        }
        Self(work)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn in_memory(lists: &Lists) -> Option<Index> {
    let nobody = Identity { key: String::new(), hash: 0 };
    let bytes = lists.write(&nobody, Cursor::new(Vec::new())).ok()?.into_inner();
    Index::open(Source::Memory(bytes), &nobody).ok()
}
