//! Breakpoints on data: which of the processor's watches are whose, what a hit says, and when what is watched has ended.

use std::collections::BTreeSet;

use weft_memory::{MemAddr, Registers};
use weft_process::{Trap, WaitEvent, Watch, WatchAccess};
use weft_values::Stop;

use super::{Engine, State, refused};
use crate::breakpoints::Owner;
use crate::plan::{self, Verdict};
use crate::stops::stop_of;
use crate::terms::Judge;
use crate::{Access, Bound, BreakpointKind, DataSpec, Event, FrameIdentity, Reason, Refused};

/// Debug registers that hold an address (Intel SDM volume 3B, 19.2).
const REGISTERS: usize = 4;
/// Bytes that one breakpoint watches, at most.
const WIDEST: u64 = 8;
/// Frames that are looked at to find one.
const DEPTH: usize = 10_000;
/// Values from here on are shown in hexadecimal too.
const LARGE: u64 = 0x1_0000;

/// One breakpoint on data.
struct Watched {
    id: i64,
    spec: DataSpec,
    judge: Judge,
    /// What was there when it was last looked at.
    value: Option<u64>,
    /// Where the call returns to whose local it is.
    back: Option<MemAddr>,
    /// Why it watches nothing.
    refusal: Option<String>,
}

/// Whose a debug register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// That of a breakpoint on data.
    Breakpoint(i64),
    /// The plan's. The user's breakpoints go first.
    Plan,
}

/// All that is watched.
#[derive(Default)]
pub(super) struct Watches {
    list: Vec<Watched>,
    /// Whose each debug register is.
    registers: Vec<Whose>,
    /// What the plan asked for last.
    asked: Option<plan::Watched>,
    /// What is watched for it.
    planned: Option<plan::Watched>,
    /// The thread that is about to be shown stands behind an access, and not at a trap that it has executed.
    pub(super) behind_access: bool,
}

impl Watches {
    /// Where calls return to whose locals are watched.
    pub(super) fn traps(&self) -> impl Iterator<Item = MemAddr> {
        self.list.iter().filter_map(|watched| watched.back)
    }

    pub(super) fn has(&self, id: i64) -> bool {
        self.list.iter().any(|watched| watched.id == id)
    }

    /// Who is behind the debug registers of a hit.
    fn owners(&self, hits: u8) -> Vec<Whose> {
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
    pub(super) fn is_plans(&self, hits: u8) -> bool {
        self.owners(hits).contains(&Whose::Plan)
    }
}

impl Watched {
    fn bound(&self) -> Bound {
        let reading = "the processor has no watch for reading alone: this stops at accesses that leave the value as it \
                       was, be they reads or writes";
        Bound {
            id: self.id,
            verified: self.refusal.is_none(),
            locations: usize::from(self.refusal.is_none()),
            message: self.refusal.clone().or_else(|| (self.spec.access == Access::Read).then(|| reading.to_owned())),
            ..Bound::default()
        }
    }

    fn registers(&self) -> Vec<Watch> {
        let access = match self.spec.access {
            Access::Write => WatchAccess::Write,
            Access::Read | Access::ReadWrite => WatchAccess::ReadWrite,
        };
        Watch::cover(self.spec.address, self.spec.size, access)
    }

