//! IP multicast: a socket asks for what is sent to a group.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Repeats, Socket, Subject};

/// A socket joined a multicast group.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MulticastJoin {
    /// The group.
    pub group: Address,
    /// The only sender that is asked for; unspecified for any.
    pub source: Address,
    /// Address the socket is bound to.
    pub local: Address,
    /// Port the socket is bound to, host order; 0 when it is not bound yet.
    pub local_port: u32,
    /// Index of the interface; 0 when the kernel's routes choose it and do not say.
    pub interface: u32,
    /// The socket.
    pub socket: Socket,
}

impl Repeats for MulticastJoin {
    #[inline(always)]
    fn subject(&self) -> Subject {
        Subject { address: self.group, port: self.local_port, detail: self.interface }
    }
}
