//! Breakpoints on lines.

use std::path::Path;
use std::sync::Arc;

use weft_symbols::{Image, Modules, SourceLine};

use super::landing::{Found, Landing, Rank, Search, Settled};

/// Looks for a line in one file of the program.
pub(super) fn look(image: &Arc<Image>, file: &Path, line: u32, column: Option<u32>) -> Search {
    let found = image.find_place(file, line, column).map_err(|error| error.to_string())?;
    Ok(found.map(|found| Found {
        at: Some(SourceLine { file: found.file, line: found.line, column: found.column }),
        addresses: found.addresses,
        rank: Rank::WholeOwn,
        remark: None,
    }))
}

/// Files may disagree about the next line with code: the nearest one to what was asked wins.
pub(super) fn settle(
    landings: &[Landing],
    (file, line, column): (&Path, u32, Option<u32>),
    modules: &Modules,
) -> Settled {
    let found =
        || landings.iter().filter_map(|landing| Some((&landing.image, landing.search.as_ref().ok()?.as_ref()?)));
    let line_of = |found: &Found| found.at.as_ref().map(|at| at.line);
    let nearest = found().filter_map(|(_, found)| line_of(found)).min();
    let mut settled = Settled::default();
    for (image, found) in found().filter(|(_, found)| line_of(found) == nearest) {
        settled.at = settled.at.or_else(|| found.at.clone());
        settled.locations.extend(found.addresses.iter().map(|address| (image.clone(), *address)));
    }
    settled.remark = match &settled.at {
        Some(at) if at.line != line => Some(format!("line {line} has no code; moved to line {}", at.line)),
        Some(at) => column
            .filter(|column| *column > 1 && *column != at.column)
            .map(|column| format!("nothing begins at column {column}; stops where the line does")),
        None => {
            let failed = landings.iter().find_map(|landing| landing.search.as_ref().err().cloned());
            failed.or_else(|| Some(unbound_because(modules, file, line)))
        }
    };
    settled
}

fn unbound_because(modules: &Modules, file: &Path, line: u32) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let program = modules.iter().next().map(|module| module.image.name()).unwrap_or_default();
    if modules.iter().any(|module| module.image.has_source(file)) {
        return format!("{name} has no code at or after line {line}");
    }
    let missing = modules.iter().next().map(|module| module.image.missing()).unwrap_or_default();
    if missing.is_empty() {
        return format!("no code of {program} or its loaded libraries comes from {name}");
    }
    missing.join("; ")
}
