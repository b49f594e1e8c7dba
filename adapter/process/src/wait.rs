//! Waiting for the debuggee and for other threads at the same time, without missing either.
//!
//! Only the thread that traces may wait for its tracees, and no file descriptor reports a ptrace stop; so whoever wants
//! the tracing thread must get it out of `wait4`. A signal does that, but one that arrives after the thread has looked
//! at its flag and before it has entered the kernel would be lost, and `wait4` has no variant that closes this gap.
//! Here the signal's handler closes it: look and system call are a few instructions of known addresses, and a handler
//! that finds the pc among them moves it to the way out. (musl's cancellation points work like this.) All other
//! signals are blocked in the waiting thread, so that the pc the handler finds is never another handler's.
//!
//! The cost when nobody wakes: one compare per wait.

use std::{
    arch::global_asm,
    io,
    marker::PhantomData,
    mem, ptr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{ProcessError, Tid};

/// The signal that wakes. Ignored by default, so a stray one does no harm, and used by nothing that weft links.
const WAKE: libc::c_int = libc::SIGURG;

global_asm!(
    ".pushsection .text.weft_wait4, \"ax\", @progbits",
    ".globl weft_wait4",
    ".hidden weft_wait4",
    ".globl weft_wait4_look",
    ".hidden weft_wait4_look",
    ".globl weft_wait4_entered",
    ".hidden weft_wait4_entered",
    ".globl weft_wait4_woken",
    ".hidden weft_wait4_woken",
    ".type weft_wait4, @function",
    // rdi: flag (one byte), rsi: where the status goes, edx: options. Waits for any child: pid -1, no rusage.
    "weft_wait4:",
    "mov r8, rdi",
    "mov rdi, -1",
    "movsxd rdx, edx",
    "xor r10d, r10d",
    "weft_wait4_look:",
    "cmp byte ptr [r8], 0",
    "jne weft_wait4_woken",
    "mov eax, 61", // SYS_wait4
    "syscall",
    "weft_wait4_entered:",
    "ret",
    "weft_wait4_woken:",
    "mov rax, -4", // -EINTR
    "ret",
    ".size weft_wait4, . - weft_wait4",
    ".popsection",
);

unsafe extern "C" {
    fn weft_wait4(flag: *const u8, status: *mut libc::c_int, options: libc::c_int) -> i64;
    static weft_wait4_look: u8;
    static weft_wait4_entered: u8;
    static weft_wait4_woken: u8;
}

/// The waking signal's handler: if the thread is between its look at the flag and the kernel, send it to the way out.
/// Inside the kernel the signal's arrival alone ends the wait, because the handler is installed without `SA_RESTART`.
extern "C" fn on_wake(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid, writable ucontext_t to a handler installed with SA_SIGINFO; the gregs array is
    // indexed by the constant that belongs to it. The three labels are addresses of code; nothing is read from them.
    unsafe {
        let Some(pc) = (*context).uc_mcontext.gregs.get_mut(libc::REG_RIP as usize) else { return };
        let at = *pc as usize;
        if at >= ptr::addr_of!(weft_wait4_look) as usize && at < ptr::addr_of!(weft_wait4_entered) as usize {
            *pc = ptr::addr_of!(weft_wait4_woken) as i64;
        }
    }
}

/// Installs the handler, once for the whole process.
fn install() -> Result<(), ProcessError> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: sigaction is plain data, zeroes included; the handler has the three-argument form that SA_SIGINFO asks
        // for and only touches the context it is given.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_wake as extern "C" fn(_, _, _) as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigfillset(&mut action.sa_mask);
            libc::sigaction(WAKE, &action, ptr::null_mut()) == 0
        }
    });
    if *installed { Ok(()) } else { Err(ProcessError::last("the wake-up signal's handler cannot be installed")) }
}

