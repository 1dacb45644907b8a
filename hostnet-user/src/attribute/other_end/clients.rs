//! Connections within this host, by who connected: kept for the end that accepts.

use std::net::SocketAddr;

use crate::{
    attribute::party::Party,
    event::{
        Peer, PeerMethod,
        shares::{Fill, SharedMap},
    },
};

/// Most connections that are kept. One owner has at most half of them.
const MOST: usize = 1 << 17;

/// The two ends of a connection, the one that connected first.
type Ends = (SocketAddr, SocketAddr);

/// Ends of connections, with the cookie of the socket that connected and who did.
#[derive(Debug)]
pub struct Clients(SharedMap<Ends, (u64, Party)>);

impl Default for Clients {
    fn default() -> Self {
        Self(SharedMap::of(MOST))
    }
}

impl Clients {
    /// How full it is.
    pub const fn fill(&self) -> Fill {
        self.0.fill()
    }

    /// A socket connected. Without room the end that accepts has no peer.
    pub fn insert(&mut self, cookie: u64, ends: Ends, by: &Party) {
        drop(self.0.insert(&by.owner, ends, (cookie, by.clone())));
    }

    /// The connection of this socket is over.
    pub fn remove(&mut self, cookie: u64, ends: Ends) {
        if self.0.get(&ends).is_some_and(|(known, _)| *known == cookie) {
            self.0.remove(&ends);
        }
    }

    /// Who connected.
    pub fn get(&self, ends: Ends) -> Option<Box<Peer>> {
        let (_, Party { owner, process, .. }) = self.0.get(&ends)?;
        Some(Peer::one(owner, process.as_ref(), PeerMethod::Connection))
    }

    /// Nothing of it is certain any more.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
