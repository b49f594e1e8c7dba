//! Run control beyond stepping: breakpoints of every kind, exceptions, memory, machine code, what the adapter asks.

use std::path::Path;

use serde_json::{Value, json};

use crate::session::{breakpoint, list, text};
use crate::{Breakpoint, Client, Failure, Stop};

/// An instruction as `disassemble` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// As a user reads it.
    pub text: String,
    /// The function that it belongs to, where that is said.
    pub symbol: Option<String>,
    /// Its line.
    pub line: Option<i64>,
    /// There is no instruction.
    pub invalid: bool,
}

/// What `dataBreakpointInfo` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataInfo {
    /// For `setDataBreakpoints`; none when it cannot be watched.
    pub id: Option<String>,
    /// What, or why not.
    pub description: String,
    /// `write`, `readWrite`, …
    pub accesses: Vec<String>,
}

impl Client {
    /// Sets the breakpoints of one file as the protocol has them: `{"line": 3, "condition": "n == 5"}`.
    pub fn set_source_breakpoints(&mut self, file: &Path, wanted: &[Value]) -> Vec<Breakpoint> {
        let body = self.ask("setBreakpoints", json!({"source": {"path": file}, "breakpoints": wanted}));
        answers(&body, wanted.len())
    }

    /// A breakpoint of one file with a condition (empty: none), a hit condition and a log message.
    pub fn set_conditional(&mut self, file: &Path, line: i64, condition: &str, hits: &str, log: &str) -> Breakpoint {
        let mut wanted = json!({"line": line});
        for (name, value) in [("condition", condition), ("hitCondition", hits), ("logMessage", log)] {
            if !value.is_empty() {
                wanted[name] = json!(value);
            }
        }
        self.set_source_breakpoints(file, &[wanted]).remove(0)
    }

    /// `setFunctionBreakpoints`: names, or objects with conditions.
    pub fn set_function_breakpoints(&mut self, wanted: &[Value]) -> Vec<Breakpoint> {
        let named = |wanted: &Value| if wanted.is_string() { json!({"name": wanted}) } else { wanted.clone() };
        let all: Vec<Value> = wanted.iter().map(named).collect();
        let body = self.ask("setFunctionBreakpoints", json!({"breakpoints": all}));
        answers(&body, wanted.len())
    }

    /// `setInstructionBreakpoints` at addresses, or objects with conditions.
    pub fn set_instruction_breakpoints(&mut self, wanted: &[Value]) -> Vec<Breakpoint> {
        let placed = |wanted: &Value| match wanted.as_u64() {
            Some(address) => json!({"instructionReference": format!("{address:#x}")}),
            None => wanted.clone(),
        };
        let all: Vec<Value> = wanted.iter().map(placed).collect();
        let body = self.ask("setInstructionBreakpoints", json!({"breakpoints": all}));
        answers(&body, wanted.len())
    }

    /// What of an expression in a frame can be watched.
    pub fn data_info(&mut self, frame: i64, expression: &str) -> DataInfo {
        self.data_info_of(json!({"frameId": frame, "name": expression}))
    }

    /// `dataBreakpointInfo` with any arguments.
    pub fn data_info_of(&mut self, arguments: Value) -> DataInfo {
        let body = self.ask("dataBreakpointInfo", arguments);
        DataInfo {
            id: body["dataId"].as_str().map(str::to_owned),
            description: text(&body["description"]),
            accesses: list(&body["accessTypes"]).map(text).collect(),
        }
    }

    /// `setDataBreakpoints`: ids with `read`, `write` or `readWrite`.
    pub fn set_data_breakpoints(&mut self, wanted: &[(&str, &str)]) -> Vec<Breakpoint> {
        let all: Vec<Value> = wanted.iter().map(|(id, access)| json!({"dataId": id, "accessType": access})).collect();
        self.set_data(&all)
    }

    /// `setDataBreakpoints` as the protocol has them, with conditions.
    pub fn set_data(&mut self, wanted: &[Value]) -> Vec<Breakpoint> {
        let body = self.ask("setDataBreakpoints", json!({"breakpoints": wanted}));
        answers(&body, wanted.len())
    }

    /// `setExceptionBreakpoints`: filters, of which those with a condition follow the others.
    pub fn set_exceptions(&mut self, filters: &[&str], conditions: &[(&str, &str)]) -> Vec<Breakpoint> {
        let options: Vec<Value> =
            conditions.iter().map(|(filter, condition)| json!({"filterId": filter, "condition": condition})).collect();
        let body = self.ask("setExceptionBreakpoints", json!({"filters": filters, "filterOptions": options}));
        answers(&body, filters.len() + conditions.len())
    }

    /// `exceptionInfo` of a thread.
    pub fn exception_info(&mut self, thread: i64) -> Value {
        self.ask("exceptionInfo", json!({"threadId": thread}))
    }

    /// `breakpointLocations` of lines: line and column.
    pub fn breakpoint_locations(&mut self, file: &Path, first: i64, last: i64) -> Vec<(i64, i64)> {
        let body = self.ask("breakpointLocations", json!({"source": {"path": file}, "line": first, "endLine": last}));
        list(&body["breakpoints"])
            .map(|place| (place["line"].as_i64().unwrap_or(0), place["column"].as_i64().unwrap_or(0)))
            .collect()
    }

