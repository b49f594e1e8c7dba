//! The program as a machine: memory, instructions, files.

use serde::{Deserialize, Serialize};

use super::Source;

/// `disassemble` asks this. (`dap`'s is right but for numbers that clients send beyond its types.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisassembleArguments {
    /// An address.
    pub memory_reference: String,
    /// Bytes to add to it.
    pub offset: Option<i64>,
    /// Instructions to skip, backwards when negative.
    pub instruction_offset: Option<i64>,
    /// How many instructions to answer: exactly so many.
    pub instruction_count: i64,
    /// Whether names are wanted; yes when left out.
    pub resolve_symbols: Option<bool>,
}

/// Answer to `disassemble`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DisassembleResponse {
    /// By address.
    pub instructions: Vec<DisassembledInstruction>,
}

/// An instruction. (`dap`'s writes `null` for what is absent and lacks `presentationHint`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisassembledInstruction {
    /// Where, in hexadecimal.
    pub address: String,
    /// Its bytes in hexadecimal, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_bytes: Option<String>,
    /// As a user reads it.
    pub instruction: String,
    /// The function that it is the first instruction of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The file; only where it differs from the instruction before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Source>,
    /// The line, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The column, in the client's counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
    /// `invalid`: there is no instruction here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presentation_hint: Option<&'static str>,
}

/// `readMemory` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadMemoryArguments {
    /// An address.
    pub memory_reference: String,
    /// Bytes to add to it.
    pub offset: Option<i64>,
    /// How many bytes.
    pub count: i64,
}

/// Answer to `readMemory`. (`dap`'s spells `unreadableBytes` in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadMemoryResponse {
    /// The first byte's address, in hexadecimal.
    pub address: String,
    /// How many bytes after the last one of `data` cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_bytes: Option<i64>,
    /// The bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// `writeMemory` asks this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteMemoryArguments {
    /// An address.
    pub memory_reference: String,
    /// Bytes to add to it.
    pub offset: Option<i64>,
    /// A part may be written when not all can be.
    pub allow_partial: Option<bool>,
    /// The bytes in base64.
    pub data: String,
}

/// Answer to `writeMemory`. (`dap`'s spells `bytesWritten` in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteMemoryResponse {
    /// How many bytes were written, from the first on.
    pub bytes_written: i64,
}

/// Body of `memory`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryEventBody {
    /// An address.
    pub memory_reference: String,
    /// Where the change begins, counted from it.
    pub offset: i64,
    /// How many bytes may have changed.
    pub count: i64,
}

/// Answer to `modules`. (`dap`'s spells its names in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModulesResponse {
    /// Those asked for, the program first.
    pub modules: Vec<Module>,
    /// How many there are in all.
    pub total_modules: i64,
}

/// A loaded file. (`dap`'s writes `null` for what is absent.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Its number: kept as long as it is loaded.
    pub id: i64,
    /// What a user reads.
    pub name: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is the program itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_user_code: Option<bool>,
    /// Its build-id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it tells about its code, in a user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol_status: Option<String>,
    /// Where that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol_file_path: Option<String>,
    /// From the first byte to after the last one, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_range: Option<String>,
}

/// Body of `module`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleEventBody {
    /// `new`, `changed` or `removed`.
    pub reason: &'static str,
    /// The file.
    pub module: Module,
}

/// Answer to `loadedSources`. (`dap`'s contains its own `Source`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadedSourcesResponse {
    /// By path.
    pub sources: Vec<Source>,
}

/// `source` asks this. (`dap`'s contains its own `Source`.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceArguments {
    /// The file.
    pub source: Option<Source>,
    /// Its number, when `source` does not say.
    #[serde(default)]
    pub source_reference: i64,
}

/// Answer to `source`. (`dap`'s spells `mimeType` in snake case.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceResponse {
    /// The text.
    pub content: String,
    /// What language it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}
