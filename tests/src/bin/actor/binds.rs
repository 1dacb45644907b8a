//! Binding sockets.

use std::{io, net::SocketAddr};

use socket2::{Socket, Type};

use crate::{
    arguments::Arguments,
    listeners::bind_told,
    sockets::{keep, local, socket_for},
};

pub const SUBCOMMANDS: crate::Subcommands = &[("bind", bind), ("bind-used", bind_used)];

/// `bind ADDR PORT [--udp] [--v6only] [--reuse] [--reuse-address] [--keep]`
fn bind(arguments: &Arguments) {
    let address = arguments.peer(0);
    if let Ok(socket) = bind_one(arguments, address)
        && arguments.switch("--keep")
    {
        keep(socket);
    }
}

/// `bind-used ADDR PORT [--udp]`: binds twice; the second one is refused.
fn bind_used(arguments: &Arguments) {
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
    if arguments.switch("--reuse-address") {
        socket.set_reuse_address(true)?;
    }
    bind_told(&socket, address)?;
    Ok(socket)
}
