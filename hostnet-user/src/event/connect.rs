//! A connect: attempted, and how it ended.

use std::{fmt, net::SocketAddr};

use super::{Action, Direction, Outcome, SentToPeer, Told, canonical};
use crate::event::errno;

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
    fn operation(&self) -> &'static str {
        "connect"
    }
    fn action(&self) -> Action {
        Action::ConnectionAttempted
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "start"]
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

/// The outcome of a connect that had to be told without one.
#[derive(Clone, Debug)]
pub struct ConnectOutcome {
    /// The connect, now with its outcome.
    pub connect: Connect,
    /// Nanoseconds between attempt and outcome; `None` when the attempt was not seen.
    pub after_ns: Option<u64>,
}

impl Told for ConnectOutcome {
    fn operation(&self) -> &'static str {
        "connect"
    }
    fn action(&self) -> Action {
        Action::ConnectionOutcome
    }
    fn types(&self) -> &'static [&'static str] {
        &["connection", "info"]
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
