//! Listeners whose port the kernel has not chosen yet when it announces them: a
//! `listen()` without `bind()` (`inet_csk_listen_start` sets `TCP_LISTEN` before
//! `get_port`, net/ipv4/inet_connection_sock.c, 4.16–7.3).
//!
//! Anybody may make a hundred thousand of them a second, so none is looked up by itself.
//! Their records wait until something shows the port: the first connection that is
//! accepted, the close of the listener, or one dump of all listeners that answers for
//! all of them. What nothing shows within [`PATIENCE_NS`] is reported without a port.

use std::collections::{HashSet, VecDeque};

use hostnet_abi::{Header, Hook, Listen, Record};

use super::table::PATIENCE_NS;
use crate::{
    attribute::Attribution,
    event::{
        Owner,
        shares::{Fill, SharedMap},
    },
};

/// Most records that wait. One owner has at most half of them; its next is reported without
/// a port.
const MAX_WAITING: usize = 1 << 12;

#[derive(Debug)]
struct Waiting {
    header: Header,
    hook: Hook,
    listen: Listen,
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
    fn wait(&mut self, owner: &Owner, header: &Header, hook: Hook, listen: Listen) -> bool {
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

    fn take(&mut self, cookie: u64) -> Option<Waiting> {
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
}

impl Attribution {
    /// Whether a listener waits for its port: then [`listening_ports`](Self::listening_ports)
    /// is to be given what a dump of the host's listeners shows.
    #[must_use]
    pub fn awaits_ports(&mut self) -> bool {
        self.portless.waits_since().is_some()
    }

    /// The listeners that wait for their ports, by cookie.
    #[must_use]
    pub fn without_ports(&self) -> HashSet<u64> {
        self.portless.waiting.keys().copied().collect()
    }

    /// Ports of listeners that wait for theirs, by cookie.
    pub fn listening_ports(&mut self, ports: &[(u64, u16)]) {
        for (cookie, port) in ports {
            self.port_is_known(*cookie, *port);
        }
    }

    /// Whether the record is of a listener that waits for its port from now on.
    pub(in crate::attribute) fn waits_for_port(
        &mut self,
        header: &Header,
        hook: Hook,
        record: &Record,
    ) -> bool {
        let Record::Listen(listen) = record else { return false };
        // It listens again, and what showed the end of the first time was lost.
        self.port_is_known(header.cookie, 0);
        if listen.port != 0 || header.cookie == 0 {
            return false;
        }
        let owner = self.registry.owner(header.task_cgroup, &self.tree);
        if !self.portless.wait(&owner, header, hook, *listen) {
            return false;
        }
        // It is reported by its record, not as a socket from before the agent.
        self.sockets.mention(header.cookie);
        true
    }

    /// A record that shows the port of a listener that waits for it: its end, or a
    /// connection accepted through it.
    pub(in crate::attribute) fn port_shown_by(&mut self, header: &Header, record: &Record) {
        match record {
            Record::Close(close) => self.port_is_known(header.cookie, close.local_port),
            Record::Accept(accept) => self.port_is_known(accept.listener, accept.local_port),
            _ => {}
        }
    }

    fn port_is_known(&mut self, cookie: u64, port: u16) {
        if let Some(Waiting { header, hook, listen }) = self.portless.take(cookie) {
            let record = Record::Listen(Listen { port, ..listen });
            self.settled_record(&header, hook, record, &[]);
        }
    }

    /// Reports listeners that have waited long enough at `boot_ns`, without a port.
    pub(in crate::attribute) fn report_portless(&mut self, boot_ns: u64) {
        while let Some(since) = self.portless.waits_since()
            && since.saturating_add(PATIENCE_NS) <= boot_ns
            && let Some((_, cookie)) = self.portless.order.pop_front()
        {
            self.port_is_known(cookie, 0);
        }
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
