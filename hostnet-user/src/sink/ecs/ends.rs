//! Which end of a connection is source, destination, client and server.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::event::{Direction, Event, Operation, canonical};

/// One end: `source`, `destination`, `client` or `server`.
#[derive(Clone, Copy, Serialize)]
pub struct End {
    pub address: IpAddr,
    pub ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Both ends as ECS names them.
#[derive(Clone, Copy, Default)]
pub struct Ends {
    pub source: Option<End>,
    pub destination: Option<End>,
    pub client: Option<End>,
    pub server: Option<End>,
}

/// `hostnet.local` and `hostnet.remote`: never depend on direction.
#[derive(Serialize)]
pub struct Side {
    pub ip: IpAddr,
    pub port: u16,
    /// The address as the application had it, when that was v4-mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped: Option<IpAddr>,
}

impl Side {
    pub fn of(address: SocketAddr) -> Self {
        let known = canonical(address);
        // Only AF_INET6 sockets have mapped addresses; the caller knows the family.
        Self { ip: known.ip(), port: known.port(), mapped: None }
    }

    pub fn mapped_if(mut self, address: SocketAddr, is_inet6: bool) -> Self {
        self.mapped = (is_inet6 && self.ip != address.ip()).then(|| address.ip());
        self
    }
}

impl Ends {
    /// The ends of an event.
    pub fn of(event: &Event) -> Self {
        let (sent, received) = match &event.operation {
            Operation::Close(close) => (Some(close.sent), Some(close.received)),
            _ => (None, None),
        };
        let local = event.local().map(|address| end(address, sent));
        let remote = event.remote().map(|address| end(address, received));
        match (event.operation.told().direction(), remote) {
            (Some(Direction::Ingress), _) => {
                Self { source: remote, client: remote, destination: local, server: local }
            }
            (_, Some(_)) => {
                Self { source: local, client: local, destination: remote, server: remote }
            }
            // A socket alone, bound or listening, offers a service.
            (_, None) => Self { source: local, server: local, ..Self::default() },
        }
    }
}

fn end(address: SocketAddr, bytes: Option<u64>) -> End {
    let known = canonical(address);
    End {
        address: known.ip(),
        ip: known.ip(),
        port: (known.port() != 0).then(|| known.port()),
        bytes,
    }
}
