//! When a breakpoint stops, in pydevd's words; what it has none for is asked of the probe.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};
use weft_session::debuggee::Terms;

use crate::face::Face;
use crate::probe::{holds, in_message};

/// What a condition or a message says of the task that hits a breakpoint.
const FIELDS: [&str; 3] = ["id", "name", "runtime_id"];

/// A breakpoint's terms; `place` tells breakpoints apart.
pub(crate) fn asked(face: &Face, terms: &Terms, place: &str) -> Value {
    let condition = terms.condition.as_deref().unwrap_or_default();
    // pydevd takes either of a condition and a count for enough.
    let ours = terms.in_focus || condition.contains("task.") || (!condition.is_empty() && terms.hits.is_some());
    let log = terms.log.as_deref().map(message);
    if !ours || face.tasks.is_none() {
        return json!({"condition": terms.condition, "hitCondition": terms.hits, "logMessage": log});
    }
    let hits: String = terms.hits.iter().flat_map(|hits| hits.split_whitespace()).collect();
    // Counting begins anew when either is changed.
    let mut hasher = DefaultHasher::new();
    (place, condition, &hits).hash(&mut hasher);
    let condition = holds(condition.trim(), &hits, terms.in_focus, &format!("{:x}", hasher.finish()));
    json!({"condition": condition, "hitCondition": null, "logMessage": log})
}

/// A message with its task's fields as expressions of Python's.
fn message(log: &str) -> String {
    let mut said = String::new();
    let mut rest = log;
    while let Some((text, behind)) = rest.split_once('{') {
        let (expression, after) = behind.split_once('}').unwrap_or((behind, ""));
        let field = expression.trim().strip_prefix("task.").filter(|field| FIELDS.contains(field));
        let closing = if behind.contains('}') { "}" } else { "" };
        said = match field {
            Some(field) => format!("{said}{text}{{{}}}", in_message(field)),
            None => format!("{said}{text}{{{expression}{closing}"),
        };
        rest = after;
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_of_the_task_what_they_are_asked() {
        let id = in_message("id");
        assert_eq!(message("a {task.id} b {task.owner} {x}"), format!("a {{{id}}} b {{task.owner}} {{x}}"));
        assert_eq!(message("open { brace"), "open { brace");
        assert_eq!(message("{ task.id }"), format!("{{{id}}}"));
    }
}
