//! One socket, several peers: connected again, disconnected by `AF_UNSPEC`, or
//! tried again after a refusal.

use std::{io, net::SocketAddr, os::fd::AsRawFd as _};

use socket2::{Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{keep, local, outcome, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("udp-reconnect", udp), ("tcp-reconnect", tcp), ("tcp-retry", retry)];

/// `udp-reconnect ADDR PORT ADDR PORT`: connects to one peer, to the other, to
/// none, and then sends to the first by name.
pub fn udp(arguments: &Arguments) {
    let peers = [arguments.peer(0), arguments.peer(2)];
    let socket = socket_for(peers[0], Type::DGRAM);
    for peer in peers {
        connect(&socket, peer, "udp");
    }
    disconnect(&socket);
    let result = socket.send_to(b"again", &peers[0].into());
    tell("send").socket(&socket).endpoint("remote", Some(peers[0])).result(&result).send();
    keep(socket);
}

/// `tcp-reconnect ADDR PORT ADDR PORT`: connects, disconnects, connects elsewhere.
pub fn tcp(arguments: &Arguments) {
    let socket = socket_for(arguments.peer(0), Type::STREAM);
    connect(&socket, arguments.peer(0), "tcp");
    disconnect(&socket);
    connect(&socket, arguments.peer(2), "tcp");
    keep(socket);
}

/// `tcp-retry ADDR PORT ADDR PORT`: the first refuses, the second does not.
pub fn retry(arguments: &Arguments) {
    let socket = socket_for(arguments.peer(0), Type::STREAM);
    connect(&socket, arguments.peer(0), "tcp");
    connect(&socket, arguments.peer(2), "tcp");
    keep(socket);
}

fn connect(socket: &Socket, peer: SocketAddr, transport: &str) {
    let result = socket.connect(&peer.into());
    let address = if result.is_ok() { local(socket) } else { None };
    tell("connect")
        .with("transport", transport)
        .socket(socket)
        .endpoint("local", address)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
}

fn disconnect(socket: &Socket) {
    // SAFETY: all fields of an address may be zero, and zero is AF_UNSPEC.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    let length = size_of_val(&nobody) as libc::socklen_t;
    // SAFETY: the address lives until the call returns.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    let result: io::Result<i64> = outcome(result.into());
    tell("disconnect").socket(socket).result(&result).send();
}
