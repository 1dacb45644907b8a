//! The host's network, asked by rtnetlink(7), and whether it has changed since:
//! addresses, the links that have them, and routes. It fetches for `other_end/`
//! and `judge/surface`, and decides only what of it they need.

mod messages;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    net::IpAddr,
    os::{fd::OwnedFd, unix::fs::FileExt},
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink,
    recvfrom, socket_with,
};

use super::netlink::{Connection, is_kernel};
use crate::judge::surface::{Address, Interface, Network, Route, Way};
use messages::{Dump, Link, Reached, Table};

/// `NETLINK_ROUTE` is 0, which rustix has as no protocol in particular.
const ROUTE: Option<Protocol> = None;

/// What Linux chooses from unless it is told otherwise.
const CHOSEN_PORTS: (u16, u16) = (32_768, 60_999);

/// Between two looks at a network that keeps changing, at least; and as many times
/// what the last look took, so that a host of many links and routes pays the same share.
const REST: Duration = Duration::from_millis(100);
const SHARE: u32 = 20;

/// A range wider than this, in bits, is a way out and nobody's network, also where
/// it has no gateway: `0.0.0.0/1` of a tunnel.
const WIDEST_NETWORK: (u8, u8) = (8, 16);

/// Messages about changes that are read at a time.
const MAX_READS: usize = 64;

/// Routes that are kept, the narrowest first: a node with a route for each of its
/// containers has some hundreds.
const MOST_ROUTES: usize = 4096;

/// The host's network as it is and as it changes.
pub struct HostNetwork {
    connection: Connection,
    changes: OwnedFd,
    /// Opened once: such a file is of the network namespace that it was opened in.
    port_range: Option<File>,
    unprivileged_from: Option<File>,
    last: Option<Network>,
    is_stale: bool,
    next: Instant,
}

impl HostNetwork {
    /// Begins to mind changes in this thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no rtnetlink.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let changes = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE)?;
        bind(&changes, &SocketAddrNetlink::new(0, messages::GROUPS))?;
        let sysctl = |name| File::open(format!("/proc/sys/net/ipv4/{name}")).ok();
        Ok(Self {
            connection: Connection::open_for(ROUTE)?,
            changes,
            port_range: sysctl("ip_local_port_range"),
            unprivileged_from: sysctl("ip_unprivileged_port_start"),
            last: None,
            is_stale: false,
            next: Instant::now(),
        })
    }

    /// The network now.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn read(&mut self) -> io::Result<Network> {
        let begun = Instant::now();
        let read = self.ask();
        // An answer that was overtaken by a change is asked for again.
        self.is_stale = read.is_err();
        let over = Instant::now();
        self.next = over + REST.max((over - begun) * SHARE);
        let network = read?;
        self.last = Some(network.clone());
        Ok(network)
    }

    /// The network when it is another than what was last read.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn changed(&mut self) -> io::Result<Option<Network>> {
        self.is_stale |= self.has_news();
        if !self.is_stale || Instant::now() < self.next {
            return Ok(None);
        }
        let last = self.last.take();
        let network = self.read()?;
        Ok((last.as_ref() != Some(&network)).then_some(network))
    }

    /// The lowest and the highest port that the kernel chooses.
    #[must_use]
    pub fn chosen_ports(&self) -> (u16, u16) {
        match numbers(self.port_range.as_ref()).as_slice() {
            [low, high] => (*low, *high),
            _ => CHOSEN_PORTS,
        }
    }

    fn ask(&self) -> io::Result<Network> {
        let (mut links, mut addresses, mut reached) = (BTreeMap::new(), Vec::new(), Vec::new());
        self.dump(messages::links(), |answer| links.extend(messages::link(answer)))?;
        self.dump(messages::addresses(), |answer| addresses.extend(messages::address(answer)))?;
        self.dump(messages::routes(), |answer| reached.extend(messages::route(answer)))?;
        let default = Network::default().unprivileged_ports_from;
        let first = numbers(self.unprivileged_from.as_ref()).first().copied();
        Ok(network(&links, addresses, &reached, first.unwrap_or(default)))
    }

    fn dump(&self, dump: Dump, each: impl FnMut(&[u8])) -> io::Result<()> {
        self.connection.dump_as((dump.asks, dump.answers), &dump.request, each)
    }

    /// Whether there were changes since the last call.
    fn has_news(&self) -> bool {
        let mut has_news = false;
        let mut buffer = [0; 1 << 13];
        // What is left is news as well, and who keeps sending must not keep us here.
        for _ in 0..MAX_READS {
            match recvfrom(&self.changes, &mut buffer[..], RecvFlags::empty()) {
                Ok((_, _, sender)) => has_news |= is_kernel(sender),
                // What did not fit was a change, too.
                Err(rustix::io::Errno::NOBUFS) => has_news = true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_nothing) => return has_news,
            }
        }
        has_news
    }
}

