//! `weft dap`: a session on stdin and stdout, or one per connection.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use weft_native::NativeFactory;
use weft_python::PythonFactory;
use weft_session::debuggee::Answer;
use weft_session::{AttachConfig, Debuggee, EventSender, Factory, LaunchConfig, Runtime, ServeOptions, serve};

use crate::Failure;
use crate::ending::Ending;

/// Serves until the editor goes away or the process is told to end.
pub(crate) fn run(kind: Option<Runtime>, listen: Option<&str>, allow_remote: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no threads to work with: {error}"))?;
    let options = ServeOptions { runtime: kind, ..ServeOptions::default() };
    let served = runtime.block_on(async {
        let ending = Ending::watch().map_err(|error| format!("signals cannot be received: {error}"))?;
        match listen {
            None => {
                let stdin = ending.cut(tokio::io::stdin());
                serve(stdin, tokio::io::stdout(), Arc::new(Faces::default()), options).await;
                Ok(())
            }
            Some(address) => accept(address, allow_remote, options, ending).await,
        }
    });
    // A read of stdin that nobody will ever answer must not hold up the end.
    runtime.shutdown_background();
    served
}

/// Both faces of a debuggee, by what a configuration is for.
#[derive(Default)]
pub(crate) struct Faces {
    native: NativeFactory,
    python: PythonFactory,
}

impl Factory for Faces {
    fn launch(&self, config: LaunchConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        match config {
            LaunchConfig::Native(config) => self.native.launch(config, events),
            LaunchConfig::Python(config) => self.python.launch(config, events),
        }
    }

    fn attach(&self, config: AttachConfig, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        match config {
            AttachConfig::Native(config) => self.native.attach(config, events),
            AttachConfig::Python(config) => self.python.attach(config, events),
        }
    }
}

async fn accept(address: &str, allow_remote: bool, options: ServeOptions, mut ending: Ending) -> Result<(), Failure> {
    let addresses = tokio::net::lookup_host(address)
        .await
        .map_err(|error| format!("--listen {address} is not an address and port such as 127.0.0.1:4711: {error}"))?
        .collect::<Vec<SocketAddr>>();
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        if !allow_remote {
            return Err(format!(
                "--listen {address} can be reached from other machines, and whoever connects can run any program as \
                 you; use 127.0.0.1, or add --allow-remote if that is what you want"
            ));
        }
        anstream::eprintln!("weft: whoever can reach {address} can run any program as you");
    }
    let listener = TcpListener::bind(addresses.as_slice())
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let bound = listener.local_addr().map_err(|error| format!("cannot listen on {address}: {error}"))?;
    anstream::eprintln!("weft: listening on {bound}");
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // A session that is over is forgotten.
            Some(_) = sessions.join_next() => continue,
            () = ending.come() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (reader, writer) = stream.into_split();
                sessions.spawn(serve(ending.cut(reader), writer, Arc::new(Faces::default()), options));
            }
            // One connection that failed before it began says nothing about the next.
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
    }
    while sessions.join_next().await.is_some() {}
    Ok(())
}
