//! Which traps are in memory, and which files they are in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weft_memory::MemAddr;

use super::Engine;
use super::long_polls::LongPolls;
use super::spawns::Spawns;
use crate::breakpoints::{Asked, Group, Owner};
use crate::terms::{Judge, Rules};
use crate::{Bound, Event, Terms, entry, modules_of};

impl Engine {
    /// Looks which files are loaded now and binds breakpoints anew.
    pub(super) fn refresh_modules(&mut self) {
        let living = self.tracee.living();
        let Ok(mapped) = weft_process::mappings(living) else { return };
        self.modules = Arc::new(modules_of(living, &self.program, &mapped, &self.images));
        self.shared.set_modules(self.modules.clone());
        self.loader = entry::loader_notice(&self.modules);
        let changed = self.breakpoints.rebind(&self.modules);
        self.rebind_panics();
        self.rebind_spawns();
        self.place_breakpoints();
        for bound in changed.into_iter().filter_map(|id| self.bound(id)) {
            (self.events)(Event::BreakpointChanged(bound));
        }
        (self.events)(Event::ModulesChanged);
    }

    /// Replaces a group of breakpoints, in the program's memory too; how they are set, in the order asked.
    pub(super) fn replace_breakpoints(&mut self, group: Group<'_>, wanted: Vec<(Asked, Terms)>) -> Vec<Bound> {
        let ids = self.breakpoints.replace(group, wanted, &self.modules);
        self.place_breakpoints();
        ids.into_iter().filter_map(|id| self.bound(id)).collect()
    }

    pub(super) fn place_breakpoints(&mut self) {
        self.owners = self.breakpoints.owners(&self.modules);
        self.appoint_judges();
        self.place_traps();
    }

    /// Prepares what every hit is asked, and says of breakpoints whose terms mean nothing why.
    fn appoint_judges(&mut self) {
        self.rules.retain(|id| self.breakpoints.bound(id).is_some() || self.watches.has(id));
        let mut known = std::mem::take(&mut self.sites);
        // By breakpoint: what is wrong, as long as it is wrong everywhere.
        let mut troubles: BTreeMap<i64, Option<String>> = BTreeMap::new();
        let mut sites: HashMap<MemAddr, Vec<Judge>> = HashMap::new();
        for (address, owners) in &self.owners {
            let before = known.remove(address).unwrap_or_default();
            for owner in owners {
                let judge = self.rules.judge(owner, &self.modules, &before);
                let trouble = judge.trouble().map(str::to_owned);
                troubles.entry(owner.id).and_modify(|all| *all = all.take().and(trouble.clone())).or_insert(trouble);
                sites.entry(*address).or_default().push(judge);
            }
        }
        // Where it is wrong at some places only, a hit there stops and says so; else nobody is stopped for it.
        for judges in sites.values_mut() {
            judges.retain(|judge| troubles.get(&judge.id).is_none_or(Option::is_none));
        }
        self.sites = sites.into_iter().map(|(address, judges)| (address, Arc::from(judges))).collect();
        for (id, trouble) in troubles {
            self.breakpoints.object(id, trouble);
        }
        for (id, trouble) in self
            .breakpoints
            .unbound_terms()
            .filter_map(|(id, terms)| Some((id, Rules::check(terms)?)))
            .collect::<Vec<_>>()
        {
            self.breakpoints.object(id, Some(trouble));
        }
    }

    /// How a breakpoint is set. One none of whose traps could be written does not stop, and says so.
    fn bound(&self, id: i64) -> Option<Bound> {
        let mut bound = self.breakpoints.bound(id)?;
        let owns = |owners: &[Owner]| owners.iter().any(|owner| owner.id == id);
        let mut addresses = self.owners.iter().filter(|(_, owners)| owns(owners)).map(|(address, _)| address);
        if bound.verified && !addresses.any(|address| self.planted.contains(address)) {
            (bound.at, bound.verified) = (None, false);
            bound.message = Some("the breakpoint could not be written into the program's code".to_owned());
        }
        if bound.verified && self.breakpoints.is_in_focus(id) && !self.has_focus() {
            bound.message = Some(
                "no task is in focus yet: this stops nobody until a task is chosen in the task view, or a stop shows one"
                    .to_owned(),
            );
        }
        Some(bound)
    }

    /// Makes the traps in memory those that somebody wants. One byte each through `/proc`, so nothing has to stop.
    pub(super) fn place_traps(&mut self) {
        let Ok(memory) = self.tracee.memory() else { return };
        let mut wanted: BTreeSet<MemAddr> = self.owners.keys().copied().collect();
        self.closely = self.loader.iter().chain(&self.entry).copied().collect();
        self.closely.extend(self.watches.traps().chain(self.panics.traps()).chain(self.task_stops.traps()));
        self.closely.extend(self.long_polls.iter().filter_map(LongPolls::trap));
        self.planned = self.plan.as_ref().map(|plan| plan.traps()).unwrap_or_default();
        wanted.extend(self.closely.iter().chain(&self.planned));
        wanted.extend(self.spawns.iter().flat_map(Spawns::traps));
        for address in self.planted.difference(&wanted) {
            if let Err(error) = self.tracee.lift(*address) {
                tracing::debug!(%address, %error, "a trap could not be taken away");
            }
        }
        for address in wanted.difference(&self.planted.clone()) {
            if let Err(error) = self.tracee.plant(*address) {
                tracing::debug!(%address, %error, "a trap could not be planted");
            }
        }
        wanted.retain(|address| memory.is_planted(*address));
        self.planted = wanted;
    }
}
