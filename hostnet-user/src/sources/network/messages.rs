//! rtnetlink's messages: what is asked, and what an answer says. Of an answer that
//! is cut short it takes what is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    judge::surface::Address,
    sources::netlink::{attributes, number},
    text,
};

// include/uapi/linux/rtnetlink.h, if_addr.h, if_link.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const RTN_BROADCAST: u8 = 3;
const RTN_ANYCAST: u8 = 4;
const RT_TABLE_MAIN: u8 = 254;
const RTNH_F_DEAD: u32 = 1;
const RTM_F_CLONED: u32 = 0x200;
/// An attribute's kind without its flags, `NLA_TYPE_MASK`.
const KIND: u16 = 0x3fff;

/// What is to be heard of. Routes that go with a link are not told, the link is.
pub const GROUPS: u32 =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;

/// A question about all there are of a kind, of every family.
pub struct Dump {
    pub asks: u16,
    pub answers: u16,
    pub request: Vec<u8>,
}

/// About links, without their counters.
pub fn links() -> Dump {
    let (length, kind) = (size_of::<Mask>() as u16, IFLA_EXT_MASK);
    let mask = Mask { length, kind, mask: RTEXT_FILTER_SKIP_STATS };
    let request = [LinkMessage::default().as_bytes(), mask.as_bytes()].concat();
    Dump { asks: RTM_GETLINK, answers: RTM_NEWLINK, request }
}

/// About addresses.
pub fn addresses() -> Dump {
    let request = AddressMessage::default().as_bytes().to_vec();
    Dump { asks: RTM_GETADDR, answers: RTM_NEWADDR, request }
}

/// About routes, of every table.
pub fn routes() -> Dump {
    let request = RouteMessage::default().as_bytes().to_vec();
    Dump { asks: RTM_GETROUTE, answers: RTM_NEWROUTE, request }
}

/// `struct nlattr`, and its number.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Mask {
    length: u16,
    kind: u16,
    mask: u32,
}

/// `struct ifinfomsg`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct LinkMessage {
    family: u8,
    padding: u8,
    kind: u16,
    index: u32,
    flags: u32,
    change: u32,
}

/// `struct ifaddrmsg`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct AddressMessage {
    family: u8,
    prefix_length: u8,
    flags: u8,
    scope: u8,
    interface: u32,
}

/// `struct rtmsg`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct RouteMessage {
    family: u8,
    prefix_length: u8,
    source_length: u8,
    service: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// `struct rtnexthop`
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct HopMessage {
    length: u16,
    flags: u8,
    hops: u8,
    interface: u32,
}

/// A link's name and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    pub is_bridge: bool,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub destination: IpAddr,
    pub prefix_length: u8,
    pub table: Table,
    pub hops: Vec<Hop>,
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The host takes it for its own.
    Own,
    /// Everybody on a network.
    Broadcast,
    /// Others, by the main table.
    Main,
}

/// One way of a route's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub interface: u32,
    pub has_gateway: bool,
}

/// Index, name and kind of a link.
pub fn link(answer: &[u8]) -> Option<(u32, Link)> {
    let (message, rest) = LinkMessage::read_from_prefix(answer).ok()?;
    let (mut name, mut is_bridge) = (String::new(), false);
    for (kind, value) in attributes(rest) {
        match kind & KIND {
            IFLA_IFNAME => name = text::text(words(value)).readable,
            IFLA_LINKINFO => {
                is_bridge = attributes(value).any(|(kind, value)| {
                    kind & KIND == IFLA_INFO_KIND && words(value) == b"bridge"
                });
            }
            _ => {}
        }
    }
    Some((message.index, Link { name, is_bridge }))
}

/// The address of the host's end: of a point-to-point link the other is not it.
pub fn address(answer: &[u8]) -> Option<Address> {
    let (message, rest) = AddressMessage::read_from_prefix(answer).ok()?;
    let (mut own, mut any) = (None, None);
    for (kind, value) in attributes(rest) {
        match kind & KIND {
            IFA_LOCAL => own = ip(message.family, value),
            IFA_ADDRESS => any = ip(message.family, value),
            _ => {}
        }
    }
    let AddressMessage { prefix_length, interface, .. } = message;
    own.or(any).map(|ip| Address { ip, prefix_length, interface })
}

/// A route that says where addresses are; `None` for one that refuses them, that is
/// out of use, or of a table which only some packets are looked up in.
pub fn route(answer: &[u8]) -> Option<Reached> {
    let (message, rest) = RouteMessage::read_from_prefix(answer).ok()?;
    let table = match message.kind {
        RTN_LOCAL | RTN_ANYCAST => Table::Own,
        RTN_BROADCAST => Table::Broadcast,
        RTN_UNICAST if message.table == RT_TABLE_MAIN => Table::Main,
        _ => return None,
    };
    if message.flags & (RTNH_F_DEAD | RTM_F_CLONED) != 0 {
        return None;
    }
    let mut destination = unspecified(message.family)?;
    let mut hop = Hop { interface: 0, has_gateway: false };
    let mut several = Vec::new();
    for (kind, value) in attributes(rest) {
        match kind & KIND {
            RTA_DST => destination = ip(message.family, value)?,
            RTA_OIF => hop.interface = number(value)?,
            RTA_GATEWAY | RTA_VIA => hop.has_gateway = true,
            RTA_MULTIPATH => several = hops(value),
            _ => {}
        }
    }
    let hops = if several.is_empty() { vec![hop] } else { several };
    Some(Reached { destination, prefix_length: message.prefix_length, table, hops })
}

