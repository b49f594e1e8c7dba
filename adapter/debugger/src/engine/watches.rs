//! Breakpoints on data: what is watched, what a hit says, and when that has ended.

mod calls;
mod registers;

use weft_memory::MemAddr;
use weft_process::{Watch, WatchAccess};
use weft_values::Stop;

use calls::find_call;
use registers::Whose;

use super::{Engine, State, refused};
use crate::breakpoints::Owner;
use crate::plan::{self, Verdict};
use crate::stops::stop_of;
use crate::terms::Judge;
use crate::{Access, Bound, BreakpointKind, DataSpec, Event, Reason, Refused};

/// Debug registers that hold an address (Intel SDM volume 3B, 19.2).
const REGISTERS: usize = 4;
/// Bytes that one breakpoint watches, at most.
const WIDEST: u64 = 8;
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
        self.grant_gate();
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
}
