//! The numbers by which a user knows tasks and runtimes: given at first sight, kept for the session.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use weft_tasks::{RuntimeKey, TaskKey};

/// From here on a `threadId` is a task.
pub const FIRST_TASK_THREAD: i64 = 1 << 30;

/// Task and runtime numbers, counted from 1 in the order of first sight.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// In the order of their numbers.
    tasks: Vec<TaskKey>,
    /// Finds a task's place in `tasks`. Only places are kept here: there may be a hundred thousand.
    places: HashTable<u32>,
    runtimes: HashMap<RuntimeKey, i64>,
}

impl Numbering {
    /// A task's number.
    pub fn task(&mut self, key: TaskKey) -> i64 {
        let Self { tasks, places, .. } = self;
        let at = |place: &u32| tasks.get(usize::try_from(*place).ok()?).copied();
        let place = match places.find(hash(key), |place| at(place) == Some(key)) {
            Some(place) => *place,
            None => {
                let place = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
                places.insert_unique(hash(key), place, |place| at(place).map_or(0, hash));
                tasks.push(key);
                place
            }
        };
        i64::from(place).saturating_add(1)
    }

    /// A task's `threadId`.
    pub fn task_thread(&mut self, key: TaskKey) -> i64 {
        self.task(key).saturating_add(FIRST_TASK_THREAD)
    }

    /// The task of a number that was given.
    pub fn find_task(&self, number: i64) -> Option<TaskKey> {
        self.tasks.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }

    /// A runtime's number.
    pub fn runtime(&mut self, key: RuntimeKey) -> i64 {
        let next = i64::try_from(self.runtimes.len()).unwrap_or(i64::MAX).saturating_add(1);
        *self.runtimes.entry(key).or_insert(next)
    }

    /// Puts numbers into a text that names tasks by key: `{task:1f00:7}` (address in hex, the runtime's id) becomes
    /// `task 12`.
    pub fn fill(&mut self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{task:") {
            filled.push_str(before);
            let key = after.split_once('}').and_then(|(word, tail)| Some((parse_key(word)?, tail)));
            match key {
                Some((key, tail)) => {
                    filled.push_str("task ");
                    filled.push_str(&self.task(key).to_string());
                    rest = tail;
                }
                None => {
                    filled.push_str("{task:");
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

fn hash(key: TaskKey) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

fn parse_key(word: &str) -> Option<TaskKey> {
    let (address, id) = word.split_once(':')?;
    Some(TaskKey { address: u64::from_str_radix(address, 16).ok()?, id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_last_and_texts_are_filled() {
        let mut numbering = Numbering::default();
        let (a, b) = (TaskKey { address: 0x1f00, id: 7 }, TaskKey { address: 0x1f00, id: 8 });
        assert_eq!((numbering.task(a), numbering.task(b), numbering.task(a)), (1, 2, 1));
        assert_eq!(numbering.task_thread(b), FIRST_TASK_THREAD + 2);
        assert_eq!((numbering.find_task(2), numbering.find_task(3), numbering.find_task(0)), (Some(b), None, None));
        assert_eq!(numbering.find_task(i64::MIN), None);
        assert_eq!(
            numbering.fill("waits for {task:1f00:8}, {task:x} and {task:1f00:7}"),
            "waits for task 2, {task:x} and task 1"
        );
    }
}
