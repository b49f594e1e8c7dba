//! What is wrong with programs that do not go on; and that nothing is with those that do.

use weft_runtimes::Runtimes;
use weft_tasks::{ProblemKind, Snapshot};

use crate::fixture::{Profile, line_in, stopped};

const EVERY: [Profile; 3] = [Profile::Debug, Profile::Release, Profile::Lto];

/// The problems of `deadlocks` when it does `what`: kind, the tasks' names and the text with names for numbers.
fn problems(profile: Profile, what: &str) -> Vec<(ProblemKind, Vec<String>, String)> {
    let program = stopped("deadlocks", profile, &[what]);
    told(&Runtimes::new().list(&program.stop).snapshot)
}

fn told(snapshot: &Snapshot) -> Vec<(ProblemKind, Vec<String>, String)> {
    let short = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
    let name =
        |key| snapshot.tasks.iter().find(|task| task.key == key).map_or_else(String::new, |task| short(&task.name));
    let clean = |text: &str| {
        let mut text = text.to_owned();
        for task in &snapshot.tasks {
            text = text.replace(&format!("{{task:{:x}:{}}} ", task.key.address, task.key.id), "");
        }
        text.replace("deadlocks::async_locks::", "")
            .replace("deadlocks::channels::", "")
            .replace("deadlocks::threads::", "")
    };
    let found = snapshot.problems.iter();
    found.map(|it| (it.kind, it.tasks.iter().copied().map(name).collect(), clean(&it.text))).collect()
}

fn is_one(profile: Profile, what: &str, kind: ProblemKind, tasks: &[&str], text: &str) {
    let tasks = tasks.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(problems(profile, what), [(kind, tasks, text.to_owned())], "{profile:?}");
}

fn locks(marker: &str) -> String {
    format!("src/async_locks.rs:{}", line_in("deadlocks", "async_locks.rs", marker))
}

fn channels(marker: &str) -> String {
    format!("src/channels.rs:{}", line_in("deadlocks", "channels.rs", marker))
}

fn threads(marker: &str) -> String {
    format!("src/threads.rs:{}", line_in("deadlocks", "threads.rs", marker))
}

/// The text for two tasks each of which holds the lock that the other one wants.
fn two_locks(first: &str, second: &str) -> String {
    let (at_first, at_second) = (locks(first), locks(second));
    format!(
        "2 tasks wait for each other: {first} holds Mutex<u32> ({first}, {at_first}) and waits at {at_first} for \
         Mutex<String>, held by {second} ({second}, {at_second}); {second} holds Mutex<String> ({second}, {at_second}) and \
         waits at {at_second} for Mutex<u32>, held by {first} ({first}, {at_first}). bystander waits for that"
    )
}

#[test]
fn two_tasks_and_two_locks() {
    for profile in EVERY {
        let tasks = ["number_then_text", "text_then_number"];
        is_one(profile, "mutexes", ProblemKind::Deadlock, &tasks, &two_locks(tasks[0], tasks[1]));
    }
}

#[test]
fn guards_that_bear_the_names_of_their_locks() {
    let tasks = ["hides_number", "hides_text"];
    is_one(Profile::Debug, "shadowed", ProblemKind::Deadlock, &tasks, &two_locks(tasks[0], tasks[1]));
    // FIXME: optimised code does not say which of several variables of one name is which.
    assert_eq!(problems(Profile::Release, "shadowed"), []);
}

/// A future that was given the lock, or holds it, while nobody polls it.
fn futurelock(waiter: &str, waits_at: &str, lock: &str, holder: &str) -> String {
    format!(
        "{waiter} waits at {} for {lock}, but the future of its own that holds it ({holder}, at {}) is not polled meanwhile: \
         it was left behind unfinished and is kept, so it can never give that back",
        locks(waits_at),
        locks(holder)
    )
}

#[test]
fn a_future_that_was_given_a_lock_when_nobody_polled_it() {
    for profile in EVERY {
        for (what, waiter) in [("futurelock", "leaves_behind"), ("futurelock-join", "joins_branches")] {
            let text = futurelock(waiter, "fallback", "Mutex<u8>", "slow");
            is_one(profile, what, ProblemKind::Futurelock, &[waiter], &text);
        }
    }
}

#[test]
fn a_set_of_futures_that_nobody_polls_in_between() {
    for profile in EVERY {
        let text = futurelock("asks_between", "asks_between", "Mutex<u16>", "job");
        is_one(profile, "unordered", ProblemKind::Futurelock, &["asks_between"], &text);
    }
}

#[test]
fn a_circle_through_readers_is_not_told() {
    // Which of a lock's readers were not found is not known: one of them may go on.
    for profile in EVERY {
        assert_eq!(problems(profile, "three"), [], "{profile:?}");
    }
}

