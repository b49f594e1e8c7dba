//! Lines of text from a process that may write anything.

use std::io::{BufRead, BufReader, Read};
use std::iter;

/// The longest line that is read whole: a diagnostic with all that macros have expanded to is far below.
const MAX_LINE: usize = 1 << 24;

/// How much is kept of a longer one, which is for nobody's eyes.
const MAX_KEPT: usize = 1 << 10;

/// The lines of a stream until it ends, without what ends them; bytes that are no text are replaced.
pub(super) fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    let mut stream = BufReader::new(stream);
    iter::from_fn(move || line(&mut stream, MAX_LINE, MAX_KEPT))
}

fn line(stream: &mut impl BufRead, longest: usize, kept: usize) -> Option<String> {
    let mut line = Vec::new();
    let bound = u64::try_from(longest).unwrap_or(u64::MAX);
    let count = stream.by_ref().take(bound).read_until(b'\n', &mut line).ok()?;
    if count == 0 {
        return None;
    }
    if count < longest || line.ends_with(b"\n") {
        return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    let rest = stream.skip_until(b'\n').unwrap_or(0);
    line.truncate(kept);
    let whole = count.saturating_add(rest);
    Some(format!("{}… (a line of {whole} bytes, too long to be read)", String::from_utf8_lossy(&line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_is_in_them() {
        let read = |bytes: &'static [u8]| lines(bytes).collect::<Vec<_>>();
        assert_eq!(read(b"one\n\ntwo\r\nthree"), ["one", "", "two", "three"]);
        assert_eq!(read(b"a\xffb\nnext\n"), ["a\u{fffd}b", "next"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_the_next_one_is_whole() {
        let mut stream: &[u8] = b"0123456789abc\n01234567\n0123456\nlast90123";
        let mut next = || line(&mut stream, 8, 4);
        assert_eq!(next().as_deref(), Some("0123… (a line of 14 bytes, too long to be read)"));
        assert_eq!(next().as_deref(), Some("0123… (a line of 9 bytes, too long to be read)"));
        assert_eq!(next().as_deref(), Some("0123456"));
        assert_eq!(next().as_deref(), Some("last… (a line of 9 bytes, too long to be read)"));
        assert_eq!(next(), None);
    }
}
