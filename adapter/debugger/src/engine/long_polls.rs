//! Polls that take too long, found by sampling.
//!
//! While the limit is set a clock wakes the engine a few times in that time. It reads which task each thread says it polls
//! (`CONTEXT`, a few words of memory, nobody is stopped). Where that was the same several times in a row, it may be one poll or
//! many: the thread is looked at with all others stopped for a moment, and a trap is put where this very poll returns to. If it has not come
//! back there by the time that the limit has passed once more, it is one poll, and longer than the limit.
//!
//! Without a limit there is no clock, and nothing of this costs anything.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use weft_memory::MemAddr;
use weft_process::Waker;
use weft_runtimes::OnePoll;

use super::clock::Clock;
use super::{Engine, State};
use crate::stops::stop_of;
use crate::{Event, PanicFilter, Reason};

/// Samples in the time of the limit.
const SAMPLES: u32 = 4;
/// Samples in a row that name one task before its thread is looked at.
const SUSPICIOUS: u32 = 2;
/// The shortest time between two samples.
const QUICKEST: Duration = Duration::from_millis(2);

/// What is known of the threads' polls.
pub(super) struct LongPolls {
    limit: Duration,
    /// None in tests.
    _clock: Option<Clock>,
    last: Option<Instant>,
    /// Since when everybody stands.
    stands: Option<Instant>,
    /// Samples since the program began.
    samples: u64,
    /// By thread that was looked at: where its thread-locals are; zero if it had none then.
    thread_pointers: HashMap<i32, u64>,
    /// By thread: the task that it named, and how often in a row.
    seen: HashMap<i32, (u64, u32)>,
    /// By thread: what it named last that polls nothing, the job that it is itself.
    jobs: HashMap<i32, u64>,
    /// By thread: the task whose poll was told, until it names another one.
    told: HashMap<i32, u64>,
    suspect: Option<Suspect>,
}

/// A poll that may be too long.
struct Suspect {
    tid: i32,
    poll: OnePoll,
    since: Instant,
}

impl LongPolls {
    /// Begins to sample. None: no thread can be started for it.
    pub(super) fn new(limit: Duration, waker: Waker) -> Option<Self> {
        let clock = Clock::start("long polls", period_of(limit), waker)?;
        Some(Self::of(limit, Some(clock)))
    }

    fn of(limit: Duration, clock: Option<Clock>) -> Self {
        Self {
            limit,
            _clock: clock,
            last: None,
            stands: None,
            samples: 0,
            thread_pointers: HashMap::new(),
            seen: HashMap::new(),
            jobs: HashMap::new(),
            told: HashMap::new(),
            suspect: None,
        }
    }

    /// Where the poll that is looked at returns to.
    pub(super) fn trap(&self) -> Option<MemAddr> {
        self.suspect.as_ref().map(|suspect| suspect.poll.returns_to)
    }

    /// The program has stood: no time of that counts.
    pub(super) fn restart(&mut self) {
        self.seen.clear();
        (self.suspect, self.last) = (None, None);
    }

    /// The program is another one: nothing that was known holds.
    pub(super) fn begin_anew(&mut self) {
        self.restart();
        self.samples = 0;
        self.thread_pointers.clear();
        self.jobs.clear();
        self.told.clear();
    }

    /// Everybody stands from now on.
    pub(super) fn stood(&mut self, now: Instant) {
        self.stands.get_or_insert(now);
    }

    /// Everybody runs again: the time between does not count.
    pub(super) fn ran_on(&mut self, now: Instant) {
        let Some(stands) = self.stands.take() else { return };
        if let Some(suspect) = &mut self.suspect {
            let stood = now.saturating_duration_since(stands.max(suspect.since));
            suspect.since = suspect.since.checked_add(stood).unwrap_or(now);
        }
    }

    /// A thread is no more, or is another one's.
    pub(super) fn forget(&mut self, tid: i32) {
        self.thread_pointers.remove(&tid);
        self.seen.remove(&tid);
        self.told.remove(&tid);
        self.jobs.remove(&tid);
        self.suspect.take_if(|suspect| suspect.tid == tid);
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let period = period_of(self.limit);
        // The clock is not exact, and others wake the engine too.
        let due = self.last.is_none_or(|last| now.duration_since(last) * 4 >= period * 3);
        if due {
            self.last = Some(now);
            self.samples = self.samples.saturating_add(1);
        }
        due
    }