/// Has the kernel send this process no `SIGCHLD` for stops. Waiting does not need it, and each one would wake one of our
/// other threads, that of no concern to it, at every hit of a breakpoint. Whatever handles the signal still hears of ends.
/// (`do_notify_parent_cldstop` in Linux, kernel/signal.c.)
fn spare_signals() {
    // SAFETY: sigaction is plain data, zeroes included; the first call only fills it in, the second gives the same action
    // back with one flag more.
    let done = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        let read = libc::sigaction(libc::SIGCHLD, ptr::null(), &mut action) == 0;
        let quiet = action.sa_flags & libc::SA_NOCLDSTOP != 0;
        action.sa_flags |= libc::SA_NOCLDSTOP;
        quiet || read && libc::sigaction(libc::SIGCHLD, &action, ptr::null_mut()) == 0
    };
    if !done {
        tracing::debug!("every stop of the debuggee sends us a signal");
    }
}

/// What the waiting thread and its wakers share.
#[derive(Debug)]
struct Shared {
    woken: AtomicBool,
    /// The waiting thread; `None` once it waits no more (its number may then be somebody else's).
    waiting: Mutex<Option<Tid>>,
}

/// Gets a tracing thread out of [`crate::Tracee::wait`], from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Shared>);

impl Waker {
    /// Makes the current or next wait return [`crate::Wait::Woken`]. Several calls before it does count as one, so the
    /// woken thread takes everything that was queued for it.
    pub fn wake(&self) {
        self.0.woken.store(true, Ordering::SeqCst);
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tid) = *waiting {
            // SAFETY: tgkill takes numbers only. The thread lives: it clears its number, under this lock, before it ends.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, WAKE) };
        }
    }
}

/// The right to wait on this thread, with this thread's signals set up for it until dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    shared: Arc<Shared>,
    mask_before: libc::sigset_t,
    /// Signals and ptrace belong to a thread.
    not_send: PhantomData<*const ()>,
}

impl Waiter {
    pub(crate) fn new() -> Result<Self, ProcessError> {
        install()?;
        spare_signals();
        // SAFETY: sigset_t is plain data, filled in by sigfillset; pthread_sigmask reads one set and writes the other,
        // both ours. Signals that the thread itself raises by fault stay open.
        let mask_before = unsafe {
            let mut before: libc::sigset_t = mem::zeroed();
            let mut blocked: libc::sigset_t = mem::zeroed();
            libc::sigfillset(&mut blocked);
            for open in [WAKE, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP] {
                libc::sigdelset(&mut blocked, open);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
            before
        };
        // SAFETY: gettid takes nothing and cannot fail.
        let tid = unsafe { libc::gettid() };
        let shared = Arc::new(Shared { woken: AtomicBool::new(false), waiting: Mutex::new(Some(tid)) });
        Ok(Self { shared, mask_before, not_send: PhantomData })
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.shared))
    }

    /// Waits for a tracee of this thread or a waker; `None`: woken. The wake-up is used up by this.
    pub(crate) fn wait(&self) -> io::Result<Option<(Tid, i32)>> {
        loop {
            match self.wait_once(self.shared.woken.as_ptr().cast()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if self.shared.woken.swap(false, Ordering::SeqCst) {
                        return Ok(None);
                    }
                }
                other => return other.map(Some),
            }
        }
    }

    /// Waits for a tracee of this thread only; a wake-up stays for the next [`Waiter::wait`].
    pub(crate) fn wait_for_tracee(&self) -> io::Result<(Tid, i32)> {
        let never: u8 = 0;
        loop {
            match self.wait_once(&never) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// A tracee of this thread that has something to tell now.
    pub(crate) fn poll(&self) -> Option<(Tid, i32)> {
        let mut status = 0;
        // SAFETY: waitpid writes one int of ours.
        let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG) };
        (tid > 0).then_some((tid, status))
    }

    fn wait_once(&self, flag: *const u8) -> io::Result<(Tid, i32)> {
        let mut status = 0;
        // SAFETY: `flag` points to a byte that outlives the call (an AtomicBool of ours, or a local of the caller); the
        // kernel writes one int at `status`. __WNOTHREAD keeps other threads' children out of it.
        let result = unsafe { weft_wait4(flag, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        if result < 0 {
            let code = i32::try_from(result.unsigned_abs()).unwrap_or(libc::EINVAL);
            return Err(io::Error::from_raw_os_error(code));
        }
        Ok((Tid::try_from(result).unwrap_or(0), status))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        *self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // SAFETY: restores the mask that pthread_sigmask gave us, on the same thread (the type is not Send).
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask_before, ptr::null_mut()) };
    }
}
