//! Sockets of every kind that stay open until they are released.

use std::{
    ffi::OsStr,
    io,
    net::SocketAddr,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    sync::Mutex,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{
    arguments::{Arguments, from_hex, parse},
    listeners,
    sockets::{local, socket_for},
    truth::{Truth, tell},
};

static HELD: Mutex<Vec<Socket>> = Mutex::new(Vec::new());

/// Interface index of `lo` in every network namespace.
const LOOPBACK_INDEX: i32 = 1;

/// `hold KIND… [--times N]`: opens sockets and tells each with its cookie and
/// the state it is left in.
pub fn hold(arguments: &Arguments) {
    for _ in 0..arguments.option("--times").unwrap_or(1) {
        for kind in arguments.operands() {
            keep(open(kind.to_str().expect("a kind is UTF-8")));
        }
    }
}

/// `hold-unix NAME_HEX`: a listener with a connection through it.
pub fn hold_unix(arguments: &Arguments) {
    let bytes = from_hex(arguments.operands()[0]);
    let name = SockAddr::unix(OsStr::from_bytes(&bytes)).expect("a short name");
    let unix = || Socket::new(Domain::UNIX, Type::STREAM, None).expect("a unix socket");
    let (listener, client) = (unix(), unix());
    listener.bind(&name).and_then(|()| listener.listen(5)).expect("a unix listener");
    client.connect(&name).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    keep(vec![
        ("unix-listener", "listen", listener),
        ("unix-client", "established", client),
        ("unix-server", "established", server),
    ]);
}

/// `hold-many N`: TCP connections to itself, each of which is two sockets.
pub fn hold_many(arguments: &Arguments) {
    let count: u64 = parse(arguments.operands()[0]);
    let most = libc::rlimit { rlim_cur: 2 * count + 100, rlim_max: 2 * count + 100 };
    // SAFETY: the limits are read from where they are.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const most) };
    assert_eq!(raised, 0, "setrlimit: {}", io::Error::last_os_error());
    let listener = listeners::open(([127, 0, 0, 1], 0).into(), 128);
    let address = listener.local_addr().expect("bound");
    let mut held = HELD.lock().expect("one thread");
    for _ in 0..count {
        let client = socket_for(([127, 0, 0, 1], 0).into(), Type::STREAM);
        client.connect(&address).expect("it listens");
        let (server, _) = listener.accept().expect("a connection");
        held.extend([client, server]);
    }
    held.push(listener);
    tell("hold-many").with("sockets", 2 * count + 1).send();
}

/// `release`: closes them all.
pub fn release() {
    HELD.lock().expect("one thread").clear();
    tell("released").send();
}

/// Kind, state and socket.
pub type Opened = (&'static str, &'static str, Socket);

/// The sockets of one kind, of which one may need another to be there.
pub fn open(kind: &str) -> Vec<Opened> {
    let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
    let loopback6: SocketAddr = SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), 0);
    let bound = |address: SocketAddr, kind: Type| {
        let socket = socket_for(address, kind);
        socket.bind(&SockAddr::from(address)).expect("bind");
        socket
    };
    match kind {
        "tcp-listener" => vec![("tcp-listener", "listen", listeners::open(loopback, 7))],
        "tcp-bound" => vec![("tcp-bound", "bound", bound(loopback6, Type::STREAM))],
        "tcp-connection" => {
            let (listener, client, server) = connection(loopback6);
            vec![
                ("tcp-listener", "listen", listener),
                ("tcp-client", "established", client),
                ("tcp-server", "established", server),
            ]
        }
        "tcp-connecting" => {
            let listener = listeners::open(loopback, 0);
            let peer = listener.local_addr().expect("bound");
            let filling = socket_for(loopback, Type::STREAM);
            filling.connect(&peer).expect("a backlog of 0 has room for one connection");
            let waiting = socket_for(loopback, Type::STREAM);
            waiting.set_nonblocking(true).expect("set_nonblocking");
            let outcome = waiting.connect(&peer).expect_err("the backlog is full");
            assert_eq!(outcome.raw_os_error(), Some(libc::EINPROGRESS), "{outcome}");
            vec![
                ("tcp-listener", "listen", listener),
                ("tcp-client", "established", filling),
                ("tcp-connecting", "syn-sent", waiting),
            ]
        }
        "udp-bound" => vec![("udp-bound", "bound", bound(loopback6, Type::DGRAM))],
        "udp-connected" => {
            let socket = socket_for(loopback, Type::DGRAM);
            socket
                .connect(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 9))))
                .expect("connect");
            vec![("udp-connected", "established", socket)]
        }
        "raw" => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4));
            vec![("raw", "open", socket.expect("a raw socket"))]
        }
        "packet" => vec![("packet", "open", packet())],
        "netlink" => vec![("netlink", "bound", netlink())],
        other => panic!("no such kind: {other}"),
    }
}

/// A listener and both ends of a connection through it.
pub fn connection(address: SocketAddr) -> (Socket, Socket, Socket) {
    let listener = listeners::open(address, 7);
    let client = socket_for(address, Type::STREAM);
    client.connect(&listener.local_addr().expect("bound")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (listener, client, server)
}

fn packet() -> Socket {
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(protocol))));
    let socket = socket.expect("a packet socket");
    // SAFETY: all zeroes is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = LOOPBACK_INDEX;
    bind_raw(&socket, &address);
    socket
}

fn netlink() -> Socket {
    let route = Protocol::from(libc::NETLINK_ROUTE);
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(route));
    let socket = socket.expect("a netlink socket");
    // SAFETY: all zeroes is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    bind_raw(&socket, &address);
    socket
}

fn bind_raw<T>(socket: &Socket, address: &T) {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `address` is valid for `length` bytes.
    let result =
        unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(address).cast(), length) };
    assert_eq!(result, 0, "bind: {}", io::Error::last_os_error());
}

fn keep(opened: Vec<Opened>) {
    let mut held = HELD.lock().expect("one thread");
    for (kind, state, socket) in opened {
        let remote = socket.peer_addr().ok().and_then(|address| address.as_socket());
        described(tell("held"), &socket)
            .with("kind", kind)
            .with("state", state)
            .endpoint("local", local(&socket).filter(|_| kind != "raw"))
            .endpoint("remote", remote)
            .send();
        held.push(socket);
    }
}

/// Adds what tells this socket from every other until the next boot.
pub fn described(truth: Truth, socket: &Socket) -> Truth {
    truth.with("cookie", socket.cookie().expect("SO_COOKIE"))
}
