//! Multipath TCP: a socket of its own protocol whose TCP socket is the kernel's.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{get_option, keep, local},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[("mptcp", mptcp), ("mptcp-refused", refused)];

/// `SOL_MPTCP` and its option `MPTCP_INFO`, which a connection that fell back to
/// plain TCP does not have.
const SOL_MPTCP: i32 = 284;
const MPTCP_INFO: i32 = 1;

fn socket(address: SocketAddr) -> Socket {
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP)).expect("IPPROTO_MPTCP")
}

/// `mptcp ADDR`: binds, listens, connects to itself and accepts. The cookies of
/// these sockets are not those of the TCP sockets below them.
pub fn mptcp(arguments: &Arguments) {
    let asked = SocketAddr::new(crate::arguments::parse(arguments.operands()[0]), 0);
    let listener = socket(asked);
    let result = listener.bind(&asked.into());
    let address = local(&listener).expect("bound");
    tell("bind")
        .with("via", "mptcp")
        .endpoint("requested", Some(asked))
        .endpoint("local", Some(address))
        .result(&result)
        .send();
    let result = listener.listen(8);
    tell("listen").with("via", "mptcp").endpoint("local", Some(address)).result(&result).send();
    let client = socket(address);
    let result = client.connect(&address.into());
    let multipath = get_option::<[u8; 8]>(&client, SOL_MPTCP, MPTCP_INFO).is_ok();
    tell("connect")
        .with("via", "mptcp")
        .with("multipath", multipath)
        .endpoint("local", local(&client))
        .endpoint("remote", Some(address))
        .result(&result)
        .send();
    let (server, from) = listener.accept().expect("accept");
    tell("accept")
        .with("via", "mptcp")
        .endpoint("local", local(&server))
        .endpoint("remote", from.as_socket())
        .with("result", "ok")
        .send();
    for socket in [listener, client, server] {
        keep(socket);
    }
}

/// `mptcp-refused ADDR PORT`
pub fn refused(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let result = socket(peer).connect(&peer.into());
    tell("connect").with("via", "mptcp").endpoint("remote", Some(peer)).result(&result).send();
}
