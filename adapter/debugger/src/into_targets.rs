//! What a step from where a thread stands can go into.

use std::collections::BTreeSet;

use weft_memory::MemAddr;
use weft_runtimes::macro_branches;
use weft_symbols::{CodeFrame, FunctionKind, SourceLine, Type, Variable};
use weft_values::{Frame, Stop, frames, is_user_crate};

use crate::api::{Branch, Goal};
use crate::{InTarget, TargetId, plan};

/// Targets of one line that are offered.
const MOST_TARGETS: usize = 100;

/// Inlined copies that are looked through to the concrete function.
const DEPTH: usize = 512;

/// What a step from where a thread stands can go into: the calls that are still ahead on its line, in the order they are
/// executed, of functions of the user's and of others that may call those back; then the branches of a `select!` or `join!`
/// that begins there. An async function that is called and polled is one target, and so is a task's first function where
/// the call spawns one. Functions that the compiler has inlined count as called. Empty where nothing is known about the
/// line, and outside of the user's code.
pub fn step_in_targets(stop: &Stop, tid: i32) -> Vec<InTarget> {
    let walk = frames(stop, tid, DEPTH).frames;
    let Some(body) = walk.first().filter(|frame| frame.user_code) else { return Vec::new() };
    let branches = branches(stop, body);
    let line = body.source.as_ref().map_or(0, |at| at.line);
    let mut found = Found { stop, line, branches: &branches, targets: Vec::new(), polled: BTreeSet::new() };
    for range in plan::code_ahead(stop, &walk) {
        // An inlined copy may make no call itself: it begins with the first row that is in it.
        let mut places = plan::calls_in(stop, &range);
        places.extend(plan::rows_begin(stop, &range));
        places.sort_unstable();
        places.dedup();
        for place in places {
            for target in targets_at(stop, body, place) {
                found.add(target);
            }
        }
    }
    let mut targets = found.targets;
    let is_here = |goal: &Goal| matches!(goal, Goal::Coroutine { branch: Some(branch), .. } if branch.line == line);
    targets.extend(branches.into_iter().filter(|branch| is_here(&branch.goal)));
    targets.truncate(MOST_TARGETS);
    targets
}

/// The targets of a line so far.
struct Found<'a> {
    stop: &'a Stop,
    /// The one that the thread stands on.
    line: u32,
    /// Of all macros in the function.
    branches: &'a [InTarget],
    targets: Vec<InTarget>,
    /// Where coroutines are polled that were made before.
    polled: BTreeSet<MemAddr>,
}

impl Found<'_> {
    fn add(&mut self, mut target: InTarget) {
        let is_known = self.targets.iter().any(|known| known.id == target.id);
        if is_known || self.targets.len() >= MOST_TARGETS {
            return;
        }
        if let Goal::Task(spawned) = &target.goal {
            // What was made is moved into the task.
            let polls = plan::polls_of(self.stop, spawned);
            self.targets.retain(|known| !known.goal.is_made_for(&polls));
        }
        if let Goal::Coroutine { polls, made_by, .. } = &mut target.goal {
            let mut branches = self.branches.iter().filter(|branch| branch.goal.looks_for(polls));
            match branches.next().map(|branch| &branch.goal) {
                Some(Goal::Coroutine { branch: Some(branch), .. }) if branch.line == self.line => return,
                // Its expression is a line of its own; it is polled with the others.
                Some(branch @ Goal::Coroutine { branch: Some(Branch { has_twins: false, .. }), .. })
                    if made_by.is_some() && branches.next().is_none() =>
                {
                    target.goal = branch.clone();
                    self.targets.push(target);
                    return;
                }
                _ => {}
            }
            // Where one is polled that was made on the line it is the same; of several that are made before any is polled,
            // nothing tells which will be polled first.
            let is_known = self.targets.iter().any(|known| known.goal.looks_for(polls));
            let is_next = made_by.is_some() && !self.polled.is_disjoint(polls);
            match made_by {
                Some(_) => self.polled.retain(|poll| !polls.contains(poll)),
                None => self.polled.extend(polls.iter().copied()),
            }
            if is_known && !is_next {
                return;
            }
        }
        self.targets.push(target);
    }
}

