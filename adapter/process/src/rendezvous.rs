//! A place where processes of one user meet: a socket in a directory that nobody else can enter.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// How often a wait looks whether it was called off.
const LOOK: Duration = Duration::from_millis(50);
/// How long whoever has come may take for a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that go with descriptors.
const MOST_BYTES: usize = 4096;
/// Descriptors that are handed over at a time.
const MOST_DESCRIPTORS: usize = 4;

/// The place. Gone when dropped.
#[derive(Debug)]
pub struct Rendezvous {
    directory: PathBuf,
    listener: UnixListener,
}

/// How a wait at a [`Rendezvous`] ended.
#[derive(Debug)]
pub(crate) enum Met {
    /// Somebody has come.
    Somebody(UnixStream),
    /// It was called off, with this sentence.
    CalledOff(String),
    /// Nobody came in time.
    Nobody,
}

impl Rendezvous {
    /// A new place.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = std::process::id();
        loop {
            let name = format!("weft-{own}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let directory = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o700).create(&directory) {
                // Left by an adapter of this number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            let listener = UnixListener::bind(directory.join("socket")).and_then(|listener| {
                fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            return match listener {
                Ok(listener) => Ok(Self { directory, listener }),
                Err(error) => {
                    let _left = fs::remove_dir_all(&directory);
                    Err(error)
                }
            };
        }
    }

    /// The socket's file.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    /// Waits until somebody comes. `called_off` is asked now and then; a sentence ends the wait.
    pub(crate) fn meet(&self, patience: Duration, mut called_off: impl FnMut() -> Option<String>) -> io::Result<Met> {
        let begun = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Met::Somebody(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(sentence) = called_off() {
                return Ok(Met::CalledOff(sentence));
            }
            if begun.elapsed() > patience {
                return Ok(Met::Nobody);
            }
            wait_readable(self.listener.as_raw_fd(), LOOK);
        }
    }

    /// Gives descriptors, and at most 4,096 bytes of `words` about them, to the first who comes. False if it was called off
    /// before somebody did.
    pub fn give(
        self,
        descriptors: &[&OwnedFd],
        words: &[u8],
        mut called_off: impl FnMut() -> bool,
    ) -> io::Result<bool> {
        let sentence = move || called_off().then(String::new);
        let Met::Somebody(stream) = self.meet(Duration::MAX, sentence)? else { return Ok(false) };
        stream.set_write_timeout(Some(PATIENCE))?;
        let numbers: Vec<i32> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
        let words = [IoSlice::new(words)];
        sendmsg::<()>(
            stream.as_raw_fd(),
            &words,
            &[ControlMessage::ScmRights(&numbers)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        Ok(true)
    }
}

/// Takes what somebody gives at a place: their descriptors, and the words about them.
pub fn take_over(socket: &Path) -> io::Result<(Vec<OwnedFd>, Vec<u8>)> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut words = vec![0; MOST_BYTES];
    let mut room = nix::cmsg_space!([i32; MOST_DESCRIPTORS]);
    let mut into = [IoSliceMut::new(&mut words)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut taken = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows of them.
            taken.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    let length = message.bytes;
    words.truncate(length);
    Ok((taken, words))
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::debug!(%error, "a socket's directory stays behind");
        }
    }
}

/// Comes back when there is something to read or the time is up.
fn wait_readable(fd: i32, time: Duration) {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let millis = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: poll reads and writes one pollfd of ours.
    let _count = unsafe { libc::poll(&mut asked, 1, millis) };
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    #[test]
    fn a_connection_goes_on_in_other_hands() {
        let place = Rendezvous::new().unwrap();
        let socket = place.socket();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = OwnedFd::from(listener.accept().unwrap().0);
        let giver = thread::spawn(move || place.give(&[&near], b"words", || false));
        let (mut taken, words) = take_over(&socket).unwrap();
        assert_eq!((taken.len(), words.as_slice()), (1, &b"words"[..]));
        assert!(giver.join().unwrap().unwrap());
        far.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        TcpStream::from(taken.remove(0)).read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        assert!(!socket.exists());
    }

    #[test]
    fn a_gift_that_nobody_takes_can_be_called_off() {
        let place = Rendezvous::new().unwrap();
        let socket = place.socket();
        assert!(!place.give(&[], b"words", || true).unwrap());
        assert!(take_over(&socket).is_err());
    }
}
