//! Who can be the other end: every TCP listener and every UDP socket that was
//! bound, by protocol and port, with its owner and its life.
//!
//! It says who received what was sent to an address at a moment, as the kernel
//! chooses (`__inet_lookup_listener`, `__udp4_lib_lookup` and their IPv6 twins),
//! or that several may have. It knows nothing of where its facts come from.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

use hostnet_abi::reuse;

use crate::{
    attribute::party::Party,
    event::shares::{Fill, Share, Shares},
};

/// How long a socket that is gone stays known: what was sent to it may be told late.
const REMEMBERED_NS: u64 = 5_000_000_000;

/// Most sockets, of which one owner has at most half; where one does not fit, nothing is said
/// of its port until the table is filled anew.
const MOST: usize = 1 << 18;

/// Most sockets at one port, those that are gone among them. All of them are looked at
/// whenever another begins to listen there, which an attacker may do ten thousand times a second.
const MOST_AT_PORT: usize = 1 << 9;

/// `LOOPBACK_IFINDEX` (include/net/net_namespace.h). What a host sends to itself
/// comes in through this interface, whatever the address.
const LOOPBACK_INDEX: u32 = 1;

const IPPROTO_UDP: u32 = 17;
const IPPROTO_UDPLITE: u32 = 136;

/// Whether a protocol has datagrams and nobody who listens.
pub const fn is_datagram(protocol: u32) -> bool {
    matches!(protocol, IPPROTO_UDP | IPPROTO_UDPLITE)
}

/// A socket that others may connect or send to.
#[derive(Clone, Debug)]
pub struct Listener {
    pub cookie: u64,
    /// IP protocol number.
    pub protocol: u32,
    /// Where, as the kernel has it: an IPv4 address is v4-mapped.
    pub local: SocketAddr,
    /// Bits of [`hostnet_abi::reuse`]; of a socket from before the agent only
    /// `V6_ONLY` is known.
    pub reuse: u32,
    /// Index of the interface it is bound to, or 0.
    pub interface: u32,
    /// Who began to listen.
    pub party: Party,
    /// As which user of the host's, when that is known.
    pub user: Option<u32>,
    pub since_ns: u64,
}

/// Whom an address reaches: one, or several of which the kernel chooses.
#[derive(Debug)]
pub struct Reached<'a> {
    pub listeners: Vec<&'a Listener>,
    /// They are bound to that very address, not to every one.
    pub is_exact: bool,
}

#[derive(Debug)]
struct Entry {
    listener: Listener,
    share: Share,
    until_ns: Option<u64>,
}

type Port = (u32, u16);

/// The table.
#[derive(Debug)]
pub struct Listeners {
    ports: HashMap<Port, Vec<Entry>>,
    by_cookie: HashMap<u64, Port>,
    closed: VecDeque<(u64, Port)>,
    /// Ports of which not every socket is here.
    partial: HashSet<Port>,
    /// Since when there are such ports.
    partial_since: Option<u64>,
    shares: Shares,
}

impl Default for Listeners {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Listeners {
    /// An empty table with room for so many.
    fn of(capacity: usize) -> Self {
        Self {
            ports: HashMap::new(),
            by_cookie: HashMap::new(),
            closed: VecDeque::new(),
            partial: HashSet::new(),
            partial_since: None,
            shares: Shares::of(capacity),
        }
    }

    /// How full it is.
    pub const fn fill(&self) -> Fill {
        self.shares.fill()
    }

    /// Since when there are ports of which it is not known who listens.
    pub const fn partial_since(&self) -> Option<u64> {
        self.partial_since
    }

    /// A socket listens, or is bound, unless that is known already. Of one that was found
    /// there, its beginning may be told afterwards.
    pub fn open(&mut self, listener: Listener) {
        let port = (listener.protocol, listener.local.port());
        if let Some(known) = self.entry(listener.cookie) {
            if known.listener.since_ns == 0 && known.listener.local.port() == port.1 {
                known.listener = listener;
            }
            return;
        }
        if port.1 == 0 {
            return;
        }
        let has_room = self.ports.get(&port).is_none_or(|there| there.len() < MOST_AT_PORT);
        let share = has_room.then(|| self.shares.take(&listener.party.owner)).flatten();
        let Some(share) = share else {
            self.partial_since.get_or_insert(listener.since_ns);
            self.partial.insert(port);
            return;
        };
        self.by_cookie.insert(listener.cookie, port);
        self.ports.entry(port).or_default().push(Entry { listener, share, until_ns: None });
    }

    /// The socket with this cookie, while it listens.
    pub fn get(&self, cookie: u64) -> Option<&Listener> {
        let entries = self.ports.get(self.by_cookie.get(&cookie)?)?;
        let is_it = |entry: &&Entry| entry.listener.cookie == cookie && entry.until_ns.is_none();
        entries.iter().find(is_it).map(|entry| &entry.listener)
    }

