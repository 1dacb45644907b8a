//! What an output says of itself in numbers, for `/metrics` and heartbeats.

use std::collections::BTreeMap;

use serde::Serialize;

/// How a sink does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkNumbers {
    /// Events that the destination took.
    pub delivered: u64,
    /// Events it will not get: refused for good, or beyond the cap.
    pub dropped: u64,
    /// Whether the last attempt failed.
    pub is_failing: bool,
    /// Rows it is still to look at; a filter may leave some out.
    pub waiting: u64,
    /// `@timestamp` of the oldest of these that is in memory, nanoseconds since 1970.
    pub waiting_since_ns: Option<u64>,
}

/// How the history does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistoryNumbers {
    /// Whether rows can be kept.
    pub is_writable: bool,
    /// What it takes of its disk; `None` while it cannot be opened.
    pub size: Option<HistorySize>,
    /// What it may take, bytes.
    pub limit_bytes: u64,
    /// Rows of this run that were kept.
    pub kept: u64,
    /// Rows of this run that will never be in it: it could not be written, and there was
    /// no more memory to wait in.
    pub not_kept: u64,
    /// Rows that were removed in this run, by the limit that they were beyond.
    pub purged: BTreeMap<String, u64>,
    /// `@timestamp` of the oldest row, nanoseconds since 1970; `None` where there is none.
    pub oldest_ns: Option<u64>,
}

/// How much a history takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HistorySize {
    /// Bytes in use in the file.
    #[serde(rename = "used_bytes")]
    pub used: u64,
    /// Bytes in the file that could be given back.
    #[serde(rename = "free_bytes")]
    pub free: u64,
    /// Bytes of the log beside it.
    #[serde(rename = "log_bytes")]
    pub log: u64,
}

impl HistorySize {
    /// All of it, bytes.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.used + self.free + self.log
    }
}