    /// Whether a thread has to stand for a moment to tell where its thread-locals are. One that had none yet, because the
    /// program had just begun, is asked again, ever more seldom.
    fn is_to_be_asked(&self, tid: i32) -> bool {
        match self.thread_pointers.get(&tid) {
            None => true,
            Some(0) => self.samples.is_power_of_two(),
            Some(_) => false,
        }
    }

    /// Notes what a thread names.
    fn note(&mut self, tid: i32, task: Option<u64>) {
        let Some(task) = task else {
            self.seen.remove(&tid);
            self.told.remove(&tid);
            return;
        };
        self.told.retain(|of, told| *of != tid || *told == task);
        if self.jobs.get(&tid) == Some(&task) || self.told.contains_key(&tid) {
            self.seen.remove(&tid);
            return;
        }
        let seen = self.seen.entry(tid).or_insert((task, 0));
        *seen = if seen.0 == task { (task, seen.1.saturating_add(1)) } else { (task, 1) };
    }

    /// Who has named one task most often in a row.
    fn most_suspicious(&self) -> Option<(i32, u64)> {
        let found = self.seen.iter().filter(|(_, (_, count))| *count >= SUSPICIOUS);
        found.max_by_key(|(_, (_, count))| *count).map(|(tid, (task, _))| (*tid, *task))
    }
}

/// The time between two samples.
fn period_of(limit: Duration) -> Duration {
    (limit / SAMPLES).max(QUICKEST)
}

impl Engine {
    /// Begins to sample, if that is asked for.
    pub(super) fn watch_polls(&mut self) {
        let Some(limit) = self.settings.long_poll else { return };
        self.long_polls = LongPolls::new(limit, self.tracee.waker());
        if self.long_polls.is_none() {
            (self.events)(Event::Note("no thread could be started to look for long polls".to_owned()));
        }
    }

    /// Somebody woke the engine, perhaps the clock.
    pub(super) fn sample_polls(&mut self) {
        let runs = self.state == State::Running && !self.all_stand && self.alone.is_none();
        let Some(polls) = self.long_polls.as_mut().filter(|_| runs) else { return };
        if !polls.is_due() {
            return;
        }
        let is_long = |suspect: &mut Suspect| suspect.since.elapsed() >= polls.limit;
        if let Some(suspect) = polls.suspect.take_if(is_long) {
            return self.tell_long_poll(&suspect);
        }
        let running: Vec<i32> = self.tracee.threads().into_iter().filter(|tid| !self.tracee.is_stopped(*tid)).collect();
        self.learn_thread_pointers(&running);
        self.read_samples(&running);
        let Some(polls) = self.long_polls.as_ref().filter(|polls| polls.suspect.is_none()) else { return };
        if let Some((tid, task)) = polls.most_suspicious() {
            self.suspect(tid, task);
        }
    }

    /// Where the thread-locals of threads are that were never looked at: only a stopped thread tells.
    fn learn_thread_pointers(&mut self, running: &[i32]) {
        let Some(polls) = &self.long_polls else { return };
        if !running.iter().any(|tid| polls.is_to_be_asked(*tid)) {
            return;
        }
        // Who does not tell is not asked at every sample.
        let mut found: HashMap<i32, u64> = running.iter().map(|tid| (*tid, 0)).collect();
        let looked = self.look(|stop| {
            found.extend(stop.threads.iter().map(|thread| (thread.tid, thread.registers.fs_base)));
        });
        if let Err(error) = looked {
            tracing::debug!(?error, "threads could not be asked for their thread-locals");
        }
        if let Some(polls) = &mut self.long_polls {
            found.retain(|tid, pointer| *pointer != 0 || polls.is_to_be_asked(*tid));
            polls.thread_pointers.extend(found);
        }
    }

    fn read_samples(&mut self, running: &[i32]) {
        let (Ok(memory), Some(polls)) = (self.tracee.memory(), &mut self.long_polls) else { return };
        for tid in running {
            let pointer = polls.thread_pointers.get(tid).copied().unwrap_or(0);
            let task = self.settings.runtimes.current_task_of(&self.modules, pointer, &memory);
            polls.note(*tid, task);
        }
    }

    /// Looks at the poll of a thread that may be in it for long, and puts a trap where it returns to before anybody runs on.
    fn suspect(&mut self, tid: i32, task: u64) {
        self.stop_all();
        let (poll, named) = match stop_of(&self.tracee, self.modules.clone()) {
            Ok(stop) => {
                let runtimes = &self.settings.runtimes;
                (runtimes.poll_of(&stop, tid), runtimes.current_task(&stop, tid))
            }
            Err(_) => (None, None),
        };
        if let Some(polls) = &mut self.long_polls {
            polls.seen.remove(&tid);
            match poll.filter(|poll| poll.task.runtime_id == Some(task)) {
                Some(poll) => polls.suspect = Some(Suspect { tid, poll, since: Instant::now() }),
                None if named == Some(task) => {
                    polls.jobs.insert(tid, task);
                }
                // The poll has ended between sample and look.
                None => {}
            }
        }
        self.place_traps();
        self.tracee.advance();
        self.release();
    }

