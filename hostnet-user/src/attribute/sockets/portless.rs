//! Listeners whose port the kernel has not chosen yet when it announces them: a
//! `listen()` without `bind()` (`inet_csk_listen_start` sets `TCP_LISTEN` before
//! `get_port`, net/ipv4/inet_connection_sock.c, 4.16–7.3).
//!
//! Anybody may make a hundred thousand of them a second, so none is looked up by itself.
//! Their records wait until something shows the port: the first connection that is
//! accepted, the close of the listener, or one dump of all listeners that answers for
//! all of them. What nothing shows within [`PATIENCE_NS`] is reported without a port.

use std::collections::{HashMap, VecDeque};

use hostnet_abi::{Header, Hook, Listen, Record};

use super::table::PATIENCE_NS;
use crate::attribute::Attribution;

/// Most records that wait.
const MAX_WAITING: usize = 1 << 12;

/// Most records that wait of processes in one cgroup.
const MAX_PER_CGROUP: usize = 1 << 10;

#[derive(Debug)]
struct Waiting {
    header: Header,
    hook: Hook,
    listen: Listen,
}

/// The records that wait, by socket cookie.
#[derive(Debug, Default)]
pub struct PortlessListeners {
    waiting: HashMap<u64, Waiting>,
    /// How many wait of each cgroup's processes.
    per_cgroup: HashMap<u64, usize>,
    /// Times and cookies in the order they came; of some, nothing waits any more.
    order: VecDeque<(u64, u64)>,
}

impl PortlessListeners {
    /// Lets a record wait. Returns false when it may not, because too many do.
    fn wait(&mut self, header: &Header, hook: Hook, listen: Listen) -> bool {
        let of_cgroup = self.per_cgroup.get(&header.task_cgroup).copied().unwrap_or_default();
        if self.waiting.len() >= MAX_WAITING || of_cgroup >= MAX_PER_CGROUP {
            return false;
        }
        *self.per_cgroup.entry(header.task_cgroup).or_default() += 1;
        self.waiting.insert(header.cookie, Waiting { header: *header, hook, listen });
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
        // Most records find nothing here.
        if self.waiting.is_empty() {
            return None;
        }
        let taken = self.waiting.remove(&cookie)?;
        if let Some(count) = self.per_cgroup.get_mut(&taken.header.task_cgroup) {
            *count -= 1;
            if *count == 0 {
                self.per_cgroup.remove(&taken.header.task_cgroup);
            }
        }
        Some(taken)
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

    /// Whether this listener waits for its port.
    #[must_use]
    pub fn awaits_port(&self, cookie: u64) -> bool {
        self.portless.waiting.contains_key(&cookie)
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
        if listen.port != 0 || header.cookie == 0 || !self.portless.wait(header, hook, *listen) {
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

    fn header(cookie: u64, cgroup: u64, boot_ns: u64) -> Header {
        Header { cookie, task_cgroup: cgroup, boot_ns, ..zerocopy::FromZeros::new_zeroed() }
    }

    fn listen() -> Listen {
        zerocopy::FromZeros::new_zeroed()
    }

    #[test]
    fn one_cgroup_leaves_room_for_others() {
        let mut portless = PortlessListeners::default();
        let hook = Hook::InetSockSetState;
        let flood =
            (1..=2_000).filter(|cookie| portless.wait(&header(*cookie, 7, 1), hook, listen()));
        assert_eq!(flood.count(), MAX_PER_CGROUP);
        assert!(portless.wait(&header(9_000, 8, 2), hook, listen()));
        assert!(portless.take(1).is_some());
        assert!(portless.wait(&header(9_001, 7, 3), hook, listen()));
    }

    #[test]
    fn the_oldest_that_waits_is_known_and_what_was_taken_is_forgotten() {
        let mut portless = PortlessListeners::default();
        for (cookie, at) in [(1, 10), (2, 20)] {
            assert!(portless.wait(&header(cookie, 7, at), Hook::InetSockSetState, listen()));
        }
        assert_eq!(portless.waits_since(), Some(10));
        portless.take(1);
        assert_eq!(portless.waits_since(), Some(20));
        portless.take(2);
        assert_eq!(portless.waits_since(), None);
        assert!(portless.per_cgroup.is_empty());
        for cookie in 0..100_000 {
            portless.wait(&header(cookie, 7, cookie), Hook::InetSockSetState, listen());
            portless.take(cookie);
        }
        assert!(portless.order.len() <= 2 * MAX_WAITING + 1);
    }
}
