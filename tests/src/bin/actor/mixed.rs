//! A bit of everything at ports that nobody else uses, so that each event tells
//! by its port whose it is.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use crate::{arguments::Arguments, truth::tell};

/// Ports from the first on.
const PORTS: u16 = 5;

/// Between two rounds, so that many can act at once and nothing is lost.
const PAUSE: Duration = Duration::from_millis(15);

/// `mixed ADDR PORT --times ROUNDS`: listens, connects, accepts, exchanges a few
/// bytes, is refused, and sends a datagram to itself, at PORT and those after it.
pub fn mixed(arguments: &Arguments) {
    let first = arguments.peer(0);
    let rounds = arguments.option("--times").unwrap_or(1);
    for (offset, _) in (0..PORTS).cycle().zip(0..rounds) {
        round(SocketAddr::new(first.ip(), first.port() + offset));
        thread::sleep(PAUSE);
    }
    tell("mixed").with("rounds", rounds).send();
}

fn round(at: SocketAddr) {
    let listener = TcpListener::bind(at).expect("a port of our own");
    let mut client = TcpStream::connect(at).expect("somebody listens");
    let (mut server, _) = listener.accept().expect("somebody connects");
    client.write_all(b"ping").expect("an open connection");
    server.read_exact(&mut [0; 4]).expect("four bytes");
    drop((client, server, listener));
    TcpStream::connect(at).expect_err("nobody listens any more");
    let receiver = UdpSocket::bind(at).expect("a port of our own");
    let sender = UdpSocket::bind((at.ip(), 0)).expect("a free port");
    sender.send_to(b"ping", at).expect("somebody receives");
    receiver.recv_from(&mut [0; 4]).expect("four bytes");
}
