//! Which of the source's variables the saved ones of a suspended coroutine are.
//!
//! The environment's own description names what is saved, but has one entry's type and place for all variables of one name
//! (rustc 1.63 to 1.97), and does not say which of them are in scope. The poll function describes each variable in its block,
//! around the await; in code that is not optimised each lies behind the pointer to the environment, at an offset that is
//! its own. Optimised code has lost the places, so that there a variable is known by its type alone.

use weft_memory::MemAddr;
use weft_symbols::{Await, CodeFrame, FunctionKind, Kept, Role, Route, SourceLine, Start, Type, Variable};

use crate::coroutine::captured_fields;
use crate::polling::not_kept;
use crate::variables::{is_compiler_made, is_of_macro, mark_shadowed};
use crate::{At, FieldPlace, FrameVariable, Meta, Place, ValueError, captures::source_name};

/// A variable that is in scope at an `.await`.
struct InScope {
    name: String,
    variable: Variable,
    /// Where in the environment it lies, if it lies there and the code says so.
    offset: Option<u64>,
    /// The macro that awaits has made it.
    of_macro: bool,
}

/// A variable that a suspended coroutine keeps.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// Its own type.
    pub ty: Type,
    /// Bytes from the start of the environment.
    pub offset: u64,
}

/// What a coroutine with this environment keeps in one of its states (by its number in the debug information) in variables
/// that share their names with others: of those the environment's own description has one type and one place for all.
/// Reads no memory. Variables of which it cannot be told are left out: in optimised code most of them.
pub fn namesakes(environment: &Type, state: usize) -> Vec<Saved> {
    let told = || {
        let member = &environment.variant_part()?.variants.get(state)?.member;
        let at = member.declared.as_ref()?;
        // As if the environment lay at zero, so that places are offsets.
        let origin = Place::new(environment.clone(), MemAddr::new(0));
        let fields = origin.field(member).ok()?.members();
        let shared = |name: &str| fields.iter().filter(|field| field.name == name).count() > 1;
        if !fields.iter().any(|field| shared(&field.name)) {
            return None;
        }
        let mut variables = Vec::new();
        let made_with = captured_fields(&origin);
        Awaiting::at(environment, state)?.correct(&origin, &fields, &made_with, Some(at), &mut variables);
        variables.retain(|variable| shared(&variable.name));
        Some(variables)
    };
    let saved = |variable: FrameVariable| {
        let place = variable.place.ok()?;
        Some(Saved { name: variable.name, offset: place.address()?.raw(), ty: place.ty })
    };
    told().into_iter().flatten().filter_map(saved).collect()
}

/// The variables in scope at an `.await` of a coroutine.
pub(crate) struct Awaiting {
    variables: Vec<InScope>,
    /// The code says of each variable where it lies.
    are_placed: bool,
    /// The coroutine is an `async fn`'s.
    is_fn: bool,
    /// Where the macro of another crate is called that awaits.
    pub(crate) called_at: Option<SourceLine>,
}

/// What is known of a variable in scope at an await.
enum Standing {
    Saved(Place),
    NotSaved,
    Unknown(ValueError),
}

impl Awaiting {
    /// Reads no memory. `None` if it cannot be told: no debug information describes the poll function, or several awaits that
    /// cannot be told apart have different variables in scope.
    pub(crate) fn at(environment: &Type, state: usize) -> Option<Self> {
        let awaits = environment.awaits()?;
        let found = awaits.of_state(environment, state);
        let (first, others) = found.split_first()?;
        if others.iter().any(|other| !is_same_scope(first, other)) {
            return None;
        }
        let code = awaits.code.as_ref();
        let pointer = code.and_then(|code| pointer_of(code, &first.in_scope));
        let mut slot = None;
        let mut offset = |variable: &Variable| {
            let kept = code.and_then(|code| variable.kept(code, code.entry).ok());
            match behind(pointer?, &kept?) {
                Some((of, offset)) if *slot.get_or_insert(of) == of && offset < environment.size() => Some(offset),
                _ => None,
            }
        };
        let function = environment.coroutine_function()?;
        let users = first.in_scope.iter().filter(|variable| !is_compiler_made(variable, function.declared.as_ref()));
        let declared = environment.variant_part()?.variants.get(state)?.member.declared.as_ref();
        let is_call = |line: &SourceLine| line.line > 0 && declared.is_some_and(|at| at.file != line.file);
        let called_at = awaits.line_of_state(environment, state).filter(is_call);
        let in_scope = users.filter_map(|variable| {
            let name = source_name(variable.name.as_deref()?);
            let of_macro = is_of_macro(variable, called_at.as_ref());
            Some(InScope { name, offset: offset(variable), variable: variable.clone(), of_macro })
        });
        let in_scope = in_scope.collect();
        let is_fn = function.kind == FunctionKind::AsyncFn;
        Some(Self { variables: in_scope, are_placed: pointer.is_some(), is_fn, called_at })
    }

