//! A socket from before the agent, as the kernel shows it: plain data.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::{Socket, SocketState, UnixAddress};

const IPPROTO_TCP: u32 = 6;

/// A socket as it was found. By default it is nothing in particular.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The kernel's id of it.
    pub cookie: u64,
    /// Family, type and protocol.
    #[serde(with = "SocketNumbers")]
    pub socket: hostnet_abi::Socket,
    /// What it is doing.
    pub state: SocketState,
    /// Local end of an IP socket.
    pub local: Option<SocketAddr>,
    /// Remote end of an IP socket.
    pub remote: Option<SocketAddr>,
    /// Local end of a unix socket.
    pub local_name: Option<UnixAddress>,
    /// Remote end of a unix socket.
    pub remote_name: Option<UnixAddress>,
    /// The socket at the other end of a unix socket, by its cookie.
    #[serde(default)]
    pub other_end: Option<u64>,
    /// Length of a listener's accept queue.
    pub backlog: Option<u32>,
    /// Index of the interface it is bound to.
    pub interface: Option<u32>,
    /// An IPv6 socket serves IPv6 only.
    #[serde(default)]
    pub v6_only: bool,
    /// Who opened it.
    pub user: Option<u32>,
    /// Cgroup it was made in, where the kernel says so.
    pub cgroup: Option<u64>,
    /// Processes that hold it, in the order of their ids.
    pub holders: Vec<Holder>,
}

/// A process that holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// The cgroup it is in.
    pub cgroup: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "hostnet_abi::Socket")]
struct SocketNumbers {
    family: u16,
    kind: u16,
    protocol: u32,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            cookie: 0,
            socket: hostnet_abi::Socket::default(),
            state: SocketState::Open,
            local: None,
            remote: None,
            local_name: None,
            remote_name: None,
            other_end: None,
            backlog: None,
            interface: None,
            v6_only: false,
            user: None,
            cgroup: None,
            holders: Vec::new(),
        }
    }
}

impl Found {
    pub(super) fn is_tcp(&self) -> bool {
        self.socket.protocol == IPPROTO_TCP && self.local.is_some()
    }

    /// Whether its end will be told by a record.
    pub(super) fn has_an_end(&self) -> bool {
        let is_datagram = i32::from(self.socket.kind) == libc::SOCK_DGRAM && self.local.is_some();
        is_datagram || (self.is_tcp() && self.state != SocketState::Bound)
    }

    pub(super) fn socket(&self) -> Socket {
        Socket { cookie: self.cookie, socket: self.socket }
    }
}
