//! Threads and what wakes: `Thread`, `JoinHandle` (of threads and of Tokio's tasks), `Waker`.

use weft_symbols::{CodeFrame, Type};

use super::shape::Shape;
use super::{Child, pointers};
use crate::{Place, Stop, ValueError};

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "std::thread::thread::Thread" | "std::thread::Thread" => thread(stop, place),
        "std::thread::join_handle::JoinHandle" | "std::thread::JoinHandle" => join_handle(stop, place),
        "tokio::runtime::task::join::JoinHandle" | "tokio::runtime::task::abort::AbortHandle" => {
            tokio_handle(stop, place)
        }
        "core::task::wake::Waker" => waker(stop, place),
        _ => return None,
    })
}

/// `inner: Pin<Arc<Inner {name, id, ..}>>`; the name is in an `Option`.
fn thread(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let inner = place.member("inner")?.deref(stop)?.member("data")?;
    let name = inner.member("name")?;
    let variant = name.variant(stop)?;
    let name = if variant.name == "Some" { variant.place.member("__0")?.find("inner").unwrap_or(name) } else { name };
    let fields = vec![Child::extra("id", inner.member("id")), Child::extra("name", Ok(name))];
    Ok(Shape::Fields { name: "Thread".to_owned(), fields, is_tuple: false })
}

/// A thread is finished when it has dropped its half of the packet with the result.
fn join_handle(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let inner = place.member("__0")?;
    let packet = inner.member("packet")?.deref(stop)?;
    let is_finished = packet.member("strong")?.peel().read_u64(stop)? == 1;
    let mut fields = vec![Child::extra("thread", inner.member("thread"))];
    if is_finished {
        let result = packet.member("data")?.member("result")?.unwrap_cell().variant(stop)?;
        if result.name == "Some" {
            fields.push(Child::extra("result", result.place.member("__0")));
        }
    }
    let state = if is_finished { "finished" } else { "running" };
    Ok(Shape::Fields { name: format!("JoinHandle({state})"), fields, is_tuple: false })
}

/// The task's number, and the word of state in its header.
fn tokio_handle(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let name = place.ty.name().split('<').next().unwrap_or("JoinHandle");
    let header = place.member("raw")?.deref(stop)?;
    let state = task_state(header.member("state")?.peel().read_u64(stop)?);
    let id = task_id(stop, &header).map_or_else(String::new, |id| format!("task {id}, "));
    let fields = vec![Child::extra("[header]", Ok(header))];
    Ok(Shape::Summary { text: format!("{name}({id}{state})"), fields })
}

/// Bit 0: somebody polls or drops it; bit 1: its future is gone; bit 2: it is to be polled; bit 5: it is to be cancelled.
const fn task_state(word: u64) -> &'static str {
    match (word & 2 != 0, word & 1 != 0, word & 32 != 0, word & 4 != 0) {
        // It may have been finished by then: only its result tells.
        (true, _, true, _) => "complete, abort was called",
        (true, ..) => "complete",
        (_, true, ..) => "running",
        (_, _, true, _) => "being cancelled",
        (_, _, _, true) => "scheduled",
        _ => "idle",
    }
}

/// The task's number, where the vtable says it lies.
fn task_id(stop: &Stop, header: &Place) -> Option<u64> {
    let vtable = header.member("vtable").ok()?.deref(stop).ok()?;
    let offset = vtable.member("id_offset").ok()?.read_u64(stop).ok()?;
    stop.memory.read_u64(header.address()?.checked_add(offset)?).ok()
}

/// A waker is known by the function that clones it: what its vtable is called, the debug information leaves out.
fn waker(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let raw = place.member("waker")?;
    let vtable = raw.member("vtable")?.deref(stop)?;
    let clone = vtable.member("clone")?.read_pointer(stop)?;
    let data = raw.member("data")?;
    let mut fields = vec![Child::extra("[data]", Ok(data.clone())), Child::extra("[vtable]", Ok(vtable))];
    let text = match pointers::concrete_function(stop, clone) {
        None => format!("<no function at {clone}>"),
        Some(function) if is_no_op(&function) => return Ok(Shape::Leaf("Waker(no-op)".to_owned())),
        Some(function) => match woken(&function) {
            Some(woken) => {
                let text = crate::short_type_name(woken.path());
                fields.insert(0, Child::extra("[wakes]", Ok(Place::new(woken, data.read_pointer(stop)?))));
                text
            }
            None if is_of_tokio_task(&function) => {
                let header = function.image.types_of_any_arguments("tokio::runtime::task::core::Header").next();
                let header =
                    header.map(|ty| Ok::<_, ValueError>(Place::new(ty, data.read_pointer(stop)?))).transpose()?;
                let id = header.and_then(|header| task_id(stop, &header));
                id.map_or_else(|| "a task of Tokio".to_owned(), |id| format!("task {id}"))
            }
            None => format!("{}, data {}", function.function.name, data.read_pointer(stop)?),
        },
    };
    Ok(Shape::Summary { text: format!("Waker({text})"), fields })
}

/// Whether this clones `Waker::noop()`: a closure, which lies in a constant of that name.
fn is_no_op(clone: &CodeFrame) -> bool {
    clone
        .template_argument("Self")
        .is_some_and(|closure| closure.path().starts_with("core::task::wake::") && closure.path().contains("::NOOP::"))
}

/// Whether this clones the waker of a task of Tokio, whose pointer is the task's header.
fn is_of_tokio_task(clone: &CodeFrame) -> bool {
    clone.function.path == "tokio::runtime::task::waker::clone_waker"
}

/// What the pointer in a waker was the `Arc` of, where its functions were made for that.
fn woken(clone: &CodeFrame) -> Option<Type> {
    let path = crate::names::without_arguments(&clone.function.path);
    let is_known = matches!(
        path,
        "alloc::task::raw_waker::clone_waker"
            | "futures_task::waker::clone_arc_raw"
            | "tokio::util::wake::clone_arc_raw"
    );
    // Each has one argument, whatever it calls it.
    is_known.then(|| ["W", "T"].iter().find_map(|name| clone.template_argument(name))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_in_one_state() {
        // The initial state: three references, a join handle, to be polled.
        assert_eq!(task_state(0xcc), "scheduled");
        assert_eq!(task_state(0x88), "idle");
        assert_eq!(task_state(0x89), "running");
        assert_eq!(task_state(0x8a), "complete");
        assert_eq!(task_state(0xaa), "complete, abort was called");
    }
}
