//! Split units: compile units whose DIEs the compiler left out of the program.
//!
//! What stays in the program (a skeleton: addresses, line program, directory) names the other half by an id and the path of
//! its `.dwo` (DWARF 5, 7.3.2; in DWARF 4 GCC's extension, <https://gcc.gnu.org/wiki/DebugFission>). The other halves lie in
//! one package beside the program (`<program>.dwp`; DWARF 5, 7.3.5), or each in the file that the compiler wrote. A half
//! is believed only if it has that id: compilers make it from the unit's contents.
//!
//! A `.dwo` is looked for when its unit is first read. Compilers write these files in place, so a build during a session
//! would cut them short under a mapping: a private copy is mapped. All copies are in one file ([`Scratch`]), since there
//! may be thousands, and take no memory but for what is being looked at. Of a package too, unless it is too large for that:
//! then it is mapped where it lies, and not read any more once it was written to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gimli::{Abbreviations, DwoId, SectionId};
use rustc_hash::FxHashMap;

use crate::companion::{Companion, Names};
use crate::paths;
use crate::roots::{Root, SplitName};
use crate::sections::{Sections, Slice};
use crate::units::{parse_header, unit_ranges};
use crate::{Image, SymbolError};

/// The other half of a split unit.
#[derive(Debug)]
pub(crate) struct SplitUnit {
    file: Arc<SplitFile>,
    /// Of a package: the row of its index.
    row: u32,
    /// Of its header in the file's `.debug_info.dwo`.
    pub(crate) offset: usize,
    /// Header included.
    pub(crate) length: usize,
    pub(crate) root: Arc<Root>,
    pub(crate) abbreviations: OnceLock<Result<Arc<Abbreviations>, SymbolError>>,
}

impl SplitUnit {
    fn new(file: &Arc<SplitFile>, found: Found, skeleton: &Root) -> Option<Self> {
        let Found { row, offset, length } = found;
        let bytes = file.companion.sections.bytes(SectionId::DebugInfo).get(offset..offset.checked_add(length)?)?;
        let header = parse_header(SectionId::DebugInfo, Slice::new(bytes, gimli::LittleEndian)).ok()?;
        let root = Arc::new(skeleton.of_split(header.encoding()));
        Some(Self { file: file.clone(), row, offset, length, root, abbreviations: OnceLock::new() })
    }

    /// The file's sections.
    pub(crate) fn sections(&self) -> &Sections {
        &self.file.companion.sections
    }

    /// `gimli`'s view of what the unit is read with. It may have been there and be gone: the file was written to meanwhile.
    pub(crate) fn dwarf<'a>(&'a self, parent: &gimli::Dwarf<Slice<'a>>) -> Result<gimli::Dwarf<Slice<'a>>, Lack> {
        if self.file.is_package {
            self.sections().note_look();
            return self.file.package()?.cu_sections(self.row, parent).map_err(|error| self.file.is_broken(error));
        }
        let mut dwarf = self.sections().dwarf();
        dwarf.make_dwo(parent);
        Ok(dwarf)
    }

    /// Where the unit begins in the `.debug_info` that references in it count from.
    pub(crate) fn offset_in_view(&self) -> usize {
        if self.file.is_package { 0 } else { self.offset }
    }
}

/// A unit in a file.
#[derive(Clone, Copy, Debug)]
struct Found {
    row: u32,
    offset: usize,
    length: usize,
}

/// A package, or the file of one object.
#[derive(Debug)]
struct SplitFile {
    companion: Companion,
    is_package: bool,
    /// Of an object's file: whole-program optimisation puts many units into one.
    units: OnceLock<FxHashMap<DwoId, Found>>,
}

impl SplitFile {
    fn new(companion: Companion, is_package: bool) -> Arc<Self> {
        Arc::new(Self { companion, is_package, units: OnceLock::new() })
    }

