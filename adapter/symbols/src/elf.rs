//! ELF headers: what a file is, which machine it is for, what of it is loaded.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::elf;
use object::read::elf::{ElfFile64, ProgramHeader, SectionHeader};
use object::{LittleEndian, Object, ObjectSection};
use weft_memory::FileAddr;

use crate::got::GotPlace;
use crate::mapped::MappedFile;
use crate::sections::Found;
use crate::symtab::TableRange;
use crate::{OpenError, Segment, TlsSegment};

/// How every ELF file begins.
pub(crate) const MAGIC: [u8; 4] = elf::ELFMAG;

/// What the headers say.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    pub(crate) position_independent: bool,
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
    pub(crate) tls: Option<TlsSegment>,
    /// Where the dynamic section is when it is loaded.
    pub(crate) dynamic: Option<u64>,
    pub(crate) build_id: Option<Vec<u8>>,
    pub(crate) debug_link: Option<DebugLink>,
    pub(crate) supplementary: Option<SupplementaryLink>,
    pub(crate) symbols: Option<TableRange>,
    pub(crate) text_address: Option<u64>,
    pub(crate) got_address: Option<u64>,
    pub(crate) got: GotPlace,
}

/// The file with a program's debug information, as the program names it (`.gnu_debuglink`).
#[derive(Debug)]
pub(crate) struct DebugLink {
    /// A file name without folders.
    pub(crate) name: OsString,
    /// CRC-32 of the file's bytes.
    pub(crate) crc: u32,
}

/// The file with debug information that several programs share, as one of them names it (`.gnu_debugaltlink` of
/// `dwz -m`, `.debug_sup` of DWARF 5).
#[derive(Debug)]
pub(crate) struct SupplementaryLink {
    /// Absolute, or from the folder of the file that has the link.
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
}

/// What tells the right supplementary file.
#[derive(Debug)]
pub(crate) enum Identity {
    BuildId(Vec<u8>),
    CheckSum(Vec<u8>),
}

/// What of a separate debug file is of use. Its segments are not: it has their headers, but nothing in them.
pub(crate) struct Separate {
    pub(crate) build_id: Option<Vec<u8>>,
    pub(crate) symbols: Option<TableRange>,
    pub(crate) supplementary: Option<SupplementaryLink>,
    pub(crate) found: Vec<Found>,
}

/// Reads the headers of a program or library, and where its sections are.
pub(crate) fn read(path: &Path, mapped: &Arc<MappedFile>) -> Result<(Headers, Vec<Found>), OpenError> {
    let file = parse(path, mapped)?;
    let mut headers = Headers {
        position_independent: file.kind() == object::ObjectKind::Dynamic,
        entry: file.entry(),
        build_id: build_id(&file),
        debug_link: debug_link(&file),
        supplementary: supplementary_link(&file),
        symbols: symbol_table(&file, elf::SHT_SYMTAB, mapped).or_else(|| symbol_table(&file, elf::SHT_DYNSYM, mapped)),
        ..Headers::default()
    };
    read_segments(&file, &mut headers);
    let mut code = headers.segments.iter().filter(|segment| segment.executable).peekable();
    if code.peek().is_some() && code.all(|segment| segment.file_range.is_empty()) {
        let reason = "it is a debug file, which has no code: name the program that it was made for".to_owned();
        return Err(OpenError::NotElf { path: path.to_owned(), reason });
    }
    for section in file.sections() {
        match section.name_bytes() {
            Ok(b".text") => headers.text_address = Some(section.address()),
            Ok(b".got") => {
                headers.got_address = Some(section.address());
                headers.got.slots = section.address()..section.address().saturating_add(section.size());
            }
            Ok(b".rela.dyn") => headers.got.relocations = file_range(&section).unwrap_or_default(),
            _ => {}
        }
    }
    Ok((headers, sections(&file)))
}

/// Reads the headers of a separate debug file.
pub(crate) fn read_separate(path: &Path, mapped: &Arc<MappedFile>) -> Result<Separate, OpenError> {
    let file = parse(path, mapped)?;
    Ok(Separate {
        build_id: build_id(&file),
        symbols: symbol_table(&file, elf::SHT_SYMTAB, mapped),
        supplementary: supplementary_link(&file),
        found: sections(&file),
    })
}

