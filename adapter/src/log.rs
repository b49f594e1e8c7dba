//! The trace that `--log` asks for.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::Failure;

/// Sends the trace to `file`; without one there is none. What goes into it can be narrowed with `WEFT_LOG_FILTER`
/// (the syntax of tracing's `EnvFilter`).
pub(crate) fn start(file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    let file = File::create(path).map_err(|error| format!("the log {} cannot be written: {error}", path.display()))?;
    let filter = EnvFilter::try_from_env("WEFT_LOG_FILTER").unwrap_or_else(|_| EnvFilter::new("debug,dap=trace"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file)).init();
    Ok(())
}
