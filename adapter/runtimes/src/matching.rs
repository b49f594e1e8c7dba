//! Which of the tasks found each thread polls.

use weft_memory::MemAddr;
use weft_tasks::TaskKey;
use weft_values::{Stop, environment};

use crate::listing::EntryFuture;
use crate::roster::{Found, Inside};
use crate::threads::{Activation, Driven, ThreadView};

/// Gives each activation its task: by the header in its frames, else by where its outermost coroutine lies, else by the
/// number the thread says it runs, else because only one running task has such a future.
pub(crate) fn assign(stop: &Stop, threads: &mut [ThreadView], inside: &[Inside], found: &mut [Found]) {
    loose(stop, threads, found);
    let running: Vec<&Found> = found.iter().filter(|task| task.running).collect();
    for view in threads {
        let current = inside.iter().find(|thread| thread.tid == view.tid).and_then(|thread| thread.current);
        for activation in view.activations.iter_mut().filter(|activation| activation.key.is_none()) {
            let own = view.frames.get(activation.own.clone()).and_then(|own| own.last());
            let environment = || own.and_then(|frame| environment(stop, frame)?.address());
            activation.key = task_of(stop, activation, &running, current, &environment).map(|task| task.key);
        }
    }
}

fn task_of<'a>(
    stop: &Stop,
    activation: &Activation,
    running: &[&'a Found],
    current: Option<u64>,
    environment: &dyn Fn() -> Option<MemAddr>,
) -> Option<&'a Found> {
    let Driven::Task { header, future } = &activation.what else { return None };
    let same_future = |task: &&&Found| match (&task.future, future) {
        (Some(of_task), Some(future)) => of_task.ty.path() == future.path(),
        _ => true,
    };
    let by_header = || running.iter().find(|task| Some(task.header()) == *header);
    let by_environment = || {
        let environment = environment()?;
        running.iter().find(|task| task.future.as_ref().is_some_and(|future| lies_in(stop, environment, future)))
    };
    let by_id = || running.iter().filter(same_future).find(|task| current.is_some() && task.id == current);
    let alone = || {
        let mut candidates = running.iter().filter(same_future);
        candidates.next().filter(|_| candidates.next().is_none() && header.is_none())
    };
    by_header().or_else(by_environment).or_else(by_id).or_else(alone).copied()
}

/// Finds the tasks of executors that do not say which of them they poll: whose coroutine is on a stack is being polled.
fn loose(stop: &Stop, threads: &mut [ThreadView], found: &mut [Found]) {
    for activation in threads.iter_mut().flat_map(|view| &mut view.activations) {
        let Driven::Loose { place: Some(place), .. } = &activation.what else { continue };
        let Some(at) = place.address() else { continue };
        let mine = |task: &&mut Found| task.future.as_ref().is_some_and(|future| lies_in(stop, at, future));
        if let Some(task) = found.iter_mut().find(mine) {
            task.running = true;
            activation.key = Some(task.key);
        }
    }
}

/// Whether a coroutine is a task's entry future, or lies in what the executor wrapped around it.
fn lies_in(stop: &Stop, coroutine: MemAddr, future: &EntryFuture) -> bool {
    let within = |start: MemAddr, size: u64| coroutine.since(start).is_some_and(|offset| offset < size.max(1));
    let boxed = future.ty.path().starts_with("core::pin::Pin<alloc::boxed::Box<");
    within(future.address, future.ty.size())
        || (boxed && stop.memory.read_pointer(future.address).is_ok_and(|target| target == coroutine))
}

/// The thread and its activation that poll a task: positions in `threads` and in the thread.
pub(crate) fn polled(threads: &[ThreadView], key: TaskKey) -> Option<(usize, usize)> {
    threads.iter().enumerate().find_map(|(thread, view)| {
        let position = view.activations.iter().position(|activation| activation.key == Some(key))?;
        Some((thread, position))
    })
}
