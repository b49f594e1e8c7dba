use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::DEADLINE;

/// A file that a thread waits at until somebody writes.
pub struct Fifo(PathBuf);

impl Fifo {
    /// Makes one, which is gone again when this is dropped; `name` is the test's own.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weft-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success(), "{}", path.display());
        Self(path)
    }

    /// Where it is, as an argument of a program.
    pub fn path(&self) -> &str {
        self.0.to_str().expect("a path of a test's is text")
    }

    /// Lets the reader go on, as soon as there is one.
    pub fn write(&self) {
        let deadline = Instant::now() + DEADLINE;
        let mut opened = self.open();
        while opened.is_err() {
            assert!(Instant::now() < deadline, "nobody reads {}: {opened:?}", self.0.display());
            std::thread::yield_now();
            opened = self.open();
        }
        opened.and_then(|mut file| file.write_all(b"go")).expect("somebody reads");
    }

    /// Its other end, if somebody reads.
    fn open(&self) -> std::io::Result<File> {
        OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&self.0)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Who still waits at it would wait for ever.
        let _end = self.open();
        let _ = std::fs::remove_file(&self.0);
    }
}
