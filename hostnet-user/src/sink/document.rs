//! What a protocol's own header says of an event, taken from its document: a sink
//! knows no more of the event than the document does.

use std::borrow::Cow;

use serde::Deserialize;

use crate::row::Row;

/// The fields that headers are made of.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Head<'a> {
    /// `host`
    #[serde(borrow)]
    pub host: Host<'a>,
    /// `event`
    #[serde(borrow)]
    pub event: Event<'a>,
}

/// `host`
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Host<'a> {
    /// `host.name`
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// `host.id`
    #[serde(borrow)]
    pub id: Cow<'a, str>,
}

/// `event`
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Event<'a> {
    /// `event.kind`
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// `event.severity`: 21 low, 47 medium, 73 high, 99 critical, as Elastic's rules have it.
    pub severity: Option<u64>,
}

/// How much somebody should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What happened.
    Information,
    /// A finding that says nothing of its severity, or a low one.
    Notice,
    /// A medium finding.
    Warning,
    /// A high finding.
    Error,
    /// A critical finding.
    Critical,
}

impl<'a> Head<'a> {
    /// Reads it. A document that is not ours has an empty one.
    #[must_use]
    pub fn of(row: &'a Row) -> Self {
        serde_json::from_slice(&row.document).unwrap_or_default()
    }

    /// How much somebody should care.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.event.severity {
            Some(99..) => Level::Critical,
            Some(73..) => Level::Error,
            Some(47..) => Level::Warning,
            Some(21..) => Level::Notice,
            None if self.event.kind == "alert" => Level::Warning,
            _ => Level::Information,
        }
    }
}
