//! Memory that is not what it should be: real programs with words changed, lists led into each other or cut, and copies
//! that lack a part. Every list ends, and what cannot be read is said of the task it concerns.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use weft_memory::{Copied, MemAddr, Memory, MemoryError, Region};
use weft_runtimes::{Glance, Listing, Runtimes};
use weft_tasks::{Frame, State, Task};
use weft_values::{Stacks, Stop};

use crate::fixture::{Profile, Stopped, stopped};

/// Tasks that a torn program may seem to have: those it has, and what is looked for behind handles that lead nowhere.
const MOST_TASKS: usize = 20_000;

/// A program's memory in which some words are others.
struct Torn {
    memory: Arc<dyn Memory>,
    words: BTreeMap<u64, u64>,
}

impl Memory for Torn {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        let count = self.memory.read(address, buffer)?;
        let start = address.raw();
        for (at, word) in self.words.range(start.saturating_sub(7)..start.saturating_add(count as u64)) {
            for (byte, value) in (*at..).zip(word.to_le_bytes()) {
                let index = byte.checked_sub(start).and_then(|index| usize::try_from(index).ok());
                if let Some(slot) = index.filter(|index| *index < count).and_then(|index| buffer.get_mut(index)) {
                    *slot = value;
                }
            }
        }
        Ok(count)
    }

    fn region(&self, address: MemAddr) -> Option<Region> {
        self.memory.region(address)
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        self.memory.writable()
    }
}

/// Notes the words that are read and that the program could have changed.
struct Watched {
    memory: Arc<dyn Memory>,
    words: Mutex<Vec<u64>>,
}

impl Memory for Watched {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        if buffer.len() <= 64 && self.memory.region(address).is_some_and(|region| region.writable) {
            self.words.lock().expect("no reader panics").push(address.raw());
        }
        self.memory.read(address, buffer)
    }
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.next()).expect("64-bit") % from.len()]
    }
}

fn with_memory(program: &Stopped, memory: Arc<dyn Memory>) -> Stop {
    let stop = &program.stop;
    Stop {
        memory,
        modules: Arc::clone(&stop.modules),
        threads: stop.threads.clone(),
        descriptors: stop.descriptors.clone(),
        stacks: Stacks::default(),
        ..*stop
    }
}

/// The words in which the tasks of a program are found, each once.
fn words_read(program: &Stopped, runtimes: &Runtimes) -> Vec<u64> {
    let watched = Arc::new(Watched { memory: Arc::clone(&program.stop.memory), words: Mutex::default() });
    // A copy is read as it is, not page by page.
    let copy = with_memory(program, Arc::clone(&watched) as Arc<dyn Memory>);
    runtimes.seen(Glance::Copied(Box::new(copy)));
    let mut words = std::mem::take(&mut *watched.words.lock().expect("no reader panics"));
    words.sort_unstable();
    words.dedup();
    words
}

/// Lists a torn program and looks at every task of it more closely.
fn look(runtimes: &Runtimes, stop: &Stop) -> Listing {
    let listing = runtimes.list(stop);
    assert!(listing.snapshot.tasks.len() <= MOST_TASKS, "{} tasks", listing.snapshot.tasks.len());
    assert!(listing.snapshot.notes.len() <= 65, "{} notes", listing.snapshot.notes.len());
    for task in listing.snapshot.tasks.iter().take(40) {
        let stack = runtimes.stack(stop, &listing, task.key).expect("a task that is listed");
        assert!(stack.frames.iter().map(Frame::count).sum::<usize>() < 3_000_000);
    }
    listing
}

#[test]
fn a_torn_program_is_listed_in_the_end() {
    for (name, args) in [("throng", &["60"][..]), ("tasks_zoo", &[]), ("throng", &["30", "current"])] {
        let program = stopped(name, Profile::Debug, args);
        let runtimes = Runtimes::new();
        let words = words_read(&program, &runtimes);
        assert!(words.len() > 200, "{name}: {} words", words.len());
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for round in 0..24 {
            let changes = 1 + dice.next() % (1 << (round % 8));
            let change = |_| {
                let at = *dice.pick(&words);
                let other = *dice.pick(&words);
                // Another place of the walk, what it leads to, nonsense, and numbers that are too large.
                let value = match dice.next() % 6 {
                    0 => other,
                    1 => program.stop.memory.read_u64(MemAddr::new(other)).unwrap_or(0),
                    2 => dice.next(),
                    3 => u64::MAX - dice.next() % 64,
                    4 => dice.next() % 64,
                    _ => at,
                };
                (at, value)
            };
            let words = (0..changes).map(change).collect();
            let torn = Torn { memory: Arc::clone(&program.stop.memory), words };
            look(&runtimes, &with_memory(&program, Arc::new(torn)));
        }
        // Nothing of it was taken for true.
        assert_eq!(runtimes.list(&program.stop).snapshot, Runtimes::new().list(&program.stop).snapshot);
    }
}

