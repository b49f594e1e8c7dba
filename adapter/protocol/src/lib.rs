//! DAP as bytes and as types. It knows the order of no two messages.
//!
//! For: framing ([`Codec`]), requests and answers as types ([`Command`], [`spec`]), what weft adds to the protocol
//! ([`async_dap`]), what a launch configuration may say ([`launch`]), and the stable numbers of errors
//! ([`ErrorId`]). Not for: deciding what to answer, when, or in which order (`session` does), or looking at a
//! debuggee.
//!
//! Message types are those of the `dap` crate where they agree with version 1.71 of the specification; where they
//! lack something or write it wrongly, [`spec`] has a type of its own, with the reason beside it.
//!
//! **Invariant:** malformed input is an item ([`Incoming::Malformed`]), never an error of the stream; after any
//! input the codec finds the next well-formed message. Held by `codec`'s property tests.
//! **Invariant:** nothing is reserved for a message before its length was checked against [`MAX_MESSAGE`].
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod async_dap;
mod codec;
mod command;
mod error;
pub mod launch;
mod message;
pub mod spec;

pub use codec::{Codec, MAX_MESSAGE};
pub use command::Command;
pub use error::{Error, ErrorId};
pub use message::{
    Event, Failure, Incoming, Malformed, News, Numbered, Outgoing, Reply, Request, Response, ReverseRequest,
};
