//! `weft demo`: a guided session on a bundled program, over the same protocol that an editor speaks.

mod build;
mod client;
mod show;

use std::sync::Arc;

use serde_json::{Value, json};
use weft_session::{Runtime, ServeOptions, serve};

use crate::Failure;
use client::Client;

/// The line on which the session stops: three awaits below the task's entry.
const MARKER: &str = "// BP: plated";

/// Builds the program, debugs it to [`MARKER`], prints what an editor would show, steps once, ends.
pub(crate) fn run() -> Result<(), Failure> {
    let program = build::build()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no threads to work with: {error}"))?;
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    runtime.block_on(async move {
        let (reader, writer) = tokio::io::split(theirs);
        let factory = Arc::new(crate::dap::Faces::default());
        let options = ServeOptions { runtime: Some(Runtime::Native), ..ServeOptions::default() };
        let adapter = tokio::spawn(serve(reader, writer, factory, options));
        let told = guided(Client::new(ours), &program).await;
        adapter.await.map_err(|error| format!("the adapter failed: {error}"))?;
        told
    })
}

async fn guided(mut client: Client, program: &build::Program) -> Result<(), Failure> {
    let source = program.source.display().to_string();
    let line = program.line_of(MARKER)?;
    client.request("initialize", json!({"adapterID": "weft", "supportsVariableType": true})).await?;
    let launch = json!({"program": program.executable, "cwd": program.directory});
    let launched = client.start_request("launch", launch).await?;
    client.event("initialized").await?;
    let breakpoints = json!({"source": {"path": source}, "breakpoints": [{"line": line}]});
    client.request("setBreakpoints", breakpoints).await?;
    client.request("configurationDone", json!({})).await?;
    client.response(launched).await?;

    let thread = stopped(&mut client).await?;
    show::title(&format!("Stopped at {}:{line}", show::file_name(&source)));
    show::source(program.text, line);
    let frames = client.request("stackTrace", json!({"threadId": thread})).await?;
    show::title("Logical stack");
    show::stack(&frames);
    show::title("Variables of the frame");
    variables(&mut client, &frames["stackFrames"][0]).await?;
    show::title("Tasks");
    let tasks = client.request("asyncTasks", json!({})).await?;
    crate::tree::print(&tasks);

    client.request("next", json!({"threadId": thread})).await?;
    let thread = stopped(&mut client).await?;
    let frames = client.request("stackTrace", json!({"threadId": thread, "levels": 1})).await?;
    let line = frames["stackFrames"][0]["line"].as_u64().unwrap_or(0);
    show::title(&format!("After one step over, in the same task: line {line}"));
    show::source(program.text, line);
    client.request("disconnect", json!({"terminateDebuggee": true})).await?;
    Ok(())
}

/// Waits for the next stop and says which thread it names.
async fn stopped(client: &mut Client) -> Result<Value, Failure> {
    Ok(client.event("stopped").await?["threadId"].clone())
}

async fn variables(client: &mut Client, frame: &Value) -> Result<(), Failure> {
    let scopes = client.request("scopes", json!({"frameId": frame["id"]})).await?;
    for scope in scopes["scopes"].as_array().into_iter().flatten() {
        if scope["expensive"] == true || scope["name"] == "Registers" {
            continue;
        }
        let arguments = json!({"variablesReference": scope["variablesReference"]});
        let list = client.request("variables", arguments).await?;
        show::variables(&list);
    }
    Ok(())
}
