//! The project's chores: `cargo xtask test`, `cargo xtask bench`, `cargo xtask compatibility`, `cargo xtask soak`, `cargo xtask
//! walks`, `cargo xtask fuzz`, `cargo xtask python`, `cargo xtask editors`, `cargo xtask install`.

mod apt;
mod compatibility;
mod debian;
mod editors;
mod fuzz;
mod install;
mod python;
mod said;
mod seeds;
mod stage;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use stage::{Command, workspace};

const USAGE: &str = "\
cargo xtask test [NAME..]    everything that must hold, or only the stages of these names
cargo xtask bench [NAME]     weft beside other debuggers: symbols (time and memory to a first stop, showing it; builds
                             a program of more than 500 MB once), run_control (false conditions, steps, attaching);
                             task_list (`weft tasks`), spawn_sites (what recording them costs), steps (over awaits),
                             python (debugging, beside debugpy's own adapter), python_tasks (beside CPython's own look); all, or
                             the one named
cargo xtask compatibility    the table of Tokio's versions in docs/compatibility.md, by a look at programs that use them, built
                             by this and other compilers (some sixty of them, once; Debian's are fetched)
cargo xtask soak [STEPS [SEED]]
                             random steps (10,000) through a server under load: none may end in another task, none may hang
cargo xtask walks [PROGRAMS [SEED]]
                             random steps through random programs (30), each compared with what the program itself has written
                             down; in optimised code none may leave its task or be lost
cargo xtask fuzz [SECONDS]   torn files and streams for everything that reads them, for so long in all (120)
cargo xtask python [VERSION [PACKAGE..]]
                             a virtual environment target/pythons/VERSION (3.14) with these packages of PyPI; where the machine
                             has no such Python, Debian's is fetched (by apt's mirror) and unpacked beside it
cargo xtask editors          sessions in Helix and in Emacs, by what their screens show; Debian's are fetched once (by apt's mirror, some
                             95 MB) and unpacked in target/editors
cargo xtask install          builds the adapter, packs the VS Code extension with it, and installs that into the editors that are
                             found (code, code-insiders, codium, code-server); needs npm and python3
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((chore, names)) if chore == "test" => test::run(names),
        Some((chore, rest)) if chore == "bench" => bench(rest),
        Some((chore, [])) if chore == "compatibility" => compatibility::run(),
        Some((chore, [])) if chore == "editors" => editors::run(adapter().runs(), &optimised()),
        Some((chore, [])) if chore == "install" => install::run(),
        Some((chore, rest)) if chore == "fuzz" => fuzz::run(rest),
        Some((chore, rest)) if chore == "python" => python::run(rest),
        Some((chore, rest)) if chore == "soak" || chore == "walks" => drive(chore, rest),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Has a program of the tests' own drive the adapter.
fn drive(name: &str, rest: &[String]) -> bool {
    let run = ["run", "--locked", "--package", "weft-tests", "--bin", name, "--"];
    adapter().runs() && Command::cargo(&run).args(rest).env("WEFT_BIN", &optimised()).runs()
}

/// Builds the adapter as users run it.
fn adapter() -> Command {
    Command::cargo(&["build", "--release", "--locked", "--package", "weft-dap"])
}

fn optimised() -> PathBuf {
    workspace().join("target/release/weft")
}

const BENCHES: [&str; 7] = ["symbols", "run_control", "task_list", "spawn_sites", "steps", "python", "python_tasks"];

fn bench(rest: &[String]) -> bool {
    let (named, rest) = match rest.split_first() {
        Some((name, rest)) if BENCHES.contains(&name.as_str()) => (vec![name.as_str()], rest),
        _ => (BENCHES.to_vec(), rest),
    };
    // Only what is measured has to be optimised; the client does the same work for both sides.
    let weft = optimised();
    adapter().runs()
        && named.into_iter().all(|name| {
            let measure = ["bench", "--profile", "dev", "--locked", "--package", "weft-tests", "--bench", name, "--"];
            Command::cargo(&measure).args(rest).env("WEFT_BIN", &weft).runs()
        })
}
