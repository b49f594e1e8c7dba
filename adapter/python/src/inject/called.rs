//! CPython up to 3.13: one of the program's own threads calls what has the program execute a file.
//!
//! Two ways. Where a thread is idle, it starts a thread of the C library's, which takes the interpreter's lock like any thread
//! that does not come from Python (`PyGILState_Ensure`), executes and ends; so an idle loop stays idle, and a busy one gives up the lock
//! when it is asked to. Where no thread is idle, one of them adds a pending call (`Py_AddPendingCall`), which the main thread makes
//! between two instructions of Python's. That needs a lock which whoever has it has for a few instructions, so the
//! thread is followed to a place where it has none.
//!
//! Nothing waits in the program for us. What was not begun when we give up finds its text empty.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use weft_process::{Borrowed, By, Calls, Pid, Placed, ProcessError, Rest, Text, Tid, Word, threads};
use weft_protocol::Error;
use weft_session::debuggee::Answer;

use super::functions::Functions;
use super::{failed, refused};
use crate::patience::Waiting;

/// `Py_file_input`: a text of statements.
const STATEMENTS: u64 = 257;
/// How long a thread must have slept in one place to be idle.
const IDLE: Duration = Duration::from_millis(20);
/// How long a thread is looked for that can call.
const SEARCH: Duration = Duration::from_secs(5);
/// How long one thread is followed to a place where it holds no lock.
const FOLLOWED: Duration = Duration::from_secs(1);
/// How many threads are tried at a time.
const MOST_TRIED: usize = 8;
/// After how long a pending call that nobody has made is added anew: one can be overlooked.
const OVERLOOKED: Duration = Duration::from_secs(6);
/// How often one is added: there is room for 32, and they are the program's.
const MOST_PENDING: usize = 3;

/// A program that is to execute a file.
pub(super) struct Called<'a> {
    pid: Pid,
    functions: Functions,
    file: &'a Path,
    asked: Option<Asked>,
    added: usize,
}

/// What was put into a program.
struct Asked {
    placed: Placed,
    way: Way,
    text: Text,
    /// What `pthread_create` or `Py_AddPendingCall` answered; before, a value that neither does.
    answer: Word,
    /// Not 0 when the interpreter's lock is held and the text will be executed.
    begun: Word,
    at: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Thread,
    PendingCall,
}

/// Neither an error of `pthread_create` nor an answer of `Py_AddPendingCall`.
const UNANSWERED: u64 = u64::MAX >> 1;

impl<'a> Called<'a> {
    /// Has a process execute a file, soon.
    pub(super) fn new(pid: Pid, file: &'a Path, waiting: &Waiting) -> Answer<Self> {
        let functions = Functions::of(pid).map_err(|why| impossible(pid, &why))?;
        let mut called = Self { pid, functions, file, asked: None, added: 0 };
        called.ask(waiting)?;
        Ok(called)
    }

    /// Looks after it. To be called now and then until the program has connected.
    pub(super) fn look(&mut self, waiting: &Waiting) -> Answer<()> {
        let Some(asked) = &self.asked else { return self.ask(waiting) };
        match asked.way {
            Way::Thread => match asked.answer() {
                Some(error) if error != 0 => Err(failed(format!(
                    "process {} cannot start the thread that is to attach (error {error}): its limits, or its memory, are exhausted",
                    self.pid
                ))),
                _ => Ok(()),
            },
            Way::PendingCall if asked.has_begun() || self.added >= MOST_PENDING => Ok(()),
            Way::PendingCall if asked.at.elapsed() < OVERLOOKED => Ok(()),
            Way::PendingCall => {
                asked.placed.empty(asked.text);
                // Begun in the very last moment: then it is with the text, or without.
                if asked.has_begun() { Ok(()) } else { self.ask(waiting) }
            }
        }
    }

