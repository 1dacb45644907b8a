//! Names of address families and of the protocols within them, as programmers
//! write them after `AF_` and `NETLINK_` (include/linux/socket.h,
//! include/uapi/linux/netlink.h, Linux 7.1).

/// A protocol that is not known.
pub const NO_NUMBER: u32 = u32::MAX;

/// The families, by number.
const FAMILIES: [&str; 46] = [
    "unspec",
    "unix",
    "inet",
    "ax25",
    "ipx",
    "appletalk",
    "netrom",
    "bridge",
    "atmpvc",
    "x25",
    "inet6",
    "rose",
    "decnet",
    "netbeui",
    "security",
    "key",
    "netlink",
    "packet",
    "ash",
    "econet",
    "atmsvc",
    "rds",
    "sna",
    "irda",
    "pppox",
    "wanpipe",
    "llc",
    "ib",
    "mpls",
    "can",
    "tipc",
    "bluetooth",
    "iucv",
    "rxrpc",
    "isdn",
    "phonet",
    "ieee802154",
    "caif",
    "alg",
    "nfc",
    "vsock",
    "kcm",
    "qipcrtr",
    "smc",
    "xdp",
    "mctp",
];

/// The protocols of `AF_NETLINK`, by number.
const NETLINK: [&str; 23] = [
    "route",
    "unused",
    "usersock",
    "firewall",
    "sock-diag",
    "nflog",
    "xfrm",
    "selinux",
    "iscsi",
    "audit",
    "fib-lookup",
    "connector",
    "netfilter",
    "ip6-fw",
    "dnrtmsg",
    "kobject-uevent",
    "generic",
    "dm",
    "scsitransport",
    "ecryptfs",
    "rdma",
    "crypto",
    "smc",
];

/// The family's name; `other` for one this list does not know.
#[must_use]
pub fn name(family: u16) -> &'static str {
    FAMILIES.get(usize::from(family)).copied().unwrap_or("other")
}

/// The protocol's name within its family, when it has one.
#[must_use]
pub fn protocol(family: u16, protocol: u32) -> Option<&'static str> {
    match i32::from(family) {
        libc::AF_INET | libc::AF_INET6 => transport(protocol),
        libc::AF_UNIX => Some("unix"),
        libc::AF_NETLINK => NETLINK.get(protocol as usize).copied(),
        libc::AF_PACKET => ether_type(protocol),
        _ => None,
    }
}

/// The family of that name.
#[must_use]
pub fn number(name: &str) -> u16 {
    let known = FAMILIES.iter().position(|known| *known == name);
    known.and_then(|number| u16::try_from(number).ok()).unwrap_or(u16::MAX)
}

/// The protocol of that name within a family, when it has one.
#[must_use]
pub fn protocol_number(family: u16, name: &str) -> Option<u32> {
    let numbers = match i32::from(family) {
        libc::AF_UNIX | libc::AF_NETLINK => 0..=u32::from(u8::MAX),
        libc::AF_INET | libc::AF_INET6 | libc::AF_PACKET => 0..=u32::from(u16::MAX),
        _ => return None,
    };
    // What has no name is written so, and is not worth a search.
    if name == "other" {
        return None;
    }
    numbers.into_iter().find(|number| protocol(family, *number) == Some(name))
}

/// IP protocols by their IANA names.
const fn transport(protocol: u32) -> Option<&'static str> {
    Some(match protocol {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        58 => "ipv6-icmp",
        115 => "l2tp",
        132 => "sctp",
        136 => "udplite",
        256 => "smc",
        262 => "mptcp",
        _ => return None,
    })
}

/// `ETH_P_*` (include/uapi/linux/if_ether.h).
const fn ether_type(protocol: u32) -> Option<&'static str> {
    Some(match protocol {
        0 => "none",
        0x0003 => "all",
        0x0800 => "ipv4",
        0x0806 => "arp",
        0x86dd => "ipv6",
        0x88cc => "lldp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree_with_libc() {
        for (number, expected) in [
            (libc::AF_UNIX, "unix"),
            (libc::AF_INET6, "inet6"),
            (libc::AF_NETLINK, "netlink"),
            (libc::AF_PACKET, "packet"),
            (libc::AF_ALG, "alg"),
            (libc::AF_VSOCK, "vsock"),
            (libc::AF_XDP, "xdp"),
        ] {
            assert_eq!(name(number as u16), expected);
        }
        assert_eq!(name(999), "other");
        for family in 0..FAMILIES.len() as u16 {
            assert_eq!(number(name(family)), family);
            for protocol in (0..300).chain([0x0800, 0x0806, 0x86dd, 0x88cc]) {
                let Some(name) = super::protocol(family, protocol) else { continue };
                let expected = if name == "unix" { 0 } else { protocol };
                assert_eq!(protocol_number(family, name), Some(expected), "{family} {name}");
            }
        }
        assert_eq!(protocol_number(libc::AF_PACKET as u16, "other"), None);
        assert_eq!(number("no such family"), u16::MAX);
        for (number, expected) in [
            (libc::NETLINK_ROUTE, "route"),
            (libc::NETLINK_NETFILTER, "netfilter"),
            (libc::NETLINK_GENERIC, "generic"),
            (libc::NETLINK_CRYPTO, "crypto"),
        ] {
            assert_eq!(protocol(libc::AF_NETLINK as u16, number as u32), Some(expected));
        }
    }
}
