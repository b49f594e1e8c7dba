//! What the kernel says about a process's sockets: their own addresses and those of their other ends.
//!
//! A descriptor's link names its inode, `/proc/pid/net` lists all sockets of the process's network namespace by inode. Of a
//! unix socket's other end only the kernel's diagnostics tell (`sock_diag(7)`, asked for one socket at a time).

use std::collections::HashMap;
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvmsg, sendmsg, socket,
};

use crate::Pid;
use crate::proc::read_bounded;

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

/// The sockets of one process, as the kernel lists them when the first of them is asked for.
#[derive(Debug)]
pub struct Sockets {
    pid: Pid,
    listed: OnceLock<HashMap<u64, Socket>>,
}

impl Sockets {
    /// Reads nothing yet.
    pub const fn new(pid: Pid) -> Self {
        Self { pid, listed: OnceLock::new() }
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
        let listed = self.listed.get_or_init(|| list(self.pid));
        let mut socket = listed.get(&inode)?.clone();
        if socket.peer.is_none() && is_unix(&socket) {
            socket.peer = unix_peer(self.pid, inode).and_then(|peer| listed.get(&peer)?.local.clone());
        }
        Some(socket)
    }
}

/// Addresses of the internet have a port; what else is listed is a unix socket.
fn is_unix(socket: &Socket) -> bool {
    socket.local.as_ref().is_none_or(|local| local.parse::<SocketAddr>().is_err())
}

fn list(pid: Pid) -> HashMap<u64, Socket> {
    let mut found = HashMap::new();
    let read = |table: &str| read_bounded(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        found.extend(String::from_utf8_lossy(&read(table)).lines().skip(1).filter_map(internet));
    }
    found.extend(String::from_utf8_lossy(&read("unix")).lines().skip(1).filter_map(unix));
    found
}

/// `sl: local remote state tx:rx timer retransmits uid timeout inode …`.
fn internet(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, peer) = (address(fields.next()?)?, address(fields.next()?)?);
    let inode = fields.nth(6)?.parse().ok()?;
    let is_somewhere = |address: &SocketAddr| address.port() != 0;
    Some((
        inode,
        Socket {
            local: Some(local).filter(is_somewhere).map(|address| address.to_string()),
            peer: Some(peer).filter(is_somewhere).map(|address| address.to_string()),
        },
    ))
}

/// `0100007F:1F90`: words of the address in the machine's byte order, the port in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |digits: &[u8]| Some(u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?.to_ne_bytes());
    let words: Vec<[u8; 4]> = address.as_bytes().chunks(8).map(word).collect::<Option<_>>()?;
    let ip = match words.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [_, _, _, _] => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// `Num: RefCount Protocol Flags Type St Inode [Path]`.
