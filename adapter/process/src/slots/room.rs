//! Where a debuggee's address space has room for slots.

use std::ops::Range;

use weft_memory::MemAddr;

use crate::Mapping;

const PAGE: u64 = 4096;
/// How far code and its slots may be apart: a signed 32-bit displacement, less some for data behind the code's file.
const REACH: u64 = (1 << 31) - (128 << 20);
/// The kernel maps nothing below for ordinary users (`vm.mmap_min_addr`).
const LOWEST: u64 = 0x10000;
/// End of the addresses that a program has with four levels of page tables, less the kernel's guard page.
const HIGHEST: u64 = (1 << 47) - PAGE;

/// The addresses that the file or area with the code at `address` takes up; none if nothing is mapped there.
pub(crate) fn extent(mappings: &[Mapping], address: MemAddr) -> Option<Range<MemAddr>> {
    let at = mappings.iter().find(|mapping| mapping.start <= address && address < mapping.end)?;
    let near = |mapping: &&Mapping| {
        let (low, high) = (mapping.start.min(address), mapping.end.max(address));
        mapping.path.is_some()
            && mapping.path == at.path
            && mapping.inode == at.inode
            && high.since(low).is_some_and(|span| span < REACH / 2)
    };
    let start = mappings.iter().filter(near).map(|mapping| mapping.start).min().unwrap_or(at.start);
    let end = mappings.iter().filter(near).map(|mapping| mapping.end).max().unwrap_or(at.end);
    Some(start..end)
}

/// Addresses at which `size` bytes (whole pages) could be mapped within reach of all of `around`, the best one first:
/// near, and below rather than above, because heaps grow upwards. Never where the first thread's stack grows.
pub(crate) fn holes(mappings: &[Mapping], around: &Range<MemAddr>, size: u64) -> Vec<MemAddr> {
    let mut found = Vec::new();
    let mut low = LOWEST;
    let ends = mappings.iter().map(|mapping| (mapping.start.raw(), mapping.end.raw(), mapping.label.as_str()));
    for (high, next, label) in ends.chain([(HIGHEST, HIGHEST, "")]) {
        let hole = low..high;
        low = low.max(next);
        // A page is left free at either side.
        let (Some(first), Some(behind)) = (hole.start.checked_add(PAGE), hole.end.checked_sub(PAGE)) else { continue };
        let is_below = hole.end <= around.start.raw();
        let top = if is_below { behind } else { behind.min(around.start.raw().saturating_add(REACH)) & !(PAGE - 1) };
        let Some(start) = top.checked_sub(size).filter(|start| *start >= first) else { continue };
        let reach = if is_below {
            around.end.raw().saturating_sub(start)
        } else {
            start.saturating_add(size).saturating_sub(around.start.raw())
        };
        if label != "[stack]" && reach <= REACH {
            found.push((!is_below, reach, MemAddr::new(start)));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, _, start)| start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: u64, end: u64, path: Option<&str>, label: &str) -> Mapping {
        Mapping {
            start: MemAddr::new(start),
            end: MemAddr::new(end),
            readable: true,
            writable: false,
            executable: true,
            shared: false,
            offset: 0,
            inode: u64::from(path.is_some()),
            path: path.map(Into::into),
            deleted: false,
            label: label.to_owned(),
        }
    }

    fn first(mappings: &[Mapping], address: u64, size: u64) -> Option<u64> {
        let around = extent(mappings, MemAddr::new(address)).unwrap();
        holes(mappings, &around, size).first().map(|start| start.raw())
    }

    #[test]
    fn below_a_program_and_below_a_static_one() {
        let high = [
            mapping(0x5555_5555_4000, 0x5555_5556_0000, Some("/p"), ""),
            mapping(0x5555_5556_0000, 0x5555_5560_0000, Some("/p"), ""),
            mapping(0x5555_5570_0000, 0x5555_5580_0000, None, "[heap]"),
            mapping(0x7fff_f000_0000, 0x7fff_f010_0000, None, "[stack]"),
        ];
        assert_eq!(first(&high, 0x5555_5555_5000, 0x10000), Some(0x5555_5555_4000 - 0x11000));
        let low = [mapping(0x40_0000, 0x50_0000, Some("/p"), "")];
        assert_eq!(first(&low, 0x40_0000, 0x10000), Some(0x40_0000 - 0x11000));
        // No room below: as far above as the code reaches, away from where the heap grows.
        let lowest = [mapping(0x11000, 0x50_0000, Some("/p"), "")];
        assert_eq!(first(&lowest, 0x20000, 0x10000), Some((0x11000 + REACH) - 0x10000));
    }

    #[test]
    fn among_libraries_and_never_where_the_stack_grows() {
        let packed = [
            mapping(0x7f00_0000_0000, 0x7f00_9000_0000, Some("/a"), ""),
            mapping(0x7f00_9000_0000, 0x7f00_9001_0000, Some("/b"), ""),
            mapping(0x7f00_9004_0000, 0x7f00_9008_0000, Some("/c"), ""),
        ];
        assert_eq!(first(&packed, 0x7f00_9005_0000, 0x10000), Some(0x7f00_9004_0000 - 0x11000));
        let stack = [
            mapping(0x7f00_9000_0000, 0x7f00_9001_0000, Some("/b"), ""),
            mapping(0x7f00_9f00_0000, 0x7fff_ffff_e000, None, "[stack]"),
        ];
        let found = first(&stack, 0x7f00_9000_0000, 0x10000).unwrap();
        assert!(found < 0x7f00_9000_0000, "{found:x}");
        assert!(extent(&stack, MemAddr::new(0x1000)).is_none());
    }
}
