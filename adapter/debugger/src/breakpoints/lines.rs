//! Breakpoints on lines.

use std::path::Path;
use std::sync::Arc;

use weft_symbols::{Image, Modules, SourceLine, is_foreign};

use super::landing::{Found, Instead, Landing, Rank, Search, Settled};

/// Files that a remark names.
const MOST_NAMED: usize = 3;

/// Looks for a line in one file of the program.
pub(super) fn look(image: &Arc<Image>, file: &Path, line: u32, column: Option<u32>) -> Search {
    let found = image.find_place(file, line, column).map_err(|error| error.to_string())?;
    Ok(found.map(|found| Found {
        remark: several(file, &found.file, &image.source_files(file)),
        at: Some(SourceLine { file: found.file, line: found.line, column: found.column }),
        addresses: found.addresses,
        rank: Rank::WholeOwn,
    }))
}

/// What is said of a part of a path that is the end of several files.
fn several(asked: &Path, taken: &Path, all: &[Arc<Path>]) -> Option<String> {
    // Libraries have files of every name: they are what was meant only if nothing else is.
    let likely = |file: &Path| !is_foreign(file) || is_foreign(taken);
    let others = all.iter().filter(|file| ***file != *taken && likely(file));
    let others: Vec<String> = others.map(|file| file.display().to_string()).collect();
    if asked.is_absolute() || others.is_empty() {
        return None;
    }
    let more = if others.len() > MOST_NAMED { ", …" } else { "" };
    let named = others.get(..MOST_NAMED).unwrap_or(&others).join(", ");
    let (asked, taken) = (asked.display(), taken.display());
    Some(format!(
        "{} files end with {asked}: this is {taken}; write more of the path for {named}{more}",
        others.len().saturating_add(1)
    ))
}

/// What a file of the program has instead of the line.
pub(super) fn instead(image: &Image, file: &Path) -> Instead {
    if !image.source_files(file).is_empty() {
        return Instead::OtherLines;
    }
    image.similar_source(file).map_or(Instead::Nothing, Instead::Similar)
}

/// Files may disagree about the next line with code: the nearest one to what was asked wins. An end of a path is one
/// file, also where several files of the program have one.
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
    let mut remarks = Vec::new();
    for (image, found) in found().filter(|(_, found)| line_of(found) == nearest) {
        let source = |at: &Option<SourceLine>| at.as_ref().map(|at| at.file.clone());
        if settled.at.is_some() && !file.is_absolute() && source(&settled.at) != source(&found.at) {
            continue;
        }
        settled.at = settled.at.or_else(|| found.at.clone());
        settled.locations.extend(found.addresses.iter().map(|address| (image.clone(), *address)));
        remarks.extend(found.remark.clone());
    }
    match &settled.at {
        Some(at) if at.line != line => remarks.insert(0, format!("line {line} has no code; moved to line {}", at.line)),
        Some(at) => remarks.extend(
            column
                .filter(|column| *column > 1 && *column != at.column)
                .map(|column| format!("nothing begins at column {column}; stops where the line does")),
        ),
        None => {
            settled.similar = landings.iter().find_map(|landing| match landing.instead(file) {
                Instead::Similar(source) => Some(source.clone()),
                _ => None,
            });
            let failed = landings.iter().find_map(|landing| landing.search.as_ref().err().cloned());
            remarks.push(failed.unwrap_or_else(|| unbound_because(landings, modules, file, line)));
        }
    }
    remarks.dedup();
    settled.remark = Some(remarks.join("; ")).filter(|remark| !remark.is_empty());
    settled
}

fn unbound_because(landings: &[Landing], modules: &Modules, file: &Path, line: u32) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let program = modules.iter().next().map(|module| module.image.name()).unwrap_or_default();
    if landings.iter().any(|landing| *landing.instead(file) == Instead::OtherLines) {
        return format!("{name} has no code at or after line {line}");
    }
    let missing = modules.iter().next().map(|module| module.image.missing()).unwrap_or_default();
    if missing.is_empty() {
        return format!("no code of {program} or its loaded libraries comes from {}", file.display());
    }
    missing.join("; ")
}
