//! What every kind of event says of itself, and what a person and a document are told of it.

use std::{fmt, net::SocketAddr};

use super::{Action, PeerParty, Surface, UnixAddress, act::Act};

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel did it.
    Success,
    /// The kernel refused, with this errno when it is known.
    Failure(Option<u16>),
    /// Not known, or not known yet.
    Unknown,
}

/// From a record's errno, where 0 is success.
impl From<u16> for Outcome {
    fn from(errno: u16) -> Self {
        if errno == 0 { Self::Success } else { Self::Failure(Some(errno)) }
    }
}

impl Outcome {
    /// ECS `event.outcome`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure(_) => "failure",
            Self::Unknown => "unknown",
        }
    }

    /// Why the kernel refused, when that is known.
    #[must_use]
    pub const fn errno(self) -> Option<u16> {
        if let Self::Failure(errno) = self { errno } else { None }
    }
}

/// Who began: the container's side, or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the owner outwards.
    Egress,
    /// Towards the owner.
    Ingress,
}

impl Direction {
    /// ECS `network.direction` for a sensor on the host.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}

/// What is true of an operation by its kind.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// `hostnet.operation`.
    pub operation: &'static str,
    /// ECS `event.action`.
    pub action: Action,
    /// ECS `event.type`.
    pub types: &'static [&'static str],
    /// How a line for a person shows it, unless it failed.
    pub colour: Colour,
    /// What part of the world it is aimed at, where no address says it.
    pub surface: Option<Surface>,
}

impl Info {
    /// Of a kind that is aimed at what its address says, or at nothing.
    pub const fn new(
        operation: &'static str,
        action: Action,
        types: &'static [&'static str],
        colour: Colour,
    ) -> Self {
        Self { operation, action, types, colour, surface: None }
    }

    /// Of one that is aimed at that.
    pub fn aimed_at(self, surface: impl Into<Option<Surface>>) -> Self {
        Self { surface: surface.into(), ..self }
    }
}

/// A colour of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// It should not happen.
    Red,
    /// It offers something.
    Yellow,
    /// Somebody came in.
    Cyan,
    /// It goes out.
    Green,
    /// It is beyond TCP, UDP and unix sockets.
    Magenta,
    /// It is of a unix socket.
    Blue,
    /// It is beside the point.
    Dim,
}

/// What an operation says of itself.
pub trait Told {
    /// What is true of it by its kind.
    fn info(&self) -> Info;
    /// `hostnet.operation`.
    fn operation(&self) -> &'static str {
        self.info().operation
    }
    /// ECS `event.action`.
    fn action(&self) -> Action {
        self.info().action
    }
    /// `hostnet.operation` in a word that a column has room for.
    fn short(&self) -> &'static str {
        self.operation()
    }
    /// ECS `event.kind`.
    fn kind(&self) -> &'static str {
        "event"
    }
    /// ECS `event.outcome`.
    fn outcome(&self) -> Outcome {
        Outcome::Success
    }
    /// Why the kernel refused, or what a socket ended with.
    fn errno(&self) -> Option<u16> {
        self.outcome().errno()
    }
    /// ECS `event.duration`.
    fn duration_ns(&self) -> Option<u64> {
        None
    }
    /// ECS `event.start` and `event.end`.
    fn range(&self) -> Option<Range> {
        None
    }
    /// Local end.
    fn local(&self) -> Option<SocketAddr> {
        None
    }
    /// Remote end.
    fn remote(&self) -> Option<SocketAddr> {
        None
    }
    /// Local end of a unix socket.
    fn local_name(&self) -> Option<&UnixAddress> {
        None
    }
    /// Remote end of a unix socket.
    fn remote_name(&self) -> Option<&UnixAddress> {
        None
    }
    /// Who began, for operations that have two ends.
    fn direction(&self) -> Option<Direction> {
        None
    }
    /// Bytes that the owner sent, and received.
    fn bytes(&self) -> Option<(u64, u64)> {
        None
    }
    /// Others whose sockets have the port, too.
    fn shares_port_with(&self) -> &[PeerParty] {
        &[]
    }
    /// What it takes of the host's network, where the operation alone says that.
    fn act(&self) -> Option<Act> {
        None
    }
    /// The sentence after the owner's name.
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Two times, by one of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// `CLOCK_BOOTTIME`.
    Boot(u64, u64),
    /// UTC, nanoseconds since 1970.
    Wall(u64, u64),
}
