//! Addresses to functions, inlined ones included, and what a function is called.

use std::ops::Range;
use std::sync::Arc;

use weft_memory::FileAddr;

use crate::dies::{DieReader, Entry, Visit, origins};
use crate::scopes::{Scopes, Scoping};
use crate::skim::{Met, skim};
use crate::units::UnitIndex;
use crate::wrappers::PathFacts;
use crate::{DieOffset, FunctionEntry, Image, SourceLine, SymbolError, Type, TypeKind, naming};

/// Deepest chain of inlined copies that is followed at one address; release builds of async code reach about forty.
const MAX_INLINE_DEPTH: usize = 512;

/// What a function is in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// `fn`.
    Plain,
    /// The poll function of an `async fn` (`{async_fn#N}`).
    AsyncFn,
    /// The poll function of an `async {}` block (`{async_block#N}`).
    AsyncBlock,
    /// The poll function of an async closure's body (`{async_closure#N}`).
    AsyncClosure,
    /// A closure's body (`{closure#N}`).
    Closure,
    /// `drop_in_place<T>` and shims made by the compiler.
    Glue,
}

impl FunctionKind {
    /// Whether this is a coroutine's poll function.
    pub const fn is_coroutine(self) -> bool {
        matches!(self, Self::AsyncFn | Self::AsyncBlock | Self::AsyncClosure)
    }
}

/// A function as the debug information describes it, apart from any one address.
#[derive(Clone, Debug)]
pub struct Function {
    /// What a user reads: the crate path with the impl's Self type, ` {async block}` added for blocks, no hash, no
    /// `{{closure}}` (contract: Frame names).
    pub name: String,
    /// The path of namespaces as in the debug information: `mini_redis::server::{impl#0}::accept::{async_fn#0}`.
    pub path: String,
    /// The mangled name.
    pub linkage_name: Option<String>,
    /// First component of the path: `mini_redis`.
    pub krate: String,
    /// What it is.
    pub kind: FunctionKind,
    /// Where it is declared.
    pub declared: Option<SourceLine>,
    /// The DIE that holds name and parameters (abstract origin, if there is one).
    pub die: DieOffset,
}

/// One function at one address: the concrete function, or one that was inlined there.
#[derive(Clone, Debug)]
pub struct CodeFrame {
    /// The file it is in.
    pub image: Arc<Image>,
    /// What.
    pub function: Arc<Function>,
    /// All the code of this copy of it.
    pub ranges: Vec<Range<FileAddr>>,
    /// Its entry; for an inlined copy the lowest address.
    pub entry: FileAddr,
    /// For an inlined copy, where it was called.
    pub call_site: Option<SourceLine>,
    /// The DIE of this copy (`DW_TAG_subprogram` or `DW_TAG_inlined_subroutine`); its variables are below it.
    pub die: DieOffset,
    /// How deep it is inlined; 0 for the concrete function.
    pub inline_depth: u32,
}

/// A [`CodeFrame`] as its image keeps it: without the image.
#[derive(Clone, Debug)]
pub(crate) struct KeptFrame {
    function: Arc<Function>,
    ranges: Vec<Range<FileAddr>>,
    entry: FileAddr,
    call_site: Option<SourceLine>,
    die: DieOffset,
    inline_depth: u32,
}

impl From<CodeFrame> for KeptFrame {
    fn from(frame: CodeFrame) -> Self {
        let CodeFrame { image: _, function, ranges, entry, call_site, die, inline_depth } = frame;
        Self { function, ranges, entry, call_site, die, inline_depth }
    }
}

impl KeptFrame {
    fn of(self, image: &Arc<Image>) -> CodeFrame {
        let Self { function, ranges, entry, call_site, die, inline_depth } = self;
        CodeFrame { image: image.clone(), function, ranges, entry, call_site, die, inline_depth }
    }
}

