//! What the pipeline has to ask of the kernel beside its records, without waiting for it:
//! questions go to threads that may block ([`Desk`](crate::ask::desk::Desk)), answers come back as inputs.
//!
//! A record never asks by itself. What many need is one question, each kind has a limit
//! for how many wait, and what is not answered in time is reported as not known.

mod lacks;
mod processes;

pub use lacks::{Batch, Taken};
pub use processes::{Answer, ProcessLookups};