    fn entry(&mut self, cookie: u64) -> Option<&mut Entry> {
        let entries = self.ports.get_mut(self.by_cookie.get(&cookie)?)?;
        let is_it =
            |entry: &&mut Entry| entry.listener.cookie == cookie && entry.until_ns.is_none();
        entries.iter_mut().find(is_it)
    }

    /// A socket is gone, or listens no more.
    pub fn close(&mut self, cookie: u64, at: u64) {
        let Some(port) = self.by_cookie.remove(&cookie) else { return };
        let entries = self.ports.get_mut(&port).into_iter().flatten();
        for entry in entries.filter(|entry| entry.listener.cookie == cookie) {
            entry.until_ns.get_or_insert(at);
        }
        self.closed.push_back((at, port));
    }

    /// Nothing in the table is certain any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Forgets sockets that were gone long before `at`.
    pub fn expire(&mut self, at: u64) {
        while let Some(&(closed, port)) = self.closed.front()
            && at.saturating_sub(closed) > REMEMBERED_NS
        {
            self.closed.pop_front();
            let Some(entries) = self.ports.get_mut(&port) else { continue };
            let is_over = |entry: &mut Entry| entry.until_ns.is_some_and(|until| until <= closed);
            entries.extract_if(.., is_over).for_each(|entry| self.shares.give_back(entry.share));
            if entries.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// Who received what was sent to `end`, an address of this host's, at `at`;
    /// `None` when nobody did, or when that is not known.
    pub fn at(&self, protocol: u32, end: SocketAddr, at: u64) -> Option<Reached<'_>> {
        let port = (protocol, end.port());
        if self.partial.contains(&port) {
            return None;
        }
        let to = end.ip().to_canonical();
        let ranked = || self.alive(port, at).filter_map(|one| Some((one.rank(to)?, one)));
        let (best, _) = ranked().max_by_key(|(rank, _)| *rank)?;
        let listeners: Vec<_> =
            ranked().filter(|(rank, _)| *rank == best).map(|(_, listener)| listener).collect();
        Some(Reached { listeners, is_exact: best >= EXACT })
    }

    /// Others at `at` that what is sent to the same port may reach instead.
    pub fn sharing<'a>(
        &'a self,
        one: &'a Listener,
        at: u64,
    ) -> impl Iterator<Item = &'a Listener> + 'a {
        let port = (one.protocol, one.local.port());
        self.alive(port, at).filter(|other| other.cookie != one.cookie && one.meets(other))
    }

    fn alive(&self, port: Port, at: u64) -> impl Iterator<Item = &Listener> {
        let is_alive = move |entry: &&Entry| {
            entry.listener.since_ns <= at && entry.until_ns.is_none_or(|until| at <= until)
        };
        let entries = self.ports.get(&port).map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter(is_alive).map(|entry| &entry.listener)
    }
}

/// Whoever is bound to the very address goes first (the kernel looks for those
/// before it looks for the others), then whoever is bound to the interface, and
/// an IPv4 socket before an IPv6 one that serves both.
const EXACT: u8 = 4;
const BY_INTERFACE: u8 = 2;
const OF_FAMILY: u8 = 1;

impl Listener {
    /// How well what goes to `to` fits; `None` when it does not come here.
    fn rank(&self, to: IpAddr) -> Option<u8> {
        if self.interface != 0 && self.interface != LOOPBACK_INDEX {
            return None;
        }
        let by_interface = if self.interface == 0 { 0 } else { BY_INTERFACE };
        if self.local.ip().to_canonical() == to {
            return Some(EXACT + by_interface);
        }
        let of_family = self.is_v4_any() == to.is_ipv4();
        self.covers(to).then_some(by_interface + if of_family { OF_FAMILY } else { 0 })
    }

    fn is_v4_any(&self) -> bool {
        matches!(self.local.ip().to_canonical(), IpAddr::V4(ip) if ip.is_unspecified())
    }

    /// Bound to every address, that one included.
    fn covers(&self, ip: IpAddr) -> bool {
        match self.local.ip().to_canonical() {
            IpAddr::V4(own) => own.is_unspecified() && ip.is_ipv4(),
            IpAddr::V6(own) => {
                own.is_unspecified() && (ip.is_ipv6() || self.reuse & reuse::V6_ONLY == 0)
            }
        }
    }

    /// Whether there is an address at which both are reached.
    fn meets(&self, other: &Self) -> bool {
        let (own, others) = (self.local.ip().to_canonical(), other.local.ip().to_canonical());
        let is_apart = self.interface != 0 && other.interface != 0;
        (own == others || self.covers(others) || other.covers(own))
            && !(is_apart && self.interface != other.interface)
    }
}

#[cfg(test)]
mod tests;
