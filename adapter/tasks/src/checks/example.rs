//! Small snapshots by hand: what is wrong is named, what merely looks like it is not.

use crate::*;

const RUNTIME: RuntimeKey = RuntimeKey(0xaa);

fn key(number: u64) -> TaskKey {
    TaskKey { address: number, id: number }
}

fn place(line: u32) -> Location {
    Location { file: "/app/src/main.rs".into(), line, column: 0 }
}

/// Task `number`, which is called `mine::f<number>` and waits in line `number * 10`.
fn task(number: u64, wait: Option<Wait>) -> Task {
    Task {
        key: key(number),
        runtime_task_id: Some(number),
        name: format!("mine::f{number}").into(),
        kind: TaskKind::Task,
        runtime: RUNTIME,
        state: if wait.is_some() { State::Waiting } else { State::Ready },
        ended: false,
        location: Some(place(u32::try_from(number * 10).expect("a small number")).into()),
        entry: None,
        spawned_at: None,
        spawned_by: None,
        os_thread: None,
        waiting_on: wait,
        holds: Vec::new(),
        awaited_by: Vec::new(),
        frames: 1,
        error: None,
    }
}

fn running(number: u64, wait: Option<Wait>) -> Task {
    Task { state: State::Running, os_thread: Some(7), ..task(number, wait) }
}

fn snapshot(kind: RuntimeKind, tasks: Vec<Task>) -> Snapshot {
    let runtime = Runtime { key: RUNTIME, kind, name: None, os_threads: vec![7], task_count: tasks.len() };
    Snapshot { runtimes: vec![runtime], tasks, ..Snapshot::default() }
}

fn problems(tasks: Vec<Task>) -> Vec<(ProblemKind, Vec<u64>, String)> {
    problems_on(RuntimeKind::TokioMultiThread, tasks)
}

fn problems_on(kind: RuntimeKind, tasks: Vec<Task>) -> Vec<(ProblemKind, Vec<u64>, String)> {
    let found = check(&snapshot(kind, tasks)).into_iter();
    found.map(|it| (it.kind, it.tasks.iter().map(|key| key.id).collect(), it.text)).collect()
}

fn resource(id: u64) -> Resource {
    let name = match id {
        0..100 => format!("Mutex<u{id}>"),
        _ => format!("channel<u{id}>"),
    };
    Resource { id, type_name: name.into() }
}

fn wait(kind: WaitKind, id: u64, want: Want) -> Wait {
    Wait { resource: Some(resource(id)), want, ..Wait::new(kind, "wait") }
}

fn lock(id: u64) -> Wait {
    wait(WaitKind::Mutex, id, Want::Alone)
}

fn read(id: u64) -> Wait {
    wait(WaitKind::RwLock, id, Want::Shared)
}

fn write(id: u64) -> Wait {
    wait(WaitKind::RwLock, id, Want::Alone)
}

fn permits(id: u64, count: u64) -> Wait {
    wait(WaitKind::Semaphore, id, Want::Permits(count))
}

fn receive(id: u64, senders: u64) -> Wait {
    wait(WaitKind::Channel, id, Want::Message { senders })
}

fn send(id: u64) -> Wait {
    wait(WaitKind::Channel, id, Want::Room)
}

fn join(numbers: &[u64]) -> Wait {
    Wait { tasks: numbers.iter().map(|number| key(*number)).collect(), ..Wait::new(WaitKind::Join, "join") }
}

fn sleep() -> Wait {
    Wait { remaining_ms: Some(500), ..Wait::new(WaitKind::Sleep, "sleep, 500 ms left") }
}

fn several(kind: WaitKind, branches: Vec<Wait>) -> Wait {
    Wait { branches, ..Wait::new(kind, "several") }
}

/// Gives a task something to hold, in a line that ends in 1.
fn with(mut task: Task, how: Hold, id: u64) -> Task {
    task.holds.push(Held {
        resource: resource(id),
        how,
        frame: task.name.clone(),
        location: Some(place(u32::try_from(task.key.id * 10 + 1).expect("a small number")).into()),
        polled: Polled::Active,
    });
    task
}

fn kept(mut task: Task, how: Hold, id: u64, polled: Polled) -> Task {
    task = with(task, how, id);
    task.holds.last_mut().expect("it was just added").polled = polled;
    task
}

