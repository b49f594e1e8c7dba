//! Addresses to functions, inlined ones included, and what a function is called.

use std::ops::Range;
use std::sync::Arc;

use weft_memory::FileAddr;

use crate::{DieOffset, Image, SourceLine, SymbolError, Type};

/// What a function is in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// `fn`.
    Plain,
    /// The poll function of an `async fn` (`{async_fn#N}`).
    AsyncFn,
    /// The poll function of an `async {}` block (`{async_block#N}`).
    AsyncBlock,
    /// The poll function of an async closure's body (`{async_closure#N}`).
    AsyncClosure,
    /// A closure's body (`{closure#N}`).
    Closure,
    /// `drop_in_place<T>` and shims made by the compiler.
    Glue,
}

impl FunctionKind {
    /// Whether this is a coroutine's poll function.
    pub const fn is_coroutine(self) -> bool {
        matches!(self, Self::AsyncFn | Self::AsyncBlock | Self::AsyncClosure)
    }
}

/// A function as the debug information describes it, apart from any one address.
#[derive(Clone, Debug)]
pub struct Function {
    /// What a user reads: the crate path with the impl's Self type, ` {async block}` added for blocks, no hash, no
    /// `{{closure}}` (contract: Frame names).
    pub name: String,
    /// The path of namespaces as in the debug information: `mini_redis::server::{impl#0}::accept::{async_fn#0}`.
    pub path: String,
    /// The mangled name.
    pub linkage_name: Option<String>,
    /// First component of the path: `mini_redis`.
    pub krate: String,
    /// What it is.
    pub kind: FunctionKind,
    /// Where it is declared.
    pub declared: Option<SourceLine>,
    /// The DIE that holds name and parameters (abstract origin, if there is one).
    pub die: DieOffset,
}

/// One function at one address: the concrete function, or one that was inlined there.
#[derive(Clone, Debug)]
pub struct CodeFrame {
    /// The file it is in.
    pub image: Arc<Image>,
    /// What.
    pub function: Arc<Function>,
    /// All the code of this copy of it.
    pub ranges: Vec<Range<FileAddr>>,
    /// Its entry; for an inlined copy the lowest address.
    pub entry: FileAddr,
    /// For an inlined copy, where it was called.
    pub call_site: Option<SourceLine>,
    /// The DIE of this copy (`DW_TAG_subprogram` or `DW_TAG_inlined_subroutine`); its variables are below it.
    pub die: DieOffset,
    /// How deep it is inlined; 0 for the concrete function.
    pub inline_depth: u32,
}

impl CodeFrame {
    /// Template parameters of the concrete function or copy, by name (`T`, `S`).
    pub fn template_argument(&self, _name: &str) -> Option<Type> {
        todo!()
    }
    /// For a coroutine's poll function: the type of its environment (`{async_fn_env#0}`), from its unnamed parameter.
    pub fn environment_type(&self) -> Option<Type> {
        todo!()
    }
}

impl Image {
    /// The functions at an address, innermost inlined copy first, the concrete function last. Empty where there is no
    /// debug information for the address.
    pub fn frames_at(self: &Arc<Self>, _pc: FileAddr) -> Result<Vec<CodeFrame>, SymbolError> {
        todo!()
    }
    /// Bounds of the concrete function around an address, from `.eh_frame_hdr` and the FDE, without debug information.
    pub fn function_bounds(&self, _pc: FileAddr) -> Option<Range<FileAddr>> {
        todo!()
    }
    /// The concrete function's frame for an entry found in the index.
    pub fn function_frame(self: &Arc<Self>, _entry: &crate::FunctionEntry) -> Result<Option<CodeFrame>, SymbolError> {
        todo!()
    }
}
