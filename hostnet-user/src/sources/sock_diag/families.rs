//! What is asked per family of sockets, and what each answer says. Bytes in,
//! facts out.

use hostnet_abi::{Address, Socket, v4_mapped};
use zerocopy::{FromBytes, IntoBytes};

use super::layout::{
    InetId, InetMessage, InetRequest, LocalMessage, NetlinkMessage, PlainRequest, UnixRequest,
};
use crate::{
    attribute::Found,
    event::{SocketState, UnixAddress, endpoint},
    sources::netlink::{attributes, number},
};

/// One request.
#[derive(Clone, Copy)]
pub enum Family {
    /// TCP, UDP, UDP-Lite or raw, of IPv4 or IPv6.
    Inet {
        family: i32,
        protocol: i32,
    },
    Unix,
    Packet,
    Netlink,
}

/// A family, as the coverage statement names what it shows and by what.
pub struct Row {
    pub sees: &'static str,
    pub by: &'static str,
    pub family: Family,
}

const fn inet(sees: &'static str, by: &'static str, family: i32, protocol: i32) -> Row {
    Row { sees, by, family: Family::Inet { family, protocol } }
}

use libc::{AF_INET, AF_INET6, IPPROTO_RAW, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};

/// Everything that is asked for.
pub const ROWS: [Row; 11] = [
    inet("TCP sockets existing at start, IPv4", "sock_diag/tcp", AF_INET, IPPROTO_TCP),
    inet("TCP sockets existing at start, IPv6", "sock_diag/tcp6", AF_INET6, IPPROTO_TCP),
    inet("UDP sockets existing at start, IPv4", "sock_diag/udp", AF_INET, IPPROTO_UDP),
    inet("UDP sockets existing at start, IPv6", "sock_diag/udp6", AF_INET6, IPPROTO_UDP),
    inet("UDP-Lite sockets existing at start, IPv4", "sock_diag/udplite", AF_INET, IPPROTO_UDPLITE),
    inet(
        "UDP-Lite sockets existing at start, IPv6",
        "sock_diag/udplite6",
        AF_INET6,
        IPPROTO_UDPLITE,
    ),
    inet("raw IP sockets existing at start, IPv4", "sock_diag/raw", AF_INET, IPPROTO_RAW),
    inet("raw IP sockets existing at start, IPv6", "sock_diag/raw6", AF_INET6, IPPROTO_RAW),
    Row { sees: "unix sockets existing at start", by: "sock_diag/unix", family: Family::Unix },
    Row {
        sees: "packet sockets existing at start",
        by: "sock_diag/packet",
        family: Family::Packet,
    },
    Row {
        sees: "netlink sockets existing at start",
        by: "sock_diag/netlink",
        family: Family::Netlink,
    },
];

/// What a kernel that shows TCP sockets may still not show.
pub const BOUND: (&str, &str) =
    ("TCP sockets existing at start that are only bound", "sock_diag/tcp-bound");

/// Since when it does (`TCPF_BOUND_INACTIVE`).
pub const BOUND_SINCE: (u32, u32) = (6, 8);

/// A socket as its family's answer shows it.
pub struct Shown {
    pub found: Found,
    pub inode: u32,
    /// Inode of a unix socket's peer.
    pub peer: Option<u32>,
}

// include/net/tcp_states.h
const TCP_ESTABLISHED: u8 = 1;
const TCP_SYN_SENT: u8 = 2;
const TCP_SYN_RECV: u8 = 3;
const TCP_FIN_WAIT1: u8 = 4;
const TCP_FIN_WAIT2: u8 = 5;
const TCP_TIME_WAIT: u8 = 6;
const TCP_CLOSE_WAIT: u8 = 8;
const TCP_LAST_ACK: u8 = 9;
const TCP_LISTEN: u8 = 10;
const TCP_CLOSING: u8 = 11;
const TCP_NEW_SYN_RECV: u8 = 12;

/// All states but those of a connection that nobody has yet, or any more. Bit 13
/// (`TCPF_BOUND_INACTIVE`) asks for TCP sockets that are bound and do nothing; an
/// older kernel does not know it and does not show them.
const STATES: u32 = !(1 << TCP_SYN_RECV | 1 << TCP_TIME_WAIT | 1 << TCP_NEW_SYN_RECV);

