//! What an image has already worked out: types, functions, scopes, tables of code.
//!
//! Everything here is a pure function of the file; keeping it changes no answer, only its price.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;
use weft_memory::FileAddr;

use crate::DieOffset;
use crate::detail::Detail;
use crate::functions::{CodeTable, Function, KeptFrame};
use crate::programs::RawRow;
use crate::scopes::Scopes;
use crate::types::TypeInfo;
use crate::units::UnitIndex;
use crate::unwind::Rule;

/// How many locks share a map, so that worker threads seldom wait for one another.
const SHARDS: usize = 16;

/// A map from keys to shared values, filled when asked.
#[derive(Debug)]
pub(crate) struct Memo<K, V> {
    shards: [Mutex<HashMap<K, V, FxBuildHasher>>; SHARDS],
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<K: Hash + Eq + Copy + Into<usize>, V: Clone> Memo<K, V> {
    /// Whether the value of a key is known.
    pub(crate) fn knows(&self, key: K) -> bool {
        let number: usize = key.into();
        let shard = self.shards.get((number ^ (number >> 4)) % SHARDS);
        shard.is_some_and(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&key))
    }

    /// The value of a key, worked out by `make` if it is not there. No lock is held meanwhile: two threads may work out
    /// the same value, and the first one counts.
    pub(crate) fn get_or_make(&self, key: K, make: impl FnOnce() -> V) -> V {
        let number: usize = key.into();
        // Offsets are spread by their middle bits too: DIEs of one kind often lie at regular distances.
        let Some(shard) = self.shards.get((number ^ (number >> 4)) % SHARDS) else { return make() };
        if let Some(found) = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        let made = make();
        shard.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }
}

/// Most values of one generation of a [`Recent`].
const GENERATION: usize = 4096;

/// The answers to the questions that were asked last: two generations, of which the older one is forgotten when the
/// younger one is full.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    generations: Mutex<[HashMap<u64, V, FxBuildHasher>; 2]>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { generations: Mutex::default() }
    }
}

impl<V: Clone> Recent<V> {
    /// The value of a key, worked out by `make` if it is not there. Failures are not kept.
    pub(crate) fn get_or_try<E>(&self, key: u64, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let kept = {
            let [young, old] = &*self.lock();
            young.get(&key).map(|value| (value.clone(), true)).or_else(|| Some((old.get(&key)?.clone(), false)))
        };
        let value = match kept {
            Some((value, true)) => return Ok(value),
            Some((value, false)) => value,
            None => make()?,
        };
        let [young, old] = &mut *self.lock();
        if young.len() >= GENERATION {
            *old = std::mem::take(young);
        }
        young.insert(key, value.clone());
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, [HashMap<u64, V, FxBuildHasher>; 2]> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<DieOffset> for usize {
    fn from(die: DieOffset) -> Self {
        die.0
    }
}

/// All that is kept for one image. Errors are kept too (as `None`): a broken unit stays broken.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) types: Memo<DieOffset, Option<Arc<TypeInfo>>>,
    pub(crate) functions: Memo<DieOffset, Option<Arc<Function>>>,
    pub(crate) scopes: Memo<UnitIndex, Option<Arc<Scopes>>>,
    pub(crate) code: Memo<UnitIndex, Option<Arc<CodeTable>>>,
    pub(crate) details: Memo<UnitIndex, Detail>,
    /// Rows that only finish awaits, by the DIE of the function or copy.
    pub(crate) finishing: Recent<Arc<BTreeSet<FileAddr>>>,
    /// Functions, by address.
    pub(crate) frames: Recent<Arc<[KeptFrame]>>,
    /// Rows of line programs, by an address they cover.
    pub(crate) rows: Recent<Option<RawRow>>,
    /// How to unwind, by address; `None`: nothing is said about it.
    pub(crate) rules: Recent<Option<Arc<Rule>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_lately_is_kept_and_no_more() {
        let recent = Recent::default();
        let ask = |key: u64| {
            let mut made = false;
            let value = recent.get_or_try(key, || {
                made = true;
                Ok::<_, ()>(key + 1)
            });
            assert_eq!(value, Ok(key + 1));
            made
        };
        let many = GENERATION as u64;
        assert!((0..many).all(&ask) && !(0..many).any(&ask));
        // The next generation; who is asked for stays.
        assert!(ask(many) && !ask(0));
        assert!((many + 1..3 * many).all(|key| ask(key) && !ask(0)));
        assert!(ask(1));
        assert_eq!(recent.get_or_try(7 * many, || Err(0)), Err(0));
        assert!(recent.lock().iter().all(|generation| generation.len() <= GENERATION));
    }
}
