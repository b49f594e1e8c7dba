//! A program that nobody here wrote: `mini-redis-server`, as `cargo install` makes it, and a client for it.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use crate::DEADLINE;
use crate::programs::{folder, lock};

const VERSION: &str = "0.4.1";

/// The server, with full debug information and without optimisation.
pub fn server() -> PathBuf {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    SERVER.get_or_init(install).clone()
}

/// Installed once. Its lock file of 2021 names a Tokio that keeps no list of its tasks, so what `cargo install` gives
/// a user is used: the newest compatible versions on the day of the first build.
fn install() -> PathBuf {
    let root = folder().join("mini-redis");
    let binary = root.join("bin/mini-redis-server");
    let _lock = lock(".mini-redis.lock");
    if !binary.is_file() {
        let status = Command::new(env!("CARGO"))
            .args(["install", "--quiet", "mini-redis", "--version", VERSION, "--debug", "--bin", "mini-redis-server"])
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "mini-redis could not be installed from crates.io");
    }
    binary
}

/// A file of the server's sources, where the compiler read it: in cargo's registry.
pub fn source(file: &str) -> PathBuf {
    static SOURCES: OnceLock<PathBuf> = OnceLock::new();
    SOURCES.get_or_init(find_sources).join(file)
}

/// The crate's folder, from the list of sources that the build left.
fn find_sources() -> PathBuf {
    server();
    let deps = folder().join("mini-redis/build/debug/deps");
    let suffix = format!("/mini-redis-{VERSION}/src/lib.rs");
    let list = fs::read_dir(&deps)
        .unwrap_or_else(|error| panic!("{}: {error}", deps.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "d"))
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|list| list.split_whitespace().find(|word| word.ends_with(&suffix)).map(str::to_owned))
        .unwrap_or_else(|| panic!("no list in {} names {suffix}", deps.display()));
    PathBuf::from(list.strip_suffix("/src/lib.rs").expect("it ends so"))
}

/// The line of a source file that contains a text; there must be one only.
pub fn line(file: &str, text: &str) -> i64 {
    let source = fs::read_to_string(source(file)).expect("the sources are text");
    let lines: Vec<usize> =
        source.lines().enumerate().filter(|(_, line)| line.contains(text)).map(|(index, _)| index + 1).collect();
    assert!(lines.len() == 1, "{file} has {text:?} on lines {lines:?}");
    i64::try_from(lines[0]).expect("a line number")
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// One connection to the server, speaking RESP.
pub struct Redis {
    stream: BufReader<TcpStream>,
}

impl Redis {
    /// Connects as soon as the server listens. (It says so to its log only, which is off: the log's filter cannot be
    /// set in the server as `cargo install` builds it today.)
    pub fn connect(port: u16) -> Self {
        let deadline = Instant::now() + DEADLINE;
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                // Nobody tells when a port begins to be listened to, so the other processes are let go first, again
                // and again.
                Err(error) if Instant::now() < deadline && error.kind() == ErrorKind::ConnectionRefused => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("the server does not listen: {error}"),
            }
        };
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a command and does not wait.
    pub fn send(&mut self, words: &[&str]) {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(text.as_bytes()).expect("the connection is open");
    }

    /// Reads one answer: a simple string or a bulk string.
    pub fn receive(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer in time");
        if line.starts_with('$') && line.trim_end() != "$-1" {
            line.clear();
            self.stream.read_line(&mut line).expect("an answer in time");
        }
        line.trim_end().to_owned()
    }
}
