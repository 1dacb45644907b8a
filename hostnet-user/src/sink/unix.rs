//! A unix socket: one line per event on a stream, or one datagram per event.
//!
//! The kernel tells how much of what was written has not been read. What a
//! reader has read counts as taken; what it had not when it went away is sent
//! again to the next.

use std::{
    io::{self, Write},
    os::unix::net::{UnixDatagram, UnixStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    Failure, Fate, Message, Outcome, Sink, SinkConfig,
    stream::{self, Timed},
};

/// Room in `sockaddr_un` for a path and its NUL.
const LONGEST_PATH: usize = 107;

/// `[[sink]]` with `type = "unix"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The socket's path. There are no abstract ones: in the host's network
    /// namespace any container could take such a name.
    pub path: PathBuf,
    /// What kind of socket it is.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds that the reader may take for what it is handed at once.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
}

/// What kind of socket is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A stream, one line per event.
    #[default]
    Stream,
    /// Datagrams, one per event, without a newline.
    Datagram,
}

const fn default_timeout() -> u64 {
    10
}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    fn check(&self) -> Result<()> {
        let length = self.path.as_os_str().len();
        if !self.path.is_absolute() || length > LONGEST_PATH {
            bail!(
                "sink.path is {:?}: it must be an absolute path of at most {LONGEST_PATH} bytes",
                self.path
            );
        }
        super::check_timeout(self.timeout_s)
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Unix::open(self.clone())?))
    }
}

/// The sink.
pub struct Unix {
    settings: Settings,
    socket: Option<Socket>,
    lines: Vec<u8>,
}

enum Socket {
    Stream(UnixStream),
    Datagram(UnixDatagram),
}

impl Unix {
    /// Takes the settings; the socket is connected to when there is something to send.
    ///
    /// # Errors
    /// When a setting cannot be right.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        Ok(Self { settings, socket: None, lines: Vec::new() })
    }

    fn connect(&self) -> io::Result<Socket> {
        let kind = match self.settings.mode {
            Mode::Stream => SocketType::STREAM,
            Mode::Datagram => SocketType::DGRAM,
        };
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        // Connecting waits, too, where a listener does not accept.
        set_socket_timeout(&socket, Timeout::Send, Some(self.timeout()))?;
        connect(&socket, &SocketAddrUnix::new(&self.settings.path)?)
            .map_err(|error| stream::timed_out(error.into()))?;
        Ok(match self.settings.mode {
            Mode::Stream => Socket::Stream(socket.into()),
            Mode::Datagram => Socket::Datagram(socket.into()),
        })
    }

    const fn timeout(&self) -> Duration {
        Duration::from_secs(self.settings.timeout_s)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::again(format!("{}: {error}", self.settings.path.display()))
    }
}

impl Sink for Unix {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        let deadline = Instant::now() + self.timeout();
        let kept = self.socket.take().filter(|socket| !socket.is_gone());
        let socket = match kept.map_or_else(|| self.connect(), Ok) {
            Ok(socket) => socket,
            Err(error) => return Outcome::failed(self.failure(&error)),
        };
        let outcome = match &socket {
            Socket::Stream(stream) => match self.write(stream, messages, deadline) {
                Ok(()) => Outcome::taken(messages.len()),
                Err(error) => Outcome::failed(self.failure(&error)),
            },
            Socket::Datagram(datagrams) => {
                Outcome::of(messages.iter().map(|message| self.send(datagrams, message, deadline)))
            }
        };
        if outcome.failure.is_none() {
            self.socket = Some(socket);
        }
        outcome
    }

    fn reopen(&mut self) -> Result<()> {
        self.socket = None;
        Ok(())
    }
}

impl Unix {
    /// Writes lines. After a failure nobody knows how much was read, and the next
    /// connection begins with a whole line: all of it again.
    fn write(
        &mut self,
        stream: &UnixStream,
        messages: &[Message<'_>],
        deadline: Instant,
    ) -> io::Result<()> {
        self.lines.clear();
        for message in messages {
            self.lines.extend_from_slice(message.body);
            self.lines.push(b'\n');
        }
        Timed { socket: stream, deadline }.write_all(&self.lines)?;
        stream::wait_until_arrived(stream, |s| stream::has_hung_up(s), deadline)
    }

    /// Sends a datagram.
    fn send(&self, socket: &UnixDatagram, message: &Message<'_>, deadline: Instant) -> Fate {
        let sent = Timed { socket, deadline }.allow(Timeout::Send);
        match sent.and_then(|()| socket.send(message.body)).map_err(stream::timed_out) {
            Ok(_) => Fate::Taken,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                Fate::Dead(format!(
                    "{}: {} bytes are more than a datagram may have",
                    self.settings.path.display(),
                    message.body.len()
                ))
            }
            Err(error) => Fate::Unsettled(self.failure(&error)),
        }
    }
}

impl Socket {
    fn is_gone(&self) -> bool {
        match self {
            Self::Stream(socket) => stream::has_hung_up(socket).unwrap_or(true),
            // Sending to one that is gone says so.
            Self::Datagram(_) => false,
        }
    }
}
