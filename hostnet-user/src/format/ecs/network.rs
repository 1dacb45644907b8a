//! `network.*` and `hostnet.socket.*`: what kind of traffic, over what socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use community_id::calculate_community_id;
use serde::Serialize;

use crate::event::{Direction, Event, Operation, Socket, canonical, family};

/// IANA's numbers of the protocols that a community id is made of here.
const TCP: u8 = 6;
const UDP: u8 = 17;

#[derive(Serialize)]
pub struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iana_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Serialize)]
pub struct SocketFields {
    cookie: u64,
    family: &'static str,
    r#type: &'static str,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<u16>,
}

impl Network {
    pub fn of(event: &Event, socket: Socket) -> Self {
        let told = event.operation.told();
        let family = i32::from(socket.socket.family);
        let protocol = socket.socket.protocol;
        let is_ip = matches!(family, libc::AF_INET | libc::AF_INET6);
        // The remote end tells; a local one may be unspecified.
        let ip = event.remote().or(event.local()).map(|end| canonical(end).ip());
        let is_v6 = ip.map_or(family == libc::AF_INET6, |ip| ip.is_ipv6());
        Self {
            transport: (is_ip || family == libc::AF_UNIX)
                .then(|| family::protocol(socket.socket.family, protocol))
                .flatten(),
            r#type: is_ip.then_some(if is_v6 { "ipv6" } else { "ipv4" }),
            iana_number: is_ip.then(|| protocol.to_string()),
            direction: told.direction().map(Direction::name),
            community_id: community_id(event, protocol),
            bytes: match &event.operation {
                Operation::Close(close) => Some(close.sent + close.received),
                _ => None,
            },
        }
    }
}

impl SocketFields {
    pub fn of(socket: Socket, errno: Option<u16>) -> Self {
        let Socket { cookie, socket } = socket;
        let protocol = family::protocol(socket.family, socket.protocol);
        // Of IP, `network.iana_number` tells it.
        let is_told = matches!(i32::from(socket.family), libc::AF_INET | libc::AF_INET6)
            || socket.protocol == family::NO_NUMBER;
        Self {
            cookie,
            family: family::name(socket.family),
            r#type: match i32::from(socket.kind) {
                libc::SOCK_STREAM => "stream",
                libc::SOCK_DGRAM => "dgram",
                libc::SOCK_RAW => "raw",
                libc::SOCK_SEQPACKET => "seqpacket",
                _ => "other",
            },
            protocol: protocol.unwrap_or("other"),
            protocol_number: (protocol.is_none() && !is_told).then_some(socket.protocol),
            errno,
        }
    }
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
