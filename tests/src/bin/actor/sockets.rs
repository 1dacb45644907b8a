//! Making sockets, and what is asked of one.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::Mutex,
};

use socket2::{Domain, Socket, Type};

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
