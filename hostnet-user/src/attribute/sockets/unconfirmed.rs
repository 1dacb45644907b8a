//! Connections within this host that wait until the other end was seen to accept them.
//!
//! Who listens at an address is not always who a connection to it is with: a packet filter
//! or a program of somebody else may have led it elsewhere. The end that accepts knows the
//! connection by the same two ends, the other way round. Where nobody is seen to accept,
//! the connect is told without a peer.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use super::{act::Act, table::PendingConnect};
use crate::event::shares::{Fill, SharedMap};

/// How long a connection waits. The kernel completes both ends within one exchange of
/// packets over loopback.
const PATIENCE_NS: u64 = 100_000_000;

/// Most that wait. One owner has at most half of them; its next is reported without a peer.
const MOST: usize = 1 << 15;

/// A connection by the address of the end that connected, and the other.
pub type Ends = (SocketAddr, SocketAddr);

/// A connect that succeeded and is not told yet.
#[derive(Debug)]
pub struct Established {
    /// What showed it.
    pub act: Act,
    pub connect: PendingConnect,
    pub ends: Ends,
}

/// Those that wait.
#[derive(Debug)]
pub struct Unconfirmed {
    waiting: SharedMap<Ends, Established>,
    deadlines: VecDeque<(u64, Ends)>,
}

impl Default for Unconfirmed {
    fn default() -> Self {
        Self { waiting: SharedMap::of(MOST), deadlines: VecDeque::new() }
    }
}

impl Unconfirmed {
    /// How full it is.
    pub const fn fill(&self) -> Fill {
        self.waiting.fill()
    }

    /// When the oldest record was made of those that wait.
    pub fn waits_since(&self) -> Option<u64> {
        self.waiting.values().map(|one| one.connect.boot_ns.min(one.act.at)).min()
    }

    /// Gives it back when there is no room.
    pub fn wait(&mut self, one: Established) -> Option<Established> {
        let owner = Arc::clone(&one.act.party.owner);
        let (deadline, ends) = (one.act.at.saturating_add(PATIENCE_NS), one.ends);
        match self.waiting.insert(&owner, ends, one) {
            Ok(before) => {
                self.deadlines.push_back((deadline, ends));
                before
            }
            Err(one) => Some(one),
        }
    }

    /// The next that has waited long enough at `boot_ns`.
    pub fn overdue(&mut self, boot_ns: u64) -> Option<Established> {
        while let Some(&(deadline, ends)) = self.deadlines.front()
            && deadline <= boot_ns
        {
            self.deadlines.pop_front();
            // The same two ends may be those of a later connection by now.
            let is_due = |one: &Established| one.act.at.saturating_add(PATIENCE_NS) <= boot_ns;
            if self.waiting.get(&ends).is_some_and(is_due) {
                return self.waiting.remove(&ends);
            }
        }
        None
    }

    /// The one between these ends waits no more.
    pub fn remove(&mut self, ends: Ends) -> Option<Established> {
        self.waiting.remove(&ends)
    }

    /// The one of this socket between these ends waits no more.
    pub fn remove_of(&mut self, cookie: u64, ends: Ends) -> Option<Established> {
        let is_it = |one: &Established| one.act.socket.cookie == cookie;
        if self.waiting.get(&ends).is_some_and(is_it) { self.waiting.remove(&ends) } else { None }
    }
}
