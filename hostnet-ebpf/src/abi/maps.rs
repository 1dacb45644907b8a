//! Keys and values of the maps that both sides touch.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// Key of the map of lost records: how many is the value (`u64`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct LossKey {
    /// Cgroup of the owner whose record was lost.
    pub cgroup: u64,
    /// An `EventKind`.
    pub kind: u64,
}

/// Key of the map of UDP flows: a socket and a peer it exchanged datagrams with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FlowKey {
    /// The socket.
    pub cookie: u64,
    /// The peer's address.
    pub remote: Address,
    /// The peer's port, host order.
    pub remote_port: u64,
}

/// Value of the map of UDP flows.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Flow {
    /// Datagrams sent to the peer.
    pub sent: u64,
    /// Datagrams received from the peer.
    pub received: u64,
}
