//! Async blocks that nobody wrote: attribute macros wrap a function's body in one.
//!
//! `#[tracing::instrument]` puts `async move { body }` into an `async fn`, `#[async_trait]` makes a plain function that
//! returns a boxed one, `#[tokio::main]` runs one. Their names (`{async_block#0}`) are like those of blocks that stand in
//! the source; where they are declared is not (seen with rustc 1.95):
//!
//! * A block in the source contains what it awaits. Its first state is declared where it begins, its second (`Returned`)
//!   where it ends. Of a block made by a macro both are on one line, that of the attribute or the signature, and the
//!   awaits follow on other lines.
//! * A block in the source does not begin above its function or its function's parameters. A block that has the
//!   attribute's line does.
//! * A function that an attribute macro rewrote is declared where the attribute is, its parameters where they stand in
//!   the source; a block in the line of a parameter, when the function's line is another, is the rewritten body.

use std::sync::Arc;

use gimli::UnitOffset;

use crate::dies::{DieReader, Visit};
use crate::naming::{Component, Facts, is_user_code, without_generics};
use crate::scopes::join;
use crate::{DieOffset, Image, SourceLine, Type};

/// A coroutine's states that are not awaits: `Unresumed`, `Returned`, `Panicked`.
const STATES_BEFORE_AWAITS: usize = 3;

/// How many blocks and closures of one function are counted.
const MAX_SIBLINGS: u32 = 256;

/// What can be found out about one function's path.
pub(crate) struct PathFacts<'a> {
    pub(crate) image: &'a Arc<Image>,
    /// The path, the function's or environment's own name last.
    pub(crate) components: &'a [String],
    /// The DIE that the path belongs to: a function or an environment.
    pub(crate) die: DieOffset,
    pub(crate) self_type: &'a dyn Fn() -> Option<String>,
}

impl Facts for PathFacts<'_> {
    fn self_type(&self) -> Option<String> {
        (self.self_type)()
    }

    /// What cannot be found counts as the user's.
    fn is_wrapper(&self, at: usize) -> bool {
        let Some(block) = self.environment(at) else { return false };
        let Some(begin) = block.declared() else { return false };
        if let Some(answer) = wraps_by_extent(&block, begin) {
            return answer;
        }
        self.function(at).is_some_and(|function| function.wraps(begin))
    }

    /// Counts those of the same kind that come before, in the whole file: each unit knows only some of them. That needs
    /// the index, so only the user's functions are counted; others keep the compiler's number.
    fn ordinal(&self, at: usize, number: u32) -> u32 {
        let own = number.saturating_add(1);
        let Some((component, scope)) = self.components.get(at).zip(self.components.get(..at)) else { return own };
        if !scope.first().is_some_and(|krate| is_user_code(krate)) {
            return own;
        }
        let component = Component::parse(component);
        let exists = |number: &u32| {
            component.sibling(*number).is_some_and(|(function, environment)| {
                self.image.types_of_any_arguments(&join(scope, &environment)).next().is_some()
                    || !self.image.functions(&join(scope, &function)).is_empty()
            })
        };
        let before = (0..number.min(MAX_SIBLINGS)).filter(exists).count();
        u32::try_from(before).unwrap_or(number).saturating_add(1)
    }
}

