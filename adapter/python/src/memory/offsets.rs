//! Where CPython keeps things, as the interpreter itself tells.
//!
//! `_PyRuntime` begins with a table of offsets, `_Py_DebugOffsets` (`Include/internal/pycore_debug_offsets.h`), and `_asyncio`
//! has one of its own (`Py_AsyncioModuleDebugOffsets`, `Modules/_asynciomodule.c`). Which words these tables have differs
//! from one minor version to the next, so there is a list of them for each; everything else is what the words say. The few
//! things that no table tells are in [`Untold`].

use std::collections::HashMap;

use weft_memory::{MemAddr, Memory};

/// What the table in `_PyRuntime` begins with.
const COOKIE: &[u8; 8] = b"xdebugpy";
/// The oldest minor version of Python 3 whose asyncio describes itself.
pub(super) const OLDEST: u8 = 14;
/// No offset or size in a table is as large as this; a thread state is the largest that is told, with less than 1 MiB.
const LARGEST: u64 = 1 << 24;
/// Words of `Py_AsyncioModuleDebugOffsets` of 3.14 and 3.15.
const ASYNCIO: &str = "
    task: size name awaited_by is_task awaited_by_is_set coro node
    interpreter: size tasks
    thread: size running_loop running_task tasks";

/// The words after cookie, version and `free_threaded` in 3.14.
const TOLD_3_14: &str = "
    runtime: size finalizing interpreters_head
    interpreter: size id next threads_head threads_main gc imports_modules sysdict builtins ceval_gil gil_runtime_state
        gil_runtime_state_enabled gil_runtime_state_locked gil_runtime_state_holder code_object_generation tlbc_generation
    thread: size prev next interp current_frame thread_id native_thread_id datastack_chunk status
    frame: size previous executable instr_ptr localsplus owner stackpointer tlbc_index
    code: size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds co_code_adaptive co_tlbc
    object: size ob_type
    type: size tp_name tp_repr tp_flags
    tuple: size ob_item ob_size
    list: size ob_item ob_size
    set: size used table mask
    dict: size ma_keys ma_values
    float: size ob_fval
    long: size lv_tag ob_digit
    bytes: size ob_size ob_sval
    unicode: size state length asciiobject_size
    gc: size collecting
    generator: size gi_name gi_iframe gi_frame_state
    llist: next prev";

/// The same in 3.15.
const TOLD_3_15: &str = "
    runtime: size finalizing interpreters_head
    interpreter: size id next threads_head threads_main gc imports_modules sysdict builtins ceval_gil gil_runtime_state
        gil_runtime_state_enabled gil_runtime_state_locked gil_runtime_state_holder code_object_generation tlbc_generation
    thread: size prev next interp current_frame base_frame last_profiled_frame last_profiled_frame_seq thread_id
        native_thread_id datastack_chunk status holds_gil gil_requested current_exception exc_state
    exception: exc_value
    frame: size previous executable instr_ptr localsplus owner stackpointer tlbc_index
    code: size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds co_code_adaptive co_tlbc
    object: size ob_type
    type: size tp_name tp_repr tp_flags tp_basicsize tp_dictoffset
    heaptype: size ht_cached_keys
    tuple: size ob_item ob_size
    list: size ob_item ob_size
    set: size used table mask
    dict: size ma_keys ma_values
    float: size ob_fval
    long: size lv_tag ob_digit
    bytes: size ob_size ob_sval
    unicode: size state length asciiobject_size compactunicodeobject_size
    gc: size collecting frame generation_stats_size generation_stats
    generator: size gi_name gi_iframe gi_frame_state
    llist: next prev";

/// What a minor version does not tell of itself, from its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Untold {
    /// `PyFrameState` (`pycore_frame.h`): never run.
    pub(super) created: i8,
    /// Suspended in a bare `yield`.
    pub(super) yielding: i8,
    /// Suspended in an `await` or `yield from`.
    pub(super) awaiting: [i8; 2],
    /// On a thread's stack.
    pub(super) executing: i8,
    /// How many words below the top of its value stack a frame that awaits has what it awaits: `SEND` of 3.15 has one more
    /// operand (`bytecodes.c`).
    pub(super) awaited_depth: u64,
}

