//! What of the host, or beyond it, an operation reaches. It knows addresses and
//! routes, not owners or services.

mod metadata;
mod network;
#[cfg(test)]
mod tests;

pub use metadata::MetadataService;
pub use network::{Address, Interface, Network, Route, Way};

pub use crate::event::Surface;
