//! Sessions with a fake debuggee: the order of messages, and that nothing ends a session but its end.
#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use weft_session::debuggee::{Channel, DebuggeeEvent, Exception, StopReason, Stopped};
use weft_session::{Runtime, ServeOptions, serve};

use harness::fake::{ABORTED, FakeFactory, Gate, stopped};
use harness::{Client, frame, initialize};

const TASKS: i64 = 1 << 30;

macro_rules! sessions {
    ($(async fn $name:ident() $body:block)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() $body)*
    };
}

sessions! {

async fn launch_breakpoint_step_exit_in_order() {
    let mut client = Client::connect();
    client.send("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    assert_eq!(client.order(4).await, ["initialize", "[process]", "[initialized]", "[thread started]"]);
    let fake = client.fake();
    let asked = json!({"source": {"path": "/build/src/main.rs"}, "breakpoints": [{"line": 9}, {"line": 999}]});
    let set = client.body("setBreakpoints", asked).await;
    assert_eq!(set["breakpoints"][0]["verified"], true);
    assert_eq!(set["breakpoints"][0]["line"], 10);
    assert_eq!(set["breakpoints"][1], json!({"id": 2, "verified": false, "message": "no code on line 999"}));
    client.send("setExceptionBreakpoints", json!({"filters": []})).await;
    client.send("configurationDone", json!({})).await;
    assert_eq!(client.order(3).await, ["setExceptionBreakpoints", "configurationDone", "launch"]);
    fake.stop_at_breakpoint();
    assert_eq!(client.order(2).await, ["[stopped breakpoint]", "[asyncTasksChanged]"]);
    // The fake stops before `resume` returns; the response comes first all the same.
    *fake.on_resume.lock().unwrap() = vec![
        DebuggeeEvent::Stopped(stopped(StopReason::Step)),
        DebuggeeEvent::Exited(3),
    ];
    client.send("next", json!({"threadId": 100})).await;
    assert_eq!(client.order(3).await, ["next", "[stopped step]", "[asyncTasksChanged]"]);
    client.send("continue", json!({"threadId": 100})).await;
    // What the program writes is in order with events; with responses it need not be.
    let mut words = client.order(4).await;
    let output = words.iter().position(|word| word == "[output]").unwrap();
    assert!(output < 2);
    words.remove(output);
    assert_eq!(words, ["continue", "[exited]", "[terminated]"]);
    client.send("disconnect", json!({})).await;
    assert_eq!(client.rest().await, ["disconnect"]);
    client.session.await.unwrap();
    assert_eq!(
        fake.log(),
        [
            "breakpoints /build/src/main.rs [9, 999]",
            "filters []",
            "start",
            "Step { kind: Over, of: Thread(100), granularity: Line }",
            "Continue",
            "Kill",
        ]
    );
}

async fn a_client_may_configure_before_the_program_is_loaded() {
    let gate = Arc::new(Gate::default());
    let factory = FakeFactory::behind(&gate);
    let mut client = Client::with(factory, ServeOptions::default());
    client.send("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.send("configurationDone", Value::Null).await;
    // The lane is free while the factory works.
    client.send("terminate", json!({})).await;
    assert_eq!(client.order(2).await, ["initialize", "terminate!"]);
    gate.open();
    let expected = ["[process]", "[initialized]", "[thread started]", "configurationDone", "launch"];
    assert_eq!(client.order(5).await, expected);
}

async fn pause_and_breakpoints_work_while_running() {
    let mut client = Client::launched().await;
    let (id, message) = client.error("stackTrace", json!({"threadId": 100})).await;
    assert_eq!((id, message.as_str()), (1102, "the program is running: pause first"));
    assert_eq!(client.error("evaluate", json!({"expression": "x"})).await.0, 1102);
    assert_eq!(client.error("continue", json!({"threadId": 100})).await.0, 1102);
    assert_eq!(client.body("threads", json!({})).await["threads"].as_array().unwrap().len(), 2);
    client.body("setBreakpoints", json!({"source": {"path": "/a.rs"}, "breakpoints": [{"line": 1}]})).await;
    client.unread.clear();
    client.send("pause", json!({"threadId": 100})).await;
    assert_eq!(client.order(3).await, ["pause", "[stopped pause]", "[asyncTasksChanged]"]);
    client.send("pause", json!({"threadId": 100})).await;
    assert_eq!(client.order(1).await, ["pause"]);
}

async fn a_stack_has_frames_labels_and_pages() {
    let mut client = Client::stopped().await;
    let whole = client.body("stackTrace", json!({"threadId": 100})).await;
    let frames = whole["stackFrames"].as_array().unwrap();
    let names: Vec<&str> = frames.iter().map(|frame| frame["name"].as_str().unwrap()).collect();
    let expected =
        ["mine::inner", "mine::outer", "task 1 mine::outer", "awaited by task 2 mine::main", "mine::main", "tokio::poll"];
    assert_eq!(names, expected);
    assert_eq!(frames[2]["presentationHint"], "label");
    assert_eq!(frames[5]["presentationHint"], "subtle");
    assert_eq!(frames[0].get("presentationHint"), None);
    assert_eq!((&frames[0]["line"], &frames[0]["column"]), (&json!(10), &json!(5)));
    assert_eq!(frames[0]["source"]["path"], "/build/src/main.rs");
    assert_eq!(whole["totalFrames"], 6);
    let page = client.body("stackTrace", json!({"threadId": 100, "startFrame": 1, "levels": 2})).await;
    assert_eq!(page["stackFrames"].as_array().unwrap().len(), 2);
    assert_eq!(page["totalFrames"], 6);
    // The same frame has the same number, however often it is asked for.
    assert_eq!(page["stackFrames"][0]["id"], frames[1]["id"]);
    let past = client.body("stackTrace", json!({"threadId": 100, "startFrame": 9, "levels": 2})).await;
    assert_eq!(past["stackFrames"], json!([]));
    assert_eq!(client.body("scopes", json!({"frameId": frames[2]["id"]})).await["scopes"], json!([]));
    assert_eq!(client.error("stackTrace", json!({"threadId": 100, "startFrame": -1})).await.0, 1003);
    assert_eq!(client.error("stackTrace", json!({"threadId": 5})).await.0, 1303);
    assert_eq!(client.error("stackTrace", json!({"threadId": TASKS + 77})).await.0, 1303);
    assert_eq!(client.error("stackTrace", json!({"threadId": i64::MAX})).await.0, 1303);
}

async fn values_are_paged_and_numbers_end_with_the_stop() {
    let mut client = Client::stopped().await;
    let frame = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"][0]["id"].clone();
    let scopes = client.body("scopes", json!({"frameId": frame})).await["scopes"].clone();
    assert_eq!(scopes[0]["name"], "Locals");
    assert_eq!(scopes[1]["indexedVariables"], 20_000);
    let registers = scopes[1]["variablesReference"].clone();
    let ask = |extra: Value| {
        let mut arguments = json!({"variablesReference": registers});
        arguments.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        arguments
    };
    let names = |body: &Value| -> Vec<String> {
        body["variables"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap().to_owned()).collect()
    };
    let page = client.body("variables", ask(json!({"filter": "indexed", "start": 19_998, "count": 100}))).await;
    assert_eq!(names(&page), ["[19998]", "[19999]"]);
    assert_eq!(names(&client.body("variables", ask(json!({"filter": "named"}))).await), ["name0", "name1"]);
    assert_eq!(names(&client.body("variables", ask(json!({"start": 1, "count": 2}))).await), ["name1", "[0]"]);
    let all = names(&client.body("variables", ask(json!({}))).await);
    assert_eq!((all.len(), all.last().unwrap().as_str()), (10_001, "…"));
    let value = client.body("evaluate", json!({"expression": " x ", "frameId": frame, "context": "hover"})).await;
    assert_eq!((&value["result"], &value["type"]), (&json!("value of x"), &json!("alloc::vec::Vec<u8>")));
    let elements = client.body("variables", json!({"variablesReference": value["variablesReference"]})).await;
    assert_eq!(names(&elements), ["[0]", "[1]", "[2]"]);

    *client.fake().on_resume.lock().unwrap() = vec![DebuggeeEvent::Stopped(stopped(StopReason::Step))];
    client.body("next", json!({"threadId": 100})).await;
    client.until_event("asyncTasksChanged").await;
    let (id, message) = client.error("scopes", json!({"frameId": frame})).await;
    assert_eq!((id, message), (1301, format!("frame {frame} is of an earlier stop: ask for the stack again")));
    assert_eq!(client.error("variables", ask(json!({}))).await.0, 1301);
    assert_eq!(client.error("evaluate", json!({"expression": "x", "frameId": frame})).await.0, 1301);
    assert_eq!(client.error("variables", json!({"variablesReference": 1_000_000})).await.0, 1302);
    let again = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"][0]["id"].clone();
    assert_ne!(again, frame);
}

async fn tasks_are_filtered_paged_and_looked_at_once() {
    let mut client = Client::stopped().await;
    *client.fake().tasks.lock().unwrap() = 10;
    let page = client.body("asyncTasks", json!({"start": 2, "count": 3})).await;
    assert_eq!((&page["total"], &page["matched"]), (&json!(10), &json!(10)));
    let ids = |body: &Value| body["tasks"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(&page), [3, 4, 5]);
    assert_eq!(page["tasks"][0]["threadId"], TASKS + 3);
    assert_eq!(page["tasks"][0]["waitingOn"], json!({"kind": "join", "text": "waits for task 2"}));
    assert_eq!((&page["notes"], &page["problems"][0]["kind"]), (&json!(["seen task 1"]), &json!("deadlock")));
    let generation = page["generation"].clone();
    let running = client.body("asyncTasks", json!({"generation": generation, "filter": {"states": ["running"]}})).await;
    assert_eq!((ids(&running), &running["matched"]), (vec![2, 4, 6, 8, 10], &json!(5)));
    let named = client.body("asyncTasks", json!({"filter": {"text": "TASK_1", "runtime": 1}})).await;
    assert_eq!(ids(&named), [1, 10]);
    assert_eq!(client.body("asyncTasks", json!({"filter": {"runtime": 2}})).await["matched"], 0);
    assert_eq!(client.body("asyncTasks", json!({"start": 100})).await["tasks"], json!([]));
    assert_eq!(*client.fake().looks.lock().unwrap(), 1);
    let (id, _) = client.error("asyncTasks", json!({"generation": 4711})).await;
    assert_eq!(id, 1501);
    assert_eq!(client.error("asyncTasks", json!({"count": -1})).await.0, 1003);
    // An old generation can be paged from while the program runs, until it is pushed out.
    client.body("continue", json!({"threadId": 100})).await;
    assert_eq!(client.body("asyncTasks", json!({"generation": generation, "count": 1})).await["matched"], 10);
    assert_eq!(*client.fake().looks.lock().unwrap(), 1);
    for _ in 0..4 {
        client.unread.clear();
        let glance = client.send("asyncTasks", json!({"count": 0})).await;
        assert_eq!(client.order(2).await, ["asyncTasks", "[asyncTasksChanged]"], "{glance}");
    }
    assert_eq!(client.error("asyncTasks", json!({"generation": generation})).await.0, 1501);
}

async fn a_task_that_has_ended_is_listed_and_not_counted() {
    let mut client = Client::stopped().await;
    *client.fake().tasks.lock().unwrap() = ABORTED;
    let page = client.body("asyncTasks", json!({"filter": {"states": ["cancelled"]}})).await;
    assert_eq!((&page["total"], &page["matched"]), (&json!(ABORTED - 1), &json!(1)));
    assert_eq!(page["tasks"][0]["name"], "mine::task_1000");
}

async fn a_task_has_a_tree_and_can_be_focused() {
    let mut client = Client::stopped().await;
    client.body("asyncTasks", json!({})).await;
    let tree = client.body("asyncStack", json!({"task": 2})).await;
    assert_eq!(tree["frames"][0]["kind"], "await");
    assert_eq!(tree["frames"][0]["children"][0]["name"], "Sleep");
    assert_eq!(tree["frames"][1]["name"], "awaited by task 1 mine::main");
    assert_eq!(tree["frames"][1]["task"], 1);
    let scopes = client.body("scopes", json!({"frameId": tree["frames"][0]["id"]})).await;
    assert_eq!(scopes["scopes"].as_array().unwrap().len(), 2);
    assert_eq!(client.error("asyncStack", json!({"task": 99})).await.0, 1304);

    client.send("asyncFocusTask", json!({"task": 1})).await;
    let expected = ["asyncFocusTask", "[thread started]", "[stopped pause]", "[asyncTasksChanged]"];
    assert_eq!(client.order(4).await, expected);
    client.body("asyncFocusTask", json!({"task": 1})).await;
    let stop = client.until_event("stopped").await;
    assert_eq!(stop["body"], json!({"reason": "pause", "threadId": TASKS + 1, "preserveFocusHint": false, "allThreadsStopped": true}));
    let threads = client.body("threads", json!({})).await;
    assert_eq!(threads["threads"][2], json!({"id": TASKS + 1, "name": "task 1 mine::task_1"}));
    let stack = client.body("stackTrace", json!({"threadId": TASKS + 1})).await;
    assert_eq!(stack["stackFrames"][0]["name"], "mine::main");
    assert_eq!(client.error("asyncFocusTask", json!({"task": 77})).await.0, 1304);

    *client.fake().on_resume.lock().unwrap() = vec![DebuggeeEvent::Stopped(stopped(StopReason::Step))];
    client.fake().log();
    client.body("stepIn", json!({"threadId": TASKS + 1})).await;
    assert_eq!(client.fake().log(), [format!("Step {{ kind: In, of: Task({:?}), granularity: Line }}", harness::fake::key(1))]);
    client.until_event("stopped").await;
    // The task ends: its thread goes.
    *client.fake().tasks.lock().unwrap() = 0;
    client.unread.clear();
    client.send("threads", json!({})).await;
    assert_eq!(client.order(3).await, ["[asyncTasksChanged]", "[thread exited]", "threads"]);
    client.body("continue", json!({"threadId": 100})).await;
    let (id, message) = client.error("asyncFocusTask", json!({"task": 1})).await;
    assert_eq!((id, message.as_str()), (1102, "the program is running: pause first"));
}

async fn all_tasks_are_threads_up_to_the_cap_which_is_said_once() {
    let configuration = json!({"program": "/bin/true", "async": {"tasksAsThreads": "all", "maxThreads": 2}});
    let mut client = Client::launched_with(configuration).await;
    client.fake().stop_at_breakpoint();
    client.until_event("asyncTasksChanged").await;
    client.unread.clear();
    client.send("threads", json!({})).await;
    assert_eq!(client.order(4).await, ["[thread started]", "[thread started]", "[output]", "threads"]);
    let threads = client.body("threads", json!({})).await;
    assert_eq!(threads["threads"].as_array().unwrap().len(), 4);
    assert_eq!(client.unread, Vec::<Value>::new());
}

async fn malformed_input_is_answered_and_the_session_lives() {
    let mut client = Client::stopped().await;
    client.raw(&frame(r#"{"seq": 501, "type": "request", "command": "threads", "#)).await;
    let refusal = client.response(501).await;
    assert_eq!((&refusal["command"], &refusal["body"]["error"]["id"]), (&json!("threads"), &json!(1001)));
    client.raw(b"Content-Length: x\r\n\r\n").await;
    let output = client.until_event("output").await;
    assert_eq!(output["body"]["output"], "weft: Content-Length is \"x\", not a number\n");
    client.raw(&frame(r#"{"seq": 502, "type": "request", "command": "frobnicate"}"#)).await;
    assert_eq!(client.response(502).await["body"]["error"]["id"], 1002);
    client.raw(&frame(r#"{"seq": 503, "type": "request", "command": "setVariable", "arguments": {}}"#)).await;
    assert_eq!(client.response(503).await["body"]["error"]["id"], 1004);
    client.raw(&frame(r#"{"seq": 504, "type": "request", "command": "next", "arguments": {"threadId": []}}"#)).await;
    assert_eq!(client.response(504).await["body"]["error"]["id"], 1003);
    client.raw(&frame("[\"\u{e9}\"]")).await;
    client.until_event("output").await;
    assert_eq!(client.body("threads", json!({})).await["threads"][0]["name"], "main");
}

async fn a_read_can_be_cancelled_and_blocks_nobody() {
    let mut client = Client::stopped().await;
    let read = client.send("evaluate", json!({"expression": "block"})).await;
    let fake = client.fake();
    tokio::task::spawn_blocking(move || fake.entered.wait()).await.unwrap();
    client.body("stackTrace", json!({"threadId": 100})).await;
    client.body("setBreakpoints", json!({"source": {"path": "/a.rs"}, "breakpoints": []})).await;
    client.send("cancel", json!({"requestId": read})).await;
    let cancelled = client.response(read).await;
    assert_eq!((&cancelled["success"], &cancelled["message"]), (&json!(false), &json!("cancelled")));
    client.body("continue", json!({"threadId": 100})).await;
    client.fake().gate.open();
    client.body("cancel", json!({"requestId": 9999})).await;
    client.send("disconnect", json!({})).await;
    // What the cancelled read found was not told.
    assert!(!client.rest().await.contains(&"evaluate".to_owned()));
}

async fn a_panic_is_an_error_of_one_request() {
    let mut client = Client::stopped().await;
    let (id, message) = client.error("evaluate", json!({"expression": "panic"})).await;
    assert_eq!((id, message.as_str()), (1006, "weft failed to serve `evaluate`; its log says more"));
    client.body("threads", json!({})).await;
    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    assert_eq!(client.error("launch", json!({"program": "/panic"})).await.0, 1006);
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
}

async fn what_cannot_be_launched_leaves_a_living_session() {
    let mut client = Client::connect();
    assert_eq!(client.error("launch", json!({"program": "/bin/true"})).await.0, 1005);
    assert_eq!(client.error("setBreakpoints", json!({"source": {"path": "/a"}})).await.0, 1005);
    assert_eq!(client.error("configurationDone", json!({})).await.0, 1005);
    assert_eq!(client.error("continue", json!({"threadId": 1})).await.0, 1101);
    assert_eq!(client.body("threads", json!({})).await["threads"], json!([]));
    let capabilities = client.body("initialize", initialize()).await;
    assert_eq!(capabilities["supportsAsyncTasks"], true);
    assert_eq!(capabilities.get("supportsSetVariable"), None);
    assert_eq!(capabilities["exceptionBreakpointFilters"][0]["filter"], "panic");
    assert_eq!(capabilities["exceptionBreakpointFilters"][1]["default"], false);
    assert_eq!(client.error("initialize", initialize()).await.0, 1005);
    let (id, message) = client.error("launch", json!({"program": "/nowhere"})).await;
    assert_eq!((id, message.as_str()), (1203, "/nowhere does not exist"));
    let (id, message) = client.error("launch", json!({"cargo": {"args": ["build"]}})).await;
    assert_eq!((id, message.as_str()), (1201, "`cargo` is not supported yet: build first and set `program`"));
    assert_eq!(client.error("attach", json!({})).await.0, 1202);
    client.send("attach", json!({"pid": "4711"})).await;
    client.until_event("initialized").await;
    assert_eq!(client.factory.attached.lock().unwrap().as_ref().unwrap().pid, 4711);
    assert_eq!(client.error("launch", json!({"program": "/bin/true"})).await.0, 1005);
}

async fn python_is_refused() {
    let mut client = Client::with(FakeFactory::default(), ServeOptions { runtime: Some(Runtime::Python), ..ServeOptions::default() });
    client.ask("initialize", initialize()).await;
    assert_eq!(client.error("launch", json!({"program": "x.py"})).await.0, 1004);
}

async fn what_a_breakpoint_cannot_do_is_said_at_it() {
    let mut client = Client::stopped().await;
    client.fake().log();
    let set = client
        .body("setBreakpoints", json!({"source": {"path": "/build/a.rs"}, "breakpoints": [
            {"line": 1}, {"line": 2, "mode": "focused-task"}, {"line": -7},
            {"line": 6, "condition": " ", "hitCondition": "5", "logMessage": "n = {n}", "column": 3}]}))
        .await;
    let verified: Vec<bool> = set["breakpoints"].as_array().unwrap().iter().map(|b| b["verified"] == true).collect();
    assert_eq!(verified, [true, false, false, true]);
    assert!(set["breakpoints"][1]["message"].as_str().unwrap().starts_with("the breakpoint mode `focused-task` is not"));
    assert_eq!(set["breakpoints"][3]["line"], 7);
    let fake = client.fake();
    assert_eq!(fake.log(), ["breakpoints /build/a.rs [1, 6:3 hits 5 log n = {n}]"]);
    let set = client.body("setBreakpoints", json!({"source": {"name": "x"}, "breakpoints": [{"line": 1}]})).await;
    assert_eq!(set["breakpoints"][0]["message"], "a breakpoint needs a file with a path");
    let asked = json!({"filters": ["raised", "panic"], "filterOptions": [{"filterId": "panic-in-task", "condition": "x"},
        {"filterId": "nonsense"}]});
    let set = client.body("setExceptionBreakpoints", asked).await["breakpoints"].clone();
    assert_eq!(set[0]["message"], "`raised` is for Python programs: use `panic` or `panic-in-task`");
    assert_eq!((&set[1]["verified"], &set[2]["verified"], &set[3]["verified"]), (&json!(true), &json!(true), &json!(false)));
    assert!(set[3]["message"].as_str().unwrap().starts_with("there is no exception filter `nonsense`"));
    assert_eq!(fake.log(), ["filters [Panic, PanicInTask if x]"]);
}

async fn breakpoints_of_every_kind_reach_the_debuggee() {
    let mut client = Client::stopped().await;
    let fake = client.fake();
    fake.log();
    let asked = json!({"breakpoints": [{"name": " Handler::run ", "condition": "n == 5"}, {"name": ""}]});
    let set = client.body("setFunctionBreakpoints", asked).await["breakpoints"].clone();
    assert_eq!((&set[0]["verified"], &set[1]["reason"]), (&json!(true), &json!("failed")));
    let asked = json!({"breakpoints": [{"instructionReference": "0x4010", "offset": -16}, {"instructionReference": "main"}]});
    let set = client.body("setInstructionBreakpoints", asked).await["breakpoints"].clone();
    assert_eq!((&set[0]["instructionReference"], &set[1]["verified"]), (&json!("0x4000"), &json!(false)));
    assert_eq!(set[1]["message"], "`main` is no address: write it as 0x7f00 or 32512");
    assert_eq!(fake.log(), ["functions [Handler::run if n == 5]", "instructions [0x4000]"]);

    let frame = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"][0]["id"].clone();
    let info = client.body("dataBreakpointInfo", json!({"frameId": frame, "name": "count"})).await;
    assert_eq!(info["accessTypes"], json!(["write", "readWrite"]));
    assert_eq!((&info["description"], &info["canPersist"]), (&json!("count: u32"), &json!(false)));
    let refused = client.body("dataBreakpointInfo", json!({"frameId": frame, "name": "huge"})).await;
    assert_eq!(refused, json!({"dataId": null, "description": "it is huge"}));
    let address = json!({"name": "0x5000", "asAddress": true, "bytes": 4});
    let by_address = client.body("dataBreakpointInfo", address).await;
    let asked = json!({"breakpoints": [
        {"dataId": info["dataId"], "accessType": "readWrite", "hitCondition": "2"}, {"dataId": "stale"},
        {"dataId": by_address["dataId"]}]});
    let set = client.body("setDataBreakpoints", asked).await["breakpoints"].clone();
    let verified: Vec<bool> = set.as_array().unwrap().iter().map(|b| b["verified"] == true).collect();
    assert_eq!(verified, [true, false, true]);
    assert_eq!(fake.log(), ["data [0x6000+4 ReadWrite of 100@7fff0000 hits 2, 0x5000+4 Write]"]);
    assert_eq!(client.error("dataBreakpointInfo", json!({"name": "0x5000", "asAddress": true, "bytes": 0})).await.0, 1003);
    client.body("continue", json!({"threadId": 100})).await;
    assert_eq!(client.error("dataBreakpointInfo", json!({"name": "x"})).await.0, 1102);
}

async fn stops_have_the_words_of_their_kind() {
    let mut client = Client::stopped().await;
    for (reason, word) in [
        (StopReason::FunctionBreakpoint, "function breakpoint"),
        (StopReason::DataBreakpoint, "data breakpoint"),
        (StopReason::InstructionBreakpoint, "instruction breakpoint"),
        (StopReason::Goto, "goto"),
        (StopReason::Entry, "entry"),
    ] {
        client.fake().events.send(DebuggeeEvent::Stopped(stopped(reason)));
        let stop = client.until_event("stopped").await;
        assert_eq!((&stop["body"]["reason"], &stop["body"]["allThreadsStopped"]), (&json!(word), &json!(true)));
    }
    *client.fake().on_resume.lock().unwrap() = vec![DebuggeeEvent::Stopped(stopped(StopReason::Step))];
    client.fake().log();
    client.body("next", json!({"threadId": 100, "singleThread": true, "granularity": "statement"})).await;
    assert_eq!(client.until_event("stopped").await["body"]["allThreadsStopped"], false);
    assert_eq!(client.error("continue", json!({"threadId": 77})).await.0, 1303);
    let body = client.body("continue", json!({"threadId": 101, "singleThread": true})).await;
    assert_eq!(body["allThreadsContinued"], false);
    let step = "Step { kind: Over, of: Thread(100), granularity: Statement } alone Thread(100)";
    assert_eq!(client.fake().log(), [step, "Continue alone Thread(101)"]);
}

async fn a_thread_is_sent_elsewhere() {
    let mut client = Client::stopped().await;
    let fake = client.fake();
    fake.log();
    let frames = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"].clone();
    let targets = client.body("stepInTargets", json!({"frameId": frames[0]["id"]})).await["targets"].clone();
    assert_eq!((&targets[0]["label"], &targets[0]["line"]), (&json!("mine::callee"), &json!(10)));
    // Only the innermost frame steps.
    assert_eq!(client.body("stepInTargets", json!({"frameId": frames[1]["id"]})).await["targets"], json!([]));
    let asked = json!({"source": {"path": "/build/src/main.rs"}, "line": 12});
    let places = client.body("gotoTargets", asked).await["targets"].clone();
    assert_eq!((&places[0]["line"], &places[0]["instructionPointerReference"]), (&json!(12), &json!("0x4444")));
    client.unread.clear();
    client.send("goto", json!({"threadId": 100, "targetId": places[0]["id"]})).await;
    assert_eq!(client.order(3).await, ["goto", "[stopped goto]", "[asyncTasksChanged]"]);
    // What was given before the move is over.
    assert_eq!(client.error("stepIn", json!({"threadId": 100, "targetId": targets[0]["id"]})).await.0, 1301);
    assert_eq!(client.error("goto", json!({"threadId": 100, "targetId": 12345})).await.0, 1302);
    let frames = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"].clone();
    assert_eq!((&frames[2]["canRestart"], frames[0].get("canRestart")), (&json!(false), None));
    assert_eq!(client.error("restartFrame", json!({"frameId": frames[2]["id"]})).await.0, 1004);
    client.body("restartFrame", json!({"frameId": frames[0]["id"]})).await;
    client.body("terminateThreads", json!({"threadIds": [101]})).await;
    assert_eq!(client.error("terminateThreads", json!({"threadIds": [101, 5]})).await.0, 1303);
    client.body("asyncTasks", json!({})).await;
    let (id, message) = client.error("terminateThreads", json!({"threadIds": [TASKS + 1]})).await;
    assert_eq!((id, message.starts_with("a task cannot be ended")), (1004, true));
    let targets = client.body("stepInTargets", json!({"frameId": frames[0]["id"]})).await["targets"].clone();
    client.body("stepIn", json!({"threadId": 100, "targetId": targets[0]["id"]})).await;
    let into = "StepInto { of: Thread(100), call: 16400 }";
    assert_eq!(fake.log(), ["go to 0x4444", "restart 7fff0000", "end [Thread(101)]", into]);
}

async fn memory_is_read_and_written() {
    let mut client = Client::connect();
    let mut abilities = initialize();
    for name in ["supportsMemoryReferences", "supportsMemoryEvent", "supportsInvalidatedEvent"] {
        abilities[name] = json!(true);
    }
    client.ask("initialize", abilities).await;
    let launch = client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
    client.body("configurationDone", json!({})).await;
    client.response(launch).await;
    assert_eq!(client.error("readMemory", json!({"memoryReference": "0x1000", "count": 1})).await.0, 1102);
    assert_eq!(client.error("writeMemory", json!({"memoryReference": "0x1000", "data": "AA=="})).await.0, 1102);
    client.fake().stop_at_breakpoint();
    client.until_event("asyncTasksChanged").await;
    let body = client.body("readMemory", json!({"memoryReference": "4096", "offset": 2, "count": 4})).await;
    assert_eq!(body, json!({"address": "0x1002", "data": "AgMEBQ=="}));
    let body = client.body("readMemory", json!({"memoryReference": "0x10fe", "count": 10})).await;
    assert_eq!(body, json!({"address": "0x10fe", "data": "/v8=", "unreadableBytes": 8}));
    assert_eq!(client.body("readMemory", json!({"memoryReference": "0x9", "count": 0})).await, json!({"address": "0x9"}));
    assert_eq!(client.error("readMemory", json!({"memoryReference": "0x1", "count": -1})).await.0, 1003);

    let frame = client.body("stackTrace", json!({"threadId": 100})).await["stackFrames"][0]["id"].clone();
    client.unread.clear();
    client.send("writeMemory", json!({"memoryReference": "0x1000", "data": "CQk="})).await;
    assert_eq!(client.order(4).await, ["writeMemory", "[memory]", "[invalidated]", "[asyncTasksChanged]"]);
    assert_eq!(client.error("scopes", json!({"frameId": frame})).await.0, 1301);
    let body = client.body("readMemory", json!({"memoryReference": "0x1000", "count": 3})).await;
    assert_eq!(body["data"], "CQkC");
    let over = json!({"memoryReference": "0x10ff", "data": "BwcH"});
    let (id, message) = client.error("writeMemory", over.clone()).await;
    assert_eq!((id, message.as_str()), (1402, "only 1 of 3 bytes at 0x10ff are memory of the program; nothing was written"));
    let mut partial = over;
    partial["allowPartial"] = json!(true);
    assert_eq!(client.body("writeMemory", partial).await, json!({"bytesWritten": 1}));
    assert_eq!(client.error("writeMemory", json!({"memoryReference": "0x1000", "data": "=="})).await.0, 1003);
}

async fn instructions_name_their_file_where_it_changes() {
    let mut client = Client::stopped().await;
    let asked = json!({"memoryReference": "0x4000", "instructionOffset": -1, "instructionCount": 3});
    let shown = client.body("disassemble", asked).await["instructions"].clone();
    assert_eq!(shown[0], json!({"address": "0x3fff", "instruction": "??", "presentationHint": "invalid"}));
    assert_eq!((&shown[1]["instruction"], &shown[1]["instructionBytes"]), (&json!("nop"), &json!("90")));
    assert_eq!((&shown[1]["location"]["path"], &shown[1]["line"]), (&json!("/build/src/main.rs"), &json!(7)));
    assert_eq!((shown[2].get("location"), &shown[2]["line"]), (None, &json!(7)));
    for wrong in [json!({"instructionCount": -1}), json!({"instructionCount": 1 << 20}),
        json!({"instructionCount": 1, "instructionOffset": i64::MIN})] {
        let mut asked = json!({"memoryReference": "0x4000"});
        asked.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(client.error("disassemble", asked).await.0, 1003);
    }
}

async fn modules_are_told_once_and_listed() {
    let mut client = Client::stopped().await;
    let body = client.body("modules", json!({})).await;
    assert_eq!(body["totalModules"], 1);
    assert_eq!(body["modules"][0]["addressRange"], "0x4000-0x5000");
    *client.fake().libraries.lock().unwrap() = 1;
    client.fake().events.send(DebuggeeEvent::ModulesChanged);
    let news = client.until_event("module").await;
    assert_eq!((&news["body"]["reason"], &news["body"]["module"]["name"]), (&json!("new"), &json!("lib1.so")));
    let page = client.body("modules", json!({"startModule": 1, "moduleCount": 5})).await;
    assert_eq!((&page["modules"][0]["id"], &page["totalModules"]), (&news["body"]["module"]["id"], &json!(2)));
    *client.fake().libraries.lock().unwrap() = 0;
    client.fake().events.send(DebuggeeEvent::ModulesChanged);
    assert_eq!(client.until_event("module").await["body"]["reason"], "removed");
    let sources = client.body("loadedSources", json!({})).await["sources"].clone();
    assert_eq!(sources[0]["path"], "/build/src/main.rs");
    let (id, message) = client.error("source", json!({"sourceReference": 0, "source": {"path": "/etc/passwd"}})).await;
    assert_eq!((id, message.as_str()), (1404, "/etc/passwd is not available: it is no source file of the program"));
    assert_eq!(client.error("source", json!({"sourceReference": 9})).await.0, 1302);
    let missing = sources[1]["sourceReference"].clone();
    assert_eq!(sources[1]["presentationHint"], "deemphasize");
    let (id, message) = client.error("source", json!({"sourceReference": missing})).await;
    assert!(id == 1404 && message.contains("rustup component add rust-src"), "{message}");
    assert!(client.until_event("output").await["body"]["output"].as_str().unwrap().contains("rust-src"));
    client.unread.clear();
    client.error("source", json!({"sourceReference": missing})).await;
    assert_eq!(client.unread, Vec::<Value>::new(), "the console was told once");
}

async fn log_messages_have_their_place_and_do_not_flood() {
    let mut client = Client::launched().await;
    let at = weft_tasks::Location { file: "/build/src/main.rs".into(), line: 7, column: 3 };
    client.fake().events.log("n = 5".into(), Some(at));
    let output = client.until_event("output").await["body"].clone();
    assert_eq!((&output["category"], &output["output"]), (&json!("console"), &json!("n = 5\n")));
    assert_eq!((&output["source"]["path"], &output["line"], &output["column"]), (&json!("/build/src/main.rs"), &json!(7), &json!(3)));
    // The client does not read: what does not fit into the pipe and the queue is dropped, and said.
    for number in 0..9_000 {
        client.fake().events.log(format!("message {number:0100}"), None);
    }
    let (mut sent, mut told, mut dropped) = (9_000, 0, 0);
    while told + dropped < 9_000 {
        let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
        match output.strip_prefix("weft: ") {
            Some(rest) => dropped += rest.split(' ').next().unwrap().parse::<usize>().unwrap(),
            None => told += 1,
        }
        // How many were dropped is said with the next one that is not.
        if told % 1000 == 0 {
            client.fake().events.log("more".into(), None);
            sent += 1;
        }
    }
    assert!(told + dropped <= sent, "{told} told, {dropped} dropped of {sent}");
    assert!(told > 1000 && dropped > 1000, "{told} told, {dropped} dropped");
}

async fn a_restart_keeps_breakpoints_and_their_numbers() {
    let mut client = Client::stopped().await;
    let lines = json!({"source": {"path": "/build/src/main.rs"}, "breakpoints": [{"line": 9}, {"line": 20}]});
    let before = client.body("setBreakpoints", lines).await["breakpoints"].clone();
    let function = client.body("setFunctionBreakpoints", json!({"breakpoints": [{"name": "f"}]})).await;
    client.body("setInstructionBreakpoints", json!({"breakpoints": [{"instructionReference": "0x4010"}]})).await;
    client.body("setExceptionBreakpoints", json!({"filters": ["panic"]})).await;
    let heap = client.body("dataBreakpointInfo", json!({"name": "0x6000", "asAddress": true, "bytes": 4})).await;
    let data = client.body("setDataBreakpoints", json!({"breakpoints": [{"dataId": heap["dataId"]}]})).await;
    let old = client.fake();
    old.log();
    client.unread.clear();
    // Another number for everything: the client must not notice.
    *client.factory.first_id.lock().unwrap() = 1000;
    let wrong = client.error("restart", json!({"arguments": {"program": "/bin/true", "env": 5}})).await;
    assert_eq!(wrong.0, 1003);
    assert_eq!(old.log(), Vec::<String>::new(), "what is wrong is said before anything ends");
    client.send("restart", json!({})).await;
    let words = client.order(7).await;
    let expected =
        ["[thread exited]", "[thread exited]", "[process]", "[output]", "[breakpoint]", "[thread started]", "restart"];
    assert_eq!(words, expected);
    assert_eq!(old.log(), ["Kill"]);
    let new = client.fake();
    let log = new.log();
    assert_eq!(
        log,
        [
            "breakpoints /build/src/main.rs [9, 20]",
            "functions [f]",
            "instructions [0x4010]",
            "filters [Panic]",
            "data []",
            "start",
        ]
    );
    let stop = Stopped { breakpoints: new.ids(), ..stopped(StopReason::Breakpoint) };
    new.events.send(DebuggeeEvent::Stopped(stop));
    let hit = client.until_event("stopped").await["body"]["hitBreakpointIds"].clone();
    assert_eq!((&hit[0], &hit[1], &hit[2]), (&before[0]["id"], &before[1]["id"], &function["breakpoints"][0]["id"]));
    // What it does not survive was said.
    assert!(!hit.as_array().unwrap().contains(&data["breakpoints"][0]["id"]));
    client.error("restart", json!({"arguments": {"program": "/nowhere"}})).await;
    client.until_event("terminated").await;
    client.send("restart", json!({"arguments": {"program": "/bin/true"}})).await;
    client.until_event("process").await;
}

async fn the_client_is_asked_for_a_terminal() {
    let mut client = Client::connect();
    let mut abilities = initialize();
    abilities["supportsRunInTerminalRequest"] = json!(true);
    client.ask("initialize", abilities).await;
    let terminal = json!({"program": "/bin/terminal", "console": "integratedTerminal", "cwd": "/", "env": {"A": null}});
    let launch = client.send("launch", terminal.clone()).await;
    let request = client.until_request("runInTerminal").await;
    let arguments = &request["arguments"];
    assert_eq!((&arguments["kind"], &arguments["cwd"]), (&json!("integrated"), &json!("/")));
    assert_eq!((&arguments["args"], &arguments["env"]), (&json!(["helper", "/bin/terminal"]), &json!({"A": null})));
    client.reply(&request, Err("no terminals today")).await;
    let response = client.response(launch).await;
    let error = "`runInTerminal`: the editor refused: no terminals today";
    assert_eq!((&response["message"], &response["body"]["error"]["id"]), (&json!(error), &json!(1208)));
    let launch = client.send("launch", terminal).await;
    let request = client.until_request("runInTerminal").await;
    client.reply(&request, Ok(json!({"processId": 4712}))).await;
    // A second answer, and one to nothing, change nothing.
    client.reply(&request, Ok(json!({}))).await;
    client.reply(&json!({"seq": 99_999, "command": "x"}), Ok(json!({}))).await;
    client.until_event("initialized").await;
    client.body("configurationDone", json!({})).await;
    assert_eq!(client.response(launch).await["success"], true);
    assert_eq!(client.fake().log()[0], "terminal Some(4712)");
}

async fn a_client_that_does_not_answer_is_not_waited_for_forever() {
    let options = ServeOptions { patience: std::time::Duration::from_millis(50), ..ServeOptions::default() };
    let mut client = Client::with(FakeFactory::default(), options);
    let mut abilities = initialize();
    abilities["supportsRunInTerminalRequest"] = json!(true);
    client.ask("initialize", abilities).await;
    let launch = client.send("launch", json!({"program": "/bin/terminal", "console": "externalTerminal"})).await;
    client.until_request("runInTerminal").await;
    assert_eq!(client.response(launch).await["message"], "`runInTerminal`: the editor did not answer within 0.05 s");
    let launch = client.send("launch", json!({"program": "/bin/terminal", "console": "externalTerminal"})).await;
    client.until_request("runInTerminal").await;
    client.send("disconnect", json!({})).await;
    assert_eq!(client.response(launch).await["success"], false);
}

async fn without_terminals_the_console_is_used() {
    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/terminal", "console": "integratedTerminal"})).await;
    let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("weft: this editor cannot open a terminal (`runInTerminal`)"), "{output}");
    client.until_event("initialized").await;
    assert_eq!(client.fake().log(), Vec::<String>::new());
}

async fn forked_processes_are_handed_over_or_let_go() {
    let mut client = Client::launched_with(json!({"program": "/bin/true", "followForks": true})).await;
    client.fake().log();
    client.fake().events.send(DebuggeeEvent::Forked(4711));
    let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("weft: process 4711 was forked and runs undebugged: this editor cannot"), "{output}");
    assert_eq!(client.fake().log(), ["let go 4711"]);

    let mut client = Client::connect();
    let mut abilities = initialize();
    abilities["supportsStartDebuggingRequest"] = json!(true);
    client.ask("initialize", abilities).await;
    client.send("launch", json!({"program": "/bin/true", "followForks": true, "signals": {"SIGUSR1": "stop"}})).await;
    client.until_event("initialized").await;
    client.body("configurationDone", json!({})).await;
    let fake = client.fake();
    fake.log();
    fake.events.send(DebuggeeEvent::Forked(1));
    let request = client.until_request("startDebugging").await;
    let configuration = &request["arguments"]["configuration"];
    assert_eq!((&request["arguments"]["request"], &configuration["pid"]), (&json!("attach"), &json!(1)));
    assert_eq!((&configuration["resumeStopped"], &configuration["name"]), (&json!(true), &json!("true 1")));
    assert_eq!((&configuration["followForks"], &configuration["signals"]), (&json!(true), &json!({"SIGUSR1": "stop"})));
    // It is a configuration that `attach` takes.
    let attach: weft_protocol::launch::AttachArguments = serde_json::from_value(configuration.clone()).unwrap();
    assert_eq!((attach.pid, attach.resume_stopped, attach.common.refused.len()), (Some(1), true, 0));
    client.reply(&request, Ok(json!({}))).await;
    fake.events.send(DebuggeeEvent::Forked(2));
    let request = client.until_request("startDebugging").await;
    client.reply(&request, Err("not now")).await;
    let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
    assert!(output.contains("process 2 was forked and runs undebugged: `startDebugging`: the editor refused: not now"));
    client.body("threads", json!({})).await;
    fake.events.send(DebuggeeEvent::Forked(3));
    client.until_request("startDebugging").await;
    client.body("disconnect", json!({})).await;
    // The one that was handed over is not touched; the one that nobody answered for does not stand forever.
    assert_eq!(fake.log(), ["let go 2", "let go 3", "Kill"]);
}

async fn paths_and_lines_are_the_clients() {
    let mut client = Client::connect();
    client.ask("initialize", json!({"adapterID": "weft", "linesStartAt1": false, "columnsStartAt1": false})).await;
    client.send("launch", json!({"program": "/bin/true", "sourceMap": {"/build": "/home/me"}})).await;
    client.until_event("initialized").await;
    let set = client.body("setBreakpoints", json!({"source": {"path": "/home/me/src/main.rs"}, "breakpoints": [{"line": 9}]})).await;
    assert_eq!(set["breakpoints"][0]["line"], 10);
    assert_eq!(set["breakpoints"][0]["source"]["path"], "/home/me/src/main.rs");
    assert_eq!(client.fake().log(), ["breakpoints /build/src/main.rs [10]"]);
    client.body("configurationDone", json!({})).await;
    client.fake().stop_at_breakpoint();
    client.until_event("stopped").await;
    let stack = client.body("stackTrace", json!({"threadId": 100, "levels": 1})).await;
    assert_eq!((&stack["stackFrames"][0]["line"], &stack["stackFrames"][0]["column"]), (&json!(9), &json!(4)));
    assert_eq!(stack["stackFrames"][0]["source"]["path"], "/home/me/src/main.rs");
}

async fn exceptions_are_described() {
    let mut client = Client::stopped().await;
    assert_eq!(client.error("exceptionInfo", json!({"threadId": 100})).await.0, 1402);
    let exception = Exception {
        id: "SIGSEGV".into(),
        description: "SIGSEGV: at 0x0".into(),
        message: Some("at 0x0".into()),
        type_name: "signal".into(),
        fatal: true,
    };
    let stop = Stopped { exception: Some(exception), text: Some("at 0x0".into()), ..stopped(StopReason::Exception) };
    client.fake().events.send(DebuggeeEvent::Stopped(stop));
    client.until_event("stopped").await;
    let info = client.body("exceptionInfo", json!({"threadId": 100})).await;
    let stack = "mine::inner at /build/src/main.rs:10\nmine::outer at /build/src/main.rs:20\ntask 1 mine::outer\n\
                 awaited by task 2 mine::main\nmine::main at /build/src/main.rs:30\ntokio::poll at /build/src/main.rs:40";
    assert_eq!(
        info,
        json!({"exceptionId": "SIGSEGV", "description": "SIGSEGV: at 0x0", "breakMode": "unhandled",
            "details": {"message": "at 0x0", "typeName": "signal", "stackTrace": stack}})
    );
}

async fn terminate_asks_and_disconnect_ends() {
    let mut client = Client::stopped().await;
    client.send("terminate", json!({})).await;
    assert_eq!(client.order(3).await, ["terminate", "[exited]", "[terminated]"]);
    assert_eq!(client.error("stackTrace", json!({"threadId": 100})).await.0, 1101);
    let set = client.body("setBreakpoints", json!({"source": {"path": "/a.rs"}, "breakpoints": [{"line": 1}]})).await;
    assert_eq!(set["breakpoints"][0]["message"], "the program has ended");
    assert_eq!(client.error("launch", json!({"program": "/bin/true"})).await.0, 1005);
    client.send("terminate", json!({})).await;
    client.send("disconnect", json!({})).await;
    assert_eq!(client.rest().await, ["terminate", "disconnect"]);
}

async fn the_debuggee_ends_with_the_session() {
    for (arguments, expected) in
        [(json!({}), "Kill"), (json!({"terminateDebuggee": false}), "Detach"), (json!({"terminateDebuggee": true}), "Kill")]
    {
        let mut client = Client::launched().await;
        client.send("disconnect", arguments).await;
        assert_eq!(client.rest().await.last().unwrap(), "disconnect");
        let fake = client.fake();
        client.session.await.unwrap();
        assert_eq!(fake.log(), ["start", expected]);
    }
    let mut client = Client::launched().await;
    client.hang_up().await;
    client.rest().await;
    let fake = client.fake();
    client.session.await.unwrap();
    assert_eq!(fake.log(), ["start", "Kill"]);

    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    client.send("attach", json!({"pid": 7})).await;
    client.until_event("initialized").await;
    client.hang_up().await;
    assert_eq!(client.rest().await, ["[process]", "[thread started]", "attach!"]);
    let fake = client.fake();
    client.session.await.unwrap();
    assert_eq!(fake.log(), ["Detach"]);
}

async fn a_session_can_be_left_before_the_program_is_started() {
    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
    client.send("disconnect", json!({})).await;
    assert_eq!(client.rest().await, ["[process]", "[thread started]", "launch!", "disconnect"]);
    let fake = client.fake();
    client.session.await.unwrap();
    assert_eq!(fake.log(), ["Kill"]);
}

async fn a_client_that_stops_reading_is_gone() {
    let (mut requests, their_reader) = tokio::io::duplex(1 << 16);
    let (answers, their_writer) = tokio::io::duplex(1 << 16);
    let factory = Arc::new(FakeFactory::default());
    let session = tokio::spawn(serve(their_reader, their_writer, factory.clone(), ServeOptions::default()));
    drop(answers);
    let request = json!({"seq": 1, "type": "request", "command": "initialize", "arguments": initialize()});
    requests.write_all(&frame(&request.to_string())).await.unwrap();
    session.await.unwrap();
}

async fn a_session_can_be_left_while_the_program_is_loaded() {
    let gate = Arc::new(Gate::default());
    let factory = FakeFactory::behind(&gate);
    let mut client = Client::with(factory, ServeOptions::default());
    client.ask("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.send("disconnect", json!({})).await;
    assert_eq!(client.order(1).await, ["launch!"]);
    gate.open();
    assert_eq!(client.rest().await, ["disconnect"]);
    assert_eq!(client.fake().log(), ["Kill"]);
}

async fn nothing_is_told_of_a_program_that_is_lost() {
    let mut client = Client::stopped().await;
    client.fake().events.send(DebuggeeEvent::Lost("the process is gone".into()));
    assert_eq!(client.order(2).await, ["[output]", "[terminated]"]);
    client.fake().stop_at_breakpoint();
    client.fake().events.send(DebuggeeEvent::Exited(0));
    client.send("threads", json!({})).await;
    assert_eq!(client.order(1).await, ["threads"]);
}

async fn without_debugging_no_breakpoint_is_set() {
    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true", "noDebug": true})).await;
    client.until_event("initialized").await;
    let set = client.body("setBreakpoints", json!({"source": {"path": "/a.rs"}, "breakpoints": [{"line": 1}]})).await;
    assert_eq!(set["breakpoints"][0]["message"], "the program runs without debugging");
    assert_eq!(client.fake().log(), Vec::<String>::new());
}

async fn a_program_that_floods_waits_for_the_client_and_not_for_the_end() {
    let mut client = Client::launched().await;
    let fake = client.fake();
    let events = fake.events.clone();
    let writer = std::thread::spawn(move || {
        for piece in 0..64 {
            assert!(events.output(Channel::Stdout, format!("{piece:>65000}")));
        }
        events.send(DebuggeeEvent::Exited(0));
    });
    for piece in 0..64 {
        let output = client.until_event("output").await;
        assert_eq!(output["body"]["output"].as_str().unwrap(), format!("{piece:>65000}"));
    }
    assert_eq!(client.order(2).await, ["[exited]", "[terminated]"]);
    writer.join().unwrap();

    let mut client = Client::launched().await;
    let events = client.fake().events.clone();
    let writer = std::thread::spawn(move || while events.output(Channel::Stdout, "y".repeat(65536)) {});
    // The client hangs up and does not read another word.
    client.hang_up().await;
    tokio::task::spawn_blocking(move || writer.join().unwrap()).await.unwrap();
    client.session.await.unwrap();
}

async fn what_a_failed_program_still_says_is_not_the_next_ones() {
    let mut client = Client::connect();
    client.ask("initialize", initialize()).await;
    let first = client.send("launch", json!({"program": "/unstartable"})).await;
    client.until_event("initialized").await;
    client.send("configurationDone", json!({})).await;
    assert_eq!(client.response(first).await["body"]["error"]["id"], 1206);
    let old = client.fake();
    assert_eq!(old.log(), ["start", "Kill"]);
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
    client.body("configurationDone", json!({})).await;
    client.unread.clear();
    old.events.send(DebuggeeEvent::Exited(1));
    client.fake().stop_at_breakpoint();
    let mut words = client.order(2).await;
    words.retain(|word| word != "launch");
    assert_eq!(words[0], "[stopped breakpoint]");
}

async fn the_end_of_a_tasks_step_names_the_task() {
    let mut client = Client::stopped().await;
    client.body("asyncTasks", json!({})).await;
    client.body("asyncFocusTask", json!({"task": 2})).await;
    client.until_event("stopped").await;
    for (reason, named) in [(StopReason::Step, TASKS + 2), (StopReason::Breakpoint, 7)] {
        client.body("next", json!({"threadId": TASKS + 2})).await;
        client.unread.clear();
        let at = Some(weft_session::debuggee::Target::Thread(7));
        client.fake().events.send(DebuggeeEvent::Stopped(Stopped { at, ..stopped(reason) }));
        let told = client.until_event("stopped").await;
        assert_eq!(told["body"]["threadId"], named, "{reason:?}");
    }
}

async fn a_stop_may_name_a_task_that_was_not_listed() {
    let mut client = Client::stopped().await;
    client.body("asyncTasks", json!({})).await;
    let at = Some(weft_session::debuggee::Target::Task(harness::fake::key(2)));
    client.fake().events.send(DebuggeeEvent::Stopped(Stopped { at, ..stopped(StopReason::Step) }));
    assert_eq!(client.order(3).await, ["[thread started]", "[stopped step]", "[asyncTasksChanged]"]);
    assert_eq!(client.body("threads", json!({})).await["threads"][2]["id"], TASKS + 2);
}

}
