//! Datagrams by the calls that take many, or that name another peer than the
//! socket's own.

use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
};

use socket2::{SockAddr, SockAddrStorage, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, local, outcome, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("sendmmsg", sendmmsg),
    ("sendmsg-elsewhere", elsewhere),
    ("recvmmsg", recvmmsg),
    ("recv-nameless", recv_nameless),
    ("udp-close", close),
];

/// Messages for one call, each with an address and one part, and what they
/// point to.
struct Messages {
    headers: Vec<libc::mmsghdr>,
    _parts: Vec<libc::iovec>,
    _bytes: Vec<[u8; 4]>,
    addresses: Vec<(SockAddrStorage, libc::socklen_t)>,
}

impl Messages {
    fn new(addresses: Vec<SockAddr>) -> Self {
        let with_length = |address: SockAddr| {
            let length = address.len();
            (address.as_storage(), length)
        };
        let mut addresses: Vec<_> = addresses.into_iter().map(with_length).collect();
        let mut bytes = vec![*b"many"; addresses.len()];
        let mut parts: Vec<libc::iovec> = bytes
            .iter_mut()
            .map(|bytes| libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() })
            .collect();
        let headers = addresses
            .iter_mut()
            .zip(&mut parts)
            .map(|(address, part)| {
                // SAFETY: all fields of a message may be zero.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_name = (&raw mut address.0).cast();
                header.msg_hdr.msg_namelen = address.1;
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Self { headers, _parts: parts, _bytes: bytes, addresses }
    }
}

/// `sendmmsg ADDR PORT COUNT`: one call, one socket, COUNT peers whose ports
/// begin at PORT.
pub fn sendmmsg(arguments: &Arguments) {
    let first = arguments.peer(0);
    let count: u16 = parse(arguments.operands()[2]);
    let socket = socket_for(first, Type::DGRAM);
    let peers: Vec<SocketAddr> =
        (0..count).map(|index| SocketAddr::new(first.ip(), first.port() + index)).collect();
    let addresses: Vec<SockAddr> = peers.iter().map(|peer| (*peer).into()).collect();
    let mut messages = Messages::new(addresses);
    // SAFETY: the messages and all they point to live until the call returns.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), messages.headers.as_mut_ptr(), count.into(), 0)
    };
    assert_eq!(sent, i32::from(count), "sendmmsg: {}", std::io::Error::last_os_error());
    for peer in peers {
        tell("send").socket(&socket).endpoint("remote", Some(peer)).with("result", "ok").send();
    }
    keep(socket);
}

/// `sendmsg-elsewhere ADDR PORT PORT`: connected to the first, sends to the second.
pub fn elsewhere(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let other = SocketAddr::new(peer.ip(), parse(arguments.operands()[2]));
    let socket = socket_for(peer, Type::DGRAM);
    let result = socket.connect(&peer.into());
    tell("connect")
        .with("transport", "udp")
        .socket(&socket)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    let messages = Messages::new(vec![other.into()]);
    // SAFETY: the message and all it points to live until the call returns.
    let sent =
        unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const messages.headers[0].msg_hdr, 0) };
    let result = outcome(sent as i64);
    tell("send").socket(&socket).endpoint("remote", Some(other)).result(&result).send();
    keep(socket);
}

/// `recvmmsg ADDR COUNT`: COUNT sockets send to one, which takes all by one call.
pub fn recvmmsg(arguments: &Arguments) {
    let ip = parse(arguments.operands()[0]);
    let count: usize = parse(arguments.operands()[1]);
    let receiver: Socket = UdpSocket::bind(SocketAddr::new(ip, 0)).expect("bind").into();
    let address = local(&receiver).expect("bound");
    tell("bind").socket(&receiver).endpoint("local", Some(address)).with("result", "ok").send();
    let senders: Vec<Socket> = (0..count)
        .map(|_| {
            let sender = socket_for(address, Type::DGRAM);
            let result = sender.send_to(b"many", &address.into());
            tell("send").socket(&sender).endpoint("remote", Some(address)).result(&result).send();
            sender
        })
        .collect();
    let mut messages = Messages::new(vec![address.into(); count]);
    // SAFETY: the messages and all they point to live until the call returns.
    let received = unsafe {
        libc::recvmmsg(
            receiver.as_raw_fd(),
            messages.headers.as_mut_ptr(),
            count as u32,
            libc::MSG_WAITFORONE,
            std::ptr::null_mut(),
        )
    };
    assert_eq!(received, count as i32, "recvmmsg: {}", std::io::Error::last_os_error());
    for (storage, length) in messages.addresses {
        // SAFETY: the kernel has written an address of this length.
        let from = unsafe { SockAddr::new(storage, length) };
        tell("receive")
            .socket(&receiver)
            .endpoint("local", Some(address))
            .endpoint("remote", from.as_socket())
            .with("result", "ok")
            .send();
    }
    for socket in senders {
        keep(socket);
    }
    keep(receiver);
}

/// `recv-nameless ADDR`: a bound socket receives from another, and does not ask
/// from whom.
pub fn recv_nameless(arguments: &Arguments) {
    let ip = parse(arguments.operands()[0]);
    let receiver = UdpSocket::bind(SocketAddr::new(ip, 0)).expect("bind");
    let address = receiver.local_addr().expect("bound");
    tell("bind").socket(&receiver).endpoint("local", Some(address)).with("result", "ok").send();
    let sender = socket_for(address, Type::DGRAM);
    let result = sender.send_to(b"hush", &address.into());
    tell("send").socket(&sender).endpoint("remote", Some(address)).result(&result).send();
    let result = receiver.recv(&mut [0; 8]);
    tell("receive")
        .socket(&receiver)
        .endpoint("remote", local(&sender).map(|own| SocketAddr::new(ip, own.port())))
        .result(&result)
        .send();
    keep(receiver);
    keep(sender);
}

/// `udp-close ADDR PORT`: sends a datagram, and closes the socket.
pub fn close(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = socket_for(peer, Type::DGRAM);
    let result = socket.send_to(b"last", &peer.into());
    tell("send").socket(&socket).endpoint("remote", Some(peer)).result(&result).send();
    let cookie = crate::sockets::cookie(&socket);
    drop(socket);
    tell("close").with("transport", "udp").with("cookie", cookie).with("datagrams", 1).send();
}
