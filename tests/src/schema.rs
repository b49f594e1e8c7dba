//! Every message an adapter sends, against the protocol's schema and weft's own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

static PROTOCOL: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../schema/debugAdapterProtocol.json")).expect("the protocol's schema is JSON")
});

/// weft's own schema, `docs/async-dap.schema.json`.
pub static ASYNC: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../docs/async-dap.schema.json")).expect("weft's schema is JSON")
});

/// weft's schema as a test reads it: what it does not mention must not be sent.
static ASYNC_STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = ASYNC.clone();
    for (name, definition) in schema["definitions"].as_object_mut().expect("definitions") {
        if definition.get("properties").is_some() && name != "Source" {
            definition["additionalProperties"] = json!(false);
        }
    }
    schema
});

/// One compiled validator for each definition that occurred.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What is wrong with a message from an adapter, if anything is.
///
/// # Errors
/// A sentence for each violation.
pub fn check(message: &Value) -> Result<(), String> {
    let word = |key: &str| message[key].as_str().unwrap_or_default();
    match word("type") {
        "response" if message["success"] == json!(false) => against(&PROTOCOL, "ErrorResponse", message),
        "response" => match word("command") {
            command @ ("asyncTasks" | "asyncStack") => {
                against(&PROTOCOL, "Response", message)?;
                against(&ASYNC_STRICT, &format!("{}ResponseBody", capital(command)), &message["body"])
            }
            "asyncFocusTask" | "asyncRunTo" | "asyncTaskStops" => against(&PROTOCOL, "Response", message),
            command => against(&PROTOCOL, &format!("{}Response", capital(command)), message),
        },
        "event" => match word("event") {
            "asyncTasksChanged" => {
                against(&PROTOCOL, "Event", message)?;
                against(&ASYNC_STRICT, "AsyncTasksChangedEventBody", &message["body"])
            }
            event => against(&PROTOCOL, &format!("{}Event", capital(event)), message),
        },
        "request" => against(&PROTOCOL, &format!("{}Request", capital(word("command"))), message),
        other => Err(format!("{other:?} is no type of message")),
    }
}

/// What is wrong with the body of an `asyncTasks` answer, wherever it came from.
///
/// # Errors
/// A sentence for each violation.
pub fn check_tasks(body: &Value) -> Result<(), String> {
    against(&ASYNC_STRICT, "AsyncTasksResponseBody", body)
}

fn against(schema: &'static Value, definition: &str, instance: &Value) -> Result<(), String> {
    let validator = validator(schema, definition)?;
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("not a {definition}: {}", errors.join("; "))) }
}

fn validator(schema: &'static Value, definition: &str) -> Result<Arc<Validator>, String> {
    let key = format!("{}/{definition}", schema["title"]);
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(validator) = known.get(&key) {
        return Ok(validator.clone());
    }
    if schema["definitions"].get(definition).is_none() {
        return Err(format!("the schema knows no {definition}"));
    }
    let document = json!({
        "$schema": schema["$schema"],
        "$ref": format!("#/definitions/{definition}"),
        "definitions": schema["definitions"],
    });
    let validator = Arc::new(jsonschema::validator_for(&document).map_err(|error| error.to_string())?);
    known.insert(key, validator.clone());
    Ok(validator)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_held_against_its_own_definition() {
        let threads = |body: Value| {
            check(&json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "threads",
                          "body": body}))
        };
        assert_eq!(threads(json!({"threads": [{"id": 1, "name": "main"}]})), Ok(()));
        assert!(threads(json!({"threads": [{"id": "1", "name": "main"}]})).is_err_and(|text| text.contains("integer")));
        assert!(threads(json!({})).is_err_and(|text| text.contains("\"threads\" is a required property")));
    }

    #[test]
    fn an_event_that_nobody_defined_is_an_error() {
        let wrong = check(&json!({"seq": 1, "type": "event", "event": "surprise"}));
        assert_eq!(wrong, Err("the schema knows no SurpriseEvent".to_owned()));
    }

    #[test]
    fn what_our_schema_does_not_mention_is_an_error() {
        let changed =
            |body: Value| check(&json!({"seq": 1, "type": "event", "event": "asyncTasksChanged", "body": body}));
        assert_eq!(changed(json!({"generation": 3})), Ok(()));
        assert!(changed(json!({"generation": 3, "extra": 1})).is_err());
        assert!(changed(json!({})).is_err());
    }
}
