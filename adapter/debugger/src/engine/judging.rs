//! Whether a hit stops: the hot path first, which asks no debug information, allocates nothing and stops nobody.

use std::cell::OnceCell;
use std::sync::Arc;

use weft_memory::{DwarfRegister, MemAddr, Registers};
use weft_process::Tracee;
use weft_values::{EvaluateError, Quick, Stop};

use super::Engine;
use crate::plan::Passerby;
use crate::terms::{Judge, Ruling};
use crate::{BreakpointKind, Event};

/// What the user breakpoints at one trap make of a hit.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Those that stop, in the order they were set.
    pub(super) stops: Vec<(i64, BreakpointKind)>,
    /// Why some of them cannot say whether they do.
    pub(super) text: Option<String>,
}

/// What can be said of a hit without looking closer.
enum Quickly {
    /// Nobody stops here.
    GoesOn,
    /// Somebody may; nothing was counted.
    Unknown,
    /// The only one there was counted, and stops or tells something.
    Meant,
}

impl Engine {
    /// A thread executed the trap at `address`, and stands behind it. If no breakpoint stops there it is on its way again
    /// when this returns; else says whether the hit was counted already.
    pub(super) fn pass_quickly(&mut self, tid: i32, address: MemAddr, sp: MemAddr) -> Option<bool> {
        if self.closely.contains(&address) {
            return Some(false);
        }
        let is_planned = self.planned.contains(&address);
        if is_planned && !self.is_anothers(tid, address, sp) {
            return Some(false);
        }
        let is_passed = is_planned || self.spawns.as_ref().is_some_and(|spawns| spawns.has(address));
        let Some(judges) = self.sites.get(&address).map(Arc::as_ref).or(is_passed.then_some(&[])) else {
            return Some(false);
        };
        match quickly(&self.tracee, tid, address, sp, judges, self.plan.is_none()) {
            Quickly::GoesOn => {}
            Quickly::Unknown => return Some(false),
            Quickly::Meant => return Some(true),
        }
        if !matches!(self.tracee.pass(tid, address), Ok(true)) {
            // It cannot be passed in this way: the longer one counts nothing again.
            if self.tracee.set_pc(tid, address).is_ok() {
                self.pass(tid);
            }
            return None;
        }
        self.placement.hit(tid, &self.tracee);
        None
    }

    /// Whether the plan says of a hit of its trap that it is somebody else's.
    fn is_anothers(&self, tid: i32, pc: MemAddr, sp: MemAddr) -> bool {
        let registers = OnceCell::new();
        let register = |of: DwarfRegister| {
            let known: &Option<Registers> = registers.get_or_init(|| self.tracee.registers(tid).ok());
            known.as_ref()?.get(of)
        };
        let read = |at: MemAddr, buffer: &mut [u8]| self.tracee.peek(at, buffer);
        let by = Passerby { tid, pc, sp, register: &register, read: &read };
        self.plan.as_ref().is_some_and(|plan| plan.is_anothers(&by))
    }

    /// Asks every breakpoint at a trap. `counted`: the only one there has counted this hit.
    pub(super) fn judge(&mut self, tid: i32, address: MemAddr, counted: bool) -> Judgement {
        let judges = self.sites.get(&address).cloned();
        judges.map(|judges| self.ask(tid, &judges, counted)).unwrap_or_default()
    }

    /// Asks breakpoints that a stopped thread has hit, each of which counts and tells by itself.
    pub(super) fn ask(&mut self, tid: i32, judges: &[Judge], counted: bool) -> Judgement {
        let mut judgement = Judgement::default();
        let mut stop: Option<Stop> = None;
        for judge in judges {
            let ruling = if counted { Ruling::Stop } else { self.rule(tid, judge, &mut stop) };
            match (ruling, judge.log()) {
                (Ruling::GoOn, _) => {}
                (Ruling::Stop, Some(message)) => {
                    if stop.is_none() {
                        stop = self.one_thread(tid);
                    }
                    if let Some(stop) = &stop {
                        let text = message.text(stop, tid, &|asked| self.task_variable(stop, tid, asked));
                        (self.events)(Event::Log(text, judge.line()));
                    }
                }
                (Ruling::Stop, None) => judgement.stops.push((judge.id, judge.kind)),
                (Ruling::Unclear(why), _) => {
                    judgement.stops.push((judge.id, judge.kind));
                    judgement.text.get_or_insert(why);
                }
            }
        }
        judgement
    }

    /// Asks one breakpoint, with all that debug information says.
    fn rule(&self, tid: i32, judge: &Judge, stop: &mut Option<Stop>) -> Ruling {
        if let Some(trouble) = judge.trouble() {
            return Ruling::Unclear(trouble.to_owned());
        }
        if judge.is_in_focus() {
            if stop.is_none() {
                *stop = self.one_thread(tid);
            }
            match stop.as_ref().map(|stop| self.is_in_focus(stop, tid)) {
                Some(Ok(true)) => {}
                Some(Err(why)) => {
                    return Ruling::Unclear(format!("nobody can tell whether this is the task in focus: {why}"));
                }
                Some(Ok(false)) | None => return Ruling::GoOn,
            }
        }
        if let Some(condition) = judge.condition() {
            if stop.is_none() {
                *stop = self.one_thread(tid);
            }
            let Some(stop) = stop else { return Ruling::GoOn };
            match condition.holds(stop, tid, &|asked| self.task_variable(stop, tid, asked)) {
                Ok(true) => {}
                // Where no task runs, nothing is true of it.
                Ok(false) | Err(EvaluateError::NoTask) => return Ruling::GoOn,
                Err(error) => {
                    let text = judge.condition_text();
                    return Ruling::Unclear(format!("the condition `{text}` cannot be evaluated here: {error}"));
                }
            }
        }
        if judge.counts() { Ruling::Stop } else { Ruling::GoOn }
    }
}

/// Asks those conditions that need no more than registers and a few reads. While a step is on its way, which may swallow
/// hits of the line that it steps over, nothing is counted here.
fn quickly(tracee: &Tracee, tid: i32, address: MemAddr, sp: MemAddr, judges: &[Judge], may_count: bool) -> Quickly {
    if let ([judge], true) = (judges, may_count) {
        return match holds(tracee, tid, address, sp, judge) {
            None => Quickly::Unknown,
            Some(false) => Quickly::GoesOn,
            Some(true) if judge.counts() => Quickly::Meant,
            Some(true) => Quickly::GoesOn,
        };
    }
    let nobody = judges.iter().all(|judge| holds(tracee, tid, address, sp, judge) == Some(false));
    if nobody { Quickly::GoesOn } else { Quickly::Unknown }
}

/// Whether the condition is true; none if it takes more to know.
fn holds(tracee: &Tracee, tid: i32, address: MemAddr, sp: MemAddr, judge: &Judge) -> Option<bool> {
    if judge.trouble().is_some() || judge.is_in_focus() {
        return None;
    }
    let Some(condition) = judge.condition() else { return Some(true) };
    let quick: &Quick = condition.quick()?;
    let read = |at: MemAddr, buffer: &mut [u8]| tracee.peek(at, buffer);
    let cheap = |register: &DwarfRegister| matches!(*register, DwarfRegister::RSP | DwarfRegister::RA);
    if quick.registers().iter().all(cheap) {
        let register = |register| if register == DwarfRegister::RSP { sp.raw() } else { address.raw() };
        return quick.holds(register, read);
    }
    let registers = tracee.registers(tid).ok()?;
    let register = |register| match register {
        DwarfRegister::RA => address.raw(),
        register => registers.get(register).unwrap_or(0),
    };
    quick.holds(register, read)
}