impl Goal {
    /// Whether it looks for a coroutine that is polled at one of these.
    fn looks_for(&self, other: &BTreeSet<MemAddr>) -> bool {
        matches!(self, Self::Coroutine { polls, .. } if !polls.is_disjoint(other))
    }

    fn is_made_for(&self, other: &BTreeSet<MemAddr>) -> bool {
        self.looks_for(other) && matches!(self, Self::Coroutine { made_by: Some(_), .. })
    }
}

/// What a call, or an inlined copy that begins at a place, is a target for.
fn targets_at(stop: &Stop, body: &Frame, call: MemAddr) -> Vec<InTarget> {
    targets_of(stop, body, call).unwrap_or_default()
}

fn targets_of(stop: &Stop, body: &Frame, call: MemAddr) -> Option<Vec<InTarget>> {
    let (module, address) = stop.modules.to_file(call)?;
    let own = body.code.as_ref()?;
    let there = module.image.frames_at(address).ok()?;
    let source = module.image.line_at(address).ok().flatten();
    // Inside a copy of a function that was inlined into the body: the user's is a target itself, whatever it calls.
    let depth = there.len().checked_sub(usize::try_from(own.inline_depth).ok()?)?.checked_sub(1)?;
    let copies = there.get(..depth)?;
    // The code of a copy that the next line makes may come before any row of that line.
    let line = |at: &Option<SourceLine>| at.as_ref().map(|at| at.line);
    if copies.last().is_some_and(|copy| line(&copy.call_site) != line(&body.source)) {
        return None;
    }
    if let Some(copy) = copies.iter().rev().find(|copy| is_user_crate(&copy.function.krate)) {
        let first = plan::first_statement(stop, copy).filter(|_| plan::coroutine_made_by(copy).is_none())?;
        let at = copy.call_site.clone().or(source);
        return Some(vec![InTarget {
            id: TargetId { place: first, branch: None },
            name: copy.function.name.clone(),
            at,
            goal: Goal::Call,
        }]);
    }
    if !plan::is_call_at(stop, call) {
        return None;
    }
    let at = copies.last().and_then(|copy| copy.call_site.clone()).or(source);
    let target = |name: &str, goal: Goal| InTarget {
        id: TargetId { place: call, branch: None },
        name: name.to_owned(),
        at: at.clone(),
        goal,
    };
    let Some(entry) = plan::call_target(stop, call) else {
        // Which function it will be is not known before the registers are loaded.
        let is_method = plan::calls_method(stop, call);
        let name = if is_method { "a method of a trait object" } else { "a function by its pointer" };
        return Some(vec![target(name, Goal::Call)]);
    };
    // What drops values is nowhere in the source.
    let code = plan::function_at(stop, entry).filter(|code| code.function.kind != FunctionKind::Glue)?;
    let name = &code.function.name;
    if let Some(made) = plan::coroutine_made_by(&code) {
        let polls = plan::polls_of(stop, &made);
        let goal = Goal::Coroutine { polls, made_by: Some(call), branch: None };
        let is_closure = code.function.kind == FunctionKind::Closure;
        let body = made.coroutine_function().filter(|_| is_closure);
        return Some(vec![target(body.as_ref().map_or(name, |body| &body.name), goal)]);
    }
    if is_user_crate(&code.function.krate) && !plan::is_made_by_macro(&code) {
        let begin = module.bias.to_memory(code.behind_prologue());
        let poll = Goal::Coroutine { polls: BTreeSet::from([begin]), made_by: None, branch: None };
        return Some(vec![target(name, if code.function.kind.is_coroutine() { poll } else { Goal::Call })]);
    }
    if let Some(spawned) = spawned_by(&code) {
        let named = spawned.coroutine_function().map(|function| format!("{} (new task)", function.name))?;
        return Some(vec![target(&named, Goal::Task(spawned))]);
    }
    let reached = plan::Reach::of_function(stop, entry, &own.function.krate).callbacks;
    if !name.ends_with("::poll") {
        return Some(Vec::from_iter((!reached.is_empty()).then(|| target(name, Goal::Call))));
    }
    // What is polled in the end is what the user has written.
    let polled = reached.into_iter().filter_map(|begin| {
        let (module, address) = stop.modules.to_file(begin)?;
        let code = module.image.frames_at(address).ok()?.pop().filter(|code| code.function.kind.is_coroutine())?;
        let goal = Goal::Coroutine { polls: BTreeSet::from([begin]), made_by: None, branch: None };
        Some(InTarget { id: TargetId { place: begin, branch: None }, ..target(&code.function.name, goal) })
    });
    Some(polled.collect())
}

