//! What detections depend on: an act about one of these is reported when its owner has
//! used up both its budget and its quota of new acts.
//!
//! The agent makes the table from what its detections look for before any program is
//! attached, and the programs only read it. An entry is a number that they compute of an
//! act, too; 0 is no entry. The table is a hash map: to the verifier, what a loop over
//! entries finds is a path for each of them, and in a program that looks at several
//! messages, such as netlink's, these multiply.

use crate::{Act, Address, CARRIES_STATE, EventKind, direction, established, unix_operation};

/// Room in the table.
pub const ENTRIES: usize = 48;

/// Acts of one owner, kind and entry that are reported in a window of
/// [`first_seen`](crate::first_seen), beside those of the quota of new acts.
pub const MOST: u64 = 1024;

/// Where the entry's number begins in the kind of a quota's key.
const SHIFT: u32 = 32;
/// Set when the act failed: failures do not use up what successes need.
const FAILED: u64 = 1 << 16;
/// Classes of kinds that are in no table because all of their acts matter, by protocol.
const OF_PROTOCOL: u64 = 1 << 15;

const ADDRESS: u64 = 1 << 62;
const PORT: u64 = 2 << 62;
const PATH_END: u64 = 3 << 62;

const AF_PACKET: u32 = 17;

/// What an entry may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitive {
    /// An address that is connected or sent to.
    Address(Address),
    /// The TCP port of a service.
    Port(u16),
    /// What a unix socket's path ends with, of which eight bytes count.
    PathEnd(&'static [u8]),
}

impl Sensitive {
    /// Its number in the table.
    #[must_use]
    pub fn entry(self) -> u64 {
        match self {
            Self::Address(address) => of_address(&address),
            Self::Port(port) => of_port(port.into()),
            Self::PathEnd(end) => match end.last_chunk() {
                Some(word) => of_path_end(path_end(u64::from_le_bytes(*word))),
                None => 0,
            },
        }
    }
}

