//! What a stopped thread does in our name: a system call, or one instruction by itself.

use std::io;

use weft_memory::{MemAddr, Memory};

use super::Pace;
use crate::{LiveMemory, Mapping, Tid, Tracee, process_state, ptrace};

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Bytes of one mapping that are searched for it.
const LONGEST_SEARCH: usize = 4 << 20;

/// What came of one instruction.
pub(super) enum Ran {
    Done,
    /// It fails with this signal, at whose delivery the thread stands.
    Fault,
    /// The thread is on its way out, or gone; its end is or will be told.
    Gone,
}

impl Tracee {
    /// Has a stopped thread make one system call, which must not block, and leaves it as it was. No code is written for
    /// it: the thread executes a `syscall` instruction that the program has anyway.
    pub(crate) fn call(
        &mut self,
        tid: Tid,
        mapped: &[Mapping],
        number: libc::c_long,
        arguments: [u64; 6],
    ) -> io::Result<u64> {
        // One kind of seccomp kills whoever calls anything else than read, write and exit.
        if process_state(tid).is_err() || seccomp_is_strict(tid) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let site = self
            .memory
            .as_ref()
            .and_then(|memory| syscall_instruction(memory, mapped))
            .ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let before = ptrace::registers(tid)?;
        let mut registers = before;
        registers.rip = site.raw();
        registers.rax = number.unsigned_abs();
        registers.orig_rax = u64::MAX;
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = arguments;
        ptrace::set_registers(tid, &registers)?;
        let ran = self.run_one(tid);
        let after = ptrace::registers(tid)?;
        ptrace::set_registers(tid, &before)?;
        match ran {
            Ran::Done => {
                let answer = after.rax.cast_signed();
                if (-4095..0).contains(&answer) {
                    return Err(io::Error::from_raw_os_error(i32::try_from(answer.unsigned_abs()).unwrap_or(0)));
                }
                Ok(after.rax)
            }
            Ran::Fault | Ran::Gone => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }

    /// Has a stopped thread execute one instruction, and nothing else: signals that can wait do.
    pub(super) fn run_one(&mut self, tid: Tid) -> Ran {
        let Ok(mask) = ptrace::signal_mask(tid) else { return Ran::Gone };
        if ptrace::set_signal_mask(tid, ptrace::all_but_faults()).is_err() {
            return Ran::Gone;
        }
        let mut stop_again = false;
        let mut fetching = false;
        let ran = loop {
            let going = if std::mem::take(&mut fetching) { ptrace::cont(tid, 0) } else { ptrace::step(tid, 0) };
            if going.is_err() {
                return Ran::Gone;
            }
            let Some(status) = ptrace::wait_for(tid) else { return Ran::Gone };
            let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
            if !libc::WIFSTOPPED(status) || event == libc::PTRACE_EVENT_EXIT {
                if let Some(event) = self.digest(tid, status) {
                    self.queue.push_back(event);
                }
                return Ran::Gone;
            }
            match (event, signal) {
                (0, libc::SIGTRAP) => break Ran::Done,
                // It cannot be blocked, and the thread is asked for it again.
                (0, libc::SIGSTOP) => stop_again = true,
                (0, _) => break Ran::Fault,
                // A stop by job control, or one that we asked for: after the step. Its trap comes first if it is made.
                _ => fetching = ptrace::has_pending_trap(tid),
            }
        };
        if let Err(error) = ptrace::set_signal_mask(tid, mask) {
            tracing::debug!(tid, %error, "a thread was gone before its signals were let through again");
        }
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.pace = Pace::Step;
        }
        if stop_again {
            ptrace::send(self.pid, tid, libc::SIGSTOP);
        }
        ran
    }
}

/// A `syscall` instruction: the kernel's own library of every process has one, else the program's files do.
pub(crate) fn syscall_instruction(memory: &LiveMemory, mapped: &[Mapping]) -> Option<MemAddr> {
    let mut code: Vec<&Mapping> = mapped.iter().filter(|mapping| mapping.executable && mapping.readable).collect();
    code.sort_by_key(|mapping| mapping.label != "[vdso]");
    code.into_iter().filter(|mapping| mapping.label != "[vsyscall]").find_map(|mapping| {
        let length = usize::try_from(mapping.end.since(mapping.start)?).ok()?.min(LONGEST_SEARCH);
        let bytes = memory.read_bytes(mapping.start, length).ok()?;
        let mut places = bytes.windows(SYSCALL.len()).enumerate().filter(|(_, bytes)| *bytes == SYSCALL);
        places.find_map(|(at, _)| {
            let at = mapping.start.checked_add(at as u64)?;
            // What is read is not what is there if a trap lies in it.
            let trapped = memory.is_planted(at) || memory.is_planted(at.offset(1));
            (!trapped).then_some(at)
        })
    })
}

/// Whether the kernel kills the thread for any call but the most ordinary ones (`Seccomp: 1`).
pub(crate) fn seccomp_is_strict(tid: Tid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "1"))
}