impl PathFacts<'_> {
    /// The environment's type of the block at a place of the path.
    fn environment(&self, at: usize) -> Option<Type> {
        let last = at.checked_add(1) == Some(self.components.len());
        if last && let Some(ty) = self.image.type_at(self.die).filter(Type::is_coroutine) {
            return Some(ty);
        }
        if last && let Some(ty) = self.image.environment_of(self.die) {
            return Some(ty);
        }
        let scope = self.components.get(..at)?;
        let name = environment_name(self.components.get(at)?);
        let near = self.near(scope, |tag| tag == gimli::DW_TAG_structure_type, &name);
        let near = near.and_then(|die| self.image.type_at(die));
        near.or_else(|| self.image.types_of_any_arguments(&join(scope, &name)).next())
    }

    /// The function that encloses the block at a place of the path: the nearest `async fn` body or named function.
    fn function(&self, at: usize) -> Option<Signature> {
        let is_function = |name: &String| {
            let component = Component::parse(name);
            component.unnamed.is_none() || component.text.starts_with("{async_fn#")
        };
        let function = self.components.get(..at)?.iter().rposition(is_function)?;
        let (scope, name) = (self.components.get(..function)?, without_generics(self.components.get(function)?));
        let near = self.near(scope, |tag| tag == gimli::DW_TAG_subprogram, name);
        let far = || self.image.functions(&join(scope, name)).first().map(|entry| entry.die);
        Signature::read(self.image, near.or_else(far)?)
    }

    /// A DIE of that name (generic arguments apart) directly in a scope of the path, in the same unit.
    fn near(&self, scope: &[String], tag: impl Fn(gimli::DwTag) -> bool, name: &str) -> Option<DieOffset> {
        let (reader, _) = DieReader::at(self.image, self.die).ok()?;
        let mut at = reader.unit().header.root_offset();
        for component in scope {
            at = child(&reader, at, |tag| tag == gimli::DW_TAG_namespace, component)?;
        }
        reader.absolute(child(&reader, at, tag, name)?)
    }
}

/// `{async_block#1}<T>` to `{async_block_env#1}`.
fn environment_name(function: &str) -> String {
    let text = without_generics(function);
    match text.split_once('#') {
        Some((word, number)) if !word.ends_with("_env") => format!("{word}_env#{number}"),
        _ => text.to_owned(),
    }
}

/// The direct child of a DIE that has a tag and, generic arguments apart, a name.
pub(crate) fn child(
    reader: &DieReader<'_>,
    parent: UnitOffset,
    tag: impl Fn(gimli::DwTag) -> bool,
    name: &str,
) -> Option<UnitOffset> {
    let mut found = None;
    let walked = reader.walk(
        parent,
        |_| true,
        |entry, _| {
            if tag(entry.tag()) && reader.name(entry).is_some_and(|own| own == name || without_generics(&own) == name) {
                found = Some(entry.offset());
                return Ok(Visit::Stop);
            }
            Ok(Visit::Past)
        },
    );
    walked.ok().and(found)
}

/// What the states of a block say about who wrote it; `None`: nothing.
fn wraps_by_extent(block: &Type, begin: &SourceLine) -> Option<bool> {
    let variants = &block.variant_part()?.variants;
    let line = |at: usize| variants.get(at)?.member.declared.as_ref().filter(|line| line.file == begin.file);
    let end = line(1)?.line;
    if end > begin.line {
        return Some(false);
    }
    let awaits = || variants.iter().skip(STATES_BEFORE_AWAITS).filter_map(|variant| variant.member.declared.as_ref());
    let outside = awaits().any(|line| line.file == begin.file && line.line > begin.line);
    outside.then_some(true)
}

/// Where a function and its parameters are declared. Those of an `async fn` are variables of its body.
struct Signature {
    declared: SourceLine,
    parameters: Vec<u32>,
}

impl Signature {
    fn read(image: &Image, die: DieOffset) -> Option<Self> {
        let (reader, entry) = DieReader::read(image, die).ok()?;
        let declared = reader.declared(&entry)?;
        let is_body = reader.name(&entry).is_some_and(|name| Component::parse(&name).is_coroutine());
        let mut parameters = Vec::new();
        let wanted = |tag| {
            matches!(
                tag,
                gimli::DW_TAG_formal_parameter
                    | gimli::DW_TAG_variable
                    | gimli::DW_TAG_inlined_subroutine
                    | gimli::DW_TAG_lexical_block
            )
        };
        let walked = reader.walk(entry.offset(), wanted, |item, _| {
            if item.tag() == gimli::DW_TAG_formal_parameter || (is_body && item.tag() == gimli::DW_TAG_variable) {
                let line = DieReader::number(item, gimli::DW_AT_decl_line);
                parameters.extend(line.and_then(|line| u32::try_from(line).ok()));
            }
            Ok(Visit::Past)
        });
        walked.ok()?;
        Some(Self { declared, parameters })
    }

    fn wraps(&self, block: &SourceLine) -> bool {
        let rewritten = || block.line != self.declared.line && self.parameters.contains(&block.line);
        let above = || self.parameters.iter().any(|line| block.line < *line);
        block.file == self.declared.file && (block.line < self.declared.line || above() || rewritten())
    }
}
