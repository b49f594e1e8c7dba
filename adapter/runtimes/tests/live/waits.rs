//! What every kind of wait is on, who holds it, and what tasks hold, in each way that programs are built.

use weft_runtimes::{Listing, Runtimes};
use weft_tasks::{Hold, Polled, State, Task, TaskKey, Wait, WaitKind};

use crate::fixture::{Profile, Stopped, line_in, stopped};

pub(crate) const PROFILES: [Profile; 3] = [Profile::Debug, Profile::Release, Profile::Lto];

/// The zoo, stopped, and what is found in it.
pub(crate) struct Zoo {
    program: Stopped,
    listing: Listing,
    profile: Profile,
}

impl Zoo {
    pub(crate) fn new(profile: Profile, args: &[&str]) -> Self {
        let program = stopped("waits_zoo", profile, args);
        let listing = Runtimes::new().list(&program.stop);
        Self { program, listing, profile }
    }

    /// The tasks of that function: `sync::hold_mutex`.
    pub(crate) fn all(&self, name: &str) -> Vec<&Task> {
        let full = format!("waits_zoo::{name}");
        self.listing.snapshot.tasks.iter().filter(|task| *task.name == *full).collect()
    }

    pub(crate) fn task(&self, name: &str) -> &Task {
        let found = self.all(name);
        let [task] = found.as_slice() else { panic!("{:?}: {} tasks are called {name}", self.profile, found.len()) };
        task
    }

    pub(crate) fn name(&self, key: TaskKey) -> String {
        let task = self.listing.task(key).unwrap_or_else(|| panic!("no task {key:?}"));
        task.name.trim_start_matches("waits_zoo::").to_owned()
    }

    /// A text with names in the places of keys, and `LONG` for what is left of a timer.
    fn plain(&self, text: &str) -> String {
        let mut plain = text.to_owned();
        for task in &self.listing.snapshot.tasks {
            let key = format!("{{task:{:x}:{}}}", task.key.address, task.key.id);
            plain = plain.replace(&key, &self.name(task.key));
        }
        let words: Vec<&str> = plain.split(' ').collect();
        let mut left: Vec<&str> = Vec::new();
        let mut at = 0;
        while at < words.len() {
            if words.get(at + 1) == Some(&"min") {
                left.push(if words[at + 3].ends_with(',') { "LONG," } else { "LONG" });
                at += 4;
            } else {
                left.push(words[at]);
                at += 1;
            }
        }
        left.join(" ")
    }

