//! The files that the program consists of, and those that it was made of.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use weft_protocol::{Error, ErrorId};
use weft_session::debuggee::{Answer, ModuleInfo};
use weft_symbols::{DebugInfo, Module, Modules};

/// The loaded files, the program first.
pub(crate) fn modules(modules: &Modules) -> Vec<ModuleInfo> {
    modules.iter().enumerate().map(|(at, module)| info(module, at == 0)).collect()
}

fn info(module: &Module, is_program: bool) -> ModuleInfo {
    let missing = module.image.missing();
    let symbols = if missing.is_empty() { "debug information".to_owned() } else { missing.join("; ") };
    let own = || (module.image.debug_info() == DebugInfo::Present).then(|| module.image.path());
    let build_id = module.image.build_id().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
    ModuleInfo {
        path: module.image.path().to_owned(),
        range: module.range.start.raw()..module.range.end.raw(),
        is_program,
        symbols,
        symbol_file: module.image.debug_file().or_else(own).map(Path::to_owned),
        build_id,
    }
}

/// Lines and columns of a file where a breakpoint can be, in any of the loaded files.
pub(crate) fn breakpoint_places(modules: &Modules, file: &Path, lines: RangeInclusive<u32>) -> Answer<Vec<(u32, u32)>> {
    let found = modules.breakpoint_locations(file, lines).map_err(|error| Error::new(ErrorId::Unreadable, error))?;
    Ok(found.into_iter().map(|place| (place.line, place.column)).collect())
}

/// The source files of the loaded files. All headers are read for it, so what was found is kept while the same files are
/// loaded.
#[derive(Default)]
pub(crate) struct SourceList(Mutex<Option<Known>>);

struct Known {
    of: Arc<Modules>,
    files: Vec<PathBuf>,
}

impl SourceList {
    /// Every source file, by path.
    pub(crate) fn of(&self, modules: Arc<Modules>) -> Vec<PathBuf> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref().filter(|known| Arc::ptr_eq(&known.of, &modules)) {
            return known.files.clone();
        }
        let files: Vec<PathBuf> = modules.sources().iter().map(|file| file.to_path_buf()).collect();
        *kept = Some(Known { of: modules, files: files.clone() });
        files
    }
}
