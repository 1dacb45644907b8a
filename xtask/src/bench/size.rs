//! How large a run is.

use serde::{Deserialize, Serialize};

/// A whole run has the figures that are kept. A quick one takes minutes and is noisy, a smoke
/// takes seconds and shows only that a part still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    Whole,
    Quick,
    Smoke,
}

impl Size {
    /// One of three, by the size.
    pub fn of<T>(self, whole: T, quick: T, smoke: T) -> T {
        match self {
            Self::Whole => whole,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}
