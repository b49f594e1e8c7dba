//! The pass that makes the index: every unit read once, front to back, by a few threads. It reads no string.

use std::sync::atomic::{AtomicUsize, Ordering};

use gimli::{Abbreviation, AttributeValue, DebugInfoOffset, EntriesRaw, LittleEndian, SectionId};
use rustc_hash::FxHashMap;

use crate::interned::{INLINE, Names, Node, NodeId, ROOT};
use crate::sections::Slice;
use crate::space::UnitPlace;
use crate::statics;
use crate::units::UnitSource;
use crate::{DieOffset, Image};

/// Threads at most: the pass is bound by memory long before.
const MAX_THREADS: usize = 8;
/// References followed from a copy of a function to the DIE that has its name.
const MAX_ORIGINS: usize = 8;
/// A function that has code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundFunction {
    pub(crate) address: u64,
    pub(crate) die: DieOffset,
    pub(crate) node: NodeId,
}

/// What the pass finds.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) names: Names,
    /// One DIE per path: the first of the file.
    pub(crate) types: FxHashMap<NodeId, DieOffset>,
    pub(crate) functions: Vec<FoundFunction>,
    /// Abstract DIEs of functions that were inlined somewhere.
    pub(crate) inlined: Vec<(NodeId, DieOffset)>,
    pub(crate) statics: Vec<(NodeId, DieOffset)>,
}

/// A function's name, or where to look for it.
#[derive(Clone, Copy, Debug)]
enum Named {
    Here(Node),
    At(DieOffset),
}

/// What one thread finds.
struct Part {
    found: Found,
    /// Functions without code of their own: declarations and abstract ones, by DIE.
    named: Vec<(DieOffset, Named)>,
    /// Functions with code whose name stands elsewhere: address, DIE, where.
    pending: Vec<(u64, DieOffset, DieOffset)>,
    /// Functions of which copies were inlined, by DIE.
    inlined: Vec<DieOffset>,
}

/// Reads all units. A unit that breaks off gives what was read of it.
pub(crate) fn run(image: &Image) -> Found {
    let next = AtomicUsize::new(0);
    let units = image.units().list().len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(units.max(1));
    // Threads of its own and not a shared pool: callers wait for the index inside jobs of that pool.
    let mut parts: Vec<Part> = std::thread::scope(|scope| {
        let spawned: Vec<_> = (1..threads).map(|_| scope.spawn(|| Part::collect(image, &next))).collect();
        let mut parts = vec![Part::collect(image, &next)];
        parts.extend(spawned.into_iter().filter_map(|thread| thread.join().ok()));
        parts
    });
    image.sections().release(SectionId::DebugAbbrev);
    image.sections().release(SectionId::DebugStrOffsets);
    let mut whole = if parts.is_empty() { Part::new() } else { parts.swap_remove(0) };
    for part in parts {
        whole.absorb(part);
    }
    whole.finish()
}

impl Part {
    fn new() -> Self {
        let found = Found {
            names: Names::new(),
            types: FxHashMap::default(),
            functions: Vec::new(),
            inlined: Vec::new(),
            statics: Vec::new(),
        };
        Self { found, named: Vec::new(), pending: Vec::new(), inlined: Vec::new() }
    }

