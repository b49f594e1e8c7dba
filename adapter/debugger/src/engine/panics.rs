//! Panics that stop the program: where one begins, what it says, and whether a runtime catches it.
//!
//! Every panic that runs the panic hook passes one function of std, with a `&mut dyn PanicPayload` as its first argument.
//! The text is made when that function calls `get` of the payload, right before the hook: this is where the thread is
//! shown, with the exact message and before anything was printed or unwound. (`resume_unwind` goes on with a panic that
//! began elsewhere, and is none that begins.)
//!
//! Layout: rustc 1.81 to 1.95, `library/std/src/panicking.rs` and `library/core/src/panic.rs`. Nothing is believed
//! without the symbol that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use weft_memory::{DwarfRegister, FileAddr, MemAddr, Memory};
use weft_runtimes::polls_task;
use weft_symbols::{Image, Modules};
use weft_values::{Frame, Stop, frames};

use super::{Engine, State};
use crate::plan::panic_is_caught_at;
use crate::{Bound, Event, PanicFilter, Reason, Refused};

/// The function that runs the hook, by the names it has had.
const ENTRIES: [&str; 2] = ["std::panicking::panic_with_hook", "std::panicking::rust_panic_with_hook"];
/// What their mangled names have in common.
const ENTRY_PART: &str = "panic_with_hook";
/// The first method of a vtable, behind drop, size and alignment.
const METHODS: u64 = 24;
/// Methods that are looked at: those of `Display` and `PanicPayload`.
const METHOD_COUNT: u64 = 4;
/// Frames that are looked at.
const DEPTH: usize = 10_000;
/// Bytes of a message that are read.
const LONGEST: u64 = 64 * 1024;

/// How far a panic is that will be shown.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Its text will be asked for here.
    Getting(MemAddr),
    /// The text is ready here, when the stack pointer is this.
    Ready(MemAddr, MemAddr),
}

/// A panic that will be shown.
#[derive(Clone, Copy, Debug)]
struct Begun {
    stage: Stage,
    in_task: bool,
}

struct Filter {
    id: i64,
    filter: PanicFilter,
    condition: Option<String>,
}

/// Which panics stop the program, and those that have begun.
#[derive(Default)]
pub(super) struct Panics {
    filters: Vec<Filter>,
    /// Where panics begin.
    entries: BTreeSet<MemAddr>,
    /// Files with what was found in them: finding a symbol reads a file's whole table.
    known: Vec<(Weak<Image>, Vec<FileAddr>)>,
    begun: BTreeMap<i32, Begun>,
}

impl Panics {
    /// Where threads must be trapped now.
    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        let is_on = self.wants(true);
        let entries = self.entries.iter().copied().filter(move |_| is_on);
        entries.chain(self.begun.values().map(|begun| match begun.stage {
            Stage::Getting(at) | Stage::Ready(at, _) => at,
        }))
    }

    /// Whether one of the filters is for a panic.
    fn wants(&self, in_task: bool) -> bool {
        self.stops_for(PanicFilter::Any) || (in_task && self.stops_for(PanicFilter::InTask))
    }

    /// Whether a filter is set.
    pub(super) fn stops_for(&self, wanted: PanicFilter) -> bool {
        self.filters.iter().any(|filter| filter.is_on() && filter.filter == wanted)
    }

    /// Looks for the place in files that were not looked at before. Whether anything has changed.
    fn bind(&mut self, modules: &Modules) -> bool {
        self.known.retain(|(image, _)| image.strong_count() > 0);
        let mut entries = BTreeSet::new();
        for module in modules {
            let known = self.known.iter().position(|(known, _)| known.as_ptr() == Arc::as_ptr(&module.image));
            let found = match known.and_then(|at| self.known.get(at)) {
                Some((_, found)) => found.clone(),
                None => {
                    let found = entries_in(&module.image);
                    self.known.push((Arc::downgrade(&module.image), found.clone()));
                    found
                }
            };
            entries.extend(found.into_iter().map(|address| module.bias.to_memory(address)));
        }
        let changed = self.entries != entries;
        self.entries = entries;
        changed
    }

    fn bounds(&self, samples: bool) -> Vec<Bound> {
        let found = self.entries.len();
        let bound = |filter: &Filter| {
            let unset = "nobody looks for long polls: set `async.longPollMs` in the launch configuration";
            let refusal = match (&filter.condition, found) {
                (None, _) if filter.filter == PanicFilter::LongPoll => (!samples).then(|| unset.to_owned()),
                (Some(_), _) => Some(
                    "a filter for panics takes no condition: set a breakpoint with the condition on the line that panics"
                        .to_owned(),
                ),
                (None, 0) => Some(
                    "no panic of Rust's standard library was found by its symbols: the program is stripped (build it \
                     with `strip = false`), has no standard library, or loads it later"
                        .to_owned(),
                ),
                (None, _) => None,
            };
            Bound {
                id: filter.id,
                verified: refusal.is_none(),
                locations: if refusal.is_none() { found } else { 0 },
                message: refusal,
                ..Bound::default()
            }
        };
        self.filters.iter().map(bound).collect()
    }
}

