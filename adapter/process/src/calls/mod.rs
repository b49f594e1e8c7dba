//! Calls of a running program's own functions, by one of its own threads.
//!
//! A thread is stopped for a moment ([`Borrowed`]) and sent on a *round*: code of ours, in memory of ours, which saves all
//! registers and `errno`, makes the calls, puts everything back and jumps to where the thread was; a system call that it was in
//! begins anew, as after any stop. From the moment that it is sent it is nobody's tracee any more. So nothing has to come
//! back to us: weft may be killed, the calls may take as long as they like, signals and other threads are what they always
//! are, and what came of it is read from the words that the calls leave behind ([`Placed::word`]). There is one moment in which
//! our death would harm: while the thread makes, instruction by instruction, the system calls that map that memory, or
//! [`Borrowed::is_quiet`] looks.
//!
//! What may be called is for the caller to judge. A thread that was stopped anywhere may hold any lock, so: functions that
//! take locks of the C library's from a thread that is idle ([`Borrowed::is_idle`]); a function that takes a lock which is
//! held for a few instructions at a time, from one that is quiet ([`Borrowed::is_quiet`]).
//!
//! The memory stays. The thread could not take it away under its own feet, and who else has an address in it nobody knows.

mod borrowed;
mod code;
mod quiet;

use weft_memory::{MemAddr, Memory};

use crate::{LiveMemory, ProcessError};
use code::{CALL_WORDS, CODE_SIZE, head};

pub use borrowed::{Borrowed, Rest};

/// Bytes of all words and texts, at most.
const MOST_DATA: usize = 1 << 20;
/// `MXCSR` as a function may expect it: all exceptions masked, to the nearest.
const MXCSR: u64 = 0x1f80;
/// Alignment of what `xsave` writes to.
const AREA_ALIGNMENT: usize = 64;

/// A word that calls take for an argument, or leave their answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(usize);

/// A text that calls are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Has the text's address in it.
    pub address: Word,
    /// Bytes behind the first text.
    at: usize,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The thread that is sent on the round.
    Round,
    /// Whoever calls the function that [`Calls::routine`] gives: it makes its calls one after the other and returns 0.
    Routine,
}

/// What a word has in it when all begins.
#[derive(Debug, Clone, Copy)]
enum Content {
    Value(u64),
    /// The address of the text that lies so many bytes behind the first one.
    Text(usize),
    /// The address of another word.
    Word(Word),
    /// So many bytes behind the begin of the code.
    Code(u64),
}

#[derive(Debug)]
struct Call {
    by: By,
    function: Function,
    arguments: Vec<Word>,
    answer: Word,
}

#[derive(Debug, Clone, Copy)]
enum Function {
    Theirs(MemAddr),
    /// Answers its argument.
    Same,
}

/// What is to be called, and with what.
#[derive(Debug)]
pub struct Calls {
    words: Vec<Content>,
    texts: Vec<u8>,
    calls: Vec<Call>,
    /// The function that says where `errno` is.
    errno: MemAddr,
    /// What nobody wants to know.
    waste: Word,
}

impl Calls {
    /// `errno`: the program's `__errno_location`, or what its C library has instead.
    pub fn new(errno: MemAddr) -> Self {
        Self { words: vec![Content::Value(0)], texts: Vec::new(), calls: Vec::new(), errno, waste: Word(0) }
    }

    fn add(&mut self, content: Content) -> Word {
        self.words.push(content);
        Word(self.words.len().saturating_sub(1))
    }

    /// A word with this in it.
    pub fn value(&mut self, value: u64) -> Word {
        self.add(Content::Value(value))
    }

    /// A text, behind which there is a zero.
    pub fn text(&mut self, text: &[u8]) -> Text {
        let at = self.texts.len();
        self.texts.extend_from_slice(text);
        self.texts.push(0);
        Text { address: self.add(Content::Text(at)), at }
    }

    /// A word with the address of another one.
    pub fn address(&mut self, word: Word) -> Word {
        self.add(Content::Word(word))
    }

    /// A word with the address of the routine.
    pub fn routine(&mut self) -> Word {
        self.add(Content::Code(code::routine()))
    }

    /// A word that nobody reads: for arguments that do not matter, and answers.
    pub fn waste(&self) -> Word {
        self.waste
    }

    /// Calls a function with up to six arguments, after what was added before.
    pub fn call(&mut self, by: By, function: MemAddr, arguments: &[Word], answer: Word) {
        self.calls.push(Call { by, function: Function::Theirs(function), arguments: arguments.to_vec(), answer });
    }

    /// Has one word be what another one is at that time.
    pub fn copy(&mut self, by: By, from: Word, to: Word) {
        self.calls.push(Call { by, function: Function::Same, arguments: vec![from], answer: to });
    }

    /// Where a word lies in the data, in bytes.
    fn place(word: Word) -> usize {
        word.0.saturating_add(head::LENGTH).saturating_mul(8)
    }

    /// Where the two lists of calls begin, and where texts do.
    fn layout(&self) -> Layout {
        let count = |by| self.calls.iter().filter(|call| call.by == by).count();
        let size = |by| count(by).saturating_mul(CALL_WORDS).saturating_add(1).saturating_mul(8);
        let round = Self::place(Word(self.words.len()));
        let routine = round.saturating_add(size(By::Round));
        let texts = routine.saturating_add(size(By::Routine));
        let area = texts.saturating_add(self.texts.len()).next_multiple_of(AREA_ALIGNMENT);
        Layout { round, routine, texts, area }
    }

