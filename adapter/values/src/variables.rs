//! A frame's variables: which are in scope, which are hidden, and where each lies.

use weft_memory::FileAddr;
use weft_symbols::{
    CodeFrame, Detail, Image, Kept, LocationContext, Role, Route, SourceLine, Start, Type, TypeKind, Variable,
    is_standard,
};

use crate::captures::{WideCaptures, locate_wide, source_name};
use crate::polling::Polling;
use crate::{Frame, Place, Stop, ValueError};

/// A variable of a frame, physical or suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameVariable {
    /// Its name in the source; `self.v` for what a closure captured of `self`.
    pub name: String,
    /// Argument or local.
    pub role: Role,
    /// Its type, also when the place is not known.
    pub ty: Option<Type>,
    /// Where it is, or why that cannot be said.
    pub place: Result<Place, ValueError>,
    /// Hidden in the source by a later variable of this name. Show the name as [`FrameVariable::label`] does.
    pub shadowed: bool,
    /// Line of its declaration, 0 if unknown.
    pub decl_line: u32,
    /// What a reader should know beyond the value, in one sentence.
    pub note: Option<String>,
}

impl FrameVariable {
    /// The name to show: `x`, or `x (shadowed)`.
    pub fn label(&self) -> String {
        if self.shadowed { format!("{} (shadowed)", self.name) } else { self.name.clone() }
    }
}

/// The variables in scope in a frame, arguments first, then locals in order of declaration. The innermost of several
/// with one name is the visible one, the others are marked `shadowed`. What the compiler made up is left out.
pub fn variables(stop: &Stop, frame: &Frame) -> Vec<FrameVariable> {
    let Some(code) = &frame.code else { return Vec::new() };
    let Some(pc) = frame.file_pc(stop) else { return Vec::new() };
    let found = match code.variables_at(pc) {
        Ok(found) => found,
        Err(error) => return vec![unreadable(error.into())],
    };
    let context = location_context(stop, frame, code);
    let prologue = in_prologue(frame, code, pc);
    let polling = environment(stop, frame).and_then(|environment| Polling::new(stop, frame, code, &environment));
    let wide = WideCaptures::of(code);
    let mut shown = Vec::new();
    let called_at = macro_called(&found);
    let made_up = |variable: &&Variable| {
        is_compiler_made(variable, code.function.declared.as_ref()) || is_of_macro(variable, called_at)
    };
    let found: Vec<&Variable> = found.iter().filter(|variable| !made_up(variable)).collect();
    for variable in &found {
        let Some(mut located) = located(variable, &context, &wide, prologue) else { continue };
        if let Some(later) = outlived_by(variable, &found, code, pc).filter(|_| located.place.is_ok()) {
            let name = later.name.as_deref().unwrap_or_default();
            located.place = Err(ValueError::Unavailable(format!(
                "optimised out: `{name}` has its place, which may have been written since"
            )));
        }
        let lost = |place: &Place| polling.as_ref().and_then(|polling| polling.lost(variable, place));
        if let Some(lost) = located.place.as_ref().ok().and_then(lost) {
            located.place = Err(lost);
        }
        shown.push((variable.depth, located));
    }
    if let Some(polling) = &polling {
        polling.merge_bindings(&mut shown);
    }
    mark_shadowed(&mut shown);
    let mut variables: Vec<_> = shown.into_iter().map(|(_, variable)| variable).collect();
    variables.sort_by_key(|variable| match variable.role {
        Role::Argument => 0,
        Role::Local => 1,
    });
    variables
}

/// Why a frame shows no variables, if the reason is that nobody described them: how it was built, in a sentence with what
/// to change. `None` where there are some, or where the source has none.
pub fn no_variables(stop: &Stop, frame: &Frame, shown: &[FrameVariable]) -> Option<String> {
    if !shown.is_empty() {
        return None;
    }
    let Some((module, pc)) = stop.modules.to_file(frame.lookup_pc) else {
        return Some("this code is in no file".to_owned());
    };
    without_variables(&module.image, pc, frame.code.as_ref())
}