    /// Notes the value now, and says what has happened to it; none: it is none of what is watched for.
    fn look(&mut self, now: Option<u64>) -> Option<String> {
        let before = std::mem::replace(&mut self.value, now);
        let name = &self.spec.name;
        let changed = before != now;
        let (Some(before), Some(now)) = (before, now) else {
            return Some(format!("`{name}` was accessed; its value cannot be read"));
        };
        let (was, is) = (number(before), number(now));
        match self.spec.access {
            Access::Read if changed => None,
            Access::Write | Access::ReadWrite if changed => Some(format!("`{name}` changed from {was} to {is}")),
            Access::Write => Some(format!("`{name}` was written, and is {is} as before")),
            Access::Read | Access::ReadWrite => Some(format!("`{name}` was read or written: {is}")),
        }
    }
}

fn number(value: u64) -> String {
    if value < LARGE { value.to_string() } else { format!("{value} ({value:#x})") }
}

impl Engine {
    /// Replaces every breakpoint on data. What was asked for before keeps its id and its last value.
    pub(super) fn set_data(&mut self, wanted: Vec<DataSpec>) -> Result<Vec<Bound>, Refused> {
        if self.state == State::Over {
            return Err(Refused::Ended);
        }
        // A thread that runs while its debug registers change keeps the old ones.
        let running = self.state == State::Running && !self.all_stand;
        if running {
            self.stop_all();
        }
        let answer = self.replace_data(wanted);
        self.place_traps();
        if running {
            self.release();
        }
        answer
    }

    fn replace_data(&mut self, wanted: Vec<DataSpec>) -> Result<Vec<Bound>, Refused> {
        let stop = stop_of(&self.tracee, self.modules.clone()).map_err(refused)?;
        let mut old = std::mem::take(&mut self.watches.list);
        let mut free = REGISTERS;
        let mut list: Vec<Watched> = Vec::new();
        for spec in wanted {
            let is = |old: &Watched| DataSpec { terms: spec.terms.clone(), ..old.spec.clone() } == spec;
            let before = old.iter().position(is).map(|at| old.swap_remove(at));
            let watched = self.watch(spec, before, &mut free, &stop);
            list.push(watched);
        }
        self.watches.list = list;
        if let Err(sentence) = self.program_watches() {
            for watched in &mut self.watches.list {
                watched.refusal.get_or_insert_with(|| sentence.clone());
            }
        }
        self.tell_plan_of_watch();
        Ok(self.watches.list.iter().map(Watched::bound).collect())
    }

    fn watch(&mut self, spec: DataSpec, before: Option<Watched>, free: &mut usize, stop: &Stop) -> Watched {
        let terms = match &before {
            Some(before) if before.spec.terms == spec.terms => before.judge.terms(),
            _ => std::sync::Arc::new(spec.terms.clone()),
        };
        let (id, value, back) = match before {
            Some(before) => (before.id, before.value, before.back),
            None => (self.breakpoints.mint(), None, None),
        };
        let owner = Owner { id, kind: BreakpointKind::Data, terms, code: None };
        let judge = self.rules.judge(&owner, &self.modules, &[]);
        let mut watched = Watched { id, spec, judge, value, back, refusal: None };
        let refusal = watched.judge.trouble().map(str::to_owned).or_else(|| self.objection(&watched.spec));
        watched.refusal = refusal.or_else(|| find_call(&mut watched, stop).err());
        if watched.refusal.is_none() {
            let needs = watched.registers().len();
            match free.checked_sub(needs) {
                Some(left) => *free = left,
                None => watched.refusal = Some(too_many(needs, *free)),
            }
        }
        if watched.refusal.is_some() {
            watched.back = None;
        } else if watched.value.is_none() {
            watched.value = self.value_of(&watched.spec);
        }
        watched
    }

    fn objection(&self, spec: &DataSpec) -> Option<String> {
        if !(1..=WIDEST).contains(&spec.size) {
            return Some(format!(
                "`{}` has {} bytes, and the processor watches 1 to {WIDEST}: watch a part of it",
                spec.name, spec.size
            ));
        }
        self.value_of(spec).is_none().then(|| format!("{} is no memory of the program that can be read", spec.address))
    }

    fn value_of(&self, spec: &DataSpec) -> Option<u64> {
        let mut bytes = [0; 8];
        let size = usize::try_from(spec.size).ok()?;
        self.tracee.peek(spec.address, bytes.get_mut(..size)?).then(|| u64::from_le_bytes(bytes))
    }

