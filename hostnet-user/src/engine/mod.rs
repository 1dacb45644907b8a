//! The engine: the pure stages in their order, and all that goes into them as inputs, so that
//! a recorded run can be replayed. It asks nothing of the host and reads no clock.

pub mod capture;
mod filter;
pub mod input;
pub mod stages;
pub(crate) mod user_rules;
