//! Starting and attaching.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use weft_protocol::{Error, ErrorId};
use weft_session::config::{Console, PythonCode, PythonSettings, PythonWay, StepMode};
use weft_session::debuggee::Answer;
use weft_session::{Debuggee, EventSender, PythonAttach, PythonLaunch, Terminal};

use crate::breakpoints::Minted;
use crate::children::{Children, Taken};
use crate::ending::{Ending, Life};
use crate::face::{Face, Known, Origin, Python};
use crate::inject::{self, Injected};
use crate::link::{Greeting, Listener, PATIENCE, Shaken, shake};
use crate::start::{Program, debugged, meet_in_terminal, undebugged};
use crate::state::{Standing, fault_as};
use crate::tasks::Tasks;
use crate::threads::Threads;
use crate::undebugged::Undebugged;
use crate::{attach, children, debugpy, interpreter, outside, report};

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
            let helper = Terminal::of(config.start.console)
                .map(|terminal| meet_in_terminal(terminal, &config, &interpreter.path, &undebugged(&config), &events));
            return Ok(Arc::new(Undebugged {
                helper: Mutex::new(helper.transpose()?),
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
        let program = match Terminal::of(config.start.console) {
            Some(terminal) => {
                Program::in_terminal(meet_in_terminal(terminal, &config, &interpreter.path, &words, &events)?)?
            }
            None => Program::start(&config, &interpreter.path, words, &events)?,
        };
        let child = program.child();
        let begun = program.connection(&listener, &interpreter).and_then(|stream| {
            let mut arguments = options(&config.settings, config.start.stop_on_entry);
            if config.start.console == Console::InternalConsole {
                // All that the program writes is told already.
                arguments["redirectOutput"] = false.into();
            }
            let greeting =
                Greeting { request: "launch", arguments: &arguments, token: Some(&token), through_adapter: false };
            shake(stream, &greeting).map_err(|fault| fault_as(ErrorId::LaunchFailed, fault))
        });
        // Whatever fails, nothing stays behind.
        let begun = begun.and_then(|shaken| {
            let (path, pid) = (name(&config.code), Some(program.pid()));
            let debugged = config.settings.sub_process;
            let children = Children::answer(listener, pid, Some(token.clone()), debugged, &events)?;
            let known =
                Known { origin: Origin::Launched(child.clone()), path, pid, children: Some(children), starting: None };
            face(shaken, Some(program), &events, (&config.settings, config.step_mode), known)
        });
        begun.inspect_err(|_| child.kill())
    }

    /// As [`Factory::attach`](weft_session::Factory::attach).
    pub fn attach(&self, config: PythonAttach, events: EventSender) -> Answer<Arc<dyn Debuggee>> {
        let settings = &config.settings;
        let answer =
            |listener, pid, token| Children::answer(listener, pid, token, settings.sub_process, &events).map(Some);
        let mut starting = None;
        let (shaken, children, origin) = match &config.way {
            PythonWay::Connect(address, child) => (attach::connect(address, *child, settings)?, None, Origin::Attached),
            PythonWay::Listen(address) => {
                let (shaken, listener) = attach::listen(address, settings, &events)?;
                (shaken, answer(listener, None, None)?, Origin::Attached)
            }
            PythonWay::TakeOver(socket) => {
                let Taken { stream, listener, pid, token } = children::take(socket)?;
                let shaken = attach::greet_child(stream, pid, settings)?;
                (shaken, answer(listener, Some(pid), token)?, Origin::Taken(pid))
            }
            PythonWay::Outside(pid) => return outside::open(*pid, events),
            PythonWay::Process(pid) => {
                let Injected { stream, listener, token, starting: begun } = inject::inject(*pid, settings, &events)?;
                let shaken = attach::greet_injected(stream, &token, settings)?;
                starting = Some(begun);
                let pid = i64::from(*pid);
                (shaken, answer(listener, Some(pid), Some(token))?, Origin::Taken(pid))
            }
        };
        let known = Known { origin, path: attach::name(&shaken), pid: shaken.pid, children, starting };
        face(shaken, None, &events, (settings, config.step_mode), known)
    }
}

/// Tells pydevd that somebody reads what the program writes.
const OUTPUT_IS_READ: &str = "__import__('_pydevd_bundle.pydevd_constants', \
                              fromlist=['_']).get_global_debugger().is_output_redirected = True";

/// What a connection is made into.
fn face(
    shaken: Shaken,
    program: Option<Program>,
    events: &EventSender,
    (settings, steps): (&PythonSettings, StepMode),
    known: Known,
) -> Answer<Arc<dyn Debuggee>> {
    if program.as_ref().is_some_and(Program::is_read) {
        // What the program prints comes through its own output: the console's expressions are not to tell it twice.
        let said = json!({"expression": OUTPUT_IS_READ, "context": "repl"});
        shaken.link.request("evaluate", &said, PATIENCE).map_err(|fault| fault_as(ErrorId::LaunchFailed, fault))?;
    }
    let tasks = Tasks::start(&shaken.link, settings, steps, events);
    let face = Arc::new(Face {
        link: shaken.link,
        tasks,
        standing: Standing::default(),
        threads: Threads::default(),
        events: events.clone(),
        minted: Minted::default(),
        begun: AtomicBool::new(false),
        paused_at: Mutex::default(),
        follows_children: settings.sub_process,
        announced: Mutex::default(),
    });
    let heirs = known.children.as_ref().map(Children::heirs);
    let end = match (program, &known.origin) {
        (Some(program), _) => {
            program.ends(&face.link);
            let life = Life::of(program.child().pid(), heirs);
            Ending::Ours(program, life)
        }
        (None, Origin::Taken(pid)) => Ending::Here(Life::of(i32::try_from(*pid).unwrap_or(0), heirs)),
        (None, _) => Ending::Unknown,
    };
    let reporter = report::start(Arc::clone(&face), shaken.early, shaken.events, end)?;
    Ok(Arc::new(Python::new(face, known, reporter)))
}

/// What a user knows the program by.
pub(crate) fn name(code: &PythonCode) -> PathBuf {
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
pub(crate) fn token() -> Answer<String> {
    let mut bytes = [0; 16];
    let random =
        std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    random.map_err(|error| Error::new(ErrorId::LaunchFailed, format!("no random numbers for a token: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