    /// Gives the processor what there is to watch. Hits that wait to be handled are still those of the same breakpoints.
    fn program_watches(&mut self) -> Result<(), String> {
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

    /// Has the processor watch what the plan wants, if a debug register is free; the plan is told. A watch that is not
    /// wanted any more is taken back without stopping anybody: hits of threads that still have it are nobody's.
    pub(super) fn grant_watch(&mut self) {
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
    fn tell_plan_of_watch(&mut self) {
        let is_watched = self.watches.planned.is_some();
        if let Some(plan) = self.plan.as_mut().filter(|_| self.watches.asked.is_some())
            && let Ok(stop) = stop_of(&self.tracee, self.modules.clone())
            && let Verdict::Lost(why) = plan.set_watched(is_watched, &stop)
        {
            self.lose_plan(why);
        }
    }

    /// A thread accessed watched data. Whether the program was stopped for it; the thread stands in any case.
    pub(super) fn stops_for_access(&mut self, tid: i32, hits: u8) -> bool {
        let owners = self.watches.owners(hits).into_iter();
        let ids = owners.filter_map(|whose| match whose {
            Whose::Breakpoint(id) => Some(id),
            Whose::Plan => None,
        });
        let ids: Vec<i64> = ids.collect();
        if ids.is_empty() {
            return false;
        }
        let over = self.calls_over(tid);
        if !over.is_empty() {
            // What lies there now is another call's.
            let stops = self.end_calls(tid, &over, "the call that it belonged to has ended");
            if stops {
                return true;
            }
        }
        let (mut judges, mut texts) = (Vec::new(), Vec::new());
        for id in ids {
            let Some(at) = self.watches.list.iter().position(|watched| watched.id == id) else { continue };
            let now = self.watches.list.get(at).and_then(|watched| self.value_of(&watched.spec));
            let Some(watched) = self.watches.list.get_mut(at) else { continue };
            if let Some(text) = watched.look(now) {
                judges.push(watched.judge.clone());
                texts.push((id, text));
            }
        }
        let judgement = self.ask(tid, &judges, false);
        let ids: Vec<i64> = judgement.stops.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() || self.passes_sibling(tid) {
            return false;
        }
        let told = texts.into_iter().filter(|(id, _)| ids.contains(id)).map(|(_, text)| text).chain(judgement.text);
        let text = told.collect::<Vec<_>>().join("; ");
        self.watches.behind_access = true;
        self.report(tid, Reason::Breakpoint { ids, kind: BreakpointKind::Data, text: Some(text) });
        true
    }

    /// A thread accessed watched data, and stands behind the instruction that did.
    pub(super) fn on_access(&mut self, tid: i32, hits: u8) {
        if self.stops_for_access(tid, hits) {
            return;
        }
        if self.watches.is_plans(hits) {
            match self.ask_plan(tid, |plan, hit| plan.on_access(hit)) {
                Verdict::Continue => {
                    self.grant_watch();
                    self.place_traps();
                }
                Verdict::Lost(why) => self.lose_plan(why),
                verdict => return self.obey(tid, verdict),
            }
        }
        // Not past a trap that may be at its pc: that one is still to be hit.
        if self.all_stand {
            self.release();
        } else {
            let _ = self.tracee.resume(tid, 0);
        }
    }

    /// The thread may have returned from a call whose local is watched. Whether the program was stopped for it.
    pub(super) fn returned(&mut self, tid: i32, address: MemAddr) -> bool {
        if self.watches.traps().all(|back| back != address) {
            return false;
        }
        let Ok((_, sp)) = self.tracee.position(tid) else { return false };
        let is_over = |watched: &&Watched| {
            // A frame begins below the stack pointer that it returns with; another call of the same place lies deeper.
            watched.back == Some(address) && watched.spec.frame.is_some_and(|frame| frame.tid == tid && sp >= frame.cfa)
        };
        let over: Vec<i64> = self.watches.list.iter().filter(is_over).map(|watched| watched.id).collect();
        !over.is_empty() && self.end_calls(tid, &over, "the call that it belonged to has returned")
    }

    /// The breakpoints on locals of calls of this thread that are not on its stack any more.
    fn calls_over(&self, tid: i32) -> Vec<i64> {
        let of =
            |watched: &&Watched| watched.back.is_some() && watched.spec.frame.is_some_and(|frame| frame.tid == tid);
        if !self.watches.list.iter().any(|watched| of(&watched)) {
            return Vec::new();
        }
        let Some(stop) = self.one_thread(tid) else { return Vec::new() };
        let over =
            self.watches.list.iter().filter(of).filter(|watched| watched.spec.frame.is_some_and(|f| is_over(&stop, f)));
        over.map(|watched| watched.id).collect()
    }

    /// Ends breakpoints on what is no more. The program stops for it, unless a step is on its way, which stops soon.
    fn end_calls(&mut self, tid: i32, over: &[i64], why: &str) -> bool {
        let Some(text) = self.remove_watches(over, why) else { return false };
        if self.plan.is_some() {
            return false;
        }
        self.report(tid, Reason::Breakpoint { ids: Vec::new(), kind: BreakpointKind::Data, text: Some(text) });
        true
    }

    /// Takes breakpoints away and says so; the sentences.
    fn remove_watches(&mut self, gone: &[i64], why: &str) -> Option<String> {
        let (over, left): (Vec<Watched>, Vec<Watched>) =
            std::mem::take(&mut self.watches.list).into_iter().partition(|watched| gone.contains(&watched.id));
        self.watches.list = left;
        if over.is_empty() {
            return None;
        }
        if self.state == State::Running && !self.all_stand {
            self.stop_all();
        }
        if let Err(error) = self.program_watches() {
            tracing::debug!(%error, "watches could not be taken away");
        }
        let mut sentences = Vec::new();
        for watched in over {
            let sentence = format!("`{}` is not watched any more: {why}", watched.spec.name);
            (self.events)(Event::BreakpointRemoved(watched.id, sentence.clone()));
            sentences.push(sentence);
        }
        Some(sentences.join("; "))
    }

    /// Everything stands: what is watched may have ended in a way that nobody saw, as by a panic.
    pub(super) fn end_watches_of_gone_calls(&mut self) {
        let tids: BTreeSet<i32> =
            self.watches.list.iter().filter_map(|watched| watched.spec.frame).map(|frame| frame.tid).collect();
        let over: Vec<i64> = tids.into_iter().flat_map(|tid| self.calls_over(tid)).collect();
        self.remove_watches(&over, "the call that it belonged to has ended");
    }

    /// A thread has ended, and all its calls.
    pub(super) fn end_watches_of_thread(&mut self, tid: i32) {
        let of = |watched: &&Watched| watched.spec.frame.is_some_and(|frame| frame.tid == tid);
        let over: Vec<i64> = self.watches.list.iter().filter(of).map(|watched| watched.id).collect();
        if self.remove_watches(&over, "the thread that it belonged to has ended").is_some() {
            self.place_traps();
            self.release();
        }
    }

    /// Another program has taken the place of the one that was watched.
    pub(super) fn end_watches(&mut self) {
        for watched in std::mem::take(&mut self.watches).list {
            let sentence =
                format!("`{}` is not watched any more: another program has begun in this process", watched.spec.name);
            (self.events)(Event::BreakpointRemoved(watched.id, sentence));
        }
    }

    /// Somebody has written memory from outside: that is no change that a hit should tell.
    pub(super) fn look_at_watched(&mut self) {
        let values: Vec<Option<u64>> = self.watches.list.iter().map(|watched| self.value_of(&watched.spec)).collect();
        for (watched, value) in self.watches.list.iter_mut().zip(values) {
            watched.value = value.or(watched.value);
        }
    }
}

fn too_many(needs: usize, free: usize) -> String {
    let clear = "clear another data breakpoint first";
    match (needs, free) {
        (1, _) => format!("the processor can watch {REGISTERS} places at once, and all are taken: {clear}"),
        _ => format!(
            "these bytes take {needs} of the {REGISTERS} places that the processor can watch at once, because of where \
             they lie, and {free} are free: {clear}, or watch fewer bytes"
        ),
    }
}

/// Finds where the call returns to whose local is watched.
fn find_call(watched: &mut Watched, stop: &Stop) -> Result<(), String> {
    let Some(frame) = watched.spec.frame else { return Ok(()) };
    if watched.back.is_some() && !is_over(stop, frame) {
        return Ok(());
    }
    let gone = || format!("the call that `{}` belonged to has ended", watched.spec.name);
    let mut callers = callers(stop, frame.tid);
    let caller = callers.find(|caller| caller.0 == frame.cfa).ok_or_else(gone)?;
    watched.back = Some(caller.1);
    Ok(())
}

/// Whether a call is surely not on its thread's stack any more.
fn is_over(stop: &Stop, frame: FrameIdentity) -> bool {
    let mut walk = callers(stop, frame.tid);
    let found = stop.thread(frame.tid).is_none() || walk.by_ref().any(|(cfa, _)| cfa == frame.cfa);
    !found && walk.is_whole
}

/// A walk up a stack.
struct Callers<'a> {
    stop: &'a Stop,
    at: Option<(Registers, bool)>,
    left: usize,
    /// It came to the outermost frame.
    is_whole: bool,
}

/// The frames of a thread, innermost first: frame address, and where it returns to.
fn callers(stop: &Stop, tid: i32) -> Callers<'_> {
    let at = stop.thread(tid).map(|thread| (thread.registers, false));
    Callers { stop, at, left: DEPTH, is_whole: false }
}

impl Iterator for Callers<'_> {
    type Item = (MemAddr, MemAddr);

