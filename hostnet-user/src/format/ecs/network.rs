//! `network.*` and `hostnet.socket.*`: what kind of traffic, over what socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use community_id::calculate_community_id;
use serde::{Deserialize, Serialize};

use crate::event::{Direction, Event, NotOurs, Operation, Socket, Text, canonical, family};

/// IANA's numbers of the protocols that a community id is made of here.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// `network`.
#[derive(Serialize, Deserialize)]
pub struct Network<'a> {
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub iana_number: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub direction: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    bytes: Option<u64>,
}

/// `hostnet.socket`.
#[derive(Serialize, Deserialize)]
pub struct SocketFields<'a> {
    pub cookie: u64,
    #[serde(borrow)]
    pub family: Text<'a>,
    #[serde(borrow)]
    pub r#type: Text<'a>,
    #[serde(borrow)]
    pub protocol: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<u16>,
}

/// `network` of an event with that socket.
pub fn network(event: &Event, socket: Socket) -> Network<'static> {
    let told = event.operation.told();
    let family = i32::from(socket.socket.family);
    let protocol = socket.socket.protocol;
    let is_ip = matches!(family, libc::AF_INET | libc::AF_INET6);
    // The remote end tells; a local one may be unspecified.
    let ip = event.remote().or(event.local()).map(|end| canonical(end).ip());
    let is_v6 = ip.map_or(family == libc::AF_INET6, |ip| ip.is_ipv6());
    Network {
        transport: (is_ip || family == libc::AF_UNIX)
            .then(|| family::protocol(socket.socket.family, protocol))
            .flatten(),
        r#type: is_ip.then_some(if is_v6 { "ipv6" } else { "ipv4" }),
        iana_number: is_ip.then(|| protocol.to_string().into()),
        direction: told.direction().map(|direction| direction.name().into()),
        community_id: community_id(event, protocol),
        bytes: told.bytes().map(|(sent, received)| sent + received),
    }
}

/// `hostnet.socket`, with the error of what was done.
pub fn socket_fields(socket: Socket, errno: Option<u16>) -> SocketFields<'static> {
    let Socket { cookie, socket } = socket;
    let protocol = family::protocol(socket.family, socket.protocol);
    // Of IP, `network.iana_number` tells it.
    let is_told = matches!(i32::from(socket.family), libc::AF_INET | libc::AF_INET6)
        || socket.protocol == family::NO_NUMBER;
    let kind = KINDS.iter().find(|(number, _)| *number == i32::from(socket.kind));
    SocketFields {
        cookie,
        family: family::name(socket.family).into(),
        r#type: kind.map_or("other", |(_, name)| name).into(),
        protocol: protocol.unwrap_or("other").into(),
        protocol_number: (protocol.is_none() && !is_told).then_some(socket.protocol),
        errno,
    }
}

/// Types of sockets.
const KINDS: [(i32, &str); 4] = [
    (libc::SOCK_STREAM, "stream"),
    (libc::SOCK_DGRAM, "dgram"),
    (libc::SOCK_RAW, "raw"),
    (libc::SOCK_SEQPACKET, "seqpacket"),
];

/// The socket of a document.
pub fn socket(fields: &SocketFields<'_>, network: Option<&Network<'_>>) -> Result<Socket, NotOurs> {
    let family = family::number(&fields.family);
    let iana = network.and_then(|network| network.iana_number.as_deref());
    let iana = iana.map(|number| {
        let reason = "not the number of a protocol";
        number.parse().map_err(|_| NotOurs::field("network.iana_number", reason))
    });
    let named = || family::protocol_number(family, &fields.protocol);
    let protocol = iana.transpose()?.or(fields.protocol_number).or_else(named);
    let kind = KINDS.iter().find(|(_, name)| *name == fields.r#type);
    let socket = hostnet_abi::Socket {
        family,
        kind: kind.map_or(0, |(number, _)| *number as u16),
        protocol: protocol.unwrap_or(family::NO_NUMBER),
    };
    Ok(Socket { cookie: fields.cookie, socket })
}

/// Joins the event to what Zeek and Suricata saw of the same flow: the hash of both
/// ends as its packets have them. None where an end is not known, because the hash of
/// another flow would join what does not belong together.
fn community_id(event: &Event, protocol: u32) -> Option<String> {
    let protocol = u8::try_from(protocol).ok().filter(|number| [TCP, UDP].contains(number))?;
    let remote = match &event.operation {
        Operation::Connect(connect) => connect.reached(),
        Operation::ConnectOutcome(outcome) => outcome.connect.reached(),
        _ => event.remote()?,
    };
    let (local, remote) = (canonical(event.local()?), canonical(remote));
    let is_known = |end: SocketAddr| !end.ip().is_unspecified() && end.port() != 0;
    // What a socket that is bound to a group sends does not come from the group.
    let sends = event.operation.told().direction() != Some(Direction::Ingress);
    if !is_known(local) || !is_known(remote) || (sends && is_of_many(local.ip())) {
        return None;
    }
    let (ip, port) = (SocketAddr::ip, SocketAddr::port);
    let (from, to) = (ip(&local), ip(&remote));
    calculate_community_id(0, from, to, Some(port(&local)), Some(port(&remote)), protocol, false)
        .ok()
}

/// Whether it is the address of several: nobody's as a source.
fn is_of_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}
