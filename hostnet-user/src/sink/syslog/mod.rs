//! Syslog (RFC 5424) over TCP or TLS, octet-counted.
//!
//! Syslog has no acknowledgements. What this sink does instead: it looks whether
//! the server has closed the connection before it writes, waits until the server's
//! kernel has acknowledged every byte, and looks again. When anything goes wrong
//! all of the delivery is sent again, so an event may come twice (its id is in the
//! structured data). Still at risk is what the server's kernel has taken and the
//! server had not read when it died.

mod connection;
mod frame;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use self::connection::Connection;
use super::{
    Failure, Message, Outcome, Sink, SinkConfig, Tls,
    tls::{self, check_plaintext, host_and_port},
};

/// `[[sink]]` with `type = "syslog"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `HOST:PORT`; the usual port is 6514 with TLS, 601 without.
    pub address: String,
    /// TLS, when there is such a table; it may be empty.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Allows plaintext to another machine.
    #[serde(default)]
    pub insecure: bool,
    /// What the server sorts messages by.
    #[serde(default)]
    pub facility: Facility,
    /// The longest message in bytes that the server takes whole. rsyslog cuts what
    /// is longer than its `maxMessageSize`, 8 KiB by default, without a word.
    #[serde(default = "default_max_message_bytes")]
    pub max_message_bytes: usize,
    /// Seconds that the server may take for what it is handed at once.
    #[serde(default = "default_timeout")]
    pub timeout_s: u64,
}

/// RFC 5424 table 1, as far as it is for us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Facility {
    /// `daemon`
    Daemon = 3,
    /// `authpriv`
    Authpriv = 10,
    /// `local0`
    #[default]
    Local0 = 16,
    /// `local1`
    Local1,
    /// `local2`
    Local2,
    /// `local3`
    Local3,
    /// `local4`
    Local4,
    /// `local5`
    Local5,
    /// `local6`
    Local6,
    /// `local7`
    Local7,
}

const fn default_max_message_bytes() -> usize {
    64 << 10
}

const fn default_timeout() -> u64 {
    10
}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        format!("syslog:{}", self.address)
    }

    fn check(&self) -> Result<()> {
        let (host, _) = host_and_port("sink.address", &self.address)?;
        match &self.tls {
            Some(tls) => tls.check("sink.tls")?,
            None => check_plaintext("sink.address", host, self.insecure, None)?,
        }
        // Every receiver takes this much (RFC 5424 §6.1).
        if self.max_message_bytes < 2048 {
            bail!("sink.max_message_bytes is {}: it must be 2048 or more", self.max_message_bytes);
        }
        super::check_timeout(self.timeout_s)
    }

    fn plaintext(&self) -> Vec<(String, u16)> {
        tls::plaintext(self.tls.as_ref(), std::slice::from_ref(&self.address))
    }

    fn open(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Syslog::open(self.clone())?))
    }
}

/// The sink.
pub struct Syslog {
    settings: Settings,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
    frames: Vec<u8>,
}

impl Syslog {
    /// Takes the settings and reads the certificates; the server is connected to
    /// when there is something to send.
    ///
    /// # Errors
    /// When a setting cannot be right, or a certificate cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        let tls = client(&settings)?;
        Ok(Self { settings, tls, connection: None, frames: Vec::new() })
    }

    /// Sends frames that are small enough, all or nothing.
    fn send(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(self.settings.timeout_s);
        let kept = self.connection.take().and_then(|mut open| (!open.is_closed()).then_some(open));
        let sent = host_and_port("sink.address", &self.settings.address)
            .and_then(|address| match kept {
                Some(connection) => Ok(connection),
                None => Ok(Connection::open(address, self.tls.as_ref(), deadline)?),
            })
            .and_then(|mut connection| {
                connection.send(&self.frames, deadline)?;
                Ok(connection)
            });
        match sent {
            Ok(connection) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                Err(Failure::again(format!("syslog at {}: {error:#}", self.settings.address)))
            }
        }
    }
}

impl Sink for Syslog {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        self.frames.clear();
        let limit = self.settings.max_message_bytes;
        let (mut too_long, mut reason) = (0, String::new());
        for message in messages {
            let before = self.frames.len();
            let length = frame::append(&mut self.frames, message, self.settings.facility);
            if length > limit {
                self.frames.truncate(before);
                if too_long == 0 {
                    reason =
                        format!("a message of {length} bytes, sink.max_message_bytes is {limit}");
                }
                too_long += 1;
            }
        }
        if !self.frames.is_empty()
            && let Err(failure) = self.send()
        {
            return Outcome::failed(failure);
        }
        Outcome::with_dead(messages.len(), too_long, reason)
    }

    fn reopen(&mut self) -> Result<()> {
        self.tls = client(&self.settings)?;
        self.connection = None;
        Ok(())
    }
}

fn client(settings: &Settings) -> Result<Option<Arc<ClientConfig>>> {
    settings.tls.as_ref().map(|tls| tls.client("sink.tls").map(Arc::new)).transpose()
}