    /// What the program said of itself.
    fn fact(&self, name: &str) -> String {
        let wanted = format!("{name}=");
        let mut words = self.program.said.split(' ');
        words.find_map(|word| word.strip_prefix(&wanted)).unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    pub(crate) fn wait(&self, name: &str) -> &Wait {
        let task = self.task(name);
        assert_eq!((task.state, &task.error), (State::Waiting, &None), "{:?} {name}", self.profile);
        task.waiting_on.as_ref().unwrap_or_else(|| panic!("{:?} {name} waits for nothing", self.profile))
    }

    fn check_wait(&self, name: &str, kind: WaitKind, text: &str, resource: &str, holders: &[&str]) {
        let wait = self.wait(name);
        let about = format!("{:?} {name}", self.profile);
        let resource_name = wait.resource.as_ref().map_or("", |resource| &resource.type_name);
        assert_eq!((wait.kind, &*self.plain(&wait.text), resource_name), (kind, text, resource), "{about}");
        let found: Vec<String> = wait.holders.iter().map(|key| self.name(*key)).collect();
        assert_eq!(found, holders, "{about}");
        assert_eq!(self.task(name).location.as_ref().map(|at| at.line), at(name), "{about}");
    }

    /// Everything that a task holds: how, of which type, in which function at which marker, polled or not.
    pub(crate) fn check_holds(&self, name: &str, expected: &[(Hold, &str, &str, &str, Polled)]) {
        let module = name.split("::").next().expect("a module");
        let expected: Vec<_> = expected
            .iter()
            .map(|(how, resource, function, marker, polled)| {
                let line = line_in("waits_zoo", &format!("{module}.rs"), marker);
                (*how, (*resource).to_owned(), format!("waits_zoo::{module}::{function}"), Some(line), *polled)
            })
            .collect();
        let held = self.task(name).holds.iter().map(|held| {
            let line = held.location.as_ref().map(|location| location.line);
            (held.how, held.resource.type_name.to_string(), held.frame.to_string(), line, held.polled)
        });
        assert_eq!(held.collect::<Vec<_>>(), expected, "{:?} {name}", self.profile);
    }
}

/// The line where a task of that function awaits, if its function has a marker.
fn at(name: &str) -> Option<u32> {
    let (module, function) = name.split_once("::").expect("a module");
    let marker = match function {
        // All made by one macro.
        _ if function.starts_with("for_") && function != "for_permit" => "waiter",
        "init_cell" => "slowly",
        _ => function,
    };
    Some(line_in("waits_zoo", &format!("{module}.rs"), marker))
}

#[test]
fn locks_and_counts_name_their_queue_and_holders() {
    use WaitKind::{Barrier, Mutex, RwLock, Semaphore};
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        for (name, kind, text, resource, holders) in [
            ("first_in_queue", Mutex, "lock Mutex<Db>, 1st of 2 in the queue", "Mutex<Db>", &["sync::hold_mutex"][..]),
            ("second_in_queue", Mutex, "lock Mutex<Db>, 2nd of 2 in the queue", "Mutex<Db>", &["sync::hold_mutex"]),
            (
                "wait_write",
                RwLock,
                "write RwLock<String>, 1st of 2 in the queue",
                "RwLock<String>",
                &["sync::hold_read", "sync::hold_read_owned"],
            ),
            (
                "wait_read_behind",
                RwLock,
                "read RwLock<String>, 2nd of 2 in the queue",
                "RwLock<String>",
                &["sync::hold_read", "sync::hold_read_owned"],
            ),
            ("wait_read", RwLock, "read RwLock<u64>, 1st of 1 in the queue", "RwLock<u64>", &["sync::hold_write"]),
            (
                "wait_permits",
                Semaphore,
                "2 permits of Semaphore, 1st of 2 in the queue",
                "Semaphore",
                &["sync::hold_permits"],
            ),
            (
                "wait_permit_owned",
                Semaphore,
                "permit of Semaphore, 2nd of 2 in the queue",
                "Semaphore",
                &["sync::hold_permits"],
            ),
            (
                "wait_cell",
                Semaphore,
                "OnceCell<u32> to be set, 1st of 1 in the queue",
                "OnceCell<u32>",
                &["sync::init_cell"],
            ),
            ("wait_barrier", Barrier, "barrier, 1 of 3 arrived", "Barrier", &[]),
        ] {
            let held_by =
                if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(" and ")) };
            zoo.check_wait(&format!("sync::{name}"), kind, &format!("{text}{held_by}"), resource, holders);
        }
        for (name, how, resource) in [
            ("hold_mutex", Hold::Lock, "Mutex<Db>"),
            ("hold_read", Hold::Read, "RwLock<String>"),
            ("hold_read_owned", Hold::Read, "RwLock<String>"),
            ("hold_write", Hold::Lock, "RwLock<u64>"),
            ("hold_permits", Hold::Permits(3), "Semaphore"),
        ] {
            zoo.check_holds(&format!("sync::{name}"), &[(how, resource, name, name, Polled::Active)]);
        }
        let waits = ["first_in_queue", "second_in_queue"].map(|name| zoo.wait(&format!("sync::{name}")));
        let held = &zoo.task("sync::hold_mutex").holds[0].resource;
        assert!(waits.iter().all(|wait| wait.resource.as_ref() == Some(held)), "{profile:?}: one id for both sides");
    }
}