/// The two problems of a lock that blocks threads, held over an await by `holder` for the task `named`.
fn std_guard(profile: Profile, what: &str, task: &str, named: &str, holder: &str, others: &str) {
    let (at, blocked) = (threads(holder), threads("locks"));
    let circle = format!(
        "2 tasks wait for each other: {named} holds Mutex<u32> ({holder}, {at}) and is not polled at {at}, because locks \
         blocks its thread; locks waits at {blocked} for Mutex<u32>, held by {named} ({holder}, {at}){others}"
    );
    let guard = format!(
        "{named} holds Mutex<u32> over the await at {at} in {holder}: whoever locks it meanwhile blocks a thread, not just a \
         task"
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [
        (ProblemKind::Deadlock, names(&[task, "locks"]), circle),
        (ProblemKind::GuardAcrossAwait, names(&[task]), guard),
    ];
    assert_eq!(problems(profile, what), expected, "{profile:?}");
}

#[test]
fn a_guard_over_an_await_and_the_only_thread() {
    for profile in EVERY {
        let others = ". deadlocks::run waits for that";
        std_guard(profile, "std-mutex", "holds_over_await", "holds_over_await", "holds_over_await", others);
        std_guard(profile, "std-mutex-of-root", "run", "deadlocks::run", "std_mutex_of_root", "");
    }
}

#[test]
fn panics_whose_handles_somebody_has() {
    let panicked = |number: u32| {
        let text = format!("panics panicked: number {number} is odd; nobody awaits it at the moment");
        (ProblemKind::PanickedTask, vec!["panics".to_owned()], text)
    };
    for profile in EVERY {
        assert_eq!(problems(profile, "panicked"), [panicked(3), panicked(5)], "{profile:?}");
    }
}

#[test]
fn futures_that_were_never_polled_beside_several() {
    for profile in EVERY {
        for (what, task) in [("never-polled-join", "forgets_in_join"), ("never-polled-select", "forgets_in_select")] {
            is_one(profile, what, ProblemKind::NeverPolled, &[task], &never_polled(task));
        }
    }
}

fn never_polled(task: &str) -> String {
    format!(
        "{task} waits at {} for oneshot::channel<u32>, but the future of its own that has its sender (produce, at {}) was never \
         polled: a future does nothing before it is awaited or spawned",
        channels(task),
        channels("produce")
    )
}

#[test]
fn a_lock_taken_twice() {
    for profile in EVERY {
        let at = locks("lock_twice");
        let text = format!(
            "a task waits for itself: lock_twice waits at {at} for Mutex<u32>, held by itself (lock_twice, {at})"
        );
        is_one(profile, "twice", ProblemKind::Deadlock, &["lock_twice"], &text);
    }
}

#[test]
fn a_future_that_was_left_with_a_guard() {
    for profile in EVERY {
        let text = futurelock("keeps_guard", "keeps_guard", "Mutex<u64>", "hold_long");
        is_one(profile, "guard-left", ProblemKind::Futurelock, &["keeps_guard"], &text);
    }
}

#[test]
fn two_full_channels() {
    for profile in EVERY {
        let (left, right) = (channels("left"), channels("right"));
        let text = format!(
            "2 tasks wait for each other: \
             left holds the receiver of mpsc::channel<u64> (left, {left}) and waits at {left} for room in mpsc::channel<u32>, \
             whose receiver is with right (right, {right}); \
             right holds the receiver of mpsc::channel<u32> (right, {right}) and waits at {right} for room in \
             mpsc::channel<u64>, whose receiver is with left (left, {left})"
        );
        is_one(profile, "channels", ProblemKind::Deadlock, &["left", "right"], &text);
    }
}

#[test]
fn joins_in_a_circle() {
    for profile in EVERY {
        let text = format!(
            "2 tasks wait for each other: joins_slot waits at {} for joins_first to end; joins_first waits at {} for \
             joins_slot to end",
            channels("joins_slot"),
            channels("joins_first")
        );
        is_one(profile, "joins", ProblemKind::Deadlock, &["joins_slot", "joins_first"], &text);
    }
}

#[test]
fn a_future_that_was_never_polled() {
    for profile in EVERY {
        let task = "forgets_to_poll";
        is_one(profile, "never-polled", ProblemKind::NeverPolled, &[task], &never_polled(task));
    }
}

#[test]
fn a_receiver_that_keeps_a_sender() {
    for profile in EVERY {
        let at = channels("collect");
        let text = format!(
            "a task waits for itself: collect waits at {at} for a message from mpsc::channel<u32>, which only itself \
             (collect, {at}) can send"
        );
        is_one(profile, "own-sender", ProblemKind::Deadlock, &["collect"], &text);
    }
}

/// The text for a task that blocks its thread in `call` while `ready` is.
fn blocks(task: &str, call: &str, ready: &str) -> String {
    format!("{task} blocks its thread at {} ({call}) while 1 task of its runtime is ready: {ready}", threads(task))
}

#[test]
fn a_task_that_blocks_the_only_thread() {
    for profile in EVERY {
        for (what, task, call) in [
            ("sleeping", "sleeps", "std::thread::sleep"),
            ("receiving", "receives", "std::sync::mpsc::Receiver::recv"),
            ("reading", "reads", "std::os::unix::net::stream::UnixStream::read"),
        ] {
            is_one(profile, what, ProblemKind::BlockingInAsync, &[task], &blocks(task, call, "woken"));
        }
    }
}

#[test]
fn tasks_that_block_all_workers() {
    for profile in EVERY {
        let of = |task: &str, call: &str| {
            (ProblemKind::BlockingInAsync, vec![task.to_owned()], blocks(task, call, "never_runs"))
        };
        let mut found = problems(profile, "workers");
        found.sort_by_key(|(_, tasks, _)| std::cmp::Reverse(tasks.clone()));
        let expected =
            [of("sleeps_beside", "std::thread::sleep"), of("receives_beside", "std::sync::mpsc::Receiver::recv")];
        assert_eq!(found, expected, "{profile:?}");
    }
}

#[test]
fn nothing_is_wrong_with_what_goes_on() {
    for profile in EVERY {
        for flavor in ["multi", "current"] {
            let mut program = stopped("healthy", profile, &[flavor, "spin"]);
            let runtimes = Runtimes::new();
            for _ in 0..25 {
                let snapshot = runtimes.list(&program.stop).snapshot.clone();
                assert!(snapshot.tasks.len() > 40, "{profile:?} {flavor} {}", snapshot.tasks.len());
                assert_eq!(told(&snapshot), [], "{profile:?} {flavor}");
                program.later();
            }
        }
    }
}
