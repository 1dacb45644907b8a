//! The sinks' other ends: each reads all that comes, and counts events.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixDatagram, UnixListener},
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use hostnet::sink;

/// How long an HTTP server that is not on this machine takes to answer.
const FAR: Duration = Duration::from_millis(50);

/// Room for what was read and not looked at.
const BUFFER: usize = 1 << 18;

/// A kind of sink.
pub struct Receiver {
    /// What it is called; the name of its socket or file, too.
    pub name: &'static str,
    settings: &'static str,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    File,
    Stream,
    Datagram,
    Syslog,
    Http { answers_after: Duration },
}

/// Addresses that only these use.
const SYSLOG: &str = "127.0.0.1:47601";
const HTTP: &str = "127.0.0.1:47680";

pub const RECEIVERS: [Receiver; 8] = [
    Receiver { name: "file", settings: "type = 'file'", end: End::File },
    Receiver { name: "unix", settings: "type = 'unix'", end: End::Stream },
    Receiver { name: "unix-ocsf", settings: "type = 'unix'\nformat = 'ocsf'", end: End::Stream },
    Receiver { name: "unix-cef", settings: "type = 'unix'\nformat = 'cef'", end: End::Stream },
    Receiver {
        name: "unix-datagram",
        settings: "type = 'unix'\nmode = 'datagram'",
        end: End::Datagram,
    },
    Receiver { name: "syslog", settings: "type = 'syslog'", end: End::Syslog },
    Receiver {
        name: "http",
        settings: "type = 'http'\nframing = 'ndjson'",
        end: End::Http { answers_after: Duration::ZERO },
    },
    Receiver {
        name: "http-50ms-away",
        settings: "type = 'http'\nframing = 'ndjson'",
        end: End::Http { answers_after: FAR },
    },
];

/// What came.
pub enum Received {
    InFile,
    ByThread(JoinHandle<Result<u64>>),
}

impl Receiver {
    pub fn settings(&self, directory: &Path) -> Result<sink::Settings> {
        let at = match self.end {
            End::File | End::Stream | End::Datagram => {
                format!("path = {:?}", directory.join(self.name))
            }
            End::Syslog => format!("address = '{SYSLOG}'"),
            End::Http { .. } => format!("url = 'http://{HTTP}/'"),
        };
        let text = format!("name = '{}'\n{}\n{at}\n", self.name, self.settings);
        Ok(toml::from_str(&text)?)
    }

    pub fn start(&self, directory: &Path) -> Result<Received> {
        let path = directory.join(self.name);
        let thread = match self.end {
            End::File => return Ok(Received::InFile),
            End::Stream => {
                let listener = UnixListener::bind(path)?;
                thread::spawn(move || lines(BufReader::with_capacity(BUFFER, listener.accept()?.0)))
            }
            End::Datagram => {
                let socket = UnixDatagram::bind(path)?;
                thread::spawn(move || datagrams(&socket))
            }
            End::Syslog => {
                let listener = TcpListener::bind(SYSLOG)?;
                thread::spawn(move || {
                    frames(BufReader::with_capacity(BUFFER, listener.accept()?.0))
                })
            }
            End::Http { answers_after } => {
                let listener = TcpListener::bind(HTTP)?;
                thread::spawn(move || requests(listener.accept()?.0, answers_after))
            }
        };
        Ok(Received::ByThread(thread))
    }
}

impl Received {
    /// How many events came; to be asked when no more will.
    pub fn count(self, directory: &Path) -> Result<u64> {
        match self {
            Self::InFile => lines(BufReader::new(fs::File::open(directory.join("file"))?)),
            Self::ByThread(thread) => thread.join().expect("a receiver does not panic"),
        }
    }
}

fn lines(mut from: impl BufRead) -> Result<u64> {
    let mut count = 0;
    loop {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return Ok(count);
        }
        count += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let read = bytes.len();
        from.consume(read);
    }
}

fn datagrams(socket: &UnixDatagram) -> Result<u64> {
    let (mut count, mut bytes) = (0, vec![0; BUFFER]);
    // Nobody says that there will be no more.
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    while socket.recv(&mut bytes).is_ok() {
        count += 1;
    }
    Ok(count)
}

/// Octet-counted: a length, a space, and so many bytes.
fn frames(mut from: impl BufRead) -> Result<u64> {
    let (mut count, mut head, mut frame) = (0, Vec::new(), Vec::new());
    loop {
        head.clear();
        if from.read_until(b' ', &mut head)? == 0 {
            return Ok(count);
        }
        let length: usize = std::str::from_utf8(&head)?.trim_end().parse()?;
        frame.resize(length, 0);
        from.read_exact(&mut frame)?;
        count += 1;
    }
}

fn requests(stream: TcpStream, answers_after: Duration) -> Result<u64> {
    let mut from = BufReader::with_capacity(BUFFER, stream.try_clone()?);
    let mut to = stream;
    let (mut count, mut line) = (0, String::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Ok(count);
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().context("a length")?;
            }
        }
        let mut body = from.by_ref().take(length);
        let unpacked = flate2::bufread::GzDecoder::new(&mut body);
        count += lines(BufReader::with_capacity(BUFFER, unpacked))?;
        io::copy(&mut body, &mut io::sink())?;
        thread::sleep(answers_after);
        to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
