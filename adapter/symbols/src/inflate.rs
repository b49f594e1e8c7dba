//! Compressed sections (`SHF_COMPRESSED`, and `.zdebug_*` as they were before): inflated once, piece by piece.

use std::io::{self, BufRead, BufReader, Read, Write};

use object::read::{CompressedFileRange, CompressionFormat};
use ruzstd::decoding::StreamingDecoder;

use crate::mapped::MappedFile;
use crate::scratch::{Piece, Scratch};

/// The most that a byte of compressed data can become: deflate's limit is 1032, zstd's frames of real sections stay far
/// below. A section that claims more is lying.
const MAX_INFLATION: u64 = 2000;
/// Bytes read and written at a time.
const WINDOW: usize = 64 * 1024;

/// Inflates a section of a file. The error is a sentence without a subject.
pub(crate) fn inflate(file: &MappedFile, range: &CompressedFileRange, scratch: &Scratch) -> Result<MappedFile, String> {
    if range.uncompressed_size / MAX_INFLATION > range.compressed_size {
        let (from, to) = (range.compressed_size, range.uncompressed_size);
        return Err(format!("it says that its {from} bytes become {to}, which cannot be"));
    }
    let compressed = || BufReader::with_capacity(WINDOW, Part { file, at: range.offset, left: range.compressed_size });
    scratch.keep(range.uncompressed_size, |piece| match range.format {
        CompressionFormat::Zlib => copy(flate2::bufread::ZlibDecoder::new(compressed()), piece),
        CompressionFormat::Zstandard => inflate_frames(compressed(), piece),
        _ => Err(io::Error::other("its compression is not known")),
    })
}

/// Zstandard data are frames, one behind the other.
fn inflate_frames(mut from: impl BufRead, to: &mut Piece<'_>) -> io::Result<()> {
    while !from.fill_buf()?.is_empty() {
        copy(StreamingDecoder::new(&mut from).map_err(io::Error::other)?, to)?;
    }
    Ok(())
}

fn copy(mut from: impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut window = vec![0; WINDOW];
    loop {
        let count = match from.read(&mut window) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(window.get(..count).unwrap_or(&[]))?;
    }
}

/// Part of a file, read in pieces without touching its mapping.
struct Part<'a> {
    file: &'a MappedFile,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let start = usize::try_from(self.at).unwrap_or(usize::MAX);
        let count = buffer.get_mut(..wanted).map_or(0, |buffer| self.file.read_at(start, buffer));
        self.at = self.at.saturating_add(count as u64);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
