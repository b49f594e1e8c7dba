//! The words of evidence.

use crate::{Held, Location, Task, TaskKey};

/// Most tasks, holders and waits that one text names.
pub(super) const MAX_NAMED: usize = 8;

/// A task as a text names it.
pub(super) fn task(task: &Task) -> String {
    format!("{} {}", number(task.key), task.name)
}

/// The place of a task's number.
pub(super) fn number(key: TaskKey) -> String {
    format!("{{task:{:x}:{}}}", key.address, key.id)
}

/// A place by the last two parts of its path: `src/main.rs:12`.
pub(super) fn place(location: &Location) -> String {
    let parts: Vec<_> =
        location.file.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
    let path: Vec<&str> = parts.iter().rev().map(AsRef::as_ref).filter(|part| *part != "/").collect();
    format!("{}:{}", path.join("/"), location.line)
}

/// Where a task is: ` at src/main.rs:12`, or nothing.
pub(super) fn at(location: Option<&Location>) -> String {
    location.map(|location| format!(" at {}", place(location))).unwrap_or_default()
}

/// Where something is held: ` (mine::a, src/main.rs:12)`.
pub(super) fn held_in(held: &Held) -> String {
    match &held.location {
        Some(location) => format!(" ({}, {})", held.frame, place(location)),
        None => format!(" ({})", held.frame),
    }
}

/// `a, b and c`; of many the first, and how many more there are.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    let more = items.len().saturating_sub(MAX_NAMED);
    items.truncate(MAX_NAMED);
    if more > 0 {
        items.push(format!("{more} more"));
    }
    match items.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_well() {
        let numbers = |count: usize| list((1..=count).map(|number| number.to_string()));
        assert_eq!(
            (numbers(0), numbers(1), numbers(2), numbers(3)),
            (String::new(), "1".into(), "1 and 2".into(), "1, 2 and 3".into())
        );
        assert_eq!(numbers(11), "1, 2, 3, 4, 5, 6, 7, 8 and 3 more");
    }

    #[test]
    fn places_are_short() {
        let place_of = |file: &str| place(&Location { file: file.into(), line: 7, column: 0 });
        assert_eq!(
            (place_of("/home/me/app/src/main.rs"), place_of("/main.rs")),
            ("src/main.rs:7".into(), "main.rs:7".into())
        );
    }
}
