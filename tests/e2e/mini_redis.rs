//! A server that nobody here wrote, under the debugger.

use std::path::Path;

use serde_json::{Value, json};
use weft_tests::mini_redis::{self, Redis};
use weft_tests::{Breakpoint, Client, Frame, Launch, Port, list, process};

const HANDLER: &str = "mini_redis::server::Handler::run";
const CONNECTION: &str = "mini_redis::server::Listener::run {async block}";
const PURGE: &str = "mini_redis::db::purge_expired_tasks";
const ROOT: &str = "mini_redis_server::main";

struct Server {
    client: Client,
    port: Port,
    breakpoints: Vec<Breakpoint>,
}

/// Launches the server.
fn serve(mut client: Client, lines: &[i64]) -> Server {
    let port = Port::claim();
    let launch = Launch {
        breakpoints: lines.iter().map(|&line| (mini_redis::source("src/server.rs"), line)).collect(),
        more: Value::Null,
    };
    let breakpoints = client.launch(&mini_redis::server(), &["--port", &port.number().to_string()], &launch);
    Server { client, port, breakpoints }
}

/// A client of the server that has been served once, so that its task exists and waits.
fn connected(port: &Port) -> Redis {
    let mut redis = Redis::connect(port);
    redis.send(&["GET", "nothing"]);
    assert_eq!(redis.receive(), "$-1");
    redis
}

fn line(text: &str) -> i64 {
    mini_redis::line("src/server.rs", text)
}

/// Frames as a user sees them unfolded: no runtime, no labels.
fn user_frames(frames: &[Frame]) -> Vec<(&str, &str, i64)> {
    let user = frames.iter().filter(|frame| frame.hint == "normal");
    user.map(|frame| (frame.name.as_str(), frame.file(), frame.line)).collect()
}

fn assert_readable(frames: &[Frame]) {
    for frame in frames.iter().filter(|frame| frame.hint == "normal") {
        for unreadable in ["{{", "{closure#", "{closure_env", "{async_", "{impl", "{constant"] {
            assert!(!frame.name.contains(unreadable), "{:?} in a user's frame: {}", unreadable, frame.name);
        }
        let hash = frame.name.rsplit("::h").next().is_some_and(|rest| {
            rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()) && frame.name.len() > 17
        });
        assert!(!hash, "a hash in a user's frame: {}", frame.name);
    }
}

/// The tasks by name, state and kind, sorted.
fn inventory(tasks: &Value) -> Vec<(String, String, String)> {
    let word = |task: &Value, key: &str| task[key].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> =
        list(&tasks["tasks"]).map(|task| (word(task, "name"), word(task, "kind"), word(task, "state"))).collect();
    all.sort();
    all
}

fn task(name: &str, kind: &str, state: &str) -> (String, String, String) {
    (name.to_owned(), kind.to_owned(), state.to_owned())
}

#[test]
fn a_clients_command_stops_in_its_handler() {
    let at = line("let cmd = Command::from_frame(frame)?;");
    let Server { mut client, port, .. } = serve(Client::weft(), &[]);
    let mut redis = connected(&port);
    process::wait_asleep(client.debuggee());
    let breakpoints = client.set_breakpoints(&mini_redis::source("src/server.rs"), &[at]);
    assert_eq!((breakpoints[0].verified, breakpoints[0].line), (true, Some(at)));
    redis.send(&["SET", "color", "green"]);
    let stop = client.stopped();
    assert_eq!((stop.reason.as_str(), stop.hit.as_slice()), ("breakpoint", &[breakpoints[0].id][..]));

    let frames = client.stack(stop.thread);
    assert_readable(&frames);
    let label = frames.iter().position(|frame| frame.hint == "label").expect("a label names the task");
    let user = user_frames(&frames[..label]);
    assert_eq!(user.first(), Some(&(HANDLER, "server.rs", at)));
    assert_eq!(user.last(), Some(&(CONNECTION, "server.rs", line("if let Err(err) = handler.run().await {"))));
    assert!(user[1..user.len() - 1].iter().all(|frame| frame.0 == HANDLER), "{user:?}");
    assert!(frames[label..].iter().all(|frame| frame.hint != "normal"), "nobody awaits a handler: {frames:?}");

    let tasks = client.async_tasks();
    assert_eq!(
        inventory(&tasks),
        [task(PURGE, "task", "waiting"), task(CONNECTION, "task", "running"), task(ROOT, "root", "waiting")]
    );
    let running = list(&tasks["tasks"]).find(|task| task["state"] == "running").expect("one task runs");
    assert_eq!(running["osThread"], json!(stop.thread));
    assert_eq!(running["location"]["line"], json!(at));
    assert_eq!(frames[label].name, format!("task {} {CONNECTION}", running["id"]));

    client.disconnect();
    assert!(redis_is_gone(&port));
}

