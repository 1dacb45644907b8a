//! Records about sockets beyond IP, and multicast groups joined, say all there is in
//! one: no correlation.

use hostnet_abi::{MAX_FILTER, Record, Socket, unix_operation};
use sha2::{Digest, Sha256};

use crate::event::{
    FamilySocket, MulticastJoin, NetlinkBind, NetlinkRequest, Operation, PacketBind, SocketFilter,
    Unix, UnixAddress, UnixKind, endpoint,
};

/// Bytes of an instruction of a classic BPF filter.
const INSTRUCTION: usize = 8;

/// The operation a record tells and the socket it is of; `None` for another
/// kind of record, or for a unix operation this build does not know.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other records are of sockets of IP, or of none"
)]
pub fn operation(record: &Record, tail: &[u8]) -> Option<(Socket, Operation)> {
    Some(match record {
        Record::FamilySocket(record) => {
            (record.socket, FamilySocket { socket: record.socket }.into())
        }
        Record::PacketBind(record) => {
            let operation = PacketBind {
                interface: record.interface,
                protocol: record.socket.protocol,
                outcome: u16::try_from(record.errno).unwrap_or_default().into(),
            };
            (record.socket, operation.into())
        }
        Record::SocketFilter(record) => (record.socket, filter(record, tail).into()),
        Record::NetlinkRequest(record) => {
            let hostnet_abi::NetlinkRequest { socket, message, flags, unread } = *record;
            let operation = NetlinkRequest { protocol: socket.protocol, message, flags, unread };
            (socket, operation.into())
        }
        Record::NetlinkBind(record) => {
            (record.socket, NetlinkBind { groups: record.groups }.into())
        }
        Record::MulticastJoin(record) => (record.socket, multicast(record).into()),
        Record::Unix(record) => (record.socket, unix(record)?.into()),
        _ => return None,
    })
}

fn multicast(record: &hostnet_abi::MulticastJoin) -> MulticastJoin {
    let ip = |address| endpoint(address, 0).ip().to_canonical();
    MulticastJoin {
        local: (record.local_port != 0).then(|| endpoint(record.local, record.local_port as u16)),
        group: ip(record.group),
        source: Some(ip(record.source)).filter(|source| !source.is_unspecified()),
        interface: (record.interface != 0).then_some(record.interface),
    }
}

fn filter(record: &hostnet_abi::SocketFilter, tail: &[u8]) -> SocketFilter {
    let instructions = record.instructions;
    let is_whole = tail.len() <= MAX_FILTER && tail.len() == instructions as usize * INSTRUCTION;
    let hash = || Sha256::digest(tail).iter().map(|byte| format!("{byte:02x}")).collect();
    SocketFilter { instructions, sha256: is_whole.then(hash) }
}

fn unix(record: &hostnet_abi::Unix) -> Option<Unix> {
    let kind = match record.operation {
        unix_operation::CONNECT => UnixKind::Connect,
        unix_operation::BIND => UnixKind::Bind,
        unix_operation::LISTEN => UnixKind::Listen { backlog: record.backlog },
        unix_operation::ACCEPT => UnixKind::Accept,
        unix_operation::SEND => UnixKind::Send,
        unix_operation::USE => UnixKind::Use,
        _ => return None,
    };
    let name = record.name.get(..usize::from(record.name_length)).unwrap_or_default();
    Some(Unix { kind, name: UnixAddress::new(name), outcome: record.errno.into() })
}