fn hops(mut rest: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let Ok((message, _)) = HopMessage::read_from_prefix(rest) {
        let length = usize::from(message.length);
        let Some(own) = rest.get(size_of::<HopMessage>()..length) else { break };
        let has_gateway =
            attributes(own).any(|(kind, _)| matches!(kind & KIND, RTA_GATEWAY | RTA_VIA));
        hops.push(Hop { interface: message.interface, has_gateway });
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// A C string without its end.
fn words(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn unspecified(family: u8) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => Some(Ipv4Addr::UNSPECIFIED.into()),
        libc::AF_INET6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => number::<[u8; 4]>(value).map(|octets| Ipv4Addr::from(octets).into()),
        libc::AF_INET6 => number::<[u8; 16]>(value).map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INET: u8 = libc::AF_INET as u8;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn the_hosts_end_of_a_link() {
        let message = AddressMessage {
            family: INET,
            prefix_length: 24,
            interface: 7,
            ..AddressMessage::default()
        };
        let mut answer = message.as_bytes().to_vec();
        let found = |answer: &[u8]| address(answer).map(|address| address.ip);
        answer.extend(attribute(IFA_ADDRESS, &[10, 0, 0, 2]));
        assert_eq!(found(&answer), Some([10, 0, 0, 2].into()));
        answer.extend(attribute(IFA_LOCAL, &[10, 0, 0, 1]));
        let whole = Address { ip: [10, 0, 0, 1].into(), prefix_length: 24, interface: 7 };
        assert_eq!(address(&answer), Some(whole));
        assert_eq!(found(&answer[..5]), None);
        assert_eq!(found(&answer[..12]), None);
    }

    #[test]
    fn a_bridge_says_so() {
        let message = LinkMessage { index: 3, ..LinkMessage::default() };
        let kind =
            |kind: &[u8]| attribute(IFLA_LINKINFO | 0x8000, &attribute(IFLA_INFO_KIND, kind));
        let of = |info: Vec<u8>| {
            let name = attribute(IFLA_IFNAME, b"br0\0");
            link(&[message.as_bytes(), &name, &info].concat()).unwrap()
        };
        let is = |is_bridge| (3, Link { name: "br0".to_owned(), is_bridge });
        assert_eq!(of(kind(b"bridge\0")), is(true));
        assert_eq!(of(kind(b"bridge_slave\0")), is(false));
        assert_eq!(of(Vec::new()), is(false));
    }

    #[test]
    fn a_route_is_on_the_link_unless_every_hop_has_a_gateway() {
        let message = RouteMessage {
            family: INET,
            prefix_length: 24,
            table: RT_TABLE_MAIN,
            kind: RTN_UNICAST,
            ..RouteMessage::default()
        };
        let read = |message: RouteMessage, attributes: &[Vec<u8>]| {
            route(&[message.as_bytes(), &attributes.concat()].concat())
        };
        let (to, by) = (attribute(RTA_DST, &[10, 1, 2, 0]), attribute(RTA_OIF, &[2, 0, 0, 0]));
        let on_link = read(message, &[to.clone(), by.clone()]).unwrap();
        assert_eq!(on_link.destination, IpAddr::from([10, 1, 2, 0]));
        assert_eq!(on_link.hops, [Hop { interface: 2, has_gateway: false }]);
        let gateway = attribute(RTA_GATEWAY, &[10, 1, 2, 1]);
        let behind = read(message, &[to.clone(), by.clone(), gateway.clone()]).unwrap();
        assert_eq!(behind.hops, [Hop { interface: 2, has_gateway: true }]);
        let hop = |interface, attributes: &[u8]| {
            let length = (size_of::<HopMessage>() + attributes.len()) as u16;
            let message = HopMessage { length, interface, ..HopMessage::default() };
            [message.as_bytes(), attributes].concat()
        };
        let several = attribute(RTA_MULTIPATH, &[hop(2, &gateway), hop(3, &[])].concat());
        let hops = read(message, &[to.clone(), several]).unwrap().hops;
        assert_eq!(hops.iter().map(|hop| hop.has_gateway).collect::<Vec<_>>(), [true, false]);
        let dead = RouteMessage { flags: RTNH_F_DEAD, ..message };
        let other_table = RouteMessage { table: 100, ..message };
        let unreachable = RouteMessage { kind: 7, ..message };
        for refused in [dead, other_table, unreachable] {
            assert_eq!(read(refused, &[to.clone(), by.clone()]), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (link(&bytes), address(&bytes), route(&bytes), hops(&bytes));
        }
    }
}
