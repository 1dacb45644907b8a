//! `[judge]` of the configuration, and what else judgements are made by.

use serde::{Deserialize, Serialize};

use super::{Detection, expectations};
use crate::event::loopback::Destination;

/// All that judgements are made by; a run's recording has it, so that a replay judges
/// the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Law {
    /// `[judge]`
    pub settings: Settings,
    /// `[[expect]]`
    pub expect: Vec<expectations::Entry>,
    /// `[expectations]`
    pub expectations: expectations::Settings,
    /// Where hostnet itself connects to on the loopback without TLS.
    pub destinations: Vec<Destination>,
}

/// `[judge]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Make findings of events.
    pub enabled: bool,
    /// Detections to leave out, by their ids (`hostnet rules list`).
    pub without: Vec<String>,
    /// Hours after which the same act of the same owner is told again.
    pub repeat_hours: u32,
    /// Hours in which what an image reaches is learned before what is new is told.
    pub learn_hours: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, without: Vec::new(), repeat_hours: 24, learn_hours: 24 }
    }
}

impl Settings {
    pub(crate) fn repeat_after_ns(&self) -> u64 {
        u64::from(self.repeat_hours) * 3_600_000_000_000
    }

    pub(super) fn learn_ns(&self) -> u64 {
        u64::from(self.learn_hours) * 3_600_000_000_000
    }

    pub(super) fn judges_by(&self, detection: &str) -> bool {
        self.enabled && !self.without.iter().any(|id| id == detection)
    }

    /// What is wrong with them, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let is_known = |id: &&String| Detection::all().any(|detection| detection.id == **id);
        if let Some(id) = self.without.iter().find(|id| !is_known(id)) {
            let known: Vec<&str> = Detection::all().map(|detection| detection.id).collect();
            return Some(format!(
                "judge.without names {id:?}: it must be one of {}",
                known.join(", ")
            ));
        }
        (self.repeat_hours == 0)
            .then(|| "judge.repeat_hours is 0: it must be at least 1".to_owned())
    }
}
