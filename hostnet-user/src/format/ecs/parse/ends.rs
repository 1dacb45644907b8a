//! Sockets and addresses.

use std::net::{IpAddr, SocketAddr};

use super::{
    NotOurs,
    document::{Document, Side},
};
use crate::event::{Direction, Outcome, Socket, UnixAddress, family};

impl Side<'_> {
    /// The address as the agent has it: IPv4 as a v4-mapped one, but for an `AF_INET6`
    /// socket, of which the document says which it was.
    pub fn address(&self, socket: Option<Socket>) -> Option<SocketAddr> {
        let is_inet6 =
            socket.is_some_and(|socket| i32::from(socket.socket.family) == libc::AF_INET6);
        let ip = match (self.mapped, self.ip?) {
            (Some(mapped), _) => mapped,
            (None, IpAddr::V4(v4)) if !is_inet6 => v4.to_ipv6_mapped().into(),
            (None, ip) => ip,
        };
        Some(SocketAddr::new(ip, self.port))
    }

    /// The name of a unix socket.
    fn name(&self, field: &str) -> Result<Option<UnixAddress>, NotOurs> {
        let Some(hex) = &self.name_hex else { return Ok(None) };
        Ok(UnixAddress::new(&bytes(&format!("{field}.name_hex"), hex)?))
    }
}

/// The two ends of an event.
pub struct Ends {
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub local_name: Option<UnixAddress>,
    pub remote_name: Option<UnixAddress>,
}

impl Ends {
    pub fn of(document: &Document<'_>, socket: Option<Socket>) -> Result<Self, NotOurs> {
        let (local, remote) = (&document.hostnet.local, &document.hostnet.remote);
        let address = |side: &Option<Side<'_>>| side.as_ref()?.address(socket);
        let name = |field, side: &Option<Side<'_>>| {
            side.as_ref().map_or(Ok(None), |side| side.name(field))
        };
        Ok(Self {
            local: address(local),
            remote: address(remote),
            local_name: name("hostnet.local", local)?,
            remote_name: name("hostnet.remote", remote)?,
        })
    }

    /// The local end of an operation that cannot be without.
    pub fn local(&self) -> Result<SocketAddr, NotOurs> {
        self.local.ok_or_else(|| NotOurs::missing("hostnet.local.ip"))
    }

    /// The remote end of an operation that cannot be without.
    pub fn remote(&self) -> Result<SocketAddr, NotOurs> {
        self.remote.ok_or_else(|| NotOurs::missing("hostnet.remote.ip"))
    }
}

/// The event's socket.
pub fn socket(document: &Document<'_>) -> Result<Option<Socket>, NotOurs> {
    let Some(fields) = &document.hostnet.socket else { return Ok(None) };
    let family = family::number(&fields.family);
    let iana = document.network.as_ref().and_then(|network| network.iana_number.as_deref());
    let iana = iana.map(|number| {
        let reason = "not the number of a protocol";
        number.parse().map_err(|_| NotOurs::field("network.iana_number", reason))
    });
    let named = || family::protocol_number(family, &fields.protocol);
    let protocol = iana.transpose()?.or(fields.protocol_number).or_else(named);
    let kind = match &*fields.kind {
        "stream" => libc::SOCK_STREAM,
        "dgram" => libc::SOCK_DGRAM,
        "raw" => libc::SOCK_RAW,
        "seqpacket" => libc::SOCK_SEQPACKET,
        _ => 0,
    };
    let socket = hostnet_abi::Socket {
        family,
        kind: kind as u16,
        protocol: protocol.unwrap_or(family::NO_NUMBER),
    };
    Ok(Some(Socket { cookie: fields.cookie, socket }))
}

/// Who began.
pub fn direction(document: &Document<'_>) -> Result<Option<Direction>, NotOurs> {
    let direction = document.network.as_ref().and_then(|network| network.direction.as_deref());
    match direction {
        None => Ok(None),
        Some("egress") => Ok(Some(Direction::Egress)),
        Some("ingress") => Ok(Some(Direction::Ingress)),
        Some(_) => Err(NotOurs::field("network.direction", "neither egress nor ingress")),
    }
}

/// How it ended.
pub fn outcome(document: &Document<'_>) -> Result<Outcome, NotOurs> {
    match document.event.outcome.as_deref() {
        Some("success") => Ok(Outcome::Success),
        Some("failure") => Ok(Outcome::Failure(errno(document))),
        Some("unknown") | None => Ok(Outcome::Unknown),
        Some(_) => Err(NotOurs::field("event.outcome", "none of success, failure and unknown")),
    }
}

/// The error of an operation, or that a socket had at its end.
pub fn errno(document: &Document<'_>) -> Option<u16> {
    let socket = document.hostnet.socket.as_ref();
    let reason = || crate::event::errno::number(document.event.reason.as_deref()?);
    socket.and_then(|socket| socket.errno).or_else(reason)
}

/// Bytes that are written in hexadecimal.
pub fn bytes(field: &str, hex: &str) -> Result<Vec<u8>, NotOurs> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| NotOurs::field(field, "not hexadecimal"))
}
