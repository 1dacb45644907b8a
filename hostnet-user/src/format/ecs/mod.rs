//! Elastic Common Schema 9.4 as NDJSON: hostnet's native format.
//!
//! One event is one line. What many events share (host, owner, process) is
//! written once and copied; see parts.rs. Field by field: docs/events.md.

mod cgroups;
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
pub mod read;
mod record_health;
mod specifics;
mod timestamp;
mod udp;

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

pub use identity::Identity;

use self::{
    document::{Borrowed, Document},
    labels::Which,
    parts::Parts,
    timestamp::Timestamps,
};
use super::fit;
use crate::{
    event::{Event, Operation, Owner, OwnerKind, Process, Recorded},
    text::{self, json},
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
        let most = fit::most_bytes(record.event.operation.told().action().category().dataset());
        self.message.clear();
        message(&record.event, &mut self.message);
        for parts in &mut self.parts {
            lines.truncate(start);
            let borrowed = Borrowed::of(&record.event, &self.message, parts, &mut self.timestamps);
            let document = Document::new(record, parts, &borrowed, &mut self.timestamps);
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
        self.message.clear();
        message(&record.event, &mut self.message);
        let Some(parts) = self.parts.first_mut() else { return Ok(Value::Null) };
        let borrowed = Borrowed::of(&record.event, &self.message, parts, &mut self.timestamps);
        let document = Document::new(record, parts, &borrowed, &mut self.timestamps);
        Ok(serde_json::to_value(&document)?)
    }
}

/// The event as one sentence.
fn message(event: &Event, to: &mut String) {
    if let Some(owner) = &event.owner {
        subject(owner, event.process.as_deref(), to);
        to.push(' ');
    }
    let sentence = to.len();
    if let (Operation::Exit(_), Some(process)) = (&event.operation, &event.process) {
        let is_named = event.owner.as_ref().is_some_and(|owner| owner.kind != OwnerKind::Container);
        if !is_named {
            process_name(process, to);
            to.push(' ');
        }
    }
    // Writing to a string cannot fail.
    let _infallible = write!(to, "{}", event.operation);
    // The process is the subject then, not the container: `web: process sh (pid 7) …`.
    if sentence > 0 && to[sentence..].starts_with("process ") {
        to.insert(sentence - 1, ':');
    }
    // A finding's own sentence says whose it is.
    if let Some(peer) = event.peer.as_ref().filter(|_| !event.is_finding()) {
        let _infallible = write!(to, " ({peer})");
    }
}

/// Who did it, as people name it: `web (nginx:1.27)`, `host process sshd (pid 7)`.
fn subject(owner: &Owner, process: Option<&Process>, to: &mut String) {
    to.push_str(owner.label());
    if let Some(container) = &owner.container
        && !container.image.is_empty()
    {
        let _infallible = write!(to, " ({})", container.image);
    }
    if owner.kind != OwnerKind::Container
        && let Some(process) = process
    {
        to.push(' ');
        process_name(process, to);
    }
}

/// `process sshd (pid 7)`
fn process_name(process: &Process, to: &mut String) {
    let name = text::text(&process.name).readable;
    let _infallible = write!(to, "process {name} (pid {})", process.pid);
}
