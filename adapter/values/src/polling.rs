//! Variables of a coroutine that is being polled.
//!
//! What lives across an `.await` lies in the environment; what does not lies on the stack, and after a suspension the
//! new poll's stack holds anything there. Debug information does not tell the two cases apart. The environment's state
//! does: until the next suspension it still names the await that this poll was resumed from.

use std::cell::OnceCell;
use std::ops::Range;

use weft_memory::{DwarfRegister, FileAddr, MemAddr};
use weft_symbols::{
    Bases, CodeFrame, Course, FIRST_AWAIT, FunctionKind, Role, SourceLine, Type, TypeKind, Variable, Variant, Written,
};

use crate::saved::pointer_of;
use crate::{Frame, FrameVariable, Place, Stop, ValueError};

/// Parts of a type that are looked at to find out whether it owns something.
const MAX_PARTS: usize = 256;

/// Addresses of one line that are looked at for variables in scope there.
const MAX_ADDRESSES: usize = 64;

/// A coroutine in the middle of a poll.
pub(crate) struct Polling {
    environment: Range<MemAddr>,
    /// The frame's own part of the stack.
    stack: Option<Range<MemAddr>>,
    /// Where it was resumed, if it was suspended before.
    resumed: Option<Resumed>,
    is_fn: bool,
    way: Way,
}

/// The way that the poll has come since it began.
struct Way {
    code: CodeFrame,
    /// The state it began in, by its place among the variants.
    state: Option<usize>,
    /// None in optimised code, whose variables share their places.
    course: OnceCell<Option<Course>>,
    line_begins: OnceCell<Option<FileAddr>>,
    pc: FileAddr,
    bases: Bases,
    line: u32,
}

struct Resumed {
    at: SourceLine,
    /// Variables in scope there; each entered its scope before that suspension, or in a later turn of a loop.
    in_scope: Vec<Variable>,
}

impl Polling {
    /// What is known of the poll whose frame has this code and environment.
    pub(crate) fn new(stop: &Stop, frame: &Frame, code: &CodeFrame, environment: &Place) -> Option<Self> {
        let start = environment.address()?;
        let end = start.checked_add(environment.ty.size())?;
        let is_fn = code.function.kind == FunctionKind::AsyncFn;
        let stack = frame.cfa.map(|cfa| frame.registers.sp()..cfa);
        let state = environment.variant(stop).ok();
        let way = Way::new(stop, frame, code, state.as_ref().map(|state| state.index))?;
        let resumed = state.and_then(|state| resumed(code, &environment.ty, state.index, state.declared?));
        Some(Self { environment: start..end, stack, resumed, is_fn, way })
    }

    /// Why the variable's place cannot be trusted, if so.
    pub(crate) fn lost(&self, variable: &Variable, place: &Place) -> Option<ValueError> {
        let address = place.address()?;
        // What a capture by reference refers to lies elsewhere, and lives.
        let is_own = self.stack.as_ref().is_some_and(|stack| stack.contains(&address));
        if !is_own || self.environment.contains(&address) || place.ty.size() == 0 {
            return None;
        }
        let is_in_scope = |resumed: &&Resumed| resumed.in_scope.iter().any(|other| is_same(other, variable));
        let resumed = self.resumed.as_ref().filter(is_in_scope);
        let end = address.checked_add(place.ty.size())?;
        let is_written = |since| self.way.written(since, &(address..end));
        if let Some(resumed) = resumed
            && is_written(None) != Some(Written::Always)
        {
            return Some(not_kept(Some(&resumed.at)));
        }
        // What was declared on an earlier line has its value. A line's own has none before it comes to that; in a loop, what
        // lies there is the last turn's.
        if variable.decl_line < self.way.line {
            return None;
        }
        let is_late = matches!(is_written(self.way.line_begins()), Some(Written::Sometimes | Written::Never));
        is_late.then(|| ValueError::Unavailable("no value yet on this line".to_owned()))
    }

