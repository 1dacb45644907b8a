//! Destinations of hostnet's own on the loopback. It is not the host's alone: a container
//! with host networking can listen there while the receiver is away, and gets what comes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A place on the loopback that hostnet connects to without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// What goes there, in words.
    pub what: String,
    /// The addresses that it may have.
    pub at: Vec<SocketAddr>,
}

/// The addresses of `host` when packets to it stay on the machine, else none.
pub fn addresses(host: &str, port: u16) -> Vec<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.eq_ignore_ascii_case("localhost") {
        let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        return both.map(|ip| (ip, port).into()).into();
    }
    let ip = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    ip.filter(IpAddr::is_loopback).map(|ip| (ip, port).into()).into_iter().collect()
}

impl Destination {
    /// Whether a listener at this address would get what comes.
    #[must_use]
    pub fn is_taken_by(&self, local: SocketAddr) -> bool {
        self.at.iter().any(|at| {
            let is_any = match local.ip() {
                IpAddr::V4(ip) => ip.is_unspecified() && at.is_ipv4(),
                // It listens on IPv4, too, unless it says otherwise, which is not known.
                IpAddr::V6(ip) => ip.is_unspecified(),
            };
            at.port() == local.port() && (is_any || at.ip() == local.ip())
        })
    }

    /// What a person is warned of.
    #[must_use]
    pub fn warning(&self) -> String {
        let at: Vec<String> = self.at.iter().map(ToString::to_string).collect();
        format!(
            "{} goes without TLS to {}: every container with host networking can listen there while \
             the receiver does not",
            self.what,
            at.join(" or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_takes_what_comes_to_its_address_and_port() {
        let to = |host| Destination { what: String::new(), at: addresses(host, 514) };
        let takes = |host, local: &str| to(host).is_taken_by(local.parse().unwrap());
        for local in ["127.0.0.1:514", "0.0.0.0:514", "[::]:514", "[::1]:514"] {
            assert!(takes("localhost", local), "{local}");
        }
        assert!(takes("[::1]", "[::1]:514") && takes("::ffff:127.0.0.1", "127.0.0.1:514"));
        assert!(!takes("::1", "0.0.0.0:514") && !takes("127.0.0.1", "127.0.0.2:514"));
        assert!(!takes("127.0.0.1", "127.0.0.1:515"));
        for elsewhere in ["10.0.0.1", "localhost.example", "::", "log.example"] {
            assert_eq!(addresses(elsewhere, 514), []);
        }
    }
}
