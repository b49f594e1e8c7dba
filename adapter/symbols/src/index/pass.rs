//! The pass that makes the index: every unit read once, front to back, by a few threads. It reads no string.
//!
//! A thread reads a unit into a buffer of its own and notes what is in it; what was noted is then added to the one table
//! that all of them share. So memory does not depend on the number of threads, but for their buffers.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gimli::{Abbreviation, AttributeValue, EntriesRaw, LittleEndian, SectionId};

use super::interned::{INLINE, Names, Node, NodeId, ROOT, Strings};
use crate::sections::Slice;
use crate::space::UnitPlace;
use crate::statics;
use crate::units::{UnitIndex, UnitSource, parse_header};
use crate::{DieOffset, Image};

/// Threads at most: the pass is bound by memory long before.
const MAX_THREADS: usize = 4;
/// References followed from a copy of a function to the DIE that has its name.
const MAX_ORIGINS: usize = 8;
/// Bytes of a thread's buffer that are kept for its next unit.
const KEPT_BUFFER: usize = 1 << 20;

/// Of a node that is no type.
const NO_TYPE: DieOffset = DieOffset(usize::MAX);

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
    pub(crate) types: Vec<(NodeId, DieOffset)>,
    pub(crate) functions: Vec<FoundFunction>,
    /// Abstract DIEs of functions that were inlined somewhere.
    pub(crate) inlined: Vec<(NodeId, DieOffset)>,
    pub(crate) statics: Vec<(NodeId, DieOffset)>,
    /// Whether every unit was there to be read.
    pub(crate) is_whole: bool,
    /// The first unit that was read from another file, if there is one.
    pub(crate) split: Option<UnitIndex>,
}

/// A function's name, or where to look for it.
#[derive(Clone, Copy, Debug)]
enum Named {
    Here(Node),
    At(DieOffset),
}

/// What is in one unit. Nodes are numbered as they come in the unit, 0 being the outermost scope.
#[derive(Debug)]
struct UnitNames {
    nodes: Vec<Node>,
    strings: Strings,
    types: Vec<(NodeId, DieOffset)>,
    functions: Vec<FoundFunction>,
    statics: Vec<(NodeId, DieOffset)>,
    /// Functions without code of their own, declarations and abstract ones, by DIE.
    named: Vec<(DieOffset, Named)>,
    /// Functions with code whose name stands elsewhere: address, DIE, where.
    pending: Vec<(u64, DieOffset, DieOffset)>,
    /// Functions of which copies were inlined, by DIE.
    inlined: Vec<DieOffset>,
}

impl UnitNames {
    fn new() -> Self {
        Self {
            nodes: vec![Node::OUTERMOST],
            strings: Strings::new(),
            types: Vec::new(),
            functions: Vec::new(),
            statics: Vec::new(),
            named: Vec::new(),
            pending: Vec::new(),
            inlined: Vec::new(),
        }
    }

    fn add(&mut self, parent: NodeId, string: u32) -> NodeId {
        let node = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node { parent, string });
        node
    }
}

/// What is in all units read so far.
#[derive(Debug)]
struct Whole {
    names: Names,
    /// By node; [`NO_TYPE`] for one that is no type.
    types: Vec<DieOffset>,
    functions: Vec<FoundFunction>,
    statics: Vec<(NodeId, DieOffset)>,
    named: Vec<(DieOffset, Node)>,
    /// Functions whose name stands elsewhere, and where.
    forwards: Vec<(DieOffset, DieOffset)>,
    pending: Vec<(u64, DieOffset, DieOffset)>,
    inlined: Vec<DieOffset>,
    is_whole: bool,
    split: Option<UnitIndex>,
}

