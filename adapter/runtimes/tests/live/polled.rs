//! What a thread polls, told by that thread alone: the same as the list of all tasks says.

use weft_runtimes::{Polling, Runtimes};

use crate::fixture::{PROFILES, stopped};
use crate::zoo::named;

#[test]
fn every_thread_polls_what_the_list_says() {
    let programs: [(&str, &[&str]); 5] = [
        ("tasks_zoo", &["spin"]),
        ("spawner", &["1", "multi", "spin"]),
        ("spawner", &["40", "current", "spin"]),
        ("throng", &["50"]),
        ("smol_zoo", &["spin"]),
    ];
    for (name, args) in programs {
        for profile in PROFILES {
            let program = stopped(name, profile, args);
            let (told, listed) = (Runtimes::new(), Runtimes::new());
            let listing = listed.list(&program.stop);
            let mut polls = 0;
            for thread in &program.stop.threads {
                let expected = listing.running_on(thread.tid);
                match told.polled_by(&program.stop, thread.tid) {
                    Polling::Task(polled) => {
                        let task = listing.task(polled.key).expect("a task that is listed");
                        assert_eq!(Some(polled.key), expected, "{name} {profile:?} {}", thread.name);
                        assert_eq!((&polled.name, polled.kind), (&task.name, task.kind), "{name} {profile:?}");
                        polls += 1;
                    }
                    Polling::Nobody => assert_eq!(expected, None, "{name} {profile:?} {}", thread.name),
                    Polling::Unknown(why) => panic!("{name} {profile:?} {}: {why}", thread.name),
                }
            }
            let spins = args.contains(&"spin");
            assert!(!spins || polls > 0, "{name} {profile:?}: nobody spins");
        }
    }
}

#[test]
fn tasks_of_one_function_are_siblings() {
    for profile in PROFILES {
        let program = stopped("tasks_zoo", profile, &["spin"]);
        let runtimes = Runtimes::new();
        let listing = runtimes.list(&program.stop);
        let spinning = named(&listing.snapshot, "spin_outer");
        let tid = spinning.os_thread.expect("a thread");
        let polling = runtimes.polled_by(&program.stop, tid);
        let polled = polling.task().expect("a task that spins");
        assert_eq!(polled.runtime_id, Some(polled.key.id), "{profile:?}");
        assert!(polled.entry.contains("spin_outer::{async_fn_env#0}"), "{profile:?} {}", polled.entry);
    }
}
