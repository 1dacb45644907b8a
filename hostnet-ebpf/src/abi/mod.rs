//! The record layout shared by the eBPF programs and the agent.
//!
//! A record is a [`Header`], the payload of its kind and, for a few kinds, a
//! tail of bytes. Only integers cross the boundary: the kind and the hook are
//! numbers until [`EventKind::from_raw`] and [`Hook::from_raw`] have checked
//! them, and padding does not compile (`zerocopy::IntoBytes`). This crate knows
//! nothing of eBPF helpers, of aya, or of how an event is shown.
#![no_std]

mod accept;
mod bind;
mod cgroup;
mod close;
mod connect;
mod datagram;
mod event_table;
mod exec;
mod exit;
mod family_socket;
mod fork;
mod header;
mod hook;
mod listen;
mod maps;
mod multicast;
mod netlink;
mod offsets;
mod packet;
mod raw_socket;
mod repeat;
pub mod sensitive;
mod settings;
mod unix;

pub use accept::{Accept, AcceptTaken};
pub use bind::{Bind, BindAsked, BindRefused, reuse};
pub use cgroup::{CgroupAttach, CgroupMkdir, CgroupRmdir, MAX_CGROUP_PATH};
pub use close::Close;
pub use connect::{Connect, ConnectOutcome, established};
pub use datagram::{Datagram, DatagramClose, counting, direction};
pub use event_table::{DecodeError, EventKind, Payload, Record, decode, header};
pub use exec::{Exec, MAX_ARGUMENTS, MAX_FILENAME, MAX_PATH, exec_flag};
pub use exit::Exit;
pub use family_socket::FamilySocket;
pub use fork::Fork;
pub use header::{Address, Header, Socket, V4_MAPPED_PREFIX, v4_mapped};
pub use hook::{Hook, Set};
pub use listen::Listen;
pub use maps::{
    Act, CARRIES_STATE, Cgroup, Contained, Flow, FlowKey, LossKey, Suppressed, ToldKey,
    cgroup_class, first_seen, flow,
};
pub use multicast::MulticastJoin;
pub use netlink::{NetlinkBind, NetlinkRequest};
pub use offsets::Offsets;
pub use packet::{MAX_FILTER, PacketBind, SocketFilter};
pub use raw_socket::RawSocket;
pub use repeat::{Repeats, Subject};
pub use sensitive::Sensitive;
pub use settings::Settings;
pub use unix::{MAX_SUN_PATH, NAME_WORDS, Unix, name_hash, unix_operation};
