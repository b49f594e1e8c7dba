//! Tasks whose kind cannot be told because the compiler merged the functions that poll them.
//!
//! In optimised code LLVM leaves one of several functions of equal code, with its debug information alone: the vtables of all
//! lead to it. The types of their cells (`Cell<T, S>`, tokio 1.0 to 1.54) are described still, without a `raw::poll<T, S>`.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHashSet};
use weft_symbols::{Image, Type};

use super::cell::{Cell, MOST_CELLS, POLL};
use crate::describe::describe;

/// Most names that are listed.
const MOST_NAMES: usize = 4;

/// Cells of which no poll function is left, by image.
#[derive(Debug, Default)]
pub(super) struct Merged(RwLock<FxHashMap<usize, Arc<OnceLock<Vec<Type>>>>>);

impl Merged {
    /// If others were merged with this kind of task: those that are one function for a reader stay one, of several nobody
    /// knows which it is.
    pub(super) fn mark(&self, cell: &mut Cell) {
        let (Some(ty), Some(future)) = (&cell.ty, cell.future.as_ref().filter(|future| future.is_coroutine())) else {
            return;
        };
        let mut names = vec![(Arc::clone(&cell.name), cell.entry.clone())];
        for other in self.left_over(&cell.image).get().into_iter().flatten() {
            let scheduler = |cell: &Type| cell.template_argument("S").map(|scheduler| scheduler.path().to_owned());
            let Some(polled) = other.template_argument("T") else { continue };
            if other.size() == ty.size() && scheduler(other) == scheduler(ty) && future.may_be_merged_with(&polled) {
                let name = describe(&polled);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        if names.len() == 1 {
            return;
        }
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        let listed: Vec<&str> = names.iter().take(MOST_NAMES).map(|(name, _)| &**name).collect();
        let more = if names.len() > listed.len() { " or …" } else { "" };
        cell.name = format!("{}{more}", listed.join(" or ")).into();
        cell.entry = None;
        cell.future = None;
        cell.error =
            Some("the compiler merged functions of equal code: which of them this is cannot be told".to_owned());
    }

    /// The cells of an image that have no poll function. Looked for once.
    fn left_over(&self, image: &Arc<Image>) -> Arc<OnceLock<Vec<Type>>> {
        let key = Arc::as_ptr(image) as usize;
        let slot = Arc::clone(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        slot.get_or_init(|| left_over(image));
        slot
    }
}

fn left_over(image: &Arc<Image>) -> Vec<Type> {
    let functions = image.functions(POLL).into_iter().take(MOST_CELLS);
    let arguments = functions.filter_map(|entry| {
        let code = image.function_frame(&entry).ok().flatten()?;
        Some((code.template_argument("T")?.path().to_owned(), code.template_argument("S")?.path().to_owned()))
    });
    let polled: FxHashSet<(String, String)> = arguments.collect();
    let is_left = |cell: &Type| match (cell.template_argument("T"), cell.template_argument("S")) {
        (Some(future), Some(scheduler)) => {
            future.is_coroutine() && !polled.contains(&(future.path().to_owned(), scheduler.path().to_owned()))
        }
        _ => false,
    };
    image.types_of_any_arguments("tokio::runtime::task::core::Cell").take(MOST_CELLS).filter(is_left).collect()
}
