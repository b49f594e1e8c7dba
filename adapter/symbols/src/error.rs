//! What can be wrong with a file.

use std::path::PathBuf;

/// Why a file cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not an ELF file, or a broken one.
    #[error("{path} is not a program that can be debugged: {reason}")]
    NotElf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// ELF, but for another machine.
    #[error("{path} was built for {machine}; only x86-64 programs can be debugged")]
    WrongMachine {
        /// The file.
        path: PathBuf,
        /// The machine it is for.
        machine: String,
    },
}

/// Why one question about a file has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// The debug information is malformed there.
    #[error("debug information of {file} is malformed: {reason}")]
    Malformed {
        /// The file's name.
        file: String,
        /// What the reader met.
        reason: String,
    },
    /// The file has none of the information asked for.
    #[error("{file} has no debug information; build it with `debug = true` (cargo profile) or `-g`")]
    NoDebugInfo {
        /// The file's name.
        file: String,
    },
}
