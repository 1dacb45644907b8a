//! TCP: connecting in every way, and a small server.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    os::fd::AsRawFd as _,
    time::Duration,
};

use socket2::{SockAddr, Socket, Type};

use crate::{
    arguments::Arguments,
    listeners,
    sockets::{local, socket_for},
    truth::tell,
};

/// `tcp-connect ADDR PORT [--send BYTES] [--nonblocking] [--times N]`: with
/// `--send`, sends that many bytes, the last a newline, and reads the reply to its end.
pub fn connect(arguments: &Arguments) {
    for _ in 0..arguments.option("--times").unwrap_or(1) {
        connect_once(arguments, arguments.peer(0));
    }
}

fn connect_once(arguments: &Arguments, peer: SocketAddr) {
    let mut socket = socket_for(peer, Type::STREAM);
    let nonblocking = arguments.switch("--nonblocking");
    let mut result = if nonblocking {
        start(&socket, peer);
        finish(&socket)
    } else {
        socket.connect(&SockAddr::from(peer))
    };
    let address = if result.is_ok() { local(&socket) } else { None };
    let mut received = 0;
    if let (Ok(()), Some(bytes)) = (&result, arguments.option::<usize>("--send")) {
        match exchange(&mut socket, bytes) {
            Ok(count) => received = count,
            Err(error) => result = Err(error),
        }
    }
    tell("connect")
        .endpoint("local", address)
        .endpoint("remote", Some(peer))
        .with("nonblocking", nonblocking)
        .with("received", received)
        .result(&result)
        .send();
}

fn exchange(socket: &mut Socket, bytes: usize) -> io::Result<usize> {
    let mut request = vec![b'q'; bytes];
    if let Some(last) = request.last_mut() {
        *last = b'\n';
    }
    socket.write_all(&request)?;
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply)?;
    socket.shutdown(Shutdown::Write).or_else(|error| match error.raw_os_error() {
        Some(libc::ENOTCONN) => Ok(()),
        _ => Err(error),
    })?;
    Ok(reply.len())
}

/// Starts a connect that must not have its outcome yet when the call returns.
fn start(socket: &Socket, peer: SocketAddr) {
    socket.set_nonblocking(true).expect("set_nonblocking");
    let error = socket.connect(&SockAddr::from(peer)).expect_err("a non-blocking connect waits");
    assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS), "{error}");
}

/// Waits for the outcome, then makes the socket blocking again.
pub fn finish(socket: &Socket) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid pollfd for the length of the call.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 60_000) };
    assert_eq!(ready, 1, "the connect has no outcome after a minute");
    socket.set_nonblocking(false)?;
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// `tcp-connect-late ADDR PORT`: starts a connect, says so, and tells the
/// outcome when it comes.
pub fn connect_late(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = socket_for(peer, Type::STREAM);
    start(&socket, peer);
    tell("started").endpoint("local", local(&socket)).endpoint("remote", Some(peer)).send();
    let result = finish(&socket);
    tell("connect").endpoint("remote", Some(peer)).with("nonblocking", true).result(&result).send();
}

/// `tcp-connect-abandoned ADDR PORT`: closes the socket before the outcome.
pub fn connect_abandoned(arguments: &Arguments) {
    let peer = arguments.peer(0);
    let socket = socket_for(peer, Type::STREAM);
    start(&socket, peer);
    tell("started").endpoint("local", local(&socket)).endpoint("remote", Some(peer)).send();
}

/// `tcp-backlog-full [--addr A]`: a listener that accepts nothing, filled; the
/// connect after that gets no answer and times out after two SYNs (3 s).
pub fn connect_to_full_backlog(arguments: &Arguments) {
    let ip = arguments.option("--addr").unwrap_or([127, 0, 0, 1].into());
    let listener = listeners::open(SocketAddr::new(ip, 0), 0);
    let peer = local(&listener).expect("a listener has an address");
    tell("listen").endpoint("local", Some(peer)).send();
    let filling = socket_for(peer, Type::STREAM);
    let result = filling.connect(&SockAddr::from(peer));
    tell("connect")
        .endpoint("local", local(&filling))
        .endpoint("remote", Some(peer))
        .result(&result)
        .send();
    result.expect("a backlog of 0 has room for one connection");
    let late = socket_for(peer, Type::STREAM);
    one_retransmission(&late);
    let result = late.connect(&SockAddr::from(peer));
    tell("connect").endpoint("remote", Some(peer)).result(&result).send();
}

fn one_retransmission(socket: &Socket) {
    let count: libc::c_int = 1;
    // SAFETY: the option takes a C int, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_SYNCNT,
            (&raw const count).cast(),
            size_of_val(&count) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "TCP_SYNCNT: {}", io::Error::last_os_error());
}

/// `tcp-serve --addr A --port P --count N --reply BYTES`
pub fn serve(arguments: &Arguments) {
    let ip = arguments.option("--addr").unwrap_or([127, 0, 0, 1].into());
    let port = arguments.option("--port").unwrap_or(0);
    let backlog = arguments.option("--backlog").unwrap_or(128);
    let listener = listeners::open(SocketAddr::new(ip, port), backlog);
    tell("listen").endpoint("local", local(&listener)).send();
    serve_on(&listener, arguments);
}

/// Accepts `--count` connections; each request ends with a newline or the
/// peer's end, and is answered with `--reply` bytes.
pub fn serve_on(listener: &Socket, arguments: &Arguments) {
    let reply = vec![b'r'; arguments.option("--reply").unwrap_or(0)];
    for _ in 0..arguments.option("--count").unwrap_or(1) {
        let (mut socket, peer) = listener.accept().expect("accept");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("set_read_timeout");
        let address = local(&socket);
        let result = answer(&mut socket, &reply);
        tell("accept")
            .endpoint("local", address)
            .endpoint("remote", peer.as_socket())
            .with("received", *result.as_ref().unwrap_or(&0))
            .with("sent", reply.len())
            .result(&result)
            .send();
    }
}

fn answer(socket: &mut Socket, reply: &[u8]) -> io::Result<usize> {
    let mut received = 0;
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer)?;
        received += count;
        if count == 0 || buffer[..count].ends_with(b"\n") {
            break;
        }
    }
    socket.write_all(reply)?;
    Ok(received)
}
