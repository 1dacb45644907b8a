//! What is to be thought of what was seen. Like the stages before it, it does no
//! I/O and reads no clock.

pub mod expectations;
