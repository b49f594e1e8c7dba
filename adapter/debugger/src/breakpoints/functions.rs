//! Breakpoints on functions.

use std::sync::Arc;

use weft_symbols::{Fit, FoundFunction, FunctionQuery, Image, Modules, SourceLine};

use super::landing::{Found, Landing, Rank, Search, Settled};

/// Places in one file that a function breakpoint stops at.
const MOST_PLACES: usize = 1000;
/// Functions that a remark names.
const MOST_NAMED: usize = 4;
/// Names that are offered instead of one that is not found.
const MOST_OFFERED: usize = 3;

/// Looks for the functions of one file that a name or a pattern means: those whose whole path was written, else the
/// user's own, else others; without debug information, symbols.
pub(super) fn look(image: &Arc<Image>, name: &str) -> Search {
    let query = FunctionQuery::parse(name)?;
    let found = image.find_functions(&query);
    let Some(rank) = found.iter().map(rank).max() else { return Ok(symbols(image, &query)) };
    let meant: Vec<&FoundFunction> = found.iter().filter(|found| self::rank(found) == rank).collect();
    let starts = image.starts_of(&meant, MOST_PLACES.saturating_add(1));
    let Some(first) = starts.first() else {
        return Err(format!("`{name}` has no code in {}: the compiler left it out", image.name()));
    };
    let mut names: Vec<String> = meant.iter().map(|found| found.function.name.clone()).collect();
    names.dedup();
    let mut remarks = Vec::new();
    if names.len() > 1 {
        remarks.push(format!("{} functions: {}", names.len(), listed(&names)));
    }
    if starts.len() > MOST_PLACES {
        remarks.push(format!("only the first {MOST_PLACES} places in {} are used", image.name()));
    }
    if starts.iter().any(|start| start.at_each_poll) {
        remarks.push("its first poll cannot be told from the others, so it stops at every one".to_owned());
    }
    Ok(Some(Found {
        at: line_at(image, first.address),
        addresses: starts.iter().take(MOST_PLACES).map(|start| start.address).collect(),
        rank,
        remark: Some(remarks.join("; ")).filter(|text| !text.is_empty()),
    }))
}

fn rank(found: &FoundFunction) -> Rank {
    match (found.fit, found.is_user_code()) {
        (Fit::Whole, true) => Rank::WholeOwn,
        (Fit::Whole, false) => Rank::Whole,
        (Fit::End, true) => Rank::Own,
        (Fit::End, false) => Rank::Library,
    }
}

fn symbols(image: &Arc<Image>, query: &FunctionQuery) -> Option<Found> {
    let found = image.find_symbols(query);
    let direct = found.iter().filter(|found| !found.indirect);
    let addresses: Vec<_> = direct.map(|found| image.behind_prologue_at(found.symbol.address)).collect();
    let first = *addresses.first()?;
    Some(Found {
        at: line_at(image, first),
        addresses: addresses.into_iter().take(MOST_PLACES).collect(),
        rank: Rank::Symbol,
        remark: None,
    })
}

fn line_at(image: &Arc<Image>, address: weft_memory::FileAddr) -> Option<SourceLine> {
    image.line_at(address).ok().flatten().filter(|at| at.line > 0)
}

fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMED {
        text.push_str(", …");
    }
    text
}

/// Files may have functions of the same name: those that are meant most win.
pub(super) fn settle(landings: &[Landing], name: &str, modules: &Modules) -> Settled {
    let found =
        || landings.iter().filter_map(|landing| Some((&landing.image, landing.search.as_ref().ok()?.as_ref()?)));
    let mut settled = Settled::default();
    let Some(rank) = found().map(|(_, found)| found.rank).max() else {
        let failed = landings.iter().find_map(|landing| landing.search.as_ref().err().cloned());
        settled.remark = failed.or_else(|| Some(unknown(modules, name)));
        return settled;
    };
    for (image, found) in found().filter(|(_, found)| found.rank == rank) {
        settled.at = settled.at.or_else(|| found.at.clone());
        settled.locations.extend(found.addresses.iter().map(|address| (image.clone(), *address)));
        settled.remark = settled.remark.or_else(|| found.remark.clone());
    }
    settled
}

fn unknown(modules: &Modules, name: &str) -> String {
    let near = FunctionQuery::parse(name).map(|query| {
        let mut near: Vec<(usize, String)> =
            modules.iter().flat_map(|module| module.image.similar_functions(&query, MOST_OFFERED)).collect();
        near.sort();
        near.dedup();
        near.into_iter().take(MOST_OFFERED).map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>()
    });
    match near {
        Ok(near) if !near.is_empty() => format!("no function matches `{name}`; did you mean {}?", near.join(" or ")),
        _ => {
            let missing = modules.iter().next().map(|module| module.image.missing()).unwrap_or_default();
            [format!("no function matches `{name}`")].into_iter().chain(missing).collect::<Vec<_>>().join("; ")
        }
    }
}
