//! Starting and attaching.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use weft_protocol::{Error, ErrorId};
use weft_session::config::{PythonCode, PythonSettings, PythonWay};
use weft_session::debuggee::Answer;
use weft_session::{Debuggee, EventSender, PythonAttach, PythonLaunch};

use crate::breakpoints::Minted;
use crate::face::{Face, Origin, Python};
use crate::link::{Greeting, Listener, Shaken, shake};
use crate::start::{Program, debugged};
use crate::state::{Standing, fault_as};
use crate::threads::Threads;
use crate::undebugged::Undebugged;
use crate::{attach, debugpy, interpreter, outside, report};

/// Makes Python debuggees.
#[derive(Debug, Default)]
pub struct PythonFactory {}

impl PythonFactory {
    /// A factory.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Factory::launch`](weft_session::Factory::launch).
    pub fn launch(&self, config: PythonLaunch, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let interpreter = interpreter::find(&config)?;
        if config.start.no_debug {
            let path = name(&config.code);
            return Ok(Arc::new(Undebugged {
                config,
                interpreter: interpreter.path,
                path,
                events,
                child: Mutex::default(),
            }));
        }
        let debugpy = debugpy::find(&interpreter, &events)?;
        let listener = Listener::new().map_err(|error| {
            Error::new(ErrorId::LaunchFailed, format!("no port on this machine for the program to connect to: {error}"))
        })?;
        let token = token()?;
        let words = debugged(&config, &debugpy, listener.port(), &token);
        let program = Program::start(&config, &interpreter.path, words, &events)?;
        let child = program.child();
        let begun = program.connection(&listener, &interpreter).and_then(|stream| {
            let arguments = options(&config.settings, config.start.stop_on_entry);
            let greeting =
                Greeting { request: "launch", arguments: &arguments, token: Some(&token), through_adapter: false };
            shake(stream, &greeting).map_err(|fault| fault_as(ErrorId::LaunchFailed, fault))
        });
        // Whatever fails, nothing stays behind.
        let begun = begun.and_then(|shaken| {
            let (path, pid) = (name(&config.code), Some(program.pid()));
            face(shaken, Some(program), &events, Origin::Launched(child.clone()), path, pid)
        });
        begun.inspect_err(|_| child.kill())
    }

    /// As [`Factory::attach`](weft_session::Factory::attach).
    pub fn attach(&self, config: PythonAttach, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let shaken = match &config.way {
            PythonWay::Connect(address) => attach::connect(address, &config.settings)?,
            PythonWay::Listen(address) => attach::listen(address, &config.settings, &events)?,
            PythonWay::Outside(pid) => return outside::open(*pid, events),
            PythonWay::Process(pid) => {
                let sentence = format!(
                    "`processId` is not supported yet: start the program with `python -m debugpy --listen 5678 …`, and set \
                     `connect` to that port instead of {pid}"
                );
                return Err(Error::new(ErrorId::UnsupportedAttribute, sentence));
            }
        };
        let (path, pid) = (attach::name(&shaken), shaken.pid);
        face(shaken, None, &events, Origin::Attached, path, pid)
    }
}

/// What a connection is made into.
fn face(
    shaken: Shaken,
    program: Option<Program>,
    events: &EventSender,
    origin: Origin,
    path: PathBuf,
    pid: Option<i64>,
) -> Answer<Arc<dyn Debuggee>> {
    let face = Arc::new(Face {
        link: shaken.link,
        standing: Standing::default(),
        threads: Threads::default(),
        events: events.clone(),
        minted: Minted::default(),
    });
    let reporter = report::start(Arc::clone(&face), shaken.early, shaken.events, program)?;
    Ok(Arc::new(Python::new(face, origin, path, pid, reporter)))
}

/// What a user knows the program by.
fn name(code: &PythonCode) -> PathBuf {
    match code {
        PythonCode::Script(script) => PathBuf::from(script),
        PythonCode::Module(module) => PathBuf::from(module),
        PythonCode::Text(_) => PathBuf::from("-c"),
    }
}

/// The settings, in debugpy's words.
pub(crate) fn options(settings: &PythonSettings, stop_on_entry: bool) -> Value {
    json!({
        "justMyCode": settings.just_my_code,
        "redirectOutput": settings.redirect_output,
        "showReturnValue": settings.show_return_value,
        "django": settings.django,
        "jinja": settings.jinja,
        "flask": settings.jinja,
        "subProcess": settings.sub_process,
        "autoReload": settings.auto_reload,
        "stopOnEntry": stop_on_entry,
        "clientOS": "unix",
    })
}

/// A word that nobody can guess.
fn token() -> Answer<String> {
    let mut bytes = [0; 16];
    let random =
        std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    random.map_err(|error| Error::new(ErrorId::LaunchFailed, format!("no random numbers for a token: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
