//! Which of the source's variables the saved ones of a suspended coroutine are.
//!
//! The environment's own description names what is saved, but has one entry's type and place for all variables of one name
//! (rustc 1.63 to 1.97), and does not say which of them are in scope. The poll function describes each variable in its block;
//! in code that is not optimised each lies behind the pointer to the environment, at an offset that is its own.

use weft_memory::MemAddr;
use weft_symbols::{CodeFrame, Kept, Role, Route, SourceLine, Start, Type, Variable};

use crate::names::without_arguments;
use crate::polling::{is_same_line, not_kept};
use crate::variables::{is_compiler_made, mark_shadowed};
use crate::{At, FieldPlace, FrameVariable, Place, captures::source_name};

/// Most instances of one coroutine's poll function that are looked at.
const MAX_INSTANCES: usize = 64;

/// A variable that is in scope at an `.await`.
struct InScope {
    name: String,
    variable: Variable,
    /// Where in the environment it lies, if it lies there.
    offset: Option<u64>,
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
/// Reads no memory. Names of which it cannot be told are left out: all of them where the code is optimised or a macro made
/// the `.await`.
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
        Awaiting::at(environment, at)?.correct(&origin, &fields, at, &mut variables);
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
pub(crate) struct Awaiting(Vec<InScope>);

impl Awaiting {
    /// Reads no memory. `None` if it cannot be told: two awaits are declared on that line, no code has it (the macro of
    /// another crate made it), or the code is optimised, where places are mostly lost and blocks torn.
    pub(crate) fn at(environment: &Type, at: &SourceLine) -> Option<Self> {
        let variants = &environment.variant_part()?.variants;
        let is_here = |line: &SourceLine| is_same_line(line, at);
        let awaits = variants.iter().filter(|variant| variant.member.declared.as_ref().is_some_and(is_here));
        if awaits.count() > 1 {
            return None;
        }
        let code = poll_function(environment)?;
        let rows = code.ranges.iter().flat_map(|range| code.image.rows_in(range.clone()).unwrap_or_default());
        let first = rows.filter(|row| is_here(&row.source)).map(|row| row.address).min()?;
        let variables = code.variables_at(first).ok()?;
        let is_pointer = |variable: &&Variable| variable.role == Role::Argument && variable.name.is_none();
        let pointer = variables.iter().find(is_pointer)?.kept(&code, first).ok()?;
        let Kept::Memory(Route { start, .. }) = pointer else { return None };
        let mut slot = None;
        let mut offset = |kept: &Kept| match behind(start, kept) {
            Some((of, offset)) if *slot.get_or_insert(of) == of && offset < environment.size() => Some(offset),
            _ => None,
        };
        let users = variables.into_iter().filter(|variable| !is_compiler_made(variable, &code));
        let in_scope = users.filter_map(|variable| {
            let name = source_name(variable.name.as_deref()?);
            let kept = variable.kept(&code, first).ok()?;
            Some(InScope { name, offset: offset(&kept), variable })
        });
        Some(Self(in_scope.collect()))
    }

    /// Corrects what the environment's own description says of its variables: several of one name get their own types and
    /// places, the visible one is told from those that it hides, and those that are in scope but not saved are added.
    pub(crate) fn correct(
        &self,
        environment: &Place,
        fields: &[FieldPlace],
        at: &SourceLine,
        variables: &mut Vec<FrameVariable>,
    ) {
        let mut done: Vec<&str> = Vec::new();
        for name in self.0.iter().map(|variable| variable.name.as_str()) {
            if done.contains(&name) {
                continue;
            }
            done.push(name);
            if let Some(corrected) = self.named(name, environment, fields, at) {
                let place = variables.iter().position(|variable| variable.name == name).unwrap_or(variables.len());
                variables.retain(|variable| variable.name != name);
                let place = place.min(variables.len());
                variables.splice(place..place, corrected);
            }
        }
    }

