//! Terminals that the client opens for a program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use weft_protocol::spec::{RunInTerminalArguments, RunInTerminalResponse};
use weft_protocol::{Error, ErrorId};

use crate::config::Console;
use crate::debuggee::Answer;
use crate::events::EventSender;
use crate::questions::Question;

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