    /// An `async fn`'s argument is described twice: as what the future was made with, and as the binding that the body
    /// uses. To a reader they are one variable: the binding, or, when that is gone, what was passed.
    pub(crate) fn merge_bindings(&self, variables: &mut Vec<(u32, FrameVariable)>) {
        if !self.is_fn {
            return;
        }
        let mut index = 0;
        while let Some((_, argument)) = variables.get(index).cloned() {
            let is_binding = |(_, other): &(u32, FrameVariable)| {
                other.name == argument.name && other.decl_line == argument.decl_line && other.ty == argument.ty
            };
            let in_environment = argument.place.as_ref().is_ok_and(|place| {
                place.address().is_some_and(|address| self.environment.contains(&address)) || place.ty.size() == 0
            });
            let later = variables.iter_mut().skip(index.saturating_add(1)).find(|other| is_binding(other));
            let Some((_, binding)) = later.filter(|_| in_environment) else {
                index = index.saturating_add(1);
                continue;
            };
            if let (Err(_), Ok(place)) = (&binding.place, argument.place) {
                (binding.place, binding.note) = as_passed(place, self.resumed.as_ref().map(|resumed| &resumed.at));
            }
            binding.role = Role::Argument;
            variables.remove(index);
        }
    }
}

impl Way {
    fn new(stop: &Stop, frame: &Frame, code: &CodeFrame, state: Option<usize>) -> Option<Self> {
        let bp = frame.registers.get(DwarfRegister::RBP).map(MemAddr::new);
        Some(Self {
            code: code.clone(),
            state,
            course: OnceCell::new(),
            line_begins: OnceCell::new(),
            pc: frame.file_pc(stop)?,
            bases: Bases { sp: frame.registers.sp(), bp },
            line: frame.source.as_ref().map_or(0, |source| source.line),
        })
    }

    /// On how many of the ways that this poll may have come, from its beginning or from an address, what lies at `place`
    /// was written.
    fn written(&self, since: Option<FileAddr>, place: &Range<MemAddr>) -> Option<Written> {
        self.course.get_or_init(|| self.course()).as_ref()?.written(self.pc, since, place, self.bases)
    }

    fn course(&self) -> Option<Course> {
        let at_entry = self.code.variables_at(self.code.entry).ok()?;
        pointer_of(&self.code, &at_entry)?;
        self.code.course_from(self.state?)
    }

    /// Where the line begins that the poll is on.
    fn line_begins(&self) -> Option<FileAddr> {
        *self.line_begins.get_or_init(|| self.first_of_line())
    }

    fn first_of_line(&self) -> Option<FileAddr> {
        let finishing = self.code.rows_finishing_awaits().unwrap_or_default();
        let rows = self.code.ranges.iter().flat_map(|range| self.code.image.rows_in(range.clone()).unwrap_or_default());
        let begins =
            rows.filter(|row| row.is_stmt && row.source.line == self.line && !finishing.contains(&row.address));
        begins.map(|row| row.address).min()
    }
}

/// An argument whose binding is gone: what was passed still lies in the environment. If it owned something, that was
/// moved out or dropped; plain values and references (whose targets outlive the future) are as they were.
pub(crate) fn as_passed(place: Place, at: Option<&SourceLine>) -> (Result<Place, ValueError>, Option<String>) {
    if owns_nothing(&place.ty) {
        (Ok(place), Some("the value that was passed; the binding is not kept across the .await".to_owned()))
    } else {
        (Err(not_kept(at)), None)
    }
}

/// Why a variable is not shown although it is in scope.
pub(crate) fn not_kept(at: Option<&SourceLine>) -> ValueError {
    let line = at.map_or_else(String::new, |at| format!(" at line {}", at.line));
    ValueError::Unavailable(format!("not kept across the .await{line}"))
}

