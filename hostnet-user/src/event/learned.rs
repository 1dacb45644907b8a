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

/// What an event adds to what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// This was reached.
    pub reached: Reached,
    /// The image that is forgotten for it, because there is room for so many.
    pub instead_of: Option<String>,
}
