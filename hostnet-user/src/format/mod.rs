//! What a record looks like outside hostnet.
//!
//! ECS is the native form: every record is written in it once, and whatever else
//! a destination wants is made from those bytes. Nothing here knows where they go.

pub mod cef;
mod document;
pub mod ecs;
pub mod fields;
mod fit;
mod kinds;
pub mod ocsf;

use std::borrow::Cow;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use fit::{MOST_BYTES, MOST_BYTES_OF_THE_AGENT};
pub use kinds::{ANY_OTHER, Kind};

use crate::event::Recorded;

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Elastic Common Schema 9.4, one JSON document per line.
    #[default]
    Ecs,
    /// Open Cybersecurity Schema Framework 1.8.0, one JSON document per line.
    Ocsf,
    /// ArcSight Common Event Format, version 0, one line per event.
    Cef,
}

impl Format {
    /// Appends to `to` what the ECS document `document` of ours is in this
    /// format: one line, without its newline.
    ///
    /// # Errors
    /// When `document` is not an event of hostnet; `to` is as it was then.
    pub fn render(self, document: &[u8], to: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Ecs => to.extend_from_slice(document.trim_ascii()),
            Self::Ocsf => fit::write(document, to, ocsf::write)?,
            Self::Cef => fit::write(document, to, |document, to| {
                cef::write(document, to);
                Ok(())
            })?,
        }
        Ok(())
    }

    /// As [`render`](Self::render), without a copy where the form is the same.
    ///
    /// # Errors
    /// When `document` is not an event of hostnet.
    pub fn encode(self, document: &[u8]) -> Result<Cow<'_, [u8]>> {
        if self == Self::Ecs {
            return Ok(Cow::Borrowed(document));
        }
        let mut body = Vec::with_capacity(document.len());
        self.render(document, &mut body)?;
        Ok(Cow::Owned(body))
    }
}

/// Turns records into lines of a format.
pub struct Lines {
    encoder: ecs::Encoder,
    format: Format,
    /// The ECS document that another format is made from.
    document: Vec<u8>,
}

impl Lines {
    /// Lines of a run on this host.
    #[must_use]
    pub fn new(identity: &ecs::Identity, format: Format) -> Self {
        Self { encoder: ecs::Encoder::new(identity), format, document: Vec::new() }
    }

    /// Appends the record and a newline to `lines`.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which would be a bug.
    pub fn append(&mut self, record: &Recorded, lines: &mut Vec<u8>) -> Result<()> {
        if self.format == Format::Ecs {
            return self.encoder.encode(record, lines);
        }
        self.document.clear();
        self.encoder.encode(record, &mut self.document)?;
        self.format.render(&self.document, lines)?;
        lines.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
