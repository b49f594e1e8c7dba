//! What the kernel says about a process's sockets: their own addresses and those of their other ends.
//!
//! A descriptor's copy of our own (`pidfd_getfd(2)`, Linux 5.6) is asked, which takes as long on a machine with a hundred thousand
//! connections as on any other. Where the kernel does not give one, lists of all sockets have to do (`listed`).

mod listed;

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::OnceLock;

use nix::sys::socket::{AddressFamily, SockaddrLike as _, SockaddrStorage, getpeername, getsockname};

use crate::Pid;
use listed::Listed;

/// Descriptors that are looked at together.
const MOST_DESCRIPTORS: usize = 4096;

/// A socket's two ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Socket {
    /// Its own address: `127.0.0.1:80`, `[::1]:80`, a unix socket's path. None if it has no name.
    pub local: Option<String>,
    /// The other end's. None if it is not connected, or that end has no name.
    pub peer: Option<String>,
}

/// The sockets of one process.
#[derive(Debug)]
pub struct Sockets {
    pid: Pid,
    /// The process, for the kernel; none if it cannot be named so.
    process: OnceLock<Option<OwnedFd>>,
    listed: Listed,
}

impl Sockets {
    /// Reads nothing yet.
    pub const fn new(pid: Pid) -> Self {
        Self { pid, process: OnceLock::new(), listed: Listed::new(pid) }
    }

    /// The sockets behind all descriptors, of the first 4,096.
    pub fn all(&self) -> HashMap<i32, Socket> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().take(MOST_DESCRIPTORS);
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter_map(|fd| Some((fd, self.of(fd)?))).collect()
    }

    /// The socket behind a descriptor; none if there is no such descriptor, or it is something else. True as long as the
    /// process does not run on between the first question and this answer.
    pub fn of(&self, fd: i32) -> Option<Socket> {
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid)).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        match self.copy_of(fd) {
            Some(copy) => ends(copy.as_raw_fd()),
            None => self.listed.of(inode),
        }
    }

    /// A descriptor of our own for the same socket, if the kernel lets us have one.
    fn copy_of(&self, fd: i32) -> Option<OwnedFd> {
        let process = self.process.get_or_init(|| {
            // SAFETY: two numbers; the kernel makes a new descriptor, which nobody else has.
            owned(unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) })
        });
        let process = process.as_ref()?.as_raw_fd();
        // SAFETY: three numbers; the kernel makes a new descriptor, which nobody else has.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, fd, 0) })
    }
}

/// What a system call that makes a descriptor has made.
fn owned(answer: libc::c_long) -> Option<OwnedFd> {
    let fd = RawFd::try_from(answer).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just made it, for us alone.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a socket of our own says. None if it is neither of the internet nor a unix socket.
fn ends(fd: RawFd) -> Option<Socket> {
    let local: SockaddrStorage = getsockname(fd).ok()?;
    let peer = || getpeername(fd).ok().and_then(|peer: SockaddrStorage| name(&peer));
    let is_known = matches!(local.family()?, AddressFamily::Inet | AddressFamily::Inet6 | AddressFamily::Unix);
    is_known.then(|| Socket { local: name(&local), peer: peer() })
}

/// An address as a user reads it: none for a unix socket without a name, and where there is no port.
fn name(address: &SockaddrStorage) -> Option<String> {
    if let Some(unix) = address.as_unix_addr() {
        let abstracted = || Some(format!("@{}", String::from_utf8_lossy(unix.as_abstract()?)));
        return unix.path().map(|path| path.to_string_lossy().into_owned()).or_else(abstracted);
    }
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    let address = v4.or_else(|| Some(SocketAddr::V6((*address.as_sockaddr_in6()?).into())))?;
    (address.port() != 0).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix;
    use std::os::unix::net::{UnixListener, UnixStream};

    /// Our own sockets, as the kernel tells of them one by one, and as it lists them.
    fn own() -> [Sockets; 2] {
        let sockets = || Sockets::new(i32::try_from(std::process::id()).expect("a pid"));
        let (asked, listed) = (sockets(), sockets());
        listed.process.set(None).expect("not looked at yet");
        let file = fs::File::open("/dev/null").expect("opened");
        assert!(asked.copy_of(file.as_raw_fd()).is_some() && listed.copy_of(file.as_raw_fd()).is_none());
        [asked, listed]
    }

    fn text(address: std::io::Result<SocketAddr>) -> Option<String> {
        Some(address.expect("an address").to_string())
    }

    #[test]
    fn addresses_of_the_internet_are_those_of_both_ends() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(host).expect("a port");
            let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
            let (far, _) = listener.accept().expect("accepted");
            let datagrams = UdpSocket::bind(host).expect("a port");
            for sockets in own() {
                let of = |fd| sockets.of(fd).expect("a socket");
                let expected = Socket { local: text(near.local_addr()), peer: text(near.peer_addr()) };
                assert_eq!(of(near.as_raw_fd()), expected);
                assert_eq!(of(far.as_raw_fd()).peer, text(near.local_addr()));
                assert_eq!(of(listener.as_raw_fd()), Socket { local: text(listener.local_addr()), peer: None });
                assert_eq!(of(datagrams.as_raw_fd()), Socket { local: text(datagrams.local_addr()), peer: None });
            }
        }
    }

    #[test]
    fn a_unix_socket_is_named_by_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("with space.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let near = UnixStream::connect(&path).expect("connected");
        let (far, _) = listener.accept().expect("accepted");
        let name = Some(path.to_str().expect("text").to_owned());
        for sockets in own() {
            assert_eq!(sockets.of(listener.as_raw_fd()), Some(Socket { local: name.clone(), peer: None }));
            assert_eq!(sockets.of(near.as_raw_fd()), Some(Socket { local: None, peer: name.clone() }));
            assert_eq!(sockets.of(far.as_raw_fd()), Some(Socket { local: name.clone(), peer: None }));
        }
    }

    #[test]
    fn a_unix_socket_without_a_file_has_a_name_with_an_at() {
        let name = format!("weft-{}", std::process::id());
        let address = unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
        let listener = UnixListener::bind_addr(&address).expect("a socket");
        let (near, far) = UnixStream::pair().expect("a pair");
        for sockets in own() {
            assert_eq!(sockets.of(listener.as_raw_fd()), Some(Socket { local: Some(format!("@{name}")), peer: None }));
            assert_eq!(
                [&near, &far].map(|it| sockets.of(it.as_raw_fd())),
                [const { Some(Socket { local: None, peer: None }) }; 2]
            );
        }
    }

    #[test]
    fn what_is_no_socket_has_no_ends() {
        let file = fs::File::open("/dev/null").expect("opened");
        for sockets in own() {
            assert_eq!((sockets.of(file.as_raw_fd()), sockets.of(-1)), (None, None));
        }
    }
}
