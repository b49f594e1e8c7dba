//! From a type's DIE to [`TypeInfo`]: members, variants, enumerators.

use gimli::{AttributeValue, DwAt, DwTag};

use crate::dies::{DieReader, Entry, Visit};
use crate::scopes::join;
use crate::types::TypeInfo;
use crate::{
    BaseEncoding, DieOffset, Enumerator, Image, Member, SymbolError, TemplateArgument, TypeKind, Variant, VariantPart,
};

/// How many typedefs and qualifiers may stand before a type.
const MAX_ALIASES: usize = 16;

/// Bytes of a pointer.
const POINTER: u64 = 8;

/// Longest chain of array element types that is multiplied out for a size.
const MAX_ELEMENT_DEPTH: usize = 16;

/// Reads the type at a DIE; `None` if there is none, or if it cannot be read.
pub(crate) fn read(image: &Image, die: DieOffset) -> Option<TypeInfo> {
    match read_type(image, die) {
        Ok(info) => info,
        Err(error) => {
            tracing::debug!(%error, "a type cannot be read");
            None
        }
    }
}

/// The DIE in a type unit that defines the type which is declared at a DIE; else the DIE itself.
fn defined(image: &Image, die: DieOffset) -> Result<DieOffset, SymbolError> {
    let (reader, entry) = DieReader::read(image, die)?;
    Ok(reader.reference(&entry, gimli::DW_AT_signature).unwrap_or(die))
}

fn read_type(image: &Image, die: DieOffset) -> Result<Option<TypeInfo>, SymbolError> {
    let die = defined(image, die)?;
    let (own, own_entry) = DieReader::read(image, die)?;
    if !is_type(own_entry.tag()) {
        return Ok(None);
    }
    let Some((reader, entry)) = aliased(image, die)? else { return Ok(None) };
    // A qualifier has no name of its own, but the type behind it has.
    let (name, named) = match own.name(&own_entry) {
        Some(name) => (name, die),
        None => (reader.name(&entry).unwrap_or_default(), reader.die_of(&entry).unwrap_or(die)),
    };
    let scopes = if name.is_empty() { Vec::new() } else { image.scope_names(named)? };
    let path = join(&scopes, &name);
    let (kind, arguments) = read_kind(image, &reader, &entry)?;
    let declared = own.declared(&own_entry).or_else(|| reader.declared(&entry)).or_else(|| first_variant_line(&kind));
    Ok(Some(TypeInfo {
        name_start: path.len().saturating_sub(name.len()),
        path,
        size: size_of(image, &reader, &entry, &kind, MAX_ELEMENT_DEPTH),
        align: DieReader::number(&entry, gimli::DW_AT_alignment),
        kind,
        arguments,
        declared,
    }))
}

/// A coroutine's type says nothing of where it is declared; its first state (`Unresumed`) does.
fn first_variant_line(kind: &TypeKind) -> Option<crate::SourceLine> {
    match kind {
        TypeKind::Struct { variants: Some(part), .. } => part.variants.first()?.member.declared.clone(),
        _ => None,
    }
}

fn is_alias(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
    )
}

fn is_pointer(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type)
}

/// Whether a DIE of this tag is a type.
fn is_type(tag: DwTag) -> bool {
    is_alias(tag)
        || is_pointer(tag)
        || matches!(
            tag,
            gimli::DW_TAG_base_type
                | gimli::DW_TAG_structure_type
                | gimli::DW_TAG_class_type
                | gimli::DW_TAG_union_type
                | gimli::DW_TAG_enumeration_type
                | gimli::DW_TAG_array_type
                | gimli::DW_TAG_subroutine_type
                | gimli::DW_TAG_unspecified_type
                | gimli::DW_TAG_ptr_to_member_type
        )
}

