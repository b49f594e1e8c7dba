//! Where tasks were spawned, as Tokio itself records it when the program is built with `--cfg tokio_unstable` (1.46 to 1.54:
//! `Core.spawned_at: &'static Location` in `runtime/task/core.rs`).

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use weft_memory::MemAddr;
use weft_symbols::{Image, Type};
use weft_tasks::Location;
use weft_values::{Place, Stop};

use crate::leaves::find_pointer;
use crate::shape::find_member;
use crate::text::text;

/// Bytes of a file's name that are read.
const LONGEST: u64 = 4096;

/// The `Location`s of one stop, each read once: all tasks that one line spawns share one.
#[derive(Debug, Default)]
pub(super) struct Recorded(RefCell<FxHashMap<MemAddr, Option<Arc<Location>>>>);

/// Where a task's cell points to its `Location`: the offset from the header, and the `Location`'s type.
#[derive(Debug)]
pub(super) struct RecordedAt(u64, Type);

impl RecordedAt {
    /// In this `Core`, which lies at `core` from the header; none if it does not record it.
    pub(super) fn of(core_type: &Type, core: u64) -> Option<Self> {
        let (offset, ty) = find_member(core_type, &["spawned_at"], 1)?;
        let (pointer, target) = find_pointer(&ty, 3, &|target| target.path().ends_with("::Location"))?;
        Some(Self(core.checked_add(offset)?.checked_add(pointer)?, target))
    }
}

impl Recorded {
    /// Where the task with this header was spawned; none if that cannot be read.
    pub(super) fn of(&self, stop: &Stop, at: &RecordedAt, header: MemAddr) -> Option<Arc<Location>> {
        let RecordedAt(offset, ty) = at;
        let pointer = stop.memory.read_pointer(header.checked_add(*offset)?).ok()?;
        let read = || read(stop, &Place::new(ty.clone(), pointer)).map(Arc::new);
        self.0.borrow_mut().entry(pointer).or_insert_with(read).clone()
    }
}

/// A `core::panic::Location`. It is the program's own, so it lies where the program cannot write.
fn read(stop: &Stop, location: &Place) -> Option<Location> {
    let (module, _) = stop.modules.to_file(location.address()?)?;
    let number = |name| u32::try_from(location.member(name).ok()?.read_uint(stop).ok()?).ok();
    let name = location.member("filename").or_else(|_| location.member("file")).ok()?;
    let length = name.find("length").ok()?.read_u64(stop).ok().filter(|length| *length <= LONGEST)?;
    let bytes = name.find("data_ptr").ok()?.read_pointer(stop).ok()?;
    let file = text(stop, bytes, length, LONGEST)?;
    Some(Location {
        file: named(&module.image, Path::new(&file))?.to_path_buf(),
        line: number("line").filter(|line| *line > 0)?,
        column: number("col")?,
    })
}

/// A file as the debug information names it. The compiler was given the name from a directory that a `Location` does not
/// tell: only one file of the program may have it.
fn named(image: &Image, file: &Path) -> Option<Arc<Path>> {
    if file.is_absolute() {
        return Some(file.into());
    }
    match image.source_files(file).as_slice() {
        [only] => Some(Arc::clone(only)),
        _ => None,
    }
}
