//! What is done with sockets: several records become one operation, and what existed
//! before the agent is told once.
//!
//! It asks `owners/` whose an operation is and `other_end/` who was there, and must not
//! know how either is found out.

mod accept;
mod beyond_ip;
mod connect;
mod correlate;
mod existing;
mod other_ends;
mod portless;
mod table;
mod unconfirmed;

use std::net::SocketAddr;

pub(super) use correlate::note_flow;
pub use existing::Existing;
pub(super) use portless::PortlessListeners;
pub(super) use table::SocketTable;
pub(super) use unconfirmed::Unconfirmed;

use crate::event::canonical;

/// Whether two addresses are the same once v4-mapped ones are IPv4.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    canonical(a) == canonical(b)
}

#[cfg(test)]
mod tests;