    fn collect(image: &Image, next: &AtomicUsize) -> Self {
        let mut part = Self::new();
        let mut bytes = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= image.units().list().len() {
                return part;
            }
            let Ok(source) = image.unit_source(index) else { continue };
            source.sections.read_into(SectionId::DebugInfo, source.offset, source.length, &mut bytes);
            if let Err(error) = part.read_unit(image, &source, &bytes) {
                tracing::debug!(%error, unit = index, file = %image.name(), "a unit breaks off");
            }
        }
    }

    fn read_unit(&mut self, image: &Image, source: &UnitSource<'_>, bytes: &[u8]) -> gimli::Result<()> {
        let info = gimli::DebugInfo::new(bytes, LittleEndian);
        let header = info.header_from_offset(DebugInfoOffset(0))?;
        let abbreviations = source.dwarf.debug_abbrev.abbreviations(header.debug_abbrev_offset())?;
        let unit = source.root.unit(header, std::sync::Arc::new(abbreviations));
        let entries = unit.entries_raw(None)?;
        UnitWalk { image, dwarf: &source.dwarf, unit: &unit, place: source.place, part: self, scopes: Vec::new() }
            .run(entries)
    }

    /// Takes over what another thread found.
    fn absorb(&mut self, other: Self) {
        let names = &mut self.found.names;
        let mut map: Vec<NodeId> = vec![ROOT];
        let mapped = |map: &[NodeId], id: NodeId| -> NodeId {
            usize::try_from(id).ok().and_then(|id| map.get(id)).copied().unwrap_or(ROOT)
        };
        let string = |names: &mut Names, string: u32| match other.found.names.string(string) {
            Ok(bytes) => names.intern_inline(bytes),
            Err(_) => string,
        };
        for node in other.found.names.nodes.iter().skip(1) {
            let string = string(names, node.string);
            map.push(names.intern(mapped(&map, node.parent), string));
        }
        for (node, die) in other.found.types {
            let known = self.found.types.entry(mapped(&map, node)).or_insert(die);
            *known = die.min(*known);
        }
        let functions = other.found.functions.iter();
        self.found.functions.extend(functions.map(|found| FoundFunction { node: mapped(&map, found.node), ..*found }));
        self.found.statics.extend(other.found.statics.iter().map(|(node, die)| (mapped(&map, *node), *die)));
        self.pending.extend(other.pending);
        self.inlined.extend(other.inlined);
        self.named.extend(other.named.iter().map(|(die, named)| {
            let named = match named {
                Named::At(at) => Named::At(*at),
                Named::Here(node) => {
                    Named::Here(Node { parent: mapped(&map, node.parent), string: string(names, node.string) })
                }
            };
            (*die, named)
        }));
    }

    /// Gives the functions whose name stands elsewhere their names; units of release builds refer to one another, so
    /// this waits for the last unit.
    fn finish(mut self) -> Found {
        self.named.sort_unstable_by_key(|(die, _)| *die);
        for (address, die, origin) in std::mem::take(&mut self.pending) {
            if let Some(node) = self.name_of(origin) {
                self.found.functions.push(FoundFunction { address, die, node });
            }
        }
        for die in std::mem::take(&mut self.inlined) {
            if let Some(node) = self.name_of(die) {
                self.found.inlined.push((node, die));
            }
        }
        let mut found = self.found;
        found.names.seal();
        found
    }
}

impl Part {
    /// The name of a function without code of its own.
    fn name_of(&mut self, die: DieOffset) -> Option<NodeId> {
        let mut at = die;
        for _ in 0..MAX_ORIGINS {
            let found = self.named.binary_search_by_key(&at, |(die, _)| *die).ok()?;
            match self.named.get(found)? {
                (_, Named::At(next)) => at = *next,
                (_, Named::Here(node)) => {
                    let node = *node;
                    return Some(self.found.names.intern(node.parent, node.string));
                }
            }
        }
        None
    }
}

/// One unit's walk.
struct UnitWalk<'a, 's> {
    image: &'a Image,
    dwarf: &'a gimli::Dwarf<Slice<'s>>,
    unit: &'a gimli::Unit<Slice<'s>>,
    /// Its own bytes begin at 0 here.
    place: UnitPlace,
    part: &'a mut Part,
    /// Scopes around the DIE at hand: depth, node, and whether types in it count (not inside a type).
    scopes: Vec<(isize, NodeId, bool)>,
}

/// Attributes that matter to the index.
#[derive(Default)]
struct Attributes {
    name: Option<u32>,
    low_pc: Option<u64>,
    origin: Option<DieOffset>,
    declaration: bool,
    inlined: bool,
    live_static: bool,
}

