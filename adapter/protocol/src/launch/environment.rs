//! Changes to an environment as configurations give them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// Changes by name; `None` removes.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// An `env` attribute.
#[derive(Default, Deserialize)]
pub(super) struct Environment(#[serde(deserialize_with = "changes")] pub(super) Changes);

/// A variable's value. Whoever writes `8080` means these digits, and some clients make a number of text that is one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a variable's value must be text")]
enum Text {
    Whole(String),
    Digits(Number),
}

/// Reads changes to an environment.
pub(super) fn changes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Changes, D::Error> {
    let given = BTreeMap::<String, Option<Text>>::deserialize(deserializer)?;
    let plain = |text| match text {
        Text::Whole(text) => text,
        Text::Digits(number) => number.to_string(),
    };
    Ok(given.into_iter().map(|(name, value)| (name, value.map(plain))).collect())
}
