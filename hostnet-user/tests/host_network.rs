//! What is read of a host's network is what ip(8) says of it, in a network
//! namespace that the test makes for itself. Needs root and iproute2.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    process::Command,
    time::{Duration, Instant},
};

use hostnet::{
    judge::surface::{Network, Route, Surface, Way},
    sources::network::HostNetwork,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::Value;

#[path = "../../tests/src/skip.rs"]
mod skip;

/// Does it on a thread in a network namespace of its own, with loopback up. Whoever
/// may not make one skips it.
fn in_own_namespace(what: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        // SAFETY: file descriptors stay shared.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            skip::skip(&format!("cannot make a network namespace: {error}"));
            return;
        }
        ip("link set lo up");
        what();
    });
    thread.join().expect("the test's own thread");
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("iproute2");
    let error = std::str::from_utf8(&output.stderr).expect("ip writes UTF-8");
    assert!(output.status.success(), "ip {words}: {error}");
}

fn asked(words: &str) -> Vec<Value> {
    let output = Command::new("ip").arg("-j").args(words.split(' ')).output().expect("iproute2");
    // It says nothing at all where there is nothing.
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// A bridge with a port and neighbours, a network with a gateway and exceptions, and
/// an address range that is the host's without being assigned.
fn furnish() {
    for words in [
        "link add b0 type bridge",
        "link add v0 type veth peer name v1",
        "link add v2 type veth peer name v3",
        "link set v3 master b0",
        "link set b0 up",
        "link set v0 up",
        "link set v1 up",
        "link set v2 up",
        "link set v3 up",
        "addr add 10.1.2.3/24 brd + dev v0",
        "addr add 172.30.0.1/16 brd + dev b0",
        "addr add fd12::1/64 dev v0 nodad",
        "addr add fd34::1/64 dev b0 nodad",
        "route add default via 10.1.2.1",
        "route add 10.1.2.128/25 via 10.1.2.2",
        "route add 10.1.2.130/32 dev v0",
        "route add 10.9.0.0/16 via 10.1.2.2",
        "route add 192.0.2.9/32 dev b0",
        "route add 198.18.0.0/15 nexthop via 10.1.2.2 dev v0 nexthop dev b0",
        "route add local 10.77.0.0/16 dev lo",
        "route add unreachable 172.30.9.0/24",
        "route add 203.0.113.0/24 dev v0 table 100",
        "-6 route add default via fd12::2",
        "-6 route add fd99::/64 via fd12::2",
        "-6 route add 2001:db8:1::/64 dev b0",
    ] {
        ip(words);
    }
}

/// `(address, prefix length, interface)` of all addresses.
fn addresses_by_ip() -> BTreeSet<(IpAddr, u64, u64)> {
    let mut found = BTreeSet::new();
    for link in asked("addr") {
        for address in link["addr_info"].as_array().expect("a list") {
            let ip = address["local"].as_str().expect("an address").parse().expect("an address");
            let index = link["ifindex"].as_u64().expect("a number");
            found.insert((ip, address["prefixlen"].as_u64().expect("a number"), index));
        }
    }
    found
}

fn addresses(network: &Network) -> BTreeSet<(IpAddr, u64, u64)> {
    let address = network.addresses.iter();
    address.map(|one| (one.ip, one.prefix_length.into(), one.interface.into())).collect()
}

/// Ranges on a link, as `ip route` has them.
fn on_link_by_ip() -> BTreeSet<String> {
    let routes = [asked("-4 route show table main"), asked("-6 route show table main")].concat();
    let is_on_link = |route: &&Value| {
        let hops = route["nexthops"].as_array();
        let by_hop = hops.is_some_and(|hops| hops.iter().any(|hop| hop["gateway"].is_null()));
        let is_plain = route["gateway"].is_null() && hops.is_none() && route["type"].is_null();
        is_plain || by_hop
    };
    let on_link = routes.iter().filter(is_on_link);
    let named = on_link.map(|route| route["dst"].as_str().expect("a range").to_owned());
    named.filter(|range| !range.starts_with("fe80::")).collect()
}

fn ranges(network: &Network, way: Way) -> BTreeSet<String> {
    let of = |route: &Route| match route.destination {
        ip if route.prefix_length == if ip.is_ipv4() { 32 } else { 128 } => ip.to_string(),
        ip => format!("{ip}/{}", route.prefix_length),
    };
    network.routes.iter().filter(|route| route.way == way).map(of).collect()
}

/// What the kernel itself does with a packet to this address.
fn surface_by_ip(remote: &str) -> Option<&'static str> {
    let answer = asked(&format!("route get {remote}"));
    let route = answer.first()?;
    Some(match route["type"].as_str() {
        Some("local") => "own",
        Some("broadcast") => "broadcast",
        Some("multicast") => "multicast",
        _ if route["gateway"].is_null() => "on-link",
        _ => "gateway",
    })
}

fn as_kernel(surface: Surface) -> &'static str {
    match surface {
        Surface::Broadcast => "broadcast",
        Surface::Multicast => "multicast",
        Surface::Lan | Surface::BridgeNetwork => "on-link",
        surface if surface.is_own_address() => "own",
        _ => "gateway",
    }
}