const UNTOLD_3_14: Untold = Untold { created: -3, yielding: -2, awaiting: [-1, -1], executing: 0, awaited_depth: 1 };
const UNTOLD_3_15: Untold = Untold { created: 0, yielding: 1, awaiting: [2, 3], executing: 4, awaited_depth: 2 };

/// `FRAME_OWNED_BY_GENERATOR` (`pycore_interpframe_structs.h`).
pub(super) const OWNED_BY_GENERATOR: u8 = 1;
/// `FRAME_OWNED_BY_INTERPRETER`; whatever is not less is no frame of Python code.
pub(super) const OWNED_BY_INTERPRETER: u8 = 3;

/// Why a process's Python cannot be looked into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Too old to describe itself.
    #[error(
        "it runs Python {0}, and only Python 3.14 and later can be looked into from outside; debug it with weft (a launch \
         configuration with \"type\": \"weft\", \"request\": \"attach\" and its \"processId\") to see its tasks"
    )]
    TooOld(Version),
    /// So old that it does not even say which version it is.
    #[error("it runs a Python so old that it cannot be looked into from outside: that takes Python 3.14 or later")]
    Ancient,
    /// Newer than what this weft knows.
    #[error("it runs Python {0}, whose layout this weft does not know yet (it knows 3.14 and 3.15): a newer weft may")]
    TooNew(Version),
    /// The tables make no sense.
    #[error("its Python does not describe itself as Python {version} does: {what}")]
    Broken {
        /// What it says it is.
        version: Version,
        /// What is wrong.
        what: String,
    },
    /// Memory of the interpreter is gone.
    #[error("the interpreter's memory cannot be read")]
    Gone,
}

/// A version of CPython, as `PY_VERSION_HEX` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The first number: 3.
    pub major: u8,
    /// The second.
    pub minor: u8,
    /// The third; none where only the first two are known.
    pub micro: Option<u8>,
}

impl Version {
    /// Of a `PY_VERSION_HEX`.
    pub(super) fn of_hex(hex: u64) -> Self {
        let [_, micro, minor, major, ..] = hex.to_le_bytes();
        Self { major, minor, micro: Some(micro) }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.micro.map_or(Ok(()), |micro| write!(f, ".{micro}"))
    }
}

/// Offsets in an interpreter's structures and sizes of them, in bytes, by the names in the tables above.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    pub(super) version: Version,
    pub(super) free_threaded: bool,
    pub(super) untold: Untold,
    pub(super) runtime_interpreters: u64,
    pub(super) interpreter_next: u64,
    pub(super) interpreter_threads: u64,
    pub(super) thread_next: u64,
    pub(super) thread_frame: u64,
    pub(super) thread_native_id: u64,
    pub(super) frame_size: u64,
    pub(super) frame_previous: u64,
    pub(super) frame_code: u64,
    pub(super) frame_instruction: u64,
    pub(super) frame_locals: u64,
    pub(super) frame_owner: u64,
    pub(super) frame_stack: u64,
    pub(super) frame_tlbc: u64,
    pub(super) code_size: u64,
    pub(super) code_file: u64,
    pub(super) code_qualname: u64,
    pub(super) code_lines: u64,
    pub(super) code_first_line: u64,
    pub(super) code_locals: u64,
    pub(super) code_instructions: u64,
    pub(super) code_tlbc: u64,
    pub(super) object_size: u64,
    pub(super) object_type: u64,
    pub(super) type_name: u64,
    pub(super) type_flags: u64,
    pub(super) tuple_length: u64,
    pub(super) set_table: u64,
    pub(super) set_mask: u64,
    pub(super) long_tag: u64,
    pub(super) long_digits: u64,
    pub(super) bytes_length: u64,
    pub(super) bytes_data: u64,
    pub(super) text_state: u64,
    pub(super) text_length: u64,
    pub(super) text_ascii: u64,
    pub(super) generator_frame: u64,
    pub(super) generator_state: u64,
    pub(super) node_next: u64,
}

