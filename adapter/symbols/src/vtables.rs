//! Vtables to the types they are for.

use std::sync::Arc;

use gimli::AttributeValue;
use rustc_hash::FxHashMap;
use weft_memory::FileAddr;

use crate::dies::DieReader;
use crate::statics::{StaticPlace, place};
use crate::units::UnitIndex;
use crate::{DieOffset, Image, Type};

/// The vtables of one unit: address to the type of the vtable itself.
pub(crate) type UnitVtables = FxHashMap<u64, DieOffset>;

impl Image {
    /// The concrete type behind a vtable at this address (`<T as Trait>::{vtable}`, `DW_AT_containing_type`). Needs no
    /// index.
    pub fn vtable_type(self: &Arc<Self>, vtable: FileAddr) -> Option<Type> {
        let vtables = self.unit_vtables(self.unit_at(vtable)?);
        self.type_at(*vtables.get(&vtable.raw())?)
    }

    fn unit_vtables(&self, unit: UnitIndex) -> Arc<UnitVtables> {
        let cache = self.vtable_cache();
        if let Some(known) = cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&unit) {
            return known.clone();
        }
        let mut vtables = UnitVtables::default();
        if let Err(error) = self.read_vtables(unit, &mut vtables) {
            tracing::debug!(%error, file = %self.name(), "a unit breaks off");
        }
        let vtables = Arc::new(vtables);
        cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(unit, vtables.clone());
        vtables
    }

    /// The containing type of a type that is not in the unit at hand: parts of units are moved into units of their own.
    fn containing_elsewhere(&self, unit: &DieReader<'_>, ty: DieOffset) -> Option<DieOffset> {
        if unit.local(ty).is_some() {
            return None;
        }
        let (reader, entry) = DieReader::read(self, ty).ok()?;
        reader.reference(&entry, gimli::DW_AT_containing_type)
    }

    /// Finds `DW_TAG_variable`s with an address whose type has a containing type. All vtables that the linker dropped
    /// pile up at address 0 and are left out.
    fn read_vtables(&self, index: UnitIndex, vtables: &mut UnitVtables) -> Result<(), crate::SymbolError> {
        let reader = DieReader::of_unit(self, index)?;
        let (dwarf, unit) = (reader.dwarf(), reader.unit());
        let mut read = || -> gimli::Result<()> {
            // Types come before or after the variables that use them.
            let mut containing: FxHashMap<DieOffset, DieOffset> = FxHashMap::default();
            let mut variables: Vec<(u64, DieOffset)> = Vec::new();
            let mut entries = unit.entries_raw(None)?;
            let mut attributes = Vec::new();
            while !entries.is_empty() {
                let offset = entries.next_offset();
                let Some(abbreviation) = entries.read_abbreviation()? else { continue };
                let specs = abbreviation.attributes();
                let has = |name| specs.iter().any(|spec| spec.name() == name);
                let is_vtable_type =
                    abbreviation.tag() == gimli::DW_TAG_structure_type && has(gimli::DW_AT_containing_type);
                let is_variable = abbreviation.tag() == gimli::DW_TAG_variable && has(gimli::DW_AT_location);
                if !is_vtable_type && !is_variable {
                    entries.skip_attributes(specs)?;
                    continue;
                }
                entries.read_attributes(specs, &mut attributes)?;
                let value = |name| {
                    let found = attributes.iter().find(|attribute: &&gimli::Attribute<_>| attribute.name() == name);
                    found.map(gimli::Attribute::value)
                };
                if is_vtable_type {
                    let own = reader.absolute(offset);
                    let of = value(gimli::DW_AT_containing_type).and_then(|value| reader.refers_to(value));
                    containing.extend(own.zip(of));
                } else if let (Some(AttributeValue::Exprloc(expression)), Some(ty)) =
                    (value(gimli::DW_AT_location), value(gimli::DW_AT_type))
                    && let Some(StaticPlace::Address(address)) = place(dwarf, unit, expression)
                    && let Some(ty) = reader.refers_to(ty)
                    && self.is_loaded(address)
                {
                    variables.push((address, ty));
                }
            }
            let of = |ty: DieOffset| containing.get(&ty).copied().or_else(|| self.containing_elsewhere(&reader, ty));
            vtables.extend(variables.into_iter().filter_map(|(address, ty)| Some((address, of(ty)?))));
            Ok(())
        };
        read().map_err(|error| self.malformed(error))
    }
}
