//! A thread's physical stack: from frame to caller, with inlined copies as frames of their own.

use std::ops::Range;
use std::sync::Arc;

use weft_memory::{DwarfRegister, FileAddr, MemAddr, Registers};
use weft_symbols::{CallerFrame, CodeFrame, Found, Image, SourceLine};

use crate::Stop;
use crate::stacks::lock;

/// Most frames of one stack that are looked at together.
const MAX_FRAMES: usize = 10_000;

/// Most frames of one stack. The kernel's usual limit of 8 MiB holds half a million of the smallest frames.
const MAX_DEPTH: usize = 1 << 20;

/// Frames between two places that are kept of a walk: each takes some 350 bytes.
const DISTANCE: usize = 128;

/// Frames that are walked past to see what a stack begins with.
const MAX_BARE: usize = 256;

/// Most signal handlers of one stack. Behind each of them a stack may begin that lies below the one before; there are 64
/// signals, and hardly any is blocked in its own handler.
const MAX_SIGNALS: usize = 128;

/// One frame of a thread's stack.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The thread.
    pub tid: i32,
    /// Its number in the stack, 0 innermost; inlined copies count.
    pub index: usize,
    /// Where it executes or will return to. Inlined copies share it with the function they are in.
    pub pc: MemAddr,
    /// The address by which line, function and variables are looked up: `pc`, but one less where `pc` is a return
    /// address (the call may be the last instruction of its line, block or function).
    pub lookup_pc: MemAddr,
    /// The registers as they are in this frame; what a callee did not save is unknown.
    pub registers: Registers,
    /// The canonical frame address; unknown where the stack cannot be followed further.
    pub cfa: Option<MemAddr>,
    /// How the unwinder came here; the functions around an inlined copy are known by the same address.
    pub found: Found,
    /// The function, if there is debug information.
    pub code: Option<CodeFrame>,
    /// What a user reads.
    pub name: String,
    /// Where it executes; for an inlined copy's caller the line of the call.
    pub source: Option<SourceLine>,
    /// Whether this copy of the function was inlined into the next frame.
    pub inlined: bool,
    /// Whether this is the user's code (see [`is_user_code`]).
    pub user_code: bool,
}

impl Frame {
    /// `lookup_pc` as its file calls it.
    pub fn file_pc(&self, stop: &Stop) -> Option<FileAddr> {
        stop.modules.to_file(self.lookup_pc).map(|(_, address)| address)
    }
}

/// Why a walk ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// The outermost frame was reached.
    Outermost,
    /// As many frames as were asked for; there may be more.
    Limit,
    /// What called these is what every program begins with, and what it is called would have to be unpacked first.
    Foot,
    /// The stack cannot be followed, and why; the frames before are right.
    Broken(String),
}

/// A thread's stack, innermost frame first.
#[derive(Clone, Debug)]
pub struct FrameWalk {
    /// The frames.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: WalkEnd,
}

/// `rax`, `rdx`, `rcx`, `rsi`, `rdi` and `r8` to `r11` (System V ABI for x86-64, 3.2.1 and figure 3.36).
const CHANGED_BY_CALLS: [u16; 9] = [0, 1, 2, 4, 5, 8, 9, 10, 11];

/// The stack of a thread, innermost first, at most `limit` (and 10,000) frames. An unknown thread has none.
pub fn frames(stop: &Stop, tid: i32, limit: usize) -> FrameWalk {
    frames_in(stop, tid, 0..limit.min(MAX_FRAMES))
}

/// What a thread has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Called a function that has returned.
    Call,
    /// Executed another instruction.
    Instruction,
}

/// The stack of a thread as it was in what it has just done: its innermost frames are those of the instruction before, even where the
/// compiler has let the code behind it belong to something else already. Registers that a call may change have no value behind
/// one. At most `limit` (and 10,000) frames.
pub fn frames_before(stop: &Stop, tid: i32, done: Done, limit: usize) -> Vec<Frame> {
    let Some(mut cursor) = Cursor::innermost(stop, tid) else { return Vec::new() };
    cursor.is_return_address = true;
    for register in CHANGED_BY_CALLS.into_iter().filter(|_| done == Done::Call) {
        cursor.registers.set(DwarfRegister(register), None);
    }
    let (wanted, mut frames) = (0..limit.min(MAX_FRAMES), Vec::new());
    while cursor.index < wanted.end && cursor.step(stop, &wanted, &mut frames).is_none() {}
    frames
}

