//! Addresses in unusual forms: of nobody, of every family at once, or with more
//! than an address in them.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::AsRawFd as _,
};

use socket2::{SockAddr, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    listeners,
    sockets::{keep, local, outcome, set_option, socket_for},
    truth::{tell, tell_accept, tell_connect},
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("bind-foreign", foreign),
    ("dual-stack", dual_stack),
    ("no-address", none),
    ("scoped", scoped),
];

// include/uapi/linux/in.h, in6.h
const IP_FREEBIND: i32 = 15;
const IP_TRANSPARENT: i32 = 19;
const IPV6_TRANSPARENT: i32 = 75;
const IPV6_FREEBIND: i32 = 78;

/// `bind-foreign ADDR PORT --by transparent|freebind [--udp]`: an address that
/// no interface has.
pub fn foreign(arguments: &Arguments) {
    let address = arguments.peer(0);
    let kind = if arguments.switch("--udp") { Type::DGRAM } else { Type::STREAM };
    let socket = socket_for(address, kind);
    let transparent = arguments.option::<String>("--by").as_deref() == Some("transparent");
    let (level, name) = match (address.is_ipv4(), transparent) {
        (true, true) => (libc::IPPROTO_IP, IP_TRANSPARENT),
        (true, false) => (libc::IPPROTO_IP, IP_FREEBIND),
        (false, true) => (libc::IPPROTO_IPV6, IPV6_TRANSPARENT),
        (false, false) => (libc::IPPROTO_IPV6, IPV6_FREEBIND),
    };
    set_option(&socket, level, name, &1i32).expect("a non-local bind is allowed");
    let result = socket.bind(&SockAddr::from(address));
    tell("bind")
        .socket(&socket)
        .endpoint("requested", Some(address))
        .endpoint("local", local(&socket))
        .result(&result)
        .send();
    keep(socket);
}

/// `no-address`: connects and binds with what is no address for the socket: too short, or
/// of another family. What is behind its end is not the caller's.
pub fn none(_arguments: &Arguments) {
    let (v4, v6, unix) = (libc::AF_INET, libc::AF_INET6, libc::AF_UNIX);
    let (stream, datagram) = (Type::STREAM, Type::DGRAM);
    for (domain, kind, family, length) in [
        (v4, stream, v4, 8),
        (v6, stream, v6, 8),
        (v6, stream, v6, 23),
        (v4, stream, v6, 28),
        (v6, stream, v4, 28),
        (v6, stream, unix, 28),
        (v4, datagram, v4, 8),
        (v6, datagram, v6, 23),
        (v4, datagram, v6, 28),
        (v6, datagram, unix, 28),
    ] {
        // Family, port 9 and bytes that are no zeros.
        let mut address = [0x5a_u8; 28];
        address[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        address[2..4].copy_from_slice(&9_u16.to_be_bytes());
        for (op, call) in [("connect", libc::connect as Call), ("bind", libc::bind as Call)] {
            let socket = Socket::new(domain.into(), kind, None).expect("a socket");
            // SAFETY: the address is at least as long as it is said to be.
            let result = unsafe { call(socket.as_raw_fd(), address.as_ptr().cast(), length) };
            tell(op).with("length", length).result(&outcome(result.into())).send();
        }
    }
}

type Call = unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32;

/// `dual-stack`: one listener on `::` takes a connection of each family.
pub fn dual_stack(_arguments: &Arguments) {
    let listener = listeners::open_told((Ipv6Addr::UNSPECIFIED, 0).into());
    let port = local(&listener).expect("bound").port();
    let clients: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    for ip in clients {
        let peer = SocketAddr::new(ip, port);
        let client = socket_for(peer, Type::STREAM);
        let result = client.connect(&peer.into());
        tell_connect(&client, peer, &result);
        let (server, from) = listener.accept().expect("accept");
        tell_accept(&server, from.as_socket());
        keep(client);
        keep(server);
    }
    keep(listener);
}

/// `scoped ADDR PORT --scope INDEX [--flow N]`: binds a UDP socket to an address
/// of one interface, connects it, and connects a TCP socket, with a scope id and
/// a flow label in the address.
pub fn scoped(arguments: &Arguments) {
    let ip: Ipv6Addr = parse(arguments.operands()[0]);
    let port = parse(arguments.operands()[1]);
    let scope = arguments.option("--scope").expect("--scope");
    let flow: u32 = arguments.option("--flow").unwrap_or(0);
    let at = |port| SocketAddr::V6(SocketAddrV6::new(ip, port, flow.to_be(), scope));
    let (own, peer) = (at(0), at(port));
    let datagrams = socket_for(own, Type::DGRAM);
    let result = datagrams.bind(&own.into());
    tell("bind")
        .socket(&datagrams)
        .endpoint("requested", Some(own))
        .endpoint("local", local(&datagrams))
        .result(&result)
        .send();
    let result = datagrams.connect(&peer.into());
    tell("connect")
        .with("transport", "udp")
        .socket(&datagrams)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    let stream = socket_for(peer, Type::STREAM);
    let result = stream.connect(&peer.into());
    tell("connect").socket(&stream).endpoint("remote", Some(peer)).result(&result).send();
    keep(datagrams);
    keep(stream);
}
