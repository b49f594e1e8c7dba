//! All tasks of a program whose memory is torn: words that a list of its tasks is made of are others, lists lead into
//! themselves, nowhere or into each other, parts are noise or not written yet. The list ends, it and all it takes is
//! bounded, each task that cannot be read says so, and nothing that was seen is believed at the next look.
//!
//! The program (`WEFT_FUZZ_PROGRAM`, one that says `ready` once its tasks wait) is started once and ends when its memory is
//! copied.
#![no_main]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use libfuzzer_sys::fuzz_target;
use weft_debugger::{ImageCache, modules_of, stop_of};
use weft_fuzz::bounded;
use weft_memory::{Copied, MemAddr, Memory, MemoryError};
use weft_process::{Tracee, mappings};
use weft_runtimes::{Glance, Runtimes};
use weft_tasks::{Frame, Snapshot};
use weft_values::{Stacks, Stop};

/// How many tasks the program has, besides its root.
const TASKS: usize = 40;
/// Tasks that it may seem to have: those, and what is looked for behind handles that lead nowhere.
const MOST_TASKS: usize = 20_000;
/// Things that may be said of all of them together, and frames of one.
const MOST_NOTES: usize = 65;
const MOST_FRAMES: usize = 3_000_000;
/// Tasks that are looked at more closely.
const CLOSELY: usize = 20;
/// Changes of one input.
const MOST_CHANGES: usize = 4_096;
/// Bytes that say what one change is.
const CHANGE: usize = 11;

/// A program that stood once.
struct Base {
    stop: Stop,
    writable: Vec<Range<MemAddr>>,
    runtimes: Runtimes,
    /// Where the words lie that its tasks are found in.
    words: Vec<u64>,
    /// What its tasks do.
    snapshot: Snapshot,
    generation: AtomicU64,
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let path = std::env::var_os("WEFT_FUZZ_PROGRAM").expect("WEFT_FUZZ_PROGRAM names a program");
        let child = Command::new(&path).arg(TASKS.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut started = Started(child.expect("the program starts"));
        let output = started.0.stdout.take().expect("its output");
        let said = BufReader::new(output).lines().next().expect("a line").expect("text");
        assert!(said.starts_with("ready"), "{said}");
        let pid = i32::try_from(started.0.id()).expect("a pid");
        let mapped = mappings(pid).expect("what it consists of");
        let modules = Arc::new(modules_of(pid, path.as_ref(), &mapped, &ImageCache::default()));
        let tracee = Tracee::attach(pid).expect("it can be attached to");
        let stop = stop_of(&tracee, Arc::clone(&modules)).expect("it stands");
        let writable = stop.memory.writable();
        // What a module can be written to lies at its end.
        let lasting = modules.iter().map(|module| {
            let own = writable.iter().map(|range| range.start).find(|start| module.range.contains(start));
            module.range.start..own.unwrap_or(module.range.end)
        });
        let parts: Vec<_> = writable.iter().cloned().chain(lasting).collect();
        let copy = Arc::new(Copied::of(&stop.memory, &parts));
        let watched = Arc::new(Watched { memory: copy.clone(), writable: writable.clone(), words: Mutex::default() });
        let runtimes = Runtimes::new();
        let standing =
            |memory| Stop { memory, modules: Arc::clone(&modules), threads: stop.threads.clone(), ..bare(&stop) };
        // A copy is read as it is, not page by page.
        runtimes.seen(Glance::Copied(Box::new(standing(watched.clone()))));
        let mut words = std::mem::take(&mut *watched.words.lock().expect("no reader panics"));
        words.sort_unstable();
        words.dedup();
        assert!(words.len() > 200, "{} words", words.len());
        let stop = standing(copy);
        let snapshot = Snapshot::clone(&runtimes.list(&stop).snapshot);
        assert_eq!(snapshot.tasks.len(), TASKS + 1, "{:?}", snapshot.notes);
        Base { stop, writable, runtimes, words, snapshot, generation: AtomicU64::new(1) }
    })
}

