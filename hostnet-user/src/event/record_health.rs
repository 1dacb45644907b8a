//! How the record stands: the history, the sinks, the run before this one, and
//! the clock that all of it is told by.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{
    Action, Checkpoint, Common, NotOurs, Outcome, Purge, Range, Timestamps,
    document::{nanoseconds, summable},
    health_fields::{LossFields, OwnOfHealth, said},
};

/// What the record tells of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RecordHealth {
    /// The history cannot be kept; a damaged one was renamed to `set_aside`.
    HistoryFailed {
        path: String,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        set_aside: Option<String>,
    },
    /// The history is kept again; `given_up` events are not in it.
    HistoryRecovered { path: String, failed_ns: u64, given_up: u64 },
    /// The oldest rows go.
    HistoryPurged(Purge),
    /// The chain's value after a row, signed.
    Checkpoint(Checkpoint),
    /// A sink does not take events; `waiting` rows wait for it.
    SinkFailing { sink: String, reason: String, waiting: u64 },
    /// It takes them again.
    SinkRecovered { sink: String, waiting: u64, failed_ns: u64 },
    /// A sink was not given `dropped` events, and refused `refused` for good.
    SinkDropped { sink: String, dropped: u64, refused: u64, reason: String },
    /// The run before this one has no end: what happened from its last event until
    /// it was found, UTC nanoseconds, may not have been told.
    Crashed { run: String, sequence: u64, last_ns: u64, found_ns: u64 },
    /// The wall clock was set: `by_ns` is how far, forward or back.
    ClockStepped { by_ns: i64 },
}