/// As [`no_variables`], for a place in the code and the innermost function there.
pub(crate) fn without_variables(image: &Image, pc: FileAddr, code: Option<&CodeFrame>) -> Option<String> {
    let kept = match image.detail_at(pc) {
        None => return Some("this code has no debug information".to_owned()),
        Some(Detail::Full) => return None,
        Some(Detail::Functions) => "without variables and types (`debug = 1`)",
        Some(Detail::Lines) => "with line tables only",
    };
    let standard = code.is_some_and(|code| code.function.path.contains("::") && is_standard(&code.function.krate));
    Some(if standard {
        format!("the standard library that comes with the compiler is built {kept}")
    } else {
        format!("this code was built {kept}: set `debug = true` in its cargo profile (`-g` for other compilers)")
    })
}

/// For a frame of a coroutine's poll function, the coroutine's environment: what the unnamed `Pin<&mut ..>` parameter
/// refers to. `None` in other frames, and where the parameter's location is not known.
pub fn environment(stop: &Stop, frame: &Frame) -> Option<Place> {
    let code = frame.code.as_ref()?;
    let pc = frame.file_pc(stop)?;
    if !code.function.kind.is_coroutine() || in_prologue(frame, code, pc) {
        return None;
    }
    code.variables_at(pc).ok()?.iter().filter(|variable| variable.role == Role::Argument).find_map(|variable| {
        let target = place_of(stop, frame, variable).ok()?.deref(stop).ok()?;
        target.ty.is_coroutine().then_some(target)
    })
}

/// The way to the environment of the coroutine whose poll function `code` is, for a thread that stands at `pc` in it: what
/// [`environment`] answers there, to be asked often. `None` where it takes more than registers and a few reads.
pub fn way_to_environment(code: &CodeFrame, pc: FileAddr) -> Option<Route> {
    if !code.function.kind.is_coroutine() || is_prologue(code, pc) {
        return None;
    }
    let variables = code.variables_at(pc).ok()?;
    let is_environment = |variable: &&Variable| {
        let ty = variable.ty.as_ref().filter(|_| variable.role == Role::Argument);
        ty.is_some_and(|ty| ty.pinned_coroutine().is_some())
    };
    match variables.iter().find(is_environment)?.kept(code, pc).ok()? {
        // The pointer itself lies there.
        Kept::Memory(way) => way.through(),
        Kept::Register(register) => Some(Route::new(Start::Register(register), 0)),
        Kept::Number(way) => Some(way),
        Kept::Nowhere | Kept::Constant(_) | Kept::Elsewhere => None,
    }
}

/// Where one of a frame's variables lies as it is described, whatever else is known of it: [`variables`] says what to show.
pub fn place_of(stop: &Stop, frame: &Frame, variable: &Variable) -> Result<Place, ValueError> {
    let no_type = || ValueError::NoType(format!("`{}`", variable.name.as_deref().unwrap_or_default()));
    let code = frame.code.as_ref().ok_or_else(no_type)?;
    let ty = variable.ty.clone().ok_or_else(no_type)?;
    Place::located(ty, variable.locate(&location_context(stop, frame, code))?)
}

fn location_context<'a>(stop: &'a Stop, frame: &'a Frame, code: &'a CodeFrame) -> LocationContext<'a> {
    LocationContext {
        memory: &*stop.memory,
        registers: &frame.registers,
        cfa: frame.cfa,
        pc: frame.lookup_pc,
        modules: &stop.modules,
        frame: code,
    }
}

fn unreadable(error: ValueError) -> FrameVariable {
    FrameVariable {
        name: "(variables)".to_owned(),
        role: Role::Local,
        ty: None,
        place: Err(error),
        shadowed: false,
        decl_line: 0,
        note: None,
    }
}

fn located(
    variable: &Variable,
    context: &LocationContext<'_>,
    wide: &WideCaptures,
    prologue: bool,
) -> Option<FrameVariable> {
    let name = source_name(variable.name.as_deref()?);
    let wide = wide.of_variable(variable);
    let place = match (&variable.ty, wide) {
        (None, _) => Err(ValueError::NoType(format!("`{name}`"))),
        _ if prologue => Err(ValueError::Unavailable("not set up yet: the function is just being entered".into())),
        (Some(_), Some(wide)) => locate_wide(variable, context, wide),
        (Some(ty), None) => {
            variable.locate(context).map_err(ValueError::from).and_then(|location| Place::located(ty.clone(), location))
        }
    };
    Some(FrameVariable {
        name,
        role: variable.role,
        ty: wide.or(variable.ty.as_ref()).cloned(),
        place,
        shadowed: false,
        decl_line: variable.decl_line,
        note: None,
    })
}

