//! Breakpoints of every kind, moves, memory, files, restarts, and what the client is asked.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use weft_session::ServeOptions;
use weft_session::debuggee::{DebuggeeEvent, Forked, StopReason, Stopped};

use crate::harness::fake::{FakeFactory, stopped};
use crate::harness::{Client, initialize};

const TASKS: i64 = 1 << 30;

sessions! {

async fn what_a_breakpoint_cannot_do_is_said_at_it() {
    let mut client = Client::stopped().await;
    client.fake().log();
    let set = client
        .body("setBreakpoints", json!({"source": {"path": "/build/a.rs"}, "breakpoints": [
            {"line": 1}, {"line": 2, "mode": "every-task"}, {"line": -7},
            {"line": 6, "condition": " ", "hitCondition": "5", "logMessage": "n = {n}", "column": 3}]}))
        .await;
    let verified: Vec<bool> = set["breakpoints"].as_array().unwrap().iter().map(|b| b["verified"] == true).collect();
    assert_eq!(verified, [true, false, false, true]);
    assert!(set["breakpoints"][1]["message"].as_str().unwrap().starts_with("there is no breakpoint mode `every-task`"));
    assert_eq!(set["breakpoints"][3]["line"], 7);
    let fake = client.fake();
    assert_eq!(fake.log(), ["breakpoints /build/a.rs [1, 6:3 hits 5 log n = {n}]"]);
    let set = client.body("setBreakpoints", json!({"source": {"name": "x"}, "breakpoints": [{"line": 1}]})).await;
    assert_eq!(set["breakpoints"][0]["message"], "a breakpoint needs a file with a path");
    let asked = json!({"filters": ["raised", "panic"], "filterOptions": [{"filterId": "panic-in-task", "condition": "x"},
        {"filterId": "nonsense"}]});
    let set = client.body("setExceptionBreakpoints", asked).await["breakpoints"].clone();
    assert_eq!(set[0]["message"], "`raised` is for Python programs: use `panic`, `panic-in-task` or `long-poll`");
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
    let into = "StepInto { of: Thread(100), target: TargetId { place: 16400, branch: None } }";
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
    // One that ended before is not heard of again.
    let twice = json!({"breakpoints": [{"dataId": heap["dataId"]}, {"dataId": heap["dataId"], "accessType": "readWrite"}]});
    client.body("setDataBreakpoints", twice).await;
    let last = *old.ids().last().unwrap();
    old.events.send(DebuggeeEvent::BreakpointRemoved(last, "its call has returned".into()));
    assert_eq!(client.until_event("breakpoint").await["body"]["reason"], "removed");
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

async fn a_terminal_that_is_not_there_yet_holds_up_no_goodbye() {
    let mut client = Client::connect();
    let mut abilities = initialize();
    abilities["supportsRunInTerminalRequest"] = json!(true);
    client.ask("initialize", abilities).await;
    client.send("launch", json!({"program": "/bin/terminal", "console": "integratedTerminal"})).await;
    client.until_request("runInTerminal").await;
    let asked = std::time::Instant::now();
    let goodbye = client.send("disconnect", json!({})).await;
    assert_eq!(client.response(goodbye).await["success"], true);
    assert!(asked.elapsed() < ServeOptions::default().patience / 2, "{:?}", asked.elapsed());
}

async fn what_is_set_after_the_end_is_there_after_a_restart() {
    let mut client = Client::launched().await;
    client.fake().events.send(DebuggeeEvent::Exited(0));
    client.until_event("terminated").await;
    let asked = json!({"source": {"path": "/build/src/main.rs"}, "breakpoints": [{"line": 9}]});
    let set = client.body("setBreakpoints", asked).await["breakpoints"][0].clone();
    assert_eq!((&set["verified"], &set["reason"]), (&json!(false), &json!("pending")), "{set}");
    client.body("restart", json!({})).await;
    let now = client.until_event("breakpoint").await["body"]["breakpoint"].clone();
    assert_eq!((&now["id"], &now["verified"]), (&set["id"], &json!(true)), "{now}");
}

async fn what_is_asked_for_just_at_the_end_comes_after_it() {
    let mut client = Client::launched().await;
    client.fake().gone.store(true, Ordering::SeqCst);
    assert_eq!(client.body("threads", json!({})).await["threads"], json!([]));
    let asked = json!({"source": {"path": "/build/src/main.rs"}, "breakpoints": [{"line": 9}]});
    let set = client.body("setBreakpoints", asked).await["breakpoints"][0].clone();
    assert_eq!((&set["verified"], &set["reason"]), (&json!(false), &json!("pending")), "{set}");
    client.fake().events.send(DebuggeeEvent::Exited(0));
    client.until_event("terminated").await;
    client.body("restart", json!({})).await;
    let now = client.until_event("breakpoint").await["body"]["breakpoint"].clone();
    assert_eq!((&now["id"], &now["verified"]), (&set["id"], &json!(true)), "{now}");
}

async fn log_messages_of_a_program_that_was_replaced_take_nobodys_place() {
    let mut client = Client::launched().await;
    let old = client.fake();
    client.body("restart", json!({})).await;
    let new = client.fake();
    for _ in 0..5000 {
        old.events.log("old".into(), None);
    }
    // The lane has heard them all.
    client.body("pause", json!({"threadId": 100})).await;
    client.unread.clear();
    new.events.log("new".into(), None);
    let mut told = String::new();
    while !told.contains("new") {
        told = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
        assert!(!told.contains("old"), "{told}");
    }
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
    client.fake().events.send(DebuggeeEvent::Forked(Forked::by_number(4711)));
    let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
    assert!(output.starts_with("weft: process 4711 was forked and runs undebugged: this editor cannot"), "{output}");
    assert_eq!(client.fake().log(), ["let go 4711"]);

    let mut client = Client::connect();
    let mut abilities = initialize();
    abilities["supportsStartDebuggingRequest"] = json!(true);
    client.ask("initialize", abilities).await;
    let configuration = json!({"program": "/bin/true", "followForks": true, "signals": {"SIGUSR1": "stop"}});
    let launch = client.send("launch", configuration).await;
    client.until_event("initialized").await;
    client.body("configurationDone", json!({})).await;
    client.response(launch).await;
    let fake = client.fake();
    fake.log();
    fake.events.send(DebuggeeEvent::Forked(Forked::by_number(1)));
    let request = client.until_request("startDebugging").await;
    let configuration = &request["arguments"]["configuration"];
    assert_eq!((&request["arguments"]["request"], &configuration["pid"]), (&json!("attach"), &json!(1)));
    assert_eq!((&configuration["resumeStopped"], &configuration["name"]), (&json!(true), &json!("true 1")));
    assert_eq!((&configuration["followForks"], &configuration["signals"]), (&json!(true), &json!({"SIGUSR1": "stop"})));
    // It is a configuration that `attach` takes.
    let attach: weft_protocol::launch::AttachArguments = serde_json::from_value(configuration.clone()).unwrap();
    assert_eq!(attach.common.refused, Vec::<String>::new());
    let weft_protocol::launch::TargetArguments::Native(target) = attach.target else { panic!("{attach:?}") };
    assert_eq!((target.pid, target.resume_stopped), (Some(1), true));
    client.reply(&request, Ok(json!({}))).await;
    fake.events.send(DebuggeeEvent::Forked(Forked::by_number(2)));
    let request = client.until_request("startDebugging").await;
    client.reply(&request, Err("not now")).await;
    let output = client.until_event("output").await["body"]["output"].as_str().unwrap().to_owned();
    assert!(output.contains("process 2 was forked and runs undebugged: `startDebugging`: the editor refused: not now"));
    client.body("threads", json!({})).await;
    fake.events.send(DebuggeeEvent::Forked(Forked::by_number(3)));
    client.until_request("startDebugging").await;
    client.body("disconnect", json!({})).await;
    // The one that was handed over is not touched; the one that nobody answered for does not stand forever.
    assert_eq!(fake.log(), ["let go 2", "let go 3", "Kill"]);
}

}
