//! A core file as a debuggee: it stands for ever, at what ended it.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weft_debugger::{Core, CoreError, ImageCache, core_stop, signal_name};
use weft_memory::MemAddr;
use weft_protocol::spec::EvaluateContext;
use weft_protocol::{Error, ErrorId};
use weft_session::config::Settings;
use weft_session::debuggee::{
    Answer, AsyncStack, Bound, BreakpointSpec, Call, Channel, DataSpec, DebuggeeEvent, End, Exception, FilterSpec,
    FunctionSpec, Instruction, InstructionSpec, MemoryRead, ModuleInfo, ProcessInfo, Resume, Stack, StopReason,
    Stopped, Target, ThreadInfo, Value,
};
use weft_session::{Debuggee, EventSender};
use weft_symbols::DebugFolders;
use weft_tasks::{Snapshot, TaskKey};
use weft_values::Stop;

use crate::files::{self, SourceList};
use crate::tasks::Tasks;
use crate::{disassembly, memory, stack};

/// Opens a core file; `program` is its executable when it is not where it was.
pub(crate) fn open(
    core: &Path,
    program: Option<&Path>,
    settings: &Settings,
    events: EventSender,
) -> Answer<Arc<dyn Debuggee>> {
    let failed = |error: CoreError| Error::new(ErrorId::AttachFailed, error.to_string());
    let core = Core::open(core, program).map_err(failed)?;
    let images = ImageCache::with_debug_files_in(DebugFolders::and_usual(settings.debug_directories.iter().cloned()));
    let stop = Arc::new(core_stop(&core, &images).map_err(failed)?);
    let tasks = Tasks::with_remarks(core.remarks());
    Ok(Arc::new(PostMortem { core, stop, tasks, sources: SourceList::default(), events }))
}

/// What is left of a program.
struct PostMortem {
    core: Core,
    stop: Arc<Stop>,
    tasks: Tasks,
    sources: SourceList,
    events: EventSender,
}

/// Nothing runs here.
fn refused() -> Error {
    Error::new(ErrorId::NotSupported, "this is a core file: its program has ended or is elsewhere, and cannot run here")
}

/// Breakpoints are kept by the client, and say why they never stop.
fn unbound(index: usize) -> Bound {
    let id = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
    let message = Some("a core file does not run: nothing will stop here".to_owned());
    Bound { id, message, ..Bound::default() }
}

fn all_unbound<T>(wanted: &[T]) -> Answer<Vec<Bound>> {
    Ok((0..wanted.len()).map(unbound).collect())
}

impl Debuggee for PostMortem {
    fn process(&self) -> ProcessInfo {
        let path = self.core.executable().unwrap_or(&self.core.path).to_owned();
        ProcessInfo { path, pid: (self.core.pid != 0).then(|| i64::from(self.core.pid)) }
    }

    fn start(&self) -> Answer<()> {
        let program = self.stop.modules.iter().next();
        for remark in self.core.remarks().into_iter().chain(program.into_iter().flat_map(|it| it.image.missing())) {
            self.events.send(DebuggeeEvent::Console(Channel::Important, format!("{remark}\n")));
        }
        let name = (self.core.signal != 0).then(|| signal_name(self.core.signal));
        let exception = match &name {
            Some(name) => Exception {
                id: name.clone(),
                description: format!("{name} when the core file was written"),
                message: None,
                type_name: "signal".to_owned(),
                fatal: true,
            },
            None => Exception {
                id: "core file".to_owned(),
                description: "no signal: the program lived when the core file was written".to_owned(),
                message: None,
                type_name: "core file".to_owned(),
                fatal: false,
            },
        };
        self.events.send(DebuggeeEvent::Stopped(Stopped {
            reason: StopReason::Exception,
            at: Some(Target::Thread(i64::from(self.core.first))),
            description: Some(name.map_or_else(|| "core file".to_owned(), |name| format!("signal {name}"))),
            text: None,
            breakpoints: Vec::new(),
            exception: Some(exception),
        }));
        Ok(())
    }

    fn set_breakpoints(&self, _file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
        all_unbound(wanted)
    }

    fn set_function_breakpoints(&self, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
        all_unbound(wanted)
    }

    fn set_instruction_breakpoints(&self, wanted: &[InstructionSpec]) -> Answer<Vec<Bound>> {
        all_unbound(wanted)
    }

    fn set_data_breakpoints(&self, wanted: &[DataSpec]) -> Answer<Vec<Bound>> {
        all_unbound(wanted)
    }

    fn set_exception_filters(&self, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
        all_unbound(wanted)
    }

    fn resume(&self, _how: Resume, _alone: Option<Target>) -> Answer<()> {
        Err(refused())
    }

    fn go_to(&self, _of: Target, _address: u64) -> Answer<()> {
        Err(refused())
    }

    fn restart_frame(&self, _call: Call) -> Answer<()> {
        Err(refused())
    }

    fn end_threads(&self, _threads: &[Target]) -> Answer<()> {
        Err(refused())
    }

    fn write_memory(&self, _address: u64, _bytes: &[u8]) -> Answer<usize> {
        Err(refused())
    }

    fn pause(&self, _at: Option<Target>) -> Answer<()> {
        Ok(())
    }

    fn terminate(&self) -> Answer<()> {
        Err(refused())
    }

    fn end(&self, _how: End) -> Answer<()> {
        Ok(())
    }

    fn threads(&self) -> Answer<Vec<ThreadInfo>> {
        let info = |thread: &weft_values::ThreadState| {
            let named = Some(&thread.name).filter(|name| !name.is_empty());
            let name = named.cloned().unwrap_or_else(|| format!("thread {}", thread.tid));
            ThreadInfo { id: i64::from(thread.tid), name }
        };
        Ok(self.stop.threads.iter().map(info).collect())
    }

    fn stack(&self, of: Target, rows: Range<usize>) -> Answer<Stack> {
        stack::rows(&self.tasks, &self.stop, of, rows)
    }

    fn tasks(&self) -> Answer<Arc<Snapshot>> {
        Ok(Arc::clone(&self.tasks.listing(&self.stop).snapshot))
    }

    fn async_stack(&self, task: TaskKey) -> Answer<AsyncStack> {
        self.tasks.stack(&self.stop, task)
    }

    fn evaluate(&self, _expression: &str, _context: Option<&EvaluateContext>) -> Answer<Value> {
        Err(Error::new(ErrorId::Evaluate, "select a frame first: expressions are evaluated in a frame"))
    }

    fn breakpoint_locations(&self, file: &Path, lines: RangeInclusive<u32>) -> Answer<Vec<(u32, u32)>> {
        files::breakpoint_places(&self.stop.modules, file, lines)
    }

    fn disassemble(&self, address: u64, skip: i64, count: usize) -> Answer<Vec<Instruction>> {
        disassembly::disassemble(&self.stop, MemAddr::new(address), skip, count)
    }

    fn read_memory(&self, address: u64, count: usize) -> Answer<MemoryRead> {
        memory::read(&self.stop, MemAddr::new(address), count)
    }

    fn modules(&self) -> Answer<Vec<ModuleInfo>> {
        Ok(files::modules(&self.stop.modules))
    }

    fn sources(&self) -> Answer<Vec<PathBuf>> {
        Ok(self.sources.of(self.stop.modules.clone()))
    }
}
