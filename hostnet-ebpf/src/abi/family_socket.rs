//! Sockets outside TCP and UDP: packet, netlink, vsock, AF_XDP and the rest.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Socket, Subject, repeat::of_socket};

/// A socket of another family than IP and unix, or of another IP protocol than
/// the usual ones, was opened, or used for the first time where opening one
/// cannot be seen.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FamilySocket {
    /// Family, type and protocol; a packet socket's protocol is its `ETH_P_*`.
    pub socket: Socket,
}

impl Repeats for FamilySocket {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}
