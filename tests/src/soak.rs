//! Random steps through a server under load: none may end in another task than it began in, none may hang, and the server's
//! clients must be answered as if nobody debugged it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::mini_redis::{self, Redis};
use crate::session::{list, text};
use crate::{Client, Frame, Launch, Port, Stop};

/// Clients of the server, each on a connection of its own.
const CLIENTS: u64 = 4;

/// Requests on one connection; then the client comes back on a new one, so that tasks end and others begin.
const REQUESTS: u64 = 25;

/// How long a step may take. The clients ask without a pause, so whatever a connection waits for comes at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines of a stack that are looked at for the task's label.
const LEVELS: i64 = 60;

/// A line that each request comes by.
const BUSY: &str = "let cmd = Command::from_frame(frame)?;";

/// How long a step is let that nothing ends. Short: what follows is as good a test, and much of the soak would be such waits.
const GLANCE: Duration = Duration::from_millis(100);

/// Polled only when a key expires or the server ends, and the clients do neither.
const IDLE: &str = "mini_redis::db::purge_expired_tasks";

/// Functions that await what does not come before the server ends, and the one that loops until then.
const LASTING: [&str; 2] = ["mini_redis_server::main", "mini_redis::server::run"];
const LOOPING: &str = "mini_redis::server::Listener::run";

/// Where numbers of tasks begin among those of threads.
const FIRST_TASK: i64 = 1 << 30;

/// What came of the steps.
#[derive(Clone, Debug, Default)]
pub struct Soak {
    /// The generator's first state.
    pub seed: u64,
    /// Steps that were taken.
    pub steps: usize,
    /// Those that ended on another line of the same task, and by what else the others did.
    pub ends: BTreeMap<&'static str, usize>,
    /// Tasks that were stepped.
    pub tasks: usize,
    /// Requests that the clients had answered.
    pub served: u64,
}

/// Takes so many steps, calling `tell` after each.
///
/// # Panics
/// If a step ends in the wrong task or never, or if a client is answered wrongly.
pub fn run(steps: usize, seed: u64, mut tell: impl FnMut(&Soak)) -> Soak {
    let port = Arc::new(Port::claim());
    let mut client = Client::weft();
    client.launch(&mini_redis::server(), &["--port", &port.number().to_string()], &Launch::default());
    let load = Load::start(&port);
    let mut walker = Walker::new(client, seed);
    while walker.soak.steps < steps {
        walker.deed();
        walker.soak.served = load.served.load(Ordering::Relaxed);
        tell(&walker.soak);
    }
    let Walker { mut client, stop, mut soak, .. } = walker;
    client.set_breakpoints(&mini_redis::source("src/server.rs"), &[]);
    client.resume(stop.thread);
    soak.served = load.end();
    client.pause();
    client.disconnect();
    soak
}

struct Load {
    served: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(port: &Arc<Port>) -> Self {
        let (served, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let one = |number| {
            let (port, served, ends) = (port.clone(), served.clone(), ends.clone());
            thread::spawn(move || ask(&port, number, &served, &ends))
        };
        let clients = (0..CLIENTS).map(one).collect();
        Self { served, ends, clients }
    }

    /// Lets the clients come to their end, and gives the number of requests that were answered right.
    fn end(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("every client was answered right");
        }
        self.served.load(Ordering::Relaxed)
    }
}

/// Sets a key of its own and asks for it, again and again.
fn ask(port: &Port, number: u64, served: &AtomicU64, ends: &AtomicBool) {
    let key = format!("key {number}");
    let mut value = 0;
    while !ends.load(Ordering::Relaxed) {
        let mut redis = Redis::connect(port);
        for _ in 0..REQUESTS {
            value += 1;
            let text = format!("{number} {value}");
            redis.send(&["SET", &key, &text]);
            assert_eq!(redis.receive(), "+OK", "client {number}, value {value}");
            redis.send(&["GET", &key]);
            assert_eq!(redis.receive(), text, "client {number}");
            served.fetch_add(2, Ordering::Relaxed);
        }
    }
}

struct Walker {
    client: Client,
    stop: Stop,
    random: u64,
    breaks: bool,
    seen: BTreeSet<i64>,
    soak: Soak,
}

impl Walker {
    fn new(mut client: Client, seed: u64) -> Self {
        let line = mini_redis::line("src/server.rs", BUSY);
        client.set_breakpoints(&mini_redis::source("src/server.rs"), &[line]);
        let stop = client.stopped();
        let soak = Soak { seed, ..Soak::default() };
        Self { client, stop, random: seed | 1, breaks: true, seen: BTreeSet::new(), soak }
    }

