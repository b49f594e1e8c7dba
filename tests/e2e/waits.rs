//! What tasks wait for and who holds it, as a client sees it: numbers in the texts and beside them.

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, list};

const MAIN: &str = "waits_zoo/src/main.rs";

/// The one task of that function.
fn task<'a>(tasks: &'a Value, name: &str) -> &'a Value {
    let full = format!("waits_zoo::{name}");
    let found: Vec<&Value> = list(&tasks["tasks"]).filter(|task| task["name"] == *full).collect();
    assert_eq!(found.len(), 1, "{full} in {tasks}");
    found[0]
}

#[test]
fn waits_name_tasks_by_their_numbers() {
    let mut client = Client::weft();
    let zoo = program("waits_zoo", Profile::Debug);
    client.launch_to(&zoo, &[], source(MAIN), line(MAIN, "ready"));
    let tasks = client.async_tasks();
    let id = |name: &str| task(&tasks, name)["id"].as_i64().expect("a number");
    let holder = id("sync::hold_mutex");
    for (name, place) in [("sync::first_in_queue", "1st"), ("sync::second_in_queue", "2nd")] {
        let wait = &task(&tasks, name)["waitingOn"];
        let text = format!("lock Mutex<Db>, {place} of 2 in the queue, held by task {holder}");
        assert_eq!(wait["text"], json!(text));
        assert_eq!((&wait["kind"], &wait["holders"]), (&json!("mutex"), &json!([holder])));
        assert_eq!(wait["resource"], task(&tasks, "sync::first_in_queue")["waitingOn"]["resource"]);
        assert_eq!(wait["resource"]["type"], json!("Mutex<Db>"));
    }
    let read = &task(&tasks, "sync::wait_receive")["waitingOn"];
    assert_eq!(read["holders"], json!([id("sync::hold_sender"), id("sync::hold_sender_too")]));
    let accept = task(&tasks, "io::wait_accept")["waitingOn"]["text"].as_str().expect("a text").to_owned();
    let (_, address) = accept.split_once(", on ").expect("an address");
    let read = &task(&tasks, "io::wait_tcp_read")["waitingOn"];
    assert_eq!(read["peer"], json!(address));
    assert_eq!(read["text"], json!(format!("read, fd {}, peer {address}", read["fd"])));
    let job = &task(&tasks, "time::wait_job")["waitingOn"];
    assert_eq!((&job["kind"], &job["tasks"]), (&json!("blocking-job"), &json!([id("time::all {closure}")])));
    client.disconnect();
}
