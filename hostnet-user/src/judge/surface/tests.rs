use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn interface(index: u32, name: &str, is_bridge: bool, is_uplink: bool) -> Interface {
    Interface { index, name: name.to_owned(), is_bridge, is_uplink }
}

fn address(cidr: &str, interface: u32) -> Address {
    let (text, prefix_length) = cidr.split_once('/').unwrap();
    Address { ip: ip(text), prefix_length: prefix_length.parse().unwrap(), interface }
}

fn route(cidr: &str, way: Way, interface: u32) -> Route {
    let Address { ip, prefix_length, .. } = address(cidr, 0);
    Route { destination: ip, prefix_length, way, interface }
}

/// A machine with a network card, Docker's bridge, and a bridge that it goes out by.
fn host() -> Network {
    Network {
        interfaces: vec![
            interface(1, "lo", false, false),
            interface(2, "eth0", false, true),
            interface(3, "docker0", true, false),
            interface(4, "br0", true, true),
        ],
        addresses: vec![
            address("127.0.0.1/8", 1),
            address("10.1.2.3/24", 2),
            address("2001:db8::3/64", 2),
            address("fe80::3/64", 2),
            address("172.17.0.1/16", 3),
            address("fe80::42/64", 3),
            address("198.51.100.7/24", 4),
        ],
        routes: vec![
            route("10.77.0.0/16", Way::Own, 1),
            route("10.1.2.255/32", Way::Broadcast, 2),
            route("172.17.255.255/32", Way::Broadcast, 3),
            route("10.1.2.0/24", Way::OnLink, 2),
            route("10.1.2.128/25", Way::Gateway, 2),
            route("10.1.2.129/32", Way::OnLink, 2),
            route("172.17.0.0/16", Way::OnLink, 3),
            route("198.51.100.0/24", Way::OnLink, 4),
            route("2001:db8::/64", Way::OnLink, 2),
        ],
        ..Network::default()
    }
}

#[test]
fn what_an_address_is_to_the_host() {
    use Surface as S;
    let host = host();
    let cases = [
        ("127.0.0.1", S::HostLoopback),
        ("127.255.1.2", S::HostLoopback),
        ("::1", S::HostLoopback),
        ("0.0.0.0", S::HostLoopback),
        ("::", S::HostLoopback),
        ("::ffff:0.0.0.0", S::HostLoopback),
        ("::ffff:127.9.9.9", S::HostLoopback),
        ("10.1.2.3", S::HostAddress),
        ("::ffff:10.1.2.3", S::HostAddress),
        ("2001:db8::3", S::HostAddress),
        ("fe80::3", S::HostAddress),
        ("10.77.200.1", S::HostAddress),
        ("198.51.100.7", S::HostAddress),
        ("172.17.0.1", S::BridgeGateway),
        ("fe80::42", S::BridgeGateway),
        ("172.17.0.2", S::BridgeNetwork),
        ("169.254.169.254", S::Metadata),
        ("::ffff:169.254.169.254", S::Metadata),
        ("fd00:ec2::254", S::Metadata),
        ("100.100.100.200", S::Metadata),
        ("168.63.129.16", S::Metadata),
        ("169.254.169.253", S::LinkLocal),
        ("fe80::1", S::LinkLocal),
        ("febf::1", S::LinkLocal),
        ("10.1.2.4", S::Lan),
        ("2001:db8::4", S::Lan),
        ("198.51.100.8", S::Lan),
        // A part of the subnet is behind a gateway, but for one neighbour.
        ("10.1.2.130", S::Private),
        ("10.1.2.129", S::Lan),
        ("10.1.3.1", S::Private),
        ("172.16.0.1", S::Private),
        ("172.32.0.1", S::Internet),
        ("192.168.1.1", S::Private),
        ("100.64.0.1", S::Private),
        ("100.128.0.1", S::Internet),
        ("fc00::1", S::Private),
        ("fec0::1", S::Private),
        ("8.8.8.8", S::Internet),
        ("2606:4700::1", S::Internet),
        ("224.0.0.251", S::Multicast),
        ("ff02::fb", S::Multicast),
        ("::ffff:239.1.1.1", S::Multicast),
        ("255.255.255.255", S::Broadcast),
        ("10.1.2.255", S::Broadcast),
        ("172.17.255.255", S::Broadcast),
    ];
    for (text, surface) in cases {
        assert_eq!(host.surface(ip(text)), surface, "{text}");
    }
}

#[test]
fn of_a_host_that_cannot_be_asked_only_fixed_addresses_are_known() {
    let nothing = Network::default();
    assert_eq!(nothing.surface(ip("127.0.0.1")), Surface::HostLoopback);
    assert_eq!(nothing.surface(ip("10.1.2.3")), Surface::Private);
    assert_eq!(nothing.surface(ip("192.0.2.1")), Surface::Internet);
    assert!(nothing.is_privileged(1023) && !nothing.is_privileged(1024));
}

/// Such a host is a node whose agent stands in for the cloud.
#[test]
fn metadata_is_metadata_where_the_host_itself_answers_for_it() {
    let mut host = host();
    host.addresses.push(address("169.254.169.254/32", 1));
    assert_eq!(host.surface(ip("169.254.169.254")), Surface::Metadata);
    host.addresses.push(address("169.254.20.10/32", 1));
    assert_eq!(host.surface(ip("169.254.20.10")), Surface::HostAddress);
}