/// The numbers in a sysctl's file.
fn numbers(file: Option<&File>) -> Vec<u16> {
    let mut buffer = [0; 64];
    let length = file.and_then(|file| file.read_at(&mut buffer, 0).ok()).unwrap_or_default();
    let text = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.unwrap_or_default();
    text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect()
}

/// What of it all says what an address is to the host.
fn network(
    links: &BTreeMap<u32, Link>,
    mut addresses: Vec<Address>,
    reached: &[Reached],
    unprivileged_ports_from: u16,
) -> Network {
    addresses.sort_unstable_by_key(|address| (address.ip, address.interface));
    addresses.dedup();
    let own: BTreeSet<IpAddr> = addresses.iter().map(|address| address.ip).collect();
    let mut uplinks = BTreeSet::new();
    let mut routes = Vec::new();
    for one in reached.iter().filter(|one| !is_known_by_itself(one.destination)) {
        let is_one_address = one.prefix_length == if one.destination.is_ipv4() { 32 } else { 128 };
        let way = match one.table {
            Table::Own if is_one_address && own.contains(&one.destination) => continue,
            Table::Own => Way::Own,
            Table::Broadcast => Way::Broadcast,
            Table::Main if is_way_out(one) => {
                uplinks.extend(one.hops.iter().map(|hop| hop.interface));
                continue;
            }
            Table::Main if one.hops.iter().all(|hop| hop.has_gateway) => Way::Gateway,
            Table::Main => Way::OnLink,
        };
        let interface = one.hops.first().map_or(0, |hop| hop.interface);
        let Reached { destination, prefix_length, .. } = *one;
        routes.push(Route { destination, prefix_length, way, interface });
    }
    let links_to: Vec<Route> =
        routes.iter().filter(|route| route.way == Way::OnLink).cloned().collect();
    // Of what is behind gateways only exceptions count.
    routes.retain(|route| {
        route.way != Way::Gateway || links_to.iter().any(|link| link.covers(route))
    });
    routes.sort_unstable_by_key(|route| {
        (std::cmp::Reverse(route.prefix_length), route.destination, route.way, route.interface)
    });
    routes.dedup();
    if routes.len() > MOST_ROUTES {
        let count = routes.len() - MOST_ROUTES;
        tracing::warn!(
            "the host has {count} more routes than hostnet reads: addresses of its widest networks may be \
             shown with the wrong surface"
        );
        routes.truncate(MOST_ROUTES);
    }
    let named: BTreeSet<u32> = addresses
        .iter()
        .map(|address| address.interface)
        .chain(routes.iter().map(|route| route.interface))
        .collect();
    let interfaces = links
        .iter()
        .filter(|(index, _)| named.contains(index))
        .map(|(index, link)| Interface {
            index: *index,
            name: link.name.clone(),
            is_bridge: link.is_bridge,
            is_uplink: uplinks.contains(index),
        })
        .collect();
    Network { interfaces, addresses, routes, unprivileged_ports_from }
}

/// Whether it needs no route to say what it is. Each link has its own for these.
fn is_known_by_itself(ip: IpAddr) -> bool {
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    ip.is_loopback() || ip.is_multicast() || is_link_local
}

fn is_way_out(reached: &Reached) -> bool {
    let (v4, v6) = WIDEST_NETWORK;
    reached.prefix_length < if reached.destination.is_ipv4() { v4 } else { v6 }
}

#[cfg(test)]
mod tests {
    use rustix::net::{SendFlags, getsockname, sendto};

    use super::{messages::Hop, *};

    fn reached(cidr: &str, table: Table, hops: &[(u32, bool)]) -> Reached {
        let (destination, prefix_length) = cidr.split_once('/').unwrap();
        let hop = |(interface, has_gateway): &(u32, bool)| Hop {
            interface: *interface,
            has_gateway: *has_gateway,
        };
        Reached {
            destination: destination.parse().unwrap(),
            prefix_length: prefix_length.parse().unwrap(),
            table,
            hops: hops.iter().map(hop).collect(),
        }
    }

