//! One end of a socket as documents have it: an address and a port, or a name.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{NotOurs, Socket, UnixAddress, canonical, document::bytes};

/// `hostnet.local` and the like.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Side {
    /// IPv4 for a v4-mapped one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Of an IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The address as the application had it, when that was v4-mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped: Option<IpAddr>,
    /// Of a unix socket, as people read it.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub name: Option<String>,
    /// The same exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_hex: Option<String>,
}

impl Side {
    /// An address of no socket in particular.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        let known = canonical(address);
        Self { ip: Some(known.ip()), port: Some(known.port()), ..Self::default() }
    }

    /// An address of this socket: only `AF_INET6` ones have mapped addresses.
    #[must_use]
    pub fn of_socket(address: SocketAddr, socket: Option<Socket>) -> Self {
        let known = Self::of(address);
        let is_mapped = is_inet6(socket) && known.ip != Some(address.ip());
        Self { mapped: is_mapped.then(|| address.ip()), ..known }
    }

    /// The name of a unix socket.
    #[must_use]
    pub fn named(address: &UnixAddress) -> Self {
        let (name, name_hex) = (Some(address.to_string()), Some(address.hex()));
        Self { name, name_hex, ..Self::default() }
    }

    /// The address as the agent has it: IPv4 as a v4-mapped one, but for an `AF_INET6`
    /// socket, of which the document says which it was.
    #[must_use]
    pub fn address(&self, socket: Option<Socket>) -> Option<SocketAddr> {
        let ip = match (self.mapped, self.ip?) {
            (Some(mapped), _) => mapped,
            (None, IpAddr::V4(v4)) if !is_inet6(socket) => v4.to_ipv6_mapped().into(),
            (None, ip) => ip,
        };
        Some(SocketAddr::new(ip, self.port.unwrap_or_default()))
    }

    /// The name of a unix socket, at `field`.
    ///
    /// # Errors
    /// When it is not hexadecimal.
    pub fn unix_name(&self, field: &str) -> Result<Option<UnixAddress>, NotOurs> {
        let Some(hex) = &self.name_hex else { return Ok(None) };
        Ok(UnixAddress::new(&bytes(&format!("{field}.name_hex"), hex)?))
    }
}

fn is_inet6(socket: Option<Socket>) -> bool {
    socket.is_some_and(|socket| i32::from(socket.socket.family) == libc::AF_INET6)
}
