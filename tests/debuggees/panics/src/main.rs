//! Panics of every kind: `panics table|double|hook|tasks`. The hook writes what each panic says, and where.

use std::cell::RefCell;
use std::hint::black_box;
use std::panic::{catch_unwind, panic_any, resume_unwind, set_hook};

#[derive(Debug)]
#[allow(dead_code, reason = "it is printed")]
struct Broken(i32);

fn main() {
    set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let line = info.location().map_or(0, |location| location.line());
        println!("{line} {:?}", text.unwrap_or("no text"));
    }));
    match std::env::args().nth(1).as_deref() {
        Some("table") => table(),
        Some("double") => double(),
        Some("hook") => in_hook(),
        Some("tasks") => tasks(),
        other => panic!("no such exhibit: {other:?}"),
    }
}

fn caught(body: fn(i32)) {
    assert!(catch_unwind(|| body(black_box(4))).is_err());
}

#[allow(clippy::assertions_on_constants, clippy::unnecessary_literal_unwrap, unconditional_panic)]
fn table() {
    caught(|_| panic!("plain words"));
    caught(|n| panic!("formatted {n} and {:?}", [n, n])); // BP: formatted
    caught(|n| _ = black_box(vec![1, 2])[n as usize]); // BP: index
    caught(|n| _ = black_box(&[1, 2, 3][..])[..n as usize].len());
    caught(|n| _ = None::<i32>.xor((n == 0).then_some(1)).unwrap());
    caught(|n| Err::<(), _>(Broken(n)).unwrap()); // BP: unwrap
    caught(|n| Err::<(), _>(Broken(n)).expect("it holds"));
    caught(|n| assert_eq!(n, 5, "four is not {}", "five"));
    caught(|n| assert_ne!(n, 4));
    caught(|n| assert!(n == 2));
    caught(|n| assert!(n == 2, "n is {n}"));
    caught(|n| _ = black_box(1) / (n - 4));
    caught(|n| _ = black_box("Gr\u{fc}n")[n as usize - 1..].len());
    caught(|n| unreachable!("{n} was not thought of"));
    caught(|_| todo!());
    caught(|_| {
        let cell = RefCell::new(1);
        let _held = cell.borrow_mut();
        _ = black_box(&cell).borrow();
    });
    caught(|_| panic!(""));
    caught(|n| panic!("Grüße an {n} Krebse 🦀"));
    caught(|_| panic!("{}", "long ".repeat(20_000)));
    caught(|n| panic_any(format!("owned {n}")));
    caught(|_| panic_any("borrowed"));
    caught(|n| panic_any(Broken(n))); // BP: any
    caught(|_| {
        let _held = Catches;
        panic!("before the drop");
    });
    let thread = std::thread::Builder::new().name("other".to_owned());
    assert!(thread.spawn(|| panic!("in a thread")).unwrap().join().is_err());
    // It began elsewhere.
    caught(|n| resume_unwind(Box::new(format!("again {n}"))));
    #[cfg(debug_assertions)]
    caught(|n| _ = black_box(i32::MAX) + n); // BP: overflow
}

/// Panics while a panic unwinds, and catches that.
struct Catches;

impl Drop for Catches {
    fn drop(&mut self) {
        caught(|n| panic!("in a drop: {n}"));
    }
}

/// Panics while a panic unwinds, and does not catch that.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("second {}", black_box(2));
    }
}

fn double() {
    let _bomb = Bomb;
    panic!("first {}", black_box(1));
}

fn in_hook() {
    set_hook(Box::new(|_| panic!("the hook fails: {}", black_box(2))));
    panic!("first {}", black_box(1));
}

fn tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        assert!(catch_unwind(|| panic!("in block_on {}", black_box(1))).is_err()); // BP: in block_on
        assert!(tokio::spawn(fails(2)).await.is_err());
        assert!(tokio::spawn(recovers(3)).await.is_ok());
    });
}

async fn fails(n: i32) {
    tokio::task::yield_now().await;
    panic!("in a task {n}"); // BP: in a task
}

async fn recovers(n: i32) {
    tokio::task::yield_now().await;
    assert!(catch_unwind(|| panic!("caught in a task {n}")).is_err()); // BP: caught in a task
}