#[test]
fn an_interface_is_named_for_own_addresses_and_neighbours() {
    let host = host();
    let name = |text| host.interface_of(ip(text)).map(|interface| interface.name.as_str());
    assert_eq!(name("::ffff:172.17.0.1"), Some("docker0"));
    assert_eq!(name("172.17.0.9"), Some("docker0"));
    assert_eq!(name("10.1.2.3"), Some("eth0"));
    assert_eq!(name("8.8.8.8"), None);
}

#[test]
fn a_port_is_privileged_below_the_hosts_own_limit() {
    let mut host = host();
    assert!(host.is_privileged(1) && host.is_privileged(1023));
    assert!(!host.is_privileged(0) && !host.is_privileged(1024));
    host.unprivileged_ports_from = 80;
    assert!(host.is_privileged(79) && !host.is_privileged(80));
    host.unprivileged_ports_from = 0;
    assert!(!host.is_privileged(1));
}

#[test]
fn names_are_kebab_case_and_the_same_in_json() {
    let names: BTreeSet<&str> = Surface::ALL.iter().map(|surface| surface.name()).collect();
    assert_eq!(names.len(), Surface::ALL.len());
    for surface in Surface::ALL {
        let json = serde_json::to_value(surface).unwrap();
        assert_eq!(json, surface.name());
        assert_eq!(serde_json::from_value::<Surface>(json).unwrap(), *surface);
    }
    for (address, service) in MetadataService::all() {
        assert_eq!(serde_json::to_value(service).unwrap(), service.name());
        assert_eq!(MetadataService::at(address), Some(service), "{address} is there twice");
    }
    assert!(MetadataService::is_asked_at(80) && !MetadataService::is_asked_at(53));
}

#[test]
fn metadata_addresses_are_those_that_people_know() {
    let named = |service| {
        let addresses = MetadataService::all().filter(move |(_, whose)| *whose == service);
        addresses.map(|(address, _)| address.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named(MetadataService::Aws), ["fd00:ec2::254"]);
    assert_eq!(named(MetadataService::AwsEks), ["169.254.170.23", "fd00:ec2::23"]);
    assert_eq!(named(MetadataService::Gcp), ["fd20:ce::254"]);
    assert_eq!(named(MetadataService::Oracle), ["fd00:c1::a9fe:a9fe"]);
    assert_eq!(named(MetadataService::Openstack), ["fe80::a9fe:a9fe"]);
    assert_eq!(named(MetadataService::Scaleway), ["169.254.42.42", "fd00:42::42"]);
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        (0..=255u8).prop_map(|last| IpAddr::from([10, 1, 2, last])),
        (0..=255u8).prop_map(|last| IpAddr::from([172, 17, last, 255])),
    ]
}

fn any_way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Own), Just(Way::Broadcast), Just(Way::OnLink), Just(Way::Gateway)]
}

prop_compose! {
    /// Whatever a recording may hold, prefixes longer than an address included.
    fn any_network()(
        interfaces in prop::collection::vec((0..6u32, any::<bool>(), any::<bool>()), 0..6),
        addresses in prop::collection::vec((any_ip(), any::<u8>(), 0..6u32), 0..8),
        routes in prop::collection::vec((any_ip(), any::<u8>(), any_way(), 0..6u32), 0..12),
        unprivileged_ports_from in any::<u16>(),
    ) -> Network {
        Network {
            interfaces: interfaces
                .into_iter()
                .map(|(index, is_bridge, is_uplink)| interface(index, "x", is_bridge, is_uplink))
                .collect(),
            addresses: addresses
                .into_iter()
                .map(|(ip, prefix_length, interface)| Address { ip, prefix_length, interface })
                .collect(),
            routes: routes
                .into_iter()
                .map(|(destination, prefix_length, way, interface)| Route {
                    destination, prefix_length, way, interface,
                })
                .collect(),
            unprivileged_ports_from,
        }
    }
}

proptest! {
    #[test]
    fn every_address_is_something_to_every_host(network in any_network(), ip in any_ip()) {
        let surface = network.surface(ip);
        let of_ip = !matches!(surface, Surface::Packet | Surface::Raw | Surface::Netlink);
        prop_assert!(of_ip);
        prop_assert_eq!(network.interface_of(ip).is_some(), network.interface_of(ip.to_canonical()).is_some());
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address(network in any_network(), octets: [u8; 4]) {
        let plain = IpAddr::from(octets);
        let mapped = IpAddr::from(Ipv6Addr::from_bits(0xffff_0000_0000 | u128::from(u32::from_be_bytes(octets))));
        prop_assert_eq!(network.surface(plain), network.surface(mapped));
    }

    #[test]
    fn what_the_host_has_is_its_own(network in any_network()) {
        for Address { ip, .. } in &network.addresses {
            let surface = network.surface(*ip);
            prop_assert!(surface.is_own_address() || surface == Surface::Metadata);
        }
    }

    #[test]
    fn a_network_is_recorded_as_it_is(network in any_network()) {
        let json = serde_json::to_string(&network).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
    }
}
