//! Which processor cores a thread may run on.

use std::{fmt, mem};

use crate::{Pid, Tid, Tracee};

/// A set of cores.
#[derive(Clone, Copy)]
pub struct Cores(libc::cpu_set_t);

impl PartialEq for Cores {
    fn eq(&self, other: &Self) -> bool {
        // SAFETY: CPU_EQUAL only reads the two sets.
        unsafe { libc::CPU_EQUAL(&self.0, &other.0) }
    }
}

impl Eq for Cores {}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores", self.count())
    }
}

impl Cores {
    fn none() -> Self {
        // SAFETY: cpu_set_t is plain data; all zeroes is the empty set.
        Self(unsafe { mem::zeroed() })
    }

    /// Those that a thread may run on; 0 is the calling thread.
    fn of(tid: Tid) -> Option<Self> {
        let mut cores = Self::none();
        // SAFETY: the kernel writes at most as many bytes of the set as it is told it has.
        let result = unsafe { libc::sched_getaffinity(tid, size_of::<libc::cpu_set_t>(), &mut cores.0) };
        (result == 0).then_some(cores)
    }

    fn bind(&self, tid: Tid) -> bool {
        // SAFETY: the kernel reads as many bytes of the set as it is told it has.
        unsafe { libc::sched_setaffinity(tid, size_of::<libc::cpu_set_t>(), &self.0) == 0 }
    }

    /// Those that the calling thread may run on.
    pub fn of_this_thread() -> Option<Self> {
        Self::of(0)
    }

    /// Has the calling thread run on these; whether it can.
    pub fn bind_this_thread(&self) -> bool {
        self.bind(0)
    }

    /// How many.
    pub fn count(&self) -> usize {
        // SAFETY: CPU_COUNT only reads the set.
        usize::try_from(unsafe { libc::CPU_COUNT(&self.0) }).unwrap_or(0)
    }
}

impl Tracee {
    /// The cores that a thread may run on.
    pub fn cores(&self, tid: Tid) -> Option<Cores> {
        Cores::of(tid)
    }

    /// Has a thread run on these; whether it can.
    pub fn bind(&self, tid: Tid, cores: &Cores) -> bool {
        cores.bind(tid)
    }

    /// The one core that a thread ran on last.
    pub fn core_of(&self, tid: Tid) -> Option<Cores> {
        let at = last_core(self.pid(), tid)?;
        let mut core = Cores::none();
        if at >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
            return None;
        }
        // SAFETY: CPU_SET writes within the set: the number was compared with its size.
        unsafe { libc::CPU_SET(at, &mut core.0) };
        Some(core)
    }
}

/// `processor`, the 39th field of `/proc/pid/task/tid/stat`; the second one, a name, may contain anything.
fn last_core(pid: Pid, tid: Tid) -> Option<usize> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_bound_and_let_go() {
        std::thread::spawn(|| {
            let before = Cores::of_this_thread().unwrap();
            // SAFETY: gettid takes nothing.
            let tid = unsafe { libc::gettid() };
            let at = last_core(std::process::id().cast_signed(), tid).unwrap();
            let mut one = Cores::none();
            // SAFETY: the core that we are on is within the set.
            unsafe { libc::CPU_SET(at, &mut one.0) };
            assert!(one.bind_this_thread());
            assert_eq!((Cores::of_this_thread().unwrap(), one.count()), (one, 1));
            assert!(before.bind_this_thread());
            assert_eq!(Cores::of_this_thread().unwrap(), before);
        })
        .join()
        .unwrap();
    }
}