impl CodeFrame {
    /// Template parameters of the concrete function or copy, by name (`T`, `S`).
    pub fn template_argument(&self, name: &str) -> Option<Type> {
        let of = |die| self.image.template_argument_below(die, name).ok().flatten();
        let found = of(self.die).or_else(|| (self.function.die != self.die).then(|| of(self.function.die))?)?;
        self.image.type_at(found)
    }

    /// The code of copies that were inlined directly into this one, by address; what is inlined into those lies within.
    /// Stepping leaves out rows of inlined callees with it.
    pub fn inlined_ranges(&self) -> Result<Vec<Range<FileAddr>>, SymbolError> {
        let (reader, offset) = DieReader::at(&self.image, self.die)?;
        let mut ranges = Vec::new();
        reader.walk(
            offset,
            |tag| tag == gimli::DW_TAG_inlined_subroutine,
            |copy, _| {
                ranges.extend(reader.ranges(copy)?);
                Ok(Visit::Past)
            },
        )?;
        ranges.sort_unstable_by_key(|range| range.start);
        Ok(ranges)
    }

    /// What the function returns; none for `()`.
    pub fn return_type(&self) -> Option<Type> {
        self.image.result_of(self.die)
    }

    /// For a coroutine's poll function: the type of its environment (`{async_fn_env#0}`), from its unnamed parameter.
    pub fn environment_type(&self) -> Option<Type> {
        self.image.environment_of(self.die).or_else(|| self.image.environment_of(self.function.die))
    }
}

/// Where the functions of a unit have their code; sorted by address. One row per range.
#[derive(Debug, Default)]
pub(crate) struct CodeTable {
    rows: Vec<(u64, u64, DieOffset)>,
}

impl CodeTable {
    /// Reads the unit, and gives its scopes on the way: whoever asks for a function will ask what it is called.
    fn read(image: &Image, unit: UnitIndex) -> Result<(Self, Scopes), SymbolError> {
        let reader = DieReader::of_unit(image, unit)?;
        let (mut functions, mut scoping) = (Vec::new(), Scoping::default());
        // What lies in a function at this depth is its own.
        let mut inside = None;
        let meet = |met: Met<'_>| {
            scoping.meet(&met);
            let Met::Die(die, depth, kind) = met else { return };
            if inside.is_some_and(|function| depth > function) {
                return;
            }
            let is_function = kind.tag == gimli::DW_TAG_subprogram;
            inside = is_function.then_some(depth);
            if is_function && kind.has_code {
                functions.push(die);
            }
        };
        skim(reader.unit(), meet).map_err(|error| reader.broken(error))?;
        let mut rows = Vec::new();
        for function in functions {
            let entry = reader.entry(function)?;
            // A function whose ranges are broken has no code here; the others keep theirs.
            let ranges = reader.ranges(&entry).unwrap_or_default();
            if let Some(die) = reader.absolute(function) {
                rows.extend(ranges.iter().map(|range| (range.start.raw(), range.end.raw(), die)));
            }
        }
        rows.sort_unstable();
        rows.shrink_to_fit();
        Ok((Self { rows }, scoping.done()))
    }

    /// Where the function's code begins that covers an address.
    fn begin(&self, pc: FileAddr) -> Option<FileAddr> {
        let behind = self.rows.partition_point(|(low, ..)| *low <= pc.raw());
        let (low, high, _) = *self.rows.get(behind.checked_sub(1)?)?;
        (pc.raw() < high).then_some(FileAddr::new(low))
    }

    /// The function that covers an address. Of functions that the linker folded into one, the first in the file.
    fn at(&self, pc: FileAddr) -> Option<DieOffset> {
        let behind = self.rows.partition_point(|(low, ..)| *low <= pc.raw());
        let (low, high, die) = *self.rows.get(behind.checked_sub(1)?)?;
        let first = self.rows.partition_point(|row| *row < (low, high, DieOffset(0)));
        let die = self.rows.get(first).filter(|row| (row.0, row.1) == (low, high)).map_or(die, |row| row.2);
        (pc.raw() < high).then_some(die)
    }
}

