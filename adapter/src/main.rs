//! `weft`: the command line. Introduces the rooms to each other and holds no logic of theirs.

mod dap;
mod demo;
mod ending;
mod log;
mod tasks;
mod terminal;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use weft_symbols::IndexStore;

/// A debugger for asynchronous programs: tasks where others show threads.
#[derive(Parser)]
#[command(name = "weft", version, about, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    /// Write a trace with every protocol message to FILE
    #[arg(long, global = true, value_name = "FILE", env = "WEFT_LOG")]
    log: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the Debug Adapter Protocol to an editor, on stdin and stdout or on a TCP port
    Dap {
        /// Which kind of program the session will debug; left out, both are offered
        #[arg(long, value_enum)]
        runtime: Option<Runtime>,
        /// Listen on this loopback address instead of stdin and stdout, one session per connection
        #[arg(long, value_name = "ADDR:PORT")]
        listen: Option<String>,
        /// Allow --listen on an address that other machines can reach
        #[arg(long, requires = "listen")]
        allow_remote: bool,
    },
    /// Print the task tree of a live process, which is stopped for milliseconds and left running
    Tasks(tasks::Arguments),
    /// A guided session in the terminal on a bundled async program
    Demo,
    /// Become a program of a debug session, in the terminal that an editor opened for it
    #[command(hide = true)]
    LaunchInTerminal(terminal::Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    Native,
    Python,
}

/// One plain sentence for the user: the debuggee or target cannot be used.
pub(crate) type Failure = String;

fn main() -> ExitCode {
    weft_process::give_memory_back_soon();
    let cli = Cli::parse();
    if let Some(store) = IndexStore::of_user(|name| std::env::var_os(name)) {
        weft_symbols::keep_indexes(store);
    }
    let done = log::start(cli.log.as_deref()).and_then(|()| match cli.command {
        Command::Dap { runtime, listen, allow_remote } => {
            let runtime = runtime.map(|runtime| match runtime {
                Runtime::Native => weft_session::Runtime::Native,
                Runtime::Python => weft_session::Runtime::Python,
            });
            dap::run(runtime, listen.as_deref(), allow_remote)
        }
        Command::Tasks(arguments) => tasks::run(&arguments),
        Command::Demo => demo::run(),
        Command::LaunchInTerminal(arguments) => Err(terminal::run(&arguments)),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            anstream::eprintln!("weft: {sentence}");
            ExitCode::from(1)
        }
    }
}
