//! UDP: the first datagram per socket and peer, and the counts at the end.

use std::{fmt, net::SocketAddr};

use super::{Action, Direction, SentToPeer, Told, canonical};

/// The first datagram between a socket and a peer.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Local end; its address may be unspecified.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
    /// Who sent first.
    pub direction: Direction,
    /// The socket's further peers are counted together, and are no events.
    pub is_last: bool,
}

impl Told for Datagram {
    fn operation(&self) -> &'static str {
        match self.direction {
            Direction::Egress => "send",
            Direction::Ingress => "receive",
        }
    }
    fn action(&self) -> Action {
        match self.direction {
            Direction::Egress => Action::ConnectionAttempted,
            Direction::Ingress => Action::ConnectionAccepted,
        }
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "start"]
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn remote(&self) -> Option<SocketAddr> {
        Some(self.remote)
    }
    fn direction(&self) -> Option<Direction> {
        Some(self.direction)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = canonical(self.remote);
        match self.direction {
            Direction::Egress => write!(f, "sent to {remote}"),
            Direction::Ingress => {
                write!(f, "received from {remote} on port {}", self.local.port())
            }
        }?;
        if self.is_last {
            f.write_str("; datagrams with further peers of this socket are only counted")?;
        }
        Ok(())
    }
}

/// Datagrams exchanged with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowCount {
    /// The peer.
    pub remote: SocketAddr,
    /// Datagrams sent to it.
    pub sent: u64,
    /// Datagrams received from it.
    pub received: u64,
}

/// Counts of the peers that were counted apart: each of the first, the rest together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// The first, at most [`Flows::MOST_LISTED`].
    listed: Vec<FlowCount>,
    /// How many there were beyond those.
    unlisted: usize,
    /// Datagrams sent to, and received from, these.
    unlisted_total: (u64, u64),
}

impl Flows {
    /// Peers listed at most.
    pub const MOST_LISTED: usize = 64;

    /// Lists as many as may be listed.
    #[must_use]
    pub fn of(mut listed: Vec<FlowCount>) -> Self {
        let rest = listed.split_off(listed.len().min(Self::MOST_LISTED));
        Self { listed, unlisted: rest.len(), unlisted_total: added((0, 0), &rest) }
    }

    /// These, of `peers` peers with `total` datagrams together.
    #[must_use]
    pub fn of_more(listed: Vec<FlowCount>, peers: usize, total: (u64, u64)) -> Self {
        let (sent, received) = added((0, 0), &listed);
        let unlisted_total = (total.0.saturating_sub(sent), total.1.saturating_sub(received));
        Self { unlisted: peers.saturating_sub(listed.len()), listed, unlisted_total }
    }

    /// Those that are listed.
    #[must_use]
    pub fn listed(&self) -> &[FlowCount] {
        &self.listed
    }

    /// How many peers there were.
    #[must_use]
    pub const fn peers(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    /// Datagrams sent to, and received from, all of them.
    #[must_use]
    pub fn total(&self) -> (u64, u64) {
        added(self.unlisted_total, &self.listed)
    }
}

fn added(to: (u64, u64), flows: &[FlowCount]) -> (u64, u64) {
    flows.iter().fold(to, |(sent, received), flow| {
        (sent.saturating_add(flow.sent), received.saturating_add(flow.received))
    })
}

/// A UDP socket was released.
#[derive(Clone, Debug)]
pub struct DatagramClose {
    /// Local end.
    pub local: SocketAddr,
    /// The peer of a connected socket, or the only one there was.
    pub remote: Option<SocketAddr>,
    /// Of a connected socket, whether a datagram left for its peer.
    pub sent: Option<SentToPeer>,
    /// Who began with that peer.
    pub direction: Option<Direction>,
    /// Counts per peer; datagrams on a connected socket pass by the hooks.
    pub flows: Flows,
    /// Datagrams sent to, and received from, peers that were not counted apart.
    pub others: (u64, u64),
    /// Nanoseconds since its first operation.
    pub duration_ns: Option<u64>,
}

impl DatagramClose {
    /// Datagrams sent, and received.
    #[must_use]
    pub fn total(&self) -> (u64, u64) {
        let ((sent, received), others) = (self.flows.total(), self.others);
        (sent.saturating_add(others.0), received.saturating_add(others.1))
    }
}

impl Told for DatagramClose {
    fn operation(&self) -> &'static str {
        "close"
    }
    fn action(&self) -> Action {
        Action::DisconnectReceived
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "end"]
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }
    fn direction(&self) -> Option<Direction> {
        self.direction
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, received) = self.total();
        let more = if self.others == (0, 0) { "" } else { " and more" };
        write!(f, "closed UDP port {}", self.local.port())?;
        match (self.remote, self.flows.peers()) {
            (Some(remote), _) => write!(f, " with {}{more}", canonical(remote))?,
            (None, 0) => {}
            (None, peers) => write!(f, " with {peers} peers{more}")?,
        }
        if self.sent == Some(SentToPeer::No) {
            f.write_str(", nothing sent to it")?;
        }
        if self.flows.peers() != 0 || self.others != (0, 0) {
            write!(f, ", {received} datagrams in, {sent} datagrams out")?;
        }
        Ok(())
    }
}
