//! What is done with sockets: several records become one operation, and what existed
//! before the agent is told once.
//!
//! It asks `owners/` whose an operation is and `other_end/` who was there, and must not
//! know how either is found out.

mod accept;
mod act;
mod beyond_ip;
mod bind;
mod close;
mod connect;
mod correlate;
mod datagram;
pub(super) mod existing;
mod flows;
mod other_ends;
mod portless;
mod table;
mod unconfirmed;
mod unseen_ends;

use std::{collections::HashSet, net::SocketAddr};

pub(super) use act::Parts;

use super::{found::Found, policy::Policy, request::Request};
use crate::event::{FlowCount, canonical, shares::Fill};
use portless::PortlessListeners;
use table::{SocketTable, flow_key};
use unconfirmed::Unconfirmed;
use unseen_ends::UnseenEnds;

/// What is going on with sockets.
#[derive(Debug)]
pub(super) struct SocketCorrelator {
    policy: Policy,
    table: SocketTable,
    /// The sockets that existed at start, until they are told.
    snapshot: Option<Vec<Found>>,
    unconfirmed: Unconfirmed,
    portless: PortlessListeners,
    unseen_ends: UnseenEnds,
    /// Counts of the flows that the next closing record ends.
    flow_counts: Vec<FlowCount>,
    requests: Vec<Request>,
}

impl SocketCorrelator {
    /// One that has seen nothing yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            table: SocketTable::default(),
            snapshot: None,
            unconfirmed: Unconfirmed::default(),
            portless: PortlessListeners::default(),
            unseen_ends: UnseenEnds::default(),
            flow_counts: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// What is asked for since the last call.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// How full the tables are, by name.
    pub const fn fill(&self) -> [(&'static str, Fill); 3] {
        [
            ("sockets", self.table.fill()),
            ("listeners-without-port", self.portless.fill()),
            ("connects-without-acceptor", self.unconfirmed.fill()),
        ]
    }

    /// When the oldest record was made of which something is still to be told.
    pub fn waits_since(&mut self) -> Option<u64> {
        let waiting =
            [self.table.waits_since(), self.portless.waits_since(), self.unconfirmed.waits_since()];
        waiting.into_iter().flatten().min()
    }

    /// Whether a listener waits for its port.
    pub fn awaits_ports(&mut self) -> bool {
        self.portless.waits_since().is_some()
    }

    /// The listeners that wait for their ports, by cookie.
    pub fn without_ports(&self) -> HashSet<u64> {
        self.portless.cookies()
    }

    /// Records that may have told the end of sockets were lost, as was found at `boot_ns`.
    pub fn doubt_ends(&mut self, boot_ns: u64) {
        self.unseen_ends.since(boot_ns);
    }

    /// The kernel is asked which sockets there are.
    pub fn ask(&mut self) {
        self.unseen_ends.ask(|| self.table.cookies());
        self.requests.push(Request::Listeners);
    }

    /// These sockets there were at `boot_ns`, after it was asked.
    pub fn answered(&mut self, boot_ns: u64, found: &[Found]) {
        self.unseen_ends.answered(boot_ns, found.iter().map(|one| one.cookie));
    }

    /// Forgets sockets that are known to have ended unseen. Returns whether it is time to ask
    /// which sockets there are.
    pub fn expire(&mut self, boot_ns: u64) -> bool {
        let missing = self.unseen_ends.take_missing(boot_ns);
        let gone = missing.into_iter().filter_map(|cookie| {
            let tracked = self.table.remove(cookie)?;
            Some((cookie, tracked.flows))
        });
        let flows: Vec<_> = gone
            .flat_map(|(cookie, flows)| flows.into_iter().map(move |end| flow_key(cookie, end)))
            .collect();
        if !flows.is_empty() {
            self.requests.push(Request::ForgetFlows(flows));
        }
        self.unseen_ends.is_due(boot_ns)
    }
}

/// Whether two addresses are the same once v4-mapped ones are IPv4.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    canonical(a) == canonical(b)
}

#[cfg(test)]
mod tests;
