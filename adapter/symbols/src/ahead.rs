//! What code is ahead of an address, and who compiled it.

use std::collections::BTreeSet;
use std::ops::Range;

use weft_memory::FileAddr;

use crate::flow::Flow;
use crate::{CodeFrame, Image};

/// Files of the system's own runtime, by how their names begin: glibc's libraries and loader, musl's, GCC's support library
/// and the kernel's.
const SYSTEM_RUNTIME: [&str; 12] = [
    "libc.so",
    "libc-2.",
    "libm.so",
    "libpthread.so",
    "libdl.so",
    "librt.so",
    "libresolv.so",
    "libgcc_s.so",
    "ld-linux",
    "ld-musl",
    "libc.musl",
    "[vdso]",
];

impl Image {
    /// Whether this is the C library or what comes with it: what every program stands on, as on the standard library.
    /// Its debug information may be installed, and is nobody's own code for that.
    pub fn is_system_runtime(&self) -> bool {
        let name = self.name();
        SYSTEM_RUNTIME.iter().any(|beginning| name.starts_with(beginning))
    }

    /// Whether the code at an address came compiled with the toolchain: the standard library's units say that they were
    /// built in `/rustc/<commit>` or `/rust/deps` (both are how rust-lang's builds rename their folders). Generic code of
    /// the standard library is compiled with whoever uses it, and does not.
    pub fn came_with_the_toolchain(&self, address: FileAddr) -> bool {
        let root = self.unit_at(address).and_then(|unit| self.unit_root(unit).ok());
        let directory = root.and_then(|root| self.read_string(Some(&root), root.directory.as_ref()?));
        directory.is_some_and(|directory| directory.starts_with(b"/rustc/") || directory.starts_with(b"/rust/"))
    }
}

impl CodeFrame {
    /// The code of this concrete function that is executed from an address on, before any of `stops` is reached, in the
    /// order in which it is. Unwinding is no way on. `None` where not all jumps can be followed, and for inlined copies.
    pub fn code_ahead(&self, from: FileAddr, stops: &BTreeSet<FileAddr>) -> Option<Vec<Range<FileAddr>>> {
        if self.inline_depth > 0 {
            return None;
        }
        let mut ranges: Vec<_> = self.ranges.iter().map(|range| range.start.raw()..range.end.raw()).collect();
        ranges.sort_by_key(|range| !range.contains(&self.entry.raw()));
        let flow = Flow::read(&self.image, &ranges, self.entry.raw())?;
        let first = flow.block_at(from.raw())?;
        let piece = |block: usize| {
            let mut code = flow.code(block);
            if block == first {
                code.start = code.start.max(from.raw());
            }
            // The very first instruction is where the thread stands, and stops nothing.
            let after = FileAddr::new(code.start.saturating_add(u64::from(code.start == from.raw())));
            let stop = stops.range(after..FileAddr::new(code.end)).next();
            let is_cut = stop.is_some();
            code.end = stop.map_or(code.end, |stop| stop.raw());
            (code, is_cut)
        };
        // Blocks behind all that lead to them: the reverse of the order in which a walk in depth leaves them.
        let mut left: Vec<Range<FileAddr>> = Vec::new();
        let mut seen = BTreeSet::from([first]);
        let mut open = vec![(first, 0_usize)];
        while let Some((block, next)) = open.last_mut() {
            let (code, is_cut) = piece(*block);
            let follower = flow.after(*block).get(*next).filter(|_| !is_cut).copied();
            *next = next.saturating_add(1);
            match follower {
                Some(follower) if seen.insert(follower) => open.push((follower, 0)),
                Some(_) => {}
                None => {
                    if !code.is_empty() {
                        left.push(FileAddr::new(code.start)..FileAddr::new(code.end));
                    }
                    open.pop();
                }
            }
        }
        left.reverse();
        Some(left)
    }
}
