//! The way to a syslog server: TCP, or TLS over it.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

use crate::sink::stream::{self, Timed};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open connection.
pub struct Connection {
    socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Connection {
    /// Connects to the first address that answers, and shakes hands.
    ///
    /// # Errors
    /// When no address does by the deadline, or the server is not who it should be.
    pub fn open(
        (host, port): (&str, u16),
        tls: Option<&Arc<ClientConfig>>,
        deadline: Instant,
    ) -> io::Result<Self> {
        let addresses = stream::resolve(host, port, deadline)?;
        let mut outcome = Err(io::Error::new(ErrorKind::NotFound, "its name has no address"));
        for (tried, address) in addresses.iter().enumerate() {
            // One that does not answer leaves its share to the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
            outcome = TcpStream::connect_timeout(address, share.max(Duration::from_millis(1)));
            if outcome.is_ok() {
                break;
            }
        }
        let socket = outcome?;
        socket.set_nodelay(true)?;
        let tls = tls.map(|config| shake_hands(&socket, host, config, deadline)).transpose()?;
        Ok(Self { socket, tls })
    }

    /// Writes all, and waits until the other side's kernel has it.
    ///
    /// # Errors
    /// When that has not happened by the deadline. How much arrived is not known.
    pub fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let mut timed = Timed { socket: &self.socket, deadline };
        match &mut self.tls {
            Some(tls) => {
                let mut encrypted = rustls::Stream::new(tls, &mut timed);
                encrypted.write_all(bytes)?;
                encrypted.flush()?;
            }
            None => timed.write_all(bytes)?,
        }
        let gone = |socket: &TcpStream| stream::has_ended(socket);
        stream::wait_until_arrived(&self.socket, gone, deadline)?;
        if self.is_closed() {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, stream::CLOSED));
        }
        Ok(())
    }

    /// Whether the other side has said that it is done, or is gone.
    pub fn is_closed(&mut self) -> bool {
        match &mut self.tls {
            None => stream::has_ended(&self.socket).unwrap_or(true),
            Some(tls) => {
                // What came since: session tickets, or a farewell.
                let closed = self
                    .socket
                    .set_nonblocking(true)
                    .and_then(|()| take_in(tls, &self.socket))
                    .unwrap_or(true);
                closed || self.socket.set_nonblocking(false).is_err()
            }
        }
    }
}

/// A server that gets no farewell logs an attack that cut the connection short.
impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let mut timed = Timed { socket: &self.socket, deadline: Instant::now() + FAREWELL };
            while tls.wants_write() {
                if tls.write_tls(&mut timed).is_err() {
                    break;
                }
            }
        }
        // It may be gone already.
        let _unheard = self.socket.shutdown(std::net::Shutdown::Write);
    }
}

fn shake_hands(
    socket: &TcpStream,
    host: &str,
    config: &Arc<ClientConfig>,
    deadline: Instant,
) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut timed = Timed { socket, deadline };
    while tls.is_handshaking() {
        tls.complete_io(&mut timed)?;
    }
    Ok(tls)
}

/// Reads what is there, and says whether the other side has closed.
fn take_in(tls: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<bool> {
    loop {
        match tls.read_tls(&mut socket) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        if state.peer_has_closed() {
            return Ok(true);
        }
        // A syslog server has nothing to say; what it says nevertheless is not kept.
        let mut unwanted = vec![0; state.plaintext_bytes_to_read()];
        tls.reader().read_exact(&mut unwanted)?;
    }
}