impl Filter {
    fn is_on(&self) -> bool {
        self.condition.is_none()
    }
}

fn entries_in(image: &Image) -> Vec<FileAddr> {
    let symbols = image.symbols_containing(ENTRY_PART).into_iter();
    let is_entry = |name: &str| ENTRIES.contains(&format!("{:#}", rustc_demangle::demangle(name)).as_str());
    symbols.filter(|symbol| is_entry(&symbol.name)).map(|symbol| symbol.address).collect()
}

impl Engine {
    /// Says which panics stop the program from now on.
    pub(super) fn set_panics(&mut self, wanted: Vec<(PanicFilter, Option<String>)>) -> Result<Vec<Bound>, Refused> {
        if self.state == State::Over {
            return Err(Refused::Ended);
        }
        let mut old = std::mem::take(&mut self.panics.filters);
        for (filter, condition) in wanted {
            let condition = condition.filter(|condition| !condition.trim().is_empty());
            let before = old.iter().position(|old| old.filter == filter).map(|at| old.swap_remove(at).id);
            let id = before.unwrap_or_else(|| self.breakpoints.mint());
            self.panics.filters.push(Filter { id, filter, condition });
        }
        if !self.panics.filters.is_empty() {
            self.panics.bind(&self.modules);
        }
        if !self.panics.wants(true) {
            self.panics.begun.clear();
        }
        self.place_traps();
        Ok(self.panics.bounds(self.settings.long_poll.is_some()))
    }

    /// Files came or went.
    pub(super) fn rebind_panics(&mut self) {
        if self.panics.filters.is_empty() {
            return;
        }
        let samples = self.settings.long_poll.is_some();
        let before = self.panics.bounds(samples);
        if self.panics.bind(&self.modules) {
            let changed = self.panics.bounds(samples).into_iter().zip(before).filter(|(now, before)| now != before);
            for (now, _) in changed {
                (self.events)(Event::BreakpointChanged(now));
            }
        }
    }

    /// A thread is no more, or none of those that were is.
    pub(super) fn forget_panics(&mut self, tid: Option<i32>) {
        self.panics.begun.retain(|of, _| tid.is_some_and(|tid| tid != *of));
    }

    /// A thread stands at a trap, perhaps because it panics. Whether the program was stopped for it.
    pub(super) fn panicked(&mut self, tid: i32, address: MemAddr) -> bool {
        let shown = match self.panics.begun.get(&tid).copied() {
            _ if self.panics.entries.contains(&address) => self.panic_begins(tid),
            Some(Begun { stage: Stage::Getting(at), in_task }) if at == address => self.panic_gets_text(tid, in_task),
            Some(Begun { stage: Stage::Ready(at, sp), in_task }) if at == address => {
                if self.tracee.position(tid).ok().map(|(_, sp)| sp) != Some(sp) {
                    return false;
                }
                self.panics.begun.remove(&tid);
                let message = self.one_thread(tid).and_then(|stop| text_of_any(&stop, tid));
                Some(Reason::Panic { message, in_task })
            }
            _ => return false,
        };
        match shown {
            Some(reason) => {
                self.report(tid, reason);
                true
            }
            None => {
                self.place_traps();
                false
            }
        }
    }

