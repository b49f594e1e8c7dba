//! One thread of a running process, held for a moment.

use std::{
    io,
    marker::PhantomData,
    thread,
    time::{Duration, Instant},
};

use weft_memory::MemAddr;

use super::{CODE_SIZE, Calls, Placed, code, head};
use crate::{
    LiveMemory, Pid, ProcessError, Tid, attach, mappings, proc, process_state, ptrace,
    tracee::{seccomp_is_strict, syscall_instruction},
};

/// How long a thread may take to stop: it is at once there unless it is in the kernel and cannot be interrupted.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_micros(50);
/// Stops on the way to the one that was asked for, at most.
const MOST_STOPS: usize = 1000;
/// The segment of 64-bit code.
const CODE_64: u64 = 0x33;
/// The kernel's page size on x86-64, in bytes.
const PAGE: usize = 4096;

/// The kernel's own results of a system call that was interrupted (Linux, include/linux/errno.h).
mod interrupted {
    pub(super) const RESTART: i64 = -512;
    pub(super) const RESTART_NO_INTERRUPTION: i64 = -513;
    pub(super) const RESTART_NO_HANDLER: i64 = -514;
    /// With what is left of its time: by a call of its own.
    pub(super) const RESTART_BLOCK: i64 = -516;
}

/// A stopped thread of a process whose other threads run on. It goes on when this is dropped.
#[derive(Debug)]
pub struct Borrowed {
    pid: Pid,
    pub(super) tid: Tid,
    pub(super) memory: LiveMemory,
    /// A signal that arrived, to be delivered when the thread goes on.
    pub(super) owed: i32,
    not_send: PhantomData<*const ()>,
}

impl Borrowed {
    /// Stops one thread of a process, does something with it and lets it go on. All of it happens on a thread made for it:
    /// whatever goes wrong, the kernel sets the borrowed one free when that ends.
    pub fn with<T: Send>(
        pid: Pid,
        tid: Tid,
        errand: impl FnOnce(Self) -> Result<T, ProcessError> + Send,
    ) -> Result<T, ProcessError> {
        let work = move || errand(Self::take(pid, tid)?);
        thread::scope(|scope| {
            let worker = thread::Builder::new().name("borrower".to_owned()).spawn_scoped(scope, work);
            let worker = worker.map_err(ProcessError::system("no thread can be started"))?;
            worker.join().unwrap_or(Err(ProcessError::ThreadGone(tid)))
        })
    }