    fn package(&self) -> Result<gimli::DwarfPackage<Slice<'_>>, Lack> {
        if !self.companion.is_unchanged() {
            return Err(Lack::Rewritten(self.companion.path().to_owned()));
        }
        let sections = &self.companion.sections;
        if !sections.has(SectionId::DebugCuIndex) {
            return Err(self.broken_section().unwrap_or_else(|| self.is_broken("it has no .debug_cu_index")));
        }
        let empty = Slice::new(&[], gimli::LittleEndian);
        gimli::DwarfPackage::load(|id| Ok::<_, gimli::Error>(sections.slice(id)), empty)
            .map_err(|error| self.broken_section().unwrap_or_else(|| self.is_broken(error)))
    }

    /// Looks for a unit; says why it is not there.
    fn find(&self, id: DwoId) -> Result<Found, Lack> {
        let found = match self.is_package {
            true => find_in_package(&self.package()?, id),
            false => self.units.get_or_init(|| self.read_units()).get(&id).copied(),
        };
        let other_build = || Lack::OtherBuild(self.companion.path().to_owned());
        found.ok_or_else(|| self.broken_section().unwrap_or_else(other_build))
    }

    fn is_broken(&self, reason: impl std::fmt::Display) -> Lack {
        Lack::Broken(self.companion.path().to_owned(), reason.to_string())
    }

    /// That a section turned out not to be readable, if one did.
    fn broken_section(&self) -> Option<Lack> {
        self.companion.broken().map(|(section, reason)| self.is_broken(format!("its {section}: {reason}")))
    }

    fn read_units(&self) -> FxHashMap<DwoId, Found> {
        let ranges = unit_ranges(&self.companion.sections, SectionId::DebugInfo);
        let found = ranges.into_iter().filter_map(|(offset, length)| {
            Some((self.id_of(offset, length).ok().flatten()?, Found { row: 0, offset, length }))
        });
        found.collect()
    }

    /// The id of a unit: in its header since DWARF 5, in its root before.
    fn id_of(&self, offset: usize, length: usize) -> gimli::Result<Option<DwoId>> {
        let sections = &self.companion.sections;
        let bytes = sections.bytes(SectionId::DebugInfo);
        let bytes = bytes.get(offset..offset.saturating_add(length)).unwrap_or(&[]);
        let header = parse_header(SectionId::DebugInfo, Slice::new(bytes, gimli::LittleEndian))?;
        if let gimli::UnitType::SplitCompilation(id) = header.type_() {
            return Ok(Some(id));
        }
        let abbreviations = sections.dwarf().abbreviations(&header)?;
        let mut entries = header.entries(&abbreviations);
        let id = entries.next_dfs()?.and_then(|root| root.attr_value(gimli::DW_AT_GNU_dwo_id));
        Ok(id.and_then(|value| if let gimli::AttributeValue::DwoId(id) = value { Some(id) } else { None }))
    }
}

fn find_in_package(package: &gimli::DwarfPackage<Slice<'_>>, id: DwoId) -> Option<Found> {
    let row = package.cu_index.find(id.0)?;
    let mut parts = package.cu_index.sections(row).ok()?;
    let info = parts.find(|part| part.section == gimli::IndexSectionId::DebugInfo)?;
    Some(Found { row, offset: usize::try_from(info.offset).ok()?, length: usize::try_from(info.size).ok()? })
}

/// A file, if there is one.
type Opened = Result<Option<Arc<SplitFile>>, Lack>;

/// The files with the other halves of an image's split units, as far as they were looked for.
#[derive(Debug, Default)]
pub(crate) struct SplitFiles {
    package: OnceLock<Opened>,
    objects: Mutex<FxHashMap<PathBuf, Opened>>,
    missing: Mutex<Missing>,
}

impl SplitFiles {
    /// Those that were opened.
    fn opened(&self) -> Vec<Arc<SplitFile>> {
        let objects: Vec<Opened> = lock(&self.objects).values().cloned().collect();
        let all = self.package.get().cloned().into_iter().chain(objects);
        all.filter_map(|opened| opened.ok().flatten()).collect()
    }
}

#[derive(Debug, Default)]
struct Missing {
    /// Units whose other half was not found.
    units: usize,
    first: Option<Lack>,
}

impl Missing {
    fn add(&mut self, lack: Option<Lack>) {
        self.units = self.units.saturating_add(1);
        self.first = self.first.take().or(lack);
    }
}

/// Why a unit's other half is not there.
#[derive(Clone, Debug)]
pub(crate) enum Lack {
    /// No such file where it was looked for.
    NoFile(PathBuf),
    /// The file is there, but not the unit that belongs to the program.
    OtherBuild(PathBuf),
    /// The file cannot be read.
    Broken(PathBuf, String),
    /// The file was written to after it was opened.
    Rewritten(PathBuf),
}

