//! Waits until this program's other threads sleep: whatever they had to do, they have done.

/// The kernel has no event for this. A thread that waits for a page (`D`) goes on by itself.
pub(crate) fn settle() {
    let own = std::fs::read_link("/proc/thread-self").expect("a thread");
    let own = own.file_name().expect("its number").to_owned();
    let mut calm = 0;
    while calm < 20 {
        let threads = std::fs::read_dir("/proc/self/task").expect("a process").filter_map(Result::ok);
        let others = threads.filter(|thread| thread.file_name() != own);
        let stats = others.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
        let runs = |stat: String| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('S'));
        calm = if stats.into_iter().any(runs) { 0 } else { calm + 1 };
        std::thread::yield_now();
    }
}
