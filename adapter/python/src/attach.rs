//! Reaching a program that is there already.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// How long somebody is waited for who is to connect: as long as the user wants.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Connects to a debugpy that listens (`debugpy.listen`, `python -m debugpy --listen`).
pub(crate) fn connect(address: &Address, settings: &PythonSettings) -> Answer<Shaken> {
    let shown = format!("{}:{}", address.host, address.port);
    let failed = |why: String| {
        let sentence = format!(
            "`connect`: no debugpy can be reached at {shown} ({why}): start the program with `python -m debugpy --listen \
             {shown} …`, or have it call `debugpy.listen`"
        );
        Error::new(ErrorId::AttachFailed, sentence)
    };
    let mut addresses = (address.host.as_str(), address.port).to_socket_addrs().map_err(|e| failed(e.to_string()))?;
    let first = addresses.next().ok_or_else(|| failed("the host has no address".to_owned()))?;
    let stream = TcpStream::connect_timeout(&first, PATIENCE).map_err(|error| failed(error.to_string()))?;
    greet(stream, settings, true).map_err(|error| failed(error.message))
}

/// Waits for a debugpy that connects (`debugpy.connect`, `python -m debugpy --connect`).
pub(crate) fn listen(address: &Address, settings: &PythonSettings, events: &EventSender) -> Answer<Shaken> {
    let shown = format!("{}:{}", address.host, address.port);
    let listener = Listener::at((address.host.as_str(), address.port)).map_err(|error| {
        Error::new(ErrorId::AttachFailed, format!("`listen`: weft cannot listen on {shown}: {error}"))
    })?;
    let waiting = Arc::new(Waiting::new(format!("Waiting for a program that connects to {shown}")));
    events.work(Arc::clone(&waiting) as Arc<dyn Work>);
    let stream = listener.accept(Instant::now() + LONG, || waiting.is_cancelled());
    waiting.end();
    let stream = stream.ok_or_else(|| Error::new(ErrorId::Cancelled, "nobody is waited for any more"))?;
    greet(stream, settings, false)
}

fn greet(stream: TcpStream, settings: &PythonSettings, through_adapter: bool) -> Answer<Shaken> {
    let arguments = options(settings, false);
    let greeting = Greeting { request: "attach", arguments: &arguments, token: None, through_adapter };
    shake(stream, &greeting).map_err(|fault| fault_as(ErrorId::AttachFailed, fault))
}

/// What a user knows the program by, as it says itself.
pub(crate) fn name(shaken: &Shaken) -> PathBuf {
    PathBuf::from(shaken.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("python"))
}
