//! Real processes: launched, attached to, trapped, killed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use common::{Running, hear, reader, rest, spec, writer};
use weft_memory::{MemAddr, Memory, MemoryError};
use weft_process::{
    Ended, LaunchSpec, Launched, ProcessError, Stdin, Tracee, Trap, Wait, WaitEvent, Watch, WatchAccess, mappings,
    process_state,
};

/// How long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Resumes whatever an event stopped, passing signals on.
fn carry_on(tracee: &mut Tracee, event: &WaitEvent) {
    let signal = if let WaitEvent::Signal { signal, .. } = event { *signal } else { 0 };
    if let Some(tid) = event.stopped_thread().filter(|tid| tracee.is_stopped(*tid)) {
        tracee.resume(tid, signal).unwrap();
    }
}

/// Lets the debuggee run until `until` says so; `None`: it ended.
fn run_until(tracee: &mut Tracee, mut until: impl FnMut(&WaitEvent) -> bool) -> Option<WaitEvent> {
    loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        if until(&event) {
            return Some(event);
        }
        if let WaitEvent::Exited(_) = event {
            return None;
        }
        carry_on(tracee, &event);
    }
}

fn run_to_end(tracee: &mut Tracee) -> Ended {
    run_until(tracee, |_| false);
    tracee.ended().unwrap()
}

/// All threads stopped, one of which stands behind a trap at `address`: executes the original instruction.
fn step_over(tracee: &mut Tracee, tid: i32, address: MemAddr) {
    let memory = tracee.memory().unwrap();
    tracee.set_pc(tid, address).unwrap();
    memory.lift(address).unwrap();
    tracee.step(tid, 0).unwrap();
    loop {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Trapped { tid: stepped, trap: Trap::Step }) if stepped == tid => break,
            Wait::Event(event) => panic!("unexpected {event:?}"),
            Wait::Woken => {}
        }
    }
    memory.plant(address).unwrap();
}

/// Handles one hit and everything that was hit at the same time; says how many hits there were.
fn pass_hits(tracee: &mut Tracee, first: i32, address: MemAddr) -> u64 {
    tracee.stop_all().unwrap();
    let mut queued: Vec<WaitEvent> = std::iter::from_fn(|| tracee.take_queued()).collect();
    queued.insert(0, WaitEvent::Trapped { tid: first, trap: Trap::Breakpoint });
    let mut hits = 0;
    let mut signals = Vec::new();
    for event in &queued {
        match *event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => {
                assert_eq!(tracee.registers(tid).unwrap().pc(), address.checked_add(1).unwrap());
                step_over(tracee, tid, address);
                hits += 1;
            }
            WaitEvent::Signal { tid, signal } => signals.push((tid, signal)),
            _ => {}
        }
    }
    for (tid, signal) in signals {
        tracee.resume(tid, signal).unwrap();
    }
    tracee.resume_all();
    hits
}

#[test]
fn launches_and_reports_the_status() {
    for (role, ended) in [("exit:0", Ended::Code(0)), ("exit:7", Ended::Code(7))] {
        let Launched { mut tracee, stdout, .. } = Tracee::launch(&spec(role)).unwrap();
        let pid = tracee.pid();
        assert_eq!(tracee.threads(), [pid]);
        assert!(mappings(pid).unwrap().iter().any(|mapping| mapping.path == std::env::current_exe().ok()));
        tracee.resume_all();
        assert_eq!(run_to_end(&mut tracee), ended);
        assert_eq!(rest(reader(stdout)), "");
        assert!(matches!(process_state(pid), Err(ProcessError::NoProcess(_))));
    }
}

#[test]
fn arguments_directory_environment_and_output_arrive() {
    let Launched { mut tracee, stdout, stderr, .. } = Tracee::launch(&LaunchSpec {
        program: "/bin/sh".into(),
        args: ["-c", "echo $0 $A; pwd; echo oh >&2; cat; kill -KILL $$", "x y"].map(Into::into).to_vec(),
        cwd: Some("/usr".into()),
        env: vec![("A".into(), Some("b".into()))],
        stdin: Stdin::Null,
        ..LaunchSpec::default()
    })
    .unwrap();
    tracee.resume_all();
    assert_eq!(run_to_end(&mut tracee), Ended::Signal(libc::SIGKILL));
    assert_eq!(rest(reader(stdout)), "x y b\n/usr\n");
    assert_eq!(rest(reader(stderr)), "oh\n");
}

