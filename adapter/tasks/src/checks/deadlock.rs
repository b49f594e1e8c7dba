//! Tasks that wait for each other in a circle.

use std::collections::HashSet;

use super::stuck::{Stuck, each_wait, is_lock, obstacle};
use super::wording::{self, MAX_NAMED};
use super::{futurelock, told};
use crate::{Held, Hold, Polled, Problem, ProblemKind, Severity, Snapshot, Task, Wait, WaitKind, Want};

pub(super) fn check(snapshot: &Snapshot) -> Vec<Problem> {
    let Some(stuck) = Stuck::of(snapshot) else { return Vec::new() };
    let circles = circles(&stuck).into_iter().map(|tasks| Circle {
        stuck: &stuck,
        members: tasks.iter().copied().collect(),
        tasks,
    });
    told(circles.map(|circle| futurelock::of(&circle).unwrap_or_else(|| circle.problem())))
}

/// Tasks each of which waits, in the end, for itself; in the snapshot's order.
pub(super) struct Circle<'s, 'a> {
    pub(super) stuck: &'s Stuck<'a>,
    pub(super) tasks: Vec<usize>,
    members: HashSet<usize>,
}

/// The strongly connected parts of what is stuck that are circles: their tasks.
fn circles(stuck: &Stuck<'_>) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = components(stuck)
        .into_iter()
        .filter(|component| match component.as_slice() {
            [alone] => stuck.waits_for(*alone).any(|on| on == *alone),
            _ => true,
        })
        .map(|mut component| {
            component.retain(|node| *node < stuck.tasks.len());
            component.sort_unstable();
            component
        })
        .filter(|tasks| !tasks.is_empty())
        .collect();
    found.sort_unstable();
    found
}

/// A node on the way of the search, with what it waits for that was not looked at yet.
struct Step {
    node: usize,
    on: Vec<usize>,
}

/// Tarjan's strongly connected components of the stuck nodes.
fn components(stuck: &Stuck<'_>) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut order = vec![UNSEEN; stuck.nodes()];
    let mut low = vec![UNSEEN; stuck.nodes()];
    let mut open = vec![false; stuck.nodes()];
    let (mut path, mut components) = (Vec::new(), Vec::new());
    let mut next = 0;
    for start in 0..stuck.nodes() {
        if order[start] != UNSEEN || !stuck.is_stuck(start) {
            continue;
        }
        let mut way = vec![Step { node: start, on: stuck.waits_for(start).collect() }];
        while let Some(step) = way.last_mut() {
            let node = step.node;
            if order[node] == UNSEEN {
                (order[node], low[node], open[node]) = (next, next, true);
                next += 1;
                path.push(node);
            }
            if let Some(on) = step.on.pop() {
                if order[on] == UNSEEN {
                    way.push(Step { node: on, on: stuck.waits_for(on).collect() });
                } else if open[on] {
                    low[node] = low[node].min(order[on]);
                }
                continue;
            }
            way.pop();
            if let Some(step) = way.last() {
                low[step.node] = low[step.node].min(low[node]);
            }
            if low[node] == order[node] {
                let from = path.iter().rposition(|on_path| *on_path == node).unwrap_or(path.len());
                let component = path.split_off(from);
                component.iter().for_each(|closed| open[*closed] = false);
                components.push(component);
            }
        }
    }
    components
}

