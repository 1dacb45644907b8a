//! What a record looks like outside hostnet.
//!
//! ECS is the native form: what is kept is written in it once. OCSF and CEF are written from the
//! event's fields, whether these come from the event itself or from a line of ECS. Nothing
//! here knows where they go.

pub mod cef;
mod document;
pub mod ecs;
pub mod fields;
mod fit;
mod kinds;
pub mod ocsf;
mod reader;
mod side;
mod tree;
mod typed;

use std::borrow::Cow;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use fit::{MOST_BYTES, MOST_BYTES_OF_THE_AGENT};
pub use kinds::{ANY_OTHER, Kind};
pub use tree::is_inside;

use self::{document::Document, reader::Reader};
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
    /// The same in version 1.1.0, which is what some receivers know.
    #[serde(rename = "ocsf-1.1.0")]
    Ocsf1_1,
    /// ArcSight Common Event Format, version 0, one line per event.
    Cef,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ecs, Self::Ocsf, Self::Ocsf1_1, Self::Cef];

    fn write(self, document: &Document<'_>, to: &mut Vec<u8>) {
        match self {
            // Its documents are not taken apart.
            Self::Ecs => {}
            Self::Ocsf => ocsf::write(document, ocsf::Version::V1_8, to),
            Self::Ocsf1_1 => ocsf::write(document, ocsf::Version::V1_1, to),
            Self::Cef => cef::write(document, to),
        }
    }
}

/// Writes events in one format. What it found out of their fields' names is kept.
pub struct Renderer {
    format: Format,
    reader: Reader,
}

impl Renderer {
    /// One that knows no names yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let reader = Reader::new(match format {
            Format::Cef => cef::look,
            Format::Ecs | Format::Ocsf | Format::Ocsf1_1 => ocsf::look,
        });
        Self { format, reader }
    }

    /// Appends to `to` what the ECS document `line` of ours is in this format: one line,
    /// without its newline.
    ///
    /// # Errors
    /// When `line` is not an event of hostnet; `to` is as it was then.
    pub fn render(&mut self, line: &[u8], to: &mut Vec<u8>) -> Result<()> {
        if self.format == Format::Ecs {
            to.extend_from_slice(line.trim_ascii());
            return Ok(());
        }
        self.write(&reader::object(line)?, to)
    }

    /// The same of a document that was kept, and without a copy where the form is the same.
    ///
    /// # Errors
    /// When `document` is not an event of hostnet.
    pub fn encode<'a>(&mut self, document: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        if self.format == Format::Ecs {
            return Ok(Cow::Borrowed(document));
        }
        let mut body = Vec::with_capacity(2 * document.len());
        self.write(str::from_utf8(document)?, &mut body)?;
        Ok(Cow::Owned(body))
    }

    fn write(&mut self, text: &str, to: &mut Vec<u8>) -> Result<()> {
        let Self { format, reader } = self;
        fit::write(text, to, |text, to| {
            format.write(&reader.read(text)?, to);
            Ok(())
        })
    }
}

/// Turns records into lines of a format.
pub struct Lines {
    encoder: ecs::Encoder,
    renderer: Renderer,
    /// The ECS document of an event that is cut.
    document: Vec<u8>,
}

impl Lines {
    /// Lines of a run on this host.
    #[must_use]
    pub fn new(identity: &ecs::Identity, format: Format) -> Self {
        let encoder = ecs::Encoder::new(identity);
        Self { encoder, renderer: Renderer::new(format), document: Vec::new() }
    }

    /// Appends the record and a newline to `lines`.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which would be a bug.
    pub fn append(&mut self, record: &Recorded, lines: &mut Vec<u8>) -> Result<()> {
        let Self { encoder, renderer, document } = self;
        if renderer.format == Format::Ecs {
            return encoder.encode(record, lines);
        }
        let (start, most) = (lines.len(), fit::most_of(record));
        let Renderer { format, reader } = renderer;
        let length = encoder.take(record, reader, |fields| format.write(fields, lines))?;
        // What is cut is cut as in ECS.
        if length.max(lines.len() - start) > most {
            lines.truncate(start);
            document.clear();
            encoder.encode(record, document)?;
            renderer.write(str::from_utf8(document)?.trim_ascii_end(), lines)?;
        }
        lines.push(b'\n');
        Ok(())
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