/// Reads all units. A unit that breaks off gives what was read of it. `None` if `read_on`, which is told of each unit how
/// many bytes it has, does not want the rest.
pub(crate) fn run(image: &Image, read_on: impl Fn(usize) -> ControlFlow<()> + Sync) -> Option<Found> {
    let next = AtomicUsize::new(0);
    let units = image.units().list().len();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(units.max(1));
    let whole = Mutex::new(Whole::new());
    // Threads of its own and not a shared pool: callers wait for the index inside jobs of that pool.
    let flow = std::thread::scope(|scope| {
        let read = || read_units(image, &next, &whole, &read_on);
        let spawned: Vec<_> = (1..threads).map(|_| scope.spawn(read)).collect();
        let own = read();
        spawned
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| lock(&whole).torn()))
            .fold(own, |all, flow| if all.is_break() { all } else { flow })
    });
    for section in [SectionId::DebugAbbrev, SectionId::DebugStrOffsets, SectionId::DebugAddr, SectionId::DebugRanges] {
        image.sections().release(section);
    }
    flow.is_continue().then(|| whole.into_inner().unwrap_or_else(PoisonError::into_inner).finish())
}

fn lock(whole: &Mutex<Whole>) -> MutexGuard<'_, Whole> {
    whole.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_units(
    image: &Image,
    next: &AtomicUsize,
    whole: &Mutex<Whole>,
    read_on: &impl Fn(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut bytes = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= image.units().list().len() {
            return ControlFlow::Continue(());
        }
        let Ok(source) = image.unit_source(index) else {
            lock(whole).torn()?;
            continue;
        };
        read_on(source.length)?;
        source.sections.read_into(source.section, source.offset, source.length, &mut bytes);
        if bytes.len() != source.length {
            lock(whole).torn()?;
        }
        let mut unit = UnitNames::new();
        if let Err(error) = read_unit(image, &source, &bytes, &mut unit) {
            tracing::debug!(%error, unit = index, file = %image.name(), "a unit breaks off");
        }
        if bytes.capacity() > KEPT_BUFFER {
            bytes = Vec::new();
        }
        if source.is_split() {
            // There may be thousands of such files, each of which is looked at once.
            source.sections.release_all();
        }
        let mut whole = lock(whole);
        if source.is_split() {
            whole.split = Some(whole.split.map_or(index, |first| first.min(index)));
        }
        whole.take(unit);
    }
}

fn read_unit(image: &Image, source: &UnitSource<'_>, bytes: &[u8], found: &mut UnitNames) -> gimli::Result<()> {
    let header = parse_header(source.section, Slice::new(bytes, LittleEndian))?;
    let abbreviations = source.dwarf.debug_abbrev.abbreviations(header.debug_abbrev_offset())?;
    let unit = source.root.unit(header, std::sync::Arc::new(abbreviations));
    let entries = unit.entries_raw(None)?;
    let (dwarf, own_strings) = (&source.dwarf, source.has_own_strings());
    UnitWalk { image, dwarf, unit: &unit, place: source.place, own_strings, found, scopes: Vec::new() }.run(entries)
}

impl Whole {
    fn new() -> Self {
        Self {
            names: Names::new(),
            types: Vec::new(),
            functions: Vec::new(),
            statics: Vec::new(),
            named: Vec::new(),
            forwards: Vec::new(),
            pending: Vec::new(),
            inlined: Vec::new(),
            is_whole: true,
            split: None,
        }
    }

    /// Something could not be read that may be there the next time; the rest is read all the same.
    fn torn(&mut self) -> ControlFlow<()> {
        self.is_whole = false;
        ControlFlow::Continue(())
    }

    /// Takes in what is in one unit.
    fn take(&mut self, unit: UnitNames) {
        let mut map: Vec<NodeId> = vec![ROOT];
        for node in unit.nodes.iter().skip(1) {
            let node = self.global(*node, &map, &unit.strings);
            map.push(self.names.intern(node));
        }
        for (node, die) in unit.types {
            self.add_type(mapped(&map, node), die);
        }
        let functions = unit.functions.into_iter();
        self.functions.extend(functions.map(|found| FoundFunction { node: mapped(&map, found.node), ..found }));
        self.statics.extend(unit.statics.into_iter().map(|(node, die)| (mapped(&map, node), die)));
        self.pending.extend(unit.pending);
        self.inlined.extend(unit.inlined);
        for (die, named) in unit.named {
            match named {
                Named::At(at) => self.forwards.push((die, at)),
                Named::Here(node) => {
                    let node = self.global(node, &map, &unit.strings);
                    self.named.push((die, node));
                }
            }
        }
    }

    /// A node of a unit, in the numbers of all units.
    fn global(&mut self, node: Node, map: &[NodeId], strings: &Strings) -> Node {
        let string = strings.get(node.string).map_or(node.string, |bytes| self.names.strings.intern(bytes));
        Node { parent: mapped(map, node.parent), string }
    }

