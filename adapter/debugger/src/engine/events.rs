//! What happens in the debuggee while it runs, and what a plan says to it.

use std::sync::Arc;

use weft_memory::MemAddr;
use weft_process::{Trap, WaitEvent};
use weft_values::Stop;

use super::Engine;
use super::judging::Judgement;
use super::motion::Moved;
use super::task_stops::TaskStops;
use crate::plan::{Hit, Plan, Verdict};
use crate::stops::thread_of;
use crate::{Event, Reason};

/// The instruction `int3`.
pub(super) const INT3: u8 = 0xcc;

impl Engine {
    pub(super) fn on_event(&mut self, event: WaitEvent) {
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => self.on_breakpoint(tid),
            WaitEvent::Trapped { tid, trap: Trap::Hardware(hits) } => self.on_access(tid, hits),
            WaitEvent::Trapped { tid, trap: Trap::Step } | WaitEvent::Interrupted { tid } => {
                if self.may_run(tid) {
                    let _ = self.tracee.resume(tid, 0);
                }
            }
            WaitEvent::GroupStop { tid, signal } => self.on_job_stop(tid, signal),
            WaitEvent::Signal { tid, signal } => self.on_signal(tid, signal),
            WaitEvent::ThreadStarted { tid } => {
                (self.events)(Event::ThreadStarted(tid));
                self.placement.born(tid, &self.tracee);
                if self.may_run(tid) {
                    let _ = self.tracee.resume(tid, 0);
                }
            }
            WaitEvent::ThreadExited { tid } => {
                self.first_thread_ended |= tid == self.tracee.pid();
                (self.events)(Event::ThreadExited(tid));
                self.placement.died(tid);
                let verdict = self.plan.as_mut().map(|plan| plan.on_thread_exited(tid));
                if let Some(Verdict::Lost(why)) = verdict {
                    self.lose_plan(why);
                }
                self.forget_panics(Some(tid));
                self.forget_thread(tid);
                if let Some(polls) = &mut self.long_polls {
                    polls.forget(tid);
                }
                self.end_watches_of_thread(tid);
                self.end_alone(tid);
            }
            WaitEvent::Exec { tid } => {
                if std::mem::take(&mut self.first_thread_ended) {
                    (self.events)(Event::ThreadStarted(tid));
                }
                // It may be another thread by now than the one that was bound to our core.
                self.placement.born(tid, &self.tracee);
                self.placement.release(&self.tracee);
                self.planted.clear();
                self.rewound.clear();
                self.own_traps.clear();
                self.undelivered.clear();
                self.had_hit.clear();
                self.ending.clear();
                self.entry = None;
                self.forget_panics(None);
                self.forget_gate();
                self.forget_all_spawns();
                self.end_watches();
                self.tell_passed();
                (self.focus, self.task_stops) = (None, TaskStops::default());
                if let Some(polls) = &mut self.long_polls {
                    polls.begin_anew();
                }
                if let Some(plan) = self.plan.take() {
                    let name = plan.name();
                    (self.events)(Event::Note(format!("{name} has ended: the program has executed another one")));
                }
                (self.alone, self.job_stop) = (None, None);
                self.program = weft_process::executable_path(self.tracee.pid()).unwrap_or(self.program.clone());
                self.refresh_modules();
                let _ = self.tracee.resume(tid, 0);
            }
            WaitEvent::Forked { child } => self.on_fork(child),
            WaitEvent::Exited(_) => {}
        }
    }

    /// A thread executed an `int3`.
    pub(super) fn on_breakpoint(&mut self, tid: i32) {
        let Some((address, counted)) = self.look_at_hit(tid) else { return };
        let is_entry = self.entry.take_if(|entry| *entry == address).is_some();
        if self.loader == Some(address) {
            self.refresh_modules();
            return self.pass(tid);
        }
        let judgement = if self.sites.contains_key(&address) && !self.is_same_line(tid) {
            self.judge(tid, address, counted)
        } else {
            Judgement::default()
        };
        if let Some((_, kind)) = judgement.stops.first()
            && !self.passes_sibling(tid)
        {
            let kind = *kind;
            let ids = judgement.stops.into_iter().map(|(id, _)| id).collect();
            return self.report(tid, Reason::Breakpoint { ids, kind, text: judgement.text });
        }
        if self.panicked(tid, address) {
            return;
        }
        if is_entry {
            return self.report(tid, Reason::Entry);
        }
        if self.task_stopped(tid, address) {
            return;
        }
        self.poll_returned(tid, address);
        if self.returned(tid, address) {
            return;
        }
        if self.planned.contains(&address) {
            let verdict = self.ask_plan(tid, |plan, hit| plan.on_trap(hit));
            return self.obey(tid, verdict);
        }
        self.pass(tid);
    }

    /// Where a thread hit a trap of ours, its pc there again, and whether the hit was counted. None: it is on its way
    /// again, or something else became of it.
    fn look_at_hit(&mut self, tid: i32) -> Option<(MemAddr, bool)> {
        if self.own_traps.remove(&tid) {
            self.on_own_trap(tid);
            return None;
        }
        if let Some(address) = self.rewound.remove(&tid) {
            self.note_spawn(tid, address);
            return Some((address, false));
        }
        let (pc, sp) = self.tracee.position(tid).ok()?;
        let Some(address) = pc.checked_sub(1).filter(|address| self.planted.contains(address)) else {
            let address = self.rewind(tid);
            if address.is_none() {
                self.on_own_trap(tid);
            }
            return Some((address?, false));
        };
        self.note_spawn(tid, address);
        let counted = self.pass_quickly(tid, address, sp)?;
        self.tracee.set_pc(tid, self.gates.behind(address)).ok()?;
        Some((address, counted))
    }

    /// Moves a thread that executed one of our traps back to it. `None`: the `int3` is the program's own. A trap that was
    /// taken away after the hit counts as ours: nothing of the program's is there.
    pub(super) fn rewind(&self, tid: i32) -> Option<MemAddr> {
        let pc = self.tracee.registers(tid).ok()?.pc();
        let address = pc.checked_sub(1)?;
        let mut byte = [0];
        let memory = self.tracee.stopped_memory().ok()?;
        let own = weft_memory::Memory::read(&memory, address, &mut byte).is_ok() && byte == [INT3];
        if own {
            return None;
        }
        self.tracee.set_pc(tid, self.gates.behind(address)).ok()?;
        Some(address)
    }

    pub(super) fn ask_plan(&mut self, tid: i32, ask: impl FnOnce(&mut dyn Plan, &Hit<'_>) -> Verdict) -> Verdict {
        let Some((stop, plan)) = self.one_thread(tid).zip(self.plan.as_mut()) else { return Verdict::Continue };
        let verdict = ask(plan.as_mut(), &Hit { tid, stop: &stop });
        if plan.has_left_task() {
            self.siblings_elsewhere(&stop, tid);
        }
        self.look_after_wait();
        verdict
    }

    pub(super) fn is_same_line(&self, tid: i32) -> bool {
        let Some(plan) = &self.plan else { return false };
        self.one_thread(tid).is_some_and(|stop| plan.is_same_line(&Hit { tid, stop: &stop }))
    }

    /// What a plan may look at: one stopped thread, while others may be running.
    pub(super) fn one_thread(&self, tid: i32) -> Option<Stop> {
        let memory = self.tracee.stopped_memory().ok()?;
        Some(Stop {
            generation: memory.generation(),
            pid: self.tracee.pid(),
            memory: Arc::new(memory),
            modules: self.modules.clone(),
            threads: vec![thread_of(&self.tracee, tid)?],
            clock: None,
            descriptors: None,
            stacks: weft_values::Stacks::default(),
        })
    }

    pub(super) fn obey(&mut self, tid: i32, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {
                self.grant_watch();
                self.place_traps();
                self.pass(tid);
            }
            Verdict::StepInstruction => {
                // What is asked after the step may build on the traps: nothing that they tell of goes unseen from here on.
                self.grant_watch();
                self.place_traps();
                match self.step_instruction(tid) {
                    Moved::Yes => {
                        let hits = self.tracee.take_watch_hits(tid);
                        if hits != 0 && self.stops_for_access(tid, hits) {
                            return;
                        }
                        if self.watches.is_plans(hits) {
                            let verdict = self.ask_plan(tid, |plan, hit| plan.on_access(hit));
                            if verdict != Verdict::Continue {
                                return self.obey(tid, verdict);
                            }
                        }
                        let next = self.ask_plan(tid, |plan, hit| plan.on_stepped(hit));
                        self.obey(tid, next);
                    }
                    Moved::No => self.go_on(),
                    Moved::Blocked => {
                        self.report(tid, Reason::Step(Some("the system call has not ended yet".to_owned())))
                    }
                }
            }
            Verdict::Place => {
                self.grant_watch();
                self.place_traps();
                let next = self.ask_plan(tid, |plan, hit| plan.on_placed(hit));
                self.obey(tid, next);
            }
            Verdict::Done(sentence) => {
                self.plan = None;
                self.report(tid, Reason::Step(sentence));
            }
            Verdict::Lost(why) => {
                self.lose_plan(why);
                self.pass(tid);
            }
        }
    }

    pub(super) fn lose_plan(&mut self, why: String) {
        self.plan = None;
        self.grant_watch();
        self.place_traps();
        self.tell_passed();
        (self.events)(Event::Note(why));
    }
}
