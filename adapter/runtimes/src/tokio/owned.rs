//! A runtime's list of the tasks it owns.
//!
//! From 1.35 a sharded list (`list.lists[].head`), before that one list (`inner…head`); the wrappers between depend on
//! features, so `head` is searched by name. Each list is linked through the tasks themselves.

use rustc_hash::FxHashSet;
use weft_memory::MemAddr;
use weft_symbols::Type;
use weft_values::{Place, Stop};

use super::header::{HeaderPlan, Next};
use crate::leaves::find_pointer;
use crate::names::base;
use crate::shape::find_member;

/// Most tasks of one runtime, most shards.
const MAX_TASKS: usize = 4_000_000;
const MAX_SHARDS: u64 = 1 << 17;

/// The headers of a runtime's tasks.
#[derive(Debug, Default)]
pub(crate) struct Owned {
    pub(crate) headers: Vec<MemAddr>,
    /// The type of the headers; none if there is no task list that is known.
    pub(crate) header: Option<(Type, HeaderPlan)>,
    /// How many the runtime says there are.
    pub(crate) count: Option<u64>,
    /// What could not be read.
    pub(crate) errors: Vec<String>,
}

/// All tasks that the runtime with this handle owns.
pub(crate) fn owned_tasks(stop: &Stop, handle: &Place) -> Owned {
    let mut found = Owned::default();
    if let Err(message) = collect(stop, handle, &mut found) {
        found.errors.push(message);
    }
    found
}

fn collect(stop: &Stop, handle: &Place, found: &mut Owned) -> Result<(), String> {
    let (offset, owned) = find_member(&handle.ty, &["owned"], 4)
        .ok_or_else(|| format!("`{}` has no `owned` list that is known", handle.ty.path()))?;
    let owned = Place::at(owned, handle.at.plus(offset));
    let heads = heads(stop, &owned)?;
    let header_type = heads.header;
    let plan = HeaderPlan::of(&header_type)?;
    found.count = find_member(&owned.ty, &["count"], 6)
        .and_then(|(offset, ty)| Place::at(ty, owned.at.plus(offset)).peel().read_u64(stop).ok());
    let mut seen = FxHashSet::default();
    for head in heads.addresses {
        if let Err(message) = follow(stop, &plan, head, &mut seen, &mut found.headers) {
            found.errors.push(message);
        }
    }
    found.header = Some((header_type, plan));
    Ok(())
}

/// Where the pointers to the lists' first tasks are, and the type they point to.
struct Heads {
    addresses: Vec<MemAddr>,
    header: Type,
}

fn heads(stop: &Stop, owned: &Place) -> Result<Heads, String> {
    let unknown = || format!("the task list of `{}` has a layout that is not known", owned.ty.path());
    let head = |list: &Type| -> Option<(u64, Type)> {
        let (offset, option) = find_member(list, &["head"], 8)?;
        let (inner, header) = find_pointer(&option, 6, &|ty| base(ty.path()).ends_with("::core::Header"))?;
        Some((offset.saturating_add(inner), header))
    };
    if let Some((offset, lists)) = find_member(&owned.ty, &["lists"], 2) {
        let slice = Place::at(lists, owned.at.plus(offset));
        let shards = slice.deref(stop).map_err(|error| error.to_string())?;
        let weft_values::Meta::Length(count) = shards.meta else { return Err(unknown()) };
        let first = shards.address().ok_or_else(unknown)?;
        let (offset, header) = head(&shards.ty).ok_or_else(unknown)?;
        let size = shards.ty.size();
        let address =
            |shard: u64| MemAddr::new(first.raw().wrapping_add(shard.wrapping_mul(size)).wrapping_add(offset));
        return Ok(Heads { addresses: (0..count.min(MAX_SHARDS)).map(address).collect(), header });
    }
    let (offset, header) = head(&owned.ty).ok_or_else(unknown)?;
    let address = owned.address().and_then(|address| address.checked_add(offset)).ok_or_else(unknown)?;
    Ok(Heads { addresses: vec![address], header })
}

/// Follows one list from the pointer to its first task.
fn follow(
    stop: &Stop,
    plan: &HeaderPlan,
    head: MemAddr,
    seen: &mut FxHashSet<MemAddr>,
    headers: &mut Vec<MemAddr>,
) -> Result<(), String> {
    let broken = |error: weft_memory::MemoryError| format!("a list of tasks cannot be followed to its end: {error}");
    let mut next = stop.memory.read_pointer(head).map_err(broken)?;
    while next.raw() != 0 {
        if !seen.insert(next) {
            return Err("a list of tasks leads back into itself: the program was stopped while it changed".to_owned());
        }
        if headers.len() >= MAX_TASKS {
            return Err(format!("more than {MAX_TASKS} tasks: the rest is not shown"));
        }
        headers.push(next);
        next = link(stop, plan, next).map_err(broken)?;
    }
    Ok(())
}

fn link(stop: &Stop, plan: &HeaderPlan, header: MemAddr) -> Result<MemAddr, weft_memory::MemoryError> {
    let plus = |base: MemAddr, offset: u64| MemAddr::new(base.raw().wrapping_add(offset));
    match plan.next {
        Next::Header(offset) => stop.memory.read_pointer(plus(header, offset)),
        Next::Trailer { offset_in_vtable, link } => {
            let vtable = stop.memory.read_pointer(plus(header, plan.vtable))?;
            let trailer = stop.memory.read_u64(plus(vtable, offset_in_vtable))?;
            stop.memory.read_pointer(plus(header, trailer.wrapping_add(link)))
        }
    }
}
