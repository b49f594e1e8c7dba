//! Whose each of the processor's debug registers is: the user's breakpoints on data go first, then the plan.

use weft_process::{Trap, WaitEvent, Watch, WatchAccess};

use super::{REGISTERS, Watched, Watches};
use crate::engine::{Engine, State};
use crate::plan::{self, Verdict};
use crate::stops::stop_of;

/// Whose a debug register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// That of a breakpoint on data.
    Breakpoint(i64),
    /// The plan's. The user's breakpoints go first.
    Plan,
}

impl Watches {
    /// Who is behind the debug registers of a hit.
    pub(super) fn owners(&self, hits: u8) -> Vec<Whose> {
        let mut owners = Vec::new();
        for (register, whose) in self.registers.iter().enumerate() {
            if hits & (1 << register) != 0 && !owners.contains(whose) {
                owners.push(*whose);
            }
        }
        owners
    }

    /// The debug registers of these owners.
    fn hits(&self, owners: &[Whose]) -> u8 {
        let mine = self.registers.iter().enumerate().filter(|(_, whose)| owners.contains(whose));
        mine.fold(0, |hits, (register, _)| hits | (1 << register))
    }

    /// Whether a hit is also the plan's.
    pub(in crate::engine) fn is_plans(&self, hits: u8) -> bool {
        self.owners(hits).contains(&Whose::Plan)
    }
}

impl Engine {
    /// Gives the processor what there is to watch. Hits that wait to be handled are still those of the same breakpoints.
    pub(super) fn program_watches(&mut self) -> Result<(), String> {
        let waiting: Vec<(usize, Vec<Whose>)> = self
            .pending
            .iter()
            .enumerate()
            .filter_map(|(at, event)| match event {
                WaitEvent::Trapped { trap: Trap::Hardware(hits), .. } => Some((at, self.watches.owners(*hits))),
                _ => None,
            })
            .collect();
        let live = self.watches.list.iter().filter(|watched| watched.refusal.is_none());
        let whose = |watched: &Watched| Whose::Breakpoint(watched.id);
        let (mut registers, mut watches): (Vec<Whose>, Vec<Watch>) =
            live.flat_map(|watched| watched.registers().into_iter().map(|watch| (whose(watched), watch))).unzip();
        self.watches.planned = self.watches.planned.filter(|_| watches.len() < REGISTERS);
        if let Some(plan::Watched { address, size }) = self.watches.planned {
            registers.push(Whose::Plan);
            watches.push(Watch { address, size, access: WatchAccess::ReadWrite });
        }
        self.watches.registers = registers;
        for (at, owners) in waiting {
            let now = self.watches.hits(&owners);
            if let Some(WaitEvent::Trapped { trap, .. }) = self.pending.get_mut(at) {
                *trap = Trap::Hardware(now);
            }
        }
        if self.tracee.watches() == watches {
            return Ok(());
        }
        self.tracee.set_watches(&watches).map_err(|error| {
            self.watches.registers.clear();
            self.watches.planned = None;
            error.to_string()
        })
    }

    /// Has the processor watch what the plan wants, if a debug register is free, or else a gate tell of it, if there can be one; the
    /// plan is told.
    pub(in crate::engine) fn grant_watch(&mut self) {
        self.watch_for_plan();
        self.grant_gate();
    }

    /// A watch that is not wanted any more is taken back without stopping anybody: hits of threads that still have it are
    /// nobody's.
    fn watch_for_plan(&mut self) {
        let wanted = self.plan.as_ref().and_then(|plan| plan.watch());
        if wanted == self.watches.asked {
            return;
        }
        self.watches.asked = wanted;
        if wanted.is_some() && self.state == State::Running {
            // Also when all were stopped before: some may have been sent past their traps since.
            self.stop_all();
        }
        self.watches.planned = wanted;
        if let Err(error) = self.program_watches() {
            tracing::debug!(%error, "a step goes without a watch");
        }
        self.tell_plan_of_watch();
    }

    /// Tells the plan whether it got what it asked for. All threads stand then.
    pub(super) fn tell_plan_of_watch(&mut self) {
        let is_watched = self.watches.planned.is_some();
        if let Some(plan) = self.plan.as_mut().filter(|_| self.watches.asked.is_some())
            && let Ok(stop) = stop_of(&self.tracee, self.modules.clone())
            && let Verdict::Lost(why) = plan.set_watched(is_watched, &stop)
        {
            self.lose_plan(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_belong_to_breakpoints_however_many_registers_they_take() {
        let (seven, nine) = (Whose::Breakpoint(7), Whose::Breakpoint(9));
        let watches = Watches { registers: vec![seven, seven, nine, Whose::Plan], ..Watches::default() };
        assert_eq!(watches.owners(0b011), [seven]);
        assert_eq!(watches.owners(0b110), [seven, nine]);
        assert_eq!(watches.owners(0b1_0000), []);
        assert_eq!(watches.hits(&[nine]), 0b100);
        assert_eq!(watches.hits(&[seven]), 0b011);
        assert!(watches.is_plans(0b1100) && !watches.is_plans(0b111));
    }
}
