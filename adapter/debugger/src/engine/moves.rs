//! Threads that run alone, are moved, or are sent away.

use nix::libc;
use weft_memory::{DwarfRegister, MemAddr, Memory, Registers};
use weft_process::{Trap, WaitEvent};

use super::{Engine, State, refused};
use crate::handle::Reply;
use crate::plan::{Verdict, Way};
use crate::{FrameIdentity, Grain, Reason, Refused, rewind, targets};

/// The instruction `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Bytes read at a time when looking for it.
const WINDOW: usize = 1 << 16;

/// Instructions of a prologue that are executed one by one, at most.
const LONGEST_PROLOGUE: usize = 64;

impl Engine {
    pub(super) fn on_go_to(&mut self, tid: i32, address: MemAddr, reply: Reply<()>) {
        let gone = self.go_to(tid, address);
        self.answer_move(tid, gone, reply);
    }

    pub(super) fn on_restart_frame(&mut self, frame: FrameIdentity, reply: Reply<()>) {
        let restarted = self.restart_frame(frame);
        self.answer_move(frame.tid, restarted, reply);
    }

    /// Answers, and tells where the thread is now.
    fn answer_move(&mut self, tid: i32, done: Result<(), Refused>, reply: Reply<()>) {
        let moved = done.is_ok();
        reply.send(done);
        if let State::Stopped(shown) = self.state
            && moved
        {
            self.had_hit.extend((shown != tid).then_some(shown));
            self.tracee.advance();
            self.report(tid, Reason::Moved);
        }
    }

    fn require_stop(&self) -> Result<(), Refused> {
        match self.state {
            State::Stopped(_) => Ok(()),
            State::Over => Err(Refused::Ended),
            State::Held | State::Running => Err(Refused::Running),
        }
    }

    fn go_to(&mut self, tid: i32, address: MemAddr) -> Result<(), Refused> {
        self.require_stop()?;
        let stop = self.current_stop(tid)?;
        targets::can_go_to(&stop, tid, address).map_err(Refused::Failed)?;
        self.tracee.set_pc(tid, address).map_err(refused)?;
        self.forget_hit(tid);
        Ok(())
    }

    /// Rewinds a thread to the entry of a function on its stack, and takes it behind the prologue.
    fn restart_frame(&mut self, frame: FrameIdentity) -> Result<(), Refused> {
        self.require_stop()?;
        let stop = self.current_stop(frame.tid)?;
        let rewound = rewind::to_entry(&stop, frame).map_err(Refused::Failed)?;
        self.tracee.set_registers(frame.tid, &rewound.registers).map_err(refused)?;
        self.forget_hit(frame.tid);
        let behind =
            stop.modules.of(&rewound.code.image).map(|module| module.bias.to_memory(rewound.code.behind_prologue()));
        for _ in 0..LONGEST_PROLOGUE {
            let at = self.tracee.registers(frame.tid).map(|registers| registers.pc());
            if at.ok() == behind || self.step_instruction(frame.tid) != super::motion::Moved::Yes {
                break;
            }
        }
        Ok(())
    }

    /// A thread that was moved has not reached what it stood at.
    fn forget_hit(&mut self, tid: i32) {
        self.rewound.remove(&tid);
        self.own_traps.remove(&tid);
        self.had_hit.remove(&tid);
        self.pending
            .retain(|event| !matches!(event, WaitEvent::Trapped { tid: of, trap: Trap::Breakpoint } if *of == tid));
    }

    /// A thread is no more: one that gets its number later has none of what was to become of it.
    pub(super) fn forget_thread(&mut self, tid: i32) {
        self.rewound.remove(&tid);
        self.own_traps.remove(&tid);
        self.undelivered.remove(&tid);
        self.had_hit.remove(&tid);
        self.ending.remove(&tid);
    }

    /// Notes that a thread is to end; it does as it goes on.
    pub(super) fn end_thread(&mut self, tid: i32) -> Result<(), Refused> {
        self.require_stop()?;
        self.current_stop(tid)?;
        let syscall = self.find_syscall().ok_or_else(|| {
            Refused::Failed("no system call instruction was found that the thread could end with".to_owned())
        })?;
        self.ending.insert(tid, syscall);
        Ok(())
    }

