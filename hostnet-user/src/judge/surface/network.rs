//! What is known of the host's network, and what an address is to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{MetadataService, Surface};

/// `ip_unprivileged_port_start`, unless it was changed.
const UNPRIVILEGED_PORTS_FROM: u16 = 1024;

/// The host's network as its kernel has it. Of routes it has what decides what an
/// address is: see [`Way`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// The interfaces that the others name.
    pub interfaces: Vec<Interface>,
    /// The host's own addresses.
    pub addresses: Vec<Address>,
    /// Where other addresses are.
    pub routes: Vec<Route>,
    /// The first port that needs no privilege to be bound.
    pub unprivileged_ports_from: u16,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            addresses: Vec::new(),
            routes: Vec::new(),
            unprivileged_ports_from: UNPRIVILEGED_PORTS_FROM,
        }
    }
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's number of it.
    pub index: u32,
    /// Its name, which whoever made it chose.
    pub name: String,
    /// It is a bridge: others are plugged into it.
    pub is_bridge: bool,
    /// A default route goes out by it.
    pub is_uplink: bool,
}

/// An address of the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Bits that it shares with its neighbours.
    pub prefix_length: u8,
    /// The interface that has it.
    pub interface: u32,
}

/// Where the addresses of a range are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The range's first address.
    pub destination: IpAddr,
    /// Bits that its addresses share.
    pub prefix_length: u8,
    /// Where they are.
    pub way: Way,
    /// The interface they are behind.
    pub interface: u32,
}

/// Where the addresses of a route are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Here: the host takes them for its own without having them.
    Own,
    /// At everybody on a network.
    Broadcast,
    /// On the link, without a gateway.
    OnLink,
    /// Behind a gateway, though in the range of one that is on the link.
    Gateway,
}

impl Route {
    fn contains(&self, ip: IpAddr) -> bool {
        let shared = match (self.destination, ip) {
            (IpAddr::V4(range), IpAddr::V4(ip)) => (range.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(range), IpAddr::V6(ip)) => (range.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared >= u32::from(self.prefix_length)
    }

    /// Whether the range of `other` is in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix_length <= other.prefix_length && self.contains(other.destination)
    }
}

impl Network {
    /// The ranges of the networks behind bridges that are not the host's own way out.
    #[must_use]
    pub fn bridged(&self) -> Vec<(IpAddr, u8)> {
        let is_inner = |index: u32| {
            let mut interfaces = self.interfaces.iter().filter(|one| one.index == index);
            interfaces.any(|one| one.is_bridge && !one.is_uplink)
        };
        let routes = self.routes.iter().filter(|route| route.way == Way::OnLink);
        let inner = routes.filter(|route| is_inner(route.interface));
        inner.map(|route| (route.destination, route.prefix_length)).collect()
    }

    /// What this address is to the host. v4-mapped ones are the IPv4 address they map.
    #[must_use]
    pub fn surface(&self, remote: IpAddr) -> Surface {
        let remote = remote.to_canonical();
        if remote.is_unspecified() || remote.is_loopback() {
            return Surface::HostLoopback;
        }
        // Before the host's own: where a node's agent answers for the cloud, the host
        // has the cloud's address, and it is asked for the same secrets.
        if MetadataService::at(remote).is_some() {
            return Surface::Metadata;
        }
        if let Some(interface) = self.own(remote) {
            return if self.is_bridge(interface) {
                Surface::BridgeGateway
            } else {
                Surface::HostAddress
            };
        }
        if self.is_broadcast(remote) {
            Surface::Broadcast
        } else if remote.is_multicast() {
            Surface::Multicast
        } else if is_link_local(remote) {
            Surface::LinkLocal
        } else if let Some(interface) = self.link_to(remote) {
            if self.is_bridge(interface) { Surface::BridgeNetwork } else { Surface::Lan }
        } else if is_private(remote) {
            Surface::Private
        } else {
            Surface::Internet
        }
    }

    /// Whether this port takes a privilege to be bound. Port 0 is the kernel's choice,
    /// which never does.
    #[must_use]
    pub const fn is_privileged(&self, port: u16) -> bool {
        port > 0 && port < self.unprivileged_ports_from
    }

    /// The interface by which an address of the host's own, or a neighbour's, is known.
    #[must_use]
    pub fn interface_of(&self, ip: IpAddr) -> Option<&Interface> {
        let ip = ip.to_canonical();
        self.interface(self.own(ip).or_else(|| self.link_to(ip))?)
    }

    /// The interface that has this address of the host's own.
    fn own(&self, ip: IpAddr) -> Option<u32> {
        let of_route = |route: &&Route| route.way == Way::Own && route.contains(ip);
        let address = self.addresses.iter().find(|address| address.ip == ip);
        let interface = address.map(|address| address.interface);
        interface.or_else(|| self.routes.iter().find(of_route).map(|route| route.interface))
    }

    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let is_one = |route: &Route| route.way == Way::Broadcast && route.contains(ip);
        ip == IpAddr::V4(Ipv4Addr::BROADCAST) || self.routes.iter().any(is_one)
    }

    /// The interface on whose link this address is. As in the kernel, the narrowest
    /// range decides.
    fn link_to(&self, ip: IpAddr) -> Option<u32> {
        let ways =
            self.routes.iter().filter(|route| matches!(route.way, Way::OnLink | Way::Gateway));
        let narrowest =
            ways.filter(|route| route.contains(ip)).max_by_key(|route| route.prefix_length)?;
        (narrowest.way == Way::OnLink).then_some(narrowest.interface)
    }

    fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.index == index)
    }

    /// Whether it is a bridge for others. One that the host itself goes out by is its
    /// way to the LAN, with others plugged in.
    fn is_bridge(&self, index: u32) -> bool {
        self.interface(index).is_some_and(|interface| interface.is_bridge && !interface.is_uplink)
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        // 100.64.0.0/10 is between a provider and its customers, and overlay networks'.
        IpAddr::V4(ip) => ip.is_private() || matches!(ip.octets(), [100, 64..=127, ..]),
        IpAddr::V6(ip) => ip.is_unique_local() || is_site_local(ip),
    }
}

/// fec0::/10, given up by RFC 3879, and still routed nowhere.
const fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}
