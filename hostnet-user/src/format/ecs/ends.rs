//! Which end of a connection is source, destination, client and server.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::event::{Direction, Event, Operation, UnixAddress, canonical};

/// One end: `source`, `destination`, `client` or `server`.
#[derive(Clone, Serialize)]
pub struct End {
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An end's address as ECS has it: whatever identifies the end.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Address {
    Ip(IpAddr),
    Name(String),
}

/// Both ends as ECS names them.
#[derive(Clone, Default)]
pub struct Ends {
    pub source: Option<End>,
    pub destination: Option<End>,
    pub client: Option<End>,
    pub server: Option<End>,
}

/// `hostnet.local` and `hostnet.remote`: never depend on direction.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Side {
    Ip {
        ip: IpAddr,
        port: u16,
        /// The address as the application had it, when that was v4-mapped.
        #[serde(skip_serializing_if = "Option::is_none")]
        mapped: Option<IpAddr>,
    },
    Unix {
        name: String,
        name_hex: String,
    },
}

impl Side {
    pub fn of(address: SocketAddr) -> Self {
        let known = canonical(address);
        // Only AF_INET6 sockets have mapped addresses; the caller knows the family.
        Self::Ip { ip: known.ip(), port: known.port(), mapped: None }
    }

    /// The local end of an event.
    pub fn local(event: &Event) -> Option<Self> {
        let ip = event.local().map(|address| Self::in_family_of(event, address));
        ip.or_else(|| event.operation.told().local_name().map(Self::named))
    }

    /// The remote end of an event.
    pub fn remote(event: &Event) -> Option<Self> {
        let ip = event.remote().map(|address| Self::in_family_of(event, address));
        ip.or_else(|| event.operation.told().remote_name().map(Self::named))
    }

    fn in_family_of(event: &Event, address: SocketAddr) -> Self {
        let is_inet6 =
            event.socket.is_some_and(|socket| i32::from(socket.socket.family) == libc::AF_INET6);
        let known = canonical(address);
        let mapped = (is_inet6 && known.ip() != address.ip()).then(|| address.ip());
        Self::Ip { ip: known.ip(), port: known.port(), mapped }
    }

    fn named(address: &UnixAddress) -> Self {
        Self::Unix { name: address.to_string(), name_hex: address.hex() }
    }
}

impl Ends {
    /// The ends of an event.
    pub fn of(event: &Event) -> Self {
        let (sent, received) = match &event.operation {
            Operation::Close(close) => (Some(close.sent), Some(close.received)),
            _ => (None, None),
        };
        let told = event.operation.told();
        let name = |name: &UnixAddress| End::named(name);
        let local = event.local().map(|address| End::of(address, sent));
        let local = local.or_else(|| told.local_name().map(name));
        let remote = event.remote().map(|address| End::of(address, received));
        let remote = remote.or_else(|| told.remote_name().map(name));
        match (told.direction(), &remote) {
            (Some(Direction::Ingress), _) => Self {
                source: remote.clone(),
                client: remote,
                destination: local.clone(),
                server: local,
            },
            (_, Some(_)) => Self {
                source: local.clone(),
                client: local,
                destination: remote.clone(),
                server: remote,
            },
            // A socket alone, bound or listening, offers a service.
            (_, None) => Self { source: local.clone(), server: local, ..Self::default() },
        }
    }
}

impl End {
    fn of(address: SocketAddr, bytes: Option<u64>) -> Self {
        let known = canonical(address);
        Self {
            address: Address::Ip(known.ip()),
            ip: Some(known.ip()),
            port: (known.port() != 0).then(|| known.port()),
            bytes,
        }
    }

    fn named(address: &UnixAddress) -> Self {
        Self { address: Address::Name(address.to_string()), ip: None, port: None, bytes: None }
    }
}
