//! Compiles a fixture in several ways, each once.

#![allow(dead_code, reason = "each test program uses some of it")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use weft_symbols::Image;

pub(crate) const DEBUG: &[&str] = &["-g"];
pub(crate) const DEBUG_DWARF_5: &[&str] = &["-g", "-Cdwarf-version=5"];
pub(crate) const OPTIMISED: &[&str] = &["-g", "-O"];
pub(crate) const OPTIMISED_DWARF_5: &[&str] = &["-g", "-O", "-Cdwarf-version=5", "-Ccodegen-units=4"];
pub(crate) const WHOLE_PROGRAM: &[&str] = &["-g", "-O", "-Clto=fat"];
pub(crate) const LINES_ONLY: &[&str] = &["-Cdebuginfo=line-tables-only"];
pub(crate) const COMPRESSED: &[&str] = &["-g", "-Clink-arg=-Wl,--compress-debug-sections=zlib"];

pub(crate) const PACKED: &[&str] = &["-g", "-Csplit-debuginfo=packed"];
pub(crate) const PACKED_DWARF_5: &[&str] = &["-g", "-O", "-Cdwarf-version=5", "-Csplit-debuginfo=packed"];
pub(crate) const UNPACKED: &[&str] = &["-g", "-O", "-Ccodegen-units=4", "-Csplit-debuginfo=unpacked"];
pub(crate) const UNPACKED_DWARF_5: &[&str] = &["-g", "-Cdwarf-version=5", "-Csplit-debuginfo=unpacked"];
pub(crate) const UNPACKED_FUNCTIONS: &[&str] = &["-Cdebuginfo=1", "-Csplit-debuginfo=unpacked"];

/// The fixture's source.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lines.rs")
}

/// The line that is marked `at: mark`.
pub(crate) fn line(mark: &str) -> u32 {
    let text = std::fs::read_to_string(source()).unwrap();
    let marked = |line: &str| line.split_once("at: ").is_some_and(|(_, found)| found == mark);
    let at = text.lines().position(marked).unwrap_or_else(|| panic!("no line is marked {mark:?}"));
    u32::try_from(at + 1).unwrap()
}

/// The compiled fixture.
pub(crate) fn program(flags: &'static [&'static str]) -> PathBuf {
    type Built = Mutex<HashMap<&'static [&'static str], Arc<OnceLock<PathBuf>>>>;
    static BUILT: OnceLock<Built> = OnceLock::new();
    let cell = BUILT.get_or_init(Mutex::default).lock().unwrap().entry(flags).or_default().clone();
    cell.get_or_init(|| {
        let name = flags.concat().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lines-{name}"));
        let newer = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        if newer(&out).is_some_and(|built| newer(&source()).is_some_and(|source| built > source)) {
            return out;
        }
        // Several test programs build at the same time: the finished file is moved into place. Its `.dwo` files stay.
        let own = out.with_file_name(format!("lines-{name}-{}", std::process::id()));
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args(["--edition=2024", "--crate-name=fixture", "-o"]).arg(&own).args(flags).arg(source());
        assert!(command.status().unwrap().success(), "{command:?}");
        if flags.contains(&"-Csplit-debuginfo=packed") {
            std::fs::rename(own.with_added_extension("dwp"), out.with_added_extension("dwp")).unwrap();
        }
        std::fs::rename(&own, &out).unwrap();
        out
    })
    .clone()
}

pub(crate) fn image(flags: &'static [&'static str]) -> Arc<Image> {
    Image::open(&program(flags)).unwrap()
}
