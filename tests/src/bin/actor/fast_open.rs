//! TCP Fast Open: a connect that is no `connect(2)`, or one that only happens
//! with the first byte.

use std::{io, net::SocketAddr, os::fd::AsRawFd as _};

use socket2::{SockAddr, Socket, Type};

use crate::{
    arguments::Arguments,
    listeners,
    sockets::{get_option, keep, local, outcome, set_option, socket_for},
    truth::{tell, tell_accept},
};

pub const SUBCOMMANDS: crate::Subcommands = &[("fast-open", fast_open)];

/// `TCPI_OPT_SYN_DATA` of `tcpi_options`, the sixth byte of `struct tcp_info`:
/// the data of the SYN was acknowledged.
const SYN_DATA: u8 = 1 << 5;

/// `fast-open ADDR --by sendto|connect [--times N]`: a listener that allows it,
/// and N connections to it. The first of a destination has to ask for a cookie.
pub fn fast_open(arguments: &Arguments) {
    let ip = crate::arguments::parse(arguments.operands()[0]);
    let listener = listeners::open_told(SocketAddr::new(ip, 0));
    set_option(&listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &16i32).expect("TCP_FASTOPEN");
    let peer = local(&listener).expect("bound");
    for _ in 0..arguments.option("--times").unwrap_or(1) {
        let client = socket_for(peer, Type::STREAM);
        let result = match arguments.option::<String>("--by").as_deref() {
            Some("connect") => by_connect(&client, peer),
            _ => by_sendto(&client, peer),
        };
        let (server, from) = listener.accept().expect("accept");
        let carried = get_option::<[u8; 8]>(&client, libc::IPPROTO_TCP, libc::TCP_INFO);
        tell("connect")
            .with("via", "fast-open")
            .with("syn_data", carried.is_ok_and(|info| info[5] & SYN_DATA != 0))
            .socket(&client)
            .endpoint("local", local(&client))
            .endpoint("remote", Some(peer))
            .result(&result)
            .send();
        tell_accept(&server, from.as_socket());
        keep(client);
        keep(server);
    }
    keep(listener);
}

fn by_sendto(socket: &Socket, peer: SocketAddr) -> io::Result<i64> {
    let address = SockAddr::from(peer);
    // SAFETY: bytes and address live until the call returns.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            b"fast".as_ptr().cast(),
            4,
            libc::MSG_FASTOPEN,
            address.as_ptr().cast(),
            address.len(),
        )
    };
    outcome(sent as i64)
}

fn by_connect(socket: &Socket, peer: SocketAddr) -> io::Result<i64> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, &1i32)?;
    socket.connect(&peer.into())?;
    socket.send(b"fast").map(|sent| sent as i64)
}
