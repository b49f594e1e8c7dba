//! The program as a machine, and requests that move it elsewhere than on.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use weft_tests::programs::{Profile, line, program, source};
use weft_tests::{Client, Launch, address, list, process};

const STEPS: &str = "sync_zoo/src/steps.rs";
const ENDS: &str = "ends/src/main.rs";
const USER: &str = "plugin_user/src/main.rs";

/// A session that stands in `plain`, on its first line.
fn in_plain() -> (Client, i64) {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&zoo, &["steps"], source(STEPS), line(STEPS, "plain first"));
    (client, stop.thread)
}

fn marker(name: &str) -> i64 {
    line(STEPS, name)
}

#[test]
fn machine_code_is_shown_without_traps() {
    let (mut client, thread) = in_plain();
    let pc = client.instruction(thread);
    let shown = client.disassemble(pc, -8, 40);
    assert_eq!((shown[8].address, shown[8].line), (pc, Some(marker("plain first"))), "{shown:?}");
    for pair in shown.windows(2) {
        assert_eq!(pair[0].address + pair[0].bytes.len() as u64, pair[1].address, "one after the other: {shown:?}");
    }
    let from = shown[0].address;
    let length: usize = shown.iter().map(|instruction| instruction.bytes.len()).sum();
    let bytes: Vec<u8> = shown.iter().flat_map(|instruction| instruction.bytes.clone()).collect();
    // The breakpoint that the program stands at is in memory, and nobody sees it.
    let (read, unreadable) = client.read_memory(from, length as i64);
    assert_eq!((read, unreadable), (bytes, 0));
    assert_ne!(shown[8].bytes[0], 0xcc, "{:?}", shown[8]);
    let begin = shown.iter().find(|instruction| instruction.symbol.as_deref() == Some("sync_zoo::steps::plain"));
    let begin = begin.unwrap_or_else(|| panic!("the function's begin is named: {shown:?}"));
    assert!(begin.address <= pc, "{begin:?}");
    assert!(shown.iter().any(|instruction| instruction.line == Some(marker("plain second"))), "{shown:?}");
    // Going there instruction by instruction from any begin comes to the same.
    let again = client.disassemble(shown[3].address, 5, 2);
    assert_eq!((again[0].address, &again[0].text), (pc, &shown[8].text));
    // The same through an offset.
    let reference = json!({"memoryReference": format!("{:#x}", pc - 16), "offset": 16, "instructionCount": 1});
    let body = client.ask("disassemble", reference);
    assert_eq!(address(&body["instructions"][0]["address"]), pc);
    client.disconnect();
}

#[test]
fn registers_are_those_of_their_frame() {
    let (mut client, thread) = in_plain();
    let pc = client.instruction(thread);
    let stack = client.stack(thread);
    let mut of = |frame: i64| -> Vec<(String, String)> {
        let scopes = client.scopes(frame);
        let scope = scopes.iter().find(|scope| scope.name == "Registers").expect("a physical frame");
        client.variables(scope.reference).into_iter().map(|variable| (variable.name, variable.value)).collect()
    };
    let inner = of(stack[0].id);
    let value = |list: &[(String, String)], name: &str| list.iter().find(|(of, _)| of == name).map(|it| it.1.clone());
    assert_eq!(value(&inner, "rip"), Some(format!("{pc:#x}")));
    // The trap flag is never the program's, and one bit is always set.
    let flags = value(&inner, "eflags").and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    assert_eq!(flags.map(|flags| flags & 0x102), Some(2), "{inner:?}");
    let outer = of(stack[1].id);
    assert_eq!((value(&outer, "eflags"), value(&outer, "rip").is_some()), (None, true));
    assert_eq!(value(&outer, "fs_base"), value(&inner, "fs_base"));
    client.disconnect();
}

#[test]
fn a_call_names_what_it_calls() {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&zoo, &["steps"], source(STEPS), line(STEPS, "start"));
    let pc = client.instruction(stop.thread);
    let shown = client.disassemble(pc, 0, 12);
    let call = shown.iter().find(|instruction| instruction.text.contains("call"));
    assert_eq!(call.map(|call| call.text.as_str()), Some("call sync_zoo::steps::plain"), "{shown:?}");
    client.disconnect();
}

