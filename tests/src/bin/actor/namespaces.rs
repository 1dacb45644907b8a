//! Network namespaces other than the one the process began in. A socket belongs
//! to the namespace it was made in, wherever its process goes.

use std::{fs::File, io, net::SocketAddr, os::fd::AsFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use socket2::{Domain, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{keep, local},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands =
    &[("in-netns", enter), ("carried-out", carried_out), ("carried-in", carried_in)];

fn own() -> File {
    File::open("/proc/self/ns/net").expect("/proc is mounted")
}

fn go_to(namespace: &impl AsFd) -> io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

fn leave() -> io::Result<()> {
    // SAFETY: a network namespace of one's own leaves memory and descriptors as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
    Ok(())
}

/// `in-netns PATH -- WORDS…`: does WORDS in the network namespace at PATH.
pub fn enter(arguments: &Arguments) {
    let operands = arguments.operands();
    let (here, there) = (own(), File::open(operands[0]).expect("a network namespace"));
    let result = go_to(&there);
    tell("setns").result(&result).send();
    if result.is_ok() {
        let words = operands[1..].iter().map(|word| (*word).to_owned()).collect();
        crate::perform(words, &mut Default::default());
        go_to(&here).expect("back to where it came from");
    }
}

/// `carried-out ADDR PORT`: makes a UDP and a TCP socket, leaves the namespace,
/// and uses them from outside: bind and connect, connect.
pub fn carried_out(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let make = |kind| Socket::new(Domain::for_address(peer), kind, None).expect("socket");
    let (datagrams, stream) = (make(Type::DGRAM), make(Type::STREAM));
    let here = own();
    leave().expect("CAP_SYS_ADMIN");
    bind(&datagrams, SocketAddr::new(peer.ip(), 0), "bind");
    let result = datagrams.connect(&peer.into());
    tell("connect")
        .with("transport", "udp")
        .socket(&datagrams)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    let result = stream.connect(&peer.into());
    tell("connect").socket(&stream).endpoint("remote", Some(peer)).result(&result).send();
    go_to(&here).expect("back to where it came from");
    keep(datagrams);
    keep(stream);
}

/// `carried-in ADDR`: makes a TCP socket in a namespace of its own, comes back,
/// and binds and listens: none of it is in the namespace it came back to.
pub fn carried_in(arguments: &Arguments) {
    let address = arguments.peer(0);
    let here = own();
    leave().expect("CAP_SYS_ADMIN");
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("socket");
    go_to(&here).expect("back to where it came from");
    bind(&socket, address, "bind-elsewhere");
    let result = socket.listen(8);
    tell("listen-elsewhere").socket(&socket).result(&result).send();
    keep(socket);
}

fn bind(socket: &Socket, address: SocketAddr, op: &str) {
    let result = socket.bind(&address.into());
    tell(op)
        .socket(socket)
        .endpoint("requested", Some(address))
        .endpoint("local", local(socket))
        .result(&result)
        .send();
}
