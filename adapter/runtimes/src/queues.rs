//! The queues of semaphores: who is how far from the front.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_values::Stop;

use crate::chain::at;
use crate::leaves::{next_offset, previous_offset};
use crate::shape::find_member;

/// Most waiters of one semaphore that are counted.
const MAX_WAITERS: usize = 1 << 20;

/// A semaphore's list of waiters: new ones come at its head, the next one to be served is its tail. Numbers are offsets in
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueLayout {
    /// Of the pointers to the first and the last waiter, in the semaphore.
    head: u64,
    tail: u64,
    /// Of the pointers to both neighbours, in a waiter.
    previous: u64,
    next: u64,
}

/// Compiles the layout of a semaphore's queue.
pub(crate) fn queue_layout(semaphore: &Type) -> Option<QueueLayout> {
    let (waiters, list) = find_member(semaphore, &["queue"], 8)?;
    let (head, first) = find_member(&list, &["head"], 1)?;
    let (tail, _) = find_member(&list, &["tail"], 1)?;
    let (_, node) = crate::leaves::find_pointer(&first, 6, &|_| true)?;
    let (pointers, links) = find_member(&node, &["pointers"], 1)?;
    Some(QueueLayout {
        head: waiters.saturating_add(head),
        tail: waiters.saturating_add(tail),
        previous: pointers.saturating_add(previous_offset(&links)),
        next: pointers.saturating_add(next_offset(&links)),
    })
}

/// The waiters of one semaphore.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    places: FxHashMap<MemAddr, usize>,
}

impl Queue {
    /// A waiter's place, from 1, and how many wait. None if it is not in the queue.
    pub(crate) fn place(&self, waiter: MemAddr) -> Option<(usize, usize)> {
        Some((*self.places.get(&waiter)?, self.places.len()))
    }
}

/// The queues read in one stop.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<(u64, FxHashMap<MemAddr, Arc<Queue>>)>);

impl Queues {
    /// The queue of the semaphore there. Empty if its list does not hang together (somebody is at it at the moment).
    pub(crate) fn of(&self, stop: &Stop, layout: &QueueLayout, semaphore: MemAddr) -> Arc<Queue> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != stop.generation {
            *known = (stop.generation, FxHashMap::default());
        }
        Arc::clone(
            known.1.entry(semaphore).or_insert_with(|| Arc::new(read(stop, layout, semaphore).unwrap_or_default())),
        )
    }
}

/// From the tail to the head; each waiter must lead back to where the walk came from.
fn read(stop: &Stop, layout: &QueueLayout, semaphore: MemAddr) -> Option<Queue> {
    let pointer = |address: MemAddr| stop.memory.read_pointer(address).ok();
    let mut queue = Queue::default();
    let mut came_from = MemAddr::new(0);
    let mut waiter = pointer(at(semaphore, layout.tail))?;
    while waiter.raw() != 0 {
        let place = queue.places.len().saturating_add(1);
        let is_linked = pointer(at(waiter, layout.next))? == came_from;
        if !is_linked || place > MAX_WAITERS || queue.places.insert(waiter, place).is_some() {
            return None;
        }
        came_from = waiter;
        waiter = pointer(at(waiter, layout.previous))?;
    }
    (pointer(at(semaphore, layout.head))? == came_from).then_some(queue)
}

/// `1st`, `2nd`, `3rd`, `11th`.
pub(crate) fn ordinal(number: usize) -> String {
    let (tens, ones) = (number.checked_rem(100).unwrap_or(0), number.checked_rem(10).unwrap_or(0));
    let ending = match (tens, ones) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::ordinal;

    #[test]
    fn numbers_are_read_as_they_are_spoken() {
        let read: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 113].into_iter().map(ordinal).collect();
        assert_eq!(read, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "113th"]);
    }
}
