//! On which cores a program runs that hits breakpoints in quick succession.
//!
//! A hit is a conversation of two threads that take turns: the one that hit, and ours. Waking somebody on another core
//! takes many times as long as a hit; on one core nothing is lost, since only one of the two ever runs. So both are
//! bound to one core while the hits come fast and slow, and are let go when they do not.
//!
//! **Invariant:** a thread's own choice of cores is given back, unless it has made another one meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use weft_process::{Cores, Tracee, Waker};

/// Hits after which it is looked at how long they took.
const WINDOW: u32 = 64;
/// What a hit may take on average: on one core they take a third of it, across cores ten times as long.
const SLOW: Duration = Duration::from_micros(12);
/// Hits that come rarer than this gain nothing.
const RARE: Duration = Duration::from_micros(400);
/// How often it is looked at whether they still come.
const LOOK: Duration = Duration::from_millis(50);

/// A thread that hits.
#[derive(Debug)]
struct Hitter {
    hits: u32,
    since: Instant,
    /// Hits since it was looked at last.
    lately: u32,
    /// The cores that it may run on by itself, while it is bound to ours.
    own: Option<Cores>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Placement {
    allowed: bool,
    hitters: HashMap<i32, Hitter>,
    /// The one core, and those that our own thread may run on by itself.
    bound: Option<(Cores, Cores)>,
    looked: Instant,
    waker: Waker,
    /// Somebody wakes us from time to time as long as this holds.
    watched: Arc<AtomicBool>,
}

impl Placement {
    pub(super) fn new(allowed: bool, waker: Waker) -> Self {
        Self { allowed, hitters: HashMap::new(), bound: None, looked: Instant::now(), waker, watched: Arc::default() }
    }

    /// A hit was passed.
    pub(super) fn hit(&mut self, tid: i32, tracee: &Tracee) {
        if !self.allowed {
            return;
        }
        let fresh = || Hitter { hits: 0, since: Instant::now(), lately: 0, own: None };
        let hitter = self.hitters.entry(tid).or_insert_with(fresh);
        hitter.hits = hitter.hits.saturating_add(1);
        if hitter.hits < WINDOW {
            return;
        }
        let now = Instant::now();
        let took = now.saturating_duration_since(hitter.since) / WINDOW;
        (hitter.hits, hitter.since) = (0, now);
        hitter.lately = hitter.lately.saturating_add(WINDOW);
        // With several that take turns on the core, each one's own hits come as rarely as there are others.
        if hitter.own.is_none() && took < RARE && (took > SLOW || self.bound.is_some()) {
            self.bind(tid, tracee);
        }
    }

    /// Binds a thread, and our own, to one core.
    fn bind(&mut self, tid: i32, tracee: &Tracee) {
        if self.bound.is_none() {
            let Some(core) = tracee.core_of(tid) else { return };
            let Some(own) = Cores::of_this_thread() else { return };
            if own.count() < 2 || !core.bind_this_thread() {
                return;
            }
            self.bound = Some((core, own));
            self.looked = Instant::now();
            self.watch();
        }
        let (Some((core, _)), Some(hitter)) = (&self.bound, self.hitters.get_mut(&tid)) else { return };
        hitter.own = tracee.cores(tid).filter(|own| own.count() > 1 && tracee.bind(tid, core));
    }

    /// A thread or process was born: it has inherited a choice that is ours.
    pub(super) fn born(&self, tid: i32, tracee: &Tracee) {
        let Some((core, _)) = &self.bound else { return };
        let own = self.hitters.values().find_map(|hitter| hitter.own.as_ref());
        if let Some(own) = own.filter(|_| tracee.cores(tid).is_some_and(|now| now == *core)) {
            tracee.bind(tid, own);
        }
    }

    pub(super) fn died(&mut self, tid: i32) {
        self.hitters.remove(&tid);
    }

    /// Looks from time to time whether the hits still come, and lets go of threads that do not hit any more.
    pub(super) fn look(&mut self, tracee: &Tracee) {
        if self.bound.is_none() || self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let Some((core, _)) = &self.bound else { return };
        for (tid, hitter) in &mut self.hitters {
            if std::mem::take(&mut hitter.lately) == 0
                && let Some(own) = hitter.own.take()
            {
                give_back(tracee, *tid, core, &own);
            }
        }
        if self.hitters.values().all(|hitter| hitter.own.is_none()) {
            self.release(tracee);
        }
    }

    /// Everybody runs where they like again.
    pub(super) fn release(&mut self, tracee: &Tracee) {
        self.watched.store(false, Ordering::Relaxed);
        self.watched = Arc::default();
        let Some((core, ours)) = self.bound.take() else { return };
        for (tid, hitter) in self.hitters.drain() {
            if let Some(own) = hitter.own {
                give_back(tracee, tid, &core, &own);
            }
        }
        if !ours.bind_this_thread() {
            tracing::debug!("the engine stays on one core");
        }
    }

    /// Has somebody wake us while threads are bound: one that runs on and hits nothing more gives us no other occasion.
    fn watch(&mut self) {
        let watched = Arc::new(AtomicBool::new(true));
        self.watched = watched.clone();
        let waker = self.waker.clone();
        let ours = self.bound.as_ref().map(|(_, ours)| *ours);
        let body = move || {
            // It has inherited our core.
            if let Some(ours) = ours {
                ours.bind_this_thread();
            }
            while watched.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                waker.wake();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("placement".to_owned()).spawn(body) {
            tracing::debug!(%error, "threads stay on one core until the next stop");
        }
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        self.watched.store(false, Ordering::Relaxed);
    }
}

fn give_back(tracee: &Tracee, tid: i32, core: &Cores, own: &Cores) {
    if tracee.cores(tid).is_some_and(|now| now == *core) {
        tracee.bind(tid, own);
    }
}
