//! From the configuration to a sink: the one place that names them all.

use anyhow::Result;

#[cfg(feature = "http")]
use super::http::Http;
#[cfg(feature = "kafka")]
use super::kafka::Kafka;
#[cfg(feature = "nats")]
use super::nats::Nats;
use super::{Destination, File, Sink, Stdout, syslog::Syslog, unix::Unix};
use crate::format::ecs::Identity;

/// Opens a destination for the events of this host.
///
/// # Errors
/// When the configuration cannot be right: a file that cannot be opened. A server
/// that does not answer is no reason, for it may come back.
pub fn build(destination: &Destination, _host: &Identity) -> Result<Box<dyn Sink>> {
    Ok(match destination {
        Destination::Stdout {} => Box::new(Stdout::default()),
        Destination::File { path } => Box::new(File::open(path)?),
        Destination::Unix(settings) => Box::new(Unix::open(settings.clone())?),
        Destination::Syslog(settings) => Box::new(Syslog::open(settings.clone())?),
        #[cfg(feature = "http")]
        Destination::Http(settings) => Box::new(Http::open(settings.clone())?),
        #[cfg(feature = "nats")]
        Destination::Nats(settings) => Box::new(Nats::open(settings.clone())?),
        #[cfg(feature = "kafka")]
        Destination::Kafka(settings) => Box::new(Kafka::open(settings.clone())?),
    })
}