impl Image {
    /// The functions at an address, innermost inlined copy first, the concrete function last. Empty where there is no
    /// debug information for the address.
    pub fn frames_at(self: &Arc<Self>, pc: FileAddr) -> Result<Vec<CodeFrame>, SymbolError> {
        let kept = self.cache().frames.get_or_try(pc.raw(), || {
            let frames = self.read_frames_at(pc)?;
            Ok::<_, SymbolError>(frames.into_iter().map(KeptFrame::from).collect::<Arc<[KeptFrame]>>())
        })?;
        Ok(kept.iter().cloned().map(|kept| kept.of(self)).collect())
    }

    fn read_frames_at(self: &Arc<Self>, pc: FileAddr) -> Result<Vec<CodeFrame>, SymbolError> {
        let Some(die) = self.concrete_at(pc) else { return Ok(Vec::new()) };
        let (reader, entry) = DieReader::read(self, die)?;
        let Some(outermost) = self.frame(&reader, &entry, 0)? else { return Ok(Vec::new()) };
        let mut frames = vec![outermost];
        let mut innermost = 0;
        reader.walk(
            entry.offset(),
            |tag| tag == gimli::DW_TAG_inlined_subroutine,
            |copy, depth| {
                if depth <= innermost || frames.len() > MAX_INLINE_DEPTH {
                    // Past the innermost copy: what follows cannot cover the address.
                    return Ok(Visit::Stop);
                }
                if !reader.covers(copy, pc)? {
                    return Ok(Visit::Past);
                }
                innermost = depth;
                let inline_depth = u32::try_from(frames.len()).unwrap_or(u32::MAX);
                frames.extend(self.frame(&reader, copy, inline_depth)?);
                Ok(Visit::Into)
            },
        )?;
        frames.reverse();
        Ok(frames)
    }

    /// The concrete function's frame for an entry found in the index. `None`: its code was dropped by the linker.
    pub fn function_frame(self: &Arc<Self>, entry: &FunctionEntry) -> Result<Option<CodeFrame>, SymbolError> {
        let (reader, die) = DieReader::read(self, entry.die)?;
        self.frame(&reader, &die, 0)
    }

    /// The function that a DIE is, or is a copy of.
    pub fn function_at(self: &Arc<Self>, die: DieOffset) -> Option<Arc<Function>> {
        let chain = origins(self, die).ok()?;
        let (reader, entry) = chain.iter().find(|(_, entry)| !entry.has_attr(gimli::DW_AT_abstract_origin))?;
        let described = reader.die_of(entry)?;
        self.cache().functions.get_or_make(described, || match self.read_function(described) {
            Ok(function) => function.map(Arc::new),
            Err(error) => {
                tracing::debug!(%error, "a function cannot be read");
                None
            }
        })
    }

    /// As [`Image::function_at`], for one of so many that they are not to be kept.
    pub(crate) fn function_uncached(self: &Arc<Self>, die: DieOffset) -> Option<Arc<Function>> {
        let chain = origins(self, die).ok()?;
        let (reader, entry) = chain.iter().find(|(_, entry)| !entry.has_attr(gimli::DW_AT_abstract_origin))?;
        self.read_function(reader.die_of(entry)?).ok()?.map(Arc::new)
    }

    fn code_table(&self, unit: UnitIndex) -> Option<Arc<CodeTable>> {
        self.cache().code.get_or_make(unit, || match CodeTable::read(self, unit) {
            Ok((table, scopes)) => {
                self.keep_scopes(unit, scopes);
                Some(Arc::new(table))
            }
            Err(error) => {
                tracing::debug!(%error, unit, "functions of a unit cannot be read");
                None
            }
        })
    }

