//! Sessions with a fake debuggee: the order of messages, and that nothing ends a session but its end.
#![allow(clippy::unwrap_used, reason = "tests")]

mod harness;
#[macro_use]
mod sessions;
mod run_control;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use weft_session::debuggee::{Channel, DebuggeeEvent, Exception, StopReason, Stopped};
use weft_session::{Runtime, ServeOptions, serve};

use harness::fake::{ABORTED, FakeFactory, Gate, stopped};
use harness::{Client, frame, initialize, native};

const TASKS: i64 = 1 << 30;

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
    let mut client = Client::with(factory, native());
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
    let waiting = client.body("asyncTasks", json!({"filter": {"text": "waiting"}})).await;
    assert_eq!(ids(&waiting), [1, 3, 5, 7, 9]);
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
    let hints = ["/0", "/0/children/0", "/1", "/1/children/0"].map(|node| tree.pointer(&format!("/frames{node}/presentationHint")));
    assert_eq!(hints, [None, None, None, Some(&json!("subtle"))], "only functions that are not the user's");
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

    // It can leave the list, and come back without a stop.
    for (listed, event) in [(false, "[thread exited]"), (true, "[thread started]")] {
        client.unread.clear();
        client.send("asyncFocusTask", json!({"task": 1, "listed": listed})).await;
        assert_eq!(client.order(2).await, ["asyncFocusTask", event]);
        let threads = client.body("threads", json!({})).await;
        assert_eq!(threads["threads"].as_array().unwrap().len(), 2 + usize::from(listed));
        client.body("asyncFocusTask", json!({"task": 1, "listed": listed})).await;
        assert_eq!(client.unread, Vec::<Value>::new());
    }

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
    client.raw(&frame(r#"{"seq": 503, "type": "request", "command": "stepBack", "arguments": {}}"#)).await;
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

async fn work_that_takes_long_is_shown_and_given_up() {
    let mut client = Client::connect();
    let mut capable = initialize();
    capable["supportsProgressReporting"] = json!(true);
    client.body("initialize", capable).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
    let slow = json!({"breakpoints": [{"name": "slow"}]});
    let request = client.send("setFunctionBreakpoints", slow.clone()).await;
    let start = client.until_event("progressStart").await["body"].clone();
    let id = start["progressId"].clone();
    assert_eq!(start, json!({"progressId": id, "title": "Reading names", "cancellable": true, "percentage": 40}));
    client.body("cancel", json!({"progressId": id})).await;
    let response = client.response(request).await;
    assert_eq!((&response["success"], &response["message"]), (&json!(false), &json!("cancelled")));
    assert_eq!(client.until_event("progressEnd").await["body"], json!({"progressId": id}));
    // The request's own number does as well.
    let request = client.send("setFunctionBreakpoints", slow).await;
    client.until_event("progressStart").await;
    client.body("cancel", json!({"requestId": request})).await;
    assert_eq!(client.response(request).await["message"], "cancelled");
    client.until_event("progressEnd").await;
    client.body("setFunctionBreakpoints", json!({"breakpoints": []})).await;
}

async fn a_session_that_ends_waits_for_no_work() {
    let mut client = Client::connect();
    client.body("initialize", initialize()).await;
    client.send("launch", json!({"program": "/bin/true"})).await;
    client.until_event("initialized").await;
    let slow = json!({"breakpoints": [{"name": "slow"}]});
    let first = client.send("setFunctionBreakpoints", slow.clone()).await;
    let second = client.send("setFunctionBreakpoints", slow).await;
    let last = client.send("disconnect", json!({})).await;
    assert_eq!(client.response(first).await["message"], "cancelled");
    assert_eq!(client.response(second).await["message"], "cancelled");
    assert_eq!(client.response(last).await["success"], true);
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
    assert_eq!(capabilities["supportsSetVariable"], true);
    assert_eq!(capabilities.get("supportsStepBack"), None);
    assert_eq!(capabilities["exceptionBreakpointFilters"][0]["filter"], "panic");
    assert_eq!(capabilities["exceptionBreakpointFilters"][1]["default"], false);
    assert_eq!(client.error("initialize", initialize()).await.0, 1005);
    let (id, message) = client.error("launch", json!({"program": "/nowhere"})).await;
    assert_eq!((id, message.as_str()), (1203, "/nowhere does not exist"));
    let (id, message) = client.error("launch", json!({"program": "x", "justMyCode": true})).await;
    assert_eq!((id, message.as_str()), (
        1201,
        "`justMyCode` is for Python programs, and this one is native: remove it, or set `runtime` to \"python\""
    ));
    assert_eq!(client.error("attach", json!({})).await.0, 1202);
    client.send("attach", json!({"pid": "4711"})).await;
    client.until_event("initialized").await;
    assert_eq!(client.factory.attached.lock().unwrap().as_ref().unwrap().pid, 4711);
    assert_eq!(client.error("launch", json!({"program": "/bin/true"})).await.0, 1005);
}

async fn what_is_offered_is_for_the_kind_of_program() {
    let filters = |capabilities: &Value| {
        let offered = capabilities["exceptionBreakpointFilters"].as_array().unwrap().iter();
        offered.map(|filter| filter["filter"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let panics = ["panic", "panic-in-task", "long-poll"].map(str::to_owned);
    let exceptions = ["raised", "uncaught", "userUnhandled", "task-failed", "never-retrieved"].map(str::to_owned);
    let options = ServeOptions { runtime: Some(Runtime::Python), ..ServeOptions::default() };
    let mut client = Client::with(FakeFactory::default(), options);
    assert_eq!(filters(&client.body("initialize", initialize()).await), exceptions);
    // Nobody said beforehand: both, and what the configuration is for afterwards.
    let mut client = Client::with(FakeFactory::default(), ServeOptions::default());
    assert_eq!(filters(&client.body("initialize", initialize()).await), [&panics[..], &exceptions[..]].concat());
    client.send("launch", json!({"module": "m"})).await;
    let corrected = client.until_event("capabilities").await["body"]["capabilities"].clone();
    assert_eq!((filters(&corrected), &corrected["supportsDisassembleRequest"]), (exceptions.to_vec(), &json!(false)));
    client.until_event("initialized").await;
    let set = client.body("setExceptionBreakpoints", json!({"filters": ["panic", "nonsense"]})).await;
    let messages = [0, 1].map(|at| set["breakpoints"][at]["message"].as_str().unwrap().to_owned());
    assert_eq!(messages[0], "`panic` is for native programs: use `raised`, `uncaught`, `userUnhandled`, `task-failed` or `never-retrieved`");
    assert!(messages[1].starts_with("there is no exception filter `nonsense`: use `raised`"));
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
    assert_eq!(set["breakpoints"][0]["message"], "the program has ended, or is not debugged in this session any more");
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
    let session = tokio::spawn(serve(their_reader, their_writer, factory.clone(), native()));
    drop(answers);
    let request = json!({"seq": 1, "type": "request", "command": "initialize", "arguments": initialize()});
    requests.write_all(&frame(&request.to_string())).await.unwrap();
    session.await.unwrap();
}

async fn a_session_can_be_left_while_the_program_is_loaded() {
    let gate = Arc::new(Gate::default());
    let factory = FakeFactory::behind(&gate);
    let mut client = Client::with(factory, native());
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

// Where a step has ended the debuggee knows: one that was given on a task may have left it.
async fn the_end_of_a_tasks_step_names_whom_the_debuggee_says() {
    let mut client = Client::stopped().await;
    client.body("asyncTasks", json!({})).await;
    client.body("asyncFocusTask", json!({"task": 2})).await;
    client.until_event("stopped").await;
    let task = weft_session::debuggee::Target::Task(harness::fake::key(2));
    for (at, named) in [(task, TASKS + 2), (weft_session::debuggee::Target::Thread(7), 7)] {
        client.body("next", json!({"threadId": TASKS + 2})).await;
        client.unread.clear();
        client.fake().events.send(DebuggeeEvent::Stopped(Stopped { at: Some(at), ..stopped(StopReason::Step) }));
        let told = client.until_event("stopped").await;
        assert_eq!(told["body"]["threadId"], named);
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
