//! An event with its place in the run that recorded it.

use super::Event;

/// An event with its place in the run.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Contiguous from 1 per run.
    pub sequence: u64,
    /// UTC at which the agent took it in, nanoseconds since 1970.
    pub seen_ns: u64,
    /// The event.
    pub event: Event,
}
