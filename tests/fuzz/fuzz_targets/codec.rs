//! The codec, fed whatever a client may send in whatever pieces it may arrive: nothing ends the stream, nothing is held
//! back at its end.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;
use weft_protocol::{Codec, Incoming};

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (stream, sizes) = input;
    let mut codec = Codec::default();
    let mut buffer = BytesMut::new();
    let mut items = 0;
    let mut rest = stream.as_slice();
    let mut sizes = sizes.into_iter().map(usize::from);
    while !rest.is_empty() {
        // What no size is given for arrives at once.
        let (piece, later) = rest.split_at(sizes.next().map_or(rest.len(), |size| size.clamp(1, rest.len())));
        rest = later;
        buffer.extend_from_slice(piece);
        while let Some(item) = codec.decode(&mut buffer).expect("no input is an error of the stream") {
            count(&item, &mut items, stream.len());
        }
    }
    while let Some(item) = codec.decode_eof(&mut buffer).expect("no end is an error of the stream") {
        count(&item, &mut items, stream.len());
    }
    assert!(buffer.is_empty(), "{} bytes are left over", buffer.len());
});

/// Every item costs the client at least one byte, but for the one that tells of the stream's end.
fn count(_: &Incoming, items: &mut usize, bytes: usize) {
    *items += 1;
    assert!(*items <= bytes + 1, "{items} items of {bytes} bytes");
}
