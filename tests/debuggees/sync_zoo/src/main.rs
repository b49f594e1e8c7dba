//! Synchronous Rust of every usual shape: `sync_zoo values|edits|steps|generics|threads|hostile`.

mod edits;
mod generics;
mod hostile;
mod steps;
mod threads;
mod values;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("values") => values::all(),
        Some("edits") => edits::all(),
        Some("steps") => steps::all(),
        Some("generics") => generics::all(),
        Some("threads") => threads::all(),
        Some("hostile") => hostile::all(),
        other => panic!("no such exhibit: {other:?}"),
    }
}