impl<'a> Circle<'_, 'a> {
    fn problem(&self) -> Problem {
        let lead = match self.tasks.len() {
            1 => "a task waits for itself".to_owned(),
            number => format!("{number} tasks wait for each other"),
        };
        let mut clauses: Vec<String> = self.tasks().take(MAX_NAMED).map(|(at, task)| self.clause(at, task)).collect();
        if self.tasks.len() > clauses.len() {
            clauses.push(format!("and {} more", self.tasks.len().saturating_sub(clauses.len())));
        }
        Problem {
            kind: ProblemKind::Deadlock,
            severity: Severity::Error,
            text: format!("{lead}: {}{}", clauses.join("; "), self.others()),
            tasks: self.tasks().map(|(_, task)| task.key).collect(),
            resources: self.resources(),
        }
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = (usize, &'a Task)> + '_ {
        self.tasks.iter().filter_map(|at| Some((*at, self.stuck.tasks.get(*at)?)))
    }

    /// The waits of a task that the circle keeps from ending.
    pub(super) fn waits(&self, task: &'a Task) -> Vec<&'a Wait> {
        let mut waits = Vec::new();
        if let Some(wait) = obstacle(task) {
            each_wait(wait, &mut |wait| {
                if self.keeps(wait) {
                    waits.push(wait);
                }
            });
        }
        waits
    }

    /// Whether a member of the circle is what a wait waits for.
    fn keeps(&self, wait: &Wait) -> bool {
        let joined = wait.tasks.iter().filter_map(|task| self.stuck.find(*task)).any(|at| self.members.contains(&at));
        joined || self.holders(wait).next().is_some() || !self.ahead(wait).is_empty()
    }

    /// What members have of the resource that a wait is for.
    pub(super) fn holders<'w>(&'w self, wait: &'w Wait) -> impl Iterator<Item = (usize, &'a Held)> + 'w {
        let ends = move |how: Hold| match wait.want {
            Want::Unknown => false,
            Want::Alone => is_lock(how),
            Want::Shared => matches!(how, Hold::Lock | Hold::BlockingLock),
            Want::Permits(_) => matches!(how, Hold::Permits(_)),
            Want::Message { .. } => how == Hold::Sender,
            Want::Room => how == Hold::Receiver,
        };
        let held = wait.resource.iter().flat_map(|resource| self.stuck.held(resource.id));
        held.filter(move |(at, held)| self.members.contains(at) && ends(held.how))
    }

    /// The members that want to write what a wait wants to read, and are ahead in the queue.
    fn ahead(&self, wait: &Wait) -> Vec<usize> {
        let reads = wait.want == Want::Shared && self.holders(wait).next().is_none();
        let writers = wait.resource.iter().filter(|_| reads).flat_map(|resource| self.stuck.writers(resource.id));
        writers.filter(|at| self.members.contains(at)).collect()
    }

    /// What a member has, and what it waits for.
    fn clause(&self, at: usize, task: &'a Task) -> String {
        let mut words = wording::task(task);
        let wanted = self.wanted(at, task);
        if !wanted.is_empty() {
            words += &format!(" holds {} and", wording::list(wanted.iter().map(|held| has(held))));
        }
        let waits = self.waits(task).into_iter().map(|wait| self.waits_for(at, wait));
        let thread = self.stuck.thread_of(at).filter(|blocker| self.members.contains(blocker));
        let blocked = thread.and_then(|blocker| self.stuck.tasks.get(blocker)).map(|blocker| {
            format!("is not polled{}, because {} blocks its thread", location(task), wording::task(blocker))
        });
        let waits = match wording::list(waits) {
            none if none.is_empty() => None,
            some => Some(format!("waits{} for {some}", location(task))),
        };
        let what: Vec<String> = waits.into_iter().chain(blocked).collect();
        format!("{words} {}", what.join(" and "))
    }

    /// What a member has that another one waits for.
    fn wanted(&self, at: usize, task: &'a Task) -> Vec<&'a Held> {
        let others = || self.tasks().filter(|(other, _)| *other != at);
        let by_others: Vec<&Wait> = others().flat_map(|(_, other)| self.waits(other)).collect();
        let is_wanted =
            |held: &Held| by_others.iter().any(|wait| self.holders(wait).any(|(_, wanted)| std::ptr::eq(wanted, held)));
        task.holds.iter().filter(|held| is_wanted(held)).collect()
    }

    /// One wait of a member: `Mutex<u32>, which task 4 mine::b holds (mine::b, src/main.rs:20)`.
    fn waits_for(&self, at: usize, wait: &Wait) -> String {
        if wait.kind == WaitKind::Join {
            let joined = wait.tasks.iter().filter_map(|key| self.stuck.tasks.get(self.stuck.find(*key)?));
            return format!("{} to end", wording::list(joined.map(wording::task)));
        }
        let resource = wait.resource.as_ref().map_or("something", |resource| &resource.type_name);
        let ahead = self.ahead(wait);
        if !ahead.is_empty() {
            let writers = ahead.iter().filter_map(|at| self.stuck.tasks.get(*at)).map(wording::task);
            return format!("{resource} behind {}, which wants to write", wording::list(writers));
        }
        let holders: Vec<(usize, &Held)> = self.holders(wait).collect();
        let have = wording::list(holders.iter().map(|(holder, held)| {
            let who = match self.stuck.tasks.get(*holder) {
                Some(task) if *holder != at => wording::task(task),
                _ => "itself".to_owned(),
            };
            format!("{who}{}", wording::held_in(held))
        }));
        let unpolled = match holders.iter().any(|(_, held)| held.polled != Polled::Active) {
            true => ", in a future that is not polled",
            false => "",
        };
        match wait.want {
            Want::Message { .. } => format!("a message from {resource}, which only {have} can send{unpolled}"),
            Want::Room => format!("room in {resource}, whose receiver is with {have}{unpolled}"),
            _ => format!("{resource}, held by {have}{unpolled}"),
        }
    }

    /// The tasks outside that wait for the circle: a sentence, or nothing.
    pub(super) fn others(&self) -> String {
        let mut seen = self.members.clone();
        let mut asked: Vec<usize> = self.tasks.clone();
        while let Some(node) = asked.pop() {
            asked.extend(self.stuck.waiting_for(node).filter(|other| seen.insert(*other)));
        }
        let mut outside: Vec<usize> = seen.difference(&self.members).copied().collect();
        outside.sort_unstable();
        let named: Vec<String> = outside.iter().filter_map(|at| self.stuck.tasks.get(*at)).map(wording::task).collect();
        match named.len() {
            0 => String::new(),
            1 => format!(". {} waits for that", wording::list(named)),
            _ => format!(". {} wait for that", wording::list(named)),
        }
    }

    pub(super) fn resources(&self) -> Vec<u64> {
        let waits = self.tasks().flat_map(|(_, task)| self.waits(task));
        let mut resources: Vec<u64> = waits.filter_map(|wait| Some(wait.resource.as_ref()?.id)).collect();
        resources.sort_unstable();
        resources.dedup();
        resources
    }
}

/// Something that a task has.
fn has(held: &Held) -> String {
    let resource = &held.resource.type_name;
    let what = match held.how {
        Hold::Lock | Hold::BlockingLock => resource.to_string(),
        Hold::Read | Hold::BlockingRead => format!("{resource} for reading"),
        Hold::Permits(count) => {
            format!("{} of {resource}", wording::count(usize::try_from(count).unwrap_or(usize::MAX), "permit"))
        }
        Hold::Sender => format!("a sender of {resource}"),
        Hold::Receiver => format!("the receiver of {resource}"),
    };
    format!("{what}{}", wording::held_in(held))
}

fn location(task: &Task) -> String {
    wording::at(task.location.as_deref())
}
