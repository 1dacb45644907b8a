//! Which end of a connection is source, destination, client and server, and which is the
//! owner's.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::event::{Direction, Event, Side, UnixAddress, canonical};

/// One end: `source`, `destination`, `client` or `server`.
#[derive(Clone, Serialize, Deserialize)]
pub struct End {
    #[serde(skip_deserializing)]
    address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// An end's address as ECS has it: whatever identifies the end.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Address {
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

/// `hostnet.local`, which does not depend on direction.
pub fn local(event: &Event) -> Option<Side> {
    let ip = event.local().map(|address| Side::of_socket(address, event.socket));
    ip.or_else(|| event.operation.told().local_name().map(Side::named))
}

/// `hostnet.remote`, which does not, either.
pub fn remote(event: &Event) -> Option<Side> {
    let ip = event.remote().map(|address| Side::of_socket(address, event.socket));
    ip.or_else(|| event.operation.told().remote_name().map(Side::named))
}

impl Ends {
    /// The ends of an event.
    pub fn of(event: &Event) -> Self {
        let told = event.operation.told();
        let (sent, received) = told.bytes().unzip();
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
            address: Some(Address::Ip(known.ip())),
            ip: Some(known.ip()),
            port: (known.port() != 0).then(|| known.port()),
            bytes,
        }
    }

    fn named(address: &UnixAddress) -> Self {
        let address = Some(Address::Name(address.to_string()));
        Self { address, ip: None, port: None, bytes: None }
    }
}
