//! The files of the program, as the client knows them.

use std::path::Path;

use weft_protocol::spec::{Module, ModuleEventBody, ModulesArguments, ModulesResponse};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, ModuleInfo};
use crate::lane::Lane;
use crate::places::Places;
use crate::shared::{Shared, lock};

/// The files that there are, by the numbers that the client knows them by.
#[derive(Default)]
pub(crate) struct ModuleBook {
    last: i64,
    known: Vec<Known>,
}

struct Known {
    id: i64,
    info: ModuleInfo,
    /// The client was told.
    told: bool,
}

/// What became of the list.
#[derive(Default)]
struct Change {
    new: Vec<(i64, ModuleInfo)>,
    removed: Vec<(i64, ModuleInfo)>,
}

impl ModuleBook {
    /// Takes over what there is now. `told`: the client hears of it with this.
    fn update(&mut self, now: Vec<ModuleInfo>, told: bool) -> Change {
        let same = |old: &ModuleInfo, new: &ModuleInfo| (&old.path, &old.range) == (&new.path, &new.range);
        let mut change = Change::default();
        self.known.retain(|known| {
            let stays = now.iter().any(|info| same(&known.info, info)) || !told;
            if !stays && known.told {
                change.removed.push((known.id, known.info.clone()));
            }
            stays
        });
        for info in now {
            match self.known.iter_mut().find(|known| same(&known.info, &info)) {
                Some(known) if known.told || !told => {}
                Some(known) => {
                    known.told = true;
                    change.new.push((known.id, info));
                }
                None => {
                    self.last = self.last.saturating_add(1);
                    if told {
                        change.new.push((self.last, info.clone()));
                    }
                    self.known.push(Known { id: self.last, info, told });
                }
            }
        }
        change
    }

    pub(crate) fn listed(&self) -> Vec<ModuleInfo> {
        self.known.iter().map(|known| known.info.clone()).collect()
    }

    /// The number of a file that is known.
    fn number(&self, info: &ModuleInfo) -> i64 {
        let same = |known: &&Known| (&known.info.path, &known.info.range) == (&info.path, &info.range);
        self.known.iter().find(same).map_or(0, |known| known.id)
    }
}

impl Lane {
    /// The client is told of what came and went.
    pub(crate) fn modules_changed(&self) {
        let change = self.update_modules();
        let places = self.shared.places();
        for (reason, list) in [("removed", change.removed), ("new", change.new)] {
            for (id, info) in list {
                let body = ModuleEventBody { reason, module: shown(id, &info, &places) };
                self.shared.out.event("module", &body);
            }
        }
    }

    /// What a debuggee begins with is in the answer to `modules`, and no news.
    pub(crate) fn first_modules(&self) {
        self.update_modules();
    }

    fn update_modules(&self) -> Change {
        let modules = self.shared.debuggee().and_then(|debuggee| debuggee.modules().ok());
        modules.map(|modules| lock(&self.shared.modules).update(modules, true)).unwrap_or_default()
    }
}

/// Serves `modules`.
pub(crate) fn modules(shared: &Shared, asked: &ModulesArguments) -> Answer<ModulesResponse> {
    let Some(debuggee) = shared.debuggee() else { return Ok(ModulesResponse::default()) };
    let natural = |given: Option<i64>, name: &str| {
        usize::try_from(given.unwrap_or(0))
            .map_err(|_| Error::new(ErrorId::InvalidArguments, format!("`{name}` must not be negative")))
    };
    let start = natural(asked.start_module, "startModule")?;
    let count = match natural(asked.module_count, "moduleCount")? {
        0 => usize::MAX,
        count => count,
    };
    let all = debuggee.modules()?;
    let mut book = lock(&shared.modules);
    book.update(all.clone(), false);
    let places = shared.places();
    let modules = all.iter().skip(start).take(count).map(|info| shown(book.number(info), info, &places)).collect();
    Ok(ModulesResponse { modules, total_modules: i64::try_from(all.len()).unwrap_or(i64::MAX) })
}

fn shown(id: i64, info: &ModuleInfo, places: &Places) -> Module {
    let shown_path = |path: &Path| places.to_client(path).to_string_lossy().into_owned();
    Module {
        id,
        name: info.path.file_name().unwrap_or(info.path.as_os_str()).to_string_lossy().into_owned(),
        symbol_file_path: info.symbol_file.as_deref().map(shown_path),
        // The vDSO is no file.
        path: info.path.is_absolute().then(|| shown_path(&info.path)),
        is_user_code: Some(info.is_program),
        version: info.build_id.clone(),
        symbol_status: Some(info.symbols.clone()),
        address_range: Some(format!("{:#x}-{:#x}", info.range.start, info.range.end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, start: u64) -> ModuleInfo {
        ModuleInfo { path: name.into(), range: start..start + 16, ..ModuleInfo::default() }
    }

    #[test]
    fn news_is_told_once_and_numbers_stay() {
        let mut book = ModuleBook::default();
        assert_eq!(book.update(vec![info("a", 16)], true).new.len(), 1);
        // A look in between gives numbers; the news still comes.
        assert!(book.update(vec![info("a", 16), info("b", 64)], false).new.is_empty());
        let change = book.update(vec![info("a", 16), info("b", 64)], true);
        assert_eq!(change.new, [(2, info("b", 64))]);
        // Loaded elsewhere it is another.
        let change = book.update(vec![info("a", 16), info("b", 128)], true);
        assert_eq!((change.removed, change.new), (vec![(2, info("b", 64))], vec![(3, info("b", 128))]));
        assert!(book.update(vec![info("b", 128)], true).removed.len() == 1 && book.number(&info("b", 128)) == 3);
    }
}