fn parse<'a>(path: &Path, mapped: &'a MappedFile) -> Result<ElfFile64<'a, LittleEndian, &'a [u8]>, OpenError> {
    check_identity(path, mapped.bytes())?;
    ElfFile64::parse(mapped.bytes()).map_err(|error| {
        let reason = format!("its headers are broken or it is truncated ({error})");
        OpenError::NotElf { path: path.to_owned(), reason }
    })
}

/// What a file says of the file with debug information that it shares with others.
pub(crate) fn supplementary_link<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>) -> Option<SupplementaryLink> {
    let path = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
    if let Some((name, id)) = file.gnu_debugaltlink().ok().flatten() {
        return Some(SupplementaryLink { path: path(name), identity: Identity::BuildId(id.to_vec()) });
    }
    let DebugSup { name, sum, .. } = debug_sup(file).filter(|sup| !sup.is_supplementary && !sup.name.is_empty())?;
    Some(SupplementaryLink { path: path(name), identity: Identity::CheckSum(sum.to_vec()) })
}

/// Whether a file is the one that others name so.
pub(crate) fn has_identity<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>, identity: &Identity) -> bool {
    match identity {
        Identity::BuildId(id) => !id.is_empty() && build_id(file).as_ref() == Some(id),
        Identity::CheckSum(sum) => {
            !sum.is_empty() && debug_sup(file).is_some_and(|own| own.is_supplementary && own.sum == sum)
        }
    }
}

/// `.debug_sup` (DWARF 5, 7.3.6).
struct DebugSup<'a> {
    /// This is the shared file.
    is_supplementary: bool,
    /// The shared file's path; in that file itself empty.
    name: &'a [u8],
    /// The shared file's check sum.
    sum: &'a [u8],
}

/// Two bytes of version, one for whether this is the shared file, path, check sum.
fn debug_sup<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>) -> Option<DebugSup<'a>> {
    let section = file.section_by_name(".debug_sup")?.data().ok()?;
    let (is_supplementary, rest) = (*section.get(2)? == 1, section.get(3..)?);
    let end = memchr::memchr(0, rest)?;
    let (name, rest) = (rest.get(..end)?, rest.get(end.checked_add(1)?..)?);
    // The length of a check sum takes one byte of LEB128 in every file there is.
    let (length, sum) = rest.split_first().filter(|(length, _)| **length < 0x80)?;
    Some(DebugSup { is_supplementary, name, sum: sum.get(..usize::from(*length))? })
}

fn build_id<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>) -> Option<Vec<u8>> {
    file.build_id().ok().flatten().map(<[u8]>::to_vec)
}

fn debug_link<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>) -> Option<DebugLink> {
    let (name, crc) = file.gnu_debuglink().ok().flatten()?;
    let name = OsStr::from_bytes(name);
    // A name that leads elsewhere is none that a linker's tools write.
    (Path::new(name).file_name() == Some(name)).then(|| DebugLink { name: name.to_owned(), crc })
}

/// The sections that have bytes in the file: a debug file has those that are loaded in its headers only.
fn sections<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>) -> Vec<Found> {
    let found = file.sections().filter_map(|section| {
        section.file_range().filter(|(_, size)| *size > 0)?;
        let range = section.compressed_file_range().map_err(|error| error.to_string());
        Some(Found { name: section.name_bytes().ok()?.to_vec(), address: section.address(), range })
    });
    found.collect()
}

fn read_segments<'a>(file: &ElfFile64<'a, LittleEndian, &'a [u8]>, headers: &mut Headers) {
    for header in file.elf_program_headers() {
        let endian = LittleEndian;
        let (address, size) = (header.p_vaddr(endian), header.p_memsz(endian));
        match header.p_type(endian) {
            elf::PT_LOAD => {
                let (offset, file_size) = header.file_range(endian);
                let flags = header.p_flags(endian);
                headers.segments.push(Segment {
                    addresses: FileAddr::new(address)..FileAddr::new(address.saturating_add(size)),
                    file_range: offset..offset.saturating_add(file_size),
                    executable: flags.contains(elf::PF_X),
                    writable: flags.contains(elf::PF_W),
                });
            }
            elf::PT_DYNAMIC => headers.dynamic = Some(address),
            elf::PT_TLS => {
                headers.tls = Some(TlsSegment { size, align: header.p_align(endian).max(1) });
            }
            _ => {}
        }
    }
    headers.segments.sort_by_key(|segment| segment.addresses.start);
}

