//! `network.*` and `hostnet.socket.*`: what kind of traffic, over what socket.

use serde::Serialize;

use super::ends::Ends;
use crate::{
    event::{Direction, Event, Operation, Socket, canonical},
    family,
};

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
    pub fn of(event: &Event, socket: Socket, ends: &Ends) -> Self {
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
            community_id: community_id(ends, protocol),
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

/// Joins the event to what Zeek and Suricata saw of the same flow.
fn community_id(ends: &Ends, protocol: u32) -> Option<String> {
    let (source, destination) = (ends.source.as_ref()?, ends.destination.as_ref()?);
    let (from, to) = (source.ip?, destination.ip?);
    if from.is_unspecified() || !matches!(protocol, 6 | 17) {
        return None;
    }
    let protocol = u8::try_from(protocol).ok()?;
    let (from_port, to_port) = (source.port, destination.port);
    community_id::calculate_community_id(0, from, to, from_port, to_port, protocol, false).ok()
}
