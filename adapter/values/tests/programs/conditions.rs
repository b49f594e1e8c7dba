//! Values that conditions ask for, in every kind of place. Each `stop!` is a breakpoint compiled in.
#![allow(unused_variables, dead_code)]

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

macro_rules! stop {
    () => {
        unsafe { std::arch::asm!("int3", "nop") }
    };
}

static HITS: AtomicU64 = AtomicU64::new(3);
static LIMITS: (u32, bool) = (10, true);

#[derive(Clone, Copy, PartialEq)]
enum State {
    Idle,
    Busy = 5,
    Gone = -2,
}

enum Event {
    Nothing,
    Key(char),
    Move { x: i32, y: i32 },
}

struct Inner {
    depth: u16,
    ratio: f32,
}

struct Worker<'a> {
    id: u64,
    name: String,
    label: &'a str,
    inner: Box<Inner>,
    shared: Rc<Inner>,
    state: State,
    next: Option<&'a Worker<'a>>,
}

impl Worker<'_> {
    #[inline(never)]
    fn work(&mut self, step: i32, flag: bool) -> i32 {
        let local = step * 2;
        let wide = i128::from(step);
        stop!();
        black_box((&self.id, local, wide, flag));
        local
    }
}

#[inline(never)]
fn locals(seed: u8) {
    let (a, b, c) = (seed, i16::from(seed) - 10, u32::from(seed) << 8);
    let (d, e, f) = (i64::MIN, u64::MAX, usize::from(seed));
    let (yes, letter, half, third) = (seed > 2, 'é', 0.5_f32, -0.25_f64);
    let state = if seed == 3 { State::Gone } else { State::Busy };
    let event = Event::Key('k');
    let moved = Event::Move { x: 1, y: 2 };
    let (some, none) = (Some(7_u32), None::<u32>);
    let (boxed, empty) = (Some(Box::new(1_u8)), None::<Box<u8>>);
    let text = String::from("text");
    let slice = "slice";
    let list = vec![1_u8, 2, 3];
    let pointer: *const u32 = &c;
    let null: *const u8 = std::ptr::null();
    let nested = &&a;
    let bytes = b"raw";
    let array = [-10_i16, -20, -30];
    let rows = vec![(1_u32, State::Busy), (2, State::Gone)];
    let refs = [&rows[0], &rows[1]];
    let words = ["one", "two"];
    let optional = [None, Some(6_u8)];
    stop!();
    black_box((a, b, c, d, e, f, yes, letter, half, third, state, &event, &moved, some, none));
    black_box((&array, &rows, &refs, &words, &optional));
    black_box((&boxed, &empty, &text, slice, &list, pointer, null, nested, bytes));
}

#[inline(always)]
fn inlined(left: u32, right: u32) -> u32 {
    let sum = left + right;
    stop!();
    black_box(sum)
}

#[inline(never)]
fn hidden(value: u32) -> u32 {
    let value = value + 1;
    let value = u64::from(value) * 2;
    stop!();
    black_box(value) as u32
}

#[inline(never)]
fn captures(limit: u32) {
    let name = String::from("cap");
    let mut count = 1_u32;
    let mut add = |by: u32| {
        count += by;
        stop!();
        black_box((&name, limit));
    };
    add(4);
    black_box(count);
}

/// Pending once.
struct Yield(bool);

impl Future for Yield {
    type Output = u8;
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        let before = self.0;
        self.0 = true;
        if before { Poll::Ready(7) } else { Poll::Pending }
    }
}

async fn task(limit: u32, label: &str) -> u8 {
    let kept = limit + 1;
    let gone = [limit; 3];
    black_box(&gone);
    stop!();
    let got = Yield(false).await;
    let fresh = u32::from(got) + kept;
    stop!();
    black_box((kept, label, fresh));
    got
}

fn main() {
    black_box((HITS.load(Ordering::Relaxed), &LIMITS));
    let shared = Rc::new(Inner { depth: 9, ratio: 0.5 });
    let first = Worker {
        id: 1,
        name: "first".into(),
        label: "one",
        inner: Box::new(Inner { depth: 1, ratio: 1.0 }),
        shared: shared.clone(),
        state: State::Idle,
        next: None,
    };
    let mut second = Worker {
        id: 2,
        name: "second".into(),
        label: "two",
        inner: Box::new(Inner { depth: 2, ratio: 2.0 }),
        shared,
        state: State::Busy,
        next: Some(&first),
    };
    second.work(-3, true);
    locals(3);
    inlined(black_box(40), 2);
    hidden(20);
    captures(11);
    let mut context = Context::from_waker(Waker::noop());
    let mut task = pin!(task(50, "async"));
    assert!(task.as_mut().poll(&mut context).is_pending());
    assert!(task.as_mut().poll(&mut context).is_ready());
}
