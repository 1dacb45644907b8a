//! Keys and values of the maps that both sides touch.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// Values of the map of cgroups that are no container's.
pub mod cgroup_class {
    /// Host processes.
    pub const HOST: u8 = 1;
    /// Host processes of a service manager, which gives many of them mounts of their own.
    pub const SERVICE: u8 = 2;
    /// A container's process is, or was, among the host's: all are told.
    pub const MIXED: u8 = 3;
}

/// Value of the map of containers' processes, whose key is the process id.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Contained {
    /// The cgroup it, or its ancestor, was first seen contained in; 0 when that
    /// was the host's and only its namespaces told it apart.
    pub home: u64,
    /// The cgroup it is in now.
    pub now: u64,
}

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