impl Image {
    /// Looks for the other half of a unit: in the package, then in the file of its object.
    pub(crate) fn find_split(&self, skeleton: &Root, name: &SplitName) -> Option<SplitUnit> {
        let paths = self.split_paths(skeleton, name);
        let package = std::iter::once_with(|| self.opened_package().clone());
        let mut lack = None;
        for file in package.chain(paths.iter().map(|path| self.split_object(path))) {
            match file {
                Ok(None) => {}
                Ok(Some(file)) => {
                    let unit = file.find(name.id).and_then(|found| {
                        let unit = SplitUnit::new(&file, found, skeleton);
                        unit.ok_or_else(|| file.is_broken("a unit has no header"))
                    });
                    match unit {
                        Ok(unit) => return Some(unit),
                        Err(error) => lack = lack.or(Some(error)),
                    }
                }
                Err(error) => lack = lack.or(Some(error)),
            }
        }
        let lack = lack.or_else(|| paths.into_iter().next().map(Lack::NoFile));
        lock(&self.split_files().missing).add(lack);
        None
    }

    /// The package, if there is one. Opens it.
    pub(crate) fn package(&self) -> Option<&Companion> {
        let opened = self.opened_package().as_ref().ok()?.as_ref();
        opened.map(|file| &file.companion)
    }

    fn opened_package(&self) -> &Opened {
        let open = || {
            let real = std::fs::canonicalize(self.path()).ok();
            let names = [Some(self.path()), real.as_deref(), self.debug_file()].into_iter().flatten();
            let names = names.flat_map(|path| [path.with_added_extension("dwp"), path.with_extension("dwp")]);
            for path in names {
                match Companion::package(&path, self.sections().scratch()) {
                    Ok(None) => {}
                    Ok(Some(companion)) => return Ok(Some(SplitFile::new(companion, true))),
                    Err(error) => return Err(Lack::Broken(path, error.to_string())),
                }
            }
            Ok(None)
        };
        self.split_files().package.get_or_init(open)
    }

    fn split_object(&self, path: &Path) -> Opened {
        if let Some(known) = lock(&self.split_files().objects).get(path) {
            return known.clone();
        }
        let opened = match Companion::copy(path, Names::Split, self.sections().scratch()) {
            Ok(companion) => Ok(companion.map(|companion| SplitFile::new(companion, false))),
            Err(error) => Err(Lack::Broken(path.to_owned(), error.to_string())),
        };
        lock(&self.split_files().objects).entry(path.to_owned()).or_insert(opened).clone()
    }

    /// Notes why a unit that was found cannot be read any more.
    pub(crate) fn note_lack(&self, lack: Lack) {
        lock(&self.split_files().missing).first.get_or_insert(lack);
    }

    /// Where the `.dwo` of a unit may be: where the compiler wrote it; if the build was moved, beside the program or in the
    /// folder beside it where cargo has them.
    fn split_paths(&self, skeleton: &Root, name: &SplitName) -> Vec<PathBuf> {
        let Some(path) = self.read_string(Some(skeleton), &name.path) else { return Vec::new() };
        let directory = skeleton.directory.as_ref().and_then(|directory| self.read_string(Some(skeleton), directory));
        let path = paths::bytes_to_path(&path);
        let written = paths::bytes_to_path(directory.as_deref().unwrap_or_default()).join(path);
        let folders = [Some(self.path().to_owned()), std::fs::canonicalize(self.path()).ok()];
        let folders = folders.iter().flatten().filter_map(|program| program.parent());
        let file = path.file_name().map(Path::new).unwrap_or(path);
        let moved = folders.flat_map(|folder| [folder.join(path), folder.join(file), folder.join("deps").join(file)]);
        let mut all: Vec<PathBuf> = Vec::new();
        for path in std::iter::once(written).chain(moved) {
            if path.is_absolute() && !all.contains(&path) {
                all.push(path);
            }
        }
        all
    }

    /// What to tell the user about split units whose other half was looked for and not found.
    pub(crate) fn missing_split(&self) -> Option<String> {
        let files = self.split_files();
        let (units, first) = {
            let missing = lock(&files.missing);
            (missing.units, missing.first.clone())
        };
        let broken = || files.opened().iter().find_map(|file| file.broken_section());
        let name = self.name();
        let why = match first.or_else(broken)? {
            Lack::NoFile(path) => format!("{} is missing", path.display()),
            Lack::OtherBuild(path) => format!("{} is of another build", path.display()),
            Lack::Broken(path, error) => format!("{} cannot be read ({error})", path.display()),
            Lack::Rewritten(path) => format!("{} was written to since", path.display()),
        };
        let more = if units > 1 { format!(", and {} more like it", units.saturating_sub(1)) } else { String::new() };
        Some(format!(
            "{name} was built with split debug information, and {why}{more}: lines and stacks work, types and variables \
             of that code do not; build again and keep the .dwo files, or put {name}.dwp beside the program"
        ))
    }
}

/// What is in there was put there whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
