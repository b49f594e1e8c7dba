//! Paths as text that comes back as it was: a path is bytes, and JSON has only Unicode.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What RFC 3986 lets stand in a path.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An absolute path as a `file:` URI (RFC 8089); a relative one as its path alone.
pub(crate) fn to_uri(path: &Path) -> String {
    let encoded = encode(path);
    if path.is_absolute() { format!("file://{encoded}") } else { encoded }
}

/// The path of a `file:` URI of this machine, or of a path as a client that speaks URIs may still send it. `None`: the
/// URI is of something else.
pub(crate) fn from_uri(uri: &str) -> Option<PathBuf> {
    let Some((scheme, rest)) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Some(if uri.starts_with('/') { uri.into() } else { decode(uri) });
    };
    let rest = scheme.eq_ignore_ascii_case("file").then_some(rest)?;
    let path = match rest.strip_prefix("//") {
        Some(with_host) => {
            let (host, _) = with_host.split_at(with_host.find('/')?);
            (host.is_empty() || host.eq_ignore_ascii_case("localhost")).then(|| &with_host[host.len()..])?
        }
        None => rest,
    };
    path.starts_with('/').then(|| decode(path))
}

fn is_scheme(text: &str) -> bool {
    let is_part = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'-' | b'.');
    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

/// Every byte that is not plain as `%XX`.
pub(crate) fn encode(path: &Path) -> String {
    percent_encode(path.as_os_str().as_bytes(), KEPT).to_string()
}

/// What [`encode`] made.
pub(crate) fn decode(text: &str) -> PathBuf {
    PathBuf::from(OsString::from_vec(percent_decode_str(text).collect()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn every_path_comes_back() {
        let odd: [&[u8]; 7] = [
            b"/p/a.rs",
            b"/a b/%20#?.rs",
            b"/\xff\xfe/m\xfcll.rs",
            "/é/e\u{301}\u{fffd}".as_bytes(),
            b"/\"'\\\n",
            b"/",
            b"/~-_.",
        ];
        for bytes in odd {
            let path = Path::new(OsStr::from_bytes(bytes));
            let uri = to_uri(path);
            assert!(uri.is_ascii() && !uri.contains([' ', '#', '?']), "{uri}");
            assert_eq!(from_uri(&uri).as_deref(), Some(path), "{uri}");
            assert_eq!(decode(&encode(path)), path);
        }
        assert_eq!(to_uri(Path::new("/home/a b.rs")), "file:///home/a%20b.rs");
    }

    #[test]
    fn uris_of_this_machine_are_read() {
        for uri in ["file:///a%20b", "file://localhost/a%20b", "FILE:///a%20b", "file:/a%20b", "/a b"] {
            assert_eq!(from_uri(uri), Some("/a b".into()), "{uri}");
        }
        assert_eq!(from_uri("src/main.rs"), Some("src/main.rs".into()));
        for uri in ["file://other/a", "untitled:a", "file:a", "file://", "vscode-remote://x/a"] {
            assert_eq!(from_uri(uri), None, "{uri}");
        }
    }
}
