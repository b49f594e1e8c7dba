//! Reaching a program that is there already.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weft_protocol::{Error, ErrorId};
use weft_session::EventSender;
use weft_session::config::{Address, PythonSettings};
use weft_session::debuggee::{Answer, Work};

use crate::factory::options;
use crate::link::{Greeting, Listener, Shaken, shake};
use crate::patience::Waiting;
use crate::state::fault_as;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects to a debugpy that listens (`debugpy.listen`, `python -m debugpy --listen`).
/// `child`: of the processes that it speaks for, the one with this number.
pub(crate) fn connect(address: &Address, child: Option<i64>, settings: &PythonSettings) -> Answer<Shaken> {
    let shown = format!("{}:{}", address.host, address.port);
    let failed = |why: String| {
        let sentence = format!(
            "`connect`: no debugpy can be reached at {shown} ({why}): start the program with `python -m debugpy --listen \
             {shown} …`, or have it call `debugpy.listen`"
        );
        Error::new(ErrorId::AttachFailed, sentence)
    };
    let stream = reach(address).map_err(|error| failed(error.to_string()))?;
    greet(stream, settings, child, true).map_err(|error| failed(error.message))
}

/// Connects to where a debugpy listens.
pub(crate) fn reach(address: &Address) -> io::Result<TcpStream> {
    let mut addresses = (address.host.as_str(), address.port).to_socket_addrs()?;
    let first = addresses.next().ok_or_else(|| io::Error::other("the host has no address"))?;
    TcpStream::connect_timeout(&first, PATIENCE)
}

/// Waits for a debugpy that connects (`debugpy.connect`, `python -m debugpy --connect`).
pub(crate) fn listen(address: &Address, settings: &PythonSettings, events: &EventSender) -> Answer<(Shaken, Listener)> {
    let shown = format!("{}:{}", address.host, address.port);
    let listener = Listener::at((address.host.as_str(), address.port)).map_err(|error| {
        Error::new(ErrorId::AttachFailed, format!("`listen`: weft cannot listen on {shown}: {error}"))
    })?;
    let waiting = Arc::new(Waiting::new(format!("Waiting for a program that connects to {shown}")));
    events.work(Arc::clone(&waiting) as Arc<dyn Work>);
    let stream = listener.accept(None, || waiting.is_cancelled());
    waiting.end();
    let stream = stream.ok_or_else(|| Error::new(ErrorId::Cancelled, "nobody is waited for any more"))?;
    Ok((greet(stream, settings, None, false)?, listener))
}

/// Goes on with a child that another session had.
pub(crate) fn greet_child(stream: TcpStream, pid: i64, settings: &PythonSettings) -> Answer<Shaken> {
    greet(stream, settings, Some(pid), false)
}

/// Goes on with a program that was asked to connect.
pub(crate) fn greet_injected(stream: TcpStream, token: &str, settings: &PythonSettings) -> Answer<Shaken> {
    let arguments = options(settings, false);
    let greeting = Greeting { request: "attach", arguments: &arguments, token: Some(token), through_adapter: false };
    shake(stream, &greeting).map_err(|fault| fault_as(ErrorId::AttachFailed, fault))
}

fn greet(stream: TcpStream, settings: &PythonSettings, child: Option<i64>, through_adapter: bool) -> Answer<Shaken> {
    let mut arguments = options(settings, false);
    if let Some(pid) = child {
        arguments["subProcessId"] = pid.into();
    }
    let greeting = Greeting { request: "attach", arguments: &arguments, token: None, through_adapter };
    shake(stream, &greeting).map_err(|fault| fault_as(ErrorId::AttachFailed, fault))
}

/// What a user knows the program by, as it says itself.
pub(crate) fn name(shaken: &Shaken) -> PathBuf {
    PathBuf::from(shaken.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("python"))
}
