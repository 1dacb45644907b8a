//! Every sink against its real counterpart: what is delivered comes back to the
//! byte, one event stays one event, and what is not taken is said to be not taken.
//!
//! Most are driven through the library, as the outbox does it: what a delivery says of
//! itself cannot be seen from outside the agent. `agent`, `agent_refused`
//! and `every_sink` are the whole of it.

mod agent;
mod agent_refused;
mod events;
mod every_sink;
mod http;
mod http_refusals;
mod http_specified;
mod kafka;
mod nats;
mod nats_reader;
mod otlp;
mod syslog;
mod trouble;
mod unix;
