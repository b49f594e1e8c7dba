//! What can be watched, as text that a client hands back.

use weft_protocol::spec::{DataAccess, DataBreakpointInfoArguments, DataBreakpointInfoResponse};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Access, Answer, Call, Watchable, WatchedData};
use crate::places::parse_address;
use crate::shared::Shared;

/// Serves `dataBreakpointInfo`.
pub(crate) fn info(shared: &Shared, asked: &DataBreakpointInfoArguments) -> Answer<DataBreakpointInfoResponse> {
    shared.need_stop()?;
    let bytes = match asked.bytes {
        None => None,
        Some(bytes) => Some(
            u64::try_from(bytes)
                .ok()
                .filter(|bytes| *bytes > 0)
                .ok_or_else(|| Error::new(ErrorId::InvalidArguments, "`bytes` must be positive"))?,
        ),
    };
    let mut found = if asked.as_address == Some(true) {
        let address = parse_address(&asked.name, None)?;
        shared.need_debuggee()?.watch_address(address, bytes.unwrap_or(8))?
    } else if let Some(reference) = asked.variables_reference.filter(|reference| *reference > 0) {
        shared.handles().find_container(reference)?.watch(&asked.name)?
    } else if let Some(frame) = asked.frame_id {
        match shared.handles().find_frame(frame)? {
            Some(frame) => frame.watch(asked.name.trim())?,
            None => Watchable::No("this frame has no variables".to_owned()),
        }
    } else {
        Watchable::No("select a frame first: expressions are evaluated in a frame".to_owned())
    };
    if let (Watchable::Yes(data, ..), Some(bytes)) = (&mut found, bytes) {
        data.size = bytes;
    }
    Ok(match found {
        Watchable::Yes(data, accesses, description) => DataBreakpointInfoResponse {
            data_id: Some(text(&data)),
            description,
            access_types: Some(accesses.into_iter().map(word).collect()),
            can_persist: Some(false),
        },
        Watchable::No(description) => DataBreakpointInfoResponse { description, ..Default::default() },
    })
}

/// `7ffc10:8:1234@7ffc80:self.count`: address, size, call (`-` without), name.
pub(super) fn text(data: &WatchedData) -> String {
    let call = match data.call {
        Some(call) => format!("{}@{:x}", call.thread, call.frame_address),
        None => "-".to_owned(),
    };
    format!("{:x}:{}:{call}:{}", data.address, data.size, data.name)
}

/// Reads it back; a client may send anything.
pub(super) fn parse(text: &str) -> Option<WatchedData> {
    let mut parts = text.splitn(4, ':');
    let address = u64::from_str_radix(parts.next()?, 16).ok()?;
    let size = parts.next()?.parse().ok()?;
    let call = match parts.next()? {
        "-" => None,
        call => {
            let (thread, frame) = call.split_once('@')?;
            let frame_address = u64::from_str_radix(frame, 16).ok()?;
            Some(Call { thread: thread.parse().ok()?, frame_address })
        }
    };
    Some(WatchedData { address, size, name: parts.next()?.to_owned(), call })
}

pub(super) fn access(word: DataAccess) -> Access {
    match word {
        DataAccess::Read => Access::Read,
        DataAccess::Write => Access::Write,
        DataAccess::ReadWrite => Access::ReadWrite,
    }
}

fn word(access: Access) -> DataAccess {
    match access {
        Access::Read => DataAccess::Read,
        Access::Write => DataAccess::Write,
        Access::ReadWrite => DataAccess::ReadWrite,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_survives_the_client() {
        let call = Some(Call { thread: 77, frame_address: 0x7ffe_0000 });
        for data in [
            WatchedData { address: 0xffff_0000_1111, size: 8, name: "a::b[1]: x".into(), call },
            WatchedData { address: 1, size: 1, name: String::new(), call: None },
        ] {
            assert_eq!(parse(&text(&data)), Some(data));
        }
        for strange in ["", "1:2", "1:2:-", "x:1:-:n", "1:1:7:n", "1:99999999999999999999:-:n"] {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }
}
