//! Places to step into and to go to.

use std::path::PathBuf;

use weft_protocol::spec::{
    BreakpointLocation, BreakpointLocationsArguments, BreakpointLocationsResponse, GotoTarget, GotoTargetsArguments,
    GotoTargetsResponse, Source, StepInTarget, StepInTargetsArguments, StepInTargetsResponse,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::Answer;
use crate::handles::FrameSlot;
use crate::places::{Places, address_text};
use crate::shared::Shared;

/// Lines that are looked through for places of breakpoints.
const MOST_LINES: u32 = 10_000;

/// Serves `stepInTargets`. Only the innermost frame steps into something.
pub(crate) fn step_in(shared: &Shared, asked: &StepInTargetsArguments) -> Answer<StepInTargetsResponse> {
    let (epoch, _) = shared.need_stop()?;
    shared.handles().find_frame(asked.frame_id)?;
    let slot = shared.handles().slot(asked.frame_id);
    let Some(FrameSlot::Row(of, 0)) = slot else { return Ok(StepInTargetsResponse::default()) };
    let found = shared.need_debuggee()?.step_in_targets(of)?;
    let places = shared.places();
    let mut targets = Vec::with_capacity(found.len());
    for target in found {
        let at = target.at.as_ref();
        targets.push(StepInTarget {
            id: shared.handles().target(epoch, target.id)?,
            label: target.name,
            line: at.map(|at| places.line(at.line)),
            column: at.filter(|at| at.column > 0).map(|at| places.column(at.column)),
        });
    }
    Ok(StepInTargetsResponse { targets })
}

/// Serves `gotoTargets`, for the thread that the current stop is about: the request names none.
pub(crate) fn goto(shared: &Shared, asked: &GotoTargetsArguments) -> Answer<GotoTargetsResponse> {
    let (epoch, stopped) = shared.need_stop()?;
    let places = shared.places();
    let file = file(&asked.source, &places)?;
    let line = places
        .line_from_client(asked.line)
        .ok_or_else(|| Error::new(ErrorId::InvalidArguments, "there is no such line"))?;
    let of = stopped.at.ok_or_else(|| Error::new(ErrorId::NoDebuggee, "no thread has stopped"))?;
    let found = shared.need_debuggee()?.goto_targets(of, &file, line)?;
    let mut targets = Vec::with_capacity(found.len());
    for target in found {
        let place = places.source(&target.at.file).name.unwrap_or_default();
        targets.push(GotoTarget {
            id: shared.handles().address(epoch, target.address)?,
            label: format!("{place}:{} at {:#x}", places.line(target.at.line), target.address),
            line: places.line(target.at.line),
            column: (target.at.column > 0).then(|| places.column(target.at.column)),
            instruction_pointer_reference: Some(address_text(target.address)),
        });
    }
    Ok(GotoTargetsResponse { targets })
}

/// Serves `breakpointLocations`.
pub(crate) fn locations(shared: &Shared, asked: &BreakpointLocationsArguments) -> Answer<BreakpointLocationsResponse> {
    let Some(debuggee) = shared.debuggee() else { return Ok(BreakpointLocationsResponse::default()) };
    let places = shared.places();
    let file = file(&asked.source, &places)?;
    let line = |line| places.line_from_client(line).unwrap_or(1);
    let first = line(asked.line);
    let last = asked.end_line.map_or(first, line).min(first.saturating_add(MOST_LINES));
    if last < first {
        return Err(Error::new(ErrorId::InvalidArguments, "`endLine` lies before `line`"));
    }
    let begin = asked.column.and_then(|column| places.column_from_client(column));
    let end = asked.end_column.and_then(|column| places.column_from_client(column));
    let found = debuggee.breakpoint_locations(&file, first..=last)?.into_iter().filter(|(line, column)| {
        (*line > first || begin.is_none_or(|begin| *column == 0 || *column >= begin))
            && (*line < last || end.is_none_or(|end| *column <= end))
    });
    let breakpoints = found.map(|(line, column)| BreakpointLocation {
        line: places.line(line),
        column: (column > 0).then(|| places.column(column)),
    });
    Ok(BreakpointLocationsResponse { breakpoints: breakpoints.collect() })
}

fn file(source: &Source, places: &Places) -> Answer<PathBuf> {
    let path = places.path_of(source).map(|path| places.from_client(&path));
    path.ok_or_else(|| Error::new(ErrorId::InvalidArguments, "`source` needs a `path`"))
}
