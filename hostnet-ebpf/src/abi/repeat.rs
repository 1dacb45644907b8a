//! What makes one act a repeat of another, and which records are told before others.
//!
//! While an owner has more to tell than its budget allows, an act is told when
//! nothing of its kind about the same subject was told lately; the rest is counted.

use crate::{
    Accept, AcceptTaken, Address, Bind, BindAsked, BindRefused, CgroupAttach, CgroupMkdir,
    CgroupRmdir, Close, Connect, ConnectOutcome, Datagram, DatagramClose, Exec, Exit, FamilySocket,
    Fork, Listen, MulticastJoin, NetlinkBind, NetlinkRequest, PacketBind, RawSocket, Socket,
    SocketFilter,
};

/// `TCP_LISTEN` (include/net/tcp_states.h).
const TCP_LISTEN: u16 = 10;

/// What an act is about. Whatever differs between repeats, such as the port that
/// the kernel chooses for each connect, is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The other end, or the address that is asked for; any 16 bytes.
    pub address: Address,
    /// The port that is known before the act: a service's. Of a unix socket a number
    /// for what its path ends with, where that is looked at.
    pub port: u32,
    /// Whatever else tells such acts apart.
    pub detail: u32,
}

/// A payload that may be a repeat. (A `Unix` record's name is only in kernel memory
/// when that is asked; its program says what it is about.)
pub trait Repeats {
    /// Whether the agent's tables rest on this record: its owner may tell it when
    /// others have used up its budget.
    const CARRIES_STATE: bool = false;

    /// Whether it says something without the record that answers it: what is told
    /// because it is new is told for certain, its answer may be a repeat.
    const IS_TOLD_ALONE: bool = true;

    /// [`CARRIES_STATE`](Self::CARRIES_STATE) where it depends on the record.
    #[inline(always)]
    fn carries_state(&self) -> bool {
        Self::CARRIES_STATE
    }

    /// What it is about.
    fn subject(&self) -> Subject;
}

#[inline(always)]
const fn of_socket(socket: Socket, detail: u32) -> Subject {
    let kind = (socket.family as u32) << 16 | socket.kind as u32;
    Subject { address: [kind, socket.protocol, 0, 0], port: 0, detail }
}

#[inline(always)]
const fn of_number(number: u64, detail: u32) -> Subject {
    Subject { address: [number as u32, (number >> 32) as u32, 0, 0], port: 0, detail }
}

/// Without the success that follows it would be told as a failure. One that is new and
/// succeeds is told by its success.
impl Repeats for BindAsked {
    const IS_TOLD_ALONE: bool = false;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

impl Repeats for Bind {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

impl Repeats for BindRefused {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.errno)
    }
}

impl Repeats for Listen {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port.into(), detail: self.socket.protocol }
    }
}

impl Repeats for Connect {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.address, port: self.port, detail: self.socket.protocol }
    }
}

impl Repeats for ConnectOutcome {
    #[inline(always)]
    fn subject(&self) -> Subject {
        let detail = (self.established as u32) << 16 | self.errno as u32;
        Subject { address: self.remote, port: self.remote_port.into(), detail }
    }
}

impl Repeats for Accept {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.remote, port: self.local_port.into(), detail: 0 }
    }
}

impl Repeats for AcceptTaken {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}

impl Repeats for Close {
    /// The end of a listener, who can then no longer be at the other end.
    #[inline(always)]
    fn carries_state(&self) -> bool {
        self.from_state == TCP_LISTEN
    }
    /// Which end connected is not known here; services have the lower port.
    #[inline(always)]
    fn subject(&self) -> Subject {
        let (local, remote) = (self.local_port, self.remote_port);
        let service = if remote == 0 || local < remote { local } else { remote };
        let detail = (self.from_state == TCP_LISTEN) as u32;
        Subject { address: self.remote, port: service.into(), detail }
    }
}

impl Repeats for Datagram {
    #[inline(always)]
    fn subject(&self) -> Subject {
        let detail = self.direction.into();
        Subject { address: self.remote, port: self.remote_port.into(), detail }
    }
}

impl Repeats for DatagramClose {
    // It does when the socket was bound, as its program sees.
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.local, port: self.local_port, detail: 0 }
    }
}

impl Repeats for RawSocket {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}

impl Repeats for Exec {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.inode, self.device)
    }
}

impl Repeats for Fork {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject::default()
    }
}

impl Repeats for Exit {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(0, self.code)
    }
}

impl Repeats for CgroupMkdir {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}

impl Repeats for CgroupRmdir {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}

impl Repeats for CgroupAttach {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(self.id, 0)
    }
}

impl Repeats for FamilySocket {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}

impl Repeats for PacketBind {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.interface)
    }
}

impl Repeats for SocketFilter {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.instructions)
    }
}

impl Repeats for MulticastJoin {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.group, port: self.local_port, detail: self.interface }
    }
}

impl Repeats for NetlinkRequest {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.message.into())
    }
}

impl Repeats for NetlinkBind {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, self.groups)
    }
}
