//! The house as drawn and the house as built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weft_tests::{list, schema};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// The table of docs/architecture.md: room → rooms it leans on.
fn drawn() -> Rooms {
    let text =
        std::fs::read_to_string(workspace().join("docs/architecture.md")).expect("there is an architecture page");
    let table: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("| room |"))
        .take_while(|line| line.starts_with('|'))
        .collect();
    let rows = table.into_iter().skip(2).map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let mut rooms: Rooms = rows
        .map(|cells| {
            let room = cells[1].split('`').nth(1).expect("a room's name in backticks").to_owned();
            let leans = cells[3].split(',').map(|name| name.trim().to_owned());
            (room, leans.filter(|name| name != "–").collect())
        })
        .collect();
    // The binary's row is in words: all but what it names.
    let all: BTreeSet<String> = rooms.keys().cloned().collect();
    let binary = rooms.get_mut("src").expect("a row for the binary");
    let words: Vec<String> = binary.iter().flat_map(|cell| cell.split_whitespace()).map(str::to_owned).collect();
    assert_eq!(words.first().map(String::as_str), Some("all"), "the binary's row: {words:?}");
    *binary = all.into_iter().filter(|room| room != "src" && !words.contains(room)).collect();
    rooms
}

/// What cargo knows: room → rooms it depends on, in any section but for tests.
fn built() -> Rooms {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let room = |name: &str| name.strip_prefix("weft-").map(|room| if room == "dap" { "src" } else { room }.to_owned());
    list(&metadata["packages"])
        .filter_map(|package| {
            let name = room(package["name"].as_str()?).filter(|name| name != "tests")?;
            let leans = list(&package["dependencies"])
                .filter(|dependency| dependency["kind"] != "dev")
                .filter_map(|dependency| room(dependency["name"].as_str()?))
                .collect();
            Some((name, leans))
        })
        .collect()
}

#[test]
fn rooms_lean_on_what_the_picture_says() {
    assert_eq!(built(), drawn());
}

#[test]
fn our_schema_is_a_schema() {
    for name in schema::ASYNC["definitions"].as_object().expect("definitions").keys() {
        let document = serde_json::json!({
            "$ref": format!("#/definitions/{name}"),
            "definitions": schema::ASYNC["definitions"],
        });
        jsonschema::validator_for(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(jsonschema::meta::is_valid(&schema::ASYNC));
}

/// The page and the schema know the same words.
#[test]
fn every_word_of_our_schema_is_explained() {
    let page = std::fs::read_to_string(workspace().join("docs/async-dap.md")).expect("the page of the async requests");
    let mut missing = BTreeSet::new();
    for (name, definition) in schema::ASYNC["definitions"].as_object().expect("definitions") {
        let members = definition["properties"].as_object().into_iter().flatten().map(|(member, _)| member.clone());
        let words = list(&definition["enum"]).filter_map(Value::as_str).map(str::to_owned);
        if name != "Source" {
            missing.extend(members.chain(words).filter(|word| !page.contains(word.as_str())));
        }
    }
    assert_eq!(missing, BTreeSet::new(), "docs/async-dap.md does not mention these");
}
