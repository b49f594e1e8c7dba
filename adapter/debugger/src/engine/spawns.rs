//! Watching tasks come into being: traps where they get their numbers, passed like any breakpoint that does not stop.
//!
//! A hit notes the number and the thread's stack and lets the thread go on; no other thread is stopped. What the places
//! are and what becomes of what was noted is `weft-runtimes`' business.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use weft_memory::{DwarfRegister, MemAddr};
use weft_runtimes::{Births, Runtimes, Spawn};
use weft_symbols::{Image, Modules};

use super::Engine;

/// Where tasks come into being, if that is watched.
pub(super) struct Spawns {
    runtimes: Arc<Runtimes>,
    /// Files with what was found in them.
    known: Vec<(Weak<Image>, Arc<Births>)>,
    /// The places, with what was found in their files.
    places: HashMap<MemAddr, Place>,
}

struct Place {
    register: DwarfRegister,
    image: Arc<Image>,
    births: Arc<Births>,
}

impl Spawns {
    pub(super) fn new(runtimes: Arc<Runtimes>) -> Self {
        Self { runtimes, known: Vec::new(), places: HashMap::new() }
    }

    /// Where threads must be trapped.
    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.places.keys().copied()
    }

    pub(super) fn has(&self, address: MemAddr) -> bool {
        self.places.contains_key(&address)
    }

    /// Looks for the places in files that were not looked at before.
    fn bind(&mut self, modules: &Modules) {
        self.known.retain(|(image, _)| image.strong_count() > 0);
        self.places.clear();
        let (mut unseen, mut copies) = (Vec::new(), 0_usize);
        for module in modules {
            let known = self.known.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(&module.image));
            let births = match known {
                Some((_, births)) => births.clone(),
                None => {
                    let births = Arc::new(Births::find(&module.image));
                    self.known.push((Arc::downgrade(&module.image), births.clone()));
                    births
                }
            };
            unseen.extend(births.unseen.clone());
            copies = copies.saturating_add(births.copies);
            for value in &births.places {
                let place = Place { register: value.register, image: module.image.clone(), births: births.clone() };
                self.places.insert(module.bias.to_memory(value.address), place);
            }
        }
        if copies > 1 {
            // Whose a number is cannot be told, of tasks that were noted before as well.
            self.places.clear();
            self.runtimes.forget_all_spawns();
            unseen = vec![format!(
                "the program has {copies} copies of Tokio, which give their tasks the same numbers: where tasks are spawned \
                 is not recorded"
            )];
        }
        self.runtimes.set_unseen_spawns(unseen);
    }
}

impl Engine {
    /// Begins to watch, if that is asked for.
    pub(super) fn watch_spawns(&mut self) {
        self.spawns = self.settings.record_spawns.clone().map(Spawns::new);
        self.rebind_spawns();
        self.place_traps();
    }

    /// Files came or went.
    pub(super) fn rebind_spawns(&mut self) {
        if let Some(spawns) = &mut self.spawns {
            spawns.bind(&self.modules);
        }
    }

    /// A thread stands at a trap, or behind the one that it has executed; perhaps it is making a task.
    pub(super) fn note_spawn(&self, tid: i32, address: MemAddr) {
        let Some(spawns) = &self.spawns else { return };
        let Some(Place { register, image, births }) = spawns.places.get(&address) else { return };
        let (Ok(mut registers), Ok(memory)) = (self.tracee.registers(tid), self.tracee.stopped_memory()) else {
            return;
        };
        registers.set(DwarfRegister::RA, Some(address.raw()));
        let Some(task) = registers.get(*register).filter(|task| *task != 0) else { return };
        let polled = self
            .modules
            .of(image)
            .and_then(|module| births.current_task()?.read(&self.modules, module, registers.fs_base, &memory));
        let modules = &self.modules;
        spawns.runtimes.spawned(&Spawn { task, tid, polled, registers: &registers, modules, memory: &memory });
    }

    /// Forgets those that have ended, when so many have come that it is time.
    pub(super) fn forget_ended_spawns(&mut self) {
        let due = self.spawns.as_ref().filter(|spawns| spawns.runtimes.is_due_to_forget_spawns());
        if let Some(runtimes) = due.map(|spawns| spawns.runtimes.clone()) {
            let looked = self.look(|stop| runtimes.forget_ended_spawns(stop));
            if let Err(error) = looked {
                tracing::debug!(%error, "nobody knows which tasks have ended");
            }
        }
    }

    /// The process has become another program, whose tasks have the same numbers.
    pub(super) fn forget_all_spawns(&self) {
        if let Some(spawns) = &self.spawns {
            spawns.runtimes.forget_all_spawns();
        }
    }
}