fn symbol_table<'a>(
    file: &ElfFile64<'a, LittleEndian, &'a [u8]>,
    kind: elf::SectionType,
    mapped: &Arc<MappedFile>,
) -> Option<TableRange> {
    let endian = LittleEndian;
    let table = file.elf_section_table();
    let (_, symbols) = table.enumerate().find(|(_, section)| section.sh_type(endian) == kind)?;
    let strings = table.section(symbols.link(endian)).ok()?;
    let range = |section: &elf::SectionHeader64<LittleEndian>| -> Option<std::ops::Range<usize>> {
        let (offset, size) = section.file_range(endian)?;
        let (start, size) = (usize::try_from(offset).ok()?, usize::try_from(size).ok()?);
        let end = start.checked_add(size)?;
        (end <= file.data().len()).then_some(start..end)
    };
    let full = kind == elf::SHT_SYMTAB;
    Some(TableRange { file: Arc::clone(mapped), full, entries: range(symbols)?, strings: range(strings)? })
}

/// Where a section's bytes are in the file; checked against its length by whoever reads them.
fn file_range<'a>(section: &impl ObjectSection<'a>) -> Option<std::ops::Range<usize>> {
    let (offset, size) = section.file_range()?;
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(usize::try_from(size).ok()?)?)
}

/// Refuses, with a reason that a user understands, what is not a little-endian 64-bit x86 program or library.
fn check_identity(path: &Path, bytes: &[u8]) -> Result<(), OpenError> {
    let not_elf = |reason: &str| Err(OpenError::NotElf { path: path.to_owned(), reason: reason.to_owned() });
    match bytes {
        [] => return not_elf("the file is empty"),
        [m0, m1, m2, m3, ..] if [*m0, *m1, *m2, *m3] == MAGIC => {}
        [b'#', b'!', ..] => return not_elf("it is a script"),
        [b'M', b'Z', ..] => return not_elf("it is a Windows program"),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => return not_elf("it is a macOS program"),
        _ => return not_elf("it is not an ELF file"),
    }
    let (Some(&class), Some(&data)) = (bytes.get(4), bytes.get(5)) else { return not_elf("it is truncated") };
    let number = |at: usize| {
        let pair = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>());
        pair.map(|pair| if data == 2 { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) })
    };
    let (Some(kind), Some(machine)) = (number(16), number(18)) else { return not_elf("it is truncated") };
    if machine != elf::EM_X86_64.0 || class != 2 || data != 1 {
        return Err(OpenError::WrongMachine { path: path.to_owned(), machine: machine_name(machine, class, data) });
    }
    match elf::FileType(kind) {
        elf::ET_EXEC | elf::ET_DYN => Ok(()),
        elf::ET_REL => not_elf("it is an object file that was not linked yet"),
        elf::ET_CORE => not_elf("it is a core file"),
        _ => not_elf("it is neither a program nor a shared library"),
    }
}

fn machine_name(machine: u16, class: u8, data: u8) -> String {
    let name = match elf::Machine(machine) {
        elf::EM_386 => "32-bit x86",
        elf::EM_X86_64 if class == 1 => "x32 (x86-64 with 32-bit pointers)",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_ARM => "32-bit ARM",
        elf::EM_RISCV if class == 2 => "64-bit RISC-V",
        elf::EM_RISCV => "32-bit RISC-V",
        elf::EM_PPC64 if data == 2 => "powerpc64",
        elf::EM_PPC64 => "powerpc64le",
        elf::EM_S390 => "s390x",
        elf::EM_LOONGARCH => "LoongArch",
        elf::EM_MIPS => "MIPS",
        elf::EM_SPARCV9 => "sparc64",
        elf::EM_BPF => "BPF",
        _ => return format!("another machine (ELF machine number {machine})"),
    };
    name.to_owned()
}
