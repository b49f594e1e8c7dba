//! A task's header: where its state, its vtable and (in old versions) its links are.

use weft_symbols::Type;

use super::context::copies;
use crate::leaves::next_offset;
use crate::shape::{find_member, peel, pointee};

/// Offsets in a header and its vtable, from the header's type. Two copies of Tokio may share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderPlan {
    /// Of the state word.
    pub(crate) state: u64,
    /// Of the pointer to the vtable.
    pub(crate) vtable: u64,
    /// In the vtable, of `poll`.
    pub(crate) poll: u64,
    /// Bytes of the vtable.
    pub(crate) vtable_size: u64,
    /// In the vtable, of `dealloc`, which drops all that the task has.
    pub(crate) dealloc: Option<u64>,
    /// In the vtable, of `shutdown`, which drops the task's future.
    pub(crate) shutdown: Option<u64>,
    /// In the vtable, of what a `JoinHandle` calls to take the output (Tokio 1.0 to 1.54).
    pub(crate) try_read_output: Option<u64>,
    /// In the vtable, of what a `JoinHandle` calls when it is dropped, unless the task was never polled (1.0 to 1.54).
    pub(crate) drop_join_handle_slow: Option<u64>,
    /// Of the link to the next task of the same list, for a task whose own cell is not known.
    pub(crate) next: Option<Next>,
}

/// Where a task's link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// In the header (Tokio up to 1.20).
    Header(u64),
    /// In the trailer (from 1.21): where in the vtable its offset is, and where in it the link is.
    Trailer { offset_in_vtable: u64, link: u64 },
}

impl HeaderPlan {
    /// Of this header type; the message says what is missing.
    pub(crate) fn of(header: &Type) -> Result<Self, String> {
        let missing = |what: &str| format!("`{}` has no `{what}` that is known", header.path());
        let (state, _) = find_member(header, &["state"], 1).ok_or_else(|| missing("state"))?;
        let (vtable, pointer) = find_member(header, &["vtable"], 1).ok_or_else(|| missing("vtable"))?;
        let vtable_type = pointee(&peel(&pointer).1).ok_or_else(|| missing("vtable"))?;
        let (poll, _) = find_member(&vtable_type, &["poll"], 1).ok_or_else(|| missing("vtable.poll"))?;
        let method = |name| find_member(&vtable_type, &[name], 1).map(|(offset, _)| offset);
        let (dealloc, try_read_output) = (method("dealloc"), method("try_read_output"));
        let (drop_join_handle_slow, shutdown) = (method("drop_join_handle_slow"), method("shutdown"));
        let vtable_size = vtable_type.size();
        let next = match find_member(header, &["owned"], 1) {
            Some((offset, links)) => Some(Next::Header(offset.saturating_add(next_offset(&links)))),
            None => trailer_link(header, &vtable_type),
        };
        Ok(Self { state, vtable, poll, vtable_size, dealloc, shutdown, try_read_output, drop_join_handle_slow, next })
    }
}

/// By name: of several copies of Tokio it is not known whose trailer that is.
fn trailer_link(header: &Type, vtable: &Type) -> Option<Next> {
    let (offset_in_vtable, _) = find_member(vtable, &["trailer_offset"], 1)?;
    if copies(header.image()) > 1 {
        return None;
    }
    let trailers = header.image().types("tokio::runtime::task::core::Trailer");
    let (offset, links) = trailers.iter().find_map(|trailer| find_member(trailer, &["owned"], 1))?;
    Some(Next::Trailer { offset_in_vtable, link: offset.saturating_add(next_offset(&links)) })
}