    /// A thread stands at a trap; perhaps the poll that was looked at has ended.
    pub(super) fn poll_returned(&mut self, tid: i32, address: MemAddr) {
        let Ok((_, sp)) = self.tracee.position(tid) else { return };
        let is_it =
            |suspect: &mut Suspect| suspect.tid == tid && suspect.poll.returns_to == address && suspect.poll.sp == sp;
        if self.long_polls.as_mut().and_then(|polls| polls.suspect.take_if(is_it)).is_some() {
            self.place_traps();
        }
    }

    fn tell_long_poll(&mut self, suspect: &Suspect) {
        let Suspect { tid, poll, .. } = suspect;
        let Some(polls) = &mut self.long_polls else { return };
        polls.told.extend(poll.task.runtime_id.map(|task| (*tid, task)));
        let number = self.settings.task_numbers.of(poll.task.key);
        let place = poll.place.as_ref().map(|place| format!(", in {place}")).unwrap_or_default();
        let limit = polls.limit.as_millis();
        let what = format!("a poll of task {number} {} has taken more than {limit} ms{place}", poll.task.name);
        if self.panics.stops_for(PanicFilter::LongPoll) {
            self.report(*tid, Reason::Task { task: poll.task.key, what, text: None });
        } else {
            (self.events)(Event::Note(what));
            self.place_traps();
        }
    }
}

#[cfg(test)]
mod tests {
    use weft_runtimes::Polled;
    use weft_tasks::{TaskKey, TaskKind};

    use super::*;

    fn polls() -> LongPolls {
        LongPolls::of(Duration::from_millis(100), None)
    }

    #[test]
    fn a_job_is_passed_over_and_only_the_last_one_is_kept() {
        let mut polls = polls();
        polls.jobs.insert(1, 7);
        for _ in 0..SUSPICIOUS {
            polls.note(1, Some(7));
        }
        assert_eq!(polls.most_suspicious(), None);
        for _ in 0..SUSPICIOUS {
            polls.note(1, Some(8));
        }
        assert_eq!(polls.most_suspicious(), Some((1, 8)));
        polls.jobs.insert(1, 8);
        assert_eq!(polls.jobs.len(), 1);
    }

    #[test]
    fn a_thread_without_thread_locals_is_asked_ever_more_seldom() {
        let mut polls = polls();
        assert!(polls.is_to_be_asked(1));
        polls.thread_pointers.insert(1, 0);
        let asked = (1..=1_000).filter(|sample| {
            polls.samples = *sample;
            polls.is_to_be_asked(1)
        });
        assert_eq!(asked.count(), 10);
        polls.thread_pointers.insert(1, 0x7000);
        polls.samples = 1_024;
        assert!(!polls.is_to_be_asked(1));
    }

    #[test]
    fn time_for_which_everybody_stands_does_not_count() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut polls = polls();
        let task = Polled {
            key: TaskKey { address: 0x1000, id: 7 },
            runtime_id: Some(7),
            name: "server::handle".into(),
            entry: "server::handle".into(),
            kind: TaskKind::Task,
        };
        let poll = OnePoll { task, returns_to: MemAddr::new(0x2000), sp: MemAddr::new(0x3000), place: None };
        polls.suspect = Some(Suspect { tid: 1, poll, since: after(10) });
        polls.stood(after(20));
        polls.stood(after(25));
        polls.ran_on(after(30));
        assert_eq!(polls.suspect.as_ref().map(|suspect| suspect.since), Some(after(20)));
        polls.ran_on(after(40));
        assert_eq!(polls.suspect.as_ref().map(|suspect| suspect.since), Some(after(20)));
    }

    #[test]
    fn another_program_is_looked_at_anew() {
        let mut polls = polls();
        polls.thread_pointers.insert(1, 0x7000);
        polls.jobs.insert(1, 7);
        polls.told.insert(1, 8);
        polls.note(2, Some(9));
        polls.begin_anew();
        assert!(polls.is_to_be_asked(1));
        assert!(polls.jobs.is_empty() && polls.told.is_empty() && polls.seen.is_empty());
    }
}
