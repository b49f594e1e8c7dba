//! Where a breakpoint landed in one file.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use weft_memory::FileAddr;
use weft_symbols::{Image, SourceLine};

use super::Asked;

/// What looking in a file came to: a sentence where it failed.
pub(crate) type Search = Result<Option<Found>, String>;

/// Code that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The line it is on, if it is on one.
    pub(crate) at: Option<SourceLine>,
    /// Where a trap belongs.
    pub(crate) addresses: Vec<FileAddr>,
    /// How much it is what was meant.
    pub(crate) rank: Rank,
    /// What is worth saying about it.
    pub(crate) remark: Option<String>,
}

/// How much something that fits is what somebody meant who wrote a function's name, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A symbol of a file without debug information.
    Symbol,
    /// Not the user's code.
    Library,
    /// The user's code.
    Own,
    /// All of its path was written.
    Whole,
    /// All of the path of something of the user's was written; and whatever is not asked for by name.
    WholeOwn,
}

/// What a file of the program has where it does not have the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Instead {
    /// Nothing worth saying.
    #[default]
    Nothing,
    /// Other lines of the source file.
    OtherLines,
    /// A source file that may be the same one, under another path.
    Similar(Arc<Path>),
}

/// A file, and what was found in it.
#[derive(Clone, Debug)]
pub(crate) struct Landing {
    pub(crate) image: Arc<Image>,
    pub(crate) search: Search,
    instead: OnceLock<Instead>,
}

impl Landing {
    pub(super) fn look(image: &Arc<Image>, asked: &Asked) -> Self {
        let search = match asked {
            Asked::Line { file, line, column } => super::lines::look(image, file, *line, *column),
            Asked::Function { name } => super::functions::look(image, name),
            // An address says by itself which file it is in.
            Asked::Instruction { .. } => Ok(None),
        };
        Self { image: image.clone(), search, instead: OnceLock::new() }
    }

    /// What the file has instead of a line of a source file. It takes a walk through the file, so it is asked only of
    /// a breakpoint that is set nowhere.
    pub(super) fn instead(&self, source: &Path) -> &Instead {
        self.instead.get_or_init(|| super::lines::instead(&self.image, source))
    }

    pub(super) fn is_found(&self) -> bool {
        matches!(&self.search, Ok(Some(_)))
    }
}

/// Where a breakpoint is, all files taken together.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) at: Option<SourceLine>,
    pub(super) locations: Vec<(Arc<Image>, FileAddr)>,
    pub(super) remark: Option<String>,
    /// The source file that may be the one asked for.
    pub(super) similar: Option<Arc<Path>>,
}
