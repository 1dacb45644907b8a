//! UDP: the first datagram per socket and peer, and the counts at the end.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use super::{
    Action, Close, Colour, Common, Direction, Documented, Field, FieldKind, Fitted, Info, NotOurs,
    Side, Told, canonical, field, is_false,
};
use crate::event::document::summable;

/// Whether a datagram has left a UDP socket for the peer that connect(2) set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentToPeer {
    /// At least one has.
    Yes,
    /// None has, so far.
    No,
    /// No hook on this kernel shows it, or it was before the agent.
    Unknown,
}

impl SentToPeer {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["yes", "no", "unknown"];
}

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
    fn info(&self) -> Info {
        Info::new(
            match self.direction {
                Direction::Egress => Self::OPERATIONS[0],
                Direction::Ingress => Self::OPERATIONS[1],
            },
            match self.direction {
                Direction::Egress => Action::ConnectionAttempted,
                Direction::Ingress => Action::ConnectionAccepted,
            },
            &["connection", "start"],
            Colour::Green,
        )
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

/// What only datagrams have.
#[derive(Serialize, Deserialize)]
pub struct OwnOfDatagram {
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<Udp>,
}

impl Documented for Datagram {
    const OPERATIONS: &'static [&'static str] = &["send", "receive"];
    type Own<'a> = OwnOfDatagram;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfDatagram {
        let last = || Udp { further_peers_counted: true, ..Udp::default() };
        OwnOfDatagram { udp: self.is_last.then(last) }
    }
    fn read(own: OwnOfDatagram, common: &Common<'_>) -> Result<Self, NotOurs> {
        let is_egress = common.operation == Self::OPERATIONS[0];
        Ok(Self {
            local: common.local()?,
            remote: common.remote()?,
            direction: if is_egress { Direction::Egress } else { Direction::Ingress },
            is_last: own.udp.is_some_and(|udp| udp.further_peers_counted),
        })
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
    fn info(&self) -> Info {
        Close::ended(Self::OPERATIONS[0])
    }
    fn duration_ns(&self) -> Option<u64> {
        self.duration_ns
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

part! {
    /// `hostnet.udp`: whether a datagram left, and how many with whom.
    #[derive(Default)]
    struct Udp at "udp" {
        #[serde(skip_serializing_if = "Option::is_none")]
        sent_to_peer: Option<SentToPeer> = Word(SentToPeer::NAMES), "Of a connected UDP socket: whether a datagram has left for the peer that connect(2) set. A connect is told with `yes` (and `event.outcome` success) when one leaves within a second, else with `no`; a later first datagram is a `connection-outcome` that amends it. `unknown` where neither set `families` nor `first-use` is there, and of what was before the agent.";
        #[serde(default, skip_serializing_if = "is_false")]
        further_peers_counted: bool = Flag, "Set on the event of the last peer of a UDP socket that has one, its 256th: datagrams with further peers are counted together (`udp.others_sent`), and are no events.";
        #[serde(skip_serializing_if = "Option::is_none")]
        peers: Option<usize> = Number, "How many peers the socket exchanged datagrams with: the first 256, where there were more.";
        #[serde(skip_serializing_if = "Option::is_none")]
        datagrams_sent: Option<u64> = Number, "Datagrams sent by address; a connected socket's pass by the hooks.";
        #[serde(skip_serializing_if = "Option::is_none")]
        datagrams_received: Option<u64> = Number, "Datagrams received with their address.";
        #[serde(skip_serializing_if = "Option::is_none")]
        others_sent: Option<u64> = Number, "Of those sent, how many to peers that are not among `udp.peers`: the socket, its container or all containers had too many.";
        #[serde(skip_serializing_if = "Option::is_none")]
        others_received: Option<u64> = Number, "Of those received, how many from such peers.";
        #[serde(skip_serializing_if = "Option::is_none")]
        flows: Option<Vec<FlowFields>> = Objects, "Counts per peer, at most 64 of them.";
    }
}

part! {
    /// One of `hostnet.udp.flows`.
    struct FlowFields at "udp.flows" {
        remote: Side;
        sent: u64 = Number, "Datagrams sent to it.";
        received: u64 = Number, "Datagrams received from it.";
    }
}

const FLOW_ENDS: &[Field] = &[
    field("udp.flows.remote.ip", FieldKind::Ip, "The peer."),
    field("udp.flows.remote.port", FieldKind::Number, "The peer's port."),
];

own!(OwnOfDatagramClose { udp: Udp });

impl Documented for DatagramClose {
    const OPERATIONS: &'static [&'static str] = Close::OPERATIONS;
    const FIELDS: &'static [&'static [Field]] = &[Udp::ROWS, FLOW_ENDS, FlowFields::ROWS];
    type Own<'a> = OwnOfDatagramClose;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfDatagramClose {
        let (sent, received) = self.total();
        let others = (self.others != (0, 0)).then_some(self.others);
        let udp = Udp {
            sent_to_peer: self.sent,
            further_peers_counted: false,
            peers: Some(self.flows.peers()),
            datagrams_sent: Some(sent),
            datagrams_received: Some(received),
            others_sent: others.map(|(sent, _)| sent),
            others_received: others.map(|(_, received)| received),
            flows: Some(self.flows.listed().iter().map(FlowFields::from).collect()),
        };
        OwnOfDatagramClose { udp }
    }
    fn is_told_by(common: &Common<'_>) -> bool {
        common.operation == Self::OPERATIONS[0]
            && common.action != Some(Action::ClosedListener)
            && common.own.has("udp")
    }
    fn read(own: OwnOfDatagramClose, common: &Common<'_>) -> Result<Self, NotOurs> {
        let OwnOfDatagramClose { udp } = own;
        let flows = udp.flows.unwrap_or_default();
        summable("hostnet.udp.flows.sent", flows.iter().map(|flow| flow.sent))?;
        summable("hostnet.udp.flows.received", flows.iter().map(|flow| flow.received))?;
        let listed = flows.iter().map(FlowFields::count).collect::<Result<_, _>>()?;
        let count = Option::<u64>::unwrap_or_default;
        let others = (count(udp.others_sent), count(udp.others_received));
        let counted_apart = (
            count(udp.datagrams_sent).saturating_sub(others.0),
            count(udp.datagrams_received).saturating_sub(others.1),
        );
        Ok(Self {
            local: common.local()?,
            remote: common.remote,
            sent: udp.sent_to_peer,
            direction: common.direction()?,
            flows: Flows::of_more(listed, udp.peers.unwrap_or_default(), counted_apart),
            others,
            duration_ns: common.duration_ns,
        })
    }
}

impl From<&FlowCount> for FlowFields {
    fn from(flow: &FlowCount) -> Self {
        Self { remote: Side::of(flow.remote), sent: flow.sent, received: flow.received }
    }
}

impl FlowFields {
    fn count(&self) -> Result<FlowCount, NotOurs> {
        let remote = self.remote.address(None);
        let remote = remote.ok_or_else(|| NotOurs::missing("hostnet.udp.flows.remote.ip"))?;
        Ok(FlowCount { remote, sent: self.sent, received: self.received })
    }
}