    fn next(&mut self) -> Option<Self::Item> {
        let (registers, is_return_address) = self.at.take()?;
        self.left = self.left.checked_sub(1)?;
        let Some(caller) = self.stop.modules.caller(&registers, is_return_address, &*self.stop.memory).ok()? else {
            self.is_whole = true;
            return None;
        };
        self.at = Some((caller.registers, !caller.signal_frame));
        Some((caller.cfa, caller.registers.pc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_symbols::Modules;

    use crate::Terms;
    use crate::terms::Rules;

    fn watched(access: Access) -> Watched {
        let owner = Owner { id: 1, kind: BreakpointKind::Data, terms: Default::default(), code: None };
        let judge = Rules::default().judge(&owner, &Modules::default(), &[]);
        let (address, name) = (MemAddr::new(0x1000), "n".to_owned());
        let spec = DataSpec { address, size: 8, access, name, frame: None, terms: Terms::default() };
        Watched { id: 1, spec, judge, value: Some(3), back: None, refusal: None }
    }

    #[test]
    fn a_hit_says_what_became_of_the_value() {
        let says = |access, now| watched(access).look(now).unwrap_or_default();
        assert_eq!(says(Access::Write, Some(6)), "`n` changed from 3 to 6");
        assert_eq!(says(Access::Write, Some(3)), "`n` was written, and is 3 as before");
        assert_eq!(says(Access::Write, Some(0x1_0000)), "`n` changed from 3 to 65536 (0x10000)");
        assert_eq!(says(Access::ReadWrite, Some(3)), "`n` was read or written: 3");
        assert_eq!(says(Access::Read, Some(3)), "`n` was read or written: 3");
        assert_eq!(says(Access::Read, Some(4)), "");
        assert_eq!(says(Access::Write, None), "`n` was accessed; its value cannot be read");
        let mut twice = watched(Access::Write);
        twice.look(Some(6));
        assert_eq!(twice.look(Some(7)).as_deref(), Some("`n` changed from 6 to 7"));
    }

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
