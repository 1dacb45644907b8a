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

use crate::attribute::Party;

/// How long a socket that is gone stays known: what was sent to it may be told late.
const REMEMBERED_NS: u64 = 5_000_000_000;

/// Most sockets; where one does not fit, nothing is said of its port any more.
const MOST: usize = 1 << 17;

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
    until_ns: Option<u64>,
}

type Port = (u32, u16);

/// The table.
#[derive(Debug, Default)]
pub struct Listeners {
    ports: HashMap<Port, Vec<Entry>>,
    by_cookie: HashMap<u64, Port>,
    closed: VecDeque<(u64, Port)>,
    /// Ports of which not every socket is here.
    partial: HashSet<Port>,
    count: usize,
}

impl Listeners {
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
        if self.count >= MOST {
            self.partial.insert(port);
            return;
        }
        self.count += 1;
        self.by_cookie.insert(listener.cookie, port);
        self.ports.entry(port).or_default().push(Entry { listener, until_ns: None });
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
            let before = entries.len();
            entries.retain(|entry| entry.until_ns.is_none_or(|until| until > closed));
            self.count -= before - entries.len();
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::Owner,
        event::{endpoint, from_socket_addr},
    };

    const TCP: u32 = 6;
    const NOBODY: [u64; 0] = [];

    fn at(text: &str) -> SocketAddr {
        let (address, port) = from_socket_addr(text.parse().expect("an address"));
        endpoint(address, port)
    }

    fn listener(cookie: u64, local: &str) -> Listener {
        let party = Party {
            owner: Arc::new(Owner::unknown(cookie, None)),
            creator: None,
            process: None,
            actor: None,
        };
        let (protocol, local) = (TCP, at(local));
        let (reuse, interface, user, since_ns) = (0, 0, None, 10);
        Listener { cookie, protocol, local, reuse, interface, party, user, since_ns }
    }

    fn table(listeners: impl IntoIterator<Item = Listener>) -> Listeners {
        let mut table = Listeners::default();
        listeners.into_iter().for_each(|listener| table.open(listener));
        table
    }

    fn reached(table: &Listeners, end: &str, at_ns: u64) -> Vec<u64> {
        let reached = table.at(TCP, at(end), at_ns);
        let cookies = reached.map(|reached| reached.listeners.iter().map(|l| l.cookie).collect());
        cookies.unwrap_or_default()
    }

    #[test]
    fn the_very_address_goes_before_every_address() {
        let table = table([
            listener(1, "0.0.0.0:80"),
            listener(2, "127.0.0.1:80"),
            listener(3, "[::1]:80"),
            listener(4, "127.0.0.1:81"),
        ]);
        assert_eq!(reached(&table, "127.0.0.1:80", 10), [2]);
        assert_eq!(reached(&table, "127.0.0.2:80", 10), [1]);
        assert_eq!(reached(&table, "[::ffff:127.0.0.1]:80", 10), [2]);
        assert_eq!(reached(&table, "[::1]:80", 10), [3]);
        assert_eq!(reached(&table, "[fe80::1]:80", 10), NOBODY);
        let udp = table.at(17, at("127.0.0.1:80"), 10);
        assert!(udp.is_none(), "another protocol");
        assert!(table.at(TCP, at("127.0.0.1:80"), 10).is_some_and(|reached| reached.is_exact));
        assert!(table.at(TCP, at("127.0.0.2:80"), 10).is_some_and(|reached| !reached.is_exact));
    }

    #[test]
    fn an_ipv6_socket_serves_ipv4_unless_it_says_not() {
        let dual = listener(1, "[::]:80");
        let v6_only = Listener { reuse: reuse::V6_ONLY, ..listener(2, "[::]:81") };
        let mut table = table([dual, v6_only]);
        assert_eq!(reached(&table, "127.0.0.1:80", 10), [1]);
        assert_eq!(reached(&table, "[::1]:80", 10), [1]);
        assert_eq!(reached(&table, "127.0.0.1:81", 10), NOBODY);
        assert_eq!(reached(&table, "[::1]:81", 10), [2]);
        table.open(listener(3, "0.0.0.0:80"));
        assert_eq!(reached(&table, "127.0.0.1:80", 10), [3], "IPv4's own goes first");
    }

    #[test]
    fn several_at_one_address_are_all_named() {
        let table = table([
            listener(1, "0.0.0.0:80"),
            listener(2, "0.0.0.0:80"),
            listener(3, "127.0.0.1:80"),
        ]);
        assert_eq!(reached(&table, "127.0.0.2:80", 10), [1, 2]);
        assert_eq!(reached(&table, "127.0.0.1:80", 10), [3]);
    }

    #[test]
    fn only_those_that_lived_then() {
        let mut table = table([listener(1, "127.0.0.1:80")]);
        table.close(1, 20);
        let later = Listener { since_ns: 30, ..listener(2, "127.0.0.1:80") };
        table.open(later);
        let found = [9, 10, 20, 25, 30].map(|at| reached(&table, "127.0.0.1:80", at));
        assert_eq!(found, [vec![], vec![1], vec![1], vec![], vec![2]]);
        table.expire(20 + REMEMBERED_NS + 1);
        assert_eq!(reached(&table, "127.0.0.1:80", 15), NOBODY);
        assert_eq!(reached(&table, "127.0.0.1:80", 30), [2]);
    }

    #[test]
    fn a_socket_may_listen_again() {
        let mut table = table([listener(1, "127.0.0.1:80")]);
        table.close(1, 20);
        table.open(Listener { since_ns: 30, ..listener(1, "127.0.0.1:81") });
        assert_eq!(reached(&table, "127.0.0.1:81", 40), [1]);
        table.close(1, 50);
        assert_eq!(reached(&table, "127.0.0.1:81", 60), NOBODY);
        table.expire(u64::MAX);
        assert_eq!((table.count, table.ports.len(), table.by_cookie.len()), (0, 0, 0));
    }

    #[test]
    fn another_interface_is_not_reached_from_here() {
        let on = |interface| Listener { interface, ..listener(interface.into(), "0.0.0.0:80") };
        assert_eq!(reached(&table([on(7)]), "127.0.0.1:80", 10), NOBODY);
        assert_eq!(reached(&table([on(0), on(1)]), "127.0.0.1:80", 10), [1]);
    }

    #[test]
    fn who_shares_a_port() {
        let table = table([
            listener(1, "0.0.0.0:53"),
            listener(2, "10.0.0.1:53"),
            listener(3, "[::1]:53"),
            listener(4, "127.0.0.1:54"),
        ]);
        let sharing = |one: Listener| -> Vec<u64> {
            table.sharing(&one, 10).map(|other| other.cookie).collect()
        };
        assert_eq!(sharing(listener(9, "127.0.0.1:53")), [1]);
        assert_eq!(sharing(listener(9, "10.0.0.1:53")), [1, 2]);
        assert_eq!(sharing(listener(9, "[::]:53")), [1, 2, 3]);
        let v6_only = Listener { reuse: reuse::V6_ONLY, ..listener(9, "[::]:53") };
        assert_eq!(sharing(v6_only), [3]);
        assert_eq!(sharing(listener(1, "0.0.0.0:53")), [2], "not itself");
        assert_eq!(sharing(listener(9, "127.0.0.1:99")), NOBODY);
    }

    #[test]
    fn a_port_that_is_not_wholly_known_is_not_spoken_of() {
        let mut table = table([listener(1, "0.0.0.0:80")]);
        table.count = MOST;
        table.open(listener(2, "127.0.0.1:80"));
        assert_eq!(reached(&table, "127.0.0.1:80", 10), NOBODY);
        table.forget();
        table.open(listener(1, "0.0.0.0:80"));
        assert_eq!(reached(&table, "127.0.0.1:80", 10), [1]);
    }
}
