//! Where things are, as the client counts and names it: lines from 0 or 1, paths under `sourceMap`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use weft_protocol::spec::Source;
use weft_protocol::{Error, ErrorId, async_dap};
use weft_tasks::Location;

use crate::debuggee::Answer;
use crate::sources::{Sources, is_standard};

/// Translates places both ways.
#[derive(Debug)]
pub struct Places {
    /// From the debug information's prefix to the client's, longest first.
    map: Vec<(PathBuf, PathBuf)>,
    first_line: i64,
    first_column: i64,
    /// Sources already made: each costs a look at the file system.
    made: Mutex<HashMap<PathBuf, Source>>,
    sources: Arc<Sources>,
}

impl Default for Places {
    fn default() -> Self {
        Self::new(&BTreeMap::new(), true, true)
    }
}

impl Places {
    /// With the `sourceMap` of a configuration and the counting of a client.
    pub fn new(source_map: &BTreeMap<String, String>, lines_from_1: bool, columns_from_1: bool) -> Self {
        let mut map: Vec<_> = source_map.iter().map(|(from, to)| (PathBuf::from(from), PathBuf::from(to))).collect();
        map.sort_by_key(|(from, _)| std::cmp::Reverse(from.as_os_str().len()));
        Self {
            map,
            first_line: lines_from_1.into(),
            first_column: columns_from_1.into(),
            made: Mutex::new(HashMap::new()),
            sources: Arc::default(),
        }
    }

    /// The same machine and session with another configuration: what was found out, and numbers, stay.
    pub(crate) fn again(
        &self,
        source_map: &BTreeMap<String, String>,
        lines_from_1: bool,
        columns_from_1: bool,
    ) -> Self {
        Self { sources: Arc::clone(&self.sources), ..Self::new(source_map, lines_from_1, columns_from_1) }
    }

    /// What is known of source files on this machine.
    pub(crate) fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// A line as the client counts it.
    pub fn line(&self, line: u32) -> i64 {
        i64::from(line).saturating_sub(1).saturating_add(self.first_line)
    }

    /// A column as the client counts it; its first when none is known.
    pub fn column(&self, column: u32) -> i64 {
        i64::from(column.max(1)).saturating_sub(1).saturating_add(self.first_column)
    }

    /// A client's line counted from 1; none if there is no such line.
    pub fn line_from_client(&self, line: i64) -> Option<u32> {
        line.checked_sub(self.first_line)?.checked_add(1)?.try_into().ok().filter(|line| *line > 0)
    }

    /// A client's column counted from 1; none if there is no such column.
    pub fn column_from_client(&self, column: i64) -> Option<u32> {
        column.checked_sub(self.first_column)?.checked_add(1)?.try_into().ok().filter(|column| *column > 0)
    }

    /// The file of the debug information on the client's side.
    pub fn to_client(&self, file: &Path) -> PathBuf {
        let mapped = replace_prefix(file, self.map.iter().map(|(from, to)| (from, to)));
        self.sources.standard(&mapped).unwrap_or(mapped)
    }

    /// The file of the client in the debug information. Of several prefixes that fit, the longest on the client's
    /// side wins.
    pub fn from_client(&self, given: &Path) -> PathBuf {
        let mut map: Vec<_> = self.map.iter().map(|(from, to)| (to, from)).collect();
        map.sort_by_key(|(to, _)| std::cmp::Reverse(to.as_os_str().len()));
        let file = self.sources.debug_name(given);
        let file = file.as_deref().unwrap_or(given);
        replace_prefix(file, map.into_iter())
    }

    /// A file as a client wants to hear of it. One that is not there is marked so that an editor does not jump to
    /// it unasked.
    pub fn source(&self, file: &Path) -> Source {
        let known = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
        if let Some(source) = known {
            return source;
        }
        let path = self.to_client(file);
        let missing = !path.is_file();
        // A number makes a client ask for the text, and be told what to install.
        let standard = missing && is_standard(&path);
        let source = Source {
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()),
            path: Some(path.to_string_lossy().into_owned()),
            presentation_hint: missing.then(|| "deemphasize".into()),
            origin: missing.then(|| if standard { "standard library" } else { "source file not found" }.into()),
            source_reference: standard.then(|| self.sources.reference(&path)),
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), source.clone());
        source
    }

    /// A place as the async requests write it.
    pub fn location(&self, location: &Location) -> async_dap::Location {
        async_dap::Location { source: self.source(&location.file), line: self.line(location.line) }
    }
}

/// An address as a client hands it back.
pub(crate) fn address_text(address: u64) -> String {
    format!("{address:#x}")
}

/// An address that a client sends: hexadecimal with `0x`, or decimal.
pub(crate) fn parse_address(text: &str, offset: Option<i64>) -> Answer<u64> {
    let text = text.trim();
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = hexadecimal.map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        Error::new(ErrorId::InvalidArguments, format!("`{shown}` is no address: write it as 0x7f00 or 32512"))
    };
    number.map_err(|_| wrong())?.checked_add_signed(offset.unwrap_or(0)).ok_or_else(|| {
        Error::new(ErrorId::InvalidArguments, format!("`{text}` and its offset are no address together"))
    })
}

/// Paths are compared by whole components: `/src` is no prefix of `/srcs/a`.
fn replace_prefix<'a>(file: &Path, map: impl Iterator<Item = (&'a PathBuf, &'a PathBuf)>) -> PathBuf {
    for (from, to) in map {
        match file.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => return to.clone(),
            Ok(rest) => return to.join(rest),
            Err(_) => {}
        }
    }
    file.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_both_ways() {
        let map = [("/rustc/abc", "/std"), ("/rustc", "/other"), ("/build", "/home/me")];
        let map = map.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        let places = Places::new(&map, true, true);
        for (there, here) in [
            ("/rustc/abc/lib.rs", "/std/lib.rs"),
            ("/rustc/x.rs", "/other/x.rs"),
            ("/build/a/b.rs", "/home/me/a/b.rs"),
            ("/builds/a.rs", "/builds/a.rs"),
        ] {
            assert_eq!(places.to_client(Path::new(there)), Path::new(here));
            assert_eq!(places.from_client(Path::new(here)), Path::new(there));
        }
    }

    #[test]
    fn an_address_is_read_as_it_is_written() {
        assert_eq!(parse_address(&address_text(0x7f00), Some(-1)).unwrap(), 0x7eff);
        assert_eq!(parse_address(" 32 ", None).unwrap(), 32);
        for (text, offset) in [("", 0), ("0x", 0), ("main", 0), ("-1", 0), ("0x1", -2), ("0xffffffffffffffff", 1)] {
            assert_eq!(parse_address(text, Some(offset)).unwrap_err().id, ErrorId::InvalidArguments, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_as_the_client_does() {
        let from_0 = Places::new(&BTreeMap::new(), false, false);
        assert_eq!((from_0.line(5), from_0.line_from_client(4), from_0.line_from_client(-1)), (4, Some(5), None));
        let from_1 = Places::default();
        assert_eq!((from_1.line(5), from_1.line_from_client(5), from_1.line_from_client(0)), (5, Some(5), None));
        assert_eq!((from_1.line_from_client(i64::MIN), from_1.line_from_client(i64::MAX)), (None, None));
        assert_eq!((from_1.column(0), from_0.column(0)), (1, 0));
    }
}
