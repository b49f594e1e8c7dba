//! From a core file to what everybody reads: a stop that lasts for ever.

use std::io;
use std::sync::Arc;

use weft_memory::{MemAddr, Memory};
use weft_process::{Core, CoreError};
use weft_symbols::Modules;
use weft_values::{Stacks, Stop, ThreadState};

use crate::images::{ImageCache, modules_with};

/// What can be read of a core file, with the files of its program from `images`. The time of it is not known.
pub fn core_stop(core: &Core, images: &ImageCache) -> Result<Stop, CoreError> {
    let not = |what: String| CoreError::NotACore { path: core.path.clone(), what };
    let program = core.executable().ok_or_else(|| not("it names no program".to_owned()))?;
    let read = |from: MemAddr, buffer: &mut [u8]| core.memory.read_exact(from, buffer).map_err(io::Error::other);
    let modules = modules_with(core.pid, program, &core.mappings, images, &read);
    let known = modules.iter().next().filter(|module| module.image.path() == program);
    if known.is_none() {
        let program = program.display();
        return Err(not(format!("its program {program} cannot be read; name it with `program` (`--exe`)")));
    }
    Ok(stop(core, modules))
}

fn stop(core: &Core, modules: Modules) -> Stop {
    let thread = |thread: &weft_process::CoreThread| ThreadState {
        tid: thread.tid,
        // The kernel keeps the process's name alone, which is the first thread's.
        name: if thread.tid == core.pid { core.name.clone() } else { String::new() },
        registers: thread.registers,
    };
    Stop {
        generation: 1,
        pid: core.pid,
        memory: core.memory.clone(),
        modules: Arc::new(modules),
        threads: core.threads.iter().map(thread).collect(),
        clock: None,
        descriptors: None,
        stacks: Stacks::default(),
    }
}
