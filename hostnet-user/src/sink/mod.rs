//! Where records are delivered to, one file per kind of destination.
//!
//! A sink hands messages over and says what became of them (`outcome`). It knows nothing of
//! where they are kept until then, of the other sinks, or of when to try again:
//! that is the outbox's (record/).

mod document;
mod outbox;
mod outcome;
#[allow(dead_code, reason = "not every build has a sink whose client is asynchronous")]
mod runtime;
mod secret;
mod settings;
mod stream;
mod tls;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use outbox::Outbox;
pub use outcome::{Failure, Fate, Outcome, Proof, Then, hand_over};
pub use secret::Secret;
pub use settings::{Common, Settings};
pub use tls::Tls;

use crate::row::Row;

/// What a row stands for: its module, which has `Settings`, and its `type` in `[[sink]]`.
macro_rules! sinks {
    ($($(#[$feature:meta])? $module:ident as $kind:ident;)*) => {
        $($(#[$feature])? pub mod $module;)*

        /// A kind of destination and what it needs.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, tag = "type", rename_all = "kebab-case")]
        pub enum Destination {
            $($(#[$feature])? #[doc = concat!("See `", stringify!($module), "`.")]
            $kind($module::Settings),)*
        }

        impl Destination {
            /// What its sink does with it.
            #[must_use]
            pub fn config(&self) -> &dyn SinkConfig {
                match self { $($(#[$feature])? Self::$kind(settings) => settings,)* }
            }
        }
    };
}

// The one list of sinks. One that needs a crate of its own has a feature.
sinks! {
    stdout as Stdout;
    file as File;
    unix as Unix;
    syslog as Syslog;
    #[cfg(feature = "http")] http as Http;
    #[cfg(feature = "nats")] nats as Nats;
    #[cfg(feature = "kafka")] kafka as Kafka;
}

/// The longest that a destination may be given for one delivery, in seconds.
const LONGEST_TIMEOUT_S: u64 = 600;

/// Checks a `timeout_s`.
fn check_timeout(seconds: u64) -> Result<()> {
    if seconds == 0 || seconds > LONGEST_TIMEOUT_S {
        anyhow::bail!("sink.timeout_s is {seconds}: it must be from 1 to {LONGEST_TIMEOUT_S}");
    }
    Ok(())
}

/// What the configuration says of one sink.
pub trait SinkConfig {
    /// What it is called when the configuration gives it no name. That is in events,
    /// metrics and the history, so nothing in it may be a secret.
    fn name(&self) -> String;

    /// Checks the values.
    ///
    /// # Errors
    /// When one cannot be right, or two do not go together.
    fn check(&self) -> Result<()>;

    /// The hosts and ports that it connects to without TLS.
    fn plaintext(&self) -> Vec<(String, u16)> {
        Vec::new()
    }

    /// Makes the sink.
    ///
    /// # Errors
    /// When the configuration cannot be right: a file that cannot be opened. A server
    /// that does not answer is no reason, for it may come back.
    fn open(&self) -> Result<Box<dyn Sink>>;
}

/// A destination. Each has a thread of its own, so it may wait.
pub trait Sink: Send {
    /// Hands over messages in order, and returns what became of them. One is taken when
    /// it is acknowledged where the protocol has acknowledgements, else when it is written.
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome;

    /// Opens the destination anew (SIGHUP, after log rotation).
    ///
    /// # Errors
    /// When it cannot be opened; the old one stays in use.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A record in the form that a sink is configured to send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The record.
    pub row: &'a Row,
    /// Its bytes in the sink's format; a text format has no newline in or after it.
    pub body: &'a [u8],
}
