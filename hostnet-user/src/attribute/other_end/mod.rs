//! Who is at the other end of an operation: who listens where, who connected, for whom a
//! proxy stands.
//!
//! It answers from what was seen, for the moment that is asked about, or not at all. It
//! must not know what an operation is told as.

mod anew;
mod docker_proxy;
mod listeners;
mod peer;
mod receiver;
mod redirects;

pub(super) use listeners::is_datagram;
pub(super) use peer::{Ends, OF_LISTENERS};
pub use redirects::{Redirect, Redirects};