#[test]
fn a_file_can_be_the_standard_input() {
    let this = env!("CARGO_MANIFEST_DIR").to_owned() + "/Cargo.toml";
    let Launched { mut tracee, stdout, .. } = Tracee::launch(&LaunchSpec {
        program: "/bin/cat".into(),
        stdin: Stdin::File(this.clone().into()),
        ..LaunchSpec::default()
    })
    .unwrap();
    tracee.resume_all();
    assert_eq!(run_to_end(&mut tracee), Ended::Code(0));
    assert_eq!(rest(reader(stdout)), std::fs::read_to_string(this).unwrap());
}

#[test]
fn what_cannot_be_launched_says_why() {
    let why = |spec: LaunchSpec| Tracee::launch(&spec).unwrap_err().to_string();
    let program = |program: &str| LaunchSpec { program: program.into(), ..LaunchSpec::default() };
    assert_eq!(why(program("/no/such")), "the program /no/such does not exist");
    assert_eq!(why(program("/etc/passwd")), "/etc/passwd is not executable: build it, or set its mode with chmod +x");
    let input = LaunchSpec { stdin: Stdin::File("/usr".into()), ..program("/bin/true") };
    assert_eq!(why(input), "the standard input /usr cannot be used: it is not a plain file");
    let nowhere = LaunchSpec { cwd: Some("/no/where".into()), ..program("/bin/true") };
    assert_eq!(why(nowhere), "the working directory /no/where cannot be used: No such file or directory (os error 2)");
}

#[test]
fn four_threads_hit_a_trap_and_every_hit_counts() {
    let each = 300;
    let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec(&format!("calls:{each}"))).unwrap();
    let (mut stdin, mut stdout) = (writer(stdin), reader(stdout));
    tracee.resume_all();
    let (send, receive) = mpsc::channel();
    let waker = tracee.waker();
    let listener = thread::spawn(move || {
        send.send(hear(&mut stdout).parse::<u64>().unwrap()).unwrap();
        waker.wake();
        hear(&mut stdout)
    });
    let address = loop {
        match tracee.wait().unwrap() {
            Wait::Event(event) => carry_on(&mut tracee, &event),
            Wait::Woken => break MemAddr::new(receive.recv().unwrap()),
        }
    };
    let memory = tracee.memory().unwrap();
    let original = memory.read_u8(address).unwrap();
    // Planted while the program runs; reads do not see it.
    memory.plant(address).unwrap();
    assert_eq!(memory.read_u8(address).unwrap(), original);
    stdin.write_all(b"go\n").unwrap();
    let mut hits = 0;
    while let Some(event) =
        run_until(&mut tracee, |event| matches!(event, WaitEvent::Trapped { trap: Trap::Breakpoint, .. }))
    {
        hits += pass_hits(&mut tracee, event.stopped_thread().unwrap(), address);
    }
    assert_eq!(hits, 4 * each);
    assert_eq!(listener.join().unwrap(), (4 * each).to_string());
    assert_eq!(tracee.ended(), Some(Ended::Code(0)));
}

#[test]
fn attaches_to_churning_threads_and_leaves_them_well() {
    let mut running = Running::start("churn:50");
    let address = MemAddr::new(running.hear().parse().unwrap());
    let pid = running.pid();
    let tracing = thread::spawn(move || {
        for round in 0..5 {
            let mut tracee = Tracee::attach(pid).unwrap();
            assert!(tracee.threads().len() >= 50, "round {round}: {} threads", tracee.threads().len());
            assert!(tracee.threads().iter().all(|tid| tracee.is_stopped(*tid)));
            let still = tracee.stopped_memory().unwrap();
            let byte = still.read_u8(address).unwrap();
            tracee.resume_all();
            assert_eq!(still.read_u8(address), Err(MemoryError::Resumed));
            tracee.memory().unwrap().plant(address).unwrap();
            let mut hits = 0;
            while hits < 20 {
                let is_hit = |event: &WaitEvent| matches!(event, WaitEvent::Trapped { trap: Trap::Breakpoint, .. });
                let event = run_until(&mut tracee, is_hit).expect("it goes on");
                hits += pass_hits(&mut tracee, event.stopped_thread().unwrap(), address);
            }
            tracee.detach().unwrap();
            drop(tracee);
            assert_eq!(process_state(pid).unwrap().tracer, 0);
            let mut now = [0];
            let file = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut now, address.raw()).unwrap();
            assert_eq!(now, [byte]);
        }
    });
    tracing.join().unwrap();
    drop(running.stdin.take());
    assert_eq!(running.hear(), "end");
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn interrupts_and_resumes() {
    let mut running = Running::start("spin");
    assert_eq!(running.hear(), "ready");
    let pid = running.pid();
    let tracing = thread::spawn(move || {
        let mut tracee = Tracee::attach(pid).unwrap();
        for _ in 0..100 {
            tracee.resume_all();
            tracee.interrupt(pid);
            let event = run_until(&mut tracee, |event| matches!(event, WaitEvent::Interrupted { .. }));
            assert_eq!(event, Some(WaitEvent::Interrupted { tid: pid }));
            assert!(tracee.registers(pid).unwrap().pc() > MemAddr::new(0x1000));
        }
        let text = Tracee::attach(pid).unwrap_err().to_string();
        assert!(text.contains("is already being traced by process"), "{text}");
    });
    tracing.join().unwrap();
    // The tracee was dropped: detached and running.
    assert_eq!(process_state(pid).unwrap().tracer, 0);
    assert!(matches!(process_state(pid).unwrap().letter, 'R' | 'S' | 'D'));
}

