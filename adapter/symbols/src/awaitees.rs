//! The `.await`s of a coroutine as its poll function describes them.
//!
//! rustc (1.63 to 1.97) binds what is awaited to a variable `__awaitee`, in a block of its own inside of the blocks of all
//! variables in scope there. Optimisation loses addresses and places, but neither variables nor how their blocks are nested.
//! An await that a macro of another crate made is declared where that macro is called; the environment's state of the same
//! await is declared in the macro.

use std::sync::Arc;

use crate::dies::{DieReader, Visit};
use crate::naming::without_generics;
use crate::variables::{MAX_VARIABLES, holds_variables, variable};
use crate::{CodeFrame, DieOffset, FIRST_AWAIT, Image, Member, SourceLine, SymbolError, Type, Variable, Variant};

/// The variable that an await's future is bound to, and the member that keeps it.
const AWAITEE: &str = "__awaitee";

/// Most descriptions of one poll function that are looked at to find the one of an environment.
const MAX_INSTANCES: usize = 256;

/// One `.await`.
#[derive(Clone, Debug)]
pub struct Await {
    /// What is awaited; declared where the awaited expression begins or, in a macro of another crate, where that is called.
    pub awaitee: Variable,
    /// The variables in scope, outer blocks first.
    pub in_scope: Vec<Variable>,
}

/// The `.await`s of a coroutine.
#[derive(Clone, Debug)]
pub struct Awaits {
    /// The poll function; `None` if only copies of it were compiled, inlined into others.
    pub code: Option<CodeFrame>,
    list: Vec<Await>,
}

impl Awaits {
    /// All of them, in the order in which they are described.
    pub fn all(&self) -> &[Await] {
        &self.list
    }

    /// Those that a state of the environment may stand for: one, unless several await futures of one type where their lines
    /// do not tell them apart either. Empty for the states that are no awaits.
    pub fn of_state(&self, environment: &Type, state: usize) -> Vec<&Await> {
        let variants = environment.variant_part().map_or(&[][..], |part| &part.variants);
        let Some(variant) = variants.get(state).filter(|_| state >= FIRST_AWAIT) else { return Vec::new() };
        let Some(awaited) = awaited_type(environment, variant) else { return Vec::new() };
        let is_awaited = |other: &Type| other.path() == awaited.path();
        let mut found: Vec<&Await> =
            self.list.iter().filter(|other| other.awaitee.ty.as_ref().is_some_and(is_awaited)).collect();
        let is_of = |other: &Await, variant: &Variant| {
            variant.member.declared.is_some() && other.awaitee.declared == variant.member.declared
        };
        if found.iter().any(|other| is_of(other, variant)) {
            found.retain(|other| is_of(other, variant));
            return found;
        }
        // Neither those that others stand for, nor those that begin behind it: what is left begins on an earlier line, or is
        // a macro's.
        let alike = variants.iter().skip(FIRST_AWAIT);
        let alike: Vec<&Variant> =
            alike.filter(|other| awaited_type(environment, other).is_some_and(|ty| is_awaited(&ty))).collect();
        found.retain(|other| !alike.iter().any(|variant| is_of(other, variant)));
        if let Some(end) = variant.member.declared.as_ref().filter(|line| is_in_body(variants, line)) {
            let is_behind = |begin: &SourceLine| begin.file == end.file && begin.line > end.line;
            found.retain(|other| !other.awaitee.declared.as_ref().is_some_and(is_behind));
        }
        found
    }

    /// Where the await of a state is declared, as [`Await::awaitee`] is; `None` where that cannot be told.
    pub fn line_of_state(&self, environment: &Type, state: usize) -> Option<SourceLine> {
        let found = self.of_state(environment, state);
        let (first, others) = found.split_first()?;
        let is_same = others.iter().all(|other| other.awaitee.declared == first.awaitee.declared);
        first.awaitee.declared.clone().filter(|line| is_same && line.line > 0)
    }
}