const INET_DIAG_PROTOCOL: u16 = 10;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_CGROUP_ID: u16 = 21;
const UDIAG_SHOW_NAME: u32 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UDIAG_SHOW_RQLEN: u32 = 0x10;
const UDIAG_SHOW_UID: u32 = 0x40;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_UID: u16 = 7;
const PACKET_SHOW_INFO: u32 = 1;
const PACKET_DIAG_INFO: u16 = 0;
const PACKET_DIAG_UID: u16 = 5;
const NDIAG_PROTO_ALL: u8 = u8::MAX;

fn inet_request(family: i32, protocol: i32, states: u32) -> Vec<u8> {
    let (family, protocol) = (family as u8, protocol as u8);
    InetRequest { family, protocol, states, ..InetRequest::default() }.as_bytes().to_vec()
}

impl Family {
    /// The request's bytes.
    pub fn request(self) -> Vec<u8> {
        match self {
            Self::Inet { family, protocol } => inet_request(family, protocol, STATES),
            Self::Unix => UnixRequest {
                family: libc::AF_UNIX as u8,
                states: u32::MAX,
                show: UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_UID,
                ..UnixRequest::default()
            }
            .as_bytes()
            .to_vec(),
            Self::Packet => PlainRequest {
                family: libc::AF_PACKET as u8,
                show: PACKET_SHOW_INFO,
                ..PlainRequest::default()
            }
            .as_bytes()
            .to_vec(),
            Self::Netlink => PlainRequest {
                family: libc::AF_NETLINK as u8,
                protocol: NDIAG_PROTO_ALL,
                ..PlainRequest::default()
            }
            .as_bytes()
            .to_vec(),
        }
    }

    /// The bytes of a request for listeners alone; of a family that has none, for all.
    pub fn listeners_request(self) -> Vec<u8> {
        match self {
            Self::Inet { family, protocol } => inet_request(family, protocol, 1 << TCP_LISTEN),
            Self::Unix | Self::Packet | Self::Netlink => self.request(),
        }
    }

    /// What an answer says; `None` for one that is cut off and for the kernel's
    /// own sockets.
    pub fn read(self, answer: &[u8]) -> Option<Shown> {
        match self {
            Self::Inet { protocol, .. } => inet_socket(protocol, answer),
            Self::Unix => unix_socket(answer),
            Self::Packet => packet_socket(answer),
            Self::Netlink => netlink_socket(answer),
        }
    }
}

fn cookie(halves: [u32; 2]) -> u64 {
    u64::from(halves[0]) | u64::from(halves[1]) << 32
}

fn inet_socket(protocol: i32, answer: &[u8]) -> Option<Shown> {
    let (message, rest) = InetMessage::read_from_prefix(answer).ok()?;
    let InetId { source, destination, interface, .. } = message.id;
    let is_v4 = i32::from(message.family) == AF_INET;
    let address = |words: Address| if is_v4 { v4_mapped(words[0]) } else { words };
    let end = |words, port| endpoint(address(words), u16::from_be_bytes(port));
    let is_raw = protocol == IPPROTO_RAW;
    let kind = match protocol {
        IPPROTO_TCP => libc::SOCK_STREAM,
        IPPROTO_RAW => libc::SOCK_RAW,
        _ => libc::SOCK_DGRAM,
    };
    let mut socket =
        Socket { family: message.family.into(), kind: kind as u16, protocol: protocol as u32 };
    let (mut cgroup, mut v6_only) = (None, false);
    for (kind, value) in attributes(rest) {
        match kind {
            INET_DIAG_SKV6ONLY => v6_only = number::<u8>(value) == Some(1),
            INET_DIAG_PROTOCOL if is_raw => {
                socket.protocol = number::<u8>(value).map_or(socket.protocol, Into::into);
            }
            INET_DIAG_CGROUP_ID => cgroup = number::<u64>(value),
            _ => {}
        }
    }
    // Where others have a port, a raw socket has its protocol.
    let port = |port| if is_raw { [0; 2] } else { port };
    let local = end(source, port(message.id.source_port));
    let remote = end(destination, port(message.id.destination_port));
    let has_ip = |address: std::net::SocketAddr| !address.ip().to_canonical().is_unspecified();
    Some(Shown {
        found: Found {
            cookie: cookie(message.id.cookie),
            socket,
            state: inet_state(message.state, protocol),
            local: (!is_raw || has_ip(local)).then_some(local),
            remote: (remote.port() != 0 || has_ip(remote)).then_some(remote),
            backlog: (message.state == TCP_LISTEN).then_some(message.send_queue),
            interface: (interface != 0).then_some(interface),
            v6_only,
            user: Some(message.user),
            cgroup: cgroup.filter(|id| *id != 0),
            ..Found::default()
        },
        inode: message.inode,
        peer: None,
    })
}