#[test]
fn what_is_no_memory_says_so() {
    let (mut client, _) = in_plain();
    let shown = client.disassemble(0x10, -3, 6);
    assert!(shown.iter().all(|instruction| instruction.invalid && instruction.bytes.is_empty()), "{shown:?}");
    assert_eq!((shown[0].address, shown[3].address, shown[3].text.as_str()), (0x0d, 0x10, "??"));
    assert_eq!(client.read_memory(0x10, 64), (Vec::new(), 64));
    let failure = client.write_memory(0x10, &[1]).expect_err("nothing is there");
    assert_eq!(failure.id, 1402, "{failure:?}");
    assert_eq!(client.read_memory(u64::MAX - 3, 16).0, Vec::<u8>::new());
    client.disconnect();
}

#[test]
fn memory_is_written_and_values_follow() {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&zoo, &["steps"], source(STEPS), line(STEPS, "branches body"));
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("result", frame).value, "1");
    let body = client.ask("evaluate", json!({"expression": "result", "frameId": frame}));
    let at = address(&body["memoryReference"]);
    assert_eq!(client.read_memory(at, 4), (vec![1, 0, 0, 0], 0));
    assert_eq!(client.write_memory(at, &[9, 1]), Ok(2));
    assert_eq!(address(&client.event("memory")["memoryReference"]), at);
    assert_eq!(client.event("invalidated")["areas"], json!(["all"]));
    // What was given before is over; what is asked anew is the new value, and the program computes with it.
    assert_eq!(client.refused("scopes", json!({"frameId": frame})).id, 1301);
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("result", frame).value, "265");
    let again = client.resume_to_stop(stop.thread);
    assert_eq!(again.hit, stop.hit);
    client.set_breakpoints(&source(STEPS), &[line(STEPS, "branches last")]);
    let stop = client.resume_to_stop(again.thread);
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("result", frame).value, "266");
    // The code under a trap can be written; the trap stays, and nobody sees it.
    let pc = client.instruction(stop.thread);
    let (code, _) = client.read_memory(pc, 1);
    assert_eq!(client.write_memory(pc, &code), Ok(1));
    assert_eq!(client.read_memory(pc, 1).0, code);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 307\n");
}

#[test]
fn what_is_watched_is_told_and_ends_with_its_call() {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&zoo, &["steps"], source(STEPS), line(STEPS, "branches test"));
    client.set_breakpoints(&source(STEPS), &[]);
    let frame = client.top(stop.thread).id;
    let info = client.data_info(frame, "result");
    assert_eq!(
        (info.description.as_str(), &info.accesses[..]),
        ("result: u64, until this call returns", &["write".to_owned(), "readWrite".to_owned()][..])
    );
    let scope = client.scopes(frame).into_iter().find(|scope| scope.name == "Locals").expect("locals");
    let by_name = client.data_info_of(json!({"variablesReference": scope.reference, "name": "result"}));
    assert_eq!(by_name, info);
    let nothing = client.data_info(frame, "missing");
    assert_eq!(nothing.id, None);
    let id = info.id.expect("it lies in memory");
    let set = client.set_data_breakpoints(&[(&id, "write"), ("nonsense", "write")]);
    assert_eq!((set[0].verified, set[1].verified), (true, false), "{set:?}");
    let mut texts = Vec::new();
    let mut thread = stop.thread;
    for _ in 0..3 {
        let stop = client.resume_to_stop(thread);
        assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("data breakpoint", &[set[0].id][..]), "{stop:?}");
        thread = stop.thread;
        texts.push(stop.body["text"].as_str().unwrap_or_default().to_owned());
    }
    client.resume(thread);
    let gone = client.event_where("breakpoint", |body| body["reason"] == "removed");
    assert_eq!(gone["breakpoint"]["id"].as_i64(), Some(set[0].id));
    // The program stands where the call has returned, so that the user sees what became of it.
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("data breakpoint", &[][..]), "{stop:?}");
    assert!(stop.body["text"].as_str().is_some_and(|text| text.contains("the call that it belonged to has returned")));
    assert_eq!(
        texts,
        ["`result` changed from 0 to 1", "`result` was written, and is 1 as before", "`result` changed from 1 to 2"]
    );
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn a_panic_is_described_with_its_stack() {
    let mut client = Client::weft();
    let mut set = Vec::new();
    client.launch_configured(&program("ends", Profile::Debug), &["panic"], &Launch::default(), |client| {
        set = client.set_exceptions(&["panic", "uncaught"], &[]);
    });
    assert_eq!((set[0].verified, set[1].verified), (true, false), "{set:?}");
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), &stop.body["text"]), ("exception", &json!("on purpose")), "{stop:?}");
    let info = client.exception_info(stop.thread);
    assert_eq!((&info["exceptionId"], &info["breakMode"]), (&json!("panic"), &json!("always")));
    assert_eq!((&info["details"]["message"], &info["details"]["typeName"]), (&json!("on purpose"), &json!("panic")));
    let stack = info["details"]["stackTrace"].as_str().unwrap_or_default();
    assert!(stack.contains("ends::main at ") && stack.contains("ends/src/main.rs:"), "{info}");
    client.resume(stop.thread);
    assert_eq!(client.exited(), 101);
}