#[test]
fn two_tasks_and_two_locks() {
    let first = with(task(1, Some(lock(12))), Hold::Lock, 11);
    let second = with(task(2, Some(lock(11))), Hold::Lock, 12);
    let third = task(3, Some(lock(11)));
    let fourth = task(4, Some(join(&[3])));
    let found = problems(vec![task(5, None), fourth, first, second, third, task(6, Some(sleep()))]);
    let text = "2 tasks wait for each other: \
                {task:1:1} mine::f1 holds Mutex<u11> (mine::f1, src/main.rs:11) and waits at src/main.rs:10 for Mutex<u12>, \
                held by {task:2:2} mine::f2 (mine::f2, src/main.rs:21); \
                {task:2:2} mine::f2 holds Mutex<u12> (mine::f2, src/main.rs:21) and waits at src/main.rs:20 for Mutex<u11>, \
                held by {task:1:1} mine::f1 (mine::f1, src/main.rs:11). \
                {task:4:4} mine::f4 and {task:3:3} mine::f3 wait for that";
    assert_eq!(found, [(ProblemKind::Deadlock, vec![1, 2], text.to_owned())]);
}

#[test]
fn locks_whose_holders_can_go_on_are_fine() {
    for holder in [Some(sleep()), None, Some(Wait::new(WaitKind::Io, "read")), Some(Wait::new(WaitKind::Unknown, "x"))]
    {
        let first = with(task(1, Some(lock(12))), Hold::Lock, 11);
        let second = with(task(2, holder), Hold::Lock, 12);
        assert_eq!(problems(vec![first, second, task(3, Some(lock(11)))]), []);
    }
}

#[test]
fn a_holder_that_was_not_found_may_go_on() {
    let first = with(task(1, Some(lock(12))), Hold::Lock, 11);
    assert_eq!(problems(vec![first, task(2, Some(lock(11)))]), []);
}

#[test]
fn a_lock_taken_twice_is_a_circle_of_one() {
    let found = problems(vec![with(task(1, Some(lock(11))), Hold::Lock, 11)]);
    let text = "a task waits for itself: {task:1:1} mine::f1 waits at src/main.rs:10 for Mutex<u11>, held by itself \
                (mine::f1, src/main.rs:11)";
    assert_eq!(found, [(ProblemKind::Deadlock, vec![1], text.to_owned())]);
}

