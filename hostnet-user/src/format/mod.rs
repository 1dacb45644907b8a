//! What a record looks like outside hostnet.
//!
//! ECS is the native form: every record is written in it once, and whatever else
//! a destination wants is made from those bytes. Nothing here knows where they go.

pub mod ecs;