    /// A number below `end` (xorshift).
    fn any(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % end as u64).unwrap_or(0)
    }

    /// One thing that a user may do.
    fn deed(&mut self) {
        match self.any(20) {
            0 => self.set_breaks(),
            1 => self.anew(),
            2 => {
                self.client.resume(self.stop.thread);
                self.stop = self.client.pause_or_stop();
            }
            3..6 => {
                let thread = self.any_task();
                self.step(thread);
            }
            _ => self.step(self.stop.thread),
        }
    }

    /// Sets the breakpoint, or takes it away.
    fn set_breaks(&mut self) {
        self.breaks = !self.breaks;
        let line = mini_redis::line("src/server.rs", BUSY);
        let lines: &[i64] = if self.breaks { &[line] } else { &[] };
        self.client.set_breakpoints(&mini_redis::source("src/server.rs"), lines);
    }

    /// To the breakpoint.
    fn anew(&mut self) {
        if !self.breaks {
            self.set_breaks();
        }
        self.stop = self.client.resume_to_stop(self.stop.thread);
    }

    /// A task's own thread id, seldom the idle one's.
    fn any_task(&mut self) -> i64 {
        let is_wanted = self.any(5) == 0;
        let tasks = self.client.async_tasks();
        let tasks = list(&tasks["tasks"]).filter(|task| is_wanted || task["name"] != IDLE);
        let threads: Vec<i64> = tasks.filter_map(|task| task["threadId"].as_i64()).collect();
        let index = self.any(threads.len().max(1));
        threads.get(index).copied().unwrap_or(self.stop.thread)
    }

    fn step(&mut self, thread: i64) {
        let how = ["next", "next", "stepIn", "stepOut"][self.any(4)];
        let from = self.place(thread);
        if self.client.request(how, json!({"threadId": thread})).is_err() {
            // Nothing of the user's is there.
            return self.anew();
        }
        self.soak.steps += 1;
        self.seen.extend(from.task);
        self.soak.tasks = self.seen.len();
        let patience = if from.keeps(how) { GLANCE } else { PATIENCE };
        let end = match self.client.stop_within(patience) {
            Some(stop) => self.ended(how, &from, stop),
            None => self.interrupted(how, &from),
        };
        *self.soak.ends.entry(end).or_default() += 1;
    }

    fn ended(&mut self, how: &str, from: &Place, stop: Stop) -> &'static str {
        self.stop = stop;
        if self.stop.reason != "step" {
            return "a breakpoint";
        }
        // What has become of the coroutine is told where the step goes on in whoever awaited it.
        if self.stop.body["description"].is_string() {
            return "the end of a coroutine";
        }
        let now = self.place(self.stop.thread);
        let Soak { seed, steps, .. } = self.soak;
        let is_same = from.task.is_none() || now.task == from.task;
        assert!(is_same, "seed {seed}, step {steps}: {how} from {from:?} ended at {now:?}: {:?}", self.stop);
        "a line"
    }

    /// A step that does not end: only where nothing happens. The pause says what it has interrupted, and what was stepped is still
    /// there.
    fn interrupted(&mut self, how: &str, from: &Place) -> &'static str {
        let Soak { seed, steps, .. } = self.soak;
        assert!(from.keeps(how), "seed {seed}, step {steps}: {how} from {from:?} does not end");
        self.stop = self.client.pause_or_stop();
        if self.stop.reason != "pause" {
            return "a breakpoint";
        }
        let said = text(&self.stop.body["description"]);
        assert!(said.starts_with("pause; the step") && said.ends_with("was interrupted"), "{:?}", self.stop);
        // A thread that drives a future of its own has nothing else to show.
        let Some(number) = from.task else { return "a pause" };
        let tasks = self.client.async_tasks();
        let task = list(&tasks["tasks"]).find(|task| task["id"] == number).expect("a task that cannot end");
        if task["state"] == "running" {
            // On its way to what was stepped, or back: the thread's stack has it only while it is there.
            return "a pause";
        }
        let stack = self.client.stack(task["threadId"].as_i64().expect("a number"));
        let is_there = |frame: &Frame| frame.name == from.function && (how == "stepOut" || frame.line == from.line);
        assert!(stack.iter().any(is_there), "seed {seed}, step {steps}: {how} from {from:?} went on unseen: {stack:?}");
        "a pause"
    }

    /// Where a thread or task is.
    fn place(&mut self, thread: i64) -> Place {
        let body = self.client.ask("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": LEVELS}));
        let hint = |frame: &&Value, hint: Value| frame["presentationHint"] == hint;
        let label = list(&body["stackFrames"]).find(|frame| hint(frame, json!("label")));
        let users = list(&body["stackFrames"]).find(|frame| hint(frame, Value::Null));
        // `task 12 serve`
        let number = || label?["name"].as_str()?.split(' ').nth(1)?.parse().ok();
        Place {
            task: if thread >= FIRST_TASK { Some(thread - FIRST_TASK) } else { number() },
            function: users.map_or_else(String::new, |frame| text(&frame["name"])),
            line: users.and_then(|frame| frame["line"].as_i64()).unwrap_or(0),
        }
    }
}

/// Where something is to be stepped, or has got.
#[derive(Debug)]
struct Place {
    /// The task's number, if a task is there.
    task: Option<i64>,
    /// The innermost function of the user's.
    function: String,
    line: i64,
}

impl Place {
    /// Whether nothing ends a step from here.
    fn keeps(&self, how: &str) -> bool {
        let function = self.function.as_str();
        function == IDLE || LASTING.contains(&function) || (function == LOOPING && how == "stepOut")
    }
}
