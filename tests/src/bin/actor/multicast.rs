//! UDP sockets that join multicast groups, in every way that the kernel offers.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use socket2::SockAddr;

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, set_option},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[("multicast", join), ("multicast-serve", serve)];

// include/uapi/linux/in.h
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;

/// `struct group_req`, and `struct group_source_req` with a source behind it.
#[repr(C)]
struct GroupRequest<const ADDRESSES: usize> {
    interface: u32,
    padding: u32,
    addresses: [libc::sockaddr_storage; ADDRESSES],
}

fn request<const N: usize>(interface: u32, addresses: [IpAddr; N]) -> GroupRequest<N> {
    let storage = |ip| {
        let address = SockAddr::from(SocketAddr::new(ip, 0));
        // SAFETY: socket2 keeps every address in storage of that size.
        unsafe { address.as_ptr().cast::<libc::sockaddr_storage>().read() }
    };
    GroupRequest { interface, padding: 0, addresses: addresses.map(storage) }
}

fn bound(at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(at).expect("bind");
    tell("bind").socket(&socket).endpoint("local", socket.local_addr().ok()).send();
    socket
}

/// `multicast GROUP INTERFACE [--from SOURCE] [--request]`: joins the group at the
/// interface with this index, from any source or one, by the family's own options or by
/// those that take an address of either.
fn join(arguments: &Arguments) {
    let group: IpAddr = parse(arguments.operands()[0]);
    let interface: u32 = parse(arguments.operands()[1]);
    let source: Option<IpAddr> = arguments.option("--from");
    let any: IpAddr = if group.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = bound(SocketAddr::new(any, 0));
    let result = joined(&socket, group, interface, source, arguments.switch("--request"));
    tell("multicast-join")
        .socket(&socket)
        .endpoint("local", socket.local_addr().ok())
        .with("group", group.to_string())
        .with("interface", interface)
        .result(&result)
        .send();
    keep(socket);
}

fn joined(
    socket: &UdpSocket,
    group: IpAddr,
    interface: u32,
    source: Option<IpAddr>,
    by_request: bool,
) -> io::Result<()> {
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let ip = |ip: Ipv4Addr| libc::in_addr { s_addr: u32::from(ip).to_be() };
    match (group, source) {
        (IpAddr::V4(group), Some(IpAddr::V4(source))) if !by_request => {
            let asked = libc::ip_mreq_source {
                imr_multiaddr: ip(group),
                imr_interface: ip(Ipv4Addr::LOCALHOST),
                imr_sourceaddr: ip(source),
            };
            set_option(socket, level, libc::IP_ADD_SOURCE_MEMBERSHIP, &asked)
        }
        (group, Some(source)) => {
            let asked = request(interface, [group, source]);
            set_option(socket, level, MCAST_JOIN_SOURCE_GROUP, &asked)
        }
        (group, None) if by_request => {
            set_option(socket, level, MCAST_JOIN_GROUP, &request(interface, [group]))
        }
        (IpAddr::V4(group), None) => {
            let asked = libc::ip_mreqn {
                imr_multiaddr: ip(group),
                imr_address: ip(Ipv4Addr::UNSPECIFIED),
                imr_ifindex: interface as i32,
            };
            set_option(socket, level, libc::IP_ADD_MEMBERSHIP, &asked)
        }
        (IpAddr::V6(group), None) => socket.join_multicast_v6(&group, interface),
    }
}

/// `multicast-serve PORT GROUP INTERFACE [--count N]`: a server on all addresses that
/// joined a group, and answers N datagrams by unicast.
fn serve(arguments: &Arguments) {
    let operands = arguments.operands();
    let (port, group): (u16, IpAddr) = (parse(operands[0]), parse(operands[1]));
    let socket = bound(SocketAddr::new([0; 4].into(), port));
    let result = joined(&socket, group, parse(operands[2]), None, false);
    tell("multicast-join").socket(&socket).with("group", group.to_string()).result(&result).send();
    let mut buffer = [0; 2048];
    for _ in 0..arguments.option("--count").unwrap_or(1) {
        let (count, peer) = socket.recv_from(&mut buffer).expect("recv_from");
        let result = socket.send_to(&buffer[..count], peer);
        tell("receive").socket(&socket).endpoint("remote", Some(peer)).result(&result).send();
    }
    keep(socket);
}