/// What a table tells: each word by `group.name`.
struct Told {
    words: HashMap<String, u64>,
    version: Version,
}

impl Told {
    /// Reads the words that `names` lists, from `address` on.
    fn read(memory: &dyn Memory, address: MemAddr, names: &str, version: Version) -> Result<Self, Unreadable> {
        let mut group = "";
        let mut keys = Vec::new();
        for word in names.split_whitespace() {
            match word.strip_suffix(':') {
                Some(name) => group = name,
                None => keys.push(format!("{group}.{word}")),
            }
        }
        let length = keys.len().checked_mul(8).ok_or(Unreadable::Gone)?;
        let bytes = memory.read_bytes(address, length).map_err(|_| Unreadable::Gone)?;
        let values = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        Ok(Self { words: keys.into_iter().zip(values).collect(), version })
    }

    /// An offset, which lies within its structure, or a size.
    fn get(&self, key: &str) -> Result<u64, Unreadable> {
        let broken = |what: String| Unreadable::Broken { version: self.version, what };
        let value = self.words.get(key).copied().ok_or_else(|| broken(format!("there is no {key}")))?;
        let size = key.split_once('.').and_then(|(group, _)| self.words.get(&format!("{group}.size"))).copied();
        // What begins behind a head of fixed size lies at its end.
        let room = size.unwrap_or(LARGEST);
        if value > room || room > LARGEST { Err(broken(format!("{key} is {value}, of {room}"))) } else { Ok(value) }
    }
}

impl Offsets {
    /// Reads the table at the beginning of `_PyRuntime`.
    pub(super) fn read(memory: &dyn Memory, runtime: MemAddr) -> Result<Self, Unreadable> {
        let head = memory.read_bytes(runtime, 24).map_err(|_| Unreadable::Gone)?;
        let word = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u64::from_le_bytes(*word));
        let (Some(cookie), Some(hex), Some(free_threaded)) = (head.first_chunk::<8>(), word(8), word(16)) else {
            return Err(Unreadable::Gone);
        };
        if cookie != COOKIE {
            return Err(Unreadable::Ancient);
        }
        let version = Version::of_hex(hex);
        let (names, untold) = match (version.major, version.minor) {
            (3, 14) => (TOLD_3_14, UNTOLD_3_14),
            (3, 15) => (TOLD_3_15, UNTOLD_3_15),
            (3, minor) if minor < OLDEST => return Err(Unreadable::TooOld(version)),
            (3, _) => return Err(Unreadable::TooNew(version)),
            _ => {
                let what = "there is no such version".to_owned();
                return Err(Unreadable::Broken { version, what });
            }
        };
        let table = runtime.checked_add(24).ok_or(Unreadable::Gone)?;
        let told = Told::read(memory, table, names, version)?;
        let get = |key| told.get(key);
        Ok(Self {
            version,
            free_threaded: free_threaded != 0,
            untold,
            runtime_interpreters: get("runtime.interpreters_head")?,
            interpreter_next: get("interpreter.next")?,
            interpreter_threads: get("interpreter.threads_head")?,
            thread_next: get("thread.next")?,
            thread_frame: get("thread.current_frame")?,
            thread_native_id: get("thread.native_thread_id")?,
            frame_size: get("frame.size")?,
            frame_previous: get("frame.previous")?,
            frame_code: get("frame.executable")?,
            frame_instruction: get("frame.instr_ptr")?,
            frame_locals: get("frame.localsplus")?,
            frame_owner: get("frame.owner")?,
            frame_stack: get("frame.stackpointer")?,
            frame_tlbc: get("frame.tlbc_index")?,
            code_size: get("code.size")?,
            code_file: get("code.filename")?,
            code_qualname: get("code.qualname")?,
            code_lines: get("code.linetable")?,
            code_first_line: get("code.firstlineno")?,
            code_locals: get("code.localsplusnames")?,
            code_instructions: get("code.co_code_adaptive")?,
            code_tlbc: get("code.co_tlbc")?,
            object_size: get("object.size")?,
            object_type: get("object.ob_type")?,
            type_name: get("type.tp_name")?,
            type_flags: get("type.tp_flags")?,
            tuple_length: get("tuple.ob_size")?,
            set_table: get("set.table")?,
            set_mask: get("set.mask")?,
            long_tag: get("long.lv_tag")?,
            long_digits: get("long.ob_digit")?,
            bytes_length: get("bytes.ob_size")?,
            bytes_data: get("bytes.ob_sval")?,
            text_state: get("unicode.state")?,
            text_length: get("unicode.length")?,
            text_ascii: get("unicode.asciiobject_size")?,
            generator_frame: get("generator.gi_iframe")?,
            generator_state: get("generator.gi_frame_state")?,
            node_next: get("llist.next")?,
        })
    }
}

