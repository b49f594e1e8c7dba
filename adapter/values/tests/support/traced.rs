//! Programs stopped at the breakpoints that are compiled into them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_memory::{Bias, FileAddr, MemAddr};
use weft_process::{LaunchSpec, Launched, Tracee, Trap, Wait, WaitEvent, mappings};
use weft_symbols::{Image, Module, Modules};
use weft_values::{Stop, ThreadState};

/// A traced program.
pub(crate) struct Traced {
    launched: Launched,
    modules: Option<Arc<Modules>>,
    generation: u64,
}

impl Traced {
    /// Compiles and starts a program of `tests/programs`.
    pub(crate) fn start(name: &str, flags: &[&str]) -> Self {
        let program = super::compile(name, flags);
        let launched = Tracee::launch(&LaunchSpec { program, ..LaunchSpec::default() }).expect("the program starts");
        Self { launched, modules: None, generation: 0 }
    }

    /// Runs to the next breakpoint in the program; `None` at its end.
    pub(crate) fn next(&mut self) -> Option<Stop> {
        let tracee = &mut self.launched.tracee;
        tracee.resume_all();
        let tid = loop {
            match tracee.wait().expect("it can be waited for") {
                Wait::Event(WaitEvent::Trapped { tid, trap: Trap::Breakpoint }) => break tid,
                Wait::Event(WaitEvent::Exited(_)) => return None,
                Wait::Event(event) => {
                    if let Some(tid) = event.stopped_thread() {
                        tracee.resume(tid, 0).expect("it can be resumed");
                    }
                }
                Wait::Woken => {}
            }
        };
        let pid = tracee.pid();
        let modules = self.modules.get_or_insert_with(|| Arc::new(modules(pid)));
        self.generation += 1;
        let registers = tracee.registers(tid).expect("a stopped thread has registers");
        Some(Stop {
            generation: self.generation,
            pid,
            memory: Arc::new(tracee.stopped_memory().expect("its memory can be read")),
            modules: Arc::clone(modules),
            threads: vec![ThreadState { tid, name: String::new(), registers }],
            clock: None,
            descriptors: None,
            stacks: weft_values::Stacks::default(),
        })
    }
}

fn modules(pid: i32) -> Modules {
    let mut list: Vec<(PathBuf, MemAddr, MemAddr)> = Vec::new();
    for mapping in mappings(pid).expect("it has mappings") {
        let Some(path) = mapping.path.filter(|path| Path::new(path).is_absolute()) else { continue };
        match list.iter_mut().find(|(known, _, _)| *known == path) {
            Some((_, _, end)) => *end = mapping.end,
            None => list.push((path, mapping.start, mapping.end)),
        }
    }
    let module = |(path, start, end): (PathBuf, MemAddr, MemAddr)| {
        let image = Image::open(&path).ok()?;
        Some(Module { image, bias: Bias::between(FileAddr::new(0), start), range: start..end })
    };
    Modules::new(list.into_iter().filter_map(module).collect())
}