    /// A `syscall` instruction somewhere in the program: in libc's function of that name, else wherever.
    fn find_syscall(&self) -> Option<MemAddr> {
        let memory = self.tracee.stopped_memory().ok()?;
        let find = |start: MemAddr, length: u64| {
            let mut at = 0;
            while at < length {
                let window = usize::try_from(length.saturating_sub(at)).unwrap_or(WINDOW).min(WINDOW);
                let start = start.offset(i64::try_from(at).ok()?);
                let bytes = memory.read_bytes(start, window).unwrap_or_default();
                let found = bytes.windows(SYSCALL.len()).position(|bytes| bytes == SYSCALL);
                let found = found.and_then(|found| Some(start.offset(i64::try_from(found).ok()?)));
                if let Some(found) =
                    found.filter(|found| ![*found, found.offset(1)].iter().any(|at| self.planted.contains(at)))
                {
                    return Some(found);
                }
                at = at.checked_add(u64::try_from(WINDOW).ok()?)?;
            }
            None
        };
        let by_name = self.modules.iter().find_map(|module| {
            let symbol = module.image.symbol("syscall")?;
            find(module.bias.to_memory(symbol.address), 64)
        });
        by_name.or_else(|| {
            self.modules.iter().find_map(|module| {
                let mut code = module.image.segments().iter().filter(|segment| segment.executable);
                code.find_map(|segment| {
                    let range = &segment.addresses;
                    find(module.bias.to_memory(range.start), range.end.since(range.start)?)
                })
            })
        })
    }

    /// Sends threads that are to end, and may run, to where they do: the system call `exit`, which ends one thread.
    pub(super) fn send_away(&mut self) {
        let ending = std::mem::take(&mut self.ending);
        for (tid, syscall) in ending {
            if !self.may_run(tid) {
                self.ending.insert(tid, syscall);
                continue;
            }
            let mut registers = Registers::unknown(0);
            registers.set(DwarfRegister::RAX, u64::try_from(libc::SYS_exit).ok());
            registers.set(DwarfRegister::RDI, Some(0));
            registers.set(DwarfRegister::RA, Some(syscall.raw()));
            if let Err(error) = self.tracee.set_registers(tid, &registers) {
                tracing::debug!(tid, %error, "a thread was gone before it was ended");
            }
            self.undelivered.remove(&tid);
            self.forget_hit(tid);
        }
    }

    /// How a step goes, as the settings have it.
    pub(super) fn way(&self, grain: Grain) -> Way {
        Way { grain, into_runtime: self.settings.step_into_runtime }
    }

    /// Whether a thread may be set going now.
    pub(super) fn may_run(&self, tid: i32) -> bool {
        self.alone.is_none_or(|alone| alone == tid)
    }

    /// The next event that waits. Those of threads which have to stand while another one runs alone stay where they are.
    pub(super) fn next_pending(&mut self) -> Option<WaitEvent> {
        let at = self.pending.iter().position(|event| event.stopped_thread().is_none_or(|tid| self.may_run(tid)))?;
        self.pending.remove(at)
    }

    /// The thread that ran alone is no more: somebody has to say what happens now.
    pub(super) fn end_alone(&mut self, tid: i32) {
        if self.alone == Some(tid) {
            self.report(self.tracee.pid(), Reason::Pause);
        }
    }

    /// What a stop with this reason interrupts. A stop on the very place where the step would have ended interrupts
    /// nothing.
    pub(super) fn interruption(&mut self, tid: i32, reason: &Reason) -> Option<String> {
        let name = self.plan.as_ref()?.name();
        if matches!(reason, Reason::Step(_)) {
            return None;
        }
        let at = self.tracee.registers(tid).ok()?.pc();
        let wanted = self.plan.as_ref().is_some_and(|plan| plan.traps().contains(&at));
        let there = wanted && matches!(self.ask_plan(tid, |plan, hit| plan.on_trap(hit)), Verdict::Done(_));
        (!there).then(|| format!("{name} was interrupted"))
    }
}
