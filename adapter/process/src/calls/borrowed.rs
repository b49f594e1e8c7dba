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

/// How long a thread of which nothing was changed yet may take to stop: it is at once there unless it is in the kernel and
/// cannot be interrupted.
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
    /// Whether it is known to stand. One that does not is left to the kernel, which takes no signal from it.
    stands: bool,
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
        ptrace::seize(tid, 0).map_err(|reason| attach::thread_refusal(pid, tid, reason))?;
        ptrace::interrupt(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
        let mut held = Self { pid, tid, memory, owed: 0, stands: false, not_send: PhantomData };
        for _ in 0..MOST_STOPS {
            let status = held.first_stop()?;
            match (status >> 16, libc::WSTOPSIG(status)) {
                (libc::PTRACE_EVENT_STOP, libc::SIGTRAP) => return Ok(held),
                (libc::PTRACE_EVENT_STOP, _) => return Err(ProcessError::JobControl(pid)),
                (event, signal) => {
                    // Any stop answers the request for one.
                    let deliver = if event == 0 { signal } else { 0 };
                    ptrace::interrupt(tid).map_err(|_| ProcessError::ThreadGone(tid))?;
                    held.go_on(|| ptrace::cont(tid, deliver))?;
                }
            }
        }
        Err(ProcessError::Unstoppable(tid))
    }

    /// Waits for a stop of a thread that is as its program made it: it may be given up at any time.
    fn first_stop(&mut self) -> Result<i32, ProcessError> {
        let begun = Instant::now();
        loop {
            match ptrace::poll(self.tid) {
                Some(status) => return self.stopped(status),
                None if begun.elapsed() >= PATIENCE => return Err(ProcessError::Unstoppable(self.tid)),
                None => thread::sleep(LOOK),
            }
        }
    }

    /// Waits for the stop after a step, however long that takes: the thread has registers, signals or a trap flag of ours,
    /// and to let go of it with those would be its end.
    fn next_stop(&mut self) -> Result<i32, ProcessError> {
        let status = ptrace::wait_for(self.tid).ok_or(ProcessError::ThreadGone(self.tid))?;
        self.stopped(status)
    }

    fn stopped(&mut self, status: i32) -> Result<i32, ProcessError> {
        self.stands = libc::WIFSTOPPED(status);
        if self.stands { Ok(status) } else { Err(ProcessError::ThreadGone(self.tid)) }
    }

    fn go_on(&mut self, going: impl FnOnce() -> io::Result<()>) -> Result<(), ProcessError> {
        going().map_err(self.gone())?;
        self.stands = false;
        Ok(())
    }

    /// What it means when a request for a thread that stands is refused.
    pub(super) fn gone(&self) -> impl FnOnce(io::Error) -> ProcessError + use<> {
        let tid = self.tid;
        move |_| ProcessError::ThreadGone(tid)
    }

    pub(super) fn registers(&self) -> Result<libc::user_regs_struct, ProcessError> {
        ptrace::registers(self.tid).map_err(self.gone())
    }

    fn set_registers(&self, registers: &libc::user_regs_struct) -> Result<(), ProcessError> {
        ptrace::set_registers(self.tid, registers).map_err(self.gone())
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
        let what = "the program can map no memory for what it is to execute";
        let (readable, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let arguments = [0, size, word(readable), word(flags), u64::MAX, 0];
        let code = self.system_call(libc::SYS_mmap, arguments, what)?;
        if !could_be_mapped(code, size) {
            return Err(implausible(what));
        }
        let (code, start) = (MemAddr::new(code), code.wrapping_add(CODE_SIZE as u64));
        let writable = word(libc::PROT_READ | libc::PROT_WRITE);
        let what = "the program cannot write to memory that it has mapped";
        if self.system_call(libc::SYS_mprotect, [start, data as u64, writable, 0, 0, 0], what)? != 0 {
            return Err(implausible(what));
        }
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

    /// Has the thread make one system call by an instruction that its program has anyway. Whatever comes of it, the thread has
    /// the registers and signals then that it had. `what` says of an error of the kernel's what could not be done.
    fn system_call(
        &mut self,
        number: libc::c_long,
        arguments: [u64; 6],
        what: &'static str,
    ) -> Result<u64, ProcessError> {
        let refused = |errno| ProcessError::System { what, reason: io::Error::from_raw_os_error(errno) };
        // One kind of seccomp kills whoever calls anything else than read, write and exit.
        if seccomp_is_strict(self.tid) {
            return Err(refused(libc::EPERM));
        }
        let mapped = mappings(self.pid)?;
        let site = syscall_instruction(&self.memory, &mapped).ok_or_else(|| refused(libc::ENOENT))?;
        let before = self.registers()?;
        let mut registers = before;
        (registers.rip, registers.rax, registers.orig_rax) = (site.raw(), number.unsigned_abs(), u64::MAX);
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] = arguments;
        let (stepped, after) = self.without_signals(|held| {
            held.set_registers(&registers)?;
            let stepped = held.step();
            let after = held.registers();
            held.set_registers(&before)?;
            // Another kind of seccomp answers by a signal (`SECCOMP_RET_TRAP`). That is for us and nobody else.
            if let Ok(Some(_)) = stepped {
                held.drop_trap()?;
            }
            Ok((stepped?, after?))
        })?;
        if stepped.is_some() {
            return Err(refused(libc::EPERM));
        }
        let answer = after.rax.cast_signed();
        if (-4095..0).contains(&answer) {
            return Err(refused(i32::try_from(answer.unsigned_abs()).unwrap_or(0)));
        }
        Ok(after.rax)
    }

    /// Does something while the thread is told of no signals but those of its own making; they wait.
    pub(super) fn without_signals<T>(
        &mut self,
        errand: impl FnOnce(&mut Self) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let mask = ptrace::signal_mask(self.tid).map_err(self.gone())?;
        ptrace::set_signal_mask(self.tid, ptrace::all_but_faults()).map_err(self.gone())?;
        let done = errand(self);
        ptrace::set_signal_mask(self.tid, mask).map_err(self.gone())?;
        done
    }

    /// Has the thread execute one instruction. The signal if that was a fault, which nobody has been told of then.
    pub(super) fn step(&mut self) -> Result<Option<i32>, ProcessError> {
        let tid = self.tid;
        let mut fetching = false;
        for _ in 0..MOST_STOPS {
            self.go_on(|| if fetching { ptrace::cont(tid, 0) } else { ptrace::step(tid, 0) })?;
            let status = self.next_stop()?;
            match (status >> 16, libc::WSTOPSIG(status)) {
                (0, libc::SIGTRAP) => return Ok(None),
                // It cannot be blocked, and is delivered later.
                (0, libc::SIGSTOP) => self.owed = libc::SIGSTOP,
                (0, signal) => return Ok(Some(signal)),
                // A stop by job control: after the step, whose trap comes first if it is made.
                _ => fetching = ptrace::has_pending_trap(tid),
            }
        }
        Err(ProcessError::Unstoppable(tid))
    }

    /// Takes the trap of a step away that waits behind a fault, so that nobody is told of it.
    fn drop_trap(&mut self) -> Result<(), ProcessError> {
        let tid = self.tid;
        for _ in 0..MOST_STOPS {
            // With one waiting the thread comes to no instruction.
            if !ptrace::has_pending_trap(tid) {
                break;
            }
            self.go_on(|| ptrace::cont(tid, 0))?;
            let status = self.next_stop()?;
            if (status >> 16, libc::WSTOPSIG(status)) == (0, libc::SIGSTOP) {
                self.owed = libc::SIGSTOP;
            }
        }
        Ok(())
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.stands
            && let Err(error) = ptrace::detach(self.tid, self.owed)
        {
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

/// Whether a mapping of a size can lie at an address: a filter may answer for the kernel, with anything.
fn could_be_mapped(address: u64, size: u64) -> bool {
    /// The half of the addresses that is the kernel's begins here, with five levels of page tables.
    const END: u64 = 1 << 56;
    let is_page = address != 0 && address.is_multiple_of(PAGE as u64);
    is_page && address.checked_add(size).is_some_and(|end| end <= END)
}

fn implausible(what: &'static str) -> ProcessError {
    ProcessError::System { what, reason: io::Error::other("the answer of the system call makes no sense") }
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// A program that copies its input, and waits for some, with something done to its thread.
    fn with_cat(
        prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
        errand: impl FnOnce(&mut Borrowed) + Send,
    ) {
        let mut cat = Command::new("cat");
        // SAFETY: what prepares makes system calls and nothing else.
        unsafe { cat.pre_exec(prepare) };
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        // It is past its start.
        let mut heard = [0; 1];
        input.write_all(b"1").unwrap();
        output.read_exact(&mut heard).unwrap();
        let pid = cat.id().cast_signed();
        hold(pid, errand);
        lives(&mut cat);
        input.write_all(b"2").unwrap();
        drop(input);
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "2");
        assert!(cat.wait().unwrap().success());
    }

    /// Does something with a thread that has taken up its waiting, and looks at what it has then.
    fn hold(pid: Pid, errand: impl FnOnce(&mut Borrowed) + Send) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut errand = Some(errand);
        while errand.is_some() {
            assert!(Instant::now() < deadline, "it does not wait");
            let errand = &mut errand;
            let held = Borrowed::with(pid, pid, |mut held| {
                if held.is_idle()
                    && let Some(errand) = errand.take()
                {
                    let state = |held: &Borrowed| (held.registers().unwrap(), ptrace::signal_mask(held.tid).unwrap());
                    let before = state(&held);
                    errand(&mut held);
                    assert_eq!(state(&held), before);
                    assert_eq!(held.owed, 0);
                    assert!(!ptrace::has_pending_trap(held.tid));
                }
                Ok(())
            });
            assert!(matches!(held, Ok(()) | Err(ProcessError::Unstoppable(_))), "{held:?}");
        }
    }

    fn lives(child: &mut Child) {
        assert!(child.try_wait().unwrap().is_none(), "it has died of it");
    }

    #[test]
    fn a_system_call_may_take_longer_than_a_stop() {
        with_cat(
            || Ok(()),
            |held| {
                let longer = u64::try_from((PATIENCE + Duration::from_millis(500)).as_millis()).unwrap();
                assert_eq!(held.system_call(libc::SYS_poll, [0, 0, longer, 0, 0, 0], "").unwrap(), 0);
            },
        );
    }

    /// Has the kernel answer one system call by `SIGSYS`.
    fn forbid(number: u32) -> io::Result<()> {
        let statement = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt, jf, k };
        let mut filter = [
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_TRAP),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
        // SAFETY: prctl reads the program, which lives.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[test]
    fn a_forbidden_system_call_is_no_signal_to_the_program() {
        let number = libc::SYS_getpgid;
        with_cat(
            move || forbid(u32::try_from(number).unwrap_or(0)),
            |held| {
                let refused = held.system_call(number, [0; 6], "no").unwrap_err();
                let ProcessError::System { what: "no", reason } = refused else { panic!("{refused}") };
                assert_eq!(reason.raw_os_error(), Some(libc::EPERM));
            },
        );
    }

    #[test]
    fn what_is_no_address_of_a_mapping() {
        assert!(could_be_mapped(0x7f00_0000_0000, 0x2000));
        for no in [0, 9, 0x7f00_0000_0001, u64::MAX - 0xfff, (1 << 56) - 0x1000] {
            assert!(!could_be_mapped(no, 0x2000), "{no:x}");
        }
    }
}
