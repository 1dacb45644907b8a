//! Connections without a listener: a socket that connects to itself, and two that
//! connect to each other.

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{keep, local},
    tcp,
    truth::tell_connect,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("self-connect", to_itself), ("connect-from", from), ("connect-outcomes", outcomes)];

/// `self-connect ADDR PORT [--nonblocking] [--mptcp]`: binds there, connects to that
/// very address, sends 7 bytes to itself (which MPTCP does not carry), and closes.
fn to_itself(arguments: &Arguments) {
    let protocol = if arguments.switch("--mptcp") { Protocol::MPTCP } else { Protocol::TCP };
    let own = arguments.peer(0);
    let mut socket = bound(own, protocol);
    if arguments.switch("--nonblocking") {
        socket.set_nonblocking(true).expect("set_nonblocking");
    }
    let result = match socket.connect(&own.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => tcp::finish(&socket),
        other => other,
    };
    tell_connect(&socket, own, &result);
    if result.is_ok() && protocol == Protocol::TCP {
        socket.write_all(b"myself!").expect("it sends to itself");
        let mut own = [0; 7];
        socket.read_exact(&mut own).expect("it reads its own");
    }
}

/// `connect-from ADDR PORT ADDR PORT [--nonblocking]`: binds to the first and connects
/// to the second; the socket stays open. Non-blocking, its outcome is not waited for.
fn from(arguments: &Arguments) {
    let (own, peer) = (arguments.peer(0), arguments.peer(2));
    let socket = bound(own, Protocol::TCP);
    socket.set_nonblocking(arguments.switch("--nonblocking")).expect("set_nonblocking");
    let result = socket.connect(&peer.into());
    tell_connect(&socket, peer, &result);
    if arguments.switch("--nonblocking") {
        STARTED.lock().expect("not poisoned").push((socket, peer));
    } else {
        keep(socket);
    }
}

/// `connect-outcomes`: waits for the outcome of each connect that was not waited for.
fn outcomes(_arguments: &Arguments) {
    for (socket, peer) in STARTED.lock().expect("not poisoned").drain(..) {
        let result = tcp::finish(&socket);
        tell_connect(&socket, peer, &result);
        keep(socket);
    }
}

static STARTED: std::sync::Mutex<Vec<(Socket, SocketAddr)>> = std::sync::Mutex::new(Vec::new());

fn bound(own: SocketAddr, protocol: Protocol) -> Socket {
    let made = Socket::new(Domain::for_address(own), Type::STREAM, Some(protocol));
    let socket = made.unwrap_or_else(|error: io::Error| panic!("a socket: {error}"));
    socket.bind(&own.into()).expect("bind");
    assert!(local(&socket).is_some(), "a bound socket has an address");
    socket
}