/// Whether nothing listens on that port any more.
fn redis_is_gone(port: &Port) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port.number())).is_err()
}

#[test]
fn what_self_holds_can_be_read() {
    let at = line("let cmd = Command::from_frame(frame)?;");
    let Server { mut client, port, .. } = serve(Client::weft(), &[at]);
    let mut redis = Redis::connect(&port);
    redis.send(&["GET", "color"]);
    let stop = client.stopped();
    let top = client.top(stop.thread).id;

    let locals = client.locals(top);
    let this = locals.iter().find(|variable| variable.name == "self").expect("self is among the variables");
    assert_eq!(this.type_name, "&mut Handler");
    let members = client.variables(this.reference);
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["db", "connection", "limit_connections", "shutdown", "_shutdown_complete"]);
    let db = client.variables(members[0].reference);
    assert_eq!(db.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["shared"]);
    assert_eq!(client.evaluate("self.shutdown.shutdown", top).value, "false");
    assert_eq!(client.evaluate("self.limit_connections.ll_sem.permits", top).type_name, "AtomicUsize");
    let frame = locals.iter().find(|variable| variable.name == "frame").expect("frame is among the variables");
    let frame = client.variables(frame.reference);
    assert_eq!(frame.len(), 1, "Frame::Array has one field: {frame:?}");
    assert_eq!(client.variables(frame[0].reference).len(), 2, "GET and its key");
    client.disconnect();
}

#[test]
fn lines_are_stepped_over_and_an_await_is_one_statement() {
    let at = line("let cmd = Command::from_frame(frame)?;");
    let Server { mut client, port, breakpoints } = serve(Client::weft(), &[at]);
    let mut redis = Redis::connect(&port);
    redis.send(&["SET", "color", "green"]);
    let mut stop = client.stopped();
    let apply = line("cmd.apply(&self.db, &mut self.connection, &mut self.shutdown)");
    // Behind the await the value is unwrapped on the first line again: that is no new statement.
    let again = line("while !self.shutdown.is_shutdown() {");
    for expected in [line("debug!(?cmd);"), apply, apply + 1, apply + 2, again] {
        stop = client.step("next", stop.thread);
        assert_eq!(stop.reason, "step");
        let top = client.top(stop.thread);
        assert_eq!((top.name.as_str(), top.line), (HANDLER, expected));
    }
    assert_eq!(redis.receive(), "+OK");
    client.set_breakpoints(&mini_redis::source("src/server.rs"), &[]);
    client.resume(stop.thread);
    redis.send(&["GET", "color"]);
    assert_eq!(redis.receive(), "green");
    client.pause();
    assert_eq!(client.async_tasks()["total"], json!(3));
    assert_eq!(breakpoints.len(), 1);
    client.disconnect();
}

/// `run` is `#[instrument]`ed: between the await and the body lie a wrapper of the same name and the tracing crate.
#[test]
fn a_step_into_goes_through_what_wraps_a_function() {
    let Server { mut client, port, .. } = serve(Client::weft(), &[line("if let Err(err) = handler.run().await {")]);
    let mut redis = Redis::connect(&port);
    let stop = client.stopped();
    client.set_breakpoints(&mini_redis::source("src/server.rs"), &[]);
    let stop = client.step("stepIn", stop.thread);
    assert_eq!((stop.reason.as_str(), client.top(stop.thread).name.as_str()), ("step", HANDLER));
    let stop = client.step("next", stop.thread);
    let top = client.top(stop.thread);
    assert_eq!((top.name.as_str(), top.line), (HANDLER, line("while !self.shutdown.is_shutdown() {")));
    client.resume(stop.thread);
    redis.send(&["SET", "color", "green"]);
    assert_eq!(redis.receive(), "+OK");
    client.disconnect();
}

