//! The record from journal to sinks, without a kernel: kept before it is
//! delivered, delivered at least once and in order, whatever fails.

mod flow;
mod support;
