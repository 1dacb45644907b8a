//! The operations whose cost is known. Each is prepared once and done many
//! times; what has to be made and thrown away for it is part of it only where
//! its name says so.

use std::{
    fs::File,
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::linux::net::SocketAddrExt as _,
    os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream},
};

use socket2::{Domain, Protocol, Socket, Type};

type Operation = Box<dyn FnMut()>;
type Prepare = fn() -> Operation;

/// Names and how to prepare them.
pub const OPERATIONS: [(&str, Prepare); 10] = [
    ("getppid", getppid),
    ("read", read),
    ("udp-connect", udp_connect),
    ("tcp-connect-accept-close", tcp),
    ("bind", bind),
    ("udp-send-first", udp_send_first),
    ("udp-send-again", udp_send_again),
    ("udp-send-connected", udp_send_connected),
    ("unix-connect", unix_connect),
    ("unix-send", unix_send),
];

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn getppid() -> Operation {
    Box::new(|| {
        let _init = rustix::process::getppid();
    })
}

fn read() -> Operation {
    let mut zeros = File::open("/dev/zero").expect("/dev/zero");
    Box::new(move || zeros.read_exact(&mut [0; 8]).expect("zeros"))
}

fn udp_connect() -> Operation {
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    Box::new(move || socket.connect((LOOPBACK, 9)).expect("a peer"))
}

fn tcp() -> Operation {
    let listener = TcpListener::bind((LOOPBACK, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    Box::new(move || {
        let client = TcpStream::connect(address).expect("a listener");
        let (server, _) = listener.accept().expect("a client");
        drop((client, server));
    })
}

fn bind() -> Operation {
    let mut port = 10_000;
    Box::new(move || {
        port += 1;
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((LOOPBACK, port)).into()).expect("a free port");
    })
}

fn receiver() -> (UdpSocket, SocketAddr) {
    let receiver = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    let address = receiver.local_addr().expect("bound");
    (receiver, address)
}

fn udp_send_first() -> Operation {
    let (receiver, address) = receiver();
    Box::new(move || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("a socket");
        socket.send_to(b"x", &address.into()).expect("room");
        receiver.recv(&mut [0; 1]).expect("a datagram");
    })
}

fn udp_send_again() -> Operation {
    let (receiver, address) = receiver();
    let sender = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    Box::new(move || {
        sender.send_to(b"x", address).expect("room");
        receiver.recv(&mut [0; 1]).expect("a datagram");
    })
}

fn udp_send_connected() -> Operation {
    let (receiver, address) = receiver();
    let sender = UdpSocket::bind((LOOPBACK, 0)).expect("a port");
    sender.connect(address).expect("UDP connects to any address");
    Box::new(move || {
        sender.send(b"x").expect("room");
        receiver.recv(&mut [0; 1]).expect("a datagram");
    })
}

fn unix_listener(name: &str) -> (UnixListener, UnixAddress) {
    let name = format!("hostnet-cost-{name}-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(name).expect("a name");
    (UnixListener::bind_addr(&address).expect("a free name"), address)
}

fn unix_connect() -> Operation {
    let (listener, address) = unix_listener("connect");
    Box::new(move || {
        let client = UnixStream::connect_addr(&address).expect("a listener");
        let (server, _) = listener.accept().expect("a client");
        drop((client, server));
    })
}

fn unix_send() -> Operation {
    use std::io::Write as _;
    let (mut one, mut other) = UnixStream::pair().expect("a pair");
    Box::new(move || {
        one.write_all(b"x").expect("room");
        other.read_exact(&mut [0; 1]).expect("a byte");
    })
}
