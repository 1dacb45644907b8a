//! The record from journal to sinks, without a kernel: kept before it is
//! delivered, delivered at least once and in order, whatever fails.

mod bounds;
mod crash;
mod failures;
mod faults;
mod flow;
mod reached;
mod retention;
mod rotation;
mod shim;
#[path = "../../../tests/src/skip.rs"]
mod skip;
mod support;
mod tampering;
