//! What was said, for whoever has to find out why a test failed.

use std::cell::RefCell;
use std::panic;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Instant;
use std::{fs, thread};

use crate::adapter::target;

/// Characters of one message that are kept.
const LONGEST: usize = 1_500;

/// Messages that are shown of a session that failed. All of them are in a file: who shows a failure may show a part only.
const LAST: usize = 60;

/// A session's messages with their times; clones share it.
#[derive(Clone)]
pub(crate) struct Transcript {
    started: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        remember_panics();
        Self { started: Instant::now(), lines: Arc::default() }
    }

    pub(crate) fn note(&self, direction: &str, text: &str) {
        let mut shown: String = text.chars().take(LONGEST).collect();
        if shown.len() < text.len() {
            shown.push_str(&format!("… ({} bytes)", text.len()));
        }
        let line = format!("{:9.3} {direction} {shown}", self.started.elapsed().as_secs_f64());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The end of it, which is where something went wrong; where all of it is; and once more, below it, what it was.
    pub(crate) fn report(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        let left_out = lines.len().saturating_sub(LAST);
        let place = match keep(&text) {
            Ok(path) => format!("all of it: {}", path.display()),
            Err(error) => format!("it could not be kept: {error}"),
        };
        let failure = PANIC.with_borrow(String::clone);
        let shown = lines[left_out..].join("\n");
        format!("--- what was said ({left_out} messages before; {place}):\n{shown}\n---\n{failure}")
    }
}

/// Writes a transcript to a file of its own, named after the test.
fn keep(text: &str) -> std::io::Result<PathBuf> {
    static KEPT: AtomicUsize = AtomicUsize::new(0);
    let folder = target().join("transcripts");
    fs::create_dir_all(&folder)?;
    let test = thread::current().name().unwrap_or("test").replace("::", ".");
    let number = KEPT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{test}.{}.{number}.txt", std::process::id()));
    fs::write(&path, text)?;
    Ok(path)
}

thread_local! {
    /// What this thread panicked with last.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Has panics remembered by the threads that they happen on, besides all that is done about them anyway.
fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANIC.set(panic.to_string());
            before(panic);
        }));
    });
}