#[test]
fn the_listener_is_reached_from_the_root() {
    let at = line("Ok((socket, _)) => return Ok(socket),");
    let Server { mut client, port, .. } = serve(Client::weft(), &[at]);
    let _redis = Redis::connect(&port);
    let stop = client.stopped();
    let frames = client.stack(stop.thread);
    assert_readable(&frames);
    let user = user_frames(&frames);
    assert_eq!(user[0], ("mini_redis::server::Listener::accept", "server.rs", at));
    assert_eq!(user[1], ("mini_redis::server::Listener::run", "server.rs", line("let socket = self.accept().await?;")));
    let served =
        user.iter().position(|frame| frame.0 == "mini_redis::server::run").expect("server::run is on the stack");
    let main = user.iter().position(|frame| frame.0 == ROOT).expect("main is on the stack");
    assert!(1 < served && served < main, "{user:?}");
    let main_line = mini_redis::line("src/bin/server.rs", "server::run(listener, signal::ctrl_c()).await");
    assert_eq!(user[main], (ROOT, "server.rs", main_line));
    let label = frames.iter().find(|frame| frame.hint == "label").expect("a label names the task");
    let tasks = client.async_tasks();
    let root = list(&tasks["tasks"]).find(|task| task["kind"] == "root").expect("the root is a task");
    assert_eq!(label.name, format!("task {} {ROOT}", root["id"]));
    // The other worker may not have come to it yet.
    let mut found = inventory(&tasks);
    if found.first().is_some_and(|(.., state)| state == "created") {
        found[0].2 = "waiting".to_owned();
    }
    assert_eq!(found, [task(PURGE, "task", "waiting"), task(ROOT, "root", "running")]);
    client.disconnect();
}

#[test]
fn tasks_are_what_the_server_spawned() {
    let Server { mut client, port, .. } = serve(Client::weft(), &[]);
    let mut connections: Vec<Redis> = (0..3).map(|_| connected(&port)).collect();
    process::wait_asleep(client.debuggee());
    client.pause();
    let tasks = client.async_tasks();
    let mut expected = vec![task(PURGE, "task", "waiting"), task(ROOT, "root", "waiting")];
    expected.extend((0..3).map(|_| task(CONNECTION, "task", "waiting")));
    expected.sort();
    assert_eq!(inventory(&tasks), expected);
    let location = |task: &Value| {
        let path = task["location"]["source"]["path"].as_str().unwrap_or_default().to_owned();
        (path, task["location"]["line"].as_i64().unwrap_or_default())
    };
    // A handler waits in `select!`, inside read_frame, which awaits a read of its socket.
    let handlers: Vec<&Value> = list(&tasks["tasks"]).filter(|task| task["name"] == CONNECTION).collect();
    for handler in &handlers {
        assert!(location(handler).0.ends_with("mini-redis-0.4.1/src/connection.rs"), "{handler}");
    }
    let ids: Vec<i64> = handlers.iter().filter_map(|task| task["id"].as_i64()).collect();

    // One goes and another comes; those that stay keep their ids, and no id comes back.
    let thread = client.threads()[0].0;
    client.resume(thread);
    connections.pop();
    connections.push(connected(&port));
    process::wait_asleep(client.debuggee());
    client.pause();
    let later = client.async_tasks();
    assert_eq!(inventory(&later), expected);
    let later: Vec<i64> = list(&later["tasks"])
        .filter(|task| task["name"] == CONNECTION)
        .filter_map(|task| task["id"].as_i64())
        .collect();
    assert_eq!(later.iter().filter(|id| ids.contains(id)).count(), 2, "{ids:?}, then {later:?}");
    assert!(later.iter().filter(|id| !ids.contains(id)).all(|id| id > ids.iter().max().expect("three ids")));
    client.disconnect();
}

#[test]
fn an_attached_server_is_left_running() {
    let port = Port::claim();
    let server = process::Guarded::start(&mini_redis::server(), &["--port", &port.number().to_string()], &[]);
    let mut redis = connected(&port);
    let mut client = Client::weft();
    client.attach(server.pid());
    let at = line("let cmd = Command::from_frame(frame)?;");
    client.set_breakpoints(&mini_redis::source("src/server.rs"), &[at]);
    redis.send(&["SET", "color", "blue"]);
    let stop = client.stopped();
    assert_eq!(client.top(stop.thread).line, at);
    client.ask("disconnect", json!({}));
    assert_eq!(redis.receive(), "+OK");
    assert_eq!(process::tracer(server.pid()), Some(0));
    assert!(Path::new(&format!("/proc/{}", server.pid())).exists());
    drop(client);
    redis.send(&["GET", "color"]);
    assert_eq!(redis.receive(), "blue");
}