#[test]
fn a_kill_from_outside_is_an_event_at_any_moment() {
    thread::scope(|scope| {
        for round in 0..8 {
            scope.spawn(move || {
                let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec("churn:4")).unwrap();
                let pid = tracee.pid();
                tracee.resume_all();
                let mut stdout = reader(stdout);
                let killer = thread::spawn(move || {
                    hear(&mut stdout);
                    for _ in 0..round * 50 {
                        thread::yield_now();
                    }
                    // SAFETY: a number; the process is not collected before its end was reported to the tracer.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                });
                let ended = loop {
                    tracee.stop_all().unwrap();
                    while let Some(event) = tracee.take_queued() {
                        carry_on(&mut tracee, &event);
                    }
                    for tid in tracee.threads() {
                        let _maybe_gone = tracee.registers(tid);
                    }
                    if let Some(ended) = tracee.ended() {
                        break ended;
                    }
                    tracee.resume_all();
                };
                killer.join().unwrap();
                drop(stdin);
                assert_eq!(ended, Ended::Signal(libc::SIGKILL));
            });
        }
    });
}

#[test]
fn forked_processes_run_without_traps() {
    let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec("forks:10")).unwrap();
    let (mut stdin, mut stdout) = (writer(stdin), reader(stdout));
    let memory = tracee.memory().unwrap();
    tracee.resume_all();
    let listener = thread::spawn(move || {
        let address = MemAddr::new(hear(&mut stdout).parse().unwrap());
        memory.plant(address).unwrap();
        stdin.write_all(b"go\n").unwrap();
        (address, hear(&mut stdout))
    });
    let mut hits = 0;
    let mut forks = 0;
    while let Some(event) = run_until(&mut tracee, |event| match event {
        WaitEvent::Trapped { trap: Trap::Breakpoint, .. } => true,
        WaitEvent::Forked { .. } => {
            forks += 1;
            false
        }
        _ => false,
    }) {
        let tid = event.stopped_thread().unwrap();
        let address = tracee.registers(tid).unwrap().pc().checked_sub(1).unwrap();
        hits += pass_hits(&mut tracee, tid, address);
    }
    assert_eq!(listener.join().unwrap().1, "10");
    assert_eq!((hits, forks), (10, 20));
}

/// The kernel has copied the memory already when the trap is taken away, and nobody was told.
#[test]
fn a_trap_that_is_lifted_while_a_fork_is_on_its_way_is_not_in_the_copy() {
    let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec("forks:1")).unwrap();
    let (mut stdin, mut stdout) = (writer(stdin), reader(stdout));
    let memory = tracee.memory().unwrap();
    tracee.resume_all();
    let planter = memory.clone();
    let listener = thread::spawn(move || {
        let address = MemAddr::new(hear(&mut stdout).parse().unwrap());
        planter.plant(address).unwrap();
        stdin.write_all(b"go\n").unwrap();
        hear(&mut stdout)
    });
    let is_hit = |event: &WaitEvent| matches!(event, WaitEvent::Trapped { trap: Trap::Breakpoint, .. });
    let hit = run_until(&mut tracee, is_hit).unwrap();
    let tid = hit.stopped_thread().unwrap();
    let address = tracee.registers(tid).unwrap().pc().checked_sub(1).unwrap();
    pass_hits(&mut tracee, tid, address);
    let stat = format!("/proc/{}/stat", tracee.pid());
    while !std::fs::read_to_string(&stat).unwrap().contains(") t ") {
        // It stops when it has forked, and nothing else stops it.
        thread::yield_now();
    }
    memory.lift(address).unwrap();
    assert_eq!(run_to_end(&mut tracee), Ended::Code(0));
    assert_eq!(listener.join().unwrap(), "1", "children that ended well");
}

