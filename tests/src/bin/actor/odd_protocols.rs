//! IP without TCP and UDP: UDP-Lite, SCTP, echo requests with privilege and without,
//! packets with a header of the sender's own making. And many ports in a row.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    sockets::{keep, local, set_option, socket_for},
    truth::tell,
};

pub const SUBCOMMANDS: crate::Subcommands = &[
    ("udplite", udplite),
    ("udplite-connect", udplite_connect),
    ("sctp-options", sctp_options),
    ("ping", ping),
    ("raw-icmp", raw_icmp),
    ("forge", forge),
    ("scan", scan),
];

fn udplite_socket(peer: SocketAddr) -> Socket {
    let domain = Domain::for_address(peer);
    Socket::new(domain, Type::DGRAM, Some(Protocol::UDPLITE)).expect("UDP-Lite")
}

/// `udplite ADDR PORT`: binds, and sends to a peer.
pub fn udplite(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = udplite_socket(peer);
    let asked = SocketAddr::new(peer.ip(), 0);
    let result = socket.bind(&asked.into());
    tell("bind")
        .socket(&socket)
        .endpoint("requested", Some(asked))
        .endpoint("local", local(&socket))
        .result(&result)
        .send();
    let result = socket.send_to(b"lite", &peer.into());
    tell("send").socket(&socket).endpoint("remote", Some(peer)).result(&result).send();
    keep(socket);
}

/// `udplite-connect ADDR PORT`
pub fn udplite_connect(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = udplite_socket(peer);
    let result = socket.connect(&peer.into());
    tell("connect")
        .with("transport", "udplite")
        .socket(&socket)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    keep(socket);
}

// include/uapi/linux/sctp.h
const SOL_SCTP: i32 = 132;
const SCTP_SOCKOPT_BINDX_ADD: i32 = 100;
const SCTP_SOCKOPT_CONNECTX_OLD: i32 = 107;

/// `sctp-options ADDR`, of IPv4: a listener that is bound, and a client that is
/// connected to it, each by setsockopt.
pub fn sctp_options(arguments: &Arguments) {
    let ip: Ipv4Addr = parse(arguments.operands()[0]);
    let made = || Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::SCTP));
    let (listener, client) = match (made(), made()) {
        (Ok(listener), Ok(client)) => (listener, client),
        (result, _) => return tell("socket").result(&result).send(),
    };
    let address = |port: u16| libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
        sin_zero: [0; 8],
    };
    let result = set_option(&listener, SOL_SCTP, SCTP_SOCKOPT_BINDX_ADD, &address(0));
    let bound = local(&listener).expect("a bound socket has an address");
    let truth = tell("bind").with("transport", "sctp").socket(&listener);
    truth.endpoint("local", Some(bound)).result(&result).send();
    listener.listen(8).expect("a bound socket can listen");
    let result = set_option(&client, SOL_SCTP, SCTP_SOCKOPT_CONNECTX_OLD, &address(bound.port()));
    let truth = tell("connect").with("transport", "sctp").socket(&client);
    truth.endpoint("remote", Some(bound)).result(&result).send();
    keep(listener);
    keep(client);
}

/// `ping ADDR`: an echo request by a datagram socket, connected first.
pub fn ping(arguments: &Arguments) {
    let ip: IpAddr = parse(arguments.operands()[0]);
    let peer = SocketAddr::new(ip, 0);
    let (protocol, kind) =
        if ip.is_ipv4() { (Protocol::ICMPV4, 8) } else { (Protocol::ICMPV6, 128) };
    let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(protocol));
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return tell("ping").result::<()>(&Err(error)).send(),
    };
    let result = socket.connect(&peer.into());
    tell("connect")
        .with("transport", "icmp")
        .socket(&socket)
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    let result = socket.send(&[kind, 0, 0, 0, 0, 0, 0, 1]);
    tell("data").socket(&socket).result(&result).send();
    keep(socket);
}

/// `forge SOURCE DESTINATION`: a raw socket (`IP_HDRINCL`) sends a packet whose
/// source is somebody else's address.
pub fn forge(arguments: &Arguments) {
    let [source, destination]: [Ipv4Addr; 2] =
        [0, 1].map(|index| parse(arguments.operands()[index]));
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)));
    let socket = socket.expect("a raw socket");
    tell("raw-socket")
        .socket(&socket)
        .with("protocol", libc::IPPROTO_RAW)
        .with("result", "ok")
        .send();
    // Version 4 of five words, 20 bytes of header and 8 of payload, protocol 253.
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 253, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(*b"forgery!");
    let result = socket.send_to(&packet, &SocketAddr::new(destination.into(), 0).into());
    tell("data").socket(&socket).result(&result).send();
    keep(socket);
}

/// `scan ADDR PORT COUNT`: connects to COUNT ports, beginning at PORT.
pub fn scan(arguments: &Arguments) {
    let first = arguments.peer(0);
    let count: u16 = parse(arguments.operands()[2]);
    for port in first.port()..first.port() + count {
        let peer = SocketAddr::new(first.ip(), port);
        let socket = socket_for(peer, Type::STREAM);
        let result = socket.connect(&peer.into());
        tell("connect").socket(&socket).endpoint("remote", Some(peer)).result(&result).send();
    }
}

/// `raw-icmp [--v6]`
fn raw_icmp(arguments: &Arguments) {
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
