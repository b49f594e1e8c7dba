use std::path::PathBuf;
use std::process::Command;

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

    /// Lets the reader go on.
    pub fn write(&self) {
        std::fs::write(&self.0, "go").expect("somebody reads");
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