#[test]
fn functions_and_instructions_stop_in_their_own_words() {
    let mut client = Client::weft();
    let mut set = Vec::new();
    client.launch_configured(&program("sync_zoo", Profile::Debug), &["steps"], &Launch::default(), |client| {
        set = client.set_function_breakpoints(&[
            json!({"name": "steps::factorial", "condition": "number == 2"}),
            json!("no_such_function_anywhere"),
        ]);
    });
    assert_eq!((set[0].verified, set[1].verified), (true, false), "{set:?}");
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("function breakpoint", &[set[0].id][..]), "{stop:?}");
    let frame = client.top(stop.thread).id;
    assert_eq!(client.evaluate("number", frame).value, "2");
    let pc = client.instruction(stop.thread);
    let next = client.disassemble(pc, 1, 1)[0].address;
    let on = client.set_instruction_breakpoints(&[json!(next)]);
    assert!(on[0].verified, "{on:?}");
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!((stop.reason.as_str(), &stop.hit[..]), ("instruction breakpoint", &[on[0].id][..]), "{stop:?}");
    assert_eq!(client.instruction(stop.thread), next);
    client.set_instruction_breakpoints(&[]);
    client.set_function_breakpoints(&[]);
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
}

#[test]
fn files_come_and_go() {
    let mut client = Client::weft();
    let user = program("plugin_user", Profile::Debug);
    let library = user.with_file_name("libplugin.so");
    let launch = Launch { breakpoints: Vec::new(), more: json!({"stopOnEntry": true}) };
    client.launch(&user, &[library.to_str().expect("text")], &launch);
    let stop = client.stopped();
    let named = |client: &mut Client| -> Vec<(String, Value)> {
        let body = client.ask("modules", json!({}));
        assert_eq!(list(&body["modules"]).count() as u64, body["totalModules"].as_u64().unwrap_or(0));
        list(&body["modules"])
            .map(|module| (module["name"].as_str().unwrap_or("").to_owned(), module.clone()))
            .collect()
    };
    let first = named(&mut client);
    assert_eq!(first[0].0, "plugin_user");
    assert_eq!((&first[0].1["isUserCode"], &first[0].1["symbolStatus"]), (&json!(true), &json!("debug information")));
    assert!(first.iter().any(|(name, _)| name.starts_with("libc.so")), "{first:?}");
    assert!(!first.iter().any(|(name, _)| name.contains("plugin.so")), "{first:?}");
    client.take_events("module");
    client.set_breakpoints(&source(USER), &[line(USER, "loaded")]);
    client.resume_to_stop(stop.thread);
    let news = client.event_where("module", |body| body["module"]["name"] == "libplugin.so");
    assert_eq!(news["reason"], "new");
    let now = named(&mut client);
    let listed = now.iter().find(|(name, _)| name == "libplugin.so").map(|(_, module)| module);
    assert_eq!(listed, Some(&news["module"]));
    let page = client.ask("modules", json!({"startModule": 1, "moduleCount": 1}));
    assert_eq!(page["modules"][0], now[1].1);
    client.disconnect();
}

#[test]
fn sources_are_listed_and_those_of_std_are_not_pretended() {
    let (mut client, thread) = in_plain();
    let body = client.ask("loadedSources", Value::Null);
    let paths: Vec<PathBuf> =
        list(&body["sources"]).filter_map(|source| source["path"].as_str().map(PathBuf::from)).collect();
    assert!(paths.contains(&source(STEPS)), "{paths:?}");
    let text = client.ask("source", json!({"sourceReference": 0, "source": {"path": source(STEPS)}}));
    assert_eq!(text["content"].as_str(), std::fs::read_to_string(source(STEPS)).ok().as_deref());
    assert_eq!(client.refused("source", json!({"sourceReference": 0, "source": {"path": "/etc/passwd"}})).id, 1404);
    let frames = client.ask("stackTrace", json!({"threadId": thread}));
    let std = list(&frames["stackFrames"])
        .find(|frame| frame["source"]["path"].as_str().is_some_and(|path| path.contains("/library/std/src/")));
    let std = &std.expect("std called main")["source"];
    match std["sourceReference"].as_i64() {
        // The component is installed: an editor opens the file by itself.
        None | Some(0) => assert!(std["path"].as_str().is_some_and(|path| PathBuf::from(path).is_file()), "{std}"),
        Some(reference) => {
            assert_eq!(std["presentationHint"], "deemphasize");
            let failure = client.refused("source", json!({"sourceReference": reference, "source": std}));
            assert_eq!(failure.id, 1404, "{failure:?}");
            assert!(failure.message.contains("rustup component add rust-src"), "{failure:?}");
        }
    }
    client.disconnect();
}

