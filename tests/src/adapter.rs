//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// The `weft` binary: `WEFT_BIN`, else built here once, in release.
pub fn weft() -> &'static Path {
    static WEFT: OnceLock<PathBuf> = OnceLock::new();
    WEFT.get_or_init(|| {
        if let Some(given) = std::env::var_os("WEFT_BIN") {
            let given = PathBuf::from(given);
            assert!(given.is_file(), "WEFT_BIN is {}, which is no file", given.display());
            return given;
        }
        // Cargo's own lock keeps test processes that run at the same time from building twice.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--package", "weft-dap", "--bin", "weft"])
            .current_dir(workspace())
            .status()
            .expect("cargo runs");
        assert!(status.success(), "weft could not be built");
        target().join("release/weft")
    })
}

/// Cargo's target folder, which the test binary itself lies in.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Where weft keeps what it would keep in the user's cache.
fn cache() -> PathBuf {
    target().join("weft-cache")
}

/// `weft` with these arguments, its cache not the user's.
pub fn weft_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(weft());
    command.args(arguments).env("WEFT_CACHE_DIR", cache());
    command
}

/// What to speak to.
#[derive(Clone, Debug)]
pub enum Adapter {
    /// `weft dap` on its standard input and output.
    Stdio,
    /// The same, with a folder of its own instead of the user's cache.
    Apart(PathBuf),
    /// `weft dap --listen`, over TCP.
    Tcp,
    /// Any other adapter on its standard input and output: program and arguments.
    Other(PathBuf, Vec<String>),
}

impl Adapter {
    pub(crate) fn command(&self) -> Command {
        match self {
            Self::Stdio => weft_command(&["dap"]),
            Self::Apart(cache) => {
                let mut command = weft_command(&["dap"]);
                command.env("WEFT_CACHE_DIR", cache);
                command
            }
            Self::Tcp => weft_command(&["dap", "--listen", "127.0.0.1:0"]),
            Self::Other(program, arguments) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        }
    }
}