    /// Why the program has not connected.
    pub(super) fn lateness(&self) -> &'static str {
        match &self.asked {
            Some(asked) if asked.has_begun() => {
                "what was put into it has begun and not come to an end: its standard error may say why"
            }
            Some(asked) if asked.answer().is_none() => {
                "the thread that was asked for it has not come to run: the machine, or the program's group, has no processor left \
                 for it"
            }
            Some(asked) if asked.way == Way::PendingCall && asked.answer() != Some(0) => {
                "its interpreter takes no more calls from outside: it has as many to make as there is room for, and its main \
                 thread, which makes them, is not executing Python"
            }
            Some(Asked { way: Way::Thread, .. }) => {
                "a call into C holds the interpreter's lock and does not return to Python. The thread that was started in the \
                 program waits for that lock, does nothing when it has it, and ends; attach again when the call has returned, or \
                 attach to it as a native program (`pid`) to see where it stands"
            }
            _ => {
                "a call into C holds the interpreter's lock, or its main thread, and does not return to Python. The program will \
                 not attach later; attach again when that call has returned, or attach to it as a native program (`pid`) to see \
                 where it stands"
            }
        }
    }

    /// Finds a thread that can call, and sends it.
    fn ask(&mut self, waiting: &Waiting) -> Answer<()> {
        let until = Instant::now() + SEARCH;
        let is_over = || waiting.is_cancelled() || Instant::now() >= until;
        loop {
            if let Some(asked) = self.ask_once(&is_over)? {
                self.added += usize::from(asked.way == Way::PendingCall);
                self.asked = Some(asked);
                return Ok(());
            }
            if is_over() {
                return Err(self.nobody());
            }
        }
    }

    fn nobody(&self) -> Error {
        failed(format!(
            "process {} has no thread that could attach: none has been idle, and none was found at a place where it holds no lock. \
             Try again, or start the program with `python -m debugpy --listen 5678 …` and attach with `connect`",
            self.pid
        ))
    }

    fn ask_once(&self, is_over: &(impl Fn() -> bool + Sync)) -> Answer<Option<Asked>> {
        let mut tids = threads(self.pid);
        if tids.is_empty() {
            return Err(refused(ProcessError::NoProcess(self.pid)));
        }
        // The main thread first: it is no library's, and no guest.
        tids.sort_by_key(|tid| *tid != self.pid);
        tids.truncate(1024);
        let before: Vec<Option<Rest>> = tids.iter().map(|tid| Rest::of(self.pid, *tid)).collect();
        thread::sleep(IDLE);
        let rests = |tid: &Tid, before: &Option<Rest>| before.is_some() && Rest::of(self.pid, *tid) == *before;
        let (idle, busy): (Vec<_>, Vec<_>) = tids.into_iter().zip(before).partition(|(tid, before)| rests(tid, before));
        let turns = [(Way::Thread, idle), (Way::PendingCall, busy)];
        for (way, threads) in turns {
            for (tid, _) in threads.into_iter().take(MOST_TRIED) {
                if is_over() {
                    return Ok(None);
                }
                match Borrowed::with(self.pid, tid, |held| self.send(held, way, is_over)) {
                    Ok(None) | Err(ProcessError::ThreadGone(_) | ProcessError::Unstoppable(_)) => {}
                    Ok(asked) => return Ok(asked),
                    Err(error @ ProcessError::System { .. }) => return Err(impossible(self.pid, &error.to_string())),
                    Err(error) => return Err(refused(error)),
                }
            }
        }
        Ok(None)
    }

    fn send(&self, mut held: Borrowed, way: Way, is_over: &impl Fn() -> bool) -> Result<Option<Asked>, ProcessError> {
        let begun = Instant::now();
        let fits = match way {
            Way::Thread => held.is_idle(),
            Way::PendingCall => held.is_quiet(|| begun.elapsed() >= FOLLOWED || is_over())?,
        };
        if !fits {
            return Ok(None);
        }
        let (calls, text, answer, begun) = self.calls(way);
        let placed = held.place(&calls)?;
        held.send(&placed)?;
        Ok(Some(Asked { placed, way, text, answer, begun, at: Instant::now() }))
    }

    /// What is called, and by whom.
    fn calls(&self, way: Way) -> (Calls, Text, Word, Word) {
        let Functions { pthread_create, pthread_self, pthread_detach, ensure, release, .. } = self.functions;
        let mut calls = Calls::new(self.functions.errno);
        let (waste, zero, one) = (calls.waste(), calls.value(0), calls.value(1));
        let (answer, begun) = (calls.value(UNANSWERED), calls.value(0));
        let text = calls.text(statements(self.file).as_bytes());
        let routine = calls.routine();
        match way {
            Way::Thread => {
                let handle = calls.value(0);
                let handle = calls.address(handle);
                calls.call(By::Round, pthread_create, &[handle, zero, routine, zero], answer);
                let (own, state) = (calls.value(0), calls.value(0));
                calls.call(By::Routine, pthread_self, &[], own);
                calls.call(By::Routine, pthread_detach, &[own], waste);
                calls.call(By::Routine, ensure, &[], state);
                calls.copy(By::Routine, one, begun);
                self.execute(&mut calls, text);
                calls.call(By::Routine, release, &[state], waste);
            }
            Way::PendingCall => {
                calls.call(By::Round, self.functions.add_pending_call, &[routine, zero], answer);
                calls.copy(By::Routine, one, begun);
                self.execute(&mut calls, text);
            }
        }
        (calls, text, answer, begun)
    }

    /// Executes the text in a namespace of its own. Whatever it raises is nobody's but its own.
    fn execute(&self, calls: &mut Calls, text: Text) {
        let Functions { new_dict, run_string, clear_error, drop_reference, .. } = self.functions;
        let (waste, statements) = (calls.waste(), calls.value(STATEMENTS));
        let (names, result) = (calls.value(0), calls.value(0));
        calls.call(By::Routine, new_dict, &[], names);
        calls.call(By::Routine, run_string, &[text.address, statements, names, names], result);
        calls.call(By::Routine, clear_error, &[], waste);
        calls.call(By::Routine, drop_reference, &[result], waste);
        calls.call(By::Routine, drop_reference, &[names], waste);
    }
}

/// Nothing can be called in a process.
fn impossible(pid: Pid, why: &str) -> Error {
    failed(format!(
        "nothing can be put into process {pid}: {why}. Start the program with `python -m debugpy --listen 5678 …` and attach \
         with `connect`"
    ))
}

impl Asked {
    /// What was answered: an `int`, of which only the lower half of the register tells.
    fn answer(&self) -> Option<u64> {
        let answer = self.placed.word(self.answer).filter(|answer| *answer != UNANSWERED);
        answer.map(|answer| answer & u64::from(u32::MAX))
    }

    fn has_begun(&self) -> bool {
        self.placed.word(self.begun).is_some_and(|begun| begun != 0)
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        if let Some(asked) = &self.asked {
            asked.placed.empty(asked.text);
        }
    }
}

/// What executes a file, if that is still there.
fn statements(file: &Path) -> String {
    // Strings of JSON's are Python's as well.
    let file = json!(file.to_string_lossy());
    format!(
        "try:\n    with open({file}, encoding='utf-8') as file:\n        text = file.read()\nexcept OSError:\n    pass\nelse:\n    \
         exec(compile(text, {file}, 'exec'), {{'__name__': 'weft'}})\n"
    )
}