/// A socket without a connection is CLOSE when it has no peer.
const fn inet_state(state: u8, protocol: i32) -> SocketState {
    match state {
        TCP_ESTABLISHED => SocketState::Established,
        TCP_SYN_SENT => SocketState::SynSent,
        TCP_FIN_WAIT1 => SocketState::FinWait1,
        TCP_FIN_WAIT2 => SocketState::FinWait2,
        TCP_CLOSE_WAIT => SocketState::CloseWait,
        TCP_LAST_ACK => SocketState::LastAck,
        TCP_LISTEN => SocketState::Listen,
        TCP_CLOSING => SocketState::Closing,
        _ if protocol == IPPROTO_RAW => SocketState::Open,
        _ => SocketState::Bound,
    }
}

fn unix_socket(answer: &[u8]) -> Option<Shown> {
    let (message, rest) = LocalMessage::read_from_prefix(answer).ok()?;
    let mut found = local_socket(&message, 0);
    let mut peer = None;
    for (kind, value) in attributes(rest) {
        match kind {
            UNIX_DIAG_NAME => found.local_name = UnixAddress::new(value),
            UNIX_DIAG_PEER => peer = number(value),
            // Two numbers, of which the second is a listener's backlog.
            UNIX_DIAG_RQLEN => found.backlog = value.get(4..).and_then(number),
            UNIX_DIAG_UID => found.user = number(value),
            _ => {}
        }
    }
    found.state = match (message.state_or_protocol[0], &found.local_name) {
        (TCP_LISTEN, _) => SocketState::Listen,
        (TCP_ESTABLISHED, _) => SocketState::Established,
        (_, Some(_)) => SocketState::Bound,
        (_, None) => SocketState::Open,
    };
    if found.state != SocketState::Listen {
        found.backlog = None;
    }
    Some(Shown { found, inode: message.inode, peer })
}

fn packet_socket(answer: &[u8]) -> Option<Shown> {
    let (message, rest) = LocalMessage::read_from_prefix(answer).ok()?;
    let protocol = u16::from_ne_bytes(message.state_or_protocol);
    let mut found = local_socket(&message, protocol.into());
    for (kind, value) in attributes(rest) {
        match kind {
            // It begins with the interface's index.
            PACKET_DIAG_INFO => found.interface = number(value).filter(|index| *index != 0),
            PACKET_DIAG_UID => found.user = number(value),
            _ => {}
        }
    }
    Some(Shown { found, inode: message.inode, peer: None })
}

fn netlink_socket(answer: &[u8]) -> Option<Shown> {
    let (message, _) = NetlinkMessage::read_from_prefix(answer).ok()?;
    // The kernel's own ends have port 0, which nobody else can have.
    if message.port == 0 {
        return None;
    }
    let NetlinkMessage { family, kind, inode, cookie, .. } = message;
    let local = LocalMessage { family, kind, state_or_protocol: [0; 2], inode, cookie };
    let found = local_socket(&local, message.protocol.into());
    let found = Found { state: SocketState::Bound, ..found };
    Some(Shown { found, inode, peer: None })
}

fn local_socket(message: &LocalMessage, protocol: u32) -> Found {
    Found {
        cookie: cookie(message.cookie),
        socket: Socket { family: message.family.into(), kind: message.kind.into(), protocol },
        ..Found::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_name_keeps_every_byte() {
        let message = LocalMessage {
            family: 1,
            kind: 1,
            state_or_protocol: [TCP_LISTEN, 0],
            inode: 7,
            cookie: [1, 2],
        };
        let name = b"\0a\0\x1b[2J\xff";
        let mut answer = message.as_bytes().to_vec();
        answer.extend([4 + name.len() as u8, 0, 0, 0]);
        answer.extend(name);
        let shown = Family::Unix.read(&answer).unwrap();
        assert_eq!(shown.found.local_name.unwrap().bytes(), name);
        assert_eq!(shown.found.cookie, 1 | 2 << 32);
        assert_eq!((shown.inode, shown.found.state), (7, SocketState::Listen));
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for row in ROWS {
            for length in 0..16 {
                assert!(row.family.read(&vec![0; length]).is_none(), "{}", row.by);
            }
        }
    }
}