    /// Bytes of data without what `xsave` writes, and where that belongs.
    fn size(&self) -> Result<usize, ProcessError> {
        let size = self.layout().area;
        let too_much = || ProcessError::System {
            what: "calls take too much memory",
            reason: std::io::ErrorKind::InvalidInput.into(),
        };
        (size <= MOST_DATA).then_some(size).ok_or_else(too_much)
    }

    /// The data, for code at `code`.
    fn data(&self, code: MemAddr) -> Vec<u8> {
        let layout = self.layout();
        let data = code.raw().wrapping_add(CODE_SIZE as u64);
        let at = |bytes: usize| data.wrapping_add(bytes as u64);
        let mut words = vec![0; head::LENGTH];
        let mut set = |place: usize, value: u64| words.get_mut(place).map(|word| *word = value);
        set(head::AREA, at(layout.area));
        set(head::ERRNO, self.errno.raw());
        set(head::ROUND, at(layout.round));
        set(head::ROUTINE, at(layout.routine));
        set(head::CONTROL, MXCSR);
        words.extend(self.words.iter().map(|content| match *content {
            Content::Value(value) => value,
            Content::Text(text) => at(layout.texts.saturating_add(text)),
            Content::Word(word) => at(Self::place(word)),
            Content::Code(offset) => code.raw().wrapping_add(offset),
        }));
        for by in [By::Round, By::Routine] {
            for call in self.calls.iter().filter(|call| call.by == by) {
                words.push(match call.function {
                    Function::Theirs(address) => address.raw(),
                    Function::Same => code.raw().wrapping_add(code::same()),
                });
                let arguments = call.arguments.iter().copied().chain(std::iter::repeat(self.waste)).take(6);
                words.extend(arguments.chain([call.answer]).map(|word| at(Self::place(word))));
            }
            words.push(0);
        }
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.extend_from_slice(&self.texts);
        bytes
    }
}

/// Bytes behind the begin of the data.
struct Layout {
    round: usize,
    routine: usize,
    texts: usize,
    area: usize,
}

/// Calls in a program's memory, made or not.
#[derive(Debug, Clone)]
pub struct Placed {
    memory: LiveMemory,
    code: MemAddr,
    texts: usize,
}

impl Placed {
    fn data(&self) -> u64 {
        self.code.raw().wrapping_add(CODE_SIZE as u64)
    }

    /// One of the words at the begin.
    fn head(&self, place: usize) -> MemAddr {
        self.at(place.saturating_mul(8))
    }

    fn at(&self, place: usize) -> MemAddr {
        MemAddr::new(self.data().wrapping_add(place as u64))
    }

    /// What is in a word now; none where it cannot be read.
    pub fn word(&self, word: Word) -> Option<u64> {
        self.memory.read_u64(self.at(Calls::place(word))).ok()
    }

    /// Whether the round is over.
    pub fn has_passed(&self) -> bool {
        self.memory.read_u64(self.head(head::PASSED)).is_ok_and(|passed| passed != 0)
    }

    /// Empties a text: whoever reads it from now on finds nothing in it.
    pub fn empty(&self, text: Text) {
        let at = self.at(self.texts.saturating_add(text.at));
        if let Err(error) = self.memory.write(at, &[0]) {
            tracing::debug!(%error, "a text could not be taken back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_calls_and_texts_are_where_the_code_looks_for_them() {
        let mut calls = Calls::new(MemAddr::new(0xe0));
        let (seven, text, answer) = (calls.value(7), calls.text(b"hi").address, calls.value(0));
        let routine = calls.routine();
        calls.call(By::Routine, MemAddr::new(0xf1), &[seven, text], answer);
        calls.copy(By::Round, answer, seven);
        let data = calls.data(MemAddr::new(0x10000));
        let word = |at: usize| u64::from_le_bytes(data[at * 8..][..8].try_into().unwrap());
        let at = |word: u64| usize::try_from((word - 0x11000) / 8).unwrap();
        let (first, waste) = (head::LENGTH as u64, 0x11000 + head::LENGTH as u64 * 8);
        assert_eq!((word(head::BACK), word(head::ERRNO), word(head::CONTROL)), (0, 0xe0, 0x1f80));
        assert_eq!(word(at(waste) + seven.0), 7);
        assert_eq!(word(at(waste) + routine.0), 0x10000 + code::routine());
        let place = |word: Word| 0x11000 + (first + word.0 as u64) * 8;
        let round = at(word(head::ROUND));
        assert_eq!(word(round), 0x10000 + code::same());
        assert_eq!([word(round + 1), word(round + 2), word(round + 7)], [place(answer), waste, place(seven)]);
        assert_eq!(word(round + 8), 0);
        let list = at(word(head::ROUTINE));
        assert_eq!([word(list), word(list + 1), word(list + 2)], [0xf1, place(seven), place(text)]);
        assert_eq!([word(list + 3), word(list + 7), word(list + 8)], [waste, place(answer), 0]);
        let text = usize::try_from(word(at(place(text))) - 0x11000).unwrap();
        assert_eq!(&data[text..], b"hi\0");
        assert!(code::bytes().len() < CODE_SIZE && code::same() < code::bytes().len() as u64);
    }
}