/// The same, but for what every stack begins with in the C library, if its debug information lies packed in a file and
/// nobody has asked for it so far: unpacking it takes longer than all the rest. See [`WalkEnd::Foot`].
pub fn frames_above_foot(stop: &Stop, tid: i32, limit: usize) -> FrameWalk {
    let ahead = Cursor::innermost(stop, tid).map(|innermost| innermost.look_ahead(stop)).unwrap_or_default();
    let walked = stop.stacks.walked(tid);
    let mut known = lock(&walked);
    // Who asks meanwhile waits for what is read here instead of reading it as well.
    if !std::mem::replace(&mut known.is_read, true) {
        ahead.code.iter().for_each(|(image, addresses)| image.read_together(addresses));
    }
    drop(known);
    let mut frames = Vec::new();
    let end = walk(stop, tid, &(0..limit.min(MAX_FRAMES)), ahead.foot, &mut frames);
    FrameWalk { frames, end }
}

/// Some frames of a thread's stack, by their numbers (up to 2^20). The stop keeps places on the way, so that only what lies
/// between the nearest of them and the last frame asked for is walked.
pub fn frames_in(stop: &Stop, tid: i32, wanted: Range<usize>) -> FrameWalk {
    let wanted = wanted.start..wanted.end.min(MAX_DEPTH);
    let mut frames = Vec::new();
    let end = walk(stop, tid, &wanted, None, &mut frames);
    FrameWalk { frames, end }
}

/// How many frames a thread's stack has, up to 2^20, and why there are no more. Walks it to its end, once in a stop.
pub fn depth(stop: &Stop, tid: i32) -> (usize, WalkEnd) {
    if let Some(known) = lock(&stop.stacks.walked(tid)).end.clone() {
        return known;
    }
    let end = walk(stop, tid, &(MAX_DEPTH..MAX_DEPTH), None, &mut Vec::new());
    lock(&stop.stacks.walked(tid)).end.clone().unwrap_or((MAX_DEPTH, end))
}

fn walk(stop: &Stop, tid: i32, wanted: &Range<usize>, foot: Option<Registers>, frames: &mut Vec<Frame>) -> WalkEnd {
    let Some(innermost) = Cursor::innermost(stop, tid) else {
        return WalkEnd::Broken(format!("there is no thread {tid}"));
    };
    let walked = stop.stacks.walked(tid);
    let mut walked = lock(&walked);
    let mut cursor = walked.before(wanted.start).unwrap_or(innermost);
    while cursor.index < wanted.end {
        if foot.is_some_and(|foot| cursor.registers == foot) {
            return WalkEnd::Foot;
        }
        walked.pass(&cursor);
        if let Some(end) = cursor.step(stop, wanted, frames) {
            walked.end = Some((cursor.index, end.clone()));
            return end;
        }
    }
    WalkEnd::Limit
}

/// What is kept of a walk.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Places on the way, at some distance from each other.
    places: Vec<Cursor>,
    /// How many frames there are, and why no more; once the end was seen.
    end: Option<(usize, WalkEnd)>,
    /// Whether the units of its code were read together.
    is_read: bool,
}

impl Walked {
    /// The last place before a frame.
    fn before(&self, index: usize) -> Option<Cursor> {
        let count = self.places.partition_point(|place| place.index <= index);
        self.places.get(count.checked_sub(1)?).cloned()
    }

    /// Keeps a place that is far enough from the last one.
    fn pass(&mut self, cursor: &Cursor) {
        let last = self.places.last().map_or(0, |place| place.index);
        if cursor.index >= last.saturating_add(DISTANCE) {
            self.places.push(cursor.clone());
        }
    }
}

/// What a stack has in front of who walks it.
#[derive(Default)]
struct Ahead {
    /// Where the outer end begins that is nothing but the C library's and what has no debug information: its first frame of
    /// the C library, if that one's debug information is packed.
    foot: Option<Registers>,
    /// The code of its frames, by file.
    code: Vec<(Arc<Image>, Vec<FileAddr>)>,
}

impl Ahead {
    fn add(&mut self, image: &Arc<Image>, address: FileAddr) {
        match self.code.iter_mut().find(|(known, _)| Arc::ptr_eq(known, image)) {
            Some((_, addresses)) => addresses.push(address),
            None => self.code.push((Arc::clone(image), vec![address])),
        }
    }
}

