//! Elastic Common Schema 9.4 as NDJSON: hostnet's native format.
//!
//! One event is one line. What many events share (host, owner, process) is
//! written once and copied; see parts.rs. Field by field: docs/events.md.

mod document;
mod ends;
mod finding;
mod identity;
mod labels;
mod network;
mod orchestrator;
pub mod parse;
mod parts;
mod peer;
mod process;
mod process_fields;
pub mod read;
mod who_fields;
mod write;

use anyhow::Result;
use serde_json::Value;

pub use identity::Identity;

use self::{document::Document, labels::Which, parts::Parts, write::Borrowed};
use super::{document::Document as Fields, fit, reader::Reader};
use crate::{
    event::{Recorded, Timestamps, message},
    text::json,
};

/// The version of ECS that is written.
pub const ECS_VERSION: &str = "9.4.0";

/// Most bytes of one shared part of a document, such as the container or the process. An
/// event that is too long with the first is written with the next, so that it costs no more
/// than another event: parts are cut once for all events that have them.
const MOST_OF_A_PART: [usize; 3] = [6144, 1536, 512];

/// The same where no event is too long.
const WHOLE: usize = usize::MAX;

/// Turns records into lines.
pub struct Encoder {
    /// From the widest to the narrowest.
    parts: Vec<Parts>,
    is_bounded: bool,
    timestamps: Timestamps,
    message: String,
}

impl Encoder {
    /// An encoder for a run on this host.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let parts = MOST_OF_A_PART.map(|most| Parts::new(identity, most, None));
        Self::of(parts.into(), true)
    }

    /// An encoder whose documents are for judgement, not for sending: nothing of an event is
    /// cut, and each has all labels of its container.
    #[must_use]
    pub fn whole(identity: &Identity) -> Self {
        Self::of(vec![Parts::new(identity, WHOLE, Some(Which::All))], false)
    }

    fn of(parts: Vec<Parts>, is_bounded: bool) -> Self {
        Self { parts, is_bounded, timestamps: Timestamps::default(), message: String::new() }
    }

    /// Appends the record and a newline to `lines`: at most [`MOST_BYTES`](crate::format::MOST_BYTES)
    /// of it, or as many as the agent's events about itself may have.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which would be a bug.
    pub fn encode(&mut self, record: &Recorded, lines: &mut Vec<u8>) -> Result<()> {
        let start = lines.len();
        let most = fit::most_of(record);
        self.message.clear();
        message(&record.event, &mut self.message);
        for parts in &mut self.parts {
            lines.truncate(start);
            let borrowed = Borrowed::of(&record.event, &self.message, parts, &mut self.timestamps);
            let document = borrowed.document(record, parts, &mut self.timestamps);
            json::write(lines, &document)?;
            if !self.is_bounded || lines.len() - start <= most {
                break;
            }
        }
        if self.is_bounded && lines.len() - start > most {
            let document = serde_json::from_slice(&lines[start..])?;
            lines.truncate(start);
            json::write(lines, &fit::shorten_document(document, most))?;
        }
        lines.push(b'\n');
        Ok(())
    }

    /// The record as a document for those who look at its fields, the widest there is.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which would be a bug.
    pub fn value(&mut self, record: &Recorded) -> Result<Value> {
        let value = self.widest(record, |document| serde_json::to_value(document));
        Ok(value.transpose()?.unwrap_or_default())
    }

    /// Hands the record's fields to `with`, as they are where nothing is cut; returns the most
    /// bytes that the document has when it is written.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which would be a bug.
    pub(super) fn take(
        &mut self,
        record: &Recorded,
        reader: &mut Reader,
        with: impl FnOnce(&Fields<'_>),
    ) -> Result<usize> {
        let length = self.widest(record, |document| {
            let (fields, length) = reader.take(document)?;
            with(&fields);
            Ok(length)
        });
        length.unwrap_or(Ok(WHOLE))
    }

    fn widest<T>(&mut self, record: &Recorded, with: impl FnOnce(&Document<'_>) -> T) -> Option<T> {
        self.message.clear();
        message(&record.event, &mut self.message);
        let parts = self.parts.first_mut()?;
        let borrowed = Borrowed::of(&record.event, &self.message, parts, &mut self.timestamps);
        Some(with(&borrowed.document(record, parts, &mut self.timestamps)))
    }
}
