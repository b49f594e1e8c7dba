//! The line of an await that a macro of another crate made (`select!`, `join!`).
//!
//! The debug information declares such an await where the macro is. The line table knows better: code made by a macro
//! has the line of the macro's call. So the await is where the coroutine's poll function calls, or has inlined, the poll
//! function of what it awaits.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};
use weft_memory::{FileAddr, MemAddr};
use weft_symbols::{CodeFrame, Module, SourceLine, Type};
use weft_values::Stop;

use crate::names::{base, within};

/// Most instantiations of one coroutine, most bytes of code and most rows of one poll function that are looked at.
const MAX_INSTANCES: usize = 64;
const MAX_CODE: u64 = 1 << 20;
const MAX_ROWS: usize = 5_000;
/// `call rel32`, `jmp rel32`: their first bytes, their length.
const CALL: u8 = 0xe8;
const JUMP: u8 = 0xe9;
const BRANCH_LENGTH: usize = 5;

/// Where in the source the coroutine with this environment awaits a future of this type. `poller` is an address in the
/// code that polls the task's entry future: optimised code has often inlined all its coroutines there.
pub(crate) fn await_line(
    stop: &Stop,
    environment: &Type,
    awaitee: &Type,
    poller: Option<MemAddr>,
) -> Option<SourceLine> {
    let image = environment.image();
    let module = stop.modules.of(image)?;
    let function = environment.coroutine_function()?;
    let own = image.functions(base(&function.path)).into_iter().take(MAX_INSTANCES);
    let mut search = Search { stop, module, environment, awaitee, rows: MAX_ROWS };
    own.filter_map(|entry| image.function_frame(&entry).ok().flatten())
        .filter(|poll| poll.environment_type().is_some_and(|ty| ty.path() == environment.path()))
        .find_map(|poll| search.called(&poll).or_else(|| search.inlined(&poll)))
        .or_else(|| search.below(module.bias.to_file(poller?)))
        .filter(|found| found.line > 0)
}

/// Whether this is the poll function of a future of that type: a coroutine's own, or a generic one of the same closure.
fn polls(code: &CodeFrame, awaitee: &Type) -> bool {
    if code.function.kind.is_coroutine() {
        return code.environment_type().is_some_and(|ty| ty.path() == awaitee.path());
    }
    let same = |name: &str| match (code.template_argument(name), awaitee.template_argument(name)) {
        (Some(of_function), Some(of_future)) => of_function.path() == of_future.path(),
        _ => false,
    };
    base(&code.function.path).ends_with("::poll") && (same("F") || same("T"))
}

/// What is looked for, and how many rows may still be looked at for it.
struct Search<'a> {
    stop: &'a Stop,
    module: &'a Module,
    environment: &'a Type,
    awaitee: &'a Type,
    rows: usize,
}

impl Search<'_> {
    /// The line of the first direct call of the awaited future's poll function by the coroutine, which may be inlined
    /// itself. A byte that only looks like a call would have to lead exactly to that function's entry.
    fn called(&self, concrete: &CodeFrame) -> Option<SourceLine> {
        let mut targets: FxHashMap<FileAddr, bool> = FxHashMap::default();
        let image = &self.module.image;
        let call = self.branches(concrete, &[CALL]).into_iter().find(|(at, target)| {
            let leads_there = *targets
                .entry(*target)
                .or_insert_with(|| self.entry(*target).is_some_and(|callee| polls(&callee, self.awaitee)));
            leads_there && image.frames_at(*at).is_ok_and(|frames| frames.first().is_some_and(|code| self.is_own(code)))
        });
        image.line_at(call?.0).ok().flatten()
    }

    /// Whether this is (a copy of) the coroutine's poll function.
    fn is_own(&self, code: &CodeFrame) -> bool {
        code.function.kind.is_coroutine()
            && code.environment_type().is_some_and(|ty| ty.path() == self.environment.path())
    }

    /// The line at which the awaited future's poll function was inlined into the coroutine's, which may be inlined itself.
    fn inlined(&mut self, concrete: &CodeFrame) -> Option<SourceLine> {
        let image = &self.module.image;
        let rows = concrete.ranges.iter().flat_map(|range| image.rows_in(range.clone()).unwrap_or_default());
        let mut before = None;
        for row in rows {
            // Neighbouring rows of one line are in the same copy, mostly; a copy has more lines than one.
            let line = Some((row.source.line, row.source.file.clone()));
            if std::mem::replace(&mut before, line.clone()) == line {
                continue;
            }
            self.rows = self.rows.checked_sub(1)?;
            let frames = image.frames_at(row.address).unwrap_or_default();
            let outer = frames.iter().position(|code| self.is_own(code));
            let inner = outer.and_then(|outer| frames.get(outer.checked_sub(1)?));
            if let Some(inner) = inner.filter(|inner| polls(inner, self.awaitee)) {
                return inner.call_site.clone();
            }
        }
        None
    }

    /// The same in the functions of one task: those that lead from the executor's poll function to its coroutines.
    fn below(&mut self, poller: FileAddr) -> Option<SourceLine> {
        let frames = self.module.image.frames_at(poller).ok()?;
        let mut queue = VecDeque::from_iter(frames.into_iter().next_back());
        let mut seen: FxHashSet<FileAddr> = queue.iter().map(|code| code.entry).collect();
        let mut functions = Vec::new();
        while let Some(concrete) = queue.pop_front().filter(|_| functions.len() < MAX_INSTANCES) {
            // Calls cost a look at the bytes, inlined copies a look at every row: those come last.
            if let Some(found) = self.called(&concrete) {
                return Some(found);
            }
            for (_, target) in self.branches(&concrete, &[CALL, JUMP]) {
                if !seen.insert(target) {
                    continue;
                }
                let Some(next) = self.entry(target) else { continue };
                let path = base(&next.function.path);
                let leads_on = within(path, "tokio::runtime::task") || path.ends_with("::poll");
                if next.function.kind.is_coroutine() || leads_on {
                    queue.push_back(next);
                }
            }
            functions.push(concrete);
        }
        functions.iter().find_map(|concrete| self.inlined(concrete))
    }

    /// Addresses and targets of what look like direct branches with one of these opcodes.
    fn branches(&self, concrete: &CodeFrame, opcodes: &[u8]) -> Vec<(FileAddr, FileAddr)> {
        let mut found = Vec::new();
        for range in &concrete.ranges {
            let length = range.end.since(range.start).unwrap_or(0).min(MAX_CODE);
            let Ok(length) = usize::try_from(length) else { continue };
            let start = self.module.bias.to_memory(range.start);
            let Ok(code) = self.stop.memory.read_bytes(start, length) else { continue };
            for (index, window) in (0_u64..).zip(code.windows(BRANCH_LENGTH)) {
                let &[opcode, a, b, c, d] = window else { continue };
                if !opcodes.contains(&opcode) {
                    continue;
                }
                let displacement = i64::from(i32::from_le_bytes([a, b, c, d]));
                let at = FileAddr::new(range.start.raw().wrapping_add(index));
                let target = at.offset(displacement.wrapping_add(5));
                if self.is_code(target) {
                    found.push((at, target));
                }
            }
        }
        found
    }

    fn is_code(&self, address: FileAddr) -> bool {
        let segments = self.module.image.segments();
        segments.iter().any(|segment| segment.executable && segment.addresses.contains(&address))
    }

    /// The concrete function that begins at an address.
    fn entry(&self, address: FileAddr) -> Option<CodeFrame> {
        let frames = self.module.image.frames_at(address).ok()?;
        frames.into_iter().next_back().filter(|concrete| concrete.entry == address)
    }
}