#[test]
fn places_for_breakpoints_are_those_where_they_land() {
    let (mut client, _) = in_plain();
    let (first, last) = (marker("plain first"), marker("plain end"));
    let places = client.breakpoint_locations(&source(STEPS), first, last);
    let mut lines: Vec<i64> = places.iter().map(|(line, _)| *line).collect();
    lines.dedup();
    assert_eq!(lines, (first..=last).collect::<Vec<_>>(), "{places:?}");
    for line in lines {
        let set = client.set_breakpoints(&source(STEPS), &[line]);
        assert_eq!(set[0].line, Some(line));
    }
    let comment = marker("no code here");
    assert_eq!(client.breakpoint_locations(&source(STEPS), comment, comment), []);
    client.disconnect();
}

#[test]
fn a_thread_is_sent_to_another_line() {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let stop = client.launch_to(&zoo, &["steps"], source(STEPS), line(STEPS, "third"));
    let targets = client.goto_targets(&source(STEPS), marker("fifth"));
    assert_eq!(targets.first().map(|target| target.1), Some(marker("fifth")), "{targets:?}");
    assert_eq!(client.goto_targets(&source(STEPS), marker("plain first")), [], "another function's line is no target");
    let back = client.goto_targets(&source(STEPS), marker("start"));
    let moved = client.goto(stop.thread, back[0].0);
    assert_eq!(client.top(moved.thread).line, marker("start"));
    // The numbers belonged to the stop before.
    assert_eq!(client.refused("goto", json!({"threadId": stop.thread, "targetId": back[0].0})).id, 1301);
    let again = client.resume_to_stop(moved.thread);
    assert_eq!((again.reason.as_str(), client.top(again.thread).line), ("breakpoint", marker("third")));
    client.resume(again.thread);
    assert_eq!(client.exited(), 0);
    assert_eq!(client.output("stdout"), "total 43\n");
}

#[test]
fn a_restart_keeps_every_breakpoint() {
    let mut client = Client::weft();
    let zoo = program("sync_zoo", Profile::Debug);
    let breakpoints = vec![(source(STEPS), line(STEPS, "factorial base")), (source(STEPS), line(STEPS, "finish"))];
    let set = client.launch(&zoo, &["steps"], &Launch { breakpoints, more: Value::Null });
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let pid = client.debuggee();
    client.take_events("process");
    client.ask("restart", json!({}));
    assert!(process::wait_gone(pid, weft_tests::DEADLINE), "the old program outlives the restart");
    assert_ne!(client.debuggee(), pid);
    let stop = client.stopped();
    assert_eq!((stop.hit, client.top(stop.thread).line), (vec![set[0].id], line(STEPS, "factorial base")));
    let stop = client.resume_to_stop(stop.thread);
    assert_eq!(stop.hit, [set[1].id]);
    // With other arguments it is another run of the same program.
    client.ask("restart", json!({"arguments": {"program": program("ends", Profile::Debug), "args": ["exit", "3"]}}));
    assert_eq!(client.exited(), 3);
    let ended = client.refused("restart", json!({"arguments": {"program": "/no/such/program"}}));
    assert_eq!(ended.id, 1203, "{ended:?}");
}

