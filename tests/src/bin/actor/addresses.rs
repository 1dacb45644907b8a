//! Addresses in unusual forms: of nobody, of every family at once, or with more
//! than an address in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{SockAddr, Type};

use crate::{
    arguments::{Arguments, parse},
    listeners,
    sockets::{keep, local, set_option, socket_for},
    truth::{tell, tell_accept, tell_connect},
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("bind-foreign", foreign), ("dual-stack", dual_stack), ("scoped", scoped)];

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