/// A variable declared later that the compiler has put in this one's place: what is there is the later one's value.
pub(crate) fn outlived_by<'a>(
    variable: &Variable,
    in_scope: &[&'a Variable],
    code: &CodeFrame,
    pc: FileAddr,
) -> Option<&'a Variable> {
    // An argument of an `async fn` is described twice, as one thing.
    let is_other = |other: &Variable| (&other.name, other.decl_line) != (&variable.name, variable.decl_line);
    let later = in_scope.iter().copied().filter(|other| other.depth > variable.depth && is_other(other));
    later.into_iter().find(|other| variable.is_united_with(other, &code.image, pc).unwrap_or(false))
}

/// A variable in scope at an address, before anybody looks where it is.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// Its name in the source.
    pub(crate) name: String,
    /// As it is described.
    pub(crate) variable: Variable,
    /// The wide pointer that it is, where it is described as the first element of a slice.
    pub(crate) wide: Option<Type>,
    /// Hidden by a later one of this name.
    pub(crate) shadowed: bool,
}

impl Named for Declared {
    fn name(&self) -> &str {
        &self.name
    }

    fn ty(&self) -> Option<&Type> {
        self.wide.as_ref().or(self.variable.ty.as_ref())
    }

    fn shadow(&mut self) {
        self.shadowed = true;
    }
}

/// The variables in scope at an address of a function's code, as [`variables`] lists them.
pub(crate) fn declared(code: &CodeFrame, pc: FileAddr) -> Result<Vec<Declared>, ValueError> {
    let wide = WideCaptures::of(code);
    let found = code.variables_at(pc)?;
    let named = found
        .into_iter()
        .filter(|variable| !is_compiler_made(variable, code.function.declared.as_ref()))
        .filter_map(|variable| {
            let name = source_name(variable.name.as_deref()?);
            let wide = wide.of_variable(&variable).cloned();
            Some((variable.depth, Declared { name, variable, wide, shadowed: false }))
        });
    let mut list: Vec<_> = named.collect();
    mark_shadowed(&mut list);
    Ok(list.into_iter().map(|(_, declared)| declared).collect())
}

/// Variables that no source line of the user names; `function` is where their function is declared.
pub(crate) fn is_compiler_made(variable: &Variable, function: Option<&SourceLine>) -> bool {
    let Some(name) = variable.name.as_deref() else { return true };
    let is_foreign = || match (&variable.declared, function) {
        // A macro of another file made it up, and hygiene keeps the user from naming it.
        (Some(variable), Some(function)) => variable.file != function.file,
        _ => false,
    };
    let is_body = || name == "body" && is_before(variable.declared.as_ref(), function);
    is_made_up(name) || variable.artificial || is_foreign() || is_body() || is_format_arguments(variable, name)
}

/// Whether a variable is declared before its function is, as no user can write it: on the line of an attribute, whose macro has
/// made the function's body another one (`let body = async { .. };` of `#[tokio::main]`).
fn is_before(variable: Option<&SourceLine>, function: Option<&SourceLine>) -> bool {
    variable
        .zip(function)
        .is_some_and(|(variable, function)| variable.file == function.file && variable.line < function.line)
}

/// Names that the compiler (`__0`, `__awaitee`, `_task_context`) and attribute macros (`__tracing_attr_span`) make up:
/// two underscores are what macros mark their own with.
pub(crate) fn is_made_up(name: &str) -> bool {
    name.is_empty() || name.starts_with("__") || name == "_task_context"
}

/// What `join!`, `try_join!` and `select!` of Tokio (1.0 to 1.54, `src/macros`) and of futures-macro 0.3 call their own
/// variables. They are declared where the macro is called, and hygiene keeps the user from naming most of them.
const OF_MACROS: [&str; 14] = [
    "branch",
    "disabled",
    "fut",
    "futures",
    "futures_init",
    "is_pending",
    "mask",
    "out",
    "output",
    "rotator",
    "skip",
    "skip_next_time",
    "start",
    "to_run",
];

