//! Core files.

use std::process::Command;

use weft_process::Core;
use weft_python::memory::Interpreter;

use crate::fixture::{chain, interpreters, list, start};

#[test]
fn a_core_file_says_what_the_process_did() {
    for python in interpreters() {
        let program = start(&python, "chains.py", &[]);
        let folder = tempfile::tempdir().expect("a folder");
        let prefix = folder.path().join("core");
        let gcore =
            Command::new("gcore").arg("-o").arg(&prefix).arg(program.pid().to_string()).output().expect("gcore runs");
        assert!(gcore.status.success(), "{}", String::from_utf8_lossy(&gcore.stderr));
        let live = list(&program);
        let core = Core::open(&folder.path().join(format!("core.{}", program.pid())), None).expect("a core file");
        let interpreter = Interpreter::of_core(&core).expect("it is an interpreter's");
        assert!(interpreter.is_program());
        let dead = interpreter.list_core(&core).expect("it describes itself");
        assert_eq!(dead.snapshot, live.snapshot);
        assert_eq!(dead.snapshot.tasks.len(), 95);
        for task in &live.snapshot.tasks {
            assert_eq!(chain(&dead, task), chain(&live, task));
        }
    }
}
