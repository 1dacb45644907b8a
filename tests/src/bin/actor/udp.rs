//! UDP: with and without a connection, and a small server.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{SockAddr, Type};

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

/// `udp-connect ADDR PORT [--send BYTES]`
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
        let result = socket.send(&vec![b'u'; bytes]);
        tell("send").endpoint("remote", Some(peer)).result(&result).send();
    }
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
