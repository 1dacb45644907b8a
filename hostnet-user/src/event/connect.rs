//! A connect: attempted, and how it ended.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use super::{
    Action, Colour, Common, Direction, Documented, Field, FieldKind, Fitted, Info, NotOurs,
    Outcome, SentToPeer, Side, Told, canonical, field,
};
use crate::event::{datagram::Udp, errno};

/// `connect(2)`, told once with its outcome, or after a second without.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Local end, once the kernel chose it.
    pub local: Option<SocketAddr>,
    /// The address the kernel acted on.
    pub remote: SocketAddr,
    /// The established socket's remote end, when another program rewrote the address.
    pub rewritten_to: Option<SocketAddr>,
    /// How it ended. For UDP, where connect(2) only sets the default peer: success when a
    /// datagram left for it, else unknown.
    pub outcome: Outcome,
    /// Of UDP, whether a datagram left.
    pub sent: Option<SentToPeer>,
}

impl Connect {
    /// The other end as the packets have it.
    #[must_use]
    pub fn reached(&self) -> SocketAddr {
        self.rewritten_to.unwrap_or(self.remote)
    }
}

impl Told for Connect {
    fn info(&self) -> Info {
        Info::new(
            Self::OPERATIONS[0],
            Action::ConnectionAttempted,
            &["connection", "start"],
            Colour::Green,
        )
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn local(&self) -> Option<SocketAddr> {
        self.local
    }
    fn remote(&self) -> Option<SocketAddr> {
        Some(self.remote)
    }
    fn direction(&self) -> Option<Direction> {
        Some(Direction::Egress)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote = canonical(self.remote);
        match (self.outcome, self.sent) {
            (Outcome::Failure(_), _) => write!(f, "failed to connect to {remote}"),
            (_, Some(SentToPeer::Yes)) => write!(f, "sent to {remote} over a connected socket"),
            (_, Some(SentToPeer::No)) => {
                write!(f, "connected a UDP socket to {remote}, nothing sent")
            }
            (_, Some(SentToPeer::Unknown)) => write!(f, "connected a UDP socket to {remote}"),
            (Outcome::Success, None) => write!(f, "connected to {remote}"),
            (Outcome::Unknown, None) => write!(f, "connecting to {remote}"),
        }?;
        if let Some(to) = self.rewritten_to {
            write!(f, ", rewritten to {}", canonical(to))?;
        }
        errno::suffix(f, self.outcome.errno())
    }
}

/// What only connects have.
#[derive(Serialize, Deserialize)]
pub struct OwnOfConnect {
    #[serde(skip_serializing_if = "Option::is_none")]
    rewritten_to: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<Udp>,
}

const REWRITTEN: &[Field] = &[
    field(
        "rewritten_to.ip",
        FieldKind::Ip,
        "Where the connection went when another program rewrote the address.",
    ),
    field("rewritten_to.port", FieldKind::Number, "Port of that address."),
];

impl Documented for Connect {
    const OPERATIONS: &'static [&'static str] = &["connect"];
    const FIELDS: &'static [&'static [Field]] = &[REWRITTEN];
    type Own<'a> = OwnOfConnect;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfConnect {
        let udp = self.sent.map(|sent| Udp { sent_to_peer: Some(sent), ..Udp::default() });
        OwnOfConnect { rewritten_to: self.rewritten_to.map(Side::of), udp }
    }
    fn is_told_by(common: &Common<'_>) -> bool {
        common.operation == Self::OPERATIONS[0] && common.action != Some(Action::ConnectionOutcome)
    }
    fn read(own: OwnOfConnect, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self {
            local: common.local,
            remote: common.remote()?,
            rewritten_to: own.rewritten_to.and_then(|to| to.address(None)),
            outcome: common.outcome()?,
            sent: own.udp.and_then(|udp| udp.sent_to_peer),
        })
    }
}

/// The outcome of a connect that had to be told without one.
#[derive(Clone, Debug)]
pub struct ConnectOutcome {
    /// The connect, now with its outcome.
    pub connect: Connect,
    /// Nanoseconds between attempt and outcome; `None` when the attempt was not seen.
    pub after_ns: Option<u64>,
}

impl Told for ConnectOutcome {
    fn info(&self) -> Info {
        Info::new(
            Self::OPERATIONS[0],
            Action::ConnectionOutcome,
            &["connection", "info"],
            Colour::Green,
        )
    }
    fn duration_ns(&self) -> Option<u64> {
        self.after_ns
    }
    fn outcome(&self) -> Outcome {
        self.connect.outcome
    }
    fn local(&self) -> Option<SocketAddr> {
        self.connect.local
    }
    fn remote(&self) -> Option<SocketAddr> {
        Some(self.connect.remote)
    }
    fn direction(&self) -> Option<Direction> {
        Some(Direction::Egress)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connect.sentence(f)?;
        match self.after_ns {
            Some(after) => write!(f, " after {:.1} s", after as f64 / 1e9),
            None => Ok(()),
        }
    }
}

impl Documented for ConnectOutcome {
    const OPERATIONS: &'static [&'static str] = Connect::OPERATIONS;
    type Own<'a> = OwnOfConnect;
    fn own<'a>(&'a self, fitted: Fitted<'a>) -> OwnOfConnect {
        self.connect.own(fitted)
    }
    fn is_told_by(common: &Common<'_>) -> bool {
        common.operation == Self::OPERATIONS[0] && common.action == Some(Action::ConnectionOutcome)
    }
    fn read(own: OwnOfConnect, common: &Common<'_>) -> Result<Self, NotOurs> {
        Ok(Self { connect: Connect::read(own, common)?, after_ns: common.duration_ns })
    }
}