fn unix(line: &str) -> Option<(u64, Socket)> {
    let (_, mut rest) = line.split_once(": ")?;
    // A path may have spaces; what is before it has them only between fields, some of which are padded.
    let mut inode = "";
    for _ in 0..6 {
        rest = rest.trim_start();
        (inode, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    }
    let path = Some(rest).filter(|path| !path.is_empty()).map(str::to_owned);
    Some((inode.parse().ok()?, Socket { local: path, peer: None }))
}

/// `linux/sock_diag.h`, `linux/unix_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
/// Lengths of `nlmsghdr`, `unix_diag_req`, `unix_diag_msg`.
const HEADER: usize = 16;
const REQUEST: u32 = 24;
const MESSAGE: usize = 16;

/// The inode of a connected unix socket's other end. Only sockets of weft's own network namespace can be asked for.
fn unix_peer(pid: Pid, inode: u64) -> Option<u64> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    if namespace("self")? != namespace(&pid.to_string())? {
        return None;
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let link = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag).ok()?;
    let mut request = Vec::new();
    request.extend((u32::try_from(HEADER).ok()?.saturating_add(REQUEST)).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([u8::try_from(libc::AF_UNIX).ok()?, 0, 0, 0]);
    for word in [u32::MAX, u32::try_from(inode).ok()?, UDIAG_SHOW_PEER, u32::MAX, u32::MAX] {
        request.extend(word.to_ne_bytes());
    }
    let kernel = NetlinkAddr::new(0, 0);
    sendmsg(link.as_raw_fd(), &[IoSlice::new(&request)], &[], MsgFlags::empty(), Some(&kernel)).ok()?;
    let mut answer = [0_u8; 1024];
    // The kernel answers within the call that asks.
    let length = recvmsg::<NetlinkAddr>(link.as_raw_fd(), &mut [IoSliceMut::new(&mut answer)], None, MsgFlags::empty())
        .ok()?
        .bytes;
    peer_in(answer.get(..length)?)
}

/// The inode that an answer's attributes name.
fn peer_in(answer: &[u8]) -> Option<u64> {
    let half = |bytes: &[u8]| Some(u16::from_ne_bytes(<[u8; 2]>::try_from(bytes).ok()?));
    if half(answer.get(4..6)?)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut rest = answer.get(HEADER.saturating_add(MESSAGE)..)?;
    while let Some(header) = rest.get(..4) {
        let (length, kind) = (usize::from(half(header.get(..2)?)?), half(header.get(2..)?)?);
        let value = rest.get(4..length)?;
        if kind == UNIX_DIAG_PEER {
            return <[u8; 4]>::try_from(value).ok().map(|word| u64::from(u32::from_ne_bytes(word)));
        }
        // Attributes begin at multiples of four.
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixListener, UnixStream};

    fn own() -> Sockets {
        Sockets::new(i32::try_from(std::process::id()).expect("a pid"))
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
            let sockets = own();
            let of = |fd| sockets.of(fd).expect("a socket");
            let expected = Socket { local: text(near.local_addr()), peer: text(near.peer_addr()) };
            assert_eq!(of(near.as_raw_fd()), expected);
            assert_eq!(of(far.as_raw_fd()).peer, text(near.local_addr()));
            assert_eq!(of(listener.as_raw_fd()), Socket { local: text(listener.local_addr()), peer: None });
            assert_eq!(of(datagrams.as_raw_fd()), Socket { local: text(datagrams.local_addr()), peer: None });
        }
    }

    #[test]
    fn a_unix_socket_is_named_by_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("with space.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let near = UnixStream::connect(&path).expect("connected");
        let (far, _) = listener.accept().expect("accepted");
        let sockets = own();
        let name = Some(path.to_str().expect("text").to_owned());
        assert_eq!(sockets.of(listener.as_raw_fd()), Some(Socket { local: name.clone(), peer: None }));
        assert_eq!(sockets.of(near.as_raw_fd()), Some(Socket { local: None, peer: name.clone() }));
        assert_eq!(sockets.of(far.as_raw_fd()), Some(Socket { local: name, peer: None }));
    }

    #[test]
    fn what_is_no_socket_has_no_ends() {
        let file = fs::File::open("/dev/null").expect("opened");
        assert_eq!(own().of(file.as_raw_fd()), None);
        assert_eq!(own().of(-1), None);
        for line in ["", "  1: 0100007F", "1: 0:0 0:0", "zz: x y z"] {
            assert_eq!((internet(line), unix(line)), (None, None), "{line}");
        }
    }

    #[test]
    fn answers_that_are_cut_name_nobody() {
        let mut answer = vec![0_u8; HEADER + MESSAGE];
        answer[4] = 20;
        answer.extend([8, 0, 2, 0, 7, 0, 0, 0]);
        assert_eq!(peer_in(&answer), Some(7));
        for length in 0..answer.len() {
            assert_eq!(peer_in(&answer[..length]), None, "{length}");
        }
        answer[HEADER + MESSAGE] = 0;
        assert_eq!(peer_in(&answer), None);
    }
}