/// The type behind typedefs and qualifiers. `None`: behind them is nothing (`const void`).
fn aliased(image: &Image, die: DieOffset) -> Result<Option<(DieReader<'_>, Entry<'_>)>, SymbolError> {
    let mut die = die;
    for _ in 0..MAX_ALIASES {
        let (reader, entry) = DieReader::read(image, die)?;
        if !is_alias(entry.tag()) {
            return Ok(is_type(entry.tag()).then_some((reader, entry)));
        }
        match reader.reference(&entry, gimli::DW_AT_type) {
            Some(next) => die = next,
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn read_kind<'a>(
    image: &'a Image,
    reader: &DieReader<'a>,
    entry: &Entry<'a>,
) -> Result<(TypeKind, Vec<TemplateArgument>), SymbolError> {
    let target = || reader.reference(entry, gimli::DW_AT_type);
    let kind = match entry.tag() {
        gimli::DW_TAG_base_type => TypeKind::Base(encoding(entry)),
        tag if is_pointer(tag) => TypeKind::Pointer(target()),
        gimli::DW_TAG_enumeration_type => {
            let repr = target();
            TypeKind::Enumeration { repr, enumerators: enumerators(image, reader, entry, repr)? }
        }
        gimli::DW_TAG_array_type => TypeKind::Array { element: target(), count: array_length(reader, entry)? },
        gimli::DW_TAG_subroutine_type => TypeKind::Subroutine,
        gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type => {
            let parts = read_parts(image, reader, entry)?;
            let kind = match entry.tag() {
                gimli::DW_TAG_union_type if parts.variants.is_none() => TypeKind::Union(parts.members),
                _ => TypeKind::Struct { members: parts.members, variants: parts.variants },
            };
            return Ok((kind, parts.arguments));
        }
        tag => TypeKind::Other(tag.0),
    };
    Ok((kind, Vec::new()))
}

fn encoding(entry: &Entry<'_>) -> BaseEncoding {
    let code = DieReader::encoding(entry);
    if DieReader::number(entry, gimli::DW_AT_byte_size) == Some(0) {
        return BaseEncoding::Unit;
    }
    match gimli::DwAte(code) {
        gimli::DW_ATE_unsigned | gimli::DW_ATE_unsigned_char => BaseEncoding::Unsigned,
        gimli::DW_ATE_signed | gimli::DW_ATE_signed_char => BaseEncoding::Signed,
        gimli::DW_ATE_boolean => BaseEncoding::Bool,
        gimli::DW_ATE_UTF => BaseEncoding::Char,
        gimli::DW_ATE_float => BaseEncoding::Float,
        other => BaseEncoding::Other(other.0),
    }
}

fn size_of<'a>(image: &'a Image, reader: &DieReader<'a>, entry: &Entry<'a>, kind: &TypeKind, depth: usize) -> u64 {
    if let Some(size) = DieReader::number(entry, gimli::DW_AT_byte_size) {
        return size;
    }
    match kind {
        TypeKind::Pointer(_) => POINTER,
        TypeKind::Array { count: Some(count), .. } => {
            let element = reader.reference(entry, gimli::DW_AT_type);
            element.map_or(0, |element| die_size(image, element, depth)).checked_mul(*count).unwrap_or(0)
        }
        TypeKind::Enumeration { repr: Some(repr), .. } => die_size(image, *repr, depth),
        _ => 0,
    }
}

/// Bytes of the type at a DIE, for sizes of arrays and discriminants; zero where nothing says.
fn die_size(image: &Image, die: DieOffset, depth: usize) -> u64 {
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    let Ok(Some((reader, entry))) = aliased(image, die) else { return 0 };
    let kind = match entry.tag() {
        gimli::DW_TAG_array_type => {
            TypeKind::Array { element: None, count: array_length(&reader, &entry).ok().flatten() }
        }
        gimli::DW_TAG_enumeration_type => {
            TypeKind::Enumeration { repr: reader.reference(&entry, gimli::DW_AT_type), enumerators: Vec::new() }
        }
        tag if is_pointer(tag) => TypeKind::Pointer(None),
        tag => TypeKind::Other(tag.0),
    };
    size_of(image, &reader, &entry, &kind, depth)
}

/// How many elements; those of an array of several dimensions (C) are counted together.
fn array_length<'a>(reader: &DieReader<'a>, entry: &Entry<'a>) -> Result<Option<u64>, SymbolError> {
    let mut total = None;
    let mut known = true;
    reader.walk(
        entry.offset(),
        |tag| tag == gimli::DW_TAG_subrange_type,
        |range, depth| {
            if depth == 1 {
                let lower = DieReader::number(range, gimli::DW_AT_lower_bound).unwrap_or(0);
                let upper = || {
                    let upper = range.attr_value(gimli::DW_AT_upper_bound)?;
                    // An empty array may be written with the upper bound -1.
                    let upper = upper
                        .sdata_value()
                        .filter(|upper| *upper == -1)
                        .map(|_| 0)
                        .or_else(|| upper.udata_value()?.checked_add(1))?;
                    upper.checked_sub(lower)
                };
                match DieReader::number(range, gimli::DW_AT_count).or_else(upper) {
                    Some(count) => total = total.map_or(Some(count), |total: u64| total.checked_mul(count)),
                    None => known = false,
                }
            }
            Ok(Visit::Past)
        },
    )?;
    Ok(total.filter(|_| known))
}

