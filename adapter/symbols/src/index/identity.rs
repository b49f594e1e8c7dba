//! Which program an index is of: everything that must be the same for it to be used again.

use twox_hash::{XxHash3_64, XxHash3_128};

use super::layout::FORMAT;
use crate::Image;
use crate::companion::Companion;
use crate::mapped::MappedFile;

/// Longest build-id that is believed; real ones have 8 to 32 bytes.
const MOST_BUILD_ID: usize = 64;
/// Bytes of a file that are hashed at a time.
const WINDOW: usize = 256 * 1024;

/// A program with all the files that its debug information comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The build-id in hexadecimal digits, or the hash of the content.
    pub(crate) key: String,
    /// Of the key, the sizes, times and sections of all files, and of the code that reads them.
    pub(crate) hash: u128,
}

impl Identity {
    /// Reads it off the files, as they were when they were opened. One without a build-id is read from begin to end. `None`
    /// if that fails.
    pub(crate) fn of(image: &Image) -> Option<Self> {
        let key = match image.build_id().filter(|id| !id.is_empty() && id.len() <= MOST_BUILD_ID) {
            Some(id) => id.iter().map(|byte| format!("{byte:02x}")).collect(),
            None => format!("content-{:032x}", content(image.sections().files().first()?)?),
        };
        let mut hasher = XxHash3_128::new();
        // The version of weft, and of this crate's sources what the build script worked out.
        hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.write(env!("WEFT_SYMBOLS_SOURCES").as_bytes());
        hasher.write(&FORMAT.to_le_bytes());
        hasher.write(key.as_bytes());
        for file in image.sections().files() {
            for number in file.stamp()? {
                hasher.write(&number.to_le_bytes());
            }
        }
        for companion in [image.shared(), image.package()].into_iter().flatten() {
            hasher.write(companion.path().as_os_str().as_encoded_bytes());
            for number in companion.stamp() {
                hasher.write(&number.to_le_bytes());
            }
        }
        for (id, start, length) in image.sections().table() {
            hasher.write(id.name().as_bytes());
            hasher.write(&start.to_le_bytes());
            hasher.write(&length.to_le_bytes());
        }
        Some(Self { key, hash: hasher.finish_128() })
    }

    /// Whether the files still are what they were when they were opened.
    pub(crate) fn holds(image: &Image) -> bool {
        let companions = [image.shared(), image.package()];
        image.sections().files().iter().all(|file| file.is_unchanged())
            && companions.into_iter().flatten().all(Companion::is_unchanged)
    }

    /// What the stored index is called.
    pub(crate) fn file_name(&self) -> String {
        // The key is for people; a shorter hash tells copies of one program apart.
        format!("{}-{:016x}", self.key, XxHash3_64::oneshot(&self.hash.to_le_bytes()))
    }
}

/// The hash of a file's bytes, read in pieces. `None` if it cannot be read to its end.
fn content(file: &MappedFile) -> Option<u128> {
    let mut hasher = XxHash3_128::new();
    let mut buffer = vec![0; WINDOW];
    let mut offset = 0_usize;
    loop {
        match file.read_at(offset, &mut buffer) {
            0 => return (offset == file.bytes().len()).then(|| hasher.finish_128()),
            count => {
                hasher.write(buffer.get(..count)?);
                offset = offset.checked_add(count)?;
            }
        }
    }
}