#[test]
fn the_first_thread_may_end_before_the_others() {
    let mut running = Running::start("leader-exits");
    assert_eq!(running.hear(), "ready");
    let pid = running.pid();
    let (attached, ready) = mpsc::channel();
    let tracing = thread::spawn(move || {
        let mut tracee = Tracee::attach(pid).unwrap();
        assert_eq!(tracee.threads().len(), 1);
        attached.send(()).unwrap();
        for _ in 0..10 {
            tracee.resume_all();
            tracee.stop_all().unwrap();
        }
        tracee.resume_all();
        run_to_end(&mut tracee)
    });
    ready.recv().unwrap();
    running.tell();
    assert_eq!(tracing.join().unwrap(), Ended::Code(5));
}

#[test]
fn exec_from_another_thread_leaves_one_thread() {
    let Launched { mut tracee, .. } = Tracee::launch(&spec("exec-from-thread")).unwrap();
    tracee.resume_all();
    let event = run_until(&mut tracee, |event| matches!(event, WaitEvent::Exec { .. }));
    assert_eq!(event, Some(WaitEvent::Exec { tid: tracee.pid() }));
    assert_eq!(tracee.threads(), [tracee.pid()]);
    assert!(tracee.registers(tracee.pid()).is_ok());
    tracee.resume_all();
    assert_eq!(run_to_end(&mut tracee), Ended::Code(9));
}

#[test]
fn a_job_control_stop_outlives_the_debugger() {
    let mut running = Running::start("wait");
    assert_eq!(running.hear(), "ready");
    let pid = running.pid();
    // SAFETY: a number of a child of ours that is not collected.
    unsafe { libc::kill(pid, libc::SIGSTOP) };
    while process_state(pid).unwrap().letter != 'T' {
        thread::yield_now();
    }
    thread::spawn(move || Tracee::attach(pid).unwrap().detach().unwrap()).join().unwrap();
    while process_state(pid).unwrap().letter != 'T' {
        thread::yield_now();
    }
    // SAFETY: as above.
    unsafe { libc::kill(pid, libc::SIGCONT) };
    drop(running.stdin.take());
    assert_eq!(running.hear(), "end");
}

#[test]
fn a_launched_program_dies_with_the_debugger() {
    let launched = Tracee::launch(&spec("spin")).unwrap();
    let pid = launched.tracee.pid();
    drop(launched);
    assert!(matches!(process_state(pid), Err(ProcessError::NoProcess(_))));
}

#[test]
fn a_launched_program_dies_when_the_debugger_is_killed() {
    let mut debugger = Running::start("debugger");
    let debuggee = debugger.hear().parse().unwrap();
    assert!(process_state(debuggee).is_ok());
    drop(debugger);
    let begun = Instant::now();
    while process_state(debuggee).is_ok_and(|state| !matches!(state.letter, 'Z' | 'X')) {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
}

/// The proof of the wake-up: commands are hammered while events arrive; each is answered.
#[test]
fn no_wake_up_is_lost() {
    let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec("churn:3")).unwrap();
    let mut stdout = reader(stdout);
    tracee.resume_all();
    let waker = tracee.waker();
    let (commands, inbox) = mpsc::channel::<mpsc::Sender<()>>();
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let hammer = thread::spawn(move || {
        hear(&mut stdout);
        for _ in 0..20_000 {
            let (answer, answered) = mpsc::channel();
            commands.send(answer).unwrap();
            waker.wake();
            answered.recv_timeout(PATIENCE).expect("a wake-up was lost");
        }
        finished.store(true, Ordering::Relaxed);
        waker.wake();
        stdout
    });
    let mut events = 0u64;
    while !done.load(Ordering::Relaxed) {
        match tracee.wait().unwrap() {
            Wait::Event(event) => {
                events += 1;
                carry_on(&mut tracee, &event);
            }
            Wait::Woken => inbox.try_iter().for_each(|answer| answer.send(()).unwrap()),
        }
    }
    let stdout = hammer.join().unwrap();
    assert!(events > 100, "only {events} events came between the commands");
    drop(stdin);
    assert_eq!(run_to_end(&mut tracee), Ended::Code(0));
    drop(stdout);
}