    /// A thread stands at the begin of the function that runs the hook. What to show at once.
    fn panic_begins(&mut self, tid: i32) -> Option<Reason> {
        let interrupted = self.panics.begun.remove(&tid);
        let stop = self.one_thread(tid)?;
        let walk = frames(&stop, tid, DEPTH).frames;
        let in_task = task_catches(&stop, tid, &walk);
        if !self.panics.wants(in_task) {
            return None;
        }
        let payload = Payload::of(&stop, tid);
        // A panic of the hook, or of what makes the text, ends the program without asking for a text.
        let nested = interrupted.is_some() || self.is_panicking(&stop, &walk);
        match payload.as_ref().and_then(|payload| payload.get).filter(|_| !nested) {
            Some(get) => {
                self.panics.begun.insert(tid, Begun { stage: Stage::Getting(get), in_task });
                None
            }
            None => {
                let message = payload.and_then(|payload| payload.fixed_text(&stop));
                Some(Reason::Panic { message, in_task: in_task && !nested })
            }
        }
    }

    /// A thread stands at the begin of the function that makes the text. What to show at once.
    fn panic_gets_text(&mut self, tid: i32, in_task: bool) -> Option<Reason> {
        let ready = self.tracee.position(tid).ok().and_then(|(_, sp)| {
            let memory = self.tracee.stopped_memory().ok()?;
            Some(Stage::Ready(memory.read_pointer(sp).ok()?, sp.offset(8)))
        });
        match ready {
            Some(stage) => {
                self.panics.begun.insert(tid, Begun { stage, in_task });
                None
            }
            None => {
                self.panics.begun.remove(&tid);
                Some(Reason::Panic { message: None, in_task })
            }
        }
    }

    /// Whether a frame behind the innermost one runs the hook.
    fn is_panicking(&self, stop: &Stop, walk: &[Frame]) -> bool {
        let begins = |frame: &Frame| {
            let (module, address) = stop.modules.to_file(frame.lookup_pc)?;
            Some(module.bias.to_memory(module.image.function_bounds(address)?.start))
        };
        let innermost = walk.first().map(|frame| frame.pc);
        let others = walk.iter().filter(|frame| Some(frame.pc) != innermost);
        others.filter_map(begins).any(|begin| self.panics.entries.contains(&begin))
    }
}

/// Whether the panic that a thread begins is caught by a runtime at the edge of a task: the first frame that catches lies
/// within the function that polls the task, and no code of the user's is between the two.
fn task_catches(stop: &Stop, tid: i32, walk: &[Frame]) -> bool {
    // `can_unwind`, the fourth argument: a panic that may not unwind is caught by nobody.
    let unwinds = stop.thread(tid).and_then(|thread| thread.registers.get(DwarfRegister::RCX));
    if unwinds.is_some_and(|unwinds| unwinds & 0xff == 0) {
        return false;
    }
    let Some(task) = walk.iter().position(polls_task) else { return false };
    let Some(catcher) = panic_is_caught_at(stop, tid) else { return false };
    let edge = walk.get(task).and_then(|frame| frame.cfa);
    let outside = walk.iter().take(task).filter(|frame| frame.cfa.is_some_and(|cfa| cfa > catcher));
    edge.is_some_and(|edge| catcher <= edge) && !outside.into_iter().any(|frame| frame.user_code)
}

/// A `&mut dyn PanicPayload`.
struct Payload {
    data: MemAddr,
    /// The names of its methods.
    methods: Vec<String>,
    /// Its method `get`.
    get: Option<MemAddr>,
}

impl Payload {
    /// The first argument of the function whose first instruction a thread stands at.
    fn of(stop: &Stop, tid: i32) -> Option<Self> {
        let registers = &stop.thread(tid)?.registers;
        let data = MemAddr::new(registers.get(DwarfRegister::RDI)?);
        let vtable = MemAddr::new(registers.get(DwarfRegister::RSI)?);
        let methods: Vec<MemAddr> = methods(stop, vtable).collect();
        let names: Vec<String> = methods.iter().map(|method| name_at(stop, *method).unwrap_or_default()).collect();
        let named = |method: &str| names.iter().position(|name| name.ends_with(&format!("PanicPayload>::{method}")));
        // Functions with the same code may share one name: its neighbours tell which one it is then.
        let at = named("get")
            .or_else(|| named("take_box").and_then(|at| at.checked_add(1)))
            .or_else(|| named("as_str").and_then(|at| at.checked_sub(1)));
        let get = at.and_then(|at| methods.get(at)).copied().filter(|get| is_code(stop, *get));
        Some(Self { data, methods: names, get })
    }

