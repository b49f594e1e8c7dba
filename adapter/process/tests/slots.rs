//! Traps are passed while they stay in and everybody else runs on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, io::Write};

use common::{Running, hear, reader, rest, spec, writer};
use weft_memory::MemAddr;
use weft_process::{Ended, Launched, Tracee, Trap, Wait, WaitEvent};

/// Executes the instruction under a trap with all threads stopped, as it must be where no slot serves.
fn pass_stopped(tracee: &mut Tracee, tid: i32, address: MemAddr) {
    tracee.stop_all().unwrap();
    tracee.set_pc(tid, address).unwrap();
    tracee.lift(address).unwrap();
    tracee.step(tid, 0).unwrap();
    let mut others = Vec::new();
    loop {
        match tracee.wait().unwrap() {
            Wait::Event(WaitEvent::Trapped { tid: stepped, trap: Trap::Step }) if stepped == tid => break,
            Wait::Event(WaitEvent::Signal { tid: of, signal }) if of == tid => {
                others.push(WaitEvent::Signal { tid, signal });
                tracee.step(tid, 0).unwrap();
            }
            Wait::Event(event) => others.push(event),
            Wait::Woken => {}
        }
    }
    tracee.plant(address).unwrap();
    others.into_iter().rev().for_each(|event| tracee.put_back(event));
    tracee.resume_all();
}

/// Lets it run until `done` says so or it ends, passing every trap; how often each was hit.
fn run(tracee: &mut Tracee, hits: &mut BTreeMap<MemAddr, u64>, refused: &mut u64, stop_every: u64) -> Ended {
    let mut passed: u64 = 0;
    loop {
        let Wait::Event(event) = tracee.wait().unwrap() else { continue };
        match event {
            WaitEvent::Trapped { tid, trap: Trap::Breakpoint } => {
                let (pc, _) = tracee.position(tid).unwrap();
                let address = pc.checked_sub(1).unwrap();
                *hits.entry(address).or_default() += 1;
                passed += 1;
                if stop_every != 0 && passed.is_multiple_of(stop_every) {
                    tracee.signal(libc::SIGSTOP).unwrap();
                }
                if !tracee.pass(tid, address).unwrap() {
                    *refused += 1;
                    pass_stopped(tracee, tid, address);
                }
            }
            WaitEvent::Exited(ended) => return ended,
            WaitEvent::Signal { tid, signal } => {
                assert_ne!(signal, libc::SIGTRAP);
                tracee.resume(tid, signal).unwrap();
            }
            event => {
                if let Some(tid) = event.stopped_thread().filter(|tid| tracee.is_stopped(*tid)) {
                    tracee.resume(tid, 0).unwrap();
                }
                if let WaitEvent::GroupStop { .. } = event {
                    tracee.signal(libc::SIGCONT).unwrap();
                }
            }
        }
    }
}

/// Where the role wants traps: name and address.
fn places(said: &str) -> Vec<(String, MemAddr)> {
    let place = |word: &str| {
        let (name, at) = word.split_once('=').unwrap();
        (name.to_owned(), MemAddr::new(at.parse().unwrap()))
    };
    said.split(' ').map(place).collect()
}

/// A role that says where it wants traps and waits for a word before it goes on.
struct Ready {
    tracee: Tracee,
    places: Vec<(String, MemAddr)>,
    stdin: std::fs::File,
    stdout: std::io::BufReader<weft_process::OutputEnd>,
}

impl Ready {
    fn launch(role: &str) -> Self {
        let Launched { mut tracee, stdout, stdin, .. } = Tracee::launch(&spec(role)).unwrap();
        let (mut stdout, stdin) = (reader(stdout), writer(stdin));
        tracee.resume_all();
        let waker = tracee.waker();
        let said = std::thread::spawn(move || {
            let said = hear(&mut stdout);
            waker.wake();
            (said, stdout)
        });
        // Nothing happens but what says so: it waits for its input then.
        loop {
            match tracee.wait().unwrap() {
                Wait::Woken => break,
                Wait::Event(event) => {
                    if let Some(tid) = event.stopped_thread() {
                        tracee.resume(tid, 0).unwrap();
                    }
                }
            }
        }
        let (said, stdout) = said.join().unwrap();
        Self { tracee, places: places(&said), stdin, stdout }
    }

    /// Traps everywhere, then runs to its end: how often each was hit, how many were passed with all threads stopped, and
    /// what it said at its end.
    fn run(self) -> (BTreeMap<String, u64>, u64, Vec<u64>) {
        self.run_stopping(0)
    }

    /// As `run`, with a job-control stop every so many hits; 0: never.
    fn run_stopping(mut self, stop_every: u64) -> (BTreeMap<String, u64>, u64, Vec<u64>) {
        for (_, at) in &self.places {
            self.tracee.plant(*at).unwrap();
        }
        self.stdin.write_all(b"go\n").unwrap();
        let (mut hits, mut refused) = (BTreeMap::new(), 0);
        assert_eq!(run(&mut self.tracee, &mut hits, &mut refused, stop_every), Ended::Code(0));
        let hits = self.places.iter().map(|(name, at)| (name.clone(), hits.get(at).copied().unwrap_or(0))).collect();
        let rest = rest(self.stdout);
        let said = rest.rsplit('@').next().unwrap();
        (hits, refused, said.split_whitespace().map(|word| word.parse().unwrap()).collect())
    }
}

