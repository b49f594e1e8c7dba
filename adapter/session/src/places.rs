//! Where things are, as the client counts and names it: lines from 0 or 1, paths under `sourceMap`, as text or as URIs.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use weft_protocol::spec::Source;
use weft_protocol::{Error, ErrorId, async_dap};
use weft_tasks::Location;

use crate::debuggee::Answer;
use crate::encoding;
use crate::paths::{Prefix, SourcePaths, without_common_tail};
use crate::sources::{Sources, is_standard};

/// How a client writes and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its first line is 1.
    pub lines_from_1: bool,
    /// Its first column is 1.
    pub columns_from_1: bool,
    /// Paths are `file:` URIs.
    pub uris: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { lines_from_1: true, columns_from_1: true, uris: false }
    }
}

/// Translates places both ways.
#[derive(Debug, Default)]
pub struct Places {
    paths: SourcePaths,
    style: Style,
    /// Sources already made: each costs a look at the file system.
    made: Mutex<HashMap<PathBuf, Source>>,
    sources: Arc<Sources>,
}

impl Places {
    /// With the `sourceMap` of a configuration, the folder that it speaks of, and the style of a client.
    pub fn new(source_map: &BTreeMap<String, String>, folder: &Path, style: Style) -> Self {
        Self { paths: SourcePaths::new(source_map, folder), style, ..Self::default() }
    }

    /// The same machine and session with another configuration: what was found out, and numbers, stay.
    pub(crate) fn again(&self, source_map: &BTreeMap<String, String>, folder: &Path, style: Style) -> Self {
        Self { sources: Arc::clone(&self.sources), ..Self::new(source_map, folder, style) }
    }

    /// What is known of source files on this machine.
    pub(crate) fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// What `sourceMap` says and what `folder` has.
    pub(crate) fn paths(&self) -> &SourcePaths {
        &self.paths
    }

    /// A line as the client counts it.
    pub fn line(&self, line: u32) -> i64 {
        i64::from(line).saturating_sub(1).saturating_add(self.style.lines_from_1.into())
    }

    /// A column as the client counts it; its first when none is known.
    pub fn column(&self, column: u32) -> i64 {
        i64::from(column.max(1)).saturating_sub(1).saturating_add(self.style.columns_from_1.into())
    }

    /// A client's line counted from 1; none if there is no such line.
    pub fn line_from_client(&self, line: i64) -> Option<u32> {
        from_client(line, self.style.lines_from_1)
    }

    /// A client's column counted from 1; none if there is no such column.
    pub fn column_from_client(&self, column: i64) -> Option<u32> {
        from_client(column, self.style.columns_from_1)
    }

    /// The file of the debug information on the client's side.
    pub fn to_client(&self, file: &Path) -> PathBuf {
        let mapped = self.paths.mapped(file);
        let local = self.sources.standard(&mapped).unwrap_or(mapped);
        self.paths.seen(local)
    }

    /// What the debug information calls a file of the client's.
    pub fn from_client(&self, given: &Path) -> PathBuf {
        let standard = || self.sources.debug_name(given);
        self.paths.unmapped(given).or_else(standard).unwrap_or_else(|| given.to_owned())
    }

    /// The file that a client means; `None` where it names none.
    pub fn path_of(&self, source: &Source) -> Option<PathBuf> {
        let path = source.path.as_deref().filter(|path| !path.is_empty());
        let exact = source.adapter_data.as_ref().and_then(|data| data.get(PATH)?.as_str()).map(encoding::decode);
        let exact = exact.filter(|exact| path.is_none_or(|path| exact.to_string_lossy() == path));
        let given = || if self.style.uris { encoding::from_uri(path?) } else { path.map(PathBuf::from) };
        let numbered = || self.sources.find(source.source_reference?);
        exact.or_else(given).or_else(numbered)
    }

    /// A path as the client writes it. What is no UTF-8 is lost in it, but not in a URI.
    pub(crate) fn text(&self, path: &Path) -> String {
        if self.style.uris { encoding::to_uri(path) } else { path.to_string_lossy().into_owned() }
    }