/// A number for the last eight bytes of a path, the first in the lowest bits. Somebody may
/// find other bytes with the same number; acts about those then count as well.
#[inline(always)]
#[must_use]
pub const fn path_end(word: u64) -> u32 {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[inline(always)]
const fn of_address(address: &Address) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < address.len() {
        hash = (hash ^ address[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    ADDRESS | hash >> 2
}

#[inline(always)]
const fn of_port(port: u32) -> u64 {
    PORT | port as u64
}

#[inline(always)]
const fn of_path_end(end: u32) -> u64 {
    PATH_END | end as u64
}

impl Act {
    /// The kind of the key of the quota that this act has beside that of new acts; `None`
    /// when no detection depends on it. `index_of` is where an entry is in the table,
    /// from 1, or 0.
    #[inline(always)]
    pub fn sensitive_kind(&self, index_of: impl Fn(u64) -> u64) -> Option<u64> {
        let class = self.class(index_of);
        (class != 0).then_some(self.kind | class << SHIFT)
    }

    #[inline(always)]
    fn class(&self, index_of: impl Fn(u64) -> u64) -> u64 {
        const CONNECT: u64 = EventKind::Connect as u64;
        const OUTCOME: u64 = EventKind::ConnectOutcome as u64;
        const CLOSE: u64 = EventKind::Close as u64;
        const DATAGRAM: u64 = EventKind::Datagram as u64;
        const UNIX: u64 = EventKind::Unix as u64;
        const PACKET_BIND: u64 = EventKind::PacketBind as u64;
        const RAW_SOCKET: u64 = EventKind::RawSocket as u64;
        const NETLINK_REQUEST: u64 = EventKind::NetlinkRequest as u64;
        const FAMILY_SOCKET: u64 = EventKind::FamilySocket as u64;
        let (kind, detail) = (self.kind & !CARRIES_STATE, self.detail);
        let mut failed = 0;
        match kind {
            CONNECT | OUTCOME | CLOSE | DATAGRAM => {
                if kind == DATAGRAM && detail != direction::SENT as u32 {
                    return 0;
                }
                if kind == OUTCOME && detail >> 16 == established::NO as u32 {
                    failed = FAILED;
                }
                let mut index = index_of(of_address(&self.address));
                if index == 0 && kind != DATAGRAM {
                    index = index_of(of_port(self.port));
                }
                if index == 0 { 0 } else { index | failed }
            }
            UNIX => {
                let operation = (detail >> 16) as u16;
                if operation != unix_operation::CONNECT && operation != unix_operation::SEND {
                    return 0;
                }
                if detail as u16 != 0 {
                    failed = FAILED;
                }
                let index = index_of(of_path_end(self.port));
                if index == 0 { 0 } else { index | failed }
            }
            FAMILY_SOCKET if self.address[0] >> 16 != AF_PACKET => 0,
            FAMILY_SOCKET | PACKET_BIND | RAW_SOCKET => OF_PROTOCOL,
            // Whoever floods one part of the kernel hides nothing that it asks of another.
            NETLINK_REQUEST => OF_PROTOCOL | (self.address[1] & 31) as u64,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v4_mapped;

    fn act(kind: EventKind, address: Address, port: u32, detail: u32) -> Act {
        Act { cgroup: 1, kind: kind as u64, address, port, detail }
    }

    /// Its class when the table is this one.
    fn class(act: Act, table: &[Sensitive]) -> u64 {
        let entries = table.iter().map(|one| one.entry());
        let index_of = |entry| 1 + entries.clone().position(|one| one == entry).unwrap() as u64;
        let none =
            |entry| if entries.clone().any(|one| one == entry) { index_of(entry) } else { 0 };
        act.sensitive_kind(none).map_or(0, |kind| kind >> SHIFT)
    }

    #[test]
    fn an_act_is_sensitive_by_address_port_or_the_end_of_a_path() {
        let metadata = v4_mapped(u32::from_ne_bytes([169, 254, 169, 254]));
        let other = v4_mapped(u32::from_ne_bytes([127, 0, 0, 1]));
        let end = |word: &[u8; 8]| path_end(u64::from_le_bytes(*word));
        let table = [
            Sensitive::Address(metadata),
            Sensitive::Port(2375),
            Sensitive::PathEnd(b"docker.sock"),
        ];
        let connect = |address, port| act(EventKind::Connect, address, port, 6);
        assert_eq!(class(connect(metadata, 80), &table), 1);
        assert_eq!(class(connect(other, 2375), &table), 2);
        assert_eq!(class(connect(other, 80), &table), 0);
        let unix = |operation: u16, errno: u32, last: &[u8; 8]| {
            let detail = u32::from(operation) << 16 | errno;
            class(act(EventKind::Unix, [7, 8, 0, 0], end(last), detail), &table)
        };
        assert_eq!(unix(unix_operation::CONNECT, 0, b"ker.sock"), 3);
        assert_eq!(unix(unix_operation::CONNECT, 2, b"ker.sock"), 3 | FAILED);
        assert_eq!(unix(unix_operation::BIND, 0, b"ker.sock"), 0);
        assert_eq!(unix(unix_operation::CONNECT, 0, b"kit.sock"), 0);
    }

    #[test]
    fn failures_have_a_quota_of_their_own() {
        let address = v4_mapped(u32::from_ne_bytes([127, 0, 0, 1]));
        let outcome = |established: u16| {
            let detail = u32::from(established) << 16;
            class(act(EventKind::ConnectOutcome, address, 2375, detail), &[Sensitive::Port(2375)])
        };
        assert_ne!(outcome(established::YES), outcome(established::NO));
    }

    #[test]
    fn of_netlink_each_protocol_has_a_quota_and_only_packet_sockets_are_sensitive() {
        let of = |kind, family: u32, protocol| {
            class(act(kind, [family << 16, protocol, 0, 0], 0, 0), &[])
        };
        assert_ne!(of(EventKind::NetlinkRequest, 16, 0), of(EventKind::NetlinkRequest, 16, 12));
        assert_ne!(of(EventKind::FamilySocket, AF_PACKET, 3), 0);
        assert_eq!(of(EventKind::FamilySocket, 16, 0), 0);
    }
}
