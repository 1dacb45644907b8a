//! Our own rules in Sigma: what the built-in detections find of one event, for a SIEM
//! that gets the stream. The agent judges by its own detections instead, which know more.

use super::{RuleText, Rules};
use crate::judge::Detection;

/// Each rule's file name and text.
#[must_use]
pub fn pack() -> Vec<RuleText> {
    let rules = Detection::all().flat_map(Detection::sigma_rules);
    rules.map(|(file, text)| RuleText { file, text }).collect()
}

impl Rules {
    /// Our own rules.
    #[must_use]
    pub fn pack() -> Self {
        // Each is tested to be good.
        Self::parse(&pack()).0
    }
}
