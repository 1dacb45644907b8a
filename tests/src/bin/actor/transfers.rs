//! A connection whose bytes, and whose acceptance, take the less used calls.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    net::{Shutdown, SocketAddr},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use socket2::{Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    listeners,
    sockets::{cookie, local, outcome, socket_for},
    truth::{tell, tell_accept, tell_connect},
};

pub const SUBCOMMANDS: crate::Subcommands = &[("transfer", transfer)];

const BYTES: usize = 4096;

/// `transfer ADDR --by write|splice|sendfile|vmsplice [--accept4]`: sends 4096
/// bytes over a connection to itself, shuts it down, and closes both ends.
pub fn transfer(arguments: &Arguments) {
    let ip = parse(arguments.operands()[0]);
    let listener = listeners::open_told(SocketAddr::new(ip, 0));
    let peer = local(&listener).expect("bound");
    let client = socket_for(peer, Type::STREAM);
    let result = client.connect(&peer.into());
    tell_connect(&client, peer, &result);
    let mut server = accept(&listener, arguments.switch("--accept4")).expect("accept");
    let from = server.peer_addr().ok().and_then(|address| address.as_socket());
    tell_accept(&server, from);
    let way = arguments.option::<String>("--by").unwrap_or_default();
    let result = send(&client, &way);
    tell("data").with("via", way).with("sent", BYTES).result(&result).send();
    client.shutdown(Shutdown::Write).expect("shutdown");
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).expect("the client has ended its side");
    assert_eq!(bytes.len(), BYTES);
    let (client_cookie, server_cookie) = (cookie(&client), cookie(&server));
    // The kernel ends a connection when its packets are through, which may be after
    // close has returned. Lingering, this end's close waits for the last of them.
    server.set_linger(Some(Duration::from_secs(60))).expect("SO_LINGER");
    drop(server);
    drop(client);
    for (end, cookie, sent) in [("client", client_cookie, BYTES), ("server", server_cookie, 0)] {
        tell("close")
            .with("end", end)
            .with("cookie", cookie)
            .with("sent", sent)
            .with("received", BYTES - sent)
            .with("result", "ok")
            .send();
    }
    crate::sockets::keep(listener);
}

fn accept(listener: &Socket, with_flags: bool) -> io::Result<Socket> {
    let null = std::ptr::null_mut();
    // SAFETY: the peer's address is not asked for.
    let accepted = unsafe {
        if with_flags {
            libc::accept4(listener.as_raw_fd(), null, null.cast(), libc::SOCK_CLOEXEC)
        } else {
            libc::accept(listener.as_raw_fd(), null, null.cast())
        }
    };
    let accepted = outcome(accepted.into())?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(accepted as i32) }.into())
}

fn send(mut socket: &Socket, way: &str) -> io::Result<i64> {
    let fd = socket.as_raw_fd();
    match way {
        "sendfile" => {
            let file = source()?;
            // SAFETY: the file's own position is used.
            let sent = unsafe { libc::sendfile(fd, file.as_raw_fd(), std::ptr::null_mut(), BYTES) };
            outcome(sent as i64)
        }
        "splice" => {
            let (reader, mut writer) = io::pipe()?;
            writer.write_all(&[b's'; BYTES])?;
            let null = std::ptr::null_mut();
            // SAFETY: neither end has a position.
            let sent = unsafe { libc::splice(reader.as_raw_fd(), null, fd, null, BYTES, 0) };
            outcome(sent as i64)
        }
        "msg-zerocopy" => {
            crate::sockets::set_option(socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, &1i32)?;
            let bytes = [b'z'; BYTES];
            // SAFETY: the bytes live until the peer has read them all.
            let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), BYTES, libc::MSG_ZEROCOPY) };
            outcome(sent as i64)
        }
        _ => socket.write_all(&[b'w'; BYTES]).map(|()| BYTES as i64),
    }
}

/// A file in memory, from its beginning.
fn source() -> io::Result<File> {
    let file = rustix::fs::memfd_create("source", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(&[b'f'; BYTES])?;
    file.rewind()?;
    Ok(file)
}
