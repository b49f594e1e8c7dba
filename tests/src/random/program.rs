//! The source of a random program.
//!
//! Each statement is a line that first writes down its number and which coroutine executes it, and then does something. Only
//! `std` is called for that, so that a step into the line goes into what it awaits.

use super::Random;

/// Functions; each calls only later ones, so that every program ends.
const FUNCTIONS: usize = 6;

/// Loops and branches within each other.
const DEEPEST: usize = 2;

/// Tasks that run the first function at the same time. They pass `TASKS` and their number as their parent.
pub(super) const SIBLINGS: u32 = 4;

/// Where the parents' numbers of those begin.
pub(super) const TASKS: u32 = 1_000_000;

/// Added to the parent's number of what is spawned, and so no part of its task.
pub(super) const SPAWNED: u32 = 1 << 24;

/// What a line that begins no coroutine writes for its parent.
pub(super) const NONE: u32 = u32::MAX;

/// Statics that nobody uses, to take debug registers.
pub(super) const SPARE: [&str; 4] = ["SPARE_0", "SPARE_1", "SPARE_2", "SPARE_3"];

const HEAD: &str = "\
#![allow(unused)]
use futures_util::{FutureExt, StreamExt};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{sleep, timeout};
static RECORD: Mutex<Vec<[u32; 3]>> = Mutex::new(Vec::new());
static NEXT: AtomicU32 = AtomicU32::new(1);
static LOCK: tokio::sync::Mutex<u32> = tokio::sync::Mutex::const_new(1);
static SPARE_0: AtomicU32 = AtomicU32::new(0);
static SPARE_1: AtomicU32 = AtomicU32::new(0);
static SPARE_2: AtomicU32 = AtomicU32::new(0);
static SPARE_3: AtomicU32 = AtomicU32::new(0);
struct W(u32);
type Boxed = Pin<Box<dyn Future<Output = u32> + Send>>;
";

/// How a function is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Method,
    /// A function that makes a box.
    Maker,
}

struct Writer {
    random: Random,
    text: String,
    kinds: [Kind; FUNCTIONS],
    /// Names that were given to blocks, tasks and streams.
    names: usize,
}

/// Where a statement stands.
#[derive(Clone, Copy)]
struct At<'a> {
    indent: usize,
    /// The variable with the coroutine's number.
    me: &'a str,
    /// The function.
    level: usize,
    /// Loops and branches around it.
    depth: usize,
}

impl At<'_> {
    fn inner(self) -> Self {
        Self { indent: self.indent + 1, depth: self.depth + 1, ..self }
    }
}

/// The program of a seed.
pub(super) fn text(seed: u64) -> String {
    let mut random = Random(seed);
    let mut kinds = [Kind::Function; FUNCTIONS];
    for kind in kinds.iter_mut().skip(1) {
        *kind = random.one_of(&[Kind::Function, Kind::Function, Kind::Method, Kind::Maker]);
    }
    let mut writer = Writer { random, text: HEAD.to_owned(), kinds, names: 0 };
    for level in 0..FUNCTIONS {
        writer.function(level);
    }
    writer.main();
    writer.text
}

/// What a line does before anything else.
fn note(me: &str) -> String {
    format!("RECORD.lock().unwrap().push([line!(), {me}, {NONE}]);")
}

