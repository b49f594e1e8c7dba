//! How our own process takes memory.

/// What is larger is taken from the system by itself, and given back when it is freed.
const LARGE: libc::c_int = 128 << 10;
/// Free memory at the end of a heap that is kept.
const SPARE: libc::c_int = 128 << 10;
/// Heaps. Left alone, glibc makes up to eight for each core, and what threads free in one of them no other one uses.
const HEAPS: libc::c_int = 2;

/// Has the allocator give memory back soon instead of keeping it for later: a debugger works in bursts and then waits, on
/// a machine that its user needs. To be called before there are other threads. Where the allocator is not glibc's, nothing
/// changes.
pub fn give_memory_back_soon() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, SPARE), (libc::M_ARENA_MAX, HEAPS)]
    {
        // SAFETY: mallopt takes two numbers, and no other thread allocates yet.
        if unsafe { libc::mallopt(what, value) } == 0 {
            tracing::debug!(what, value, "the allocator does not take this");
        }
    }
}