/// A place in a walk along a thread's stack: the next frame.
#[derive(Clone, Debug)]
struct Cursor {
    tid: i32,
    /// The number of the next frame.
    index: usize,
    registers: Registers,
    is_return_address: bool,
    found: Found,
    /// The CFA of the frame before, if the next one's must be above it.
    below: Option<MemAddr>,
    /// Signal frames so far.
    signals: usize,
}

impl Cursor {
    fn innermost(stop: &Stop, tid: i32) -> Option<Self> {
        let registers = stop.thread(tid)?.registers;
        Some(Self { tid, index: 0, registers, is_return_address: false, found: Found::Rules, below: None, signals: 0 })
    }

    /// Walks the stack without asking what its functions are called.
    fn look_ahead(mut self, stop: &Stop) -> Ahead {
        let mut ahead = Ahead::default();
        for _ in 0..MAX_BARE {
            let pc = self.registers.pc();
            let code = stop.modules.to_file(if self.is_return_address { pc.offset(-1) } else { pc });
            match code {
                Some((module, _)) if module.image.is_system_runtime() && module.image.to_inflate() > 0 => {
                    ahead.foot = ahead.foot.or(Some(self.registers));
                }
                Some((module, address)) if module.image.has_unit_at(address) => {
                    ahead.foot = None;
                    ahead.add(&module.image, address);
                }
                _ => {}
            }
            let caller = stop.modules.caller(&self.registers, self.is_return_address, &*stop.memory);
            let Ok(Some(caller)) = caller else { return ahead };
            if self.move_to(&caller).is_some() {
                return ahead;
            }
        }
        Ahead { foot: None, ..ahead }
    }

    /// Adds the frames at this place that are wanted and goes on to the caller; says why if there is none.
    fn step(&mut self, stop: &Stop, wanted: &Range<usize>, frames: &mut Vec<Frame>) -> Option<WalkEnd> {
        let caller = stop.modules.caller(&self.registers, self.is_return_address, &*stop.memory);
        let next = caller.as_ref().ok().and_then(Option::as_ref);
        // A handler returns to the begin of its trampoline, which nobody has called.
        let is_trampoline = next.is_some_and(|next| next.signal_frame);
        self.is_return_address &= !is_trampoline;
        self.push(stop, wanted, frames, next.map(|next| next.cfa));
        match caller {
            Ok(None) => Some(WalkEnd::Outermost),
            Err(error) => Some(WalkEnd::Broken(error.to_string())),
            Ok(Some(caller)) => self.move_to(&caller),
        }
    }

    fn move_to(&mut self, caller: &CallerFrame) -> Option<WalkEnd> {
        // A stack grows downwards: a CFA that does not rise is a cycle. Signal handlers may run on another stack, which may
        // lie anywhere.
        self.signals = self.signals.saturating_add(usize::from(caller.signal_frame));
        let sinks = !caller.signal_frame && self.below.is_some_and(|below| caller.cfa <= below);
        if sinks || self.signals > MAX_SIGNALS {
            return Some(WalkEnd::Broken("it leads back into itself".to_owned()));
        }
        self.below = (!caller.signal_frame).then_some(caller.cfa);
        self.registers = caller.registers;
        self.is_return_address = !caller.signal_frame;
        self.found = caller.found;
        (self.is_return_address && self.registers.pc().raw() == 0).then_some(WalkEnd::Outermost)
    }

    /// Adds the frames at this place: inlined copies, innermost first, then the concrete function.
    fn push(&mut self, stop: &Stop, wanted: &Range<usize>, frames: &mut Vec<Frame>, cfa: Option<MemAddr>) {
        let pc = self.registers.pc();
        let described = stop.stacks.describe(stop, pc, self.is_return_address);
        let first = self.index;
        for (index, function) in (first..).zip(described.iter()).filter(|(index, _)| wanted.contains(index)) {
            frames.push(Frame {
                tid: self.tid,
                index,
                pc,
                lookup_pc: if self.is_return_address { pc.offset(-1) } else { pc },
                registers: self.registers,
                cfa,
                found: if index == first { self.found } else { Found::Rules },
                code: function.code.clone(),
                name: function.name.clone(),
                source: function.source.clone(),
                inlined: function.inlined,
                user_code: function.user_code,
            });
        }
        self.index = first.saturating_add(described.len());
    }
}
