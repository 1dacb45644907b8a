//! A socket with a deadline, and what the kernel knows of it: whether the other side
//! has closed it, and how much of what was written has not arrived. Protocols
//! without acknowledgements have nothing better to tell delivery from hope.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, ToSocketAddrs as _},
    os::fd::AsFd,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    ioctl::{Getter, ioctl},
    net::{
        RecvFlags, recv,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// What is said of the other side when it is gone.
pub const CLOSED: &str = "the other side closed the connection";

/// How often the kernel is asked; it tells nobody by itself.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Whether the other side of a TCP connection will take no more: it has closed its
/// direction, which a receiver does only when it ends. Bytes it sent do not matter.
///
/// # Errors
/// When the connection is broken.
pub fn has_ended(socket: impl AsFd) -> io::Result<bool> {
    let mut byte = [0_u8; 1];
    match recv(socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, count)) => Ok(count == 0),
        Err(Errno::AGAIN) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the other side of a unix socket is gone. One that has only closed its
/// own direction still reads.
///
/// # Errors
/// When the kernel cannot tell.
pub fn has_hung_up(socket: impl AsFd) -> io::Result<bool> {
    let mut asked = [PollFd::new(&socket, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec::default()))?;
    Ok(asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
}

/// Waits until the other side has all that was written: its kernel has
/// acknowledged it (TCP), or it was read (unix).
///
/// # Errors
/// When that has not happened by `deadline`, or the other side is `gone`.
pub fn wait_until_arrived<S: AsFd>(
    socket: &S,
    gone: fn(&S) -> io::Result<bool>,
    deadline: Instant,
) -> io::Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        // Asked before: what nobody will read is not counted once they are gone.
        let left = not_arrived(socket)?;
        if gone(socket)? {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, CLOSED));
        }
        if left == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let text = format!("{left} bytes were not taken in time");
            return Err(io::Error::new(ErrorKind::TimedOut, text));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Bytes that were written and have not arrived.
fn not_arrived(socket: impl AsFd) -> io::Result<usize> {
    // SAFETY: TIOCOUTQ (SIOCOUTQ for sockets) writes one int and reads nothing.
    let count = unsafe { ioctl(socket, Getter::<{ libc::TIOCOUTQ as u32 }, libc::c_int>::new()) }?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Reads and writes that together end by the deadline, however slow each is.
pub struct Timed<'a, S> {
    /// The socket, in blocking mode.
    pub socket: &'a S,
    /// When it is enough.
    pub deadline: Instant,
}

impl<S: AsFd> Timed<'_, S> {
    /// Gives the next operation the time that is left.
    ///
    /// # Errors
    /// When there is none.
    pub fn allow(&self, direction: Timeout) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(too_slow());
        }
        Ok(set_socket_timeout(self.socket, direction, Some(left))?)
    }
}

impl<S: AsFd> Read for Timed<'_, S>
where
    for<'s> &'s S: Read,
{
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.allow(Timeout::Recv)?;
        let mut socket = self.socket;
        socket.read(bytes).map_err(timed_out)
    }
}

impl<S: AsFd> Write for Timed<'_, S>
where
    for<'s> &'s S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.allow(Timeout::Send)?;
        let mut socket = self.socket;
        socket.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket's timeout shows as an operation that would block.
pub fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { too_slow() } else { error }
}

fn too_slow() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the other side was too slow")
}

/// The addresses of a name. The system's resolver takes as long as it likes, so it
/// has a thread that is left to itself when the time is over.
///
/// # Errors
/// When there is no such name, or no answer by the deadline.
pub fn resolve(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (answer, answered) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let addresses = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Whoever asked may be gone.
        let _unheard = answer.send(addresses);
    })?;
    answered
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .map_err(|_| io::Error::new(ErrorKind::TimedOut, "its name was not resolved in time"))?
}
