//! What the targets share: real files torn where it hurts ([`tear`]), everything a debugger asks a compiled file
//! ([`ask`]), and a measure of the memory that answering takes ([`bounded`]).

mod ask;
mod bounds;
mod tear;

pub use ask::ask;
pub use bounds::bounded;
pub use tear::tear;
