//! Who is at the other end of a socket that existed at start: the socket that has the same
//! two ends the other way round existed then, too, or it is not named.

use std::{collections::HashMap, net::SocketAddr};

use super::act::Parts;
use crate::{
    attribute::found::Found,
    event::{Direction, OwnerKind, Peer, PeerMethod, SocketState, canonical},
};

/// Where in the list of sockets each is that has another end, by that.
#[derive(Debug, Default)]
pub struct OtherEnds {
    by_ends: HashMap<(SocketAddr, SocketAddr), usize>,
    by_cookie: HashMap<u64, usize>,
}

fn ends(found: &Found) -> Option<(SocketAddr, SocketAddr)> {
    Some((canonical(found.local?), canonical(found.remote?)))
}

impl OtherEnds {
    /// Of these sockets.
    pub fn of(found: &[Found]) -> Self {
        let mut ends_of = Self::default();
        for (at, one) in found.iter().enumerate() {
            if one.is_tcp()
                && let Some(ends) = ends(one)
            {
                ends_of.by_ends.insert(ends, at);
            } else if one.other_end.is_some() {
                ends_of.by_cookie.insert(one.cookie, at);
            }
        }
        ends_of
    }

    /// Where in the list the other end of this one is.
    pub fn at(&self, found: &Found) -> Option<usize> {
        if let Some(cookie) = found.other_end {
            return self.by_cookie.get(&cookie).copied();
        }
        let (local, remote) = ends(found).filter(|_| found.is_tcp())?;
        self.by_ends.get(&(remote, local)).copied()
    }
}

/// Who is at the other end of `found`, which `other` is when that existed, too.
pub fn existing_peer(
    parts: &mut Parts<'_>,
    found: &Found,
    other: Option<&Found>,
    direction: Option<Direction>,
    boot_ns: u64,
) -> Option<Box<Peer>> {
    let Parts { owners, peers, .. } = parts;
    let Some(other) = other else {
        let remote = found.remote.filter(|_| found.state != SocketState::SynSent)?;
        return match found.is_tcp() {
            true if peers.own_address(remote).is_some() => None,
            true if direction == Some(Direction::Ingress) => {
                peers.bridged_container(owners, remote.ip())
            }
            _ => peers.receiver_of(owners, found.socket.protocol, remote, boot_ns),
        };
    };
    let party = owners.holding_party(other, boot_ns);
    if direction == Some(Direction::Egress)
        && let Some(local) = other.local
    {
        return peers.acceptor(owners, 0, local, &party, boot_ns);
    }
    (party.owner.kind != OwnerKind::Unknown)
        .then(|| Peer::one(&party.owner, party.process.as_ref(), PeerMethod::Connection))
}
