//! A function for each kind of instruction that may lie under a trap.

use std::{
    arch::global_asm,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread,
};

use super::{line, say, weft_test_target};

/// Each function computes something of `rdi`; a trap is set at its second label.
macro_rules! functions {
    ($($name:ident, $trapped:ident, [$($before:literal),*], [$($code:literal),*], $expected:expr;)*) => {
        $(global_asm!(
            concat!(".globl ", stringify!($name)),
            concat!(".globl ", stringify!($trapped)),
            concat!(stringify!($name), ":"),
            "push rbx", "mov rax, rdi",
            $($before,)*
            concat!(stringify!($trapped), ":"),
            $($code,)*
            "pop rbx", "ret",
        );)*
        unsafe extern "C" {
            $(fn $name(value: u64) -> u64; static $trapped: u8;)*
        }
        /// Name, function, where the trap belongs, what comes out.
        pub(crate) fn all() -> Vec<(&'static str, unsafe extern "C" fn(u64) -> u64, usize, fn(u64) -> u64)> {
            vec![$((stringify!($name), $name as _, &raw const $trapped as usize, $expected as fn(u64) -> u64)),*]
        }
    };
}

functions! {
    weft_plain, weft_plain_at, [], ["xor rax, 5"], |x| x ^ 5;
    weft_short, weft_short_at, [], ["push rax", "inc rax", "pop rbx"], |x| x + 1;
    weft_load, weft_load_at, [], ["add rax, qword ptr [rip + weft_seven]"], |x| x + 7;
    weft_vector, weft_vector_at, [], ["movups xmm0, [rip + weft_seven]", "movq rcx, xmm0", "add rax, rcx"], |x| x + 7;
    weft_lea, weft_lea_at, [], ["lea rcx, [rip + weft_seven]", "add rax, [rcx]"], |x| x + 7;
    weft_locked, weft_locked_at, ["push rax"], ["lock add qword ptr [rsp], 3", "pop rax"], |x| x + 3;
    weft_red_zone, weft_red_zone_at, ["mov [rsp - 8], rdi"], ["add rax, [rsp - 8]"], |x| x + x;
    weft_flags, weft_flags_at, ["cmp rdi, 3"], ["mov rcx, 9", "jne 2f", "inc rax", "2:"], |x| x + u64::from(x == 3);
    weft_jump, weft_jump_at, [], ["jmp 2f", "ud2", "2:", "inc rax"], |x| x + 1;
    weft_taken, weft_taken_at, ["test rsp, rsp"], ["jne 2f", "ud2", "2:", "inc rax"], |x| x + 1;
    weft_branch, weft_branch_at, ["test rdi, 1"], ["je 2f", "inc rax", "2:"], |x| x + x % 2;
    weft_call, weft_call_at, [], ["call weft_callee"], |x| x * 3;
    weft_register, weft_register_at, ["lea rcx, [rip + weft_callee]"], ["call rcx"], |x| x * 3;
    weft_table, weft_table_at, [], ["call qword ptr [rip + weft_pointer]"], |x| x * 3;
    weft_stack, weft_stack_at, ["lea rcx, [rip + weft_callee]", "push rcx", "push 0"],
        ["call qword ptr [rsp + 8]", "add rsp, 16"], |x| x * 3;
    weft_return, weft_return_at, ["lea rcx, [rip + 2f]", "push rcx"], ["ret", "ud2", "2:", "inc rax"], |x| x + 1;
    weft_indirect, weft_indirect_at, ["lea rcx, [rip + 2f]"], ["jmp rcx", "ud2", "2:", "inc rax"], |x| x + 1;
    weft_system, weft_system_at, ["mov rbx, rax", "mov eax, 39"], ["syscall", "test rax, rax", "jle 2f", "inc rbx", "2:", "mov rax, rbx"], |x| x + 1;
    weft_repeat, weft_repeat_at, ["push rax", "push 0", "mov rsi, rsp", "add rsi, 8", "mov rdi, rsp", "mov ecx, 8"],
        ["rep movsb", "pop rax", "pop rcx"], |x| x;
    weft_refused, weft_refused_at, ["mov ecx, 2", "2:", "inc rax"], ["loop 2b"], |x| x + 2;
}

global_asm!(
    ".globl weft_callee",
    // The return address must be the program's own, whatever executed the call.
    "weft_callee: mov rcx, [rsp]",
    "lea rdx, [rip + weft_plain]",
    "sub rcx, rdx",
    "cmp rcx, 4096",
    "jae 2f",
    "lea rax, [rax + 2 * rax]",
    "2: ret",
    ".pushsection .data",
    ".balign 16",
    "weft_seven: .quad 7, 0",
    "weft_pointer: .quad weft_callee",
    ".popsection",
);

/// Not under signals: a signal may find the thread inside of the first two, and the third is passed by other means.
pub(crate) const APART: [&str; 3] = ["weft_system", "weft_repeat", "weft_refused"];