fn each_counted(hits: &BTreeMap<String, u64>, rounds: u64) {
    for (name, count) in hits {
        // The loop is executed twice a round.
        let each = if name == "weft_refused" { 2 } else { 1 };
        assert_eq!((name, *count), (name, 4 * rounds * each));
    }
}

#[test]
fn every_kind_of_instruction_is_passed_by_four_threads() {
    let (hits, refused, said) = Ready::launch("kinds:500").run();
    each_counted(&hits, 500);
    assert_eq!((hits.len(), said), (20, vec![0, 0, 0]), "wrong results");
    assert_eq!(refused, 4 * 500 * 2, "only the loop is passed with all threads stopped");
}

#[test]
fn signals_find_the_program_where_it_would_be() {
    let (hits, refused, said) = Ready::launch("kinds-signals:500").run();
    each_counted(&hits, 500);
    assert_eq!((said[0], said[2], refused), (0, 0, 0), "wrong results, or handlers that saw a slot: {said:?}");
    assert!(said[1] > 10, "{said:?}");
}

#[test]
fn job_control_stops_lose_no_hit() {
    let (hits, refused, said) = Ready::launch("kinds-signals:300").run_stopping(250);
    each_counted(&hits, 300);
    assert_eq!((said[0], said[2], refused), (0, 0, 0), "{said:?}");
}

#[test]
fn threads_processes_and_signals_at_once() {
    let (hits, refused, said) = Ready::launch("storm:3000").run();
    let [bad, born, strange] = said[..] else { panic!("{said:?}") };
    assert_eq!((bad, born, strange, refused), (0, 60, 0, 0));
    // Hits of other processes are not the program's.
    assert_eq!(hits, BTreeMap::from([("target".to_owned(), 4 * 3000 + born), ("vfork".to_owned(), 0)]));
}

/// The program's code in memory, and what its file has there.
fn code(pid: i32) -> (Vec<u8>, Vec<u8>) {
    use std::os::unix::fs::FileExt;
    let program = std::env::current_exe().unwrap();
    let mapped = weft_process::mappings(pid).unwrap();
    let text =
        mapped.into_iter().find(|mapping| mapping.executable && mapping.path.as_ref() == Some(&program)).unwrap();
    let length = usize::try_from(text.end.since(text.start).unwrap()).unwrap();
    let (mut memory, mut file) = (vec![0; length], vec![0; length]);
    std::fs::File::open(format!("/proc/{pid}/mem")).unwrap().read_exact_at(&mut memory, text.start.raw()).unwrap();
    let read = std::fs::File::open(program).unwrap().read_at(&mut file, text.offset).unwrap();
    memory.truncate(read);
    file.truncate(read);
    (memory, file)
}

/// Nobody stands where there is no code of the program's.
fn all_in_files(tracee: &Tracee) {
    let mapped = weft_process::mappings(tracee.pid()).unwrap();
    for tid in tracee.threads() {
        let pc = tracee.registers(tid).unwrap().pc();
        let mapping = mapped.iter().find(|mapping| mapping.start <= pc && pc < mapping.end).unwrap();
        assert!(mapping.path.is_some() || mapping.label == "[vdso]", "{pc:?} in {mapping:?}");
    }
}

#[test]
fn a_detached_program_is_as_if_nothing_had_been() {
    let mut running = Running::start("kinds-forever");
    let places = places(&running.hear());
    for round in 0..20 {
        let mut tracee = Tracee::attach(running.pid()).unwrap();
        all_in_files(&tracee);
        for (_, at) in places.iter().filter(|(name, _)| name != "weft_refused") {
            tracee.plant(*at).unwrap();
        }
        tracee.resume_all();
        let mut passed = 0;
        while passed < 2000 {
            let Wait::Event(event) = tracee.wait().unwrap() else { continue };
            let WaitEvent::Trapped { tid, trap: Trap::Breakpoint } = event else { panic!("{event:?}") };
            let (pc, _) = tracee.position(tid).unwrap();
            assert!(tracee.pass(tid, pc.checked_sub(1).unwrap()).unwrap());
            passed += 1;
        }
        let (memory, file) = code(running.pid());
        tracee.stop_all().unwrap();
        all_in_files(&tracee);
        let different = memory.iter().zip(&file).filter(|(is, was)| is != was).count();
        assert_eq!(different, places.len() - 1, "each trap is a byte");
        tracee.detach().unwrap();
        let (memory, file) = code(running.pid());
        assert!(memory == file, "round {round}: code was left changed");
    }
    running.tell();
    assert_eq!(running.hear(), "0", "wrong results");
    assert!(running.child.wait().unwrap().success());
}
