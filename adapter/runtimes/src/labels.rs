//! What a thread's stack alone says of the tasks on it, without a list of all tasks.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_tasks::{Location, TaskKey};
use weft_values::{Place, Stop};

use crate::describe::{concrete, describe};
use crate::names::within;
use crate::threads::{Activation, Driven, ThreadView};

/// A task as a stack names it.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) key: TaskKey,
    pub(crate) name: Arc<str>,
}

/// What is to be said of a future that a thread drives itself.
pub(crate) struct RootName {
    pub(crate) key: TaskKey,
    pub(crate) name: Arc<str>,
    /// Where its function is declared.
    pub(crate) entry: Option<Arc<Location>>,
}

impl RootName {
    /// Of a root; none if nothing tells it from others.
    pub(crate) fn of(stop: &Stop, what: &Driven) -> Option<Self> {
        let Driven::Root { future, place, cfa, .. } = what else { return None };
        let address = place.as_ref().and_then(Place::address).or(*cfa)?;
        let behind = place.as_ref().and_then(|place| concrete(stop, place));
        let described = behind.or_else(|| future.as_ref().map(describe));
        let (name, entry) = described.unwrap_or_else(|| ("block_on".into(), None));
        Some(Self { key: root_key(address, future.as_ref().map(Type::path)), name, entry })
    }
}

/// A root has no header and no number: its future's address and type stand in, because the next `block_on` of a thread
/// puts its future where the last one's was.
fn root_key(address: MemAddr, future: Option<&str>) -> TaskKey {
    let mut hasher = FxHasher::default();
    future.hash(&mut hasher);
    TaskKey { address: address.raw(), id: hasher.finish() }
}

/// The labels of a thread's activations, innermost first, where the stack alone is enough to know them and to know that
/// nobody awaits those tasks: a future that a runtime's `block_on` drives has no handle that somebody could wait for.
/// None: the list of all tasks has to be asked.
pub(crate) fn of_stack(stop: &Stop, view: &ThreadView) -> Option<Vec<Option<Label>>> {
    let label = |activation: &Activation| match &activation.what {
        Driven::Root { .. } if !activation.running => Some(None),
        Driven::Root { future: Some(_), .. } if enters_runtime(view, activation) => {
            RootName::of(stop, &activation.what).map(|root| Some(Label { key: root.key, name: root.name }))
        }
        _ => None,
    };
    view.activations.iter().map(label).collect()
}

/// Whether somebody who called the executor has made the thread part of a Tokio runtime. (A channel's `blocking_recv` drives
/// a future too, on any thread.)
fn enters_runtime(view: &ThreadView, activation: &Activation) -> bool {
    view.frames.iter().skip(activation.executor.start).filter_map(|frame| frame.code.as_ref()).any(|code| {
        let path = code.function.path.as_str();
        let enters = ["tokio::runtime::runtime", "tokio::runtime::handle"];
        enters.iter().any(|module| within(path, module))
            && ["::block_on", "::block_on_inner"].iter().any(|name| crate::names::base(path).ends_with(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_follow_each_other_at_one_address_are_two() {
        let at = MemAddr::new(0x7ffc_0000_1000);
        let first = root_key(at, Some("prog::first::{async_fn_env#0}"));
        assert_ne!(first, root_key(at, Some("prog::second::{async_fn_env#0}")));
        assert_eq!(first, root_key(at, Some("prog::first::{async_fn_env#0}")));
    }
}
