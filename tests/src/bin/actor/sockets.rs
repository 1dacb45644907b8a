//! Making sockets, binding them, and raw ones.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{arguments::Arguments, truth::tell};

/// A socket of the peer's family: a v4-mapped address makes an IPv6 one.
pub fn socket_for(address: SocketAddr, kind: Type) -> Socket {
    Socket::new(Domain::for_address(address), kind, None).expect("socket")
}

pub fn local(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok().and_then(|address| address.as_socket())
}

/// `bind ADDR PORT [--udp] [--v6only] [--reuse]`
pub fn bind(arguments: &Arguments) {
    let address = arguments.peer(0);
    let _ = bind_one(arguments, address);
}

/// `bind-used ADDR PORT [--udp]`: binds twice; the second one is refused.
pub fn bind_used(arguments: &Arguments) {
    let asked = arguments.peer(0);
    let first = bind_one(arguments, asked).expect("the first bind succeeds");
    let taken = local(&first).expect("a bound socket has an address");
    let refused = bind_one(arguments, SocketAddr::new(asked.ip(), taken.port()));
    assert!(refused.is_err(), "the kernel gave one port twice");
}

fn bind_one(arguments: &Arguments, address: SocketAddr) -> io::Result<Socket> {
    let kind = if arguments.switch("--udp") { Type::DGRAM } else { Type::STREAM };
    let socket = socket_for(address, kind);
    if arguments.switch("--v6only") {
        socket.set_only_v6(true)?;
    }
    if arguments.switch("--reuse") {
        socket.set_reuse_port(true)?;
    }
    let result = socket.bind(&SockAddr::from(address));
    let given = if result.is_ok() { local(&socket) } else { None };
    tell("bind")
        .endpoint("requested", Some(address))
        .endpoint("local", given)
        .result(&result)
        .send();
    result.map(|()| socket)
}

/// `raw-icmp [--v6]`
pub fn raw_icmp(arguments: &Arguments) {
    let (domain, protocol) = if arguments.switch("--v6") {
        (Domain::IPV6, Protocol::ICMPV6)
    } else {
        (Domain::IPV4, Protocol::ICMPV4)
    };
    let result = Socket::new(domain, Type::RAW, Some(protocol));
    tell("raw-socket").with("protocol", i32::from(protocol)).result(&result).send();
}
