//! Whether a thread that executes its program holds a lock that is held for a few instructions at a time.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};
use weft_memory::{MemAddr, Memory};

use super::Borrowed;
use crate::{ProcessError, ptrace, slots};

/// Instructions without one that takes or releases a lock, behind which none of those is held.
const QUIET: usize = 200;
/// Instructions that are executed to come to such a place.
const MOST: usize = 4000;

/// What an instruction means for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Reads and writes memory in one piece, as whatever takes or releases a lock must.
    Locked,
    /// Must not be executed by itself: enters the kernel, where it may wait; or shows or sets the flag by which we step.
    Barred,
}

impl Borrowed {
    /// Has the thread execute instruction by instruction until it has executed some 200 without one that is atomic. A lock
    /// that is taken and released again within fewer instructions than that, without a system call, is not held
    /// then: both are done by atomic ones. False where the thread comes to no such place, or `is_over` says, before each of
    /// them, that it is time to give up: to be tried again later.
    pub fn is_quiet(&mut self, is_over: impl Fn() -> bool) -> Result<bool, ProcessError> {
        if !self.is_in_program() {
            return Ok(false);
        }
        self.without_signals(|held| held.step_to_quiet(is_over))
    }

    fn step_to_quiet(&mut self, is_over: impl Fn() -> bool) -> Result<bool, ProcessError> {
        let mut quiet: usize = 0;
        let mut last = None;
        for _ in 0..MOST {
            if is_over() {
                return Ok(false);
            }
            let (pc, _) = ptrace::position(self.tid).map_err(self.gone())?;
            // What is repeated is one instruction.
            let is_new = last.replace(pc) != Some(pc);
            match kind(&self.code_at(pc)) {
                Kind::Plain => quiet = quiet.saturating_add(usize::from(is_new)),
                Kind::Locked => quiet = 0,
                Kind::Barred => return Ok(false),
            }
            // It is the program's own, which is told of it when it goes on.
            if let Some(fault) = self.step()? {
                self.owed = fault;
                return Ok(false);
            }
            if quiet >= QUIET && !self.is_in_sequence() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the thread may be in a restartable sequence (rseq(2)), which must not be left and come back to.
    fn is_in_sequence(&self) -> bool {
        // Behind two numbers of the processor lies the address of the sequence.
        const SEQUENCE: i64 = 8;
        let shared = ptrace::rseq(self.tid).map(|shared| MemAddr::new(shared).offset(SEQUENCE));
        shared.is_some_and(|at| !self.memory.read_u64(at).is_ok_and(|sequence| sequence == 0))
    }

    /// What lies at an address: less than an instruction at the end of a mapping.
    fn code_at(&self, pc: u64) -> Vec<u8> {
        let mut bytes = vec![0; slots::LONGEST];
        while !bytes.is_empty() && !self.memory.peek(MemAddr::new(pc), &mut bytes) {
            bytes.pop();
        }
        bytes
    }
}

fn kind(bytes: &[u8]) -> Kind {
    let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
    if is_barred(&instruction) {
        return Kind::Barred;
    }
    // `xchg` with memory needs no prefix.
    let exchanges = instruction.mnemonic() == Mnemonic::Xchg && instruction.op0_kind() == OpKind::Memory;
    if instruction.has_lock_prefix() || exchanges { Kind::Locked } else { Kind::Plain }
}

fn is_barred(instruction: &Instruction) -> bool {
    let enters_kernel = matches!(
        instruction.flow_control(),
        FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend
    ) || matches!(instruction.code(), Code::Syscall | Code::Sysenter | Code::INVALID);
    let flags = matches!(
        instruction.mnemonic(),
        Mnemonic::Pushf
            | Mnemonic::Pushfd
            | Mnemonic::Pushfq
            | Mnemonic::Popf
            | Mnemonic::Popfd
            | Mnemonic::Popfq
            | Mnemonic::Iretq
    );
    enters_kernel || flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_told_apart() {
        assert_eq!(kind(&[0x48, 0x89, 0xd8]), Kind::Plain);
        // lock cmpxchg [rdi], esi; xchg [rdi], eax; xchg eax, ebx
        assert_eq!(kind(&[0xf0, 0x0f, 0xb1, 0x37]), Kind::Locked);
        assert_eq!(kind(&[0x87, 0x07]), Kind::Locked);
        assert_eq!(kind(&[0x87, 0xd8]), Kind::Plain);
        // syscall; pushf; popf; ud2; nothing
        for barred in [&[0x0f, 0x05][..], &[0x9c], &[0x9d], &[0x0f, 0x0b], &[]] {
            assert_eq!(kind(barred), Kind::Barred, "{barred:x?}");
        }
        // rep movsb; call rax
        assert_eq!(kind(&[0xf3, 0xa4]), Kind::Plain);
        assert_eq!(kind(&[0xff, 0xd0]), Kind::Plain);
    }
}
