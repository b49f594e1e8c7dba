//! What a program writes, as text.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::debuggee::Channel;
use crate::events::EventSender;
use crate::shared::lock;

/// Passes output on as it comes. A character that is cut in two by a read waits for its second half.
pub struct Pump {
    events: EventSender,
    halves: Mutex<HashMap<Channel, Vec<u8>>>,
}

impl Pump {
    /// One for a program whose news go that way.
    pub fn new(events: EventSender) -> Self {
        Self { events, halves: Mutex::default() }
    }

    /// Passes bytes on, as [`EventSender::output`] does text. False: nobody listens any more.
    pub fn write(&self, channel: Channel, bytes: &[u8]) -> bool {
        let text = {
            let mut halves = lock(&self.halves);
            let pending = halves.entry(channel).or_default();
            pending.extend_from_slice(bytes);
            take_text(pending)
        };
        text.is_empty() || self.events.output(channel, text)
    }
}

/// Takes all whole characters; what is no UTF-8 becomes U+FFFD, an unfinished character at the end stays.
fn take_text(pending: &mut Vec<u8>) -> String {
    let unfinished = match std::str::from_utf8(pending) {
        Err(error) if error.error_len().is_none() => pending.len().saturating_sub(error.valid_up_to()),
        // Broken in the middle; the end may be unfinished all the same, which the lossy conversion shows as broken.
        _ => 0,
    };
    let rest = pending.split_off(pending.len().saturating_sub(unfinished));
    let whole = std::mem::replace(pending, rest);
    String::from_utf8_lossy(&whole).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_put_together() {
        let mut pending = "grü".as_bytes().get(..3).unwrap_or_default().to_vec();
        assert_eq!(take_text(&mut pending), "gr");
        pending.extend_from_slice(&"ü!".as_bytes()[1..]);
        assert_eq!(take_text(&mut pending), "ü!");
        assert_eq!(pending, Vec::<u8>::new());
    }

    #[test]
    fn what_is_no_text_is_marked() {
        let mut pending = vec![b'a', 0xff, b'b'];
        assert_eq!(take_text(&mut pending), "a\u{fffd}b");
    }
}
