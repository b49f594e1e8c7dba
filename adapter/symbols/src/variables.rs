//! A frame's variables: which are in scope at an address. Where they are is worked out in [`crate::locations`].

use std::collections::HashSet;
use std::sync::Arc;

use weft_memory::{MemAddr, Memory, Registers};

use crate::dies::{DieReader, Entry, Visit, origins};
use crate::{CodeFrame, DieOffset, Image, Modules, SourceLine, SymbolError, Type};

/// Most variables of one frame that are listed.
pub(crate) const MAX_VARIABLES: usize = 10_000;

/// Argument or local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Role {
    Argument,
    Local,
}

/// A variable of a function that is in scope at some address.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name; none for the environment parameter of a poll function and for pattern parameters.
    pub name: Option<String>,
    /// Its type.
    pub ty: Option<Type>,
    /// Argument or local.
    pub role: Role,
    /// Line of its declaration, 0 if unknown.
    pub decl_line: u32,
    /// How many lexical blocks it lies in; the innermost of two with one name is the visible one.
    pub depth: u32,
    /// Made by the compiler.
    pub artificial: bool,
    /// Where it is declared; for what a macro declares, where the macro is.
    pub declared: Option<SourceLine>,
    /// `DW_AT_alignment`, if said.
    pub align: Option<u64>,
    /// The DIE of this copy of it; `None` for a parameter of which the copy kept nothing.
    pub(crate) die: Option<DieOffset>,
}

/// What a location needs to be worked out.
pub struct LocationContext<'a> {
    /// The program's memory.
    pub memory: &'a dyn Memory,
    /// The frame's registers.
    pub registers: &'a Registers,
    /// The frame's canonical frame address.
    pub cfa: Option<MemAddr>,
    /// The address whose location applies: the pc, for outer frames one less than the return address.
    pub pc: MemAddr,
    /// All images, for biases and TLS.
    pub modules: &'a Modules,
    /// The concrete function's frame (its `DW_AT_frame_base` counts), then the inlined copy that holds the variable.
    pub frame: &'a CodeFrame,
}

/// One part of a value that is spread out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes.
    pub size: u64,
    /// Where they are.
    pub source: PieceSource,
}

/// Where a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceSource {
    /// In memory.
    Memory(MemAddr),
    /// Known bytes (a register's or a constant).
    Value(Vec<u8>),
    /// Gone.
    OptimisedOut,
}

/// Where a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In memory.
    Memory(MemAddr),
    /// Known bytes: a register, a constant, a computed value.
    Value(Vec<u8>),
    /// Spread.
    Pieces(Vec<Piece>),
    /// The compiler kept no place for it at this address.
    OptimisedOut,
}

/// Why a location cannot be worked out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LocationError {
    #[error("<optimised out: {0} is not kept in this frame>")]
    MissingRegister(&'static str),
    #[error("<unsupported location: {0}>")]
    Unsupported(String),
    #[error("<{0}>")]
    Memory(#[from] weft_memory::MemoryError),
    #[error("<{0}>")]
    Symbols(#[from] SymbolError),
}

impl CodeFrame {
    /// Arguments and locals in scope at `pc` (a file address inside this copy), in order of declaration, outer blocks
    /// first. Arguments of an inlined copy that were optimised away altogether are listed too.
    pub fn variables_at(&self, pc: weft_memory::FileAddr) -> Result<Vec<Variable>, SymbolError> {
        let (reader, offset) = DieReader::at(&self.image, self.die)?;
        let mut list = Vec::new();
        let mut origins_seen = HashSet::new();
        reader.walk(offset, holds_variables, |entry, depth| {
            match entry.tag() {
                gimli::DW_TAG_lexical_block if reader.covers(entry, pc)? => return Ok(Visit::Into),
                gimli::DW_TAG_formal_parameter | gimli::DW_TAG_variable if list.len() < MAX_VARIABLES => {
                    origins_seen.extend(reader.reference(entry, gimli::DW_AT_abstract_origin));
                    list.extend(variable(&self.image, &reader, entry, depth)?);
                }
                _ => {}
            }
            Ok(Visit::Past)
        })?;
        if self.function.die != self.die {
            let at = list.iter().take_while(|variable| variable.role == Role::Argument).count();
            let lost = self.lost_arguments(&origins_seen)?;
            list.splice(at..at, lost);
        }
        Ok(list)
    }

    /// Arguments that the description of the function has and this copy does not.
    fn lost_arguments(&self, seen: &HashSet<DieOffset>) -> Result<Vec<Variable>, SymbolError> {
        let (reader, offset) = DieReader::at(&self.image, self.function.die)?;
        let mut lost = Vec::new();
        reader.walk(offset, holds_variables, |entry, depth| {
            let is_lost = || reader.die_of(entry).is_some_and(|die| !seen.contains(&die));
            if entry.tag() == gimli::DW_TAG_formal_parameter && is_lost() && lost.len() < MAX_VARIABLES {
                let variable = variable(&self.image, &reader, entry, depth)?;
                lost.extend(variable.map(|variable| Variable { die: None, ..variable }));
            }
            Ok(Visit::Past)
        })?;
        Ok(lost)
    }
}

/// A variable as it is described; `depth` counts from the function. `None` for a declaration.
pub(crate) fn variable<'a>(
    image: &'a Arc<Image>,
    reader: &DieReader<'a>,
    entry: &Entry<'a>,
    depth: isize,
) -> Result<Option<Variable>, SymbolError> {
    let Some(die) = reader.die_of(entry).filter(|_| !DieReader::flag(entry, gimli::DW_AT_declaration)) else {
        return Ok(None);
    };
    let chain = origins(image, die)?;
    let declared = chain.iter().find_map(|(reader, entry)| reader.declared(entry));
    let line = chain.iter().find_map(|(_, entry)| DieReader::number(entry, gimli::DW_AT_decl_line));
    Ok(Some(Variable {
        name: chain.iter().find_map(|(reader, entry)| reader.name(entry)),
        ty: type_of(&chain).and_then(|ty| image.type_at(ty)),
        role: match entry.tag() {
            gimli::DW_TAG_formal_parameter => Role::Argument,
            _ => Role::Local,
        },
        decl_line: line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0),
        // Only lexical blocks are walked into on the way.
        depth: u32::try_from(depth.saturating_sub(1)).unwrap_or(0),
        artificial: chain.iter().any(|(_, entry)| DieReader::flag(entry, gimli::DW_AT_artificial)),
        declared,
        align: chain.iter().find_map(|(_, entry)| DieReader::number(entry, gimli::DW_AT_alignment)),
        die: Some(die),
    }))
}

/// What a walk over a function's DIE looks at: variables, the blocks they lie in, and everything that has variables of
/// its own and is left out for that.
pub(crate) fn holds_variables(tag: gimli::DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_formal_parameter
            | gimli::DW_TAG_variable
            | gimli::DW_TAG_lexical_block
            | gimli::DW_TAG_inlined_subroutine
            | gimli::DW_TAG_subprogram
            | gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_namespace
            | gimli::DW_TAG_subroutine_type
            | gimli::DW_TAG_call_site
            | gimli::DW_TAG_GNU_call_site
    )
}

fn type_of<'a>(chain: &[(DieReader<'a>, Entry<'a>)]) -> Option<DieOffset> {
    chain.iter().find_map(|(reader, entry)| reader.reference(entry, gimli::DW_AT_type))
}
