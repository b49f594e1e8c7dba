//! Terminals that the client opens for a program.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use weft_protocol::spec::{RunInTerminalArguments, RunInTerminalResponse};
use weft_protocol::{Error, ErrorId};

use crate::config::Console;
use crate::debuggee::Answer;
use crate::events::EventSender;
use crate::questions::Question;

/// What `weft` is called with in a terminal that is to be a program's.
const HELPER: &str = "launch-in-terminal";

/// Which terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Inside the editor.
    Integrated,
    /// A window of its own.
    External,
}

impl Terminal {
    /// The terminal that a configuration asks for; none for the internal console.
    pub fn of(console: Console) -> Option<Self> {
        match console {
            Console::InternalConsole => None,
            Console::IntegratedTerminal => Some(Self::Integrated),
            Console::ExternalTerminal => Some(Self::External),
        }
    }
}

/// A command for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalCommand {
    /// Which terminal.
    pub terminal: Terminal,
    /// What it is called.
    pub title: String,
    /// Where the command runs; absolute.
    pub cwd: PathBuf,
    /// The command and its arguments.
    pub args: Vec<String>,
    /// Changes to the terminal's environment; `None` removes.
    pub env: BTreeMap<String, Option<String>>,
}

impl TerminalCommand {
    /// A command in the words of the operating system. An error: the protocol has no words for what is no UTF-8.
    pub fn new(
        terminal: Terminal,
        title: String,
        cwd: PathBuf,
        words: &[OsString],
        env: &[(OsString, Option<OsString>)],
    ) -> Answer<Self> {
        let args = words.iter().map(|word| text(word)).collect::<Answer<Vec<_>>>()?;
        let change =
            |(name, value): &(OsString, Option<OsString>)| Ok((text(name)?, value.as_deref().map(text).transpose()?));
        Ok(Self { terminal, title, cwd, args, env: env.iter().map(change).collect::<Answer<_>>()? })
    }
}

fn text(word: &OsStr) -> Answer<String> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        let sentence = format!("{} is not UTF-8, so no terminal can be asked to run it", Path::new(word).display());
        Error::new(ErrorId::LaunchFailed, sentence)
    })
}

/// How weft's helper is started, which a terminal is asked to run: it becomes the program there, or stays with it.
pub fn terminal_helper() -> Answer<Vec<OsString>> {
    let weft = std::env::current_exe().map_err(|error| {
        Error::new(ErrorId::LaunchFailed, format!("weft does not know where it lies itself: {error}"))
    })?;
    Ok(vec![weft.into_os_string(), OsString::from(HELPER)])
}

/// What a client says of a command that it has started; neither has to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalProcess {
    /// The process.
    pub pid: Option<i64>,
    /// The shell that started it.
    pub shell: Option<i64>,
}

impl EventSender {
    /// Has the client run a command in a terminal. Blocks until it has answered, or did not for too long; therefore
    /// only for a [`crate::Factory`] at work. The session asks for a terminal only of clients that have them.
    pub fn run_in_terminal(&self, command: &TerminalCommand) -> Answer<TerminalProcess> {
        let arguments = RunInTerminalArguments {
            kind: match command.terminal {
                Terminal::Integrated => "integrated",
                Terminal::External => "external",
            },
            title: command.title.clone(),
            cwd: command.cwd.to_string_lossy().into_owned(),
            args: command.args.clone(),
            env: command.env.clone(),
        };
        let shared = self.shared();
        let body = Question::ask(&shared.out, &shared.asked, "runInTerminal", &arguments).wait()?;
        if body.is_null() {
            return Ok(TerminalProcess::default());
        }
        let answer: RunInTerminalResponse = serde_json::from_value(body).map_err(|error| {
            Error::new(ErrorId::Client, format!("`runInTerminal`: the editor's answer cannot be read: {error}"))
        })?;
        let real = |pid: Option<i64>| pid.filter(|pid| *pid > 0);
        Ok(TerminalProcess { pid: real(answer.process_id), shell: real(answer.shell_process_id) })
    }
}
