//! What is read of the program before anybody asks, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use weft_memory::FileAddr;
use weft_symbols::Image;
use weft_values::{Stop, frames_above_foot, variables, view};

use super::Engine;

/// How long a program that was let run has the processors to itself before names are read. Most first stops come sooner.
const HEAD_START: Duration = Duration::from_millis(100);
/// For how long after a stop they are left to those who show it.
const CALM: Duration = Duration::from_millis(50);
/// Stops that are waited past so: somebody steps.
const MOST_STOPS: usize = 20;
/// Places of breakpoints that are looked at.
const MOST_PLACES: usize = 16;
/// In the mangled name of the function that calls the user's `main`, with which the stacks of a Rust program's first
/// thread begin. Its unit is that of the whole standard library.
const RUST_BEGIN: &str = "19lang_start_internal";

/// Rows of a stack that editors ask for first, and how deep a variable is summed up for them.
const ROWS: usize = 20;
const SUMMARY_DEPTH: usize = 3;

/// Where a thread stands.
type Standing = (Arc<Stop>, i32);

/// Tells whoever reads in the background of stops.
pub(super) struct Stops {
    told: Sender<Option<Standing>>,
    is_first: bool,
}

impl Stops {
    /// The program has stopped, for this thread.
    pub(super) fn tell(&mut self, stop: &Arc<Stop>, tid: i32) {
        let first = std::mem::take(&mut self.is_first).then(|| (Arc::clone(stop), tid));
        // They may have waited long enough.
        let _ = self.told.send(first);
    }
}

impl Engine {
    /// Reads what the first stack will show, as far as one can tell, and then all names.
    pub(super) fn read_ahead(&mut self) {
        let Some(image) = self.modules.iter().next().map(|module| module.image.clone()) else { return };
        let places: Vec<FileAddr> = self.breakpoints.places_in(&image).take(MOST_PLACES).collect();
        let (told, stops) = channel();
        self.stops = Some(Stops { told, is_first: true });
        let body = move || {
            read_functions(&image, places);
            index(&image, &stops);
        };
        if let Err(error) = std::thread::Builder::new().name("index".to_owned()).spawn(body) {
            tracing::debug!(%error, "names are indexed when they are asked for");
        }
    }
}

/// The functions that breakpoints are in, and those in which a program begins.
fn read_functions(image: &Arc<Image>, places: Vec<FileAddr>) {
    let begins = || image.symbols_containing(RUST_BEGIN).into_iter().map(|symbol| symbol.address).take(1);
    for address in std::iter::once(image.entry()).chain(places).chain(std::iter::once_with(begins).flatten()) {
        // Who asks for it will be told of what cannot be read.
        let _ = (image.frames_at(address), image.line_at(address));
    }
}

/// What an editor shows of the first stop, while it hears of it: its functions and types are known when it asks. (At later
/// stops most of them are.)
fn look((stop, tid): &Standing) {
    let near = frames_above_foot(stop, *tid, ROWS);
    let Some(innermost) = near.frames.first() else { return };
    for place in variables(stop, innermost).into_iter().filter_map(|variable| variable.place.ok()) {
        view(stop, &place, SUMMARY_DEPTH);
    }
}

/// Names are wanted as soon as somebody asks for tasks. Neither a stop nor showing it shares the processors with whoever reads
/// them; who cannot do without them has them read at once.
fn index(image: &Arc<Image>, stops: &Receiver<Option<Standing>>) {
    let mut waited = stops.recv_timeout(HEAD_START);
    for _ in 0..MOST_STOPS {
        let Ok(first) = waited else { break };
        first.iter().for_each(look);
        drop(first);
        waited = stops.recv_timeout(CALM);
    }
    if waited.is_err_and(|why| why == RecvTimeoutError::Disconnected) {
        return tracing::debug!("the program is gone before its names were wanted");
    }
    if let Err(cancelled) = image.index() {
        tracing::debug!(%cancelled, "names are read when they are asked for");
    }
}