/// The coroutine that a function of Tokio's spawns a task for (`spawn`, `spawn_local`, `spawn_on` of whatever there is),
/// by the type of its argument.
fn spawned_by(code: &CodeFrame) -> Option<Type> {
    let last = code.function.name.rsplit("::").next()?;
    let is_spawn = code.function.krate.starts_with("tokio") && last.starts_with("spawn");
    let future = is_spawn.then(|| ["F", "T", "Fut"].iter().find_map(|name| code.template_argument(name)))??;
    plan::coroutine_in(&future)
}

/// The branches of each `select!` and `join!` in a function that are coroutines of the user's. Where several of them begin on
/// one line nothing tells them apart, and none of those is told.
fn branches(stop: &Stop, body: &Frame) -> Vec<InTarget> {
    let awaits = body.code.as_ref().and_then(CodeFrame::environment_type).and_then(|environment| environment.awaits());
    let of_macro = |awaitee: &Variable| {
        let at = awaitee.declared.clone().filter(|at| body.source.as_ref().is_some_and(|own| own.file == at.file))?;
        let (made, futures) = macro_branches(awaitee.ty.as_ref()?)?;
        Some((at, made, futures))
    };
    let awaits = awaits.iter().flat_map(|awaits| awaits.all());
    let macros: Vec<_> = awaits.filter_map(|it| of_macro(&it.awaitee)).collect();
    let is_alone = |at: &SourceLine| macros.iter().filter(|(other, ..)| other.line == at.line).count() == 1;
    let alone = macros.iter().filter(|(at, ..)| is_alone(at));
    alone.flat_map(|(at, made, futures)| branches_of(stop, at, made, futures)).collect()
}

fn branches_of(stop: &Stop, at: &SourceLine, made: &str, futures: &[Type]) -> Vec<InTarget> {
    let coroutines: Vec<Option<Type>> = futures.iter().map(plan::coroutine_in).collect();
    let kind = |ty: &Option<Type>| ty.as_ref().map(|ty| ty.path().to_owned());
    let mut targets = Vec::new();
    for (index, coroutine) in coroutines.iter().enumerate() {
        let Some((ty, function)) = coroutine.as_ref().and_then(|ty| Some((ty, ty.coroutine_function()?))) else {
            continue;
        };
        let polls = plan::polls_of(stop, ty);
        let has_twins = coroutines.iter().filter(|other| kind(other) == kind(coroutine)).count() > 1;
        let Some(place) = polls.first().copied() else { continue };
        targets.push(InTarget {
            id: TargetId { place, branch: Some(index) },
            name: format!("{} (branch {} of {made})", function.name, index.saturating_add(1)),
            at: Some(at.clone()),
            goal: Goal::Coroutine { polls, made_by: None, branch: Some(Branch { index, has_twins, line: at.line }) },
        });
    }
    targets
}
