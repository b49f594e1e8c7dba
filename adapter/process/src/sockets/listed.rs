//! Lists of all sockets of a process's network namespace, for where the kernel does not tell of one alone.
//!
//! `/proc/pid/net` has them by inode. Of a unix socket's other end only the kernel's diagnostics tell (`sock_diag(7)`, asked for all
//! of the namespace at once: for one socket the kernel looks through all of them, too).

use std::collections::HashMap;
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvmsg, sendmsg, socket,
};

use super::Socket;
use crate::Pid;
use crate::proc::read_bounded;

/// The sockets of a network namespace by their inodes, as the kernel lists them when the first is asked for.
#[derive(Debug)]
pub(super) struct Listed {
    pid: Pid,
    all: OnceLock<HashMap<u64, Socket>>,
    /// The other ends of connected unix sockets, both by their inodes.
    unix_peers: OnceLock<HashMap<u64, u64>>,
}

impl Listed {
    /// Of this process's namespace; reads nothing yet.
    pub(super) const fn new(pid: Pid) -> Self {
        Self { pid, all: OnceLock::new(), unix_peers: OnceLock::new() }
    }

    /// The socket with an inode.
    pub(super) fn of(&self, inode: u64) -> Option<Socket> {
        let all = self.all.get_or_init(|| list(self.pid));
        let mut socket = all.get(&inode)?.clone();
        if socket.peer.is_none() && is_unix(&socket) {
            let peers = self.unix_peers.get_or_init(|| unix_peers(self.pid).unwrap_or_default());
            socket.peer = peers.get(&inode).and_then(|peer| all.get(peer)?.local.clone());
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

/// `linux/sock_diag.h`, `linux/unix_diag.h`, `linux/netlink.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
/// Lengths of `nlmsghdr`, `unix_diag_req`, `unix_diag_msg`.
const HEADER: usize = 16;
const REQUEST: u32 = 24;
const MESSAGE: usize = 16;

/// Bytes of an answer's longest piece.
const PIECE: usize = 32 << 10;
/// Most pieces of an answer: those of some hundred thousand sockets.
const MOST_PIECES: usize = 1024;

/// The inodes of connected unix sockets with those of their other ends. Only for weft's own network namespace.
fn unix_peers(pid: Pid) -> Option<HashMap<u64, u64>> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    if namespace("self")? != namespace(&pid.to_string())? {
        return None;
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let link = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag).ok()?;
    let mut request = Vec::new();
    request.extend((u32::try_from(HEADER).ok()?.saturating_add(REQUEST)).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([u8::try_from(libc::AF_UNIX).ok()?, 0, 0, 0]);
    for word in [u32::MAX, 0, UDIAG_SHOW_PEER, 0, 0] {
        request.extend(word.to_ne_bytes());
    }
    let kernel = NetlinkAddr::new(0, 0);
    sendmsg(link.as_raw_fd(), &[IoSlice::new(&request)], &[], MsgFlags::empty(), Some(&kernel)).ok()?;
    let mut peers = HashMap::new();
    let mut piece = vec![0_u8; PIECE];
    // The kernel has each piece ready when it is asked for.
    for _ in 0..MOST_PIECES {
        let mut into = [IoSliceMut::new(&mut piece)];
        let received = recvmsg::<NetlinkAddr>(link.as_raw_fd(), &mut into, None, MsgFlags::empty());
        let Some(length) = received.ok().map(|received| received.bytes) else { break };
        if !add_peers(piece.get(..length)?, &mut peers) {
            break;
        }
    }
    Some(peers)
}

/// Adds what a piece of an answer says; whether another piece follows.
fn add_peers(mut piece: &[u8], peers: &mut HashMap<u64, u64>) -> bool {
    while let Some(length) = word(piece, 0).and_then(|length| usize::try_from(length).ok()) {
        let is_socket = half(piece, 4) == Some(SOCK_DIAG_BY_FAMILY);
        let Some(message) = piece.get(..length).filter(|_| is_socket) else { return false };
        // Behind the header: family, type, state, nothing, the inode.
        let inode = word(message, HEADER.saturating_add(4));
        peers.extend(inode.zip(peer_in(message)));
        // Messages begin at multiples of four.
        piece = piece.get(length.max(HEADER).next_multiple_of(4)..).unwrap_or_default();
    }
    true
}

/// The inode that a message's attributes name.
fn peer_in(message: &[u8]) -> Option<u64> {
    let mut rest = message.get(HEADER.saturating_add(MESSAGE)..)?;
    loop {
        let (length, kind) = (usize::from(half(rest, 0)?), half(rest, 2)?);
        if kind == UNIX_DIAG_PEER {
            return word(rest.get(..length)?, 4);
        }
        // Attributes begin at multiples of four.
        rest = rest.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_ne_bytes(*half))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from(u32::from_ne_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_list_nothing() {
        for line in ["", "  1: 0100007F", "1: 0:0 0:0", "zz: x y z"] {
            assert_eq!((internet(line), unix(line)), (None, None), "{line}");
        }
    }

    /// A socket with an inode, and its other end's; with an attribute before that which means nothing here.
    fn message(inode: u32, peer: u32) -> Vec<u8> {
        let mut message = vec![0_u8; HEADER + MESSAGE];
        message[4] = 20;
        message[HEADER + 4..HEADER + 8].copy_from_slice(&inode.to_ne_bytes());
        message.extend([5, 0, 1, 0, 9, 0, 0, 0]);
        message.extend([8, 0, 2, 0]);
        message.extend(peer.to_ne_bytes());
        message[0] = message.len() as u8;
        message
    }

    #[test]
    fn an_answer_names_all_sockets_and_ends() {
        let mut peers = HashMap::new();
        assert!(add_peers(&[message(7, 8), message(8, 7)].concat(), &mut peers));
        assert_eq!(peers, HashMap::from([(7, 8), (8, 7)]));
        let mut done = vec![0_u8; HEADER + 4];
        (done[0], done[4]) = (20, 3);
        assert!(!add_peers(&[message(9, 1), done].concat(), &mut peers));
        assert_eq!(peers.get(&9), Some(&1));
    }

    #[test]
    fn answers_that_are_cut_name_nobody() {
        let whole = message(7, 8);
        for length in 0..whole.len() {
            let mut peers = HashMap::new();
            add_peers(&whole[..length], &mut peers);
            assert_eq!(peers, HashMap::new(), "{length}");
        }
        // Lengths that lead nowhere.
        for length in [0, 1, 200] {
            let mut message = message(7, 8);
            message[0] = length;
            let mut peers = HashMap::new();
            assert!(!add_peers(&[&message[..], &message].concat(), &mut peers) && peers.is_empty(), "{length}");
        }
    }
}
