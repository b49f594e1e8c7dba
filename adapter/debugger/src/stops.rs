//! From a stopped tracee to the immutable value that everybody reads.

use std::collections::HashMap;
use std::sync::Arc;

use weft_process::{ProcessError, Socket, Sockets, StoppedMemory, Tracee, thread_name};
use weft_symbols::Modules;
use weft_values::{Clock, Descriptors, Ends, Stacks, Stop, ThreadState};

/// What can be read of a tracee whose threads are all stopped. Threads that are gone by now are left out.
pub fn stop_of(tracee: &Tracee, modules: Arc<Modules>) -> Result<Stop, ProcessError> {
    let memory = Arc::new(tracee.stopped_memory()?);
    let pid = tracee.pid();
    let mut tids = tracee.threads();
    tids.sort_by_key(|tid| (*tid != pid, *tid));
    let threads = tids.into_iter().filter_map(|tid| thread_of(tracee, tid)).collect();
    Ok(Stop {
        generation: memory.generation(),
        pid,
        memory: memory.clone(),
        modules,
        threads,
        clock: now(),
        descriptors: Some(Arc::new(Live { pid, sockets: Sockets::new(pid), memory })),
        stacks: Stacks::default(),
    })
}

/// The descriptors of a stopped program.
struct Live {
    pid: i32,
    sockets: Sockets,
    memory: Arc<StoppedMemory>,
}

impl Descriptors for Live {
    fn ends(&self, fd: i32) -> Option<Ends> {
        let socket = self.sockets.of(fd)?;
        // Once the program has run on, the descriptor may be another socket's.
        self.memory.is_current().then_some(Ends { local: socket.local, peer: socket.peer })
    }

    fn target(&self, fd: i32) -> Option<String> {
        let link = std::fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).ok()?;
        self.memory.is_current().then(|| link.to_string_lossy().into_owned())
    }

    fn kept(&self) -> Option<Arc<dyn Descriptors>> {
        let ends = |socket: Socket| Ends { local: socket.local, peer: socket.peer };
        Some(Arc::new(Kept(self.sockets.all().into_iter().map(|(fd, socket)| (fd, ends(socket))).collect())))
    }
}

/// What the descriptors were.
struct Kept(HashMap<i32, Ends>);

impl Descriptors for Kept {
    fn ends(&self, fd: i32) -> Option<Ends> {
        self.0.get(&fd).cloned()
    }
}

/// A stopped thread of a tracee.
pub(crate) fn thread_of(tracee: &Tracee, tid: i32) -> Option<ThreadState> {
    let registers = tracee.registers(tid).ok()?;
    Some(ThreadState { tid, name: thread_name(tracee.pid(), tid).unwrap_or_default(), registers })
}

/// `CLOCK_MONOTONIC`, which the debuggee's `Instant`s are readings of.
fn now() -> Option<Clock> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).ok()?;
    Some(Clock { seconds: now.tv_sec(), nanoseconds: u32::try_from(now.tv_nsec()).ok()? })
}
