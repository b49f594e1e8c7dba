//! Breakpoints of every kind in the engine's words, and what can be watched.

use std::path::Path;

use weft_debugger::{Debugger, FrameIdentity, PanicFilter, Refused};
use weft_memory::MemAddr;
use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{
    Access, Answer, Bound, BreakpointSpec, Call, DataSpec, ExceptionFilter, FilterSpec, FunctionSpec, InstructionSpec,
    Terms, Watchable, WatchedData,
};
use weft_values::{DataTarget, Stop};

use crate::words::{location, refused};

/// What the processor can be hit by: it has no watch for reading alone.
const ACCESSES: [Access; 2] = [Access::Write, Access::ReadWrite];

pub(crate) fn lines(debugger: &Debugger, file: &Path, wanted: &[BreakpointSpec]) -> Answer<Vec<Bound>> {
    let specs: Vec<_> = wanted
        .iter()
        .map(|spec| weft_debugger::LineSpec { line: spec.line, column: spec.column, terms: terms(&spec.terms) })
        .collect();
    bounds(debugger.set_breakpoints(file, &specs))
}

pub(crate) fn functions(debugger: &Debugger, wanted: &[FunctionSpec]) -> Answer<Vec<Bound>> {
    let specs: Vec<_> = wanted
        .iter()
        .map(|spec| weft_debugger::FunctionSpec { name: spec.name.clone(), terms: terms(&spec.terms) })
        .collect();
    bounds(debugger.set_function_breakpoints(&specs))
}

pub(crate) fn instructions(debugger: &Debugger, wanted: &[InstructionSpec]) -> Answer<Vec<Bound>> {
    let specs: Vec<_> = wanted
        .iter()
        .map(|spec| weft_debugger::InstructionSpec { address: MemAddr::new(spec.address), terms: terms(&spec.terms) })
        .collect();
    bounds(debugger.set_instruction_breakpoints(&specs))
}

pub(crate) fn data(debugger: &Debugger, wanted: &[DataSpec]) -> Answer<Vec<Bound>> {
    let spec = |spec: &DataSpec| {
        Ok(weft_debugger::DataSpec {
            address: MemAddr::new(spec.data.address),
            size: spec.data.size,
            access: match spec.access {
                Access::Read => weft_debugger::Access::Read,
                Access::Write => weft_debugger::Access::Write,
                Access::ReadWrite => weft_debugger::Access::ReadWrite,
            },
            name: spec.data.name.clone(),
            frame: spec.data.call.map(frame_identity).transpose()?,
            terms: terms(&spec.terms),
        })
    };
    let specs = wanted.iter().map(spec).collect::<Answer<Vec<_>>>()?;
    bounds(debugger.set_data_breakpoints(&specs))
}

pub(crate) fn panics(debugger: &Debugger, wanted: &[FilterSpec]) -> Answer<Vec<Bound>> {
    let specs: Vec<_> = wanted
        .iter()
        .map(|spec| {
            let filter = match spec.filter {
                ExceptionFilter::Panic => PanicFilter::Any,
                ExceptionFilter::PanicInTask => PanicFilter::InTask,
                ExceptionFilter::LongPoll => PanicFilter::LongPoll,
                ExceptionFilter::Raised
                | ExceptionFilter::Uncaught
                | ExceptionFilter::UserUnhandled
                | ExceptionFilter::TaskFailed
                | ExceptionFilter::NeverRetrieved => {
                    return Err(Error::new(ErrorId::NotSupported, "a native program raises no Python exceptions"));
                }
            };
            Ok((filter, spec.condition.clone()))
        })
        .collect::<Answer<_>>()?;
    bounds(debugger.set_panic_filters(&specs))
}

pub(crate) fn frame_identity(call: Call) -> Answer<FrameIdentity> {
    let tid = i32::try_from(call.thread)
        .map_err(|_| Error::new(ErrorId::UnknownThread, format!("there is no thread {}", call.thread)))?;
    Ok(FrameIdentity { tid, cfa: MemAddr::new(call.frame_address) })
}

fn terms(terms: &Terms) -> weft_debugger::Terms {
    weft_debugger::Terms {
        condition: terms.condition.clone(),
        hits: terms.hits.clone(),
        log: terms.log.clone(),
        in_focus: terms.in_focus,
    }
}

fn bounds(answer: Result<Vec<weft_debugger::Bound>, Refused>) -> Answer<Vec<Bound>> {
    Ok(answer.map_err(refused)?.into_iter().map(to_bound).collect())
}

pub(crate) fn to_bound(bound: weft_debugger::Bound) -> Bound {
    Bound {
        id: bound.id,
        verified: bound.verified,
        at: bound.at.as_ref().and_then(location),
        address: bound.address.map(MemAddr::raw),
        message: bound.message,
        similar: bound.similar.map(|file| file.to_path_buf()),
    }
}

/// What a number of bytes at an address are, as something to watch.
pub(crate) fn watch_address(stop: &Stop, address: u64, bytes: u64) -> Answer<Watchable> {
    let mut contents = [0; 8];
    let wanted = usize::try_from(bytes).ok().filter(|count| *count > 0).and_then(|count| contents.get_mut(..count));
    let Some(wanted) = wanted else {
        return Ok(Watchable::No(format!("the hardware watches 1 to 8 bytes, not {bytes}")));
    };
    if stop.memory.read(MemAddr::new(address), wanted).is_err() {
        crate::variables::still(stop)?;
        return Ok(Watchable::No(format!("{address:#x} is no memory of the program")));
    }
    let name = format!("{bytes} bytes at {address:#x}");
    Ok(Watchable::Yes(WatchedData { address, size: bytes, name: name.clone(), call: None }, ACCESSES.to_vec(), name))
}

/// What was found to watch, in the session's words.
pub(crate) fn watchable(target: DataTarget) -> Watchable {
    let until = if target.local_of.is_some() { ", until this call returns" } else { "" };
    let description = format!("{}: {}{until}", target.name, target.type_name);
    let call = target.local_of.map(|call| Call { thread: i64::from(call.tid), frame_address: call.cfa.raw() });
    let data = WatchedData { address: target.address.raw(), size: target.size, name: target.name, call };
    Watchable::Yes(data, ACCESSES.to_vec(), description)
}
