//! Making listeners.

use std::net::SocketAddr;

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
    let result = socket.bind(&SockAddr::from(address));
    let given = local(&socket);
    tell("bind")
        .socket(&socket)
        .endpoint("requested", Some(address))
        .endpoint("local", given)
        .result(&result)
        .send();
    let result = socket.listen(128);
    tell("listen").socket(&socket).endpoint("local", given).result(&result).send();
    socket
}
