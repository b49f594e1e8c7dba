//! `weft launch-in-terminal`: what a session has an editor run in a terminal, to become the program there or to stay with it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the session waits for us
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// What the program reads instead of the terminal
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Stay, and tell how the program ends
    #[arg(long, conflicts_with = "stdin")]
    stay: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

/// Comes back only if the program could not be started.
pub(crate) fn run(arguments: &Arguments) -> Failure {
    let Some((program, args)) = arguments.command.split_first() else { return "no program is named".to_owned() };
    if arguments.stay {
        return match weft_process::keep_program(&arguments.socket, program.as_ref(), args) {
            Ok(status) => std::process::exit(status),
            Err(sentence) => sentence,
        };
    }
    weft_process::become_program(&arguments.socket, arguments.stdin.as_deref(), program.as_ref(), args)
}