    /// The text, if it needs not be made.
    fn fixed_text(&self, stop: &Stop) -> Option<String> {
        let is_fixed = self.methods.iter().any(|name| name.contains("::StaticStrPayload as "));
        if is_fixed { text_of_str(stop, self.data) } else { None }
    }
}

/// The text in the `&(dyn Any + Send)` that a function has just returned: of a panic's payload, as the hook is given it.
fn text_of_any(stop: &Stop, tid: i32) -> Option<String> {
    let registers = &stop.thread(tid)?.registers;
    let data = MemAddr::new(registers.get(DwarfRegister::RAX)?);
    let vtable = MemAddr::new(registers.get(DwarfRegister::RDX)?);
    match type_of_any(stop, vtable)?.as_str() {
        "alloc::string::String" => text_of_string(stop, data),
        "&str" => text_of_str(stop, data),
        // As `std::panic::panic_any` was given it.
        other => Some(format!("a value of type {other}")),
    }
}

/// The type whose vtable for `Any` this is: by the name of its method; where that does not name it (the older mangling
/// calls every type `T`), by the debug information of the vtable.
fn type_of_any(stop: &Stop, vtable: MemAddr) -> Option<String> {
    let type_id = name_at(stop, methods(stop, vtable).next()?)?;
    let named = type_id.strip_prefix('<')?.strip_suffix(" as core::any::Any>::type_id")?;
    if named != "T" {
        return Some(named.to_owned());
    }
    let (module, at) = stop.modules.to_file(vtable)?;
    module.image.vtable_type(at).map(|described| described.path().to_owned())
}

fn methods(stop: &Stop, vtable: MemAddr) -> impl Iterator<Item = MemAddr> {
    let place = move |index: u64| vtable.checked_add(METHODS.checked_add(index.checked_mul(8)?)?);
    (0..METHOD_COUNT).map_while(move |index| stop.memory.read_pointer(place(index)?).ok())
}

/// The name of the function that begins at an address.
fn name_at(stop: &Stop, address: MemAddr) -> Option<String> {
    let (module, at) = stop.modules.to_file(address)?;
    let symbol = module.image.symbol_at(at).filter(|symbol| symbol.address == at)?;
    Some(format!("{:#}", rustc_demangle::demangle(&symbol.name)))
}

/// Whether a function begins at an address.
fn is_code(stop: &Stop, address: MemAddr) -> bool {
    let Some((module, at)) = stop.modules.to_file(address) else { return false };
    module.image.function_bounds(at).is_some_and(|bounds| bounds.start == at)
}

/// A `&str` in memory: address, then length.
fn text_of_str(stop: &Stop, at: MemAddr) -> Option<String> {
    let text = stop.memory.read_pointer(at).ok()?;
    let length = stop.memory.read_u64(at.checked_add(8)?).ok()?;
    read_text(stop, text, length)
}

/// A `String` in memory: address, capacity and length in an order that the compiler chooses. No capacity and no length is
/// as large as an address, and no length larger than the capacity.
fn text_of_string(stop: &Stop, at: MemAddr) -> Option<String> {
    let mut words = [0_u64; 3];
    for (index, word) in (0_u64..).zip(&mut words) {
        *word = stop.memory.read_u64(at.checked_add(index.checked_mul(8)?)?).ok()?;
    }
    words.sort_unstable();
    let [length, _, text] = words;
    read_text(stop, MemAddr::new(text), length)
}

fn read_text(stop: &Stop, at: MemAddr, length: u64) -> Option<String> {
    let read = stop.memory.read_bytes(at, usize::try_from(length.min(LONGEST)).ok()?);
    let bytes = if length == 0 { Vec::new() } else { read.ok()? };
    if length <= LONGEST {
        return String::from_utf8(bytes).ok();
    }
    let whole = bytes.utf8_chunks().next().map(|chunk| chunk.valid().to_owned())?;
    Some(format!("{whole}… ({length} bytes)"))
}