    /// Where the code begins of the concrete function that covers an address of a unit.
    pub(crate) fn code_begin(&self, unit: UnitIndex, pc: FileAddr) -> Option<FileAddr> {
        self.code_table(unit)?.begin(pc)
    }

    /// The DIE of the concrete function that covers an address.
    pub(crate) fn concrete_at(&self, pc: FileAddr) -> Option<DieOffset> {
        self.code_table(self.unit_at(pc)?)?.at(pc)
    }

    /// `None`: no live code, or not a function.
    pub(crate) fn frame<'a>(
        self: &'a Arc<Self>,
        reader: &DieReader<'a>,
        entry: &Entry<'a>,
        inline_depth: u32,
    ) -> Result<Option<CodeFrame>, SymbolError> {
        let ranges = reader.ranges(entry)?;
        let Some(die) = reader.die_of(entry) else { return Ok(None) };
        let (Some(function), Some(lowest)) = (self.function_at(die), ranges.first().map(|range| range.start)) else {
            return Ok(None);
        };
        // A function whose cold part lies elsewhere begins where its first range does.
        let entry_pc = reader
            .address(entry, gimli::DW_AT_entry_pc)
            .or_else(|| reader.first_address(entry))
            .map(FileAddr::new)
            .filter(|address| inline_depth == 0 && ranges.iter().any(|range| range.contains(address)));
        Ok(Some(CodeFrame {
            image: self.clone(),
            function,
            entry: entry_pc.unwrap_or(lowest),
            ranges,
            call_site: reader.call_site(entry),
            die,
            inline_depth,
        }))
    }

    fn read_function(self: &Arc<Self>, described: DieOffset) -> Result<Option<Function>, SymbolError> {
        let chain = origins(self, described)?;
        let Some((reader, entry)) = chain.iter().find(|(_, entry)| entry.has_attr(gimli::DW_AT_name)) else {
            return Ok(None);
        };
        let Some((name, named)) = reader.name(entry).zip(reader.die_of(entry)) else { return Ok(None) };
        let mut linkage_name = chain.iter().find_map(|(reader, entry)| reader.linkage_name(entry));
        let mut components = self.scope_names(named)?;
        if components.is_empty() && linkage_name.is_none() {
            linkage_name = chain.first().and_then(|concrete| self.symbol_of(concrete));
            components = linkage_name.as_deref().map(|mangled| naming::scope(mangled, &name)).unwrap_or_default();
        }
        let krate = components.first().cloned().unwrap_or_default();
        components.push(name.clone());
        let self_type = || self.self_parameter(described);
        let facts = PathFacts { image: self, components: &components, die: described, self_type: &self_type };
        Ok(Some(Function {
            name: naming::display(&components, linkage_name.as_deref(), &facts),
            path: components.join("::"),
            kind: naming::kind(&name, linkage_name.as_deref()),
            linkage_name,
            krate,
            declared: chain.iter().find_map(|(reader, entry)| reader.declared(entry)),
            die: described,
        }))
    }

    /// The mangled name of a concrete function by its symbol, which is all that tells its scope where debug information
    /// has nothing but lines. `None` for names of other languages than Rust.
    fn symbol_of<'a>(&self, (reader, entry): &(DieReader<'a>, Entry<'a>)) -> Option<String> {
        let address = reader.first_address(entry)?;
        let symbol = self.symbol_at(FileAddr::new(address)).filter(|symbol| symbol.address.raw() == address)?;
        naming::demangled_path(&symbol.name).map(|_| symbol.name)
    }

    /// The type of a function's parameter `self`, behind its reference.
    fn self_parameter(self: &Arc<Self>, function: DieOffset) -> Option<String> {
        let (reader, offset) = DieReader::at(self, function).ok()?;
        let mut found = None;
        let wanted = |tag| matches!(tag, gimli::DW_TAG_formal_parameter | gimli::DW_TAG_inlined_subroutine);
        let walked = reader.walk(offset, wanted, |entry, depth| {
            if depth == 1 && reader.name(entry).as_deref() == Some("self") {
                found = reader.reference(entry, gimli::DW_AT_type);
                return Ok(Visit::Stop);
            }
            Ok(Visit::Past)
        });
        walked.ok()?;
        self_type_of(&self.type_at(found?)?)
    }

    fn template_argument_below(&self, die: DieOffset, name: &str) -> Result<Option<DieOffset>, SymbolError> {
        let (reader, offset) = DieReader::at(self, die)?;
        let mut found = None;
        let wanted = |tag| {
            matches!(
                tag,
                gimli::DW_TAG_template_type_parameter | gimli::DW_TAG_inlined_subroutine | gimli::DW_TAG_lexical_block
            )
        };
        reader.walk(offset, wanted, |entry, _| {
            if entry.tag() == gimli::DW_TAG_template_type_parameter && reader.name(entry).as_deref() == Some(name) {
                found = reader.reference(entry, gimli::DW_AT_type);
                return Ok(Visit::Stop);
            }
            Ok(Visit::Past)
        })?;
        Ok(found)
    }

    /// What a function returns; none for `()`.
    pub(crate) fn result_of(self: &Arc<Self>, function: DieOffset) -> Option<Type> {
        let chain = origins(self, function).ok()?;
        let ty = chain.iter().find_map(|(reader, entry)| reader.reference(entry, gimli::DW_AT_type))?;
        self.type_at(ty)
    }

    /// The environment's type from the unnamed parameter of a poll function, `Pin<&mut env>`.
    pub(crate) fn environment_of(self: &Arc<Self>, function: DieOffset) -> Option<Type> {
        let (reader, offset) = DieReader::at(self, function).ok()?;
        let mut found = None;
        let wanted = |tag| {
            matches!(
                tag,
                gimli::DW_TAG_formal_parameter | gimli::DW_TAG_inlined_subroutine | gimli::DW_TAG_lexical_block
            )
        };
        let walked = reader.walk(offset, wanted, |entry, _| {
            if entry.tag() == gimli::DW_TAG_formal_parameter
                && let Some(ty) = reader.reference(entry, gimli::DW_AT_type)
                && let Some(environment) = self.type_at(ty).and_then(|ty| ty.pinned_coroutine())
            {
                found = Some(environment);
                return Ok(Visit::Stop);
            }
            Ok(Visit::Past)
        });
        walked.ok()?;
        found
    }
}

