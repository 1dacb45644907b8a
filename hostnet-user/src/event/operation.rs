//! The operations as one type, and what every one of them can say of itself.

use std::{fmt, net::SocketAddr};

use super::{
    Accept, Action, Bind, CgroupMigration, Close, Connect, ConnectOutcome, Datagram, DatagramClose,
    Exec, ExistingSocket, Exit, FamilySocket, Finding, Health, Identified, Joined, Left, Listen,
    ListenerClosed, MulticastJoin, NameSpoof, NetlinkBind, NetlinkRequest, PacketBind, Present,
    RawSocket, SocketFilter, Unix, UnixAddress,
};

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

/// What an operation says of itself.
pub trait Told {
    /// `hostnet.operation`.
    fn operation(&self) -> &'static str;
    /// ECS `event.action`.
    fn action(&self) -> Action;
    /// ECS `event.type`.
    fn types(&self) -> &'static [&'static str];
    /// ECS `event.outcome`.
    fn outcome(&self) -> Outcome {
        Outcome::Success
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
    /// The sentence after the owner's name.
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

macro_rules! operations {
    ($($name:ident),+ $(,)?) => {
        /// Every operation hostnet tells.
        #[derive(Clone, Debug)]
        pub enum Operation { $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name)),+ }

        impl Operation {
            /// The operation as what it can say of itself.
            #[must_use]
            pub fn told(&self) -> &dyn Told {
                match self { $(Self::$name(inner) => inner),+ }
            }
        }

        $(impl From<$name> for Operation {
            fn from(inner: $name) -> Self { Self::$name(inner) }
        })+
    };
}

operations! {
    Bind, Listen, Connect, ConnectOutcome, Accept, Close, ListenerClosed, Datagram, DatagramClose,
    RawSocket, FamilySocket, PacketBind, SocketFilter, NetlinkRequest, NetlinkBind, MulticastJoin, Unix,
    ExistingSocket, Exec, Exit, CgroupMigration, Present, Joined, Left, Identified, NameSpoof, Finding,
    Health,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().sentence(f)
    }
}
