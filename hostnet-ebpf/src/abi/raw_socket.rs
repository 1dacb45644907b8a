//! A raw IP socket.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Socket, Subject, repeat::of_socket};

/// A raw IP socket was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RawSocket {
    /// Family and protocol.
    pub socket: Socket,
}

impl Repeats for RawSocket {
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_socket(self.socket, 0)
    }
}
