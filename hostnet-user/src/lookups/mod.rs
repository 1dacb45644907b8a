//! What the pipeline has to ask of the kernel beside its records, without waiting for it:
//! questions go to threads that may block ([`Desk`]), answers come back as inputs.
//!
//! A record never asks by itself. What many need is one question, each kind has a limit
//! for how many wait, and what is not answered in time is reported as not known.

mod desk;
mod lacks;
mod processes;

use serde::Serialize;

pub use desk::{Desk, Limits};
pub use lacks::Batch;
pub use processes::{Answer, ProcessLookups};

/// How questions of one kind are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LookupNumbers {
    /// How long the oldest has waited for its answer, nanoseconds.
    pub oldest_ns: u64,
    /// Questions that wait.
    pub waiting: usize,
    /// Questions asked.
    pub asked: u64,
    /// What was not asked, because too much waited.
    pub refused: u64,
    /// Answers that came after what they were wanted for had been reported.
    pub late: u64,
}