#[test]
fn channels_name_their_other_side() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        for (name, text, resource, holders) in [
            (
                "wait_send",
                "room in mpsc::channel<u8>, capacity 2, 1st of 2 in the queue",
                "mpsc::channel<u8>",
                &["sync::hold_receiver"][..],
            ),
            (
                "wait_reserve",
                "room in mpsc::channel<u8>, capacity 2, 2nd of 2 in the queue",
                "mpsc::channel<u8>",
                &["sync::hold_receiver"],
            ),
            (
                "wait_receive",
                "receive from mpsc::channel<String>, capacity 4, 2 senders",
                "mpsc::channel<String>",
                &["sync::hold_sender", "sync::hold_sender_too"],
            ),
            (
                "wait_unbounded",
                "receive from mpsc::unbounded_channel<u32>, 1 sender",
                "mpsc::unbounded_channel<u32>",
                &[],
            ),
            ("wait_oneshot", "receive from oneshot::channel<u8>", "oneshot::channel<u8>", &["sync::hold_oneshot"]),
            ("wait_oneshot_closed", "Sender::closed of oneshot::channel<u8>", "oneshot::channel<u8>", &[]),
            ("wait_broadcast", "receive from broadcast::channel<u16>, 1 sender", "broadcast::channel<u16>", &[]),
            ("wait_watch", "change of watch::channel<u32>, 1 sender", "watch::channel<u32>", &[]),
        ] {
            zoo.check_wait(&format!("sync::{name}"), WaitKind::Channel, text, resource, holders);
        }
        for (name, how, resource) in [
            ("hold_receiver", Hold::Receiver, "mpsc::channel<u8>"),
            ("wait_send", Hold::Sender, "mpsc::channel<u8>"),
            ("hold_sender", Hold::Sender, "mpsc::channel<String>"),
            ("wait_unbounded", Hold::Receiver, "mpsc::unbounded_channel<u32>"),
            ("hold_oneshot", Hold::Sender, "oneshot::channel<u8>"),
            ("wait_broadcast", Hold::Receiver, "broadcast::channel<u16>"),
            ("wait_watch", Hold::Receiver, "watch::channel<u32>"),
        ] {
            zoo.check_holds(&format!("sync::{name}"), &[(how, resource, name, name, Polled::Active)]);
        }
        zoo.check_wait("sync::wait_notify", WaitKind::Notify, "notify", "Notify", &[]);
        let cancelled = "cancellation of CancellationToken";
        zoo.check_wait("sync::wait_cancellation", WaitKind::Notify, cancelled, "CancellationToken", &[]);
    }
}

#[test]
fn guards_are_found_wherever_a_task_has_them() {
    use Polled::{Active, Left};
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        for (holder, waiter, function, marker, polled) in [
            ("owned", "for_owned", "owned", "owned", Active),
            ("vector", "for_vector", "vector", "vector", Active),
            ("boxed", "for_boxed", "boxed", "boxed", Active),
            ("kept", "for_kept", "inner", "inner", Left),
            ("selected", "for_selected", "inner", "inner", Active),
            ("unordered", "for_unordered", "inner", "inner", Left),
            ("captured", "for_captured", "captured", "captured_awaits", Active),
            ("all {async block}", "for_handed", "all {async block}", "captured_block", Active),
        ] {
            zoo.check_holds(&format!("holders::{holder}"), &[(Hold::Lock, "Mutex<Db>", function, marker, polled)]);
            let text = format!("lock Mutex<Db>, 1st of 1 in the queue, held by holders::{holder}");
            let holders = [&*format!("holders::{holder}")];
            zoo.check_wait(&format!("holders::{waiter}"), WaitKind::Mutex, &text, "Mutex<Db>", &holders);
        }
        zoo.check_holds("holders::mapped", &[(Hold::Lock, "Mutex<u32>", "mapped", "mapped", Active)]);
        let permits = zoo.all("holders::permit_argument");
        assert_eq!(permits.len(), 2);
        assert!(permits.iter().all(|task| task.holds.len() == 1 && task.holds[0].how == Hold::Permits(1)));
        assert_eq!(zoo.wait("holders::for_permit").holders.len(), 2);
    }
}

/// The bytes of a guard outlive it.
#[test]
fn a_guard_that_is_gone_holds_nothing() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        for gone in ["gone", "gone_moved", "free"] {
            zoo.check_holds(&format!("holders::{gone}"), &[]);
        }
        let named = &zoo.wait("holders::for_gone_one").holders;
        assert!(named.iter().all(|key| zoo.name(*key) == "holders::still_held"), "{profile:?}: {named:?}");
    }
}

#[test]
fn timers_and_tasks_are_named() {
    use WaitKind::{BlockingJob, Group, Join, Mutex, Select, Sleep};
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        for (name, kind, text) in [
            ("wait_sleep", Sleep, "sleep, LONG left"),
            ("wait_interval", Sleep, "Interval::tick, LONG left"),
            ("wait_join", Join, "join waits_zoo::time::wait_sleep"),
            ("wait_job", BlockingJob, "join waits_zoo::time::all {closure}"),
        ] {
            zoo.check_wait(&format!("time::{name}"), kind, text, "", &[]);
        }
        let left = |name: &str| zoo.wait(&format!("time::{name}")).remaining_ms.expect("a timer");
        assert!((3_300_000..=3_600_000).contains(&left("wait_sleep")), "{profile:?}");
        assert!((6_900_000..=7_200_000).contains(&left("wait_until")), "{profile:?}");
        let timed = zoo.wait("time::wait_timeout");
        assert_eq!((timed.kind, timed.holders.as_slice()), (Mutex, &[zoo.task("time::wait_timeout").key][..]));
        assert!(timed.remaining_ms.is_some());
        assert_eq!(zoo.wait("time::wait_join").tasks, [zoo.task("time::wait_sleep").key]);
        assert_eq!(zoo.wait("time::wait_job").tasks, [zoo.task("time::all {closure}").key]);
        for (name, kind, branches) in [
            ("wait_select", Select, [Sleep, WaitKind::Channel]),
            ("wait_join_macro", Group, [Sleep, Sleep]),
            ("wait_join_set", Group, [Join, Join]),
        ] {
            let wait = zoo.wait(&format!("time::{name}"));
            let found: Vec<WaitKind> = wait.branches.iter().map(|branch| branch.kind).collect();
            assert_eq!((wait.kind, found), (kind, branches.to_vec()), "{profile:?} {name}");
        }
    }
}

