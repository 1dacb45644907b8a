//! Making listeners.

use std::{io, net::SocketAddr};

use socket2::{SockAddr, Socket, Type};

use crate::{
    sockets::{local, socket_for},
    truth::tell,
};

/// A listener, which a server would restart on the same port.
pub fn open(address: SocketAddr, backlog: i32) -> Socket {
    opened(socket_for(address, Type::STREAM), address, backlog)
}

/// The same of a socket that was made for it.
pub fn opened(socket: Socket, address: SocketAddr, backlog: i32) -> Socket {
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    socket.bind(&SockAddr::from(address)).expect("bind");
    socket.listen(backlog).expect("listen");
    socket
}

/// A listener on an address, its bind and listen told.
pub fn open_told(address: SocketAddr) -> Socket {
    let socket = socket_for(address, Type::STREAM);
    // A refused one is in what was told, and the listen then gives a port of its own.
    let _told = bind_told(&socket, address);
    let given = local(&socket);
    let result = socket.listen(128);
    tell("listen").socket(&socket).endpoint("local", given).result(&result).send();
    socket
}

/// Binds, told with what came of it.
pub fn bind_told(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let result = socket.bind(&SockAddr::from(address));
    let given = if result.is_ok() { local(socket) } else { None };
    tell("bind")
        .socket(socket)
        .endpoint("requested", Some(address))
        .endpoint("local", given)
        .result(&result)
        .send();
    result
}