    /// Corrects what the environment's own description says of its variables: several of one name get their own types and
    /// places, the visible one is told from those that it hides, those that are in scope but not saved are added, and those that
    /// the macro made which awaits are left out.
    /// `made_with`: what the coroutine was made with.
    pub(crate) fn correct(
        &self,
        environment: &Place,
        fields: &[FieldPlace],
        made_with: &[FieldPlace],
        at: Option<&SourceLine>,
        variables: &mut Vec<FrameVariable>,
    ) {
        let mut done: Vec<&str> = Vec::new();
        for name in self.variables.iter().map(|variable| variable.name.as_str()) {
            if done.contains(&name) {
                continue;
            }
            done.push(name);
            let saved: Vec<&FieldPlace> = fields.iter().filter(|field| source_name(&field.name) == name).collect();
            // What is captured by reference or in part is not a variable of the environment's own.
            if saved.iter().any(|field| field.name != name) {
                continue;
            }
            let passed = made_with.iter().find(|field| field.name == name);
            let group = Group { name, environment, saved, passed, at };
            if let Some(corrected) = self.named(&group) {
                let place = variables.iter().position(|variable| variable.name == name).unwrap_or(variables.len());
                variables.retain(|variable| variable.name != name);
                let place = place.min(variables.len());
                variables.splice(place..place, corrected);
            }
        }
    }

    /// All variables of one name; `None` leaves what the environment says of them.
    fn named(&self, group: &Group<'_>) -> Option<Vec<FrameVariable>> {
        let mut described: Vec<&InScope> =
            self.variables.iter().filter(|variable| variable.name == group.name).collect();
        if described.iter().all(|variable| variable.of_macro) {
            return Some(Vec::new());
        }
        let is_alone = described.len() == 1;
        let arguments = take_passed(group, &mut described);
        // One variable, or what was passed and nothing else: there is nothing to mistake it for.
        let is_plain = is_alone && group.saved.len() == 1;
        if is_plain || (described.len() == 1 && !arguments.is_empty() && group.saved_locals() == 0) {
            return None;
        }
        let captured = group.passed.filter(|_| arguments.is_empty() && !self.is_fn);
        let users = described.iter().enumerate().filter(|(_, variable)| !variable.of_macro);
        let shown = users.map(|(index, variable)| {
            let of = &variable.variable;
            let standing = match captured.and_then(|field| field.place.as_ref().ok()) {
                // The outermost of a name that was captured is the capture.
                Some(place) if index == 0 => Standing::Saved(place.clone()),
                _ => {
                    self.standing(group, described.get(usize::from(captured.is_some())..).unwrap_or_default(), variable)
                }
            };
            let place = match standing {
                Standing::Saved(place) => Ok(place),
                Standing::NotSaved => Err(not_kept(group.at)),
                Standing::Unknown(error) => Err(error),
            };
            let role = if arguments.contains(&of.decl_line) { Role::Argument } else { of.role };
            let variable = FrameVariable {
                name: group.name.to_owned(),
                role,
                ty: of.ty.clone(),
                place,
                shadowed: false,
                decl_line: of.decl_line,
                note: None,
            };
            (of.depth, variable)
        });
        let mut shown: Vec<(u32, FrameVariable)> = shown.collect();
        mark_shadowed(&mut shown);
        // What is hidden and gone as well is of no use to anybody.
        let shown = shown.into_iter().map(|(_, variable)| variable);
        Some(shown.filter(|variable| !variable.shadowed || variable.place.is_ok()).collect())
    }

