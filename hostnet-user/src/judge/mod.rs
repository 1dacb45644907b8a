//! What an event means for the host: which of its surfaces it touched.
//!
//! This stage does no I/O and reads no clock: what it knows of the host comes in
//! as an input, so that a recording is judged as the run was.

pub mod surface;
