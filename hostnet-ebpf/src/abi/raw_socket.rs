//! A raw IP socket.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Socket;

/// A raw IP socket was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RawSocket {
    /// Family and protocol.
    pub socket: Socket,
}
