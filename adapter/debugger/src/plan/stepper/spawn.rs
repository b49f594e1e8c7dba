//! A step into the task that a line spawns: the task is known by its number, from the moment it has one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::Births;
use weft_symbols::{Image, Type};
use weft_values::{Stop, frames};

use super::super::Passerby;
use super::super::bodies::{glue_of, polls_of};
use super::awaiter::End;
use super::into::first_lines;
use super::{Hit, Phase, Stepper, Verdict};

/// Frames looked at to find the coroutine that is about to be polled.
const INNER: usize = 8;

/// What it takes to know a task when it is polled.
pub(super) struct Spawn {
    image: Arc<Image>,
    births: Births,
    /// Where a thread has the number of a task that it is about to make, in which register.
    places: BTreeMap<MemAddr, DwarfRegister>,
    /// Where coroutines like the task's are polled.
    polls: BTreeSet<MemAddr>,
    /// Where they are dropped: a task may be cancelled before it begins.
    drops: BTreeSet<MemAddr>,
    /// Where threads note which task they poll, as far as they have come by.
    notes: BTreeMap<i32, MemAddr>,
}

impl Stepper {
    fn spawn(&self) -> Option<&Spawn> {
        self.aim.as_ref()?.spawn.as_ref()
    }

    /// The spawning call gives its task a number: from here on the task is looked for, whoever polls it.
    pub(super) fn numbered(&mut self, hit: &Hit<'_>, pc: MemAddr) -> Option<Verdict> {
        let register = self.spawn()?.places.get(&pc)?;
        let number = hit.stop.thread(hit.tid)?.registers.get(*register)?;
        self.phase = Phase::Starting { number };
        self.follow(None);
        Some(Verdict::Continue)
    }

    /// Where the task that was spawned can begin, or end before that.
    pub(super) fn beginnings(&self) -> BTreeSet<MemAddr> {
        self.spawn().map(|spawn| &spawn.polls | &spawn.drops).unwrap_or_default()
    }

    /// Whether a coroutine of the task's kind is surely polled or dropped in another one than that which was spawned.
    pub(super) fn is_another_start(&self, by: &Passerby<'_>, number: u64) -> bool {
        self.spawn().and_then(|spawn| spawn.passes(by)).is_some_and(|task| task != Some(number))
    }

    /// A coroutine of the task's kind is being polled or dropped: in the task that was spawned?
    pub(super) fn started(&mut self, hit: &Hit<'_>, pc: MemAddr, number: u64) -> Verdict {
        let Some(spawn) = self.aim.as_mut().and_then(|aim| aim.spawn.as_mut()) else { return Verdict::Continue };
        if spawn.polled_by(hit) != Some(number) {
            return Verdict::Continue;
        }
        if spawn.drops.contains(&pc) {
            self.aim = None;
            return self.ended(hit, End::Dropped);
        }
        self.has_left_task = true;
        let walk = frames(hit.stop, hit.tid, INNER).frames;
        let arrival = walk.iter().find(|frame| !frame.inlined).and_then(|frame| first_lines(hit.stop, frame));
        match arrival {
            Some(arrival) if !arrival.rows.is_empty() || !arrival.blocks.is_empty() => {
                self.phase = Phase::Entering { tid: hit.tid, arrival, back: None };
                Verdict::Continue
            }
            _ => Verdict::Lost(
                "the task has begun, but where its lines are is not known; the program runs on".to_owned(),
            ),
        }
    }

    /// What is to be said of a task that has not begun.
    pub(super) fn not_started(&self, more: &str) -> Option<String> {
        self.aim.as_ref().map(|aim| format!("{} has not begun {more}", aim.name))
    }

    /// A thread has ended; another one may get its number.
    pub(super) fn forget_note(&mut self, tid: i32) {
        if let Some(spawn) = self.aim.as_mut().and_then(|aim| aim.spawn.as_mut()) {
            spawn.notes.remove(&tid);
        }
    }
}

impl Spawn {
    /// What it takes for a task with a coroutine of this type.
    pub(super) fn of(stop: &Stop, coroutine: &Type) -> Result<Self, String> {
        let found = stop.modules.iter().map(|module| (module, Births::find(&module.image)));
        let mut found = found.filter(|(_, births)| births.copies > 0);
        let (Some((module, births)), None) = (found.next(), found.next()) else {
            return Err("the program has no Tokio or several: set a breakpoint in the spawned function".to_owned());
        };
        if births.copies > 1 || births.places.is_empty() || births.current_task().is_none() {
            return Err(
                "this Tokio does not tell which task a thread polls (1.23 and newer do): set a breakpoint in the \
                        spawned function"
                    .to_owned(),
            );
        }
        let places = births.places.iter().map(|place| (module.bias.to_memory(place.address), place.register)).collect();
        let own = stop.modules.of(coroutine.image());
        let glue = own.iter().flat_map(|own| glue_of(coroutine).into_iter().map(|glue| own.bias.to_memory(glue.entry)));
        let (polls, drops) = (polls_of(stop, coroutine), glue.collect());
        Ok(Self { image: module.image.clone(), births, places, polls, drops, notes: BTreeMap::new() })
    }

    /// Where tasks get their numbers.
    pub(super) fn numbering(&self) -> impl Iterator<Item = MemAddr> {
        self.places.keys().copied()
    }

    /// The number of the task that a thread polls or drops.
    fn polled_by(&mut self, hit: &Hit<'_>) -> Option<u64> {
        let (module, thread) = hit.stop.modules.of(&self.image).zip(hit.stop.thread(hit.tid))?;
        let (current, memory) = (self.births.current_task()?, hit.stop.memory.as_ref());
        let note = current.note(&hit.stop.modules, module, thread.registers.fs_base, memory)?;
        self.notes.insert(hit.tid, note);
        current.noted(note, |at, bytes| memory.read_exact(at, bytes).is_ok())?
    }

    /// The same of a thread that has come by before; `Some(None)`: of no task. None: that cannot be told.
    fn passes(&self, by: &Passerby<'_>) -> Option<Option<u64>> {
        self.births.current_task()?.noted(*self.notes.get(&by.tid)?, by.read)
    }
}
