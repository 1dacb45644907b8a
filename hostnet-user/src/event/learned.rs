//! What the judgement learned from an event, for the runs to come: the record keeps it.

use serde::{Deserialize, Serialize};

/// Something that containers of an image reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Id of the image.
    pub image: String,
    /// What it is called among destinations.
    pub destination: String,
    /// When it was reached first, UTC nanoseconds.
    pub first_ns: u64,
    /// When it was last learned to be, UTC nanoseconds.
    pub last_ns: u64,
}

/// A finding that was made, so that it is not repeated too soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastFinding {
    /// Id of the rule.
    pub rule: String,
    /// The owner: a container's full id, else where it is, for one boot.
    pub owner: String,
    /// What it did.
    pub subject: String,
    /// When it was found last, UTC nanoseconds.
    pub last_ns: u64,
}

/// What an event adds to what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// Something was reached.
    Reached {
        /// What.
        reached: Reached,
        /// The image that is forgotten for it, because there is room for so many.
        instead_of: Option<String>,
    },
    /// A finding was made.
    Found {
        /// Which.
        finding: PastFinding,
        /// Findings up to this moment are forgotten, because there is room for so many.
        forgotten_to_ns: Option<u64>,
    },
}
