//! Programs of `tests/debuggees/python` that run.

use std::collections::HashMap;

use weft_memory::MemAddr;
use weft_process::{StoppedMemory, Tracee, mappings};
use weft_python::memory::{Interpreter, Listing};
use weft_tasks::{Frame, Task};
use weft_tests::process::{Guarded, wait_asleep};
use weft_tests::programs::source;
use weft_tests::python;

/// The interpreters that this machine has and that describe themselves.
pub(crate) fn interpreters() -> Vec<python::Interpreter> {
    ["3.14", "3.15"].into_iter().filter_map(python::interpreter).collect()
}

/// Starts a program, and waits until it is ready and rests.
pub(crate) fn start(python: &python::Interpreter, name: &str, arguments: &[&str]) -> Guarded {
    let file = source(&format!("python/{name}"));
    let arguments: Vec<&str> =
        [file.to_str().expect("a path in UTF-8")].into_iter().chain(arguments.iter().copied()).collect();
    let mut program = Guarded::start(&python.path, &arguments, &[]);
    program.wait_for("ready");
    wait_asleep(program.pid());
    program
}

/// Stops a program, looks, and lets it go on.
pub(crate) fn stopped<T>(program: &Guarded, look: impl FnOnce(&Interpreter, &StoppedMemory) -> T) -> T {
    let mapped = mappings(program.pid()).expect("it runs");
    let python = Interpreter::of_process(program.pid(), &mapped).expect("it is an interpreter");
    assert!(python.is_program());
    let mut tracee = Tracee::attach(program.pid()).expect("it can be stopped");
    let seen = look(&python, &tracee.stopped_memory().expect("it stands"));
    tracee.detach().expect("it goes on");
    seen
}

/// All tasks of a program.
pub(crate) fn list(program: &Guarded) -> Listing {
    let mapped = mappings(program.pid()).expect("it runs");
    let python = Interpreter::of_process(program.pid(), &mapped).expect("it is an interpreter");
    let (listing, _) = python.look(program.pid()).expect("it can be stopped");
    listing.expect("it describes itself")
}

/// The frames of a task from the outermost one in, by name, file and line.
pub(crate) fn chain(listing: &Listing, task: &Task) -> Vec<(String, String, u32)> {
    let mut frames: &[Frame] = &listing.stack(task.key).expect("a task that is listed");
    let mut found = Vec::new();
    while let [frame] = frames {
        let (file, line) =
            frame.location.as_ref().map_or((String::new(), 0), |it| (it.file.display().to_string(), it.line));
        found.push((frame.name.clone(), file, line));
        frames = &frame.children;
    }
    assert!(frames.is_empty(), "a chain does not fork");
    assert_eq!(found.len(), task.frames);
    found
}

/// All tasks, by address.
pub(crate) fn by_address(listing: &Listing) -> HashMap<MemAddr, &Task> {
    let tasks = listing.snapshot.tasks.iter().map(|task| (MemAddr::new(task.key.address), task));
    let found: HashMap<_, _> = tasks.collect();
    assert_eq!(found.len(), listing.snapshot.tasks.len(), "each task once");
    found
}