fn enumerators<'a>(
    image: &'a Image,
    reader: &DieReader<'a>,
    entry: &Entry<'a>,
    repr: Option<DieOffset>,
) -> Result<Vec<Enumerator>, SymbolError> {
    let width = repr.map_or(0, |repr| die_size(image, repr, MAX_ELEMENT_DEPTH));
    let signed = repr.is_some_and(|repr| is_signed(image, repr));
    let mut list = Vec::new();
    reader.walk(
        entry.offset(),
        |tag| tag == gimli::DW_TAG_enumerator,
        |item, depth| {
            if let (1, Some(value)) = (depth, constant(item, gimli::DW_AT_const_value)) {
                let name = reader.name(item).unwrap_or_default();
                list.push(Enumerator {
                    name,
                    value: if signed { sign_extend(value, width) } else { mask(value, width).cast_signed() },
                });
            }
            Ok(Visit::Past)
        },
    )?;
    Ok(list)
}

fn is_signed(image: &Image, die: DieOffset) -> bool {
    matches!(aliased(image, die), Ok(Some((_, entry))) if encoding(&entry) == BaseEncoding::Signed)
}

/// A constant attribute as bits: negative numbers in two's complement; wider than 16 bytes is none.
fn constant(entry: &Entry<'_>, name: DwAt) -> Option<u128> {
    bits(entry.attr_value(name)?)
}

fn bits(value: AttributeValue<crate::sections::Slice<'_>>) -> Option<u128> {
    match value {
        AttributeValue::Data1(value) => Some(value.into()),
        AttributeValue::Data2(value) => Some(value.into()),
        AttributeValue::Data4(value) => Some(value.into()),
        AttributeValue::Data8(value) => Some(value.into()),
        AttributeValue::Data16(value) => Some(value),
        AttributeValue::Udata(value) => Some(value.into()),
        AttributeValue::Sdata(value) => Some(i128::from(value).cast_unsigned()),
        AttributeValue::Block(bytes) => {
            let mut buffer = [0; 16];
            buffer.get_mut(..bytes.len())?.copy_from_slice(bytes.slice());
            Some(u128::from_le_bytes(buffer))
        }
        other => other.udata_value().map(u128::from),
    }
}

/// The low `width` bytes; all of them where the width is not known.
fn mask(value: u128, width: u64) -> u128 {
    match width {
        1..=15 => value & !(u128::MAX << width.saturating_mul(8)),
        _ => value,
    }
}

fn sign_extend(value: u128, width: u64) -> i128 {
    match width {
        1..=15 => {
            let unused = 128_u64.saturating_sub(width.saturating_mul(8));
            (value << unused).cast_signed() >> unused
        }
        _ => value.cast_signed(),
    }
}

/// What lies directly below a struct, union or enum with data.
#[derive(Default)]
struct Parts {
    members: Vec<Member>,
    variants: Option<VariantPart>,
    arguments: Vec<TemplateArgument>,
}

fn read_parts<'a>(image: &'a Image, reader: &DieReader<'a>, entry: &Entry<'a>) -> Result<Parts, SymbolError> {
    let mut parts = Parts::default();
    let mut variant_part = None;
    let wanted = |tag| {
        matches!(
            tag,
            gimli::DW_TAG_member
                | gimli::DW_TAG_variant_part
                | gimli::DW_TAG_template_type_parameter
                | gimli::DW_TAG_inheritance
                // Not read, but never walked into: their members are not ours.
                | gimli::DW_TAG_structure_type
                | gimli::DW_TAG_union_type
                | gimli::DW_TAG_enumeration_type
                | gimli::DW_TAG_class_type
                | gimli::DW_TAG_subprogram
        )
    };
    reader.walk(entry.offset(), wanted, |item, _| {
        match item.tag() {
            gimli::DW_TAG_member | gimli::DW_TAG_inheritance => parts.members.extend(member(reader, item)),
            gimli::DW_TAG_variant_part => variant_part = Some(item.clone()),
            gimli::DW_TAG_template_type_parameter => parts.arguments.extend(template_argument(reader, item)),
            _ => {}
        }
        Ok(Visit::Past)
    })?;
    if let Some(item) = variant_part {
        let variants = read_variants(image, reader, &item, &parts.members)?;
        // rustc gives the generic arguments of an enum to its variants.
        if parts.arguments.is_empty()
            && let Some(payload) = variants.variants.first().and_then(|first| first.member.ty)
        {
            parts.arguments = template_arguments(image, payload)?;
        }
        parts.variants = Some(variants);
    }
    Ok(parts)
}

fn template_arguments(image: &Image, die: DieOffset) -> Result<Vec<TemplateArgument>, SymbolError> {
    let (reader, offset) = DieReader::at(image, die)?;
    let mut arguments = Vec::new();
    reader.walk(
        offset,
        |_| true,
        |item, _| {
            if item.tag() == gimli::DW_TAG_template_type_parameter {
                arguments.extend(template_argument(&reader, item));
            }
            Ok(Visit::Past)
        },
    )?;
    Ok(arguments)
}