#[test]
fn descriptors_have_their_other_end() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &[]);
        let fact = |name| Some(zoo.fact(name));
        for (name, called, peer, local) in [
            ("wait_tcp_read", "read", fact("tcp"), None),
            ("wait_tcp_write", "write_all", fact("tcp"), None),
            ("wait_line", "lines", fact("tcp"), None),
            ("wait_readable", "TcpStream::readable", fact("tcp"), None),
            ("wait_accept", "TcpListener::accept", None, fact("tcp")),
            ("wait_tcp6", "read", fact("tcp6"), None),
            ("wait_udp", "UdpSocket::recv_from", None, fact("udp")),
            ("wait_udp_connected", "UdpSocket::recv", fact("tcp"), None),
            ("wait_unix_read", "read", fact("unix"), None),
            ("wait_unix_accept", "UnixListener::accept", None, fact("unix")),
            ("wait_pipe", "read", None, None),
            ("wait_output", "read_to_string", None, None),
        ] {
            let name = format!("io::{name}");
            let wait = zoo.wait(&name);
            let fd = wait.fd.unwrap_or_else(|| panic!("{profile:?} {name}: {wait:?}"));
            let link = std::fs::read_link(format!("/proc/{}/fd/{fd}", zoo.program.stop.pid)).expect("a descriptor");
            let is_socket = peer.is_some() || local.is_some();
            assert_eq!(link.to_string_lossy().starts_with("socket:"), is_socket, "{profile:?} {name}: {link:?}");
            assert_eq!(wait.peer.as_deref(), peer.as_deref(), "{profile:?} {name}");
            let ends = peer.map(|peer| format!(", peer {peer}")).or_else(|| local.map(|local| format!(", on {local}")));
            let text = format!("{called}, fd {fd}{}", ends.unwrap_or_default());
            zoo.check_wait(&name, WaitKind::Io, &text, "", &[]);
        }
        let child = format!("Child::wait, process {}", zoo.fact("child"));
        zoo.check_wait("io::wait_process", WaitKind::Process, &child, "", &[]);
        zoo.check_wait("io::wait_signal", WaitKind::Notify, "Signal::recv", "", &[]);
        zoo.check_wait("io::wait_ctrl_c", WaitKind::Notify, "ctrl_c", "", &[]);
        let root = zoo.task("zoo").waiting_on.as_ref().expect("a wait");
        assert_eq!((root.kind, &*root.text), (WaitKind::Io, "read_to_end of stdin"), "{profile:?}");
    }
}

#[test]
fn guards_of_blocking_locks_are_found_over_awaits_and_on_stacks() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &["blocked"]);
        let waiting = zoo.all("blocked::Unchecked");
        let held: Vec<_> = waiting
            .iter()
            .flat_map(|task| &task.holds)
            .map(|held| (held.how, &*held.resource.type_name, &*held.frame, held.location.as_ref().map(|at| at.line)))
            .collect();
        let expected =
            [("RwLock<u32>", "hold_std_write"), ("Mutex<u32>", "hold_parking_lot")].map(|(lock, function)| {
                let line = line_in("waits_zoo", "blocked.rs", function);
                (Hold::BlockingLock, lock, format!("waits_zoo::blocked::{function} {{async block}}"), Some(line))
            });
        let expected: Vec<_> = expected.iter().map(|(how, lock, at, line)| (*how, *lock, at.as_str(), *line)).collect();
        assert_eq!(held, expected, "{profile:?}");
        // Optimised code keeps no place for a variable that is not used before the end of its scope.
        if profile == Profile::Debug {
            let (name, marker) = ("blocked::hold_std_mutex", "hold_std_mutex");
            zoo.check_holds(name, &[(Hold::BlockingLock, "Mutex<u32>", marker, marker, Polled::Active)]);
        }
    }
}
