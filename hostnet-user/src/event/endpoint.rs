//! Addresses as the kernel holds them, and as people read them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hostnet_abi::Address;
use serde::Serialize;

/// A record's address and port. v4-mapped addresses stay mapped, so that what
/// the application used is not lost; see [`canonical`].
#[must_use]
pub fn endpoint(address: Address, port: u16) -> SocketAddr {
    let mut bytes = [0; 16];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(address) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(bytes)), port)
}

/// The address people know: IPv4 for a v4-mapped one.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The inverse of [`endpoint`], for map keys.
#[must_use]
pub fn from_socket_addr(address: SocketAddr) -> (Address, u16) {
    let octets = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(octets.chunks_exact(4)) {
        *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
    }
    (words, address.port())
}

/// Who can reach an address that was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Loopback: only this host, and every host-network container on it.
    Loopback,
    /// One address.
    Specific,
    /// Every address of the host.
    Any,
}

impl Scope {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["loopback", "specific", "any"];

    /// The scope of a local address.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        if ip.is_unspecified() {
            Self::Any
        } else if ip.is_loopback() {
            Self::Loopback
        } else {
            Self::Specific
        }
    }

    /// The same in a sentence.
    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::Loopback => " on loopback",
            Self::Specific => "",
            Self::Any => " on all interfaces",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_network_order_words() {
        let loopback = hostnet_abi::v4_mapped(u32::from_ne_bytes([127, 0, 0, 1]));
        let address = endpoint(loopback, 8080);
        assert_eq!(address.to_string(), "[::ffff:127.0.0.1]:8080");
        assert_eq!(canonical(address).to_string(), "127.0.0.1:8080");
        assert_eq!(from_socket_addr(address), (loopback, 8080));
        assert_eq!(from_socket_addr(canonical(address)), (loopback, 8080));
    }
}