#[test]
fn what_is_read_is_what_ip_says() {
    in_own_namespace(|| {
        furnish();
        let network = HostNetwork::open().unwrap().read().unwrap();
        assert_eq!(addresses(&network), addresses_by_ip());
        let expected = on_link_by_ip();
        assert!(expected.len() > 5, "{expected:?}");
        assert_eq!(ranges(&network, Way::OnLink), expected);
        let broadcast = asked("route show table local type broadcast");
        let broadcast = broadcast.iter().map(|route| route["dst"].as_str().unwrap().to_owned());
        let expected: BTreeSet<_> = broadcast.filter(|dst| !dst.starts_with("127.")).collect();
        assert_eq!(ranges(&network, Way::Broadcast), expected);
        assert_eq!(ranges(&network, Way::Gateway), BTreeSet::from(["10.1.2.128/25".to_owned()]));
        assert_eq!(ranges(&network, Way::Own), BTreeSet::from(["10.77.0.0/16".to_owned()]));
        let bridges: BTreeSet<String> = asked("link show type bridge")
            .iter()
            .map(|link| link["ifname"].as_str().unwrap().to_owned())
            .collect();
        for one in &network.interfaces {
            assert_eq!(one.is_bridge, bridges.contains(&one.name), "{one:?}");
            assert_eq!(one.is_uplink, one.name == "v0", "{one:?}");
        }
        assert!(network.interfaces.iter().any(|one| one.is_bridge));
    });
}

/// The kernel's own lookup is the judge, for addresses at every edge of `furnish`.
#[test]
fn an_address_is_where_the_kernel_would_send_to() {
    in_own_namespace(|| {
        furnish();
        let network = HostNetwork::open().unwrap().read().unwrap();
        let remotes = [
            "127.0.0.1",
            "127.200.1.1",
            "10.1.2.3",
            "10.1.2.1",
            "10.1.2.4",
            "10.1.2.127",
            "10.1.2.128",
            "10.1.2.130",
            "10.1.2.131",
            "10.1.2.254",
            "10.1.2.255",
            "10.1.3.0",
            "10.9.1.1",
            "10.77.0.1",
            "10.77.255.255",
            "10.78.0.1",
            "172.29.255.255",
            "172.30.0.1",
            "172.30.0.2",
            "172.30.255.254",
            "172.30.255.255",
            "172.31.0.0",
            "192.0.2.9",
            "192.0.2.8",
            "8.8.8.8",
            "203.0.113.1",
            "224.0.0.251",
            "239.1.2.3",
            "255.255.255.255",
            "::1",
            "fd12::1",
            "fd12::2",
            "fd12::ffff",
            "fd12:0:0:1::1",
            "fd34::1",
            "fd34::2",
            "fd99::1",
            "2001:db8:1::1",
            "2001:db8:2::1",
            "ff02::1",
        ];
        for remote in remotes {
            let surface = network.surface(remote.parse().unwrap());
            assert_eq!(Some(as_kernel(surface)), surface_by_ip(remote), "{remote} is {surface}");
        }
        let of = |remote: &str| network.surface(remote.parse().unwrap());
        assert_eq!(of("172.30.0.1"), Surface::BridgeGateway);
        assert_eq!(of("172.30.0.2"), Surface::BridgeNetwork);
        assert_eq!(of("192.0.2.9"), Surface::BridgeNetwork);
        assert_eq!(of("10.1.2.3"), Surface::HostAddress);
        assert_eq!(of("10.1.2.4"), Surface::Lan);
        assert_eq!(of("10.9.1.1"), Surface::Private);
        // Once the host itself goes out by the bridge, it is its network card.
        ip("route replace default via 172.30.0.2");
        ip("-6 route del default");
        let network = HostNetwork::open().unwrap().read().unwrap();
        assert_eq!(network.surface("172.30.0.1".parse().unwrap()), Surface::HostAddress);
        assert_eq!(network.surface("172.30.0.2".parse().unwrap()), Surface::Lan);
    });
}

#[test]
fn changes_arrive() {
    in_own_namespace(|| {
        furnish();
        let mut host = HostNetwork::open().unwrap();
        let mut network = host.read().unwrap();
        for change in [
            "addr add 10.5.5.5/24 dev v0",
            "addr del 10.5.5.5/24 dev v0",
            "route add 10.6.0.0/16 dev b0",
            "route del 10.6.0.0/16 dev b0",
            "-6 route add fd77::/64 dev v0",
            "link add b1 type bridge",
            "addr add 172.31.0.1/24 dev b1",
            "link set b1 up",
            // IPv4 routes that go with their link are not told.
            "link set b1 down",
            "link del b1",
        ] {
            ip(change);
            let deadline = Instant::now() + Duration::from_secs(10);
            let is_right = |network: &Network| {
                addresses(network) == addresses_by_ip()
                    && ranges(network, Way::OnLink) == on_link_by_ip()
            };
            // Link-local addresses come and go at times of their own.
            while !is_right(&network) {
                assert!(Instant::now() < deadline, "{change}: {network:?}");
                if let Some(changed) = host.changed().unwrap() {
                    assert_ne!(changed, network);
                    network = changed;
                }
            }
        }
        assert!(!network.interfaces.iter().any(|one| one.name == "b1"));
    });
}

/// The files are of the namespace they were opened in, whoever reads them.
#[test]
fn privileged_ports_are_those_of_the_hosts_namespace() {
    in_own_namespace(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "81").unwrap();
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40009").unwrap();
        let mut host = HostNetwork::open().unwrap();
        let elsewhere = std::thread::spawn(move || {
            // SAFETY: file descriptors stay shared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            (host.read().unwrap(), host.chosen_ports())
        });
        let (network, chosen_ports) = elsewhere.join().unwrap();
        assert!(network.is_privileged(80) && !network.is_privileged(81));
        assert_eq!(chosen_ports, (40_000, 40_009));
        assert!(network.addresses.iter().any(|address| address.ip.is_loopback()));
    });
}