/// Whether a type is made of plain values and references alone.
fn owns_nothing(ty: &Type) -> bool {
    let mut waiting = vec![ty.clone()];
    let mut looked_at = 0_usize;
    while let Some(ty) = waiting.pop() {
        looked_at = looked_at.saturating_add(1);
        if looked_at > MAX_PARTS {
            return false;
        }
        if ty.name().starts_with('&') {
            continue;
        }
        match ty.kind() {
            TypeKind::Base(_) | TypeKind::Enumeration { .. } => {}
            TypeKind::Pointer(Some(pointee)) => {
                if !ty.at(*pointee).is_some_and(|pointee| matches!(pointee.kind(), TypeKind::Subroutine)) {
                    return false;
                }
            }
            TypeKind::Array { element, .. } => waiting.extend(element.and_then(|die| ty.at(die))),
            TypeKind::Struct { members, variants } => {
                let payloads = variants.iter().flat_map(|part| part.variants.iter().map(|variant| &variant.member));
                waiting.extend(members.iter().chain(payloads).filter_map(|member| ty.at(member.ty?)));
            }
            _ => return false,
        }
    }
    true
}

/// Where a poll was resumed whose environment of this type is in a state of that number, which is declared there.
fn resumed(code: &CodeFrame, environment: &Type, state: usize, declared: SourceLine) -> Option<Resumed> {
    if state < FIRST_AWAIT {
        return None;
    }
    let variants = environment.variant_part().map_or(&[][..], |part| &part.variants);
    let is_here =
        |variant: &&Variant| variant.member.declared.as_ref().is_some_and(|other| is_same_line(other, &declared));
    let is_only_one = variants.iter().filter(is_here).nth(1).is_none();
    if let Some(in_scope) = variables_awaiting(code, &declared, is_only_one) {
        return Some(Resumed { at: declared, in_scope });
    }
    let awaits = environment.awaits()?;
    let at = awaits.line_of_state(environment, state).unwrap_or(declared);
    let found = awaits.of_state(environment, state);
    Some(Resumed { at, in_scope: found.into_iter().flat_map(|found| found.in_scope.iter().cloned()).collect() })
}

/// Whether a variable is in scope at any `.await` of its coroutine: then [`Polling::lost`] may say that its place is not
/// to be trusted. True where it cannot be told.
pub(crate) fn awaited_across(code: &CodeFrame, variable: &Variable) -> bool {
    let Some(environment) = code.environment_type() else { return true };
    let Some(part) = environment.variant_part() else { return true };
    part.variants.iter().skip(FIRST_AWAIT).any(|variant| {
        let in_scope = variant.member.declared.as_ref().and_then(|at| variables_awaiting(code, at, false));
        in_scope.is_none_or(|in_scope| in_scope.iter().any(|other| is_same(other, variable)))
    })
}

fn is_same(a: &Variable, b: &Variable) -> bool {
    (&a.name, a.depth, a.decl_line) == (&b.name, b.depth, b.decl_line)
}

/// Variables in scope at an `.await`. The lowest address of its line comes before anything that the line itself
/// declares. Several awaits of one line (in one macro's expansions) cannot be told apart: then those in scope at any.
/// `None` if the coroutine has no code for that line: a macro awaits, whose code is said to lie where it is called.
fn variables_awaiting(code: &CodeFrame, at: &SourceLine, is_only_one: bool) -> Option<Vec<Variable>> {
    let rows = code.ranges.iter().flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
    let mut addresses: Vec<FileAddr> =
        rows.filter(|row| is_same_line(&row.source, at)).map(|row| row.address).collect();
    addresses.sort_unstable();
    addresses.truncate(if is_only_one { 1 } else { MAX_ADDRESSES });
    let in_scope = addresses.iter().flat_map(|address| code.variables_at(*address).unwrap_or_default());
    (!addresses.is_empty()).then(|| in_scope.collect())
}

/// Whether both are the same line of the same file.
pub(crate) fn is_same_line(a: &SourceLine, b: &SourceLine) -> bool {
    a.line == b.line && a.file == b.file
}
