//! The names at a place in the code, before there is a program.

use std::sync::Arc;

use weft_memory::FileAddr;
use weft_symbols::{CodeFrame, Image, Kept, Modules, Route, Start, Variable};

use super::EvaluateError;
use super::reach::{static_paths, static_variable};
use super::spot::{Held, Spot};
use crate::polling::awaited_across;
use crate::variables::{Declared, declared, is_prologue, outlived_by, without_variables};
use crate::{At, ValueError};

/// A place in the code, with the names in scope there.
pub(super) struct Location<'a> {
    modules: &'a Modules,
    /// None: a place in no file.
    image: Option<&'a Arc<Image>>,
    pc: FileAddr,
    /// The innermost function there; none without debug information.
    code: Option<CodeFrame>,
    variables: Vec<Declared>,
    prologue: bool,
}

impl<'a> Location<'a> {
    /// The names at an address of a file.
    pub(super) fn new(modules: &'a Modules, image: &'a Arc<Image>, pc: FileAddr) -> Result<Self, EvaluateError> {
        let code = image.frames_at(pc).map_err(ValueError::from)?.into_iter().next();
        let variables = code.as_ref().map_or_else(|| Ok(Vec::new()), |code| declared(code, pc))?;
        let prologue = code.as_ref().is_some_and(|code| is_prologue(code, pc));
        Ok(Self { modules, image: Some(image), pc, code, variables, prologue })
    }

    /// A place without names.
    #[cfg(test)]
    pub(super) fn without_names(modules: &'a Modules) -> Self {
        Self { modules, image: None, pc: FileAddr::new(0), code: None, variables: Vec::new(), prologue: false }
    }

    /// Names for hints.
    pub(super) fn names(&self) -> Vec<String> {
        self.variables.iter().filter(|variable| !variable.shadowed).map(|variable| variable.name.clone()).collect()
    }

    /// Why there are no names, if that is not the source's doing.
    pub(super) fn nameless(&self) -> Option<String> {
        let image = self.image.filter(|_| self.variables.is_empty())?;
        without_variables(image, self.pc, self.code.as_ref())
    }

    /// What a name stands for: the visible variable, or a static. `None`: nothing is called so.
    pub(super) fn lookup(&self, name: &str) -> Option<Result<Spot, EvaluateError>> {
        self.variable(name).or_else(|| self.static_variable(name))
    }

    /// The visible variable of that name.
    pub(super) fn variable(&self, name: &str) -> Option<Result<Spot, EvaluateError>> {
        let declared = self.variables.iter().find(|variable| !variable.shadowed && variable.name == name)?;
        Some(self.spot(declared))
    }

    fn static_variable(&self, name: &str) -> Option<Result<Spot, EvaluateError>> {
        let within = self.code.as_ref().map_or("", |code| code.function.path.as_str());
        let place = static_paths(name, within).iter().find_map(|path| static_variable(self.modules, path))?;
        Some(place.map(|place| {
            let held = match place.at {
                At::Memory(address) => Held::Memory(Route::new(Start::Zero, address.raw().cast_signed())),
                _ => Held::Unknown,
            };
            Spot::new(place.ty, held)
        }))
    }

    fn spot(&self, declared: &Declared) -> Result<Spot, EvaluateError> {
        let name = &declared.name;
        let ty = declared.wide.as_ref().or(declared.variable.ty.as_ref()).cloned();
        let ty = ty.ok_or_else(|| ValueError::NoType(format!("`{name}`")))?;
        let Some(code) = &self.code else { return Ok(Spot::new(ty, Held::Unknown)) };
        if self.prologue {
            return Err(EvaluateError::Unavailable(format!(
                "`{name}` is not set up yet at this address: the function is just being entered; stop at its first line"
            )));
        }
        let kept = declared.variable.kept(code, self.pc).map_err(ValueError::from)?;
        if kept == Kept::Nowhere && ty.size() > 0 {
            return if self.is_passed_too(declared) {
                Ok(Spot::new(ty, Held::Unknown))
            } else {
                Err(EvaluateError::Unavailable(format!(
                    "`{name}` is <optimised out> at this address; use another line, or build with `opt-level = 0`"
                )))
            };
        }
        let in_scope: Vec<&Variable> = self.variables.iter().map(|declared| &declared.variable).collect();
        if outlived_by(&declared.variable, &in_scope, code, self.pc).is_some() {
            return Ok(Spot::new(ty, Held::Unknown));
        }
        let kept = match (&declared.wide, kept) {
            (Some(wide), Kept::Memory(route)) => before(route, wide),
            (Some(_), _) => Held::Unknown,
            (None, Kept::Memory(route)) if self.may_be_lost(declared, &route) => Held::Unknown,
            (None, Kept::Memory(route)) => self.loaded(route).map_or(Held::Unknown, Held::Memory),
            (None, Kept::Number(route)) => self.loaded(route).map_or(Held::Unknown, Held::Number),
            (None, Kept::Register(register)) => Held::Register(register),
            (None, _) => Held::Unknown,
        };
        Ok(Spot::new(ty, kept))
    }

    /// The way in memory: file addresses as they were loaded.
    fn loaded(&self, route: Route) -> Option<Route> {
        let Start::Address(address) = route.start else { return Some(route) };
        let bias = self.modules.of(&self.code.as_ref()?.image)?.bias;
        let start = bias.to_memory(address).raw().cast_signed();
        let mut steps = route.steps;
        if let Some(first) = steps.first_mut() {
            *first = first.wrapping_add(start);
        }
        Some(Route { start: Start::Zero, steps })
    }

    /// An `async fn`'s argument is described twice: where the binding is gone, what was passed may still be there.
    fn is_passed_too(&self, declared: &Declared) -> bool {
        let same = |other: &&Declared| {
            other.name == declared.name
                && other.variable.decl_line == declared.variable.decl_line
                && other.variable.ty == declared.variable.ty
        };
        self.variables.iter().filter(same).count() > 1
    }

    /// In a coroutine, what lies on the stack and was in scope at an `.await` is not what it was once it is resumed.
    fn may_be_lost(&self, declared: &Declared, route: &Route) -> bool {
        let Some(code) = self.code.as_ref().filter(|code| code.function.kind.is_coroutine()) else { return false };
        route.steps.len() == 1 && awaited_across(code, &declared.variable)
    }
}

/// Where the wide pointer lies of which a way leads to the first element.
fn before(route: Route, wide: &weft_symbols::Type) -> Held {
    let pointer = wide.members().iter().find(|member| member.name == "data_ptr");
    let offset = pointer.and_then(|member| i64::try_from(member.offset).ok());
    match (route.before_last_read(), offset) {
        (Some(route), Some(offset)) => Held::Memory(route.plus(offset.wrapping_neg())),
        _ => Held::Unknown,
    }
}