    /// `described` are all variables of the group, `variable` is one of them.
    fn standing(&self, group: &Group<'_>, described: &[&InScope], variable: &InScope) -> Standing {
        let locals = group.saved_locals();
        let Some(entry) = group.described_place().filter(|_| locals > 0) else { return Standing::NotSaved };
        let is_of_type = |other: &InScope| other.variable.ty.as_ref().map(Type::path) == Some(entry.ty.path());
        if self.are_placed && entry.ty.size() > 0 {
            let is_in_environment = described.iter().filter(|other| other.offset.is_some()).count();
            let Some(place) = group.place_of(variable) else { return Standing::NotSaved };
            if at_same(&place, entry) && is_of_type(variable) || is_in_environment == locals {
                return Standing::Saved(place);
            }
            let is_entry = |other: &&InScope| {
                is_of_type(other) && group.place_of(other).is_some_and(|place| at_same(&place, entry))
            };
            let is_other = locals == 1 && described.iter().any(is_entry);
            return if is_other { Standing::NotSaved } else { Standing::Unknown(group.not_told()) };
        }
        let alike = described.iter().filter(|other| is_of_type(other)).count();
        match (is_of_type(variable), alike) {
            (true, 1) => Standing::Saved(entry.clone()),
            (false, 1..) if locals == 1 => Standing::NotSaved,
            _ => Standing::Unknown(group.not_told()),
        }
    }
}

/// What was passed and the binding made of it are one variable to a reader: leaves the binding, and says where such
/// are declared.
fn take_passed(group: &Group<'_>, described: &mut Vec<&InScope>) -> Vec<u32> {
    let Some(passed) = group.passed else { return Vec::new() };
    let is_binding = |a: &InScope, b: &InScope| {
        a.variable.decl_line == b.variable.decl_line
            && a.variable.ty.as_ref().map(Type::path) == b.variable.ty.as_ref().map(Type::path)
    };
    let is_passed = |variable: &InScope| match (&passed.place, &variable.variable.ty) {
        (Ok(place), Some(ty)) => place.ty.path() == ty.path(),
        _ => false,
    };
    let pair = described.windows(2).position(|pair| match pair {
        [first, second] => is_passed(first) && is_binding(first, second),
        _ => false,
    });
    let Some(index) = pair else { return Vec::new() };
    vec![described.remove(index).variable.decl_line]
}

/// The saved variables of one name at one await.
struct Group<'a> {
    name: &'a str,
    environment: &'a Place,
    /// The entries of the name; all have the type and the place of the first.
    saved: Vec<&'a FieldPlace>,
    /// What was passed under that name.
    passed: Option<&'a FieldPlace>,
    at: Option<&'a SourceLine>,
}

impl Group<'_> {
    /// How many variables are saved beside what was passed, which always is.
    fn saved_locals(&self) -> usize {
        self.saved.len().saturating_sub(usize::from(self.passed.is_some()))
    }

    /// The one place that the environment gives for all of them.
    fn described_place(&self) -> Option<&Place> {
        self.saved.first()?.place.as_ref().ok()
    }

    fn place_of(&self, variable: &InScope) -> Option<Place> {
        let ty = variable.variable.ty.clone()?;
        Some(Place { ty, at: self.environment.at.plus(variable.offset?), meta: Meta::Sized })
    }

    fn not_told(&self) -> ValueError {
        let name = self.name;
        ValueError::Unavailable(format!(
            "several variables named `{name}` are in scope at this .await; the debug information does not say where this one is"
        ))
    }
}

fn is_same_scope(a: &Await, b: &Await) -> bool {
    let key = |variable: &Variable| {
        (variable.name.clone(), variable.depth, variable.decl_line, variable.ty.as_ref().map(Type::die))
    };
    a.in_scope.iter().map(key).eq(b.in_scope.iter().map(key))
}

/// Where a poll function that is not optimised keeps the pointer to its environment.
pub(crate) fn pointer_of(code: &CodeFrame, variables: &[Variable]) -> Option<Start> {
    let is_pointer = |variable: &&Variable| variable.role == Role::Argument && variable.name.is_none();
    match variables.iter().find(is_pointer)?.kept(code, code.entry).ok()? {
        Kept::Memory(Route { start, .. }) => Some(start),
        _ => None,
    }
}

fn at_same(a: &Place, b: &Place) -> bool {
    match (&a.at, &b.at) {
        (At::Memory(a), At::Memory(b)) => a == b,
        _ => false,
    }
}

/// What lies behind a pointer on the stack: the pointer's own place, and how far behind it. In code that is not optimised
/// the only such pointer is the copy of the one to the environment.
fn behind(frame: Start, kept: &Kept) -> Option<(i64, u64)> {
    let Kept::Memory(Route { start, steps }) = kept else { return None };
    let &[slot, offset] = steps.as_slice() else { return None };
    let is_on_stack = matches!(start, Start::Register(_)) && *start == frame;
    Some((slot, u64::try_from(offset).ok().filter(|_| is_on_stack)?))
}