/// Offsets in asyncio's structures, in bytes.
#[derive(Clone, Debug)]
pub(super) struct AsyncioOffsets {
    pub(super) task_size: u64,
    pub(super) task_name: u64,
    pub(super) task_coro: u64,
    pub(super) task_node: u64,
    pub(super) awaited_by: u64,
    pub(super) is_task: u64,
    pub(super) awaited_by_is_set: u64,
    pub(super) interpreter_tasks: u64,
    pub(super) thread_running_loop: u64,
    pub(super) thread_running_task: u64,
    pub(super) thread_tasks: u64,
    pub(super) future: Option<FutureOffsets>,
}

/// What asyncio does not tell of futures, of which tasks are a kind: `FutureObj_HEAD` and `TaskObj` of
/// `Modules/_asynciomodule.c` (3.14, 3.15), as they lie around what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FutureOffsets {
    /// Its loop.
    pub(super) event_loop: u64,
    /// The exception that it ended with; null for none.
    pub(super) exception: u64,
    /// `fut_state`: pending, cancelled or finished, 32 bits.
    pub(super) state: u64,
    /// Of a task: the future that wakes it; null for none.
    pub(super) waiter: u64,
}

impl AsyncioOffsets {
    /// Reads the section `.AsyncioDebug`.
    pub(super) fn read(memory: &dyn Memory, section: MemAddr, python: &Offsets) -> Result<Self, Unreadable> {
        let told = Told::read(memory, section, ASYNCIO, python.version)?;
        let get = |key| told.get(key);
        let mut offsets = Self {
            task_size: get("task.size")?,
            task_name: get("task.name")?,
            task_coro: get("task.coro")?,
            task_node: get("task.node")?,
            awaited_by: get("task.awaited_by")?,
            is_task: get("task.is_task")?,
            awaited_by_is_set: get("task.awaited_by_is_set")?,
            interpreter_tasks: get("interpreter.tasks")?,
            thread_running_loop: get("thread.running_loop")?,
            thread_running_task: get("thread.running_task")?,
            thread_tasks: get("thread.tasks")?,
            future: None,
        };
        offsets.future = offsets.futures(python.object_size);
        Ok(offsets)
    }

    /// Futures as they are known, if what is told of them fits: ten words lie between a future's head and its awaiters
    /// (loop, callback, context, callbacks, exception, traceback, result, source, message, cancellation), the state
    /// between those and the two flags, and a task's waiter before its coroutine and its name.
    fn futures(&self, head: u64) -> Option<FutureOffsets> {
        let fits = head.checked_add(80)? == self.awaited_by
            && self.awaited_by.checked_add(12)? == self.is_task
            && self.is_task.checked_add(1)? == self.awaited_by_is_set
            && self.awaited_by.checked_add(32)? == self.task_coro
            && self.task_coro.checked_add(8)? == self.task_name;
        fits.then_some(FutureOffsets {
            event_loop: head,
            exception: head.checked_add(32)?,
            state: self.awaited_by.checked_add(8)?,
            waiter: self.task_coro.checked_sub(8)?,
        })
    }
}