    /// The next stop, when only one thread ran before it.
    pub fn stopped_alone(&mut self) -> Stop {
        let stop = self.any_stop();
        assert_eq!(stop.body["allThreadsStopped"], json!(false), "{stop:?}");
        stop
    }

    /// A step with arguments (`granularity`, `singleThread`, `targetId`), sent only.
    pub fn begin_step(&mut self, how: &str, thread: i64, more: &Value) {
        let mut arguments = json!({"threadId": thread});
        for (name, value) in more.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        self.ask(how, arguments);
    }

    /// A step with arguments, and the stop that ends it.
    pub fn step_with(&mut self, how: &str, thread: i64, more: &Value) -> Stop {
        self.begin_step(how, thread, more);
        self.any_stop()
    }

    /// `stepInTargets` of a frame: number and name.
    pub fn step_in_targets(&mut self, frame: i64) -> Vec<(i64, String)> {
        let body = self.ask("stepInTargets", json!({"frameId": frame}));
        list(&body["targets"]).map(|target| (target["id"].as_i64().unwrap_or(0), text(&target["label"]))).collect()
    }

    /// `gotoTargets` of a line: number and line.
    pub fn goto_targets(&mut self, file: &Path, line: i64) -> Vec<(i64, i64)> {
        let body = self.ask("gotoTargets", json!({"source": {"path": file}, "line": line}));
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        list(&body["targets"]).map(|target| (number(&target["id"]), number(&target["line"]))).collect()
    }

    /// `goto` and the stop that follows.
    pub fn goto(&mut self, thread: i64, target: i64) -> Stop {
        self.ask("goto", json!({"threadId": thread, "targetId": target}));
        let stop = self.stopped();
        assert_eq!(stop.reason, "goto");
        stop
    }

    /// `restartFrame`, and the stop that follows or why not.
    pub fn restart_frame(&mut self, frame: i64) -> Result<Stop, Failure> {
        self.request("restartFrame", json!({"frameId": frame}))?;
        Ok(self.stopped())
    }

    /// Where the top frame's next instruction is.
    pub fn instruction(&mut self, thread: i64) -> u64 {
        let body = self.ask("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": 1}));
        address(&body["stackFrames"][0]["instructionPointerReference"])
    }

    /// `disassemble`: `count` instructions, `skip` from an address.
    pub fn disassemble(&mut self, at: u64, skip: i64, count: i64) -> Vec<Instruction> {
        let arguments =
            json!({"memoryReference": format!("{at:#x}"), "instructionOffset": skip, "instructionCount": count});
        let body = self.ask("disassemble", arguments);
        let shown: Vec<Instruction> = list(&body["instructions"]).map(instruction).collect();
        assert_eq!(shown.len() as i64, count, "exactly as many instructions as asked for: {body}");
        shown
    }

    /// `readMemory`: the bytes, and how many after them cannot be read.
    pub fn read_memory(&mut self, at: u64, count: i64) -> (Vec<u8>, i64) {
        let body = self.ask("readMemory", json!({"memoryReference": format!("{at:#x}"), "count": count}));
        assert_eq!(address(&body["address"]), at);
        (from_base64(body["data"].as_str().unwrap_or_default()), body["unreadableBytes"].as_i64().unwrap_or(0))
    }

    /// `writeMemory`: how many bytes were written.
    pub fn write_memory(&mut self, at: u64, bytes: &[u8]) -> Result<i64, Failure> {
        let arguments = json!({"memoryReference": format!("{at:#x}"), "data": to_base64(bytes)});
        Ok(self.request("writeMemory", arguments)?["bytesWritten"].as_i64().unwrap_or(0))
    }

    /// Answers the adapter's requests of this name from now on: `Ok(body)` or `Err(message)`.
    pub fn answer_requests(
        &mut self,
        command: &str,
        answer: impl FnMut(&Value) -> Result<Value, String> + Send + 'static,
    ) {
        self.reverse.insert(command.to_owned(), Box::new(answer));
    }
}

fn answers(body: &Value, count: usize) -> Vec<Breakpoint> {
    let set: Vec<Breakpoint> = list(&body["breakpoints"]).map(breakpoint).collect();
    assert_eq!(set.len(), count, "one answer for each breakpoint: {body}");
    set
}

fn instruction(body: &Value) -> Instruction {
    let bytes = body["instructionBytes"].as_str().unwrap_or_default();
    Instruction {
        address: address(&body["address"]),
        bytes: bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect(),
        text: text(&body["instruction"]),
        symbol: body["symbol"].as_str().map(str::to_owned),
        line: body["line"].as_i64(),
        invalid: body["presentationHint"] == "invalid",
    }
}

/// An address that the adapter gives.
pub fn address(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_else(|| panic!("{value} is no address"))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Written anew here: what the adapter writes is not checked by the adapter's own reader.
fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= part.len() { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit).expect("base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_both_ways() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")]
        {
            assert_eq!((to_base64(bytes).as_str(), &from_base64(text)[..]), (text, bytes));
        }
    }
}
