//! Whether a file can be run and debugged here, said before trying so that the reason is known.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use crate::ProcessError;

/// Size of a 64-bit ELF header, and of one of its program headers (System V ABI).
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const EM_X86_64: u16 = 62;
const PT_INTERP: u32 = 3;

/// Checks that `path` is an x86-64 ELF program whose loader is installed.
pub fn check_executable(path: &Path) -> Result<(), ProcessError> {
    let metadata = path.metadata().map_err(|reason| match reason.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ProcessError::NoProgram(path.to_owned()),
        _ => ProcessError::Exec { path: path.to_owned(), reason },
    })?;
    if !metadata.is_file() {
        return Err(ProcessError::NotAFile(path.to_owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(ProcessError::NotExecutable(path.to_owned()));
    }
    let file = File::open(path).map_err(|reason| ProcessError::Exec { path: path.to_owned(), reason })?;
    check_header(path, &file)
}

/// Checks the ELF header of an open file that messages call `path`.
pub(crate) fn check_header(path: &Path, file: &File) -> Result<(), ProcessError> {
    let mut header = [0; HEADER];
    let length = read_up_to(file, 0, &mut header);
    let start = header.get(..length).unwrap_or_default();
    let not_elf = |what: &str| ProcessError::NotElf { path: path.to_owned(), what: what.to_owned() };
    if start.is_empty() {
        return Err(not_elf("the file is empty"));
    }
    if start.starts_with(b"#!") {
        return Err(not_elf("it is a script; name the interpreter as program and the script as argument"));
    }
    if !start.starts_with(b"\x7fELF") {
        return Err(not_elf("it does not begin as one"));
    }
    if length < HEADER {
        return Err(not_elf("its header is cut off"));
    }
    let machine = u16_at(&header, 18);
    let class = header.get(4).copied();
    if class != Some(2) || machine != EM_X86_64 {
        let bits = if class == Some(2) { 64 } else { 32 };
        return Err(ProcessError::Architecture { path: path.to_owned(), found: machine_name(machine, bits) });
    }
    match u16_at(&header, 16) {
        2 | 3 => check_interpreter(path, file, &header),
        1 => Err(not_elf("it is an object file that was never linked")),
        4 => Err(not_elf("it is a core file; attach with coreFile instead")),
        kind => Err(not_elf(&format!("its type {kind} is not that of a program"))),
    }
}

/// Checks that the loader named by `PT_INTERP`, if any, exists.
fn check_interpreter(path: &Path, file: &File, header: &[u8; HEADER]) -> Result<(), ProcessError> {
    let table = u64_at(header, 32);
    let count = u16_at(header, 56);
    for index in 0..u64::from(count) {
        let Some(offset) = index.checked_mul(PROGRAM_HEADER as u64).and_then(|skip| table.checked_add(skip)) else {
            break;
        };
        let mut entry = [0; PROGRAM_HEADER];
        if read_up_to(file, offset, &mut entry) < PROGRAM_HEADER {
            break;
        }
        if u32_at(&entry, 0) != PT_INTERP {
            continue;
        }
        let mut name = vec![0; usize::try_from(u64_at(&entry, 32)).unwrap_or(0).min(libc::PATH_MAX as usize)];
        let length = read_up_to(file, u64_at(&entry, 8), &mut name);
        name.truncate(length);
        let bare = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let interpreter = PathBuf::from(OsStr::from_bytes(bare));
        if !interpreter.exists() {
            return Err(ProcessError::MissingInterpreter { path: path.to_owned(), interpreter });
        }
        break;
    }
    Ok(())
}

/// Fills as much of `buffer` as the file has from `offset` on.
fn read_up_to(file: &File, offset: u64, buffer: &mut [u8]) -> usize {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let Some(at) = offset.checked_add(done as u64) else { break };
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(count) => done = done.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    done
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u16::from_le_bytes(*word))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

/// The usual name of an ELF machine number (`e_machine`, System V ABI).
fn machine_name(machine: u16, bits: u8) -> String {
    let name = match machine {
        3 => "i386",
        8 => "MIPS",
        20 | 21 => "PowerPC",
        22 => "s390",
        40 => "ARM",
        62 => "x86-64 with 32-bit pointers (x32)",
        183 => "AArch64",
        243 => "RISC-V",
        258 => "LoongArch",
        other => return format!("machine {other} ({bits} bits)"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` to an executable file and says what is wrong with it.
    fn verdict(bytes: &[u8], mode: u32) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let text = check_executable(&path).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        text.replace(directory.path().to_str().unwrap(), "")
    }

    fn header(class: u8, kind: u16, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', class]);
        bytes[16..18].copy_from_slice(&kind.to_le_bytes());
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn each_unusable_file_has_its_sentence() {
        let other = |name: &str| format!("/program is built for {name}; this debugger runs x86-64 programs");
        for (bytes, mode, expected) in [
            (vec![], 0o755, "/program is not an ELF program: the file is empty".to_owned()),
            (header(2, 3, 62), 0o755, "fine".to_owned()),
            (header(2, 3, 62), 0o644, "/program is not executable: build it, or set its mode with chmod +x".to_owned()),
            (b"hello, world".to_vec(), 0o755, "/program is not an ELF program: it does not begin as one".to_owned()),
            (b"\x7fELF\x02".to_vec(), 0o755, "/program is not an ELF program: its header is cut off".to_owned()),
            (header(1, 2, 3), 0o755, other("i386")),
            (header(2, 3, 183), 0o755, other("AArch64")),
            (header(2, 3, 999), 0o755, other("machine 999 (64 bits)")),
            (
                header(2, 1, 62),
                0o755,
                "/program is not an ELF program: it is an object file that was never linked".to_owned(),
            ),
        ] {
            assert_eq!(verdict(&bytes, mode), expected);
        }
        assert!(verdict(b"#!/bin/sh\n", 0o755).contains("it is a script"));
    }

    #[test]
    fn a_loader_that_is_missing_is_named() {
        let mut bytes = header(2, 3, 62);
        bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
        bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
        bytes.extend_from_slice(&[0; PROGRAM_HEADER]);
        bytes[64..68].copy_from_slice(&PT_INTERP.to_le_bytes());
        bytes[72..80].copy_from_slice(&120u64.to_le_bytes());
        bytes[96..104].copy_from_slice(&9u64.to_le_bytes());
        bytes.extend_from_slice(b"/no/such\0");
        assert_eq!(verdict(&bytes, 0o755), "/program needs the loader /no/such, which is not installed");
    }

    #[test]
    fn no_program_and_no_file() {
        let text = check_executable(Path::new("/no/such/program")).unwrap_err().to_string();
        assert_eq!(text, "the program /no/such/program does not exist");
        let text = check_executable(Path::new("/tmp")).unwrap_err().to_string();
        assert_eq!(text, "/tmp is not a file, so it cannot be launched");
    }
}
