//! Members of an object given one by one, by dotted names (`async.tasksAsThreads`): some clients have no words for an object within a
//! configuration.

use serde_json::{Map, Value};

/// Attributes that are objects, those within another one behind it.
const OBJECTS: &[&str] = &[
    "async",
    "asyncio",
    "autoReload",
    "cargo",
    "connect",
    "env",
    "listen",
    "signals",
    "sourceMap",
    "cargo.env",
    "cargo.filter",
];

/// The same configuration with every dotted name where it belongs. Where both say something, the dotted name does.
pub(super) fn gathered(given: Map<String, Value>) -> Map<String, Value> {
    let (dotted, mut whole): (Map<_, _>, Map<_, _>) = given.into_iter().partition(|(name, _)| belongs(name).is_some());
    for (name, value) in dotted {
        if let Some((object, member)) = belongs(&name)
            && let Some(object) = object.split('.').try_fold(&mut whole, entered)
        {
            object.insert(member.to_owned(), value);
        }
    }
    whole
}

/// The object that a dotted name is of, and the member's name, which may have dots of its own (a path, a variable).
fn belongs(name: &str) -> Option<(&str, &str)> {
    let of = |object: &&&str| name.strip_prefix(**object).is_some_and(|rest| rest.starts_with('.'));
    let object = OBJECTS.iter().filter(of).max_by_key(|object| object.len())?;
    name.split_at_checked(object.len()).and_then(|(object, rest)| Some((object, rest.strip_prefix('.')?)))
}

/// An object within another one, made if there is none. What is no object stays, and is refused by whoever reads it.
fn entered<'a>(whole: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let object = whole.entry(name).or_insert(Value::Null);
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    object.as_object_mut()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: Value) -> Value {
        let Value::Object(given) = given else { panic!("{given} is no object") };
        Value::Object(gathered(given))
    }

    #[test]
    fn dotted_names_become_members() {
        assert_eq!(
            read(json!({
                "program": "a", "async.tasksAsThreads": "all", "async.maxThreads": 5, "env.A.B": "c", "cargo.args": ["build"],
                "cargo.filter.kind": "bin", "cargo.env.RUSTFLAGS": null, "sourceMap./a.b": "/c", "signals": {"SIGHUP": "pass"},
            })),
            json!({
                "program": "a", "async": {"tasksAsThreads": "all", "maxThreads": 5}, "env": {"A.B": "c"},
                "cargo": {"args": ["build"], "filter": {"kind": "bin"}, "env": {"RUSTFLAGS": null}}, "sourceMap": {"/a.b": "/c"},
                "signals": {"SIGHUP": "pass"},
            })
        );
    }

    #[test]
    fn they_are_added_to_the_object_and_win() {
        assert_eq!(
            read(
                json!({"async": {"maxThreads": 5, "stepMode": "task"}, "async.maxThreads": 6, "env": null, "env.A": "b"})
            ),
            json!({"async": {"maxThreads": 6, "stepMode": "task"}, "env": {"A": "b"}})
        );
    }

    #[test]
    fn other_names_with_dots_are_none_of_its_business() {
        let strangers = json!({"a.b": 1, ".async": 2, "asyncs.x": 3, "program.x": 4, "async": "all"});
        assert_eq!(read(strangers.clone()), strangers);
        assert_eq!(read(json!({"async": "all", "async.maxThreads": 5})), json!({"async": "all"}));
    }
}