/// A stop without what a copy cannot have.
fn bare(stop: &Stop) -> Stop {
    Stop {
        generation: 0,
        pid: stop.pid,
        memory: Arc::clone(&stop.memory),
        modules: Arc::clone(&stop.modules),
        threads: Vec::new(),
        clock: stop.clock,
        descriptors: None,
        stacks: Stacks::default(),
    }
}

impl Base {
    /// The same program with another memory, at another moment.
    fn with(&self, memory: Arc<dyn Memory>) -> Stop {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        Stop { generation, memory, threads: self.stop.threads.clone(), ..bare(&self.stop) }
    }

    fn word(&self, number: u64) -> u64 {
        self.words[usize::try_from(number).unwrap_or(0) % self.words.len()]
    }

    /// What an input makes of the program's memory.
    fn torn(&self, input: &[u8]) -> Torn {
        let mut words = BTreeMap::new();
        for change in input.chunks_exact(CHANGE).take(MOST_CHANGES) {
            let at = self.word(u64::from(u16::from_le_bytes([change[0], change[1]])));
            let number = u64::from_le_bytes(std::array::from_fn(|index| change[3 + index]));
            let there = |at: u64| self.stop.memory.read_u64(MemAddr::new(at)).unwrap_or(0);
            let word = match change[2] % 8 {
                0 => self.word(number),
                1 => there(self.word(number)),
                2 => number,
                3 => u64::MAX - number % 64,
                4 => number % 64,
                5 => at,
                6 => there(at) ^ (1 << (number % 64)),
                _ => {
                    // A run of noise, or of what nobody has written yet.
                    let noise =
                        |index: u64| (number | 1).wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left((index % 64) as u32);
                    let run = 1 + number % 32;
                    let each = (0..run).map(|index| (at + 8 * index, if number % 2 == 0 { 0 } else { noise(index) }));
                    words.extend(each);
                    continue;
                }
            };
            words.insert(at, word);
        }
        Torn { memory: Arc::clone(&self.stop.memory), writable: self.writable.clone(), words }
    }
}

/// A memory in which some words are others.
struct Torn {
    memory: Arc<dyn Memory>,
    writable: Vec<Range<MemAddr>>,
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

    fn writable(&self) -> Vec<Range<MemAddr>> {
        self.writable.clone()
    }
}

/// Notes the words that are read and that the program could have changed.
struct Watched {
    memory: Arc<dyn Memory>,
    writable: Vec<Range<MemAddr>>,
    words: Mutex<Vec<u64>>,
}

impl Memory for Watched {
    fn read(&self, address: MemAddr, buffer: &mut [u8]) -> Result<usize, MemoryError> {
        if self.writable.iter().any(|range| range.contains(&address)) {
            self.words.lock().expect("no reader panics").push(address.raw());
        }
        self.memory.read(address, buffer)
    }

    fn writable(&self) -> Vec<Range<MemAddr>> {
        self.writable.clone()
    }
}

fuzz_target!(|input: &[u8]| {
    let base = base();
    let torn = Arc::new(base.torn(input));
    bounded(input.len(), || {
        let stop = base.with(torn);
        let listing = base.runtimes.list(&stop);
        let snapshot = &listing.snapshot;
        assert!(snapshot.tasks.len() <= MOST_TASKS, "{} tasks", snapshot.tasks.len());
        assert!(snapshot.notes.len() <= MOST_NOTES, "{} notes", snapshot.notes.len());
        for task in snapshot.tasks.iter().take(CLOSELY) {
            let stack = base.runtimes.stack(&stop, &listing, task.key).expect("a task that is listed");
            assert!(stack.frames.iter().map(Frame::count).sum::<usize>() < MOST_FRAMES);
        }
    });
    let whole = base.runtimes.list(&base.with(Arc::clone(&base.stop.memory)));
    assert_eq!(*whole.snapshot, base.snapshot, "what was seen of a torn program was believed");
});