#[test]
fn a_timer_beside_a_wait_ends_it() {
    let timed = Wait { remaining_ms: Some(3), ..lock(11) };
    assert_eq!(problems(vec![with(task(1, Some(timed)), Hold::Lock, 11)]), []);
    let selected = several(WaitKind::Select, vec![lock(11), sleep()]);
    assert_eq!(problems(vec![with(task(1, Some(selected)), Hold::Lock, 11)]), []);
    let unknown = several(WaitKind::Select, Vec::new());
    assert_eq!(problems(vec![with(task(1, Some(unknown)), Hold::Lock, 11)]), []);
    let hopeless = several(WaitKind::Select, vec![lock(11), lock(12)]);
    let found = problems(vec![with(with(task(1, Some(hopeless)), Hold::Lock, 11), Hold::Lock, 12)]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_branch_that_moves_may_do_what_another_waits_for() {
    // join!(receive, async { sleep; send })
    let both = several(WaitKind::Group, vec![receive(100, 1), sleep()]);
    assert_eq!(problems(vec![with(task(1, Some(both)), Hold::Sender, 100)]), []);
}

#[test]
fn futures_left_behind_are_told_from_circles_of_one() {
    let left = kept(task(1, Some(lock(11))), Hold::Lock, 11, Polled::Left);
    let found = problems(vec![left, task(2, Some(lock(11)))]);
    let text = "{task:1:1} mine::f1 waits at src/main.rs:10 for Mutex<u11>, but the future of its own that holds it (mine::f1, \
                at src/main.rs:11) is not polled meanwhile: it was left behind unfinished and is kept, so it can never \
                give that back. {task:2:2} mine::f2 waits for that";
    assert_eq!(found, [(ProblemKind::Futurelock, vec![1], text.to_owned())]);
    let sleeping = kept(task(1, Some(sleep())), Hold::Lock, 11, Polled::Left);
    assert_eq!(problems(vec![sleeping, task(2, Some(lock(11)))]), []);
}

#[test]
fn a_future_that_was_never_polled_cannot_send() {
    let found = problems(vec![kept(task(1, Some(receive(100, 1))), Hold::Sender, 100, Polled::Never)]);
    assert_eq!((found[0].0, found[0].1.as_slice()), (ProblemKind::NeverPolled, [1].as_slice()), "{found:?}");
    assert!(found[0].2.contains("that has its sender (mine::f1, at src/main.rs:11) was never polled"), "{found:?}");
    let moves = kept(task(1, Some(sleep())), Hold::Sender, 100, Polled::Never);
    assert_eq!(problems(vec![moves]), []);
}

#[test]
fn readers_that_were_not_found_may_go_on() {
    let writer = || task(2, Some(write(11)));
    let reader = |number, wait| with(task(number, Some(wait)), Hold::Read, 11);
    assert_eq!(problems(vec![reader(1, join(&[2])), writer(), reader(3, sleep())]), []);
    assert_eq!(problems(vec![reader(1, join(&[2])), writer(), reader(3, join(&[2]))]), []);
    assert_eq!(problems(vec![with(task(1, Some(read(11))), Hold::Read, 11), writer()]), []);
}

#[test]
fn a_reader_waits_behind_a_writer() {
    let holder = || with(task(1, Some(join(&[3]))), Hold::Lock, 11);
    let found = problems(vec![holder(), task(2, Some(write(11))), task(3, Some(read(11)))]);
    assert_eq!(found[0].1, [1, 3], "{found:?}");
    assert_eq!(problems(vec![task(3, Some(read(11)))]), []);
}

#[test]
fn permits_may_come_from_anybody_who_has_some() {
    let holder = |number, wait| with(task(number, Some(wait)), Hold::Permits(1), 11);
    let found = problems(vec![holder(1, permits(11, 1)), holder(2, permits(11, 1))]);
    assert_eq!(found[0].1, [1, 2], "{found:?}");
    assert!(found[0].2.contains("1 permit of Mutex<u11>"), "{found:?}");
    assert_eq!(problems(vec![holder(1, permits(11, 1)), holder(2, sleep())]), []);
    // A signal: nobody has permits, somebody adds one.
    assert_eq!(problems(vec![task(1, Some(permits(11, 1)))]), []);
    // One in the queue may leave it, and what it was given already.
    let impatient = task(3, Some(Wait { remaining_ms: Some(10), ..permits(11, 5) }));
    assert_eq!(problems(vec![holder(1, permits(11, 1)), impatient]), []);
    // Whoever runs may have permits that cannot be seen.
    assert_eq!(problems(vec![holder(1, permits(11, 1)), running(4, None)]), []);
}

#[test]
fn those_who_wait_for_permits_are_no_part_of_the_circle() {
    let found = problems(vec![
        with(task(1, Some(lock(12))), Hold::Permits(1), 11),
        with(task(2, Some(permits(11, 1))), Hold::Lock, 12),
        task(3, Some(permits(11, 1))),
    ]);
    assert_eq!((found.len(), found[0].1.as_slice()), (1, [1, 2].as_slice()), "{found:?}");
    assert!(found[0].2.ends_with("{task:3:3} mine::f3 waits for that"), "{found:?}");
}

#[test]
fn channels_count_only_when_every_sender_is_known() {
    let first = |senders| with(task(1, Some(receive(100, senders))), Hold::Sender, 101);
    let second = || with(task(2, Some(receive(101, 1))), Hold::Sender, 100);
    let found = problems(vec![first(1), second()]);
    assert_eq!(found[0].1, [1, 2], "{found:?}");
    assert!(
        found[0].2.contains(
            "a message from channel<u100>, which only {task:2:2} mine::f2 (mine::f2, src/main.rs:21) can send"
        ),
        "{found:?}"
    );
    assert_eq!(problems(vec![first(2), second()]), []);
    assert_eq!(problems(vec![first(0), second()]), []);
    let unknown = Wait { want: Want::Unknown, ..receive(100, 1) };
    assert_eq!(problems(vec![with(task(1, Some(unknown)), Hold::Sender, 101), second()]), []);
}

#[test]
fn idle_workers_of_a_pipeline_are_fine() {
    let input = with(task(1, Some(Wait::new(WaitKind::Io, "read"))), Hold::Sender, 100);
    let middle = with(task(2, Some(receive(100, 1))), Hold::Sender, 101);
    assert_eq!(problems(vec![input, middle, task(3, Some(receive(101, 1)))]), []);
}

#[test]
fn a_full_channel_whose_receiver_waits_for_the_sender() {
    let sender = with(task(1, Some(send(100))), Hold::Receiver, 101);
    let receiver = with(task(2, Some(send(101))), Hold::Receiver, 100);
    let found = problems(vec![sender.clone(), receiver.clone()]);
    assert_eq!(found[0].1, [1, 2], "{found:?}");
    assert!(found[0].2.contains("room in channel<u100>, whose receiver is with {task:2:2} mine::f2"), "{found:?}");
    // Somebody has reserved room and may give it back.
    let reserved = with(task(3, Some(sleep())), Hold::Permits(1), 100);
    assert_eq!(problems(vec![sender, receiver, reserved]), []);
}

#[test]
fn joins_in_a_circle() {
    let found = problems(vec![task(1, Some(join(&[2]))), task(2, Some(join(&[1])))]);
    assert_eq!(found[0].1, [1, 2], "{found:?}");
    assert!(found[0].2.contains("waits at src/main.rs:10 for {task:2:2} mine::f2 to end"), "{found:?}");
    assert_eq!(problems(vec![task(1, Some(join(&[2]))), task(2, Some(sleep()))]), []);
    assert_eq!(problems(vec![task(1, Some(join(&[9])))]), []);
    let cancelled = Task { state: State::Cancelled, ..task(2, Some(join(&[1]))) };
    assert_eq!(problems(vec![task(1, Some(join(&[2]))), cancelled]), []);
    let half_known = Task { error: Some("torn".into()), ..task(2, Some(join(&[1]))) };
    assert_eq!(problems(vec![task(1, Some(join(&[2]))), half_known]), []);
}

#[test]
fn a_blocked_thread_keeps_the_holder_from_going_on() {
    let holder = || with(task(1, Some(sleep())), Hold::BlockingLock, 11);
    let tasks = || vec![holder(), running(2, Some(lock(11))), task(3, Some(sleep()))];
    let found = problems_on(RuntimeKind::TokioCurrentThread, tasks());
    let deadlock = found.iter().find(|(kind, ..)| *kind == ProblemKind::Deadlock).expect("a deadlock");
    assert_eq!(deadlock.1, [1, 2]);
    assert!(
        deadlock.2.contains(
            "{task:1:1} mine::f1 holds Mutex<u11> (mine::f1, src/main.rs:11) and is not polled at src/main.rs:10, because \
             {task:2:2} mine::f2 blocks its thread; {task:2:2} mine::f2 waits at src/main.rs:20 for Mutex<u11>"
        ),
        "{deadlock:?}"
    );
    assert!(deadlock.2.ends_with("{task:3:3} mine::f3 waits for that"), "{deadlock:?}");
    // Another thread may poll the holder.
    let found = problems_on(RuntimeKind::TokioMultiThread, tasks());
    assert_eq!(found.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(), [ProblemKind::GuardAcrossAwait]);
}

#[test]
fn a_set_of_local_tasks_has_one_thread() {
    let local = |task: Task| Task { kind: TaskKind::Local, ..task };
    let holder = || local(with(task(1, Some(sleep())), Hold::BlockingLock, 11));
    let blocked = || local(running(2, Some(lock(11))));
    let is_deadlock = |snapshot: &Snapshot| {
        let found = check(snapshot);
        found.iter().any(|it| it.kind == ProblemKind::Deadlock && it.tasks == [key(1), key(2)])
    };
    let mut set = snapshot(RuntimeKind::TokioLocalSet, vec![holder(), blocked()]);
    set.runtimes[0].os_threads.clear();
    assert!(is_deadlock(&set));
    // A set inside a runtime's `block_on` blocks that runtime's tasks as well; one on another thread does not.
    for (thread, expected) in [(7, true), (8, false)] {
        let root = Task { kind: TaskKind::Root, ..running(3, None) };
        let blocker = Task { runtime: RuntimeKey(0xbb), os_thread: Some(thread), ..blocked() };
        let sleeper = with(task(1, Some(sleep())), Hold::BlockingLock, 11);
        let mut two = snapshot(RuntimeKind::TokioCurrentThread, vec![sleeper, blocker, root]);
        let set = Runtime { key: RuntimeKey(0xbb), kind: RuntimeKind::TokioLocalSet, ..two.runtimes[0].clone() };
        two.runtimes.push(set);
        assert_eq!(is_deadlock(&two), expected, "{thread}");
    }
}

#[test]
fn guards_over_an_await_are_named() {
    let found = problems(vec![with(task(1, Some(sleep())), Hold::BlockingLock, 11)]);
    let text = "{task:1:1} mine::f1 holds Mutex<u11> over the await at src/main.rs:11 in mine::f1: whoever locks it meanwhile \
                blocks a thread, not just a task";
    assert_eq!(found, [(ProblemKind::GuardAcrossAwait, vec![1], text.to_owned())]);
    assert_eq!(problems(vec![with(running(1, None), Hold::BlockingLock, 11)]), []);
    assert_eq!(problems(vec![with(task(1, Some(sleep())), Hold::Lock, 11)]), []);
}

#[test]
fn a_blocked_worker_keeps_ready_tasks_waiting() {
    let blocked = || running(1, Some(Wait::new(WaitKind::Sleep, "std::thread::sleep")));
    let due = Wait { remaining_ms: Some(0), ..sleep() };
    let found = problems(vec![blocked(), task(2, None), task(3, Some(sleep())), task(4, Some(due))]);
    let text = "{task:1:1} mine::f1 blocks its thread at src/main.rs:10 (std::thread::sleep) while 2 tasks of its runtime are \
                ready: {task:2:2} mine::f2 and {task:4:4} mine::f4";
    assert_eq!(found, [(ProblemKind::BlockingInAsync, vec![1], text.to_owned())]);
    assert_eq!(problems(vec![blocked(), task(3, Some(sleep()))]), []);
    let job = Task { kind: TaskKind::Blocking, ..blocked() };
    assert_eq!(problems(vec![job, task(2, None)]), []);
    let main = Task { kind: TaskKind::Root, ..blocked() };
    assert_eq!(problems(vec![main.clone(), task(2, None)]), []);
    assert_eq!(problems_on(RuntimeKind::TokioCurrentThread, vec![main, task(2, None)]).len(), 1);
}

#[test]
fn a_lock_that_is_held_for_a_moment_is_no_blocking() {
    let blocked = || running(1, Some(lock(11)));
    assert_eq!(problems(vec![blocked(), task(2, None)]), []);
    assert_eq!(problems(vec![blocked(), task(2, None), with(running(3, None), Hold::BlockingLock, 11)]), []);
    let asleep = running(3, Some(Wait::new(WaitKind::Sleep, "std::thread::sleep")));
    let asleep = Task { kind: TaskKind::Blocking, ..with(asleep, Hold::BlockingLock, 11) };
    assert_eq!(problems(vec![blocked(), task(2, None), asleep])[0].0, ProblemKind::BlockingInAsync);
}

#[test]
fn panics_are_told_with_their_messages() {
    let ended = |state| Task { state, ended: true, error: Some("panicked: no".into()), ..task(1, None) };
    let found = problems(vec![ended(State::Failed)]);
    let text = "{task:1:1} mine::f1 panicked: no; nobody awaits it at the moment";
    assert_eq!(found, [(ProblemKind::PanickedTask, vec![1], text.to_owned())]);
    let awaited = Task { awaited_by: vec![Awaiter { task: key(2), via: Via::Join }], ..ended(State::Failed) };
    assert!(problems(vec![awaited])[0].2.ends_with("; awaited by {task:2:2}"));
    assert_eq!(problems(vec![ended(State::Done)]), []);
}

#[test]
fn of_thousands_the_first_are_told() {
    let tasks = (1..=1_000).map(|number| with(task(number, Some(lock(number))), Hold::Lock, number)).collect();
    let found = problems(tasks);
    assert_eq!(found.len(), 200);
    assert!(found[199].2.ends_with("(and 800 more like this)"), "{:?}", found[199]);
}

#[test]
fn a_circle_of_thousands_is_one_problem_with_a_short_text() {
    let next = |number: u64| if number == 5_000 { 1 } else { number + 1 };
    let found = problems((1..=5_000).map(|number| task(number, Some(join(&[next(number)])))).collect());
    assert_eq!((found.len(), found[0].1.len()), (1, 5_000));
    assert!(found[0].2.starts_with("5000 tasks wait for each other: ") && found[0].2.ends_with("; and 4992 more"));
}