#[test]
fn random_bytes_are_nobodys_tasks() {
    /// The program's own memory where it cannot be changed, noise everywhere else.
    struct Noise(Arc<dyn Memory>);
    impl Memory for Noise {
        fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
            let count = self.0.read(address, buffer)?;
            if self.0.region(address).is_some_and(|region| region.writable) {
                for (byte, at) in buffer.iter_mut().zip(address.raw()..) {
                    *byte =
                        Dice((at / 8).wrapping_mul(0x2545_f491_4f6c_dd1d) | 1).next().to_le_bytes()[(at % 8) as usize];
                }
            }
            Ok(count)
        }
        fn writable(&self) -> Vec<Range<MemAddr>> {
            self.0.writable()
        }
    }
    let program = stopped("throng", Profile::Debug, &["20"]);
    let noise = with_memory(&program, Arc::new(Noise(Arc::clone(&program.stop.memory))));
    let listing = look(&Runtimes::new(), &noise);
    let suspended = |task: &&Task| task.state != State::Running && task.error.is_none();
    assert_eq!(listing.snapshot.tasks.iter().filter(suspended).count(), 0, "{:?}", listing.snapshot.tasks);
}

/// The words that lead from one task of a list to the next: those that hold another task's address, in the tasks.
fn links(listing: &Listing, words: &[u64], memory: &dyn Memory) -> Vec<(u64, u64)> {
    let headers: Vec<u64> = listing.snapshot.tasks.iter().map(|task| task.key.address).collect();
    let leads = |at: &u64| {
        let to = memory.read_u64(MemAddr::new(*at)).ok().filter(|to| headers.contains(to))?;
        headers.iter().any(|header| (*header..*header + 4096).contains(at)).then_some((*at, to))
    };
    words.iter().filter_map(leads).collect()
}

#[test]
fn lists_that_lead_into_themselves_or_nowhere_are_said_to() {
    let program = stopped("spawner", Profile::Debug, &["40"]);
    let runtimes = Runtimes::new();
    let whole = runtimes.list(&program.stop);
    let words = words_read(&program, &runtimes);
    let links = links(&whole, &words, &*program.stop.memory);
    assert!(links.len() >= 10, "{links:?}");
    // Where a task itself, the head of another list, and nothing at all is next.
    let (at, _) = links[links.len() / 2];
    for next in [links[0].1, links[links.len() - 1].1, 0x10, u64::MAX - 7, at] {
        let torn = Torn { memory: Arc::clone(&program.stop.memory), words: BTreeMap::from([(at, next)]) };
        let listing = look(&runtimes, &with_memory(&program, Arc::new(torn)));
        let snapshot = &listing.snapshot;
        assert!(!snapshot.notes.is_empty(), "{next:#x}: {} tasks", snapshot.tasks.len());
        let right = snapshot.tasks.iter().filter(|task| {
            whole.snapshot.tasks.iter().any(|known| known.key == task.key && known.location == task.location)
        });
        assert!(right.count() >= 15, "{next:#x}: the other lists are whole");
    }
}

#[test]
fn what_a_copy_lacks_is_an_error_of_its_task() {
    let program = stopped("throng", Profile::Debug, &["200"]);
    let runtimes = Runtimes::new();
    let whole = runtimes.list(&program.stop).snapshot;
    let Glance::Copied(copy) = runtimes.glance(&program.stop) else { panic!("it is small") };
    let mut seen = runtimes.seen(Glance::Copied(copy)).snapshot.as_ref().clone();
    assert_eq!(seen.tasks.len(), 201);
    seen.notes.clear();
    assert_eq!(seen, *whole, "a copy says what the program says");

    // A page of the heap is missing.
    let task = &whole.tasks[100];
    let page = task.key.address & !0xfff;
    let without = |range: Range<MemAddr>| {
        let (low, high) = (MemAddr::new(page), MemAddr::new(page + 0x1000));
        if range.contains(&low) { vec![range.start..low, high..range.end] } else { vec![range] }
    };
    let writable = program.stop.memory.writable();
    let parts: Vec<Range<MemAddr>> = writable.iter().cloned().flat_map(without).collect();
    let copy = Copied::of(&program.stop.memory, &parts).outliving(writable, Arc::clone(&program.stop.memory));
    let listing = look(&runtimes, &with_memory(&program, Arc::new(copy)));
    let inside = |task: &&Task| task.key.address & !0xfff == page;
    let errors = listing.snapshot.tasks.iter().filter(inside).filter(|task| task.error.is_some()).count();
    assert!(errors > 0 || !listing.snapshot.notes.is_empty(), "{:?}", listing.snapshot.notes);
    for task in listing.snapshot.tasks.iter().filter(|task| task.error.is_none() && !inside(task)) {
        let known = whole.tasks.iter().find(|known| known.key == task.key).expect("a task of the program");
        assert_eq!((&task.name, task.state, &task.location), (&known.name, known.state, &known.location));
    }
}