const SEEN: usize = 1 << 16;
static PCS: [AtomicU64; SEEN] = [const { AtomicU64::new(0) }; SEEN];
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid ucontext_t.
    let pc = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    let index = SIGNALS.fetch_add(1, Ordering::Relaxed);
    PCS[index % SEEN].store(pc.cast_unsigned(), Ordering::Relaxed);
}

/// Says where the traps belong, waits, then calls every function `rounds` times on each of four threads. With `signals` a
/// timer fires all the while. Says how many results were wrong, how many signals came, and how many of them found a pc
/// outside the program's files.
pub(super) fn play(rounds: u64, signals: bool) {
    let functions: Vec<_> = all().into_iter().filter(|(name, ..)| !signals || !APART.contains(name)).collect();
    let places: Vec<String> = functions.iter().map(|(name, _, at, _)| format!("{name}={at}")).collect();
    say(&places.join(" "));
    line();
    if signals {
        timer(300);
    }
    let wrong = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for value in 0..rounds {
                    for (_, function, _, expected) in &functions {
                        // SAFETY: the functions above keep to the calling convention.
                        let result = unsafe { function(value) };
                        wrong.fetch_add(usize::from(result != expected(value)), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if signals {
        timer(0);
    }
    say(&format!("{} {} {}", wrong.into_inner(), SIGNALS.load(Ordering::Relaxed), strange()));
}

/// Has SIGALRM come every so many microseconds, 0: never.
fn timer(microseconds: i64) {
    // SAFETY: plain data, and a handler of the right form.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
        let interval = libc::timeval { tv_sec: 0, tv_usec: microseconds };
        let timer = libc::itimerval { it_interval: interval, it_value: interval };
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}

/// How many of the signals found a pc outside the program's files.
fn strange() -> usize {
    let mapped = weft_process::mappings(std::process::id().cast_signed()).unwrap();
    let in_files = |pc: u64| {
        mapped.iter().any(|mapping| {
            (mapping.path.is_some() || mapping.label == "[vdso]")
                && (mapping.start.raw()..mapping.end.raw()).contains(&pc)
        })
    };
    let seen = PCS.iter().map(|pc| pc.load(Ordering::Relaxed)).filter(|pc| *pc != 0);
    seen.filter(|pc| !in_files(*pc)).count()
}

/// Calls every function on four threads until told to end; says how many results were wrong.
pub(super) fn play_on() {
    let functions = all();
    let places: Vec<String> = functions.iter().map(|(name, _, at, _)| format!("{name}={at}")).collect();
    let (wrong, end) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut value = 0;
                while !end.load(Ordering::Relaxed) {
                    for (_, function, _, expected) in &functions {
                        // SAFETY: the functions above keep to the calling convention.
                        let result = unsafe { function(value) };
                        wrong.fetch_add(usize::from(result != expected(value)), Ordering::Relaxed);
                    }
                    value = (value + 1) % 1000;
                }
            });
        }
        say(&places.join(" "));
        line();
        end.store(true, Ordering::Relaxed);
    });
    say(&format!("{}", wrong.into_inner()));
}

global_asm!(
    // A child that shares our memory, executes what may be trapped, and ends with status 42.
    ".globl weft_vfork",
    ".globl weft_vfork_at",
    "weft_vfork:",
    "mov eax, 58",
    "syscall",
    "test eax, eax",
    "jnz 2f",
    "weft_vfork_at:",
    "nop",
    "call weft_callee",
    "mov edi, 42",
    "mov eax, 60",
    "syscall",
    "ud2",
    "2: ret",
);

unsafe extern "C" {
    fn weft_vfork() -> i32;
    static weft_vfork_at: u8;
}

fn ends_well(child: i32) -> bool {
    let mut status = 0;
    // SAFETY: writes one int of ours.
    while unsafe { libc::waitpid(child, &mut status, 0) } != child {}
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 42
}

/// Everything at once: four threads call the target `each` times, others are born to call it once, processes are made by
/// fork (which call it too), vfork and posix_spawn, and a timer fires. Says how many processes did not end as they should,
/// how many threads were born, and how many signals found a pc outside the program's files.
pub(super) fn storm(each: u64) {
    let target = weft_test_target as *const () as usize;
    say(&format!("target={target} vfork={}", &raw const weft_vfork_at as usize));
    line();
    timer(500);
    let counter = AtomicU64::new(0);
    let born = each / 50;
    let mut bad = 0;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..each).for_each(|_| weft_test_target(&counter)));
        }
        scope.spawn(|| {
            for _ in 0..born {
                thread::scope(|inner| {
                    inner.spawn(|| weft_test_target(&counter));
                });
            }
        });
        for _ in 0..20 {
            // SAFETY: the child calls one function without locks or memory of others, and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                (0..10).for_each(|_| weft_test_target(&counter));
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(42) };
            }
            // SAFETY: the child of this function ends in it.
            let shares = unsafe { weft_vfork() };
            bad += usize::from(!ends_well(child)) + usize::from(!ends_well(shares));
            bad += usize::from(!Command::new("/bin/true").status().unwrap().success());
        }
    });
    timer(0);
    assert_eq!(counter.into_inner(), each * 4 + born);
    say(&format!("{bad} {born} {}", strange()));
}
