//! Answers questions about a compiled file: which line, which function, which type, how to unwind.
//!
//! For: ELF and DWARF, read lazily; [`Modules`] — the files a program consists of and where each was loaded — and all
//! conversion of addresses. Not for: bytes of a live program (they come in as a [`weft_memory::Memory`]), or deciding
//! anything.
//!
//! **Invariant:** this room has never seen a process.
//! **Invariant:** an [`Image`] is immutable and `Sync`; what it caches inside never changes an answer.
//! **Invariant:** `Ok(None)` is "not there"; a broken unit fails alone, when asked.
//! **Invariant:** nothing here panics on a malformed file.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod addresses;
mod ahead;
mod arrivals;
mod awaitees;
mod awaits;
mod beside;
mod blocks;
mod browse;
mod cache;
mod companion;
mod coroutines;
mod detail;
mod dies;
mod elf;
mod error;
mod expression;
mod flow;
mod functions;
mod got;
mod image;
mod index;
mod inflate;
mod instructions;
mod kept;
mod landing;
mod lines;
mod locations;
mod mapped;
mod merged;
mod modules;
mod names;
mod naming;
mod paths;
mod places;
mod programs;
mod roots;
mod scopes;
mod scratch;
mod search;
mod sections;
mod separate;
mod skim;
mod sources;
mod space;
mod split;
mod states;
mod statics;
mod supplementary;
mod symtab;
mod tls;
mod together;
mod type_reader;
mod types;
mod united;
mod units;
mod unwind;
mod variables;
mod vtables;
mod wrappers;
mod written;

pub use awaitees::{Await, Awaits};
pub use browse::{CodeName, CodePlace};
pub use detail::Detail;
pub use error::{OpenError, SymbolError};
pub use functions::{CodeFrame, Function, FunctionKind};
pub use image::{DebugInfo, DieOffset, Image, Segment, Symbol, TlsSegment};
pub use index::{CACHE_VARIABLE, Cancelled, FunctionEntry, IndexStore, MOST_KEPT, Static, Watcher, Work, keep_indexes};
pub use instructions::ValueAt;
pub use kept::{Kept, Route, Start};
pub use landing::LandingPad;
pub use lines::{LineMatch, LineRow, SourceLine};
pub use modules::{Module, Modules};
pub use naming::{is_standard, is_user_code, symbol_name};
pub use paths::is_foreign;
pub use search::{Fit, FoundFunction, FoundSymbol, FunctionQuery, FunctionStart};
pub use separate::DebugFolders;
pub use states::{FIRST_AWAIT, PANICKED, RETURNED, UNRESUMED};
pub use types::{BaseEncoding, Enumerator, Member, TemplateArgument, Type, TypeKind, Variant, VariantPart};
pub use unwind::{CallerFrame, Found, UnwindError};
pub use variables::{Location, LocationContext, LocationError, Piece, PieceSource, Role, Variable};
pub use written::{Bases, Course, Written};