    fn take(pid: Pid, tid: Tid) -> Result<Self, ProcessError> {
        let memory = LiveMemory::open(pid)?;
        ptrace::seize(tid, 0).map_err(|reason| attach::refusal(pid, reason))?;
        ptrace::interrupt(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
        let held = Self { pid, tid, memory, owed: 0, not_send: PhantomData };
        for _ in 0..MOST_STOPS {
            let status = held.wait()?;
            match (status >> 16, libc::WSTOPSIG(status)) {
                (libc::PTRACE_EVENT_STOP, libc::SIGTRAP) => return Ok(held),
                (libc::PTRACE_EVENT_STOP, _) => return Err(ProcessError::JobControl(pid)),
                (event, signal) => {
                    // Any stop answers the request for one.
                    let deliver = if event == 0 { signal } else { 0 };
                    let going = ptrace::interrupt(tid).and_then(|()| ptrace::cont(tid, deliver));
                    going.map_err(|_| ProcessError::ThreadGone(tid))?;
                }
            }
        }
        Err(ProcessError::Unstoppable(tid))
    }

    /// Waits for the next stop.
    pub(super) fn wait(&self) -> Result<i32, ProcessError> {
        let begun = Instant::now();
        loop {
            match ptrace::poll(self.tid) {
                Some(status) if libc::WIFSTOPPED(status) => return Ok(status),
                Some(_) => return Err(ProcessError::ThreadGone(self.tid)),
                None if begun.elapsed() >= PATIENCE => return Err(ProcessError::Unstoppable(self.tid)),
                None => thread::sleep(LOOK),
            }
        }
    }

    pub(super) fn registers(&self) -> Result<libc::user_regs_struct, ProcessError> {
        ptrace::registers(self.tid).map_err(|_| ProcessError::ThreadGone(self.tid))
    }

    fn set_registers(&self, registers: &libc::user_regs_struct) -> Result<(), ProcessError> {
        ptrace::set_registers(self.tid, registers).map_err(|_| ProcessError::ThreadGone(self.tid))
    }

    /// Whether the thread was in a system call that waits for the outside or for another thread, so that it holds none of
    /// the C library's locks: with those held, the library calls the kernel to change mappings, which cannot be interrupted, and
    /// to wait for another of its locks, which it does in a way of its own. A thread that waits only for a moment may hold those
    /// of another memory allocator: [`Rest`] tells.
    pub fn is_idle(&self) -> bool {
        let Ok(registers) = self.registers() else { return false };
        let number = libc::c_long::try_from(registers.orig_rax.cast_signed()).unwrap_or(-1);
        let is_lock = number == libc::SYS_futex && !waits_with_bits(registers.rsi);
        is_64_bit(&registers) && was_interrupted(&registers) && !is_lock
    }

    /// Whether the thread executes its program's instructions, and is not in a system call.
    pub(super) fn is_in_program(&self) -> bool {
        self.registers().is_ok_and(|registers| is_64_bit(&registers) && registers.orig_rax.cast_signed() < 0)
    }

    /// Puts calls into the program's memory.
    pub fn place(&mut self, calls: &Calls) -> Result<Placed, ProcessError> {
        let area = xsave_size().ok_or(ProcessError::Processor)?;
        let data = calls.size()?.saturating_add(area).next_multiple_of(PAGE);
        let size = CODE_SIZE.saturating_add(data) as u64;
        let failed = ProcessError::system("the program can map no memory for what it is to execute");
        let (readable, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let arguments = [0, size, word(readable), word(flags), u64::MAX, 0];
        let code = self.system_call(libc::SYS_mmap, arguments).map(MemAddr::new).map_err(failed)?;
        let start = code.raw().wrapping_add(CODE_SIZE as u64);
        let writable = word(libc::PROT_READ | libc::PROT_WRITE);
        let failed = ProcessError::system("the program cannot write to memory that it has mapped");
        self.system_call(libc::SYS_mprotect, [start, data as u64, writable, 0, 0, 0]).map_err(failed)?;
        let placed = Placed { memory: self.memory.clone(), code, texts: calls.layout().texts };
        self.write(code, code::bytes())?;
        self.write(MemAddr::new(start), &calls.data(code))?;
        Ok(placed)
    }

    fn write(&self, at: MemAddr, bytes: &[u8]) -> Result<(), ProcessError> {
        let failed = |error: weft_memory::MemoryError| ProcessError::System {
            what: "the program's memory cannot be written to",
            reason: io::Error::other(error.to_string()),
        };
        self.memory.write(at, bytes).map_err(failed)
    }

    /// Sends the thread on its round, and lets go of it.
    pub fn send(self, placed: &Placed) -> Result<(), ProcessError> {
        let mut registers = self.registers()?;
        // As the kernel would when the thread goes on (`arch_do_signal_or_restart`): a call that begins anew does so at its
        // instruction, which is two bytes long.
        if registers.orig_rax.cast_signed() >= 0 {
            let again = match registers.rax.cast_signed() {
                interrupted::RESTART | interrupted::RESTART_NO_INTERRUPTION | interrupted::RESTART_NO_HANDLER => {
                    Some(registers.orig_rax)
                }
                interrupted::RESTART_BLOCK => Some(libc::SYS_restart_syscall.unsigned_abs()),
                _ => None,
            };
            if let Some(number) = again {
                registers.rax = number;
                registers.rip = registers.rip.wrapping_sub(2);
            }
        }
        registers.orig_rax = u64::MAX;
        self.write(placed.head(head::BACK), &registers.rip.to_le_bytes())?;
        registers.rip = placed.code.raw();
        self.set_registers(&registers)
    }

    /// Has the thread make one system call, which must not block, by an instruction that its program has anyway.
    fn system_call(&mut self, number: libc::c_long, arguments: [u64; 6]) -> io::Result<u64> {
        // One kind of seccomp kills whoever calls anything else than read, write and exit.
        if seccomp_is_strict(self.tid) {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let mapped = mappings(self.pid).map_err(io::Error::other)?;
        let site = syscall_instruction(&self.memory, &mapped).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        let before = ptrace::registers(self.tid)?;
        let mut registers = before;
        (registers.rip, registers.rax, registers.orig_rax) = (site.raw(), number.unsigned_abs(), u64::MAX);
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = arguments;
        let after = self.without_signals(|held| {
            ptrace::set_registers(held.tid, &registers)?;
            let stepped = held.step();
            let after = ptrace::registers(held.tid);
            ptrace::set_registers(held.tid, &before)?;
            stepped.map_err(io::Error::other)?;
            after
        })?;
        let answer = after.rax.cast_signed();
        if (-4095..0).contains(&answer) {
            return Err(io::Error::from_raw_os_error(i32::try_from(answer.unsigned_abs()).unwrap_or(0)));
        }
        Ok(after.rax)
    }

    /// Does something while the thread is told of no signals but those of its own making; they wait.
    pub(super) fn without_signals<T>(&mut self, errand: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let mask = ptrace::signal_mask(self.tid)?;
        ptrace::set_signal_mask(self.tid, ptrace::all_but_faults())?;
        let done = errand(self);
        ptrace::set_signal_mask(self.tid, mask)?;
        done
    }

    /// Has the thread execute one instruction. Whether it did without a fault; that is delivered when it goes on.
    pub(super) fn step(&mut self) -> Result<bool, ProcessError> {
        let gone = |_| ProcessError::ThreadGone(self.tid);
        let mut fetching = false;
        for _ in 0..MOST_STOPS {
            let going = if fetching { ptrace::cont(self.tid, 0) } else { ptrace::step(self.tid, 0) };
            going.map_err(gone)?;
            let status = self.wait()?;
            match (status >> 16, libc::WSTOPSIG(status)) {
                (0, libc::SIGTRAP) => return Ok(true),
                // It cannot be blocked, and is delivered later.
                (0, libc::SIGSTOP) => self.owed = libc::SIGSTOP,
                (0, signal) => {
                    self.owed = signal;
                    return Ok(false);
                }
                // A stop by job control: after the step, whose trap comes first if it is made.
                _ => fetching = ptrace::has_pending_trap(self.tid),
            }
        }
        Err(ProcessError::Unstoppable(self.tid))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Err(error) = ptrace::detach(self.tid, self.owed) {
            tracing::debug!(tid = self.tid, %error, "a thread was gone before it was let go");
        }
    }
}

/// Where a thread sleeps, and how often it had gone to sleep by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The kernel's words for the system call, its arguments, and where in the program it was made.
    place: Vec<u8>,
    switches: u64,
}

impl Rest {
    /// Where a thread sleeps now; none if it runs, or is gone. If this is the same many milliseconds later, it has slept all the
    /// while, and so does not wait for a lock that is held for a moment.
    pub fn of(pid: Pid, tid: Tid) -> Option<Self> {
        let place = proc::read_bounded(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
        let switches = process_state(tid).ok()?.switches;
        // `running`, or a number.
        place.first().is_some_and(u8::is_ascii_digit).then_some(Self { place, switches })
    }
}

fn is_64_bit(registers: &libc::user_regs_struct) -> bool {
    registers.cs == CODE_64
}

/// Whether the thread slept in a system call, and had to be woken to be stopped.
fn was_interrupted(registers: &libc::user_regs_struct) -> bool {
    const INTERRUPTED: i64 = -(libc::EINTR as i64);
    registers.orig_rax.cast_signed() >= 0
        && matches!(
            registers.rax.cast_signed(),
            INTERRUPTED
                | interrupted::RESTART
                | interrupted::RESTART_NO_INTERRUPTION
                | interrupted::RESTART_NO_HANDLER
                | interrupted::RESTART_BLOCK
        )
}

/// Whether an operation of `futex` is that by which glibc waits for conditions and semaphores, and not for its locks.
fn waits_with_bits(operation: u64) -> bool {
    let flags = u64::from((libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME).unsigned_abs());
    operation & !flags & u64::from(u32::MAX) == u64::from(libc::FUTEX_WAIT_BITSET.unsigned_abs())
}

fn word(value: libc::c_int) -> u64 {
    u64::from(value.unsigned_abs())
}

/// Bytes that `xsave` writes of everything that the kernel has turned on; none where the processor or the kernel has no `xsave`.
fn xsave_size() -> Option<usize> {
    const OSXSAVE: u32 = 1 << 27;
    const STATE: u32 = 0xd;
    let basic = std::arch::x86_64::__cpuid(0).eax;
    let has = basic >= STATE && std::arch::x86_64::__cpuid(1).ecx & OSXSAVE != 0;
    has.then(|| std::arch::x86_64::__cpuid_count(STATE, 0).ebx).and_then(|size| usize::try_from(size).ok())
}