/// Whether a line is one of the coroutine's own, and not of a macro that it calls.
fn is_in_body(variants: &[Variant], line: &SourceLine) -> bool {
    // Unresumed is declared where the body begins, returned where it ends.
    match variants {
        [
            Variant { member: Member { declared: Some(first), .. }, .. },
            Variant { member: Member { declared: Some(last), .. }, .. },
            ..,
        ] => line.file == first.file && line.file == last.file && (first.line..=last.line).contains(&line.line),
        _ => false,
    }
}

/// The type of what a state awaits.
fn awaited_type(environment: &Type, variant: &Variant) -> Option<Type> {
    let payload = environment.at(variant.member.ty?)?;
    let member = payload.members().iter().find(|member| member.name == AWAITEE)?;
    payload.at(member.ty?)
}

impl Type {
    /// The awaits of the coroutine with this environment. `None` for other types, and where nothing describes the poll
    /// function: it was merged with an equal one, or compiled without types. Reads the index and the function's DIEs, each
    /// time anew.
    pub fn awaits(&self) -> Option<Awaits> {
        let image = self.image();
        let path = &self.coroutine_function()?.path;
        let mine = |die: DieOffset| {
            let described = image.function_at(die)?.die;
            let environment = image.environment_of(die).or_else(|| image.environment_of(described))?;
            (environment.path() == self.path()).then_some((die, described))
        };
        let descriptions = image.descriptions(without_generics(path));
        let (die, described) = descriptions.into_iter().take(MAX_INSTANCES).find_map(mine)?;
        let (reader, entry) = DieReader::read(image, die).ok()?;
        let code = image.frame(&reader, &entry, 0).ok().flatten();
        Some(Awaits { code, list: read(image, described).ok()? })
    }
}

/// A block with its variables, and the block around it.
struct Block {
    depth: isize,
    around: Option<usize>,
    variables: Vec<Variable>,
}

/// The awaits below a function's DIE.
fn read(image: &Arc<Image>, function: DieOffset) -> Result<Vec<Await>, SymbolError> {
    let (reader, offset) = DieReader::at(image, function)?;
    let mut blocks = vec![Block { depth: 0, around: None, variables: Vec::new() }];
    let mut innermost = 0;
    let mut count = 0;
    reader.walk(offset, holds_variables, |entry, depth| {
        let around = |index: &usize| blocks.get(*index).and_then(|block| block.around);
        let is_left = |index: &usize| blocks.get(*index).is_some_and(|block| block.depth >= depth);
        innermost = std::iter::successors(Some(innermost), around).find(|index| !is_left(index)).unwrap_or(0);
        match entry.tag() {
            gimli::DW_TAG_lexical_block if count < MAX_VARIABLES => {
                blocks.push(Block { depth, around: Some(innermost), variables: Vec::new() });
                innermost = blocks.len().saturating_sub(1);
                return Ok(Visit::Into);
            }
            gimli::DW_TAG_formal_parameter | gimli::DW_TAG_variable if count < MAX_VARIABLES => {
                if let (Some(found), Some(block)) = (variable(image, &reader, entry, depth)?, blocks.get_mut(innermost))
                {
                    block.variables.push(found);
                }
            }
            _ => {}
        }
        count = count.saturating_add(1);
        Ok(Visit::Past)
    })?;
    let is_awaitee = |variable: &&Variable| variable.name.as_deref() == Some(AWAITEE);
    let mut awaits = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        for awaitee in block.variables.iter().filter(is_awaitee) {
            let around = |index: &usize| blocks.get(*index).and_then(|block| block.around);
            let mut chain: Vec<usize> = std::iter::successors(Some(index), around).collect();
            chain.reverse();
            let in_scope = chain.iter().filter_map(|index| blocks.get(*index)).flat_map(|block| &block.variables);
            let in_scope = in_scope.filter(|variable| !is_awaitee(variable)).cloned().collect();
            awaits.push(Await { awaitee: awaitee.clone(), in_scope });
        }
    }
    Ok(awaits)
}