impl RecordHealth {
    /// ECS `event.action`.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::HistoryFailed { .. } => Action::HistoryFailed,
            Self::HistoryRecovered { .. } => Action::HistoryRecovered,
            Self::HistoryPurged(_) => Action::HistoryPurged,
            Self::Checkpoint(_) => Action::ChainCheckpoint,
            Self::SinkFailing { .. } => Action::SinkFailing,
            Self::SinkRecovered { .. } => Action::SinkRecovered,
            Self::SinkDropped { .. } => Action::SinkDropped,
            Self::Crashed { .. } => Action::AgentCrashed,
            Self::ClockStepped { .. } => Action::ClockStepped,
        }
    }

    /// ECS `event.outcome`.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::HistoryRecovered { .. }
            | Self::HistoryPurged(_)
            | Self::Checkpoint(_)
            | Self::SinkRecovered { .. } => Outcome::Success,
            Self::HistoryFailed { .. }
            | Self::SinkFailing { .. }
            | Self::SinkDropped { .. }
            | Self::Crashed { .. }
            | Self::ClockStepped { .. } => Outcome::Failure(None),
        }
    }

    /// ECS `event.start` and `event.end`.
    #[must_use]
    pub const fn range(&self) -> Option<Range> {
        if let Self::Crashed { last_ns, found_ns, .. } = self {
            Some(Range::Wall(*last_ns, *found_ns))
        } else {
            None
        }
    }

    /// What its documents have.
    pub fn own(&self) -> OwnOfHealth<'_> {
        let mut own = OwnOfHealth::of(Map::new());
        let mut health = said(self);
        match self {
            Self::HistoryRecovered { given_up, .. } => {
                health.remove("given_up");
                // Nothing is said of a loss where there was none.
                let loss = LossFields::of("history", *given_up, None);
                own.loss = (*given_up > 0).then_some(loss);
            }
            Self::HistoryPurged(purge) => {
                health.remove("until_ns");
                let until = Timestamps::default().format(purge.until_ns);
                health.insert("until".to_owned(), until.into());
            }
            Self::SinkDropped { dropped, refused, reason, .. } => {
                health.remove("reason");
                own.loss = Some(LossFields::of("sink", dropped + refused, Some(reason)));
            }
            Self::Crashed { .. } => {
                health.remove("last_ns");
                health.remove("found_ns");
            }
            Self::HistoryFailed { .. }
            | Self::Checkpoint(_)
            | Self::SinkFailing { .. }
            | Self::SinkRecovered { .. }
            | Self::ClockStepped { .. } => {}
        }
        own.health = Some(health.into());
        own
    }

    /// What a document with that action says.
    ///
    /// # Errors
    /// When a field is missing or nonsense, or it is no such action.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are the agent's, or others'")]
    pub fn read(
        action: Action,
        own: OwnOfHealth<'_>,
        common: &Common<'_>,
    ) -> Result<Self, NotOurs> {
        match action {
            Action::HistoryFailed => own.read("HistoryFailed", []),
            Action::HistoryRecovered => {
                let given_up = own.loss.as_ref().map_or(0, |loss| loss.count);
                own.read("HistoryRecovered", [("given_up", given_up.into())])
            }
            Action::HistoryPurged => {
                let until = own.health.as_ref().and_then(|health| health["until"].as_str());
                let until = until.ok_or_else(|| NotOurs::missing("hostnet.health.until"))?;
                let until_ns = nanoseconds("hostnet.health.until", until)?;
                own.read("HistoryPurged", [("until_ns", until_ns.into())])
            }
            Action::ChainCheckpoint => own.read("Checkpoint", []),
            Action::SinkFailing => own.read("SinkFailing", []),
            Action::SinkRecovered => own.read("SinkRecovered", []),
            Action::SinkDropped => {
                let loss = own.loss.as_ref().ok_or_else(|| NotOurs::missing("hostnet.loss"))?;
                let reason = loss.reason.clone().unwrap_or_default().into_owned();
                let dropped = own.read("SinkDropped", [("reason", reason.into())])?;
                if let Self::SinkDropped { dropped, refused, .. } = &dropped {
                    summable("hostnet.health.dropped", [*dropped, *refused])?;
                }
                Ok(dropped)
            }
            Action::AgentCrashed => {
                let (last_ns, found_ns) = common.range()?;
                let range = [("last_ns", last_ns.into()), ("found_ns", found_ns.into())];
                own.read("Crashed", range)
            }
            Action::ClockStepped => own.read("ClockStepped", []),
            _ => Err(NotOurs::of_kind(action.name())),
        }
    }

    /// One sentence.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HistoryFailed { path, reason, set_aside: None } => {
                write!(f, "the history {path} cannot be written: {reason}")
            }
            Self::HistoryFailed { path, reason, set_aside: Some(aside) } => {
                write!(
                    f,
                    "the history {path} is damaged ({reason}): it was renamed to {aside}, and a \
                     new one begun"
                )
            }
            Self::HistoryRecovered { path, failed_ns, given_up } => {
                let seconds = *failed_ns as f64 / 1e9;
                write!(
                    f,
                    "the history {path} is written again after {seconds:.1} s; {given_up} events \
                     are missing from it"
                )
            }
            Self::HistoryPurged(Purge { first, last, reason, .. }) => {
                write!(f, "history rows {first} to {last} were deleted ({reason})")
            }
            Self::Checkpoint(checkpoint) => {
                write!(f, "history row {} has hash {}", checkpoint.row, checkpoint.hash)
            }
            Self::SinkFailing { sink, reason, waiting } => {
                write!(f, "sink {sink} does not take events: {reason}; {waiting} events wait")
            }
            Self::SinkRecovered { sink, waiting, failed_ns } => {
                let seconds = *failed_ns as f64 / 1e9;
                write!(
                    f,
                    "sink {sink} takes events again after {seconds:.1} s; {waiting} events wait"
                )
            }
            Self::SinkDropped { sink, dropped, refused, reason } => {
                write!(
                    f,
                    "sink {sink}: {dropped} events dropped before delivery, {refused} refused: {reason}"
                )
            }
            Self::Crashed { run, sequence, last_ns, found_ns } => {
                let seconds = found_ns.saturating_sub(*last_ns) as f64 / 1e9;
                write!(
                    f,
                    "run {run} crashed or was killed after event {sequence}: nothing was \
                     recorded for {seconds:.1} s"
                )
            }
            Self::ClockStepped { by_ns } => {
                write!(f, "the system clock was set by {:+.3} s", *by_ns as f64 / 1e9)
            }
        }
    }
}
