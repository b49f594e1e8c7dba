//! A compiled file of arbitrary bytes, asked what a debugger asks first: it may refuse, it may know little, it never
//! panics. Programs in `target/debuggees` make a good corpus to begin with.
#![no_main]

use std::io::Write as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use weft_memory::FileAddr;
use weft_symbols::Image;

/// Addresses asked of each executable segment.
const PROBES: u64 = 8;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    let Ok(image) = Image::open(file.path()) else { return };
    let _ = (image.debug_info(), image.build_id(), image.tls(), image.is_position_independent());
    let _ = (image.symbol("main"), image.index(), image.functions("main"), image.types("core::option::Option"));
    let _ = image.find_line(Path::new("main.rs"), 1);
    probe(&image, image.entry());
    for segment in image.segments().iter().filter(|segment| segment.executable) {
        let (start, end) = (segment.addresses.start.raw(), segment.addresses.end.raw());
        let step = (end.saturating_sub(start) / PROBES).max(1);
        for index in 0..PROBES {
            probe(&image, FileAddr::new(start.saturating_add(step.saturating_mul(index))));
        }
    }
});

fn probe(image: &std::sync::Arc<Image>, address: FileAddr) {
    let _ = (image.symbol_at(address), image.function_bounds(address), image.line_at(address));
    for frame in image.frames_at(address).unwrap_or_default() {
        for variable in frame.variables_at(address).unwrap_or_default() {
            let _ = variable.ty.map(|ty| (ty.path().len(), ty.size(), ty.members().len()));
        }
    }
}
