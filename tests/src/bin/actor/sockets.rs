//! Making sockets, binding them, their options, and raw ones.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::Mutex,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{arguments::Arguments, truth::tell};

/// A socket of the peer's family: a v4-mapped address makes an IPv6 one.
pub fn socket_for(address: SocketAddr, kind: Type) -> Socket {
    Socket::new(Domain::for_address(address), kind, None).expect("socket")
}

pub fn local(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok().and_then(|address| address.as_socket())
}

/// The kernel's id of a socket; none where sockets have no such option.
pub fn cookie(socket: &impl AsRawFd) -> Option<u64> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_COOKIE).ok()
}

/// Reads a socket option that is a number of `T`'s size.
pub fn get_option<T: Default>(socket: &impl AsRawFd, level: i32, name: i32) -> io::Result<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the option is written into `value`, whose length is given.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    };
    outcome(result.into()).map(|_| value)
}

/// Sets a socket option.
pub fn set_option<T>(socket: &impl AsRawFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the option is read from `value`, whose length is given.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length)
    };
    outcome(result.into()).map(drop)
}

/// What a system call returned, or errno.
pub fn outcome(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Leaves a socket open until the actor ends, so that others can look at it.
pub fn keep(socket: impl Into<OwnedFd>) {
    static KEPT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());
    KEPT.lock().expect("not poisoned").push(socket.into());
}

/// `bind ADDR PORT [--udp] [--v6only] [--reuse] [--reuse-address] [--keep]`
pub fn bind(arguments: &Arguments) {
    let address = arguments.peer(0);
    if let Ok(socket) = bind_one(arguments, address)
        && arguments.switch("--keep")
    {
        keep(socket);
    }
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
    if arguments.switch("--reuse-address") {
        socket.set_reuse_address(true)?;
    }
    let result = socket.bind(&SockAddr::from(address));
    let given = if result.is_ok() { local(&socket) } else { None };
    tell("bind")
        .socket(&socket)
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
    let truth = tell("raw-socket").with("protocol", i32::from(protocol)).result(&result);
    match &result {
        Ok(socket) => truth.socket(socket).send(),
        Err(_) => truth.send(),
    }
}
