//! An event as it is kept and delivered: its document, and what is asked of it without
//! reading it. Nothing here knows where rows are kept or delivered to.

pub mod touch;

use touch::Touch;

use crate::event::Learned;

/// The ECS document of one event, and what is asked of it without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Place in the history: contiguous over all runs that wrote it, from 1.
    pub id: u64,
    /// `event.sequence`: contiguous within the run, from 1.
    pub sequence: u64,
    /// `@timestamp`, nanoseconds since 1970 (UTC).
    pub time_ns: u64,
    /// `event.id`, by which a reader knows a record that came twice.
    pub event_id: String,
    /// `event.dataset`.
    pub dataset: &'static str,
    /// `event.action`.
    pub action: String,
    /// Whose it is: records with the same value are delivered in order. Empty
    /// for what has no owner.
    pub owner: String,
    /// The document, one line of JSON without its newline.
    pub document: Vec<u8>,
    /// What it says of ports and of others; empty of a row that is read back, which
    /// is counted already, and where no history counts.
    pub touch: Touch,
    /// What the judgement learned from the event; nothing of a row that is read back, or
    /// that no history keeps.
    pub learned: Option<Box<Learned>>,
}
