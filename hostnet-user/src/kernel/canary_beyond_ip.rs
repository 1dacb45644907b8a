//! The canary's operations on sockets beyond IP: each is harmless, and names
//! nothing that anybody else could be using.

use std::{
    io::{Read, Write},
    mem::size_of,
    os::{
        fd::{AsRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
    },
};

use anyhow::{Context, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketType, bind, netlink::SocketAddrNetlink, recv, send,
    socket,
};

/// Streams and datagrams between abstract names of our own.
pub fn unix() -> Result<()> {
    let name = |what: &str| {
        SocketAddr::from_abstract_name(format!("hostnet-canary-{}-{what}", std::process::id()))
    };
    let address = name("stream")?;
    let listener = UnixListener::bind_addr(&address).context("cannot listen on a unix socket")?;
    let mut client = UnixStream::connect_addr(&address).context("cannot connect to it")?;
    let (mut server, _) = listener.accept().context("cannot accept on it")?;
    client.write_all(b"canary")?;
    server.read_exact(&mut [0; 6])?;

    let address = name("datagram")?;
    let receiver = UnixDatagram::bind_addr(&address).context("cannot bind a unix socket")?;
    let sender = UnixDatagram::unbound()?;
    sender.send_to_addr(b"canary", &address).context("cannot send to a unix socket")?;
    sender.connect_addr(&address).context("cannot connect to a unix socket")?;
    receiver.recv(&mut [0; 6])?;
    Ok(())
}

/// A message that the kernel ignores, and a group that is told of new links.
pub fn netlink() -> Result<()> {
    const RTMGRP_LINK: u32 = 1;
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)
        .context("cannot open a netlink socket")?;
    bind(&socket, &SocketAddrNetlink::new(0, RTMGRP_LINK))
        .context("cannot bind a netlink socket")?;
    // struct nlmsghdr: length, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, sequence, port.
    let mut message = [0_u8; 16];
    message[..4].copy_from_slice(&16_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&1_u16.to_ne_bytes());
    message[6..8].copy_from_slice(&5_u16.to_ne_bytes());
    send(&socket, &message, SendFlags::empty()).context("cannot send to netlink")?;
    // The acknowledgement is there by now.
    recv(&socket, &mut [0_u8; 64], RecvFlags::DONTWAIT).context("netlink does not answer")?;
    Ok(())
}

/// A packet socket on loopback that asks for no frames, with a filter that
/// would drop them.
pub fn packet() -> Result<()> {
    const BPF_RET: u16 = 0x06;
    let socket = socket(AddressFamily::PACKET, SocketType::DGRAM, None)
        .context("cannot open a packet socket (CAP_NET_RAW is needed)")?;
    let mut instruction = libc::sock_filter { code: BPF_RET, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut instruction };
    // SAFETY: `program` and the one instruction it points to outlive the call.
    let attached = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if attached != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot attach a socket filter");
    }
    bind_to_loopback(&socket)
}

fn bind_to_loopback(socket: &OwnedFd) -> Result<()> {
    const LOOPBACK: i32 = 1;
    // SAFETY: all-zero bytes are a valid address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = LOOPBACK;
    // SAFETY: `address` is a sockaddr_ll of exactly that length.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot bind a packet socket");
    }
    Ok(())
}
