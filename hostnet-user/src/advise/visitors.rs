//! Who came to a listener: the container itself, others on this host, or other machines,
//! and at which of the host's addresses.

use std::{collections::BTreeSet, net::IpAddr, net::SocketAddr};

use crate::event::{Event, Owner, OwnerKind};

/// Most addresses of the host kept of one listener.
const MOST_ADDRESSES: usize = 16;
/// Most containers kept of one listener.
const MOST_NAMES: usize = 16;

/// What is known of those who came to one listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitors {
    /// How often the container came itself, its own health check included.
    pub by_itself: u64,
    /// How often others on this host came.
    pub by_near: u64,
    /// How often others came from elsewhere.
    pub by_far: u64,
    /// The host's addresses at which others on this host came.
    pub at: BTreeSet<IpAddr>,
    /// Others on this host came at more addresses, or at one that is not known.
    pub at_others: bool,
    /// The containers among them, by name.
    pub containers: BTreeSet<String>,
    /// Somebody on this host came who is not known to be a container.
    pub by_host: bool,
    /// Others came over IPv6.
    pub over_ipv6: bool,
    /// When somebody came last: UTC nanoseconds since 1970, 0 for never.
    pub last_ns: u64,
}

impl Visitors {
    /// Notes who came from `remote` to the host's address `local`, which is unspecified
    /// where the kernel did not show it.
    pub fn came(&mut self, event: &Event, owner: &Owner, local: SocketAddr, remote: SocketAddr) {
        self.last_ns = self.last_ns.max(event.wall_ns);
        let parties = event.peer.as_ref().map_or(&[][..], |peer| peer.possible.as_slice());
        if !parties.is_empty() && parties.iter().all(|one| one.owner.is_same(owner)) {
            self.by_itself += 1;
            return;
        }
        self.over_ipv6 |= remote.is_ipv6();
        let (to, from) = (local.ip(), remote.ip());
        // Only of this host is it known who is at the other end.
        if !from.is_loopback() && from != to && parties.is_empty() {
            self.by_far += 1;
            return;
        }
        self.by_near += 1;
        let is_container = |kind| kind == OwnerKind::Container;
        match parties {
            [party] if is_container(party.owner.kind) => {
                if self.containers.len() < MOST_NAMES {
                    self.containers.insert(party.owner.label().to_owned());
                }
            }
            _ => self.by_host = true,
        }
        let at = if to.is_unspecified() { from } else { to };
        let is_of_this_host = !to.is_unspecified()
            || from.is_loopback()
            || parties.iter().any(|party| !is_container(party.owner.kind));
        if is_of_this_host && (self.at.len() < MOST_ADDRESSES || self.at.contains(&at)) {
            self.at.insert(at);
        } else {
            self.at_others = true;
        }
    }

    /// Adds those who came to another listener.
    pub fn absorb(&mut self, other: Self) {
        self.by_itself += other.by_itself;
        self.by_near += other.by_near;
        self.by_far += other.by_far;
        self.at.extend(other.at);
        self.at_others |= other.at_others;
        self.containers.extend(other.containers);
        self.by_host |= other.by_host;
        self.over_ipv6 |= other.over_ipv6;
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    /// How often others came.
    pub const fn by_others(&self) -> u64 {
        self.by_near + self.by_far
    }

    /// The host's addresses that are enough for everybody who came; `None` when other
    /// machines came, nobody did, or not all addresses are known.
    pub fn addresses(&self) -> Option<&BTreeSet<IpAddr>> {
        let is_enough = self.by_near > 0 && self.by_far == 0 && !self.at_others;
        is_enough.then_some(&self.at)
    }
}