/// Where a macro is called that awaits at the moment: it binds a `PollFn` to the compiler's variable for what is awaited.
fn macro_called(found: &[Variable]) -> Option<&SourceLine> {
    let is_poll_fn = |ty: &Type| ty.path().starts_with("core::future::poll_fn::PollFn<");
    let is_awaited = |variable: &&Variable| {
        variable.name.as_deref() == Some("__awaitee") && variable.ty.as_ref().is_some_and(is_poll_fn)
    };
    found.iter().rfind(is_awaited)?.declared.as_ref()
}

/// Whether one of those macros made a variable, which was called on the line where the code is.
pub(crate) fn is_of_macro(variable: &Variable, at: Option<&SourceLine>) -> bool {
    let is_branch = |name: &str| {
        let number = name.strip_prefix("_fut");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    let is_named = variable.name.as_deref().is_some_and(|name| OF_MACROS.contains(&name) || is_branch(name));
    is_named && at.is_some() && variable.declared.as_ref() == at
}

/// The `args` of `format_args!`: honest as a name, but never with this type.
fn is_format_arguments(variable: &Variable, name: &str) -> bool {
    name == "args" && variable.ty.as_ref().is_some_and(|ty| ty.path().contains("core::fmt::rt::Argument"))
}

/// Before the frame base is set up, locations relative to it are wrong. Only where it counts: in the innermost frame
/// of a concrete function, between its entry and the first line after the prologue.
fn in_prologue(frame: &Frame, code: &CodeFrame, pc: FileAddr) -> bool {
    frame.index == 0 && frame.pc == frame.lookup_pc && is_prologue(code, pc)
}

/// As [`in_prologue`], for a thread that stands at `pc`.
pub(crate) fn is_prologue(code: &CodeFrame, pc: FileAddr) -> bool {
    if code.inline_depth != 0 {
        return false;
    }
    let Some(range) = code.ranges.iter().find(|range| range.contains(&code.entry)) else { return false };
    if pc < code.entry || pc >= range.end {
        return false;
    }
    let Ok(rows) = code.image.rows_in(range.clone()) else { return false };
    let end = rows.iter().find(|row| row.prologue_end).map(|row| row.address);
    end.is_some_and(|end| pc < end)
}

/// What shadows and is shadowed.
pub(crate) trait Named {
    fn name(&self) -> &str;
    fn ty(&self) -> Option<&Type>;
    fn shadow(&mut self);
}

impl Named for FrameVariable {
    fn name(&self) -> &str {
        &self.name
    }

    fn ty(&self) -> Option<&Type> {
        self.ty.as_ref()
    }

    fn shadow(&mut self) {
        self.shadowed = true;
    }
}

/// The innermost declaration of a name is the visible one; of two in one block (a match arm's binding and its guard's
/// reference to it) the one with fewer references, and the other is dropped. Each comes with its block's depth.
pub(crate) fn mark_shadowed<V: Named>(variables: &mut Vec<(u32, V)>) {
    let guard_copies: Vec<usize> = variables
        .iter()
        .enumerate()
        .filter(|(_, (depth, variable))| {
            let plain = |other: &(u32, V)| {
                other.0 == *depth && other.1.name() == variable.name() && is_reference_to(variable.ty(), other.1.ty())
            };
            variables.iter().any(plain)
        })
        .map(|(index, _)| index)
        .collect();
    for index in guard_copies.into_iter().rev() {
        variables.remove(index);
    }
    let mut seen = std::collections::HashMap::<String, (usize, u32)>::new();
    for index in 0..variables.len() {
        let Some((depth, name)) = variables.get(index).map(|(depth, variable)| (*depth, variable.name().to_owned()))
        else {
            continue;
        };
        let hidden = match seen.get(&name) {
            Some((_, earlier)) if *earlier > depth => index,
            Some((earlier_index, _)) => {
                let hidden = *earlier_index;
                seen.insert(name, (index, depth));
                hidden
            }
            None => {
                seen.insert(name, (index, depth));
                continue;
            }
        };
        if let Some((_, variable)) = variables.get_mut(hidden) {
            variable.shadow();
        }
    }
}

fn is_reference_to(reference: Option<&Type>, target: Option<&Type>) -> bool {
    let (Some(reference), Some(target)) = (reference, target) else { return false };
    match reference.kind() {
        TypeKind::Pointer(Some(pointee)) => {
            reference.at(*pointee).is_some_and(|pointee| pointee == *target || pointee.path() == target.path())
        }
        _ => false,
    }
}
