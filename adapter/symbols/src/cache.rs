//! What an image has already worked out: types, functions, scopes, tables of code.
//!
//! Everything here is a pure function of the file; keeping it changes no answer, only its price.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxBuildHasher;

use crate::DieOffset;
use crate::detail::Detail;
use crate::functions::{CodeTable, Function};
use crate::scopes::Scopes;
use crate::types::TypeInfo;
use crate::units::UnitIndex;

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
}
