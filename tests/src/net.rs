//! The host's side of a test's traffic.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::skip;

/// Loopback in each form an address takes: IPv4, IPv6, and IPv4 by way of IPv6.
pub const LOOPBACKS: [&str; 3] = ["127.0.0.1", "::1", "::ffff:127.0.0.1"];

/// A listener of the host's on every address, and its port.
pub fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("[::]:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// A TCP port nobody uses, which the kernel chooses.
pub fn free_port() -> u16 {
    let socket = unused(0).expect("a free port");
    socket.local_addr().expect("bound").as_socket().expect("of an internet family").port()
}

/// A socket bound to the port on every address, for as long as nothing uses the port
/// on any. A connection in TIME_WAIT uses it too: a program that binds without
/// `SO_REUSEADDR` would be refused. (`TcpListener::bind` sets that option.)
fn unused(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    Ok(socket)
}

/// A TCP port that refuses connections on every address. It is below the range
/// the kernel chooses from, so that no socket connects to itself, and new each
/// time, so that an event is found by it.
pub fn closed_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(24_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_768, "no free port left");
        if unused(port).is_ok() {
            return port;
        }
    }
}

/// Whether the kernel has UDP-Lite, which later ones have not; says so when not.
pub fn has_udp_lite() -> bool {
    let has = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDPLITE)).is_ok();
    if !has {
        skip("this kernel has no UDP-Lite");
    }
    has
}

/// A UDP port nobody uses.
pub fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("[::]:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

/// An IPv4 address of this machine that is neither loopback nor any.
pub fn own_address() -> IpAddr {
    let table = fs::read_to_string("/proc/net/fib_trie").expect("/proc is mounted");
    let mut before = "";
    for line in table.lines() {
        if line.contains("/32 host LOCAL") {
            let address = before.trim_start_matches([' ', '|', '-', '+']).trim();
            let address: IpAddr = address.parse().expect("an address");
            if !address.is_loopback() {
                return address;
            }
        }
        before = line;
    }
    panic!("this machine has no address but loopback; Docker's bridge should have one");
}

/// A connection with both its ends and its bytes.
#[derive(Debug)]
pub struct Exchange {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub sent: usize,
    pub received: Vec<u8>,
}

/// Connects, sends a request, reads the answer to its end.
pub fn exchange(remote: SocketAddr, request: &[u8]) -> Exchange {
    let mut stream = TcpStream::connect(remote).unwrap_or_else(|error| panic!("{remote}: {error}"));
    stream.set_read_timeout(Some(crate::patience())).expect("set_read_timeout");
    let local = stream.local_addr().expect("connected");
    stream.write_all(request).expect("the server reads");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("the server answers");
    Exchange { local, remote, sent: request.len(), received }
}
