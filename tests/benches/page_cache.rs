//! Which of a file's pages the kernel has in memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

const PAGE: u64 = 4096;

/// Reads the whole file, so that all its pages are there.
pub(crate) fn fill(file: &Path) {
    File::open(file).and_then(|mut file| io::copy(&mut file, &mut io::sink())).expect("a readable file");
}

/// Has the kernel forget the file's pages, and sees that it did. Nobody may have it mapped.
pub(crate) fn evict(path: &Path) {
    let file = File::open(path).expect("a readable file");
    // What was never written to the disk cannot be forgotten.
    file.sync_all().expect("the file is written");
    // SAFETY: fadvise takes numbers; the descriptor is ours.
    let failed = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(failed, 0, "{}: {}", path.display(), io::Error::from_raw_os_error(failed));
    let (left, all) = resident(&file);
    assert!(left * 100 <= all, "{} of {} pages of {} stay in memory", left, all, path.display());
}

/// How many pages are in memory, and how many there are.
fn resident(file: &File) -> (usize, usize) {
    let length = usize::try_from(file.metadata().expect("a file").len()).expect("it fits");
    let mut pages = vec![0_u8; length.div_ceil(PAGE as usize)];
    // SAFETY: a new mapping of a file, which is only asked about and unmapped; mincore fills a byte for each page.
    unsafe {
        let map = libc::mmap(std::ptr::null_mut(), length, libc::PROT_NONE, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert_ne!(map, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let asked = libc::mincore(map, length, pages.as_mut_ptr());
        assert_eq!(asked, 0, "{}", io::Error::last_os_error());
        libc::munmap(map, length);
    }
    (pages.iter().filter(|page| **page & 1 == 1).count(), pages.len())
}
