//! UDP: with and without a connection, and a small server.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Mutex,
};

use socket2::{SockAddr, Socket, Type};

use crate::{
    arguments::Arguments,
    sockets::{local, socket_for},
    truth::tell,
};

/// `udp-send ADDR PORT [ADDR PORT …] [--datagrams N] [--from ADDR]`: one socket, no
/// connect, N datagrams of 4 bytes to each peer; bound to an address where one is given.
pub fn send(arguments: &Arguments) {
    let peers: Vec<SocketAddr> =
        (0..arguments.operands().len()).step_by(2).map(|at| arguments.peer(at)).collect();
    let socket = socket_for(peers[0], Type::DGRAM);
    if let Some(own) = arguments.option::<IpAddr>("--from") {
        socket.bind(&SocketAddr::new(own, 0).into()).expect("bind");
    }
    for _ in 0..arguments.option("--datagrams").unwrap_or(1) {
        for peer in &peers {
            let result = socket.send_to(b"ping", &SockAddr::from(*peer));
            tell("send")
                .endpoint("local", local(&socket))
                .endpoint("remote", Some(*peer))
                .result(&result)
                .send();
        }
    }
}

/// `udp-spray SOCKETS PEERS`: each of so many sockets sends a datagram to each of the same
/// so many peers, where nobody listens; all are open until all have sent.
pub fn spray(arguments: &Arguments) {
    let [sockets, peers] = [0, 1].map(|at| crate::arguments::parse(arguments.operands()[at]));
    let open: Vec<UdpSocket> = (0..sockets)
        .map(|_: u32| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            for peer in 0..peers {
                let to = Ipv4Addr::from(0x7f01_0000 + peer);
                socket.send_to(b"x", (to, 9)).expect("loopback");
            }
            socket
        })
        .collect();
    tell("spray").with("datagrams", peers * open.len() as u32).send();
}

/// The connected socket that was kept last.
static KEPT: Mutex<Option<Socket>> = Mutex::new(None);

/// `udp-connect ADDR PORT [--send BYTES] [--to PORT] [--keep]`: sends to the peer, or by
/// address to another port of its.
pub fn connect(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = socket_for(peer, Type::DGRAM);
    let result = socket.connect(&SockAddr::from(peer));
    tell("connect")
        .endpoint("local", local(&socket))
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    if let Some(bytes) = arguments.option("--send") {
        send_over(&socket, peer, bytes);
    }
    if let Some(port) = arguments.option("--to") {
        let other = SocketAddr::new(peer.ip(), port);
        let result = socket.send_to(b"past", &SockAddr::from(other));
        tell("send").endpoint("remote", Some(other)).result(&result).send();
    }
    if arguments.switch("--keep") {
        *KEPT.lock().expect("one thread") = Some(socket);
    }
}

/// `udp-send-kept BYTES`: over the socket that was kept.
pub fn send_kept(arguments: &Arguments) {
    let kept = KEPT.lock().expect("one thread");
    let socket = kept.as_ref().expect("one was kept");
    let peer = socket.peer_addr().ok().and_then(|address| address.as_socket());
    let bytes = crate::arguments::parse(arguments.operands()[0]);
    send_over(socket, peer.expect("it is connected"), bytes);
}

/// `udp-connect-kept ADDR PORT`: gives the socket that was kept another peer, or the same
/// once more.
pub fn connect_kept(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let kept = KEPT.lock().expect("one thread");
    let result = kept.as_ref().expect("one was kept").connect(&SockAddr::from(peer));
    tell("connect").endpoint("remote", Some(peer)).result(&result).send();
}

fn send_over(socket: &Socket, peer: SocketAddr, bytes: usize) {
    let result = socket.send(&vec![b'u'; bytes]);
    tell("send").endpoint("remote", Some(peer)).result(&result).send();
}

/// `udp-serve PORT [--addr A] [--count N]`: answers N datagrams with their bytes.
pub fn serve(arguments: &Arguments) {
    let ip: IpAddr = arguments.option("--addr").unwrap_or([127, 0, 0, 1].into());
    let port = crate::arguments::parse(arguments.operands()[0]);
    let socket = UdpSocket::bind(SocketAddr::new(ip, port)).expect("bind");
    tell("bind").endpoint("local", socket.local_addr().ok()).send();
    let mut buffer = [0; 2048];
    for _ in 0..arguments.option("--count").unwrap_or(1) {
        let (count, peer) = socket.recv_from(&mut buffer).expect("recv_from");
        let result = socket.send_to(&buffer[..count], peer);
        tell("receive")
            .endpoint("local", socket.local_addr().ok())
            .endpoint("remote", Some(peer))
            .with("received", count)
            .result(&result)
            .send();
    }
}

/// `udp-daemon PORT [--count N]`: binds, and goes on in a child that takes N datagrams,
/// while the process that was started ends.
pub fn daemon(arguments: &Arguments) {
    let port = crate::arguments::parse(arguments.operands()[0]);
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], port))).expect("bind");
    // SAFETY: the actor has one thread, so the child may run any code.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        let mut buffer = [0; 2048];
        for _ in 0..arguments.option("--count").unwrap_or(1) {
            socket.recv_from(&mut buffer).expect("recv_from");
        }
        std::process::exit(0);
    }
    tell("bind").endpoint("local", socket.local_addr().ok()).with("child", child).send();
    std::process::exit(0);
}