    /// The client calls a file of the debug information by this name: others of the same folder are shown where it sees
    /// them.
    pub(crate) fn learn(&self, name: &Path, file: &Path) {
        let mapped = self.paths.mapped(file);
        if self.paths.learn(name, &mapped) {
            self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
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
        let standard = missing && is_standard(&path);
        let unspeakable = !self.style.uris && path.to_str().is_none();
        let source = Source {
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()),
            path: Some(self.text(&path)),
            presentation_hint: missing.then(|| "deemphasize".into()),
            origin: missing.then(|| if standard { "standard library" } else { "source file not found" }.into()),
            // A number makes a client ask for the text: it cannot open the file, or is told what to install.
            source_reference: (standard || (unspeakable && !missing)).then(|| self.sources.reference(&path)),
            adapter_data: unspeakable.then(|| json!({ PATH: encoding::encode(&path) })),
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), source.clone());
        source
    }

    /// A place as the async requests write it.
    pub fn location(&self, location: &Location) -> async_dap::Location {
        async_dap::Location { source: self.source(&location.file), line: self.line(location.line) }
    }

    /// What to do about a file of the user's own that is not on this machine: said once for its prefix, and only if there
    /// is such a file below the session's folder.
    pub(crate) fn advice(&self, file: &Path) -> Option<String> {
        let source = self.source(file);
        source.origin.filter(|_| source.source_reference.is_none())?;
        let mapped = self.paths.mapped(file);
        let entry = self.paths.suggest(&mapped)?;
        let (file, local) = (mapped.display(), replaced(&mapped, &entry));
        let entry = entry_text(&entry);
        Some(format!(
            "{file} is not on this machine, {} is: if that is the same file, add {entry} to the launch configuration",
            local.display()
        ))
    }

    /// What to do about a client's file that the program has under another path, it seems.
    pub(crate) fn advice_for(&self, given: &Path, similar: &Path) -> Option<String> {
        let entry = without_common_tail(similar, given);
        let known = self.paths.mapped(similar) != similar;
        given.is_absolute().then(|| match known {
            true => format!("it has {}, which `sourceMap` leads elsewhere", similar.display()),
            false => {
                format!("it has {}: if that is the same file, add {}", similar.display(), entry_text(&entry))
            }
        })
    }
}

/// The key of `adapterData` under which a path stands that the client could not write.
const PATH: &str = "path";

fn replaced(file: &Path, (from, to): &Prefix) -> PathBuf {
    file.strip_prefix(from).map_or_else(|_| file.to_owned(), |rest| to.join(rest))
}

/// An entry as it is written into a configuration.
fn entry_text((from, to): &Prefix) -> String {
    let text = |path: &Path| Value::from(path.to_string_lossy());
    format!("\"sourceMap\": {{{}: {}}}", text(from), text(to))
}

fn from_client(number: i64, from_1: bool) -> Option<u32> {
    number.checked_sub(from_1.into())?.checked_add(1)?.try_into().ok().filter(|number| *number > 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(lines_from_1: bool) -> Places {
        let style = Style { lines_from_1, columns_from_1: lines_from_1, uris: false };
        Places::new(&BTreeMap::new(), Path::new("/"), style)
    }

    #[test]
    fn a_path_that_json_cannot_hold_comes_back_whole() {
        use std::os::unix::ffi::OsStrExt;
        let file = Path::new(std::ffi::OsStr::from_bytes(b"/nowhere/m\xfcll.rs"));
        let places = Places::default();
        let source = places.source(file);
        assert_eq!(source.path.as_deref(), Some("/nowhere/m\u{fffd}ll.rs"));
        assert_eq!(places.path_of(&source).as_deref(), Some(file));
        // Data of another file is not believed.
        let other = Source { path: Some("/nowhere/other.rs".into()), ..source };
        assert_eq!(places.path_of(&other), Some("/nowhere/other.rs".into()));
        let style = Style { uris: true, ..Style::default() };
        let places = Places::new(&BTreeMap::new(), Path::new("/"), style);
        let source = places.source(file);
        assert_eq!(source.path.as_deref(), Some("file:///nowhere/m%FCll.rs"));
        assert_eq!((places.path_of(&source).as_deref(), source.adapter_data), (Some(file), None));
    }

    #[test]
    fn the_map_that_is_missing_is_written_out() {
        let places = Places::default();
        let advice = places.advice_for(Path::new("/home/me/p/src/a.rs"), Path::new("/build/src/a.rs")).unwrap();
        assert!(advice.ends_with(r#"add "sourceMap": {"/build": "/home/me/p"}"#), "{advice}");
        let advice = places.advice_for(Path::new("/home/me/p/src/a.rs"), Path::new("src/a.rs")).unwrap();
        assert!(advice.ends_with(r#"add "sourceMap": {"": "/home/me/p"}"#), "{advice}");
        assert_eq!(places.advice_for(Path::new("src/a.rs"), Path::new("/build/src/a.rs")), None);
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
        let from_0 = counting(false);
        assert_eq!((from_0.line(5), from_0.line_from_client(4), from_0.line_from_client(-1)), (4, Some(5), None));
        let from_1 = counting(true);
        assert_eq!((from_1.line(5), from_1.line_from_client(5), from_1.line_from_client(0)), (5, Some(5), None));
        assert_eq!((from_1.line_from_client(i64::MIN), from_1.line_from_client(i64::MAX)), (None, None));
        assert_eq!((from_1.column(0), from_0.column(0)), (1, 0));
    }
}
