//! Which namespace, type or function a DIE lies in: a table per unit, built when a path is first asked for.

use std::fmt::Write as _;
use std::sync::Arc;

use gimli::UnitOffset;

use crate::dies::{DieReader, Entry, origins};
use crate::skim::{Met, skim};
use crate::units::UnitIndex;
use crate::{DieOffset, Image, SymbolError};

/// Deepest nesting of scopes that is followed; real code has about ten levels.
const MAX_DEPTH: usize = 64;

/// What lies in no other scope has this for a parent.
const NO_PARENT: u32 = u32::MAX;

/// A DIE that gives its name to the paths of what lies in it. Offsets count from the unit's header.
#[derive(Debug)]
struct Scope {
    start: u32,
    /// Behind its last child.
    end: u32,
    /// Its place in the list; [`NO_PARENT`] if it is an outermost one.
    parent: u32,
}

/// The scopes of a unit, by offset.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    list: Vec<Scope>,
}

fn is_scope(tag: gimli::DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_namespace
            | gimli::DW_TAG_module
            | gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_enumeration_type
            | gimli::DW_TAG_subprogram
    )
}

/// The scopes of a unit, while it is walked over.
#[derive(Default)]
pub(crate) struct Scoping {
    list: Vec<Scope>,
    /// Open scopes with the depth of their children.
    open: Vec<(u32, isize)>,
}

impl Scoping {
    /// Takes note of what the walk meets.
    #[inline]
    pub(crate) fn meet(&mut self, met: &Met<'_>) {
        match *met {
            Met::Die(die, depth, kind) if kind.has_children && is_scope(kind.tag) => {
                let (Ok(start), Ok(index)) = (u32::try_from(die.0), u32::try_from(self.list.len())) else { return };
                let parent = self.open.last().map_or(NO_PARENT, |(index, _)| *index);
                self.list.push(Scope { start, end: u32::MAX, parent });
                self.open.push((index, depth.saturating_add(1)));
            }
            Met::Die(..) => {}
            Met::End(end, depth) => {
                let end = u32::try_from(end.0).unwrap_or(u32::MAX);
                while let Some((index, _)) = self.open.pop_if(|(_, inner)| *inner >= depth) {
                    if let Some(scope) = self.list.get_mut(index as usize) {
                        scope.end = end;
                    }
                }
            }
        }
    }

    /// The unit is over.
    pub(crate) fn done(mut self) -> Scopes {
        self.list.shrink_to_fit();
        Scopes { list: self.list }
    }
}

impl Scopes {
    /// One walk over the unit.
    fn read(reader: &DieReader<'_>) -> gimli::Result<Self> {
        let mut scoping = Scoping::default();
        skim(reader.unit(), |met| scoping.meet(&met))?;
        Ok(scoping.done())
    }

    /// The scopes around a DIE, innermost first, the DIE itself left out.
    fn around(&self, die: UnitOffset) -> Vec<UnitOffset> {
        let mut found = Vec::new();
        let before = self.list.partition_point(|scope| (scope.start as usize) < die.0);
        let mut at = before.checked_sub(1);
        // No list is so long that it has a place `NO_PARENT`.
        while let Some(scope) = at.and_then(|index| self.list.get(index)) {
            if die.0 < scope.end as usize {
                found.push(UnitOffset(scope.start as usize));
                if found.len() >= MAX_DEPTH {
                    break;
                }
            }
            at = Some(scope.parent as usize);
        }
        found
    }
}

impl Image {
    /// Keeps the scopes of a unit that was walked over for something else.
    pub(crate) fn keep_scopes(&self, unit: UnitIndex, scopes: Scopes) {
        self.cache().scopes.get_or_make(unit, || Some(Arc::new(scopes)));
    }

    fn scopes(&self, unit: UnitIndex) -> Option<Arc<Scopes>> {
        self.cache().scopes.get_or_make(unit, || {
            let reader = DieReader::of_unit(self, unit).ok()?;
            match Scopes::read(&reader) {
                Ok(scopes) => Some(Arc::new(scopes)),
                Err(error) => {
                    tracing::debug!(file = %self.name(), unit, %error, "scopes of a unit cannot be read");
                    None
                }
            }
        })
    }

    /// Names of the scopes around a DIE, outermost first. Members of a type that are defined outside of it count as
    /// lying where they were declared.
    pub(crate) fn scope_names(&self, die: DieOffset) -> Result<Vec<String>, SymbolError> {
        let (reader, offset) = DieReader::at(self, die)?;
        let Some(scopes) = self.scopes(reader.index()) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for scope in scopes.around(offset) {
            let entry = reader.entry(scope)?;
            let name = reader.name(&entry).or_else(|| self.origin_name(&reader, &entry));
            names.push(name.unwrap_or_else(|| String::from("{unnamed}")));
        }
        names.reverse();
        Ok(names)
    }

    fn origin_name<'a>(&'a self, reader: &DieReader<'a>, entry: &Entry<'a>) -> Option<String> {
        let chain = origins(self, reader.die_of(entry)?).ok()?;
        chain.iter().find_map(|(reader, entry)| reader.name(entry))
    }
}

/// Components of a path as they are written.
pub(crate) fn join(scopes: &[String], name: &str) -> String {
    let mut path = String::new();
    for scope in scopes {
        let _ = write!(path, "{scope}::");
    }
    path.push_str(name);
    path
}