impl Type {
    /// The coroutine behind `Pin<&mut env>`, or behind `&mut env`: what a poll function gets.
    pub fn pinned_coroutine(&self) -> Option<Self> {
        let pointer = match self.kind() {
            TypeKind::Struct { members, .. } => self.at(members.first()?.ty?)?,
            _ => self.clone(),
        };
        match pointer.kind() {
            TypeKind::Pointer(Some(target)) => self.at(*target).filter(Self::is_coroutine),
            _ => None,
        }
    }
}

/// Other types than references that a method may take itself in (Reference, items.associated.fn.method.self-ty).
const RECEIVERS: [&str; 3] = ["alloc::boxed::Box<", "alloc::rc::Rc<", "alloc::sync::Arc<"];

/// The path of the type that `self`, of this type, names: behind one reference or box, which may be pinned.
pub(crate) fn self_type_of(ty: &Type) -> Option<String> {
    let pinned = ty.path().strip_prefix("core::pin::Pin<");
    let receiver = match pinned {
        Some(_) => ty.at(ty.members().first()?.ty?)?,
        None => ty.clone(),
    };
    let target = match receiver.kind() {
        TypeKind::Pointer(Some(target)) => receiver.at(*target)?,
        _ if RECEIVERS.iter().any(|boxed| receiver.path().starts_with(boxed)) => receiver.template_argument("T")?,
        _ => ty.clone(),
    };
    (!target.path().is_empty()).then(|| target.path().to_owned())
}
