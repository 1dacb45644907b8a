//! Listeners whose port the kernel has not chosen yet when it announces them: a
//! `listen()` without `bind()` (`inet_csk_listen_start` sets `TCP_LISTEN` before
//! `get_port`, net/ipv4/inet_connection_sock.c, 4.16–7.3).
//!
//! Anybody may make a hundred thousand of them a second, so none is looked up by itself.
//! Their records wait until something shows the port: the first connection that is
//! accepted, the close of the listener, or one dump of all listeners that answers for
//! all of them. What nothing shows within [`PATIENCE_NS`] is reported without a port.

use std::collections::{HashSet, VecDeque};

use hostnet_abi::{Header, Hook, Listen};

use super::table::PATIENCE_NS;
use crate::event::{
    Owner,
    shares::{Fill, SharedMap},
};

/// Most records that wait. One owner has at most half of them; its next is reported without
/// a port.
const MAX_WAITING: usize = 1 << 12;

/// A record that waits.
#[derive(Debug)]
pub struct Waiting {
    pub header: Header,
    pub hook: Hook,
    pub listen: Listen,
}

/// The records that wait, by socket cookie.
#[derive(Debug)]
pub struct PortlessListeners {
    waiting: SharedMap<u64, Waiting>,
    /// Times and cookies in the order they came; of some, nothing waits any more.
    order: VecDeque<(u64, u64)>,
}

impl Default for PortlessListeners {
    fn default() -> Self {
        Self { waiting: SharedMap::of(MAX_WAITING), order: VecDeque::new() }
    }
}

impl PortlessListeners {
    /// How many wait.
    pub const fn fill(&self) -> Fill {
        self.waiting.fill()
    }

    /// Lets a record of `owner` wait. Returns false when it may not, because too many do.
    pub fn wait(&mut self, owner: &Owner, header: &Header, hook: Hook, listen: Listen) -> bool {
        let waiting = Waiting { header: *header, hook, listen };
        if self.waiting.insert(owner, header.cookie, waiting).is_err() {
            return false;
        }
        self.order.push_back((header.boot_ns, header.cookie));
        if self.order.len() > 2 * MAX_WAITING {
            let waiting = &self.waiting;
            self.order.retain(|(at, cookie)| {
                waiting.get(cookie).is_some_and(|one| one.header.boot_ns == *at)
            });
        }
        true
    }

    /// The record of this socket, which waits no more.
    pub fn take(&mut self, cookie: u64) -> Option<Waiting> {
        self.waiting.remove(&cookie)
    }

    /// When the oldest record that waits was made.
    pub fn waits_since(&mut self) -> Option<u64> {
        while let Some((at, cookie)) = self.order.front() {
            if self.waiting.get(cookie).is_some_and(|one| one.header.boot_ns == *at) {
                return Some(*at);
            }
            self.order.pop_front();
        }
        None
    }

    /// The next socket whose record has waited long enough at `boot_ns`.
    pub fn overdue(&mut self, boot_ns: u64) -> Option<u64> {
        let since = self.waits_since()?;
        if since.saturating_add(PATIENCE_NS) > boot_ns {
            return None;
        }
        self.order.pop_front().map(|(_, cookie)| cookie)
    }

    /// The sockets whose records wait.
    pub fn cookies(&self) -> HashSet<u64> {
        self.waiting.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cookie: u64, boot_ns: u64) -> Header {
        Header { cookie, boot_ns, ..zerocopy::FromZeros::new_zeroed() }
    }

    fn listen() -> Listen {
        zerocopy::FromZeros::new_zeroed()
    }

    fn owner(id: &str) -> Owner {
        Owner { container_id: Some(id.to_owned()), ..Owner::unknown(7, None) }
    }

    #[test]
    fn one_owner_leaves_room_for_others() {
        let mut portless = PortlessListeners::default();
        let hook = Hook::InetSockSetState;
        let (flood, other) = (owner("flood"), owner("other"));
        let waiting =
            (1..=9_000).filter(|cookie| portless.wait(&flood, &header(*cookie, 1), hook, listen()));
        assert_eq!(waiting.count(), MAX_WAITING / 2);
        assert!(portless.wait(&other, &header(9_001, 2), hook, listen()));
        assert!(!portless.wait(&flood, &header(9_002, 3), hook, listen()));
    }

    #[test]
    fn the_oldest_that_waits_is_known_and_what_was_taken_is_forgotten() {
        let mut portless = PortlessListeners::default();
        for (cookie, at) in [(1, 10), (2, 20)] {
            let header = header(cookie, at);
            assert!(portless.wait(&owner("one"), &header, Hook::InetSockSetState, listen()));
        }
        assert_eq!(portless.waits_since(), Some(10));
        portless.take(1);
        assert_eq!(portless.waits_since(), Some(20));
        portless.take(2);
        assert_eq!(portless.waits_since(), None);
        assert_eq!(portless.fill().entries, 0);
        for cookie in 0..100_000 {
            portless.wait(&owner("one"), &header(cookie, cookie), Hook::InetSockSetState, listen());
            portless.take(cookie);
        }
        assert!(portless.order.len() <= 2 * MAX_WAITING + 1);
    }
}
