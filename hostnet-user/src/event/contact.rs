//! Whether an attempt to reach somebody did reach somebody: the one rule, which
//! findings, advice and the history's counts follow.

use hostnet_abi::Hook;

use super::{Event, Operation, Outcome, SentToPeer, SocketState};

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// A connection was made, or a datagram was sent.
    Reached,
    /// The other end refused.
    Refused,
    /// It failed for another reason, or nobody answered.
    Failed,
    /// A TCP connect without an outcome so far.
    Pending,
    /// An address was set, and nothing sent to it.
    Aimed,
    /// What came of it cannot be seen.
    Unknown,
}

const ECONNREFUSED: u16 = libc::ECONNREFUSED as u16;

/// What decides, whether an event says it or its document.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// How the operation ended.
    pub outcome: Outcome,
    /// What connected datagram sockets say.
    pub sent: Option<SentToPeer>,
    /// Its outcome is told by an event of its own when it comes late.
    pub is_tcp: bool,
    /// The operation succeeds without anything being sent.
    pub only_sets_peer: bool,
}

impl Attempt {
    /// What came of it.
    #[must_use]
    pub const fn contact(self) -> Contact {
        match (self.sent, self.outcome) {
            (_, Outcome::Failure(Some(ECONNREFUSED))) => Contact::Refused,
            (_, Outcome::Failure(_)) => Contact::Failed,
            (Some(SentToPeer::Yes), _) => Contact::Reached,
            (Some(SentToPeer::No), _) => Contact::Aimed,
            (Some(SentToPeer::Unknown), _) => Contact::Unknown,
            (None, Outcome::Success) if !self.only_sets_peer => Contact::Reached,
            (None, Outcome::Unknown) if self.is_tcp => Contact::Pending,
            (None, Outcome::Success | Outcome::Unknown) => Contact::Unknown,
        }
    }
}

impl Contact {
    /// What came of an event's attempt to reach its remote end, or of somebody else's
    /// to reach its owner.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what came of any other kind is its outcome"
    )]
    pub fn of(event: &Event) -> Self {
        let is_tcp = event.socket.is_some_and(|socket| socket.socket.protocol == TCP);
        let (outcome, sent, only_sets_peer) = match &event.operation {
            Operation::Connect(connect) => (connect.outcome, connect.sent, false),
            Operation::ConnectOutcome(late) => (late.connect.outcome, late.connect.sent, false),
            Operation::DatagramClose(close) => (Outcome::Success, close.sent, false),
            Operation::ExistingSocket(existing) if existing.state == SocketState::SynSent => {
                (Outcome::Unknown, None, false)
            }
            Operation::ExistingSocket(_) => (Outcome::Success, None, is_connectionless(event)),
            Operation::Unix(unix) => (unix.outcome, sent_by_unix(event.hook), false),
            operation => (operation.told().outcome(), None, false),
        };
        Attempt { outcome, sent, is_tcp, only_sets_peer }.contact()
    }

    /// Somebody was reached, for all that can be seen.
    #[must_use]
    pub const fn may_be_made(self) -> bool {
        matches!(self, Self::Reached | Self::Unknown)
    }

    /// It came to nothing.
    #[must_use]
    pub const fn has_failed(self) -> bool {
        matches!(self, Self::Refused | Self::Failed)
    }

    /// An event of its own tells what comes of it, if anything does.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Aimed)
    }
}

/// IANA's number of TCP.
const TCP: u32 = 6;

/// What a unix datagram socket's connect says, where its first datagram is told, too.
fn sent_by_unix(hook: Option<Hook>) -> Option<SentToPeer> {
    (hook == Some(Hook::UnixDgramConnect)).then_some(SentToPeer::No)
}

/// A socket of which being connected says that it has a default peer.
fn is_connectionless(event: &Event) -> bool {
    event.socket.is_some_and(|socket| {
        matches!(i32::from(socket.socket.kind), libc::SOCK_DGRAM | libc::SOCK_RAW)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(is_tcp: bool, outcome: Outcome, sent: Option<SentToPeer>) -> Contact {
        Attempt { outcome, sent, is_tcp, only_sets_peer: false }.contact()
    }

    #[test]
    fn a_connection_is_contact_once_it_is_made() {
        let timed_out = Outcome::Failure(Some(libc::ETIMEDOUT as u16));
        assert_eq!(of(true, Outcome::Success, None), Contact::Reached);
        assert_eq!(of(true, Outcome::Failure(Some(ECONNREFUSED)), None), Contact::Refused);
        assert_eq!(of(true, timed_out, None), Contact::Failed);
        assert_eq!(of(true, Outcome::Failure(None), None), Contact::Failed);
        assert_eq!(of(true, Outcome::Unknown, None), Contact::Pending);
    }

    #[test]
    fn a_connected_udp_socket_is_contact_once_a_datagram_left() {
        assert_eq!(of(false, Outcome::Success, Some(SentToPeer::Yes)), Contact::Reached);
        assert_eq!(of(false, Outcome::Unknown, Some(SentToPeer::No)), Contact::Aimed);
        assert_eq!(of(false, Outcome::Unknown, Some(SentToPeer::Unknown)), Contact::Unknown);
        assert_eq!(of(false, Outcome::Unknown, None), Contact::Unknown, "of an older version");
        assert_eq!(of(false, Outcome::Success, None), Contact::Reached, "a datagram");
    }
}