/// A program that calls the target from four threads, stopped at the first call with the trap taken out again: nobody has
/// counted yet. Says where the counter is.
fn at_first_call(each: u64) -> (Tracee, thread::JoinHandle<String>, MemAddr) {
    let Launched { mut tracee, stdin, stdout, .. } = Tracee::launch(&spec(&format!("calls:{each}"))).unwrap();
    let (mut stdin, mut stdout) = (writer(stdin), reader(stdout));
    tracee.resume_all();
    let (send, receive) = mpsc::channel();
    let waker = tracee.waker();
    let listener = thread::spawn(move || {
        send.send(hear(&mut stdout).parse::<u64>().unwrap()).unwrap();
        waker.wake();
        hear(&mut stdout)
    });
    let address = loop {
        match tracee.wait().unwrap() {
            Wait::Event(event) => carry_on(&mut tracee, &event),
            Wait::Woken => break MemAddr::new(receive.recv().unwrap()),
        }
    };
    tracee.memory().unwrap().plant(address).unwrap();
    stdin.write_all(b"go\n").unwrap();
    let is_hit = |event: &WaitEvent| matches!(event, WaitEvent::Trapped { trap: Trap::Breakpoint, .. });
    let first = run_until(&mut tracee, is_hit).unwrap().stopped_thread().unwrap();
    tracee.stop_all().unwrap();
    let mut hits = vec![first];
    while let Some(event) = tracee.take_queued() {
        hits.extend(event.stopped_thread().filter(|_| is_hit(&event)));
    }
    hits.iter().for_each(|tid| tracee.set_pc(*tid, address).unwrap());
    tracee.memory().unwrap().lift(address).unwrap();
    let counter = tracee.registers(first).unwrap().get(weft_memory::DwarfRegister(5)).unwrap();
    (tracee, listener, MemAddr::new(counter))
}

#[test]
fn watched_data_stops_every_thread_that_writes_it() {
    let each = 50;
    let (mut tracee, listener, counter) = at_first_call(each);
    let other = counter.checked_add(1 << 20).unwrap();
    let watch = |address, size, access| Watch { address, size, access };
    let too_many = [watch(counter, 1, WatchAccess::Write); 5];
    assert!(matches!(tracee.set_watches(&too_many), Err(ProcessError::TooManyWatches)));
    // The first one is never hit.
    let watches = [watch(other, 8, WatchAccess::ReadWrite), watch(counter, 8, WatchAccess::Write)];
    tracee.set_watches(&watches).unwrap();
    assert_eq!(tracee.watches(), watches);
    tracee.resume_all();
    let mut hits = 0;
    while let Some(event) =
        run_until(&mut tracee, |event| matches!(event, WaitEvent::Trapped { trap: Trap::Hardware(_), .. }))
    {
        assert!(matches!(event, WaitEvent::Trapped { trap: Trap::Hardware(0b10), .. }));
        hits += 1;
        // The thread stands behind its addition; others may have added since.
        assert!(tracee.memory().unwrap().read_u64(counter).unwrap() >= hits);
        carry_on(&mut tracee, &event);
    }
    // Every addition is one instruction that writes once; the reading at the end is none.
    assert_eq!(hits, 4 * each);
    assert_eq!(listener.join().unwrap(), (4 * each).to_string());
    assert_eq!(tracee.ended(), Some(Ended::Code(0)));
}

#[test]
fn watches_are_gone_after_they_were_taken_away_and_after_a_detach() {
    let (mut tracee, listener, counter) = at_first_call(20);
    let watch = Watch { address: counter, size: 8, access: WatchAccess::ReadWrite };
    tracee.set_watches(&[watch]).unwrap();
    tracee.resume_all();
    let is_watch = |event: &WaitEvent| matches!(event, WaitEvent::Trapped { trap: Trap::Hardware(_), .. });
    run_until(&mut tracee, is_watch).unwrap();
    tracee.stop_all().unwrap();
    while tracee.take_queued().is_some() {}
    tracee.set_watches(&[]).unwrap();
    tracee.resume_all();
    assert_eq!(run_until(&mut tracee, is_watch), None);
    assert_eq!(listener.join().unwrap(), "80");

    let (mut tracee, listener, counter) = at_first_call(20);
    tracee.set_watches(&[Watch { address: counter, ..watch }]).unwrap();
    tracee.resume_all();
    run_until(&mut tracee, is_watch).unwrap();
    // A thread that is left with debug registers set would die of a SIGTRAP at its next addition.
    tracee.detach().unwrap();
    assert_eq!(listener.join().unwrap(), "80");
}