    /// All variables of one name; `None` leaves what the environment says of them.
    fn named(
        &self,
        name: &str,
        environment: &Place,
        fields: &[FieldPlace],
        at: &SourceLine,
    ) -> Option<Vec<FrameVariable>> {
        let mut described: Vec<&InScope> = self.0.iter().filter(|variable| variable.name == name).collect();
        let saved: Vec<&FieldPlace> = fields.iter().filter(|field| source_name(&field.name) == name).collect();
        if described.len() == 1 && saved.len() == 1 {
            return None;
        }
        // What is captured by reference or in part is not a variable of the environment's own.
        if saved.iter().any(|field| field.name != name) {
            return None;
        }
        let place_of = |variable: &InScope| {
            let ty = variable.variable.ty.clone()?;
            Some(Place { ty, at: environment.at.plus(variable.offset?), meta: crate::Meta::Sized })
        };
        let is_field = |variable: &InScope| {
            let place = place_of(variable);
            saved.iter().any(|field| match (&field.place, &place) {
                (Ok(field), Some(place)) => at_same(field, place) && field.ty.path() == place.ty.path(),
                _ => false,
            })
        };
        let in_environment = described.iter().filter(|variable| variable.offset.is_some()).count();
        // One entry stands for all of that name: they are told apart if all that could be saved are.
        let all_saved = saved.len() > 1 && in_environment == saved.len();
        if saved.len() > 1 && !(all_saved && described.iter().any(|variable| is_field(variable))) {
            return None;
        }
        let is_saved = |variable: &InScope| if all_saved { variable.offset.is_some() } else { is_field(variable) };
        if saved.len() == 1 && !described.iter().any(|variable| is_saved(variable)) {
            return None;
        }
        // What was passed and the binding made of it are one variable to a reader.
        let is_binding = |a: &InScope, b: &InScope| {
            a.variable.decl_line == b.variable.decl_line
                && a.variable.ty.as_ref().map(Type::path) == b.variable.ty.as_ref().map(Type::path)
        };
        let mut index = 0;
        let mut arguments = Vec::new();
        while let Some(first) = described.get(index).copied() {
            let second = described.iter().skip(index.saturating_add(1)).position(|other| is_binding(first, other));
            let Some(second) = second.map(|second| second.saturating_add(index).saturating_add(1)) else {
                index = index.saturating_add(1);
                continue;
            };
            // An argument whose binding is gone is told of elsewhere.
            if described.len() == 2 && !described.get(second).is_some_and(|binding| is_saved(binding)) {
                return None;
            }
            arguments.push(first.variable.decl_line);
            described.remove(index);
        }
        let shown = |variable: &InScope| FrameVariable {
            name: name.to_owned(),
            role: if arguments.contains(&variable.variable.decl_line) {
                Role::Argument
            } else {
                variable.variable.role
            },
            ty: variable.variable.ty.clone(),
            place: place_of(variable).filter(|_| is_saved(variable)).ok_or_else(|| not_kept(Some(at))),
            shadowed: false,
            decl_line: variable.variable.decl_line,
            note: None,
        };
        let mut shown: Vec<(u32, FrameVariable)> =
            described.into_iter().map(|variable| (variable.variable.depth, shown(variable))).collect();
        mark_shadowed(&mut shown);
        // What is hidden and gone as well is of no use to anybody.
        let shown = shown.into_iter().map(|(_, variable)| variable);
        Some(shown.filter(|variable| !variable.shadowed || variable.place.is_ok()).collect())
    }
}

fn at_same(a: &Place, b: &Place) -> bool {
    match (&a.at, &b.at) {
        (At::Memory(a), At::Memory(b)) => a == b,
        _ => false,
    }
}

/// The poll function of a coroutine with this environment.
fn poll_function(environment: &Type) -> Option<CodeFrame> {
    let image = environment.image();
    let function = environment.coroutine_function()?;
    let instances = image.functions(without_arguments(&function.path)).into_iter().take(MAX_INSTANCES);
    let frames = instances.filter_map(|entry| image.function_frame(&entry).ok().flatten());
    frames.into_iter().find(|code| code.environment_type().is_some_and(|ty| ty.path() == environment.path()))
}

/// What lies behind a pointer on the stack: the pointer's own place, and how far behind it. In code that is not optimised
/// the only such pointer is the copy of the one to the environment.
fn behind(frame: Start, kept: &Kept) -> Option<(i64, u64)> {
    let Kept::Memory(Route { start, steps }) = kept else { return None };
    let &[slot, offset] = steps.as_slice() else { return None };
    let is_on_stack = matches!(start, Start::Register(_)) && *start == frame;
    Some((slot, u64::try_from(offset).ok().filter(|_| is_on_stack)?))
}