impl Writer {
    fn put(&mut self, indent: usize, line: &str) {
        self.text.push_str(&"    ".repeat(indent));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}", self.names)
    }

    fn enter(&mut self, indent: usize, me: &str, parent: &str) {
        let line =
            format!("let {me} = NEXT.fetch_add(1, Relaxed); RECORD.lock().unwrap().push([line!(), {me}, {parent}]);");
        self.put(indent, &line);
    }

    fn function(&mut self, level: usize) {
        let (open, close, start) = match self.kinds[level] {
            Kind::Function => (vec![format!("async fn f{level}(parent: u32, n: u32) -> u32 {{")], vec!["}"], "n"),
            Kind::Method => {
                let open = vec!["impl W {".to_owned(), format!("async fn f{level}(&self, parent: u32) -> u32 {{")];
                (open, vec!["}", "}"], "self.0")
            }
            Kind::Maker => {
                let open =
                    vec![format!("fn f{level}(parent: u32, n: u32) -> Boxed {{"), "Box::pin(async move {".to_owned()];
                (open, vec!["})", "}"], "n")
            }
        };
        let at = At { indent: open.len(), me: "me", level, depth: 0 };
        for (indent, line) in open.iter().enumerate() {
            self.put(indent, line);
        }
        self.enter(at.indent, "me", "parent");
        self.put(at.indent, &format!("let mut x = {start};"));
        let count = if level == 0 { 7 } else { 2 + self.random.below(3) };
        self.statements(at, count);
        self.put(at.indent, &format!("{} x", note("me")));
        for (indent, line) in close.iter().enumerate() {
            self.put(close.len() - 1 - indent, line);
        }
    }

    fn main(&mut self) {
        let kind =
            self.random.one_of(&["new_multi_thread().worker_threads(4)", "new_multi_thread()", "new_current_thread()"]);
        self.put(0, "fn main() {");
        self.put(1, &format!("tokio::runtime::Builder::{kind}.enable_all().build().unwrap().block_on(async {{"));
        self.put(
            2,
            &format!("let handles: Vec<_> = (0..{SIBLINGS}).map(|i| tokio::spawn(f0({TASKS} + i, 1))).collect();"),
        );
        self.put(2, "for handle in handles { handle.await.unwrap(); }");
        self.put(1, "});");
        let spare = SPARE.map(|name| format!("{name}.load(Relaxed)")).join(", ");
        self.put(1, &format!("black_box(({spare}));"));
        self.put(1, "let record = RECORD.lock().unwrap().iter().map(|[l, m, p]| format!(\"{l} {m} {p}\\n\")).collect::<String>();");
        self.put(1, "print!(\"{record}END\\n\");");
        self.put(0, "}");
    }

    /// A future that gives a number, of a later function than that of `level`.
    fn call(&mut self, me: &str, level: usize) -> String {
        let callee = level + 1 + self.random.below(FUNCTIONS - level - 1);
        let number = self.random.below(4);
        let call = match self.kinds[callee] {
            Kind::Method => format!("W({number}).f{callee}({me})"),
            Kind::Function | Kind::Maker => format!("f{callee}({me}, {number})"),
        };
        match self.random.below(10) {
            0..6 => call,
            6 => format!("Box::pin({call})"),
            7 => format!("timeout(Duration::from_secs(50), {call}).map(|r| r.unwrap())"),
            8 => format!("{call}.map(|v| v + 1)"),
            _ => format!("tokio::task::unconstrained({call})"),
        }
    }

    fn statements(&mut self, at: At<'_>, count: usize) {
        for _ in 0..count {
            self.statement(at);
        }
    }

    fn statement(&mut self, at: At<'_>) {
        let kind = self.random.below(if at.level + 1 == FUNCTIONS { 8 } else { 28 });
        match kind {
            14 | 15 if at.depth < DEEPEST => self.repeated(at),
            16 | 17 if at.depth < DEEPEST => self.matched(at),
            18 | 19 if at.depth < DEEPEST => self.chosen(at),
            20 | 21 => self.block(at),
            22 => self.joined(at),
            23 | 24 if at.depth < DEEPEST => self.selected(at),
            25 => self.spawned(at),
            26 if at.depth < DEEPEST => self.stream(at),
            27 => self.limited(at),
            8.. => {
                let line = format!("{} x += {}.await;", note(at.me), self.call(at.me, at.level));
                self.put(at.indent, &line);
            }
            _ => self.plain(at),
        }
    }

    fn plain(&mut self, at: At<'_>) {
        let what = match self.random.below(6) {
            0 => "x = x.wrapping_add(1);".to_owned(),
            1 => "black_box(&mut x);".to_owned(),
            2 => "tokio::task::yield_now().await;".to_owned(),
            3 => format!("sleep(Duration::from_millis({})).await;", self.random.below(3)),
            4 => "x += std::future::ready(1).await;".to_owned(),
            _ => "let guard = LOCK.lock().await; x += *guard; drop(guard);".to_owned(),
        };
        self.put(at.indent, &format!("{} {what}", note(at.me)));
    }

    fn repeated(&mut self, at: At<'_>) {
        let times = 1 + self.random.below(2);
        self.put(at.indent, &format!("for _ in 0..{times} {{"));
        let count = 1 + self.random.below(2);
        self.statements(at.inner(), count);
        self.put(at.indent, "}");
    }

    fn matched(&mut self, at: At<'_>) {
        let call = self.call(at.me, at.level);
        self.put(at.indent, &format!("match {{ {} {call}.await % 2 }} {{", note(at.me)));
        for arm in ["0 => {", "_ => {"] {
            self.put(at.indent + 1, arm);
            self.statements(At { indent: at.indent + 2, ..at.inner() }, 1);
            self.put(at.indent + 1, "}");
        }
        self.put(at.indent, "}");
    }

    fn chosen(&mut self, at: At<'_>) {
        let call = self.call(at.me, at.level);
        self.put(at.indent, &format!("if {{ {} {call}.await > 2 }} {{", note(at.me)));
        self.statements(at.inner(), 1);
        self.put(at.indent, "} else {");
        self.statements(at.inner(), 1);
        self.put(at.indent, "}");
    }

    fn block(&mut self, at: At<'_>) {
        let (block, me) = (self.name("block"), self.name("me"));
        self.put(at.indent, &format!("{} let {block} = async {{", note(at.me)));
        self.enter(at.indent + 1, &me, at.me);
        self.put(at.indent + 1, "let mut x = 0_u32;");
        let count = 1 + self.random.below(2);
        self.statements(At { me: &me, ..at.inner() }, count);
        self.put(at.indent + 1, &format!("{} x", note(&me)));
        self.put(at.indent, "};");
        self.put(at.indent, &format!("{} x += {block}.await;", note(at.me)));
    }

    fn joined(&mut self, at: At<'_>) {
        let (one, other) = (self.call(at.me, at.level), self.call(at.me, at.level));
        self.put(at.indent, &format!("{} let (p, q) = tokio::join!({one}, {other}); x += p + q;", note(at.me)));
    }

    fn selected(&mut self, at: At<'_>) {
        let (call, most) = (self.call(at.me, at.level), 1 + self.random.below(3));
        self.put(at.indent, "tokio::select! {");
        self.put(at.indent + 1, &format!("v = {call} => {{"));
        self.put(at.indent + 2, &format!("{} x += v;", note(at.me)));
        self.put(at.indent + 1, "}");
        self.put(at.indent + 1, &format!("_ = sleep(Duration::from_millis({most})) => {{"));
        self.put(at.indent + 2, &format!("{} x += 1;", note(at.me)));
        self.put(at.indent + 1, "}");
        self.put(at.indent, "}");
    }

    fn spawned(&mut self, at: At<'_>) {
        let handle = self.name("handle");
        let call = self.call(&format!("{} + {SPAWNED}", at.me), at.level);
        self.put(at.indent, &format!("{} let {handle} = tokio::spawn({call});", note(at.me)));
        self.plain(at);
        self.put(at.indent, &format!("{} x += {handle}.await.unwrap();", note(at.me)));
    }

    fn stream(&mut self, at: At<'_>) {
        let stream = self.name("stream");
        let next = "|n| async move { if n < 2 { tokio::task::yield_now().await; Some((n, n + 1)) } else { None } }";
        let made = format!("std::pin::pin!(futures_util::stream::unfold(0, {next}))");
        self.put(at.indent, &format!("{} let mut {stream} = {made};", note(at.me)));
        self.put(at.indent, &format!("while let Some(v) = {{ {} {stream}.next().await }} {{", note(at.me)));
        self.put(at.indent + 1, &format!("{} x += v;", note(at.me)));
        self.put(at.indent, "}");
    }

    /// Cancelled when it takes long.
    fn limited(&mut self, at: At<'_>) {
        let (result, call, most) = (self.name("result"), self.call(at.me, at.level), 1 + self.random.below(2));
        let limit = format!("timeout(Duration::from_millis({most}), {call})");
        self.put(at.indent, &format!("{} let {result} = {limit}.await;", note(at.me)));
        self.put(at.indent, &format!("{} x += {result}.unwrap_or(7);", note(at.me)));
    }
}
