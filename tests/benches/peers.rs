//! The debuggers that weft is measured beside, where they are installed, and the numbers of a table.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What Debian calls lldb-dap, in packages `lldb-19` and others.
const LLDB: [&str; 4] = ["lldb-dap-19", "lldb-dap", "lldb-dap-20", "lldb-vscode-19"];

/// lldb-dap: `LLDB_DAP`, else what is on PATH.
pub(crate) fn lldb() -> Option<PathBuf> {
    let found = std::env::var_os("LLDB_DAP").map(PathBuf::from).or_else(|| LLDB.into_iter().find_map(on_path));
    if found.is_none() {
        println!("lldb-dap was not found: `apt-get install lldb-19`, or set LLDB_DAP. It is left out.\n");
    }
    found
}

/// gdb: `GDB`, else what is on PATH.
#[allow(dead_code, reason = "not every benchmark has gdb beside it")]
pub(crate) fn gdb() -> Option<PathBuf> {
    let found = std::env::var_os("GDB").map(PathBuf::from).or_else(|| on_path("gdb"));
    if found.is_none() {
        println!("gdb was not found: `apt-get install gdb`, or set GDB. It is left out.\n");
    }
    found
}

/// BugStalker: `BUGSTALKER`, else what is on PATH.
#[allow(dead_code, reason = "not every benchmark has BugStalker beside it")]
pub(crate) fn bugstalker() -> Option<PathBuf> {
    let found = std::env::var_os("BUGSTALKER").map(PathBuf::from).or_else(|| on_path("bs"));
    if found.is_none() {
        println!(
            "BugStalker was not found: `cargo install bugstalker` (it needs libunwind), or set BUGSTALKER. It is left out.\n"
        );
    }
    found
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// gdb under its machine interface, which its own DAP server, where it has one, is a layer above.
#[allow(dead_code, reason = "not every benchmark has gdb beside it")]
pub(crate) struct Gdb {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[allow(dead_code, reason = "not every benchmark has gdb beside it")]
impl Gdb {
    pub(crate) fn start(gdb: &Path) -> Self {
        let mut child = Command::new(gdb)
            .args(["-nx", "-q", "-i=mi3"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("gdb starts");
        let input = child.stdin.take().expect("stdin is piped");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut gdb = Self { child, input, output };
        gdb.tell("-gdb-set debuginfod enabled off");
        gdb.tell("-gdb-set inferior-tty /dev/null");
        gdb
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// A command that is answered at once.
    pub(crate) fn tell(&mut self, command: &str) {
        self.send(command);
        let answer = self.until(&["^done", "^running", "^error"]);
        assert!(!answer.starts_with("^error") || command.starts_with("-gdb-set debuginfod"), "{command}: {answer}");
    }

    pub(crate) fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").and_then(|()| self.input.flush()).expect("gdb listens");
    }

    /// The next line that begins with one of these.
    pub(crate) fn until(&mut self, starts: &[&str]) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("gdb writes text");
            assert!(length > 0, "gdb ended before {starts:?}");
            if starts.iter().any(|start| line.starts_with(start)) {
                return line;
            }
        }
    }
}

impl Drop for Gdb {
    fn drop(&mut self) {
        // What it launched ends with it; what it attached to is let go.
        let _ = writeln!(self.input, "-gdb-exit");
        let _ = self.child.wait();
    }
}

/// The value in the middle; not a number when there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
