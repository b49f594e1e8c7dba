//! The project's chores: `cargo xtask test`, `cargo xtask bench`.

mod stage;
mod test;

use std::process::ExitCode;

use stage::{Command, workspace};

const USAGE: &str = "\
cargo xtask test [NAME..]    everything that must hold, or only the stages of these names
cargo xtask bench [ARG..]    weft beside lldb-dap: time and memory to a first stop; the time of `weft tasks`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((chore, names)) if chore == "test" => test::run(names),
        Some((chore, rest)) if chore == "bench" => bench(rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bench(rest: &[String]) -> bool {
    // Only what is measured has to be optimised; the client does the same work for both sides.
    let build = Command::cargo(&["build", "--release", "--locked", "--package", "weft-dap"]);
    let measure = ["bench", "--profile", "dev", "--locked", "--package", "weft-tests", "--bench", "first_stop", "--"];
    let measure = Command::cargo(&measure).args(rest).env("WEFT_BIN", &workspace().join("target/release/weft"));
    build.runs() && measure.runs()
}
