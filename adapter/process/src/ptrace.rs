//! The ptrace requests that weft uses, each a safe function.
//!
//! ptrace itself is what makes these safe to call with any thread number: a request for a thread that is not stopped
//! or not ours fails with `ESRCH` or `EPERM` and touches nothing.

use std::{ffi::c_void, io, mem, ptr};

use crate::Tid;

/// What weft wants to be told about, for every debuggee.
pub(crate) const OPTIONS: libc::c_int = libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEVFORKDONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT;

/// Not named by libc (Linux, include/uapi/linux/ptrace.h).
const PTRACE_GETSIGMASK: libc::c_uint = 0x420a;
const PTRACE_SETSIGMASK: libc::c_uint = 0x420b;

/// A request without a result in memory.
fn request(what: libc::c_uint, tid: Tid, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: none of the requests made through here lets the kernel write to our memory; address and data are numbers.
    let result = unsafe { libc::ptrace(what, tid, address as *mut c_void, data as *mut c_void) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A signal's number as ptrace takes it.
fn signal_word(signal: i32) -> usize {
    usize::try_from(signal).unwrap_or(0)
}

pub(crate) fn seize(tid: Tid, options: libc::c_int) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, tid, 0, usize::try_from(options).unwrap_or(0))
}

pub(crate) fn interrupt(tid: Tid) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0)
}

pub(crate) fn cont(tid: Tid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_CONT, tid, 0, signal_word(signal))
}

pub(crate) fn step(tid: Tid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_SINGLESTEP, tid, 0, signal_word(signal))
}

pub(crate) fn listen(tid: Tid) -> io::Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0, 0)
}

pub(crate) fn detach(tid: Tid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, tid, 0, signal_word(signal))
}

/// Writes one word of the thread's `user` area, for instance its pc.
pub(crate) fn poke_user(tid: Tid, offset: usize, value: u64) -> io::Result<()> {
    request(libc::PTRACE_POKEUSER, tid, offset, usize::try_from(value).unwrap_or(0))
}

/// A stopped thread's pc and stack pointer, cheaper than all its registers.
pub(crate) fn position(tid: Tid) -> io::Result<(u64, u64)> {
    // SAFETY: ptrace_syscall_info is plain data; all zeroes is a value of it.
    let mut info: libc::ptrace_syscall_info = unsafe { mem::zeroed() };
    // SAFETY: GET_SYSCALL_INFO writes at most as many bytes at `data` as `address` says, which are ours.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            tid,
            size_of::<libc::ptrace_syscall_info>() as *mut c_void,
            ptr::from_mut(&mut info).cast::<c_void>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok((info.instruction_pointer, info.stack_pointer)) }
}

