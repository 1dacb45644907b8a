//! Ports that nobody asks for by number: chosen at bind, at connect, at listen,
//! or from a range of the socket's own.

use std::net::SocketAddr;

use socket2::{SockAddr, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, local, set_option, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("late-port", late_port), ("range-bind", range_bind), ("range-connect", range_connect)];

// include/uapi/linux/in.h
const IP_BIND_ADDRESS_NO_PORT: i32 = 24;
const IP_LOCAL_PORT_RANGE: i32 = 51;

/// `late-port ADDR PORT`: binds an address without a port
/// (`IP_BIND_ADDRESS_NO_PORT`), then connects, which is when the port is chosen.
pub fn late_port(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = socket_for(peer, Type::STREAM);
    set_option(&socket, libc::IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &1i32)
        .expect("IP_BIND_ADDRESS_NO_PORT");
    bind(&socket, SocketAddr::new(peer.ip(), 0));
    connect(&socket, peer);
    keep(socket);
}

/// `range-bind ADDR LOW HIGH [--udp]`: binds port 0 of a range.
pub fn range_bind(arguments: &Arguments) {
    let address = SocketAddr::new(parse(arguments.operands()[0]), 0);
    let kind = if arguments.switch("--udp") { Type::DGRAM } else { Type::STREAM };
    let socket = socket_for(address, kind);
    set_range(&socket, arguments);
    bind(&socket, address);
    keep(socket);
}

/// `range-connect ADDR LOW HIGH PORT`
pub fn range_connect(arguments: &Arguments) {
    let operands = arguments.operands();
    let peer = SocketAddr::new(parse(operands[0]), parse(operands[3]));
    let socket = socket_for(peer, Type::STREAM);
    set_range(&socket, arguments);
    connect(&socket, peer);
    keep(socket);
}

fn set_range(socket: &Socket, arguments: &Arguments) {
    let [low, high] = [1, 2].map(|index| parse::<u32>(arguments.operands()[index]));
    set_option(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, &(high << 16 | low))
        .expect("IP_LOCAL_PORT_RANGE");
}

fn bind(socket: &Socket, address: SocketAddr) {
    let result = socket.bind(&SockAddr::from(address));
    tell("bind")
        .socket(socket)
        .endpoint("requested", Some(address))
        .endpoint("local", local(socket))
        .result(&result)
        .send();
}

fn connect(socket: &Socket, peer: SocketAddr) {
    let result = socket.connect(&peer.into());
    tell("connect")
        .socket(socket)
        .endpoint("local", local(socket))
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
}