/// A generic argument.
fn template_argument<'a>(reader: &DieReader<'a>, item: &Entry<'a>) -> Option<TemplateArgument> {
    let ty = reader.reference(item, gimli::DW_AT_type)?;
    Some(TemplateArgument { name: reader.name(item).unwrap_or_default(), ty })
}

/// A member with a fixed offset. Static members of C++ classes (declarations) are none.
fn member<'a>(reader: &DieReader<'a>, item: &Entry<'a>) -> Option<Member> {
    if DieReader::flag(item, gimli::DW_AT_external) || DieReader::flag(item, gimli::DW_AT_declaration) {
        return None;
    }
    let offset = match item.attr_value(gimli::DW_AT_data_member_location) {
        None => 0,
        Some(AttributeValue::Exprloc(expression)) => constant_offset(expression, reader)?,
        Some(value) => value.udata_value()?,
    };
    Some(Member {
        name: reader.name(item).unwrap_or_default(),
        offset,
        ty: reader.reference(item, gimli::DW_AT_type),
        artificial: DieReader::flag(item, gimli::DW_AT_artificial),
        declared: reader.declared(item),
    })
}

/// Before DWARF 4 an offset was an expression, `DW_OP_plus_uconst n`.
fn constant_offset(expression: gimli::Expression<crate::sections::Slice<'_>>, reader: &DieReader<'_>) -> Option<u64> {
    match expression.operations(reader.unit().encoding()).next().ok()?? {
        gimli::Operation::PlusConstant { value } | gimli::Operation::UnsignedConstant { value } => Some(value),
        _ => None,
    }
}

fn read_variants<'a>(
    image: &'a Image,
    reader: &DieReader<'a>,
    part: &Entry<'a>,
    members: &[Member],
) -> Result<VariantPart, SymbolError> {
    let discriminant_die = reader.reference(part, gimli::DW_AT_discr);
    let mut discriminant = match discriminant_die.and_then(|die| reader.local(die)) {
        Some(offset) => member(reader, &reader.entry(offset)?),
        None => None,
    };
    // Languages other than Rust may name a member outside the variant part.
    if discriminant.is_none() && discriminant_die.is_some() {
        discriminant = members.first().cloned();
    }
    let ty = discriminant.as_ref().and_then(|member| member.ty);
    let width = ty.map_or(0, |ty| die_size(image, ty, MAX_ELEMENT_DEPTH));
    let signed = ty.is_some_and(|ty| is_signed(image, ty));
    let mut variants: Vec<Variant> = Vec::new();
    let mut selected = Vec::new();
    let wanted = |tag| matches!(tag, gimli::DW_TAG_variant | gimli::DW_TAG_member | gimli::DW_TAG_structure_type);
    reader.walk(part.offset(), wanted, |item, depth| {
        match (item.tag(), depth) {
            (gimli::DW_TAG_variant, 1) => {
                selected = discriminants(item, width, signed);
                return Ok(Visit::Into);
            }
            (gimli::DW_TAG_member, 2) => {
                let discriminants = std::mem::take(&mut selected);
                variants.extend(member(reader, item).map(|member| Variant { discriminants, member }));
            }
            _ => {}
        }
        Ok(Visit::Past)
    })?;
    Ok(VariantPart { discriminant, variants })
}

fn discriminants(variant: &Entry<'_>, width: u64, signed: bool) -> Vec<(u128, u128)> {
    if let Some(value) = constant(variant, gimli::DW_AT_discr_value) {
        let value = mask(value, width);
        return vec![(value, value)];
    }
    match variant.attr_value(gimli::DW_AT_discr_list) {
        Some(AttributeValue::Block(list)) => discriminant_list(list, width, signed),
        _ => Vec::new(),
    }
}

/// `DW_AT_discr_list`: labels and ranges as LEB128 numbers in the signedness of the discriminant (DWARF 5, 5.7.10). What
/// comes after something malformed is left out.
fn discriminant_list(mut list: crate::sections::Slice<'_>, width: u64, signed: bool) -> Vec<(u128, u128)> {
    use gimli::Reader as _;
    let mut found = Vec::new();
    while let Ok(kind) = list.read_u8() {
        let mut number = || {
            let bits = if signed {
                i128::from(list.read_sleb128().ok()?).cast_unsigned()
            } else {
                list.read_uleb128().ok()?.into()
            };
            Some(mask(bits, width))
        };
        let Some(low) = number() else { break };
        let high = match gimli::DwDsc(kind) {
            gimli::DW_DSC_label => Some(low),
            gimli::DW_DSC_range => number(),
            _ => None,
        };
        let Some(high) = high else { break };
        found.push((low, high));
    }
    found
}