/// Runs what the adapter asks a terminal for, as a terminal would.
fn terminal(client: &mut Client) -> Arc<Mutex<Vec<(Value, Child)>>> {
    client.abilities = json!({"supportsRunInTerminalRequest": true});
    let started: Arc<Mutex<Vec<(Value, Child)>>> = Arc::default();
    let list = Arc::clone(&started);
    client.answer_requests("runInTerminal", move |arguments| {
        let words: Vec<&str> = weft_tests::list(&arguments["args"]).filter_map(Value::as_str).collect();
        let (command, words) = words.split_first().ok_or("nothing to run")?;
        let mut command = Command::new(command);
        command.args(words).current_dir(arguments["cwd"].as_str().unwrap_or("/"));
        for (name, value) in arguments["env"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().map_err(|error| error.to_string())?;
        let pid = child.id();
        list.lock().expect("not poisoned").push((arguments.clone(), child));
        Ok(json!({"processId": pid}))
    });
    started
}

#[test]
fn a_program_runs_in_the_clients_terminal() {
    let mut client = Client::weft();
    let started = terminal(&mut client);
    let more = json!({"console": "integratedTerminal", "env": {"WEFT_TEST": "in a terminal"}});
    let breakpoints = vec![(source(STEPS), line(STEPS, "finish"))];
    let set = client.launch(&program("sync_zoo", Profile::Debug), &["steps"], &Launch { breakpoints, more });
    let stop = client.stopped();
    assert_eq!(stop.hit, [set[0].id]);
    let (arguments, mut child) = started.lock().expect("not poisoned").pop().expect("the terminal was asked");
    assert_eq!((&arguments["kind"], &arguments["title"]), (&json!("integrated"), &json!("sync_zoo")));
    assert_eq!(arguments["env"]["WEFT_TEST"], "in a terminal");
    // What was started has become the program.
    assert_eq!(i64::from(client.debuggee()), i64::from(child.id()));
    client.resume(stop.thread);
    assert_eq!(client.exited(), 0);
    let mut output = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut output).expect("text");
    assert_eq!((output.as_str(), client.output("stdout").as_str()), ("total 43\n", ""));
    child.wait().expect("our child");
}

#[test]
fn a_terminal_that_is_refused_ends_the_launch() {
    let mut client = Client::weft();
    client.abilities = json!({"supportsRunInTerminalRequest": true});
    client.answer_requests("runInTerminal", |_| Err("no terminals today".to_owned()));
    client.initialize();
    let configuration = json!({"program": program("ends", Profile::Debug), "console": "externalTerminal"});
    let failure = client.cannot_start("launch", configuration);
    assert!(failure.message.contains("no terminals today"), "{failure:?}");
    assert_eq!(process::children(client.adapter_pid()), Vec::<i32>::new());
}

#[test]
fn without_a_terminal_the_console_is_used() {
    let mut client = Client::weft();
    let more = json!({"console": "integratedTerminal"});
    let breakpoints = vec![(source(ENDS), line(ENDS, "exit"))];
    client.launch(&program("ends", Profile::Debug), &["exit", "4"], &Launch { breakpoints, more });
    let stop = client.stopped();
    client.resume(stop.thread);
    assert_eq!(client.exited(), 4);
    assert!(client.output("console").contains("this editor cannot open a terminal"), "{}", client.output("console"));
}

#[test]
fn a_forked_process_that_nobody_takes_runs_on() {
    for refusing in [false, true] {
        let mut client = Client::weft();
        if refusing {
            client.abilities = json!({"supportsStartDebuggingRequest": true});
            client.answer_requests("startDebugging", |_| Err("one session is enough".to_owned()));
        }
        let more = json!({"followForks": true});
        client.launch(&program("step_zoo", Profile::Debug), &["forks"], &Launch { more, ..Launch::default() });
        // The program waits for its child, which must not stand forever.
        assert_eq!(client.exited(), 0);
        let category = if refusing { "important" } else { "console" };
        let told = client.output(category);
        assert!(told.contains("was forked and runs undebugged"), "{told}");
        assert_eq!(told.contains("one session is enough"), refusing, "{told}");
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let configuration = |more: Value| {
        let mut configuration = json!({"program": program("ends", Profile::Debug), "args": ["exit", "0"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            configuration[name] = value.clone();
        }
        configuration
    };
    for (more, id, word) in [
        (json!({"signals": {"SIGWHAT": "stop"}}), 1202, "SIGWHAT"),
        (json!({"signals": {"SIGINT": "maybe"}}), 1003, "signals"),
        (json!({"console": "tty"}), 1003, "console"),
        (json!({"followForks": "yes"}), 1003, "followForks"),
    ] {
        let mut client = Client::weft();
        client.initialize();
        let failure = client.cannot_start("launch", configuration(more));
        assert_eq!(failure.id, id, "{failure:?}");
        assert!(failure.message.contains(word), "{failure:?}");
    }
}
