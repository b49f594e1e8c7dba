//! A program that nobody here wrote: `mini-redis-server`, as `cargo install` makes it, and a client for it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use crate::installed::Installed;
use crate::{DEADLINE, Port};

/// Its lock file of 2021 names a Tokio that keeps no list of its tasks, so what `cargo install` gives a user is used.
const SERVER: Installed =
    Installed { package: "mini-redis", version: "0.4.1", binary: "mini-redis-server", locked: false, large: false };

/// The server, with full debug information and without optimisation.
pub fn server() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| SERVER.program()).clone()
}

/// A file of the server's sources, where the compiler read it: in cargo's registry.
pub fn source(file: &str) -> PathBuf {
    SERVER.source(file)
}

/// The line of a source file that contains a text; there must be one only.
pub fn line(file: &str, text: &str) -> i64 {
    SERVER.line(file, text)
}

/// One connection to the server, speaking RESP.
pub struct Redis {
    stream: BufReader<TcpStream>,
}

impl Redis {
    /// Connects as soon as the server listens. (It says so to its log only, which is off: the log's filter cannot be
    /// set in the server as `cargo install` builds it today.)
    pub fn connect(port: &Port) -> Self {
        let deadline = Instant::now() + DEADLINE;
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port.number())) {
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