    #[test]
    fn only_what_decides_is_kept() {
        let link = |name: &str, is_bridge| Link { name: name.to_owned(), is_bridge };
        let links = BTreeMap::from([
            (1, link("lo", false)),
            (2, link("eth0", false)),
            (3, link("docker0", true)),
            (4, link("tun0", false)),
            (9, link("unused", true)),
        ]);
        let own = |ip: [u8; 4], interface| Address { ip: ip.into(), prefix_length: 8, interface };
        let addresses =
            vec![own([172, 17, 0, 1], 3), own([127, 0, 0, 1], 1), own([10, 1, 2, 3], 2)];
        let all = [
            reached("0.0.0.0/0", Table::Main, &[(2, true)]),
            reached("0.0.0.0/1", Table::Main, &[(4, false)]),
            reached("10.1.2.0/24", Table::Main, &[(2, false)]),
            reached("10.1.2.128/25", Table::Main, &[(2, true)]),
            reached("10.9.0.0/16", Table::Main, &[(2, true)]),
            reached("10.8.0.0/16", Table::Main, &[(2, true), (3, false)]),
            reached("fe80::/64", Table::Main, &[(2, false)]),
            reached("127.0.0.0/8", Table::Own, &[(1, false)]),
            reached("10.1.2.3/32", Table::Own, &[(2, false)]),
            reached("10.77.0.0/16", Table::Own, &[(1, false)]),
            reached("10.1.2.255/32", Table::Broadcast, &[(2, false)]),
        ];
        let network = network(&links, addresses, &all, 80);
        let route = |cidr: &str, way, interface| {
            let Reached { destination, prefix_length, .. } = reached(cidr, Table::Own, &[]);
            Route { destination, prefix_length, way, interface }
        };
        assert_eq!(
            network.routes,
            [
                route("10.1.2.255/32", Way::Broadcast, 2),
                route("10.1.2.128/25", Way::Gateway, 2),
                route("10.1.2.0/24", Way::OnLink, 2),
                route("10.8.0.0/16", Way::OnLink, 2),
                route("10.77.0.0/16", Way::Own, 1),
            ]
        );
        let named: Vec<_> = network
            .interfaces
            .iter()
            .map(|one| (one.name.as_str(), one.is_bridge, one.is_uplink))
            .collect();
        assert_eq!(named, [("lo", false, false), ("eth0", false, true), ("docker0", true, false)]);
        assert!(network.addresses.is_sorted_by_key(|address| address.ip));
        assert_eq!(network.unprivileged_ports_from, 80);
    }

    #[test]
    fn loopback_is_among_them_unless_it_is_down() {
        let found = HostNetwork::open().and_then(|mut network| network.read());
        let is_up = std::net::UdpSocket::bind("127.0.0.1:0").is_ok();
        let is_there = |network: Network| {
            network.addresses.iter().any(|address| address.ip == IpAddr::from([127, 0, 0, 1]))
        };
        assert!(found.is_err() || !is_up || is_there(found.unwrap()));
    }

    /// Whoever has `CAP_NET_ADMIN` may send to the socket for changes, and change routes,
    /// as fast as it likes.
    #[test]
    fn a_turn_reads_a_bounded_number_of_messages_about_changes() {
        let host = HostNetwork::open().unwrap();
        let changes = getsockname(&host.changes).unwrap();
        let to = SocketAddrNetlink::try_from(changes).unwrap();
        let (kind, flags) = (SocketType::RAW, SocketFlags::NONBLOCK);
        let sender = socket_with(AddressFamily::NETLINK, kind, flags, ROUTE).unwrap();
        // `NLMSG_DONE` of 16 bytes.
        let message = [16, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut sent = 0;
        // Until the socket is full; refused at once where it takes more rights.
        while sendto(&sender, &message, SendFlags::empty(), &to).is_ok() {
            sent += 1;
        }
        if sent == 0 {
            return;
        }
        assert!(sent > 2 * MAX_READS, "room for only {sent} messages");
        // Something of the host's network may have changed meanwhile.
        let _news = host.has_news();
        let mut left = 0;
        while recvfrom(&host.changes, &mut [0; 64][..], RecvFlags::empty()).is_ok() {
            left += 1;
        }
        assert!(left >= sent - MAX_READS, "{left} of {sent} are left for the next turns");
    }

    #[test]
    fn ports_to_choose_from_are_a_range() {
        let (low, high) = HostNetwork::open().unwrap().chosen_ports();
        assert!(low < high);
    }
}