    fn add_type(&mut self, node: NodeId, die: DieOffset) {
        let Ok(at) = usize::try_from(node) else { return };
        if self.types.len() <= at {
            self.types.resize(self.names.nodes.len().max(at.saturating_add(1)), NO_TYPE);
        }
        if let Some(known) = self.types.get_mut(at) {
            *known = die.min(*known);
        }
    }

    /// Gives the functions whose name stands elsewhere their names; units of release builds refer to one another, so
    /// this waits for the last unit.
    fn finish(mut self) -> Found {
        self.named.sort_unstable_by_key(|(die, _)| *die);
        self.forwards.sort_unstable();
        for (address, die, origin) in std::mem::take(&mut self.pending) {
            if let Some(node) = self.name_of(origin) {
                self.functions.push(FoundFunction { address, die, node });
            }
        }
        let mut inlined = Vec::new();
        for die in std::mem::take(&mut self.inlined) {
            inlined.extend(self.name_of(die).map(|node| (node, die)));
        }
        self.names.seal();
        let types = (0..).zip(self.types).filter(|(_, die)| *die != NO_TYPE).collect();
        Found {
            names: self.names,
            types,
            functions: self.functions,
            inlined,
            statics: self.statics,
            is_whole: self.is_whole,
            split: self.split,
        }
    }

    /// The name of a function without code of its own.
    fn name_of(&mut self, die: DieOffset) -> Option<NodeId> {
        let mut at = die;
        for _ in 0..MAX_ORIGINS {
            if let Ok(found) = self.named.binary_search_by_key(&at, |(die, _)| *die) {
                let (_, node) = self.named.get(found)?;
                return Some(self.names.intern(*node));
            }
            let found = self.forwards.binary_search_by_key(&at, |(die, _)| *die).ok()?;
            at = self.forwards.get(found)?.1;
        }
        None
    }
}

fn mapped(map: &[NodeId], node: NodeId) -> NodeId {
    usize::try_from(node).ok().and_then(|node| map.get(node)).copied().unwrap_or(ROOT)
}

/// One unit's walk.
struct UnitWalk<'a, 's> {
    image: &'a Image,
    dwarf: &'a gimli::Dwarf<Slice<'s>>,
    unit: &'a gimli::Unit<Slice<'s>>,
    /// Its own bytes begin at 0 here.
    place: UnitPlace,
    /// Its names are in the image's own `.debug_str`.
    own_strings: bool,
    found: &'a mut UnitNames,
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
            let node = self.found.add(parent, name);
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
        let node = self.found.add(parent, name);
        if abbreviation.has_children() {
            self.scopes.push((depth, node, false));
        }
        if !attributes.declaration {
            self.found.types.push((node, die));
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
            self.found.inlined.push(die);
        }
        let live = attributes.low_pc.filter(|address| self.image.is_code(*address));
        match (live, attributes.name, attributes.origin) {
            (Some(address), Some(name), _) => {
                let node = self.found.add(parent, name);
                self.found.functions.push(FoundFunction { address, die, node });
            }
            (Some(address), None, Some(origin)) => self.found.pending.push((address, die, origin)),
            // Dead code is nobody's origin.
            (None, ..) if attributes.low_pc.is_some() => {}
            (None, Some(string), _) => self.found.named.push((die, Named::Here(Node { parent, string }))),
            (None, None, Some(origin)) => self.found.named.push((die, Named::At(origin))),
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
            let node = self.found.add(parent, name);
            self.found.statics.push((node, die));
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
            AttributeValue::DebugStrRef(offset) if self.own_strings => Some(offset.0),
            AttributeValue::DebugStrOffsetsIndex(index) if self.own_strings => {
                Some(self.dwarf.string_offset(self.unit, index).ok()?.0)
            }
            _ => None,
        };
        let short = offset.and_then(|offset| u32::try_from(offset).ok()).filter(|offset| *offset & INLINE == 0);
        short.or_else(|| {
            let bytes = self.dwarf.attr_string(self.unit, value).ok()?;
            Some(self.found.strings.intern(bytes.slice()))
        })
    }
}