/// The signals that a stopped thread has blocked: bit `signal - 1`.
pub(crate) fn signal_mask(tid: Tid) -> io::Result<u64> {
    let mut mask: u64 = 0;
    // SAFETY: GETSIGMASK writes the eight bytes that `address` says at `data`, which is ours.
    let result =
        unsafe { libc::ptrace(PTRACE_GETSIGMASK, tid, size_of::<u64>() as *mut c_void, ptr::from_mut(&mut mask)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(mask) }
}

/// Replaces the signals that a stopped thread has blocked.
pub(crate) fn set_signal_mask(tid: Tid, mask: u64) -> io::Result<()> {
    // SAFETY: SETSIGMASK only reads the eight bytes that `address` says at `data`.
    let result = unsafe {
        libc::ptrace(
            PTRACE_SETSIGMASK,
            tid,
            size_of::<u64>() as *mut c_void,
            ptr::from_ref(&mask).cast_mut().cast::<c_void>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Where a stopped thread and the kernel share what they know of restartable sequences (`struct rseq`); none if they do not.
pub(crate) fn rseq(tid: Tid) -> Option<u64> {
    /// Not named by libc (Linux, include/uapi/linux/ptrace.h), as is what it fills in: an address, and three numbers.
    const PTRACE_GET_RSEQ_CONFIGURATION: libc::c_uint = 0x420f;
    let mut configuration = [0_u64; 3];
    // SAFETY: the request writes at most as many bytes at `data` as `address` says, which are ours.
    let result = unsafe {
        libc::ptrace(
            PTRACE_GET_RSEQ_CONFIGURATION,
            tid,
            size_of_val(&configuration) as *mut c_void,
            configuration.as_mut_ptr().cast::<c_void>(),
        )
    };
    let [address, ..] = configuration;
    (result != -1 && address != 0).then_some(address)
}

/// Waits for one tracee of the calling thread, whose status nobody else takes; none when there is nothing to wait for.
pub(crate) fn wait_for(tid: Tid) -> Option<i32> {
    loop {
        let mut status = 0;
        // SAFETY: waitpid writes one int of ours.
        let result = unsafe { libc::waitpid(tid, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        match result {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return None,
            _ => return Some(status),
        }
    }
}

/// What one tracee of the calling thread has to tell now.
pub(crate) fn poll(tid: Tid) -> Option<i32> {
    let mut status = 0;
    // SAFETY: waitpid writes one int of ours.
    let result = unsafe { libc::waitpid(tid, &mut status, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG) };
    (result == tid).then_some(status)
}

/// All signals but those of an instruction's own making, which must get through: the kernel resets the handler of one that is
/// blocked.
pub(crate) fn all_but_faults() -> u64 {
    let own = [libc::SIGTRAP, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGSYS];
    own.into_iter().fold(u64::MAX, |mask, signal| mask & !signal_bit(signal))
}

fn signal_bit(signal: i32) -> u64 {
    let place = u32::try_from(signal).unwrap_or(1).saturating_sub(1);
    1_u64.checked_shl(place).unwrap_or(0)
}

/// Whether a tracee of the calling thread that is on its way out has ended; it is collected then.
pub(crate) fn has_ended(tid: Tid) -> bool {
    let mut status = 0;
    // SAFETY: waitpid writes one int of ours.
    unsafe { libc::waitpid(tid, &mut status, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG) != 0 }
}

/// Sends one thread of a traced process a signal.
pub(crate) fn send(pid: Tid, tid: Tid, signal: i32) {
    // SAFETY: tgkill takes numbers; until a tracee's end was collected its number is its own.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
}

/// Reads one word of the thread's `user` area.
pub(crate) fn peek_user(tid: Tid, offset: usize) -> io::Result<u64> {
    let mut word: libc::c_ulong = 0;
    // SAFETY: the system call itself, unlike its wrapper, writes one unsigned long at `data`, which is ours.
    let result =
        unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_PEEKUSER, tid, offset, ptr::from_mut(&mut word)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(word) }
}

pub(crate) fn event_message(tid: Tid) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: GETEVENTMSG writes one unsigned long at `data`, which is ours.
    let result =
        unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, ptr::null_mut::<c_void>(), ptr::from_mut(&mut message)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(message) }
}

/// The signal that stopped the thread, with all that the kernel knows about it.
pub(crate) fn signal_info(tid: Tid) -> io::Result<libc::siginfo_t> {
    // SAFETY: siginfo_t is plain data; all zeroes is a value of it.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    // SAFETY: GETSIGINFO writes one siginfo_t at `data`, which is ours.
    let result =
        unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, tid, ptr::null_mut::<c_void>(), ptr::from_mut(&mut info)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(info) }
}

/// Replaces what the thread will be told about the signal it is resumed with.
pub(crate) fn set_signal_info(tid: Tid, info: &libc::siginfo_t) -> io::Result<()> {
    // SAFETY: SETSIGINFO only reads one siginfo_t at `data`.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_SETSIGINFO,
            tid,
            ptr::null_mut::<c_void>(),
            ptr::from_ref(info).cast_mut().cast::<c_void>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a `SIGTRAP` of the thread's own making (by the kernel: a trap or a step) waits to be delivered to it.
pub(crate) fn has_pending_trap(tid: Tid) -> bool {
    const MOST: usize = 32;
    let arguments = libc::ptrace_peeksiginfo_args { off: 0, flags: 0, nr: 32 };
    // SAFETY: siginfo_t is plain data; all zeroes is a value of it.
    let mut infos: [libc::siginfo_t; MOST] = unsafe { mem::zeroed() };
    // SAFETY: PEEKSIGINFO reads the arguments and writes at most `nr` siginfo_t at `data`, where there is room for them.
    let count = unsafe {
        libc::ptrace(
            libc::PTRACE_PEEKSIGINFO,
            tid,
            ptr::from_ref(&arguments).cast_mut().cast::<c_void>(),
            infos.as_mut_ptr().cast::<c_void>(),
        )
    };
    let count = usize::try_from(count).unwrap_or(0).min(MOST);
    infos.iter().take(count).any(|info| info.si_signo == libc::SIGTRAP && info.si_code > 0)
}

pub(crate) fn registers(tid: Tid) -> io::Result<libc::user_regs_struct> {
    // SAFETY: user_regs_struct is plain data; all zeroes is a value of it.
    let mut registers: libc::user_regs_struct = unsafe { mem::zeroed() };
    // SAFETY: GETREGS writes one user_regs_struct at `data`, which is ours.
    let result =
        unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, ptr::null_mut::<c_void>(), ptr::from_mut(&mut registers)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(registers) }
}

pub(crate) fn set_registers(tid: Tid, registers: &libc::user_regs_struct) -> io::Result<()> {
    // SAFETY: SETREGS only reads one user_regs_struct at `data`.
    let result = unsafe {
        libc::ptrace(
            libc::PTRACE_SETREGS,
            tid,
            ptr::null_mut::<c_void>(),
            ptr::from_ref(registers).cast_mut().cast::<c_void>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