impl<'s> UnitWalk<'_, 's> {
    fn run(&mut self, mut entries: EntriesRaw<'_, Slice<'s>>) -> gimli::Result<()> {
        // Nothing inside a function counts: depth of the function.
        let mut function: Option<isize> = None;
        while !entries.is_empty() {
            let (depth, offset) = (entries.next_depth(), entries.next_offset());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            if function.is_some_and(|function| depth > function) {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            function = None;
            let die = self.place.die(offset);
            while self.scopes.last().is_some_and(|(scope, ..)| *scope >= depth) {
                self.scopes.pop();
            }
            match (abbreviation.tag(), die) {
                (gimli::DW_TAG_namespace, _) => self.scope(&mut entries, abbreviation, depth)?,
                (
                    gimli::DW_TAG_structure_type
                    | gimli::DW_TAG_class_type
                    | gimli::DW_TAG_union_type
                    | gimli::DW_TAG_enumeration_type
                    | gimli::DW_TAG_base_type,
                    Some(die),
                ) => self.type_entry(&mut entries, abbreviation, depth, die)?,
                (gimli::DW_TAG_subprogram, Some(die)) => {
                    function = Some(depth);
                    self.function(&mut entries, abbreviation, die)?;
                }
                (gimli::DW_TAG_variable, Some(die)) => self.variable(&mut entries, abbreviation, die)?,
                _ => entries.skip_attributes(abbreviation.attributes())?,
            }
        }
        Ok(())
    }

    fn here(&self) -> (NodeId, bool) {
        self.scopes.last().map_or((ROOT, true), |(_, node, types)| (*node, *types))
    }

    fn scope(
        &mut self,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        abbreviation: &Abbreviation,
        depth: isize,
    ) -> gimli::Result<()> {
        let attributes = self.attributes(entries, abbreviation)?;
        if let Some(name) = attributes.name {
            let (parent, types) = self.here();
            let node = self.part.found.names.intern(parent, name);
            self.scopes.push((depth, node, types));
        }
        Ok(())
    }

    fn type_entry(
        &mut self,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        abbreviation: &Abbreviation,
        depth: isize,
        die: DieOffset,
    ) -> gimli::Result<()> {
        let (parent, counts) = self.here();
        if !counts {
            // The payload of an enum's variant.
            return entries.skip_attributes(abbreviation.attributes());
        }
        let attributes = self.attributes(entries, abbreviation)?;
        let Some(name) = attributes.name else { return Ok(()) };
        let node = self.part.found.names.intern(parent, name);
        if abbreviation.has_children() {
            self.scopes.push((depth, node, false));
        }
        if !attributes.declaration {
            let known = self.part.found.types.entry(node).or_insert(die);
            *known = die.min(*known);
        }
        Ok(())
    }

    fn function(
        &mut self,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        abbreviation: &Abbreviation,
        die: DieOffset,
    ) -> gimli::Result<()> {
        let attributes = self.attributes(entries, abbreviation)?;
        let (parent, _) = self.here();
        if attributes.inlined {
            self.part.inlined.push(die);
        }
        let live = attributes.low_pc.filter(|address| self.image.is_code(*address));
        match (live, attributes.name, attributes.origin) {
            (Some(address), Some(name), _) => {
                let node = self.part.found.names.intern(parent, name);
                self.part.found.functions.push(FoundFunction { address, die, node });
            }
            (Some(address), None, Some(origin)) => self.part.pending.push((address, die, origin)),
            // Dead code is nobody's origin.
            (None, ..) if attributes.low_pc.is_some() => {}
            (None, Some(string), _) => self.part.named.push((die, Named::Here(Node { parent, string }))),
            (None, None, Some(origin)) => self.part.named.push((die, Named::At(origin))),
            (_, None, None) => {}
        }
        Ok(())
    }

    fn variable(
        &mut self,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        abbreviation: &Abbreviation,
        die: DieOffset,
    ) -> gimli::Result<()> {
        let attributes = self.attributes(entries, abbreviation)?;
        if let (Some(name), true) = (attributes.name, attributes.live_static) {
            let (parent, _) = self.here();
            let node = self.part.found.names.intern(parent, name);
            self.part.found.statics.push((node, die));
        }
        Ok(())
    }

    fn attributes(
        &mut self,
        entries: &mut EntriesRaw<'_, Slice<'s>>,
        abbreviation: &Abbreviation,
    ) -> gimli::Result<Attributes> {
        let mut found = Attributes::default();
        let mut ranges = None;
        for spec in abbreviation.attributes() {
            let value = entries.read_attribute_inline(*spec)?.value();
            match spec.name() {
                gimli::DW_AT_name => found.name = self.string(value),
                gimli::DW_AT_low_pc => found.low_pc = self.dwarf.attr_address(self.unit, value)?,
                gimli::DW_AT_ranges => ranges = Some(value),
                gimli::DW_AT_declaration => found.declaration = true,
                gimli::DW_AT_inline => found.inlined = true,
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => found.origin = self.place.reference(value),
                gimli::DW_AT_location => {
                    if let AttributeValue::Exprloc(expression) = value {
                        found.live_static = statics::is_live(self.image, self.dwarf, self.unit, expression);
                    }
                }
                _ => {}
            }
        }
        if let (None, Some(value)) = (found.low_pc, ranges) {
            found.low_pc = self.first_address(value)?;
        }
        Ok(found)
    }

    /// Where a split function begins.
    fn first_address(&self, value: AttributeValue<Slice<'s>>) -> gimli::Result<Option<u64>> {
        let Some(mut ranges) = self.dwarf.attr_ranges(self.unit, value)? else { return Ok(None) };
        Ok(ranges.next()?.map(|range| range.begin))
    }

    fn string(&mut self, value: AttributeValue<Slice<'s>>) -> Option<u32> {
        let offset = match value {
            AttributeValue::DebugStrRef(offset) => offset.0,
            AttributeValue::DebugStrOffsetsIndex(index) => self.dwarf.string_offset(self.unit, index).ok()?.0,
            AttributeValue::String(bytes) => return Some(self.part.found.names.intern_inline(bytes.slice())),
            _ => return None,
        };
        u32::try_from(offset).ok().filter(|offset| *offset & INLINE == 0)
    }
}
