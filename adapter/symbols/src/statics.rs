//! Variables that live as long as the program, thread-local ones included.

use gimli::{AttributeValue, Expression, Operation};
use weft_memory::FileAddr;

use crate::dies::DieReader;
use crate::sections::Slice;
use crate::{DieOffset, Image, Static, Symbol, Type};
use std::sync::Arc;

/// Where a static lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaticPlace {
    /// At an address of the file.
    Address(u64),
    /// At an offset in the TLS segment.
    ThreadLocal(u64),
}

/// The place that a location expression names, if it is one of those a static has.
pub(crate) fn place<'s>(
    dwarf: &gimli::Dwarf<Slice<'s>>,
    unit: &gimli::Unit<Slice<'s>>,
    expression: Expression<Slice<'s>>,
) -> Option<StaticPlace> {
    let mut operations = expression.operations(unit.encoding());
    let first = operations.next().ok()??;
    let second = operations.next().ok()?;
    match (first, second) {
        (Operation::Address { address }, None) => Some(StaticPlace::Address(address)),
        (Operation::AddressIndex { index }, None) => dwarf.address(unit, index).ok().map(StaticPlace::Address),
        (Operation::UnsignedConstant { value }, Some(Operation::TLS)) => Some(StaticPlace::ThreadLocal(value)),
        (Operation::SignedConstant { value }, Some(Operation::TLS)) => {
            u64::try_from(value).ok().map(StaticPlace::ThreadLocal)
        }
        (Operation::ConstantIndex { index }, Some(Operation::TLS)) => {
            dwarf.address(unit, index).ok().map(StaticPlace::ThreadLocal)
        }
        _ => None,
    }
}

/// Whether the linker kept the static: dropped ones have address 0. Of a thread-local, the offset does not tell.
pub(crate) fn is_live<'s>(
    image: &Image,
    dwarf: &gimli::Dwarf<Slice<'s>>,
    unit: &gimli::Unit<Slice<'s>>,
    expression: Expression<Slice<'s>>,
) -> bool {
    match place(dwarf, unit, expression) {
        Some(StaticPlace::Address(address)) => image.is_loaded(address),
        Some(StaticPlace::ThreadLocal(_)) => image.tls().is_some(),
        None => false,
    }
}

impl Image {
    /// The static at a DIE, if the linker kept it.
    ///
    /// A thread-local with a destructor and its twin without one both have debug information, both perhaps with offset
    /// 0; only the one that is in the symbol table exists.
    pub(crate) fn static_at(self: &Arc<Self>, die: DieOffset, path: String) -> Option<Static> {
        let (reader, entry) = DieReader::read(self, die).ok()?;
        let AttributeValue::Exprloc(expression) = entry.attr_value(gimli::DW_AT_location)? else { return None };
        let linkage_name = reader.string(&entry, gimli::DW_AT_linkage_name);
        let ty = reader.reference(&entry, gimli::DW_AT_type).and_then(|die| self.type_at(die));
        let (address, thread_local) = match place(reader.dwarf(), reader.unit(), expression)? {
            StaticPlace::Address(address) => (address, false),
            StaticPlace::ThreadLocal(offset) => {
                (self.live_thread_local(linkage_name.as_deref(), ty.as_ref(), offset)?, true)
            }
        };
        Some(Static { path, linkage_name, ty, address: FileAddr::new(address), thread_local })
    }

    fn live_thread_local(&self, linkage_name: Option<&str>, ty: Option<&Type>, offset: u64) -> Option<u64> {
        let in_segment = |offset: &u64| self.tls().is_some_and(|tls| *offset < tls.size.max(1));
        if !self.has_full_symbol_table() {
            // A stripped file: std wraps a thread-local with a destructor in `Storage`; its bare twin is the dead one.
            let bare_twin = ty.is_some_and(|ty| !ty.name().starts_with("Storage<"));
            return Some(offset).filter(in_segment).filter(|offset| !bare_twin || *offset != 0);
        }
        let symbol = self.named_symbol(linkage_name?)?;
        symbol.thread_local.then_some(symbol.address.raw()).filter(in_segment)
    }

    /// The symbol of this name, or what LLVM has made of it: one that another unit uses gets a suffix that the debug
    /// information does not know (`.llvm.8404125151997808129`).
    fn named_symbol(&self, linkage_name: &str) -> Option<Symbol> {
        let renamed =
            |symbol: &Symbol| symbol.name.strip_prefix(linkage_name).is_some_and(|suffix| suffix.starts_with(".llvm."));
        self.symbol(linkage_name).or_else(|| self.symbols_containing(linkage_name).into_iter().find(renamed))
    }
}
