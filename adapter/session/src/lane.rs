//! x
use crate::debuggee::{Channel, DebuggeeEvent};
/// x
pub(crate) enum Input {
    Event(DebuggeeEvent),
    Output(Channel, String),
}
