//! Keys and values of the maps that both sides touch.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// Whether a cgroup's tasks are told in full.
pub mod cgroup_class {
    /// They are.
    pub const OPEN: u32 = 0;
    /// Host processes.
    pub const HOST: u32 = 1;
    /// Host processes of a service manager, which gives many of them mounts of their own.
    pub const SERVICE: u32 = 2;
    /// A container's process is, or was, among the host's: all are told.
    pub const MIXED: u32 = 3;
}

/// Value of the map of cgroups. One that is not in it is told in full.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Cgroup {
    /// Until when its budget is spent, on the clock of `Settings::window_ns`.
    pub spent_ns: u64,
    /// The cgroup whose budget it shares; 0 when it has its own.
    pub payer: u64,
    /// One of [`cgroup_class`].
    pub class: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

/// Set in [`Act::kind`], and in [`LossKey::kind`] of what was counted instead of
/// told, when the record [carries state](crate::Repeats::carries_state).
pub const CARRIES_STATE: u64 = 1 << 16;

/// Key of the map of acts that were told although their owner's budget was spent;
/// when is the value (`u64`, `CLOCK_BOOTTIME` nanoseconds).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Act {
    /// Cgroup of the owner.
    pub cgroup: u64,
    /// An `EventKind`, and [`CARRIES_STATE`].
    pub kind: u64,
    /// As in [`Subject`](crate::Subject).
    pub address: Address,
    /// As in [`Subject`](crate::Subject).
    pub port: u32,
    /// As in [`Subject`](crate::Subject).
    pub detail: u32,
}

/// How acts are remembered.
pub mod first_seen {
    /// How long an act told once is a repeat, nanoseconds.
    pub const WINDOW_NS: u64 = 60_000_000_000;
    /// New acts of one owner and kind that are reported in that time; more are only
    /// counted.
    pub const MOST: u64 = 12_288;
    /// Acts that are remembered at all.
    pub const ENTRIES: u32 = 1 << 19;
    /// Acts of one owner, of all kinds, that are remembered in a window. What is beyond
    /// is reported within its quota all the same, but when it is done again it is new.
    pub const SHARE: u64 = 1 << 15;
    /// In place of the kind: the key under which an owner's share is counted.
    pub const ALL_KINDS: u64 = 1 << 17;
}

/// Value of the map of acts that were counted instead of told; its key is a
/// [`LossKey`].
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Suppressed {
    /// How many.
    pub count: u64,
    /// Those of them that were new: nothing like them was reported in the last window.
    pub new: u64,
    /// When the window of [`first_seen`] began, `CLOCK_BOOTTIME` nanoseconds.
    pub window_ns: u64,
    /// New acts that were reported since then.
    pub reported: u64,
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

/// Key of the map of counts that have been told, which only the agent uses: one that
/// comes after it goes on from there.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ToldKey {
    /// Which counter, as the agent numbers them.
    pub counter: u64,
    /// Cgroup of the owner, or 0.
    pub cgroup: u64,
    /// What was counted.
    pub kind: u64,
}

/// How UDP flows are counted.
pub mod flow {
    /// Peers of one socket that are counted apart, each with an entry of its own.
    pub const MOST: u64 = 256;
    /// Entries of all sockets.
    pub const ENTRIES: u32 = 1 << 15;
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
