//! `weft tasks`: the task tree of a live process, without a session.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weft_debugger::{ImageCache, core_stop, modules_of, stop_of};
use weft_process::{Core, Tracee, executable_path, mappings};
use weft_protocol::async_dap::{AsyncTasksArguments, AsyncTasksResponse};
use weft_python::memory::Interpreter;
use weft_runtimes::Runtimes;
use weft_session::{Numbering, Places, tasks_body};
use weft_symbols::{DebugFolders, DebugInfo, Modules};
use weft_tasks::Snapshot;

use crate::{Failure, tree};

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true))]
pub(crate) struct Arguments {
    /// The process to look at
    #[arg(long, value_name = "N", group = "target")]
    pid: Option<i32>,
    /// Look at a core file instead
    #[arg(long, value_name = "FILE", group = "target")]
    core: Option<PathBuf>,
    /// The program that the core file is of
    #[arg(long, value_name = "FILE", requires = "core")]
    exe: Option<PathBuf>,
    /// A folder with separate debug files, looked into before the usual ones; may be given several times
    #[arg(long = "debug-directory", value_name = "DIR")]
    debug_directories: Vec<PathBuf>,
    /// Print the body of an `asyncTasks` response
    #[arg(long)]
    json: bool,
    /// Look again every SECS seconds until the process ends
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "a number of seconds is wanted".to_owned())?;
    let duration = Duration::try_from_secs_f64(value).map_err(|_| "a number of seconds is wanted".to_owned())?;
    if duration.is_zero() { Err("0 seconds is too often".to_owned()) } else { Ok(duration) }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let images = ImageCache::with_debug_files_in(DebugFolders::and_usual(arguments.debug_directories.iter().cloned()));
    let Some(pid) = arguments.pid else {
        let core = arguments.core.as_deref().ok_or("name a process with --pid, or a core file with --core")?;
        print(&look_at_core(core, arguments.exe.as_deref(), &images)?, arguments.json)?;
        return Ok(());
    };
    let viewer =
        Viewer { pid, images, runtimes: Runtimes::new(), numbering: Mutex::default(), looks: AtomicU64::new(1) };
    print(&viewer.look()?, arguments.json)?;
    while let Some(pause) = arguments.watch {
        std::thread::sleep(pause);
        match viewer.look() {
            Ok(body) => {
                anstream::println!();
                print(&body, arguments.json)?;
            }
            // The watch has seen the process alive, so its end is what the user waited for.
            Err(_) if ends(pid) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The tasks in a core file.
fn look_at_core(path: &Path, program: Option<&Path>, images: &ImageCache) -> Result<AsyncTasksResponse, Failure> {
    let core = Core::open(path, program).map_err(|error| error.to_string())?;
    if let Some(python) = Interpreter::of_core(&core).filter(Interpreter::is_program) {
        let mut snapshot = python.list_core(&core).map_err(|error| format!("{}: {error}", path.display()))?.snapshot;
        snapshot.notes.extend(core.remarks());
        return Ok(body(&snapshot, 1, &mut Numbering::default()));
    }
    let stop = core_stop(&core, images).map_err(|error| error.to_string())?;
    let mut listing = Runtimes::new().list(&stop);
    listing.note(core.remarks());
    Ok(body(&listing.snapshot, 1, &mut Numbering::default()))
}

/// An `asyncTasks` response's body.
fn body(snapshot: &Snapshot, generation: u64, numbering: &mut Numbering) -> AsyncTasksResponse {
    tasks_body(snapshot, generation, &AsyncTasksArguments::default(), numbering, &Places::default())
}

fn stopped_for(stood: Duration) -> String {
    format!("stopped for {} ms", stood.as_millis().max(1))
}

/// How long a process may take from when it has nothing left to look at until it is seen to have ended, on a busy machine.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// Whether a process that could not be looked at is over: it has lost its memory and its threads some time before that is seen.
fn ends(pid: i32) -> bool {
    let since = Instant::now();
    while is_alive(pid) {
        if since.elapsed() >= LAST_BREATH {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn is_alive(pid: i32) -> bool {
    weft_process::process_state(pid).is_ok_and(|state| state.letter != 'Z')
}

/// As JSON without a detour: of a hundred thousand tasks it is 50 MB.
fn print(body: &AsyncTasksResponse, json: bool) -> Result<(), Failure> {
    if json {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = serde_json::to_writer(&mut out, body).map_err(std::io::Error::from);
        written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    } else {
        tree::print(&serde_json::to_value(body).map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// A process that is looked at once or again and again; symbols are read the first time.
struct Viewer {
    pid: i32,
    images: ImageCache,
    runtimes: Runtimes,
    numbering: Mutex<Numbering>,
    looks: AtomicU64,
}

impl Viewer {
    /// Looks at the tasks of Python where the process is an interpreter, else at those of native code.
    fn look(&self) -> Result<AsyncTasksResponse, Failure> {
        let mapped = mappings(self.pid).map_err(|error| error.to_string())?;
        let Some(python) = Interpreter::of_process(self.pid, &mapped) else { return self.look_at_native() };
        let (found, stood) = python.look(self.pid).map_err(|error| error.to_string())?;
        let unseen = match found {
            Ok(listing) if !listing.snapshot.tasks.is_empty() || python.is_program() => {
                let mut snapshot = listing.snapshot;
                snapshot.notes.push(stopped_for(stood));
                let generation = self.looks.fetch_add(1, Ordering::Relaxed);
                let mut numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok(body(&snapshot, generation, &mut numbering));
            }
            Ok(_) => None,
            Err(reason) => Some(format!("the tasks of process {} cannot be read: {reason}", self.pid)),
        };
        // A native program may have an interpreter in it.
        match unseen {
            Some(unseen) if python.is_program() => Err(unseen),
            unseen => self.look_at_native().map_err(|native| unseen.unwrap_or(native)),
        }
    }

    /// Reads the symbols while the process runs, stops it, looks, lets it go on, and says so in a note.
    fn look_at_native(&self) -> Result<AsyncTasksResponse, Failure> {
        let modules = Arc::new(self.modules()?);
        for module in modules.iter() {
            module.image.index().map_err(|cancelled| cancelled.to_string())?;
        }
        let generation = self.looks.fetch_add(1, Ordering::Relaxed);
        let rehearsed = if generation == 1 { self.rehearse(Arc::clone(&modules))? } else { Duration::ZERO };
        let begun = Instant::now();
        let mut tracee = Tracee::attach(self.pid).map_err(|error| error.to_string())?;
        let glance =
            stop_of(&tracee, modules).map(|stop| self.runtimes.glance(&stop)).map_err(|error| error.to_string());
        tracee.detach().map_err(|error| error.to_string())?;
        let stood = begun.elapsed().saturating_add(rehearsed);
        let mut listing = self.runtimes.seen(glance?);
        listing.note([stopped_for(stood)]);
        let mut numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(body(&listing.snapshot, generation, &mut numbering))
    }

    /// Looks for the first time, at a program that goes on running: it stands only until its registers are read. What is
    /// seen may be torn and is thrown away, but types and functions have been decoded when it has to stand for the real
    /// look, and that takes most of the time. How long it stood.
    fn rehearse(&self, modules: Arc<Modules>) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let mut tracee = Tracee::attach(self.pid).map_err(|error| error.to_string())?;
        let (stop, memory) = (stop_of(&tracee, modules), tracee.memory());
        tracee.detach().map_err(|error| error.to_string())?;
        let stood = begun.elapsed();
        if let (Ok(mut stop), Ok(memory)) = (stop, memory) {
            stop.memory = Arc::new(memory);
            self.runtimes.list(&stop);
        }
        Ok(stood)
    }

    fn modules(&self) -> Result<Modules, Failure> {
        let program = executable_path(self.pid).map_err(|error| error.to_string())?;
        let mapped = mappings(self.pid).map_err(|error| error.to_string())?;
        let modules = modules_of(self.pid, &program, &mapped, &self.images);
        match modules.iter().next() {
            None => Err(format!("process {} executes {}, whose symbols cannot be read", self.pid, program.display())),
            Some(module) if module.image.debug_info() == DebugInfo::Absent => {
                Err(format!("tasks cannot be found: {}", module.image.missing().join("; ")))
            }
            Some(_) => Ok(modules),
        }
    }
}
