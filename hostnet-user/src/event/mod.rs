//! What hostnet tells: an operation, whose it was, and when.
//!
//! One file per kind, named as in the record ABI: all that is true of the kind is there,
//! how its documents are written and read included (`document.rs`). Nothing here knows how
//! a record is correlated (attribute/) or how a whole document is laid out (format/).

#[macro_use]
mod action;
#[macro_use]
pub mod document;
#[macro_use]
mod field;
#[macro_use]
mod operation;

pub mod act;
mod category;
mod class;
mod contact;
mod endpoint;
pub mod errno;
pub(crate) mod family;
mod health_fields;
mod kept;
mod learned;
pub mod loopback;
mod loss;
mod message;
mod not_ours;
mod peer;
mod record_health;
mod recorded;
mod rule_fault;
pub(crate) mod shares;
mod side;
mod surface;
mod timestamp;
mod told;
mod unix_address;
pub mod who;

// The one list of kinds, in the order in which a document has their fields. rustfmt does not
// look behind it: `cargo xtask lint` does.
kinds! {
    bind: Bind;
    listen: Listen;
    connect: Connect, ConnectOutcome;
    accept: Accept;
    close: Close, ListenerClosed;
    datagram: Datagram, DatagramClose;
    raw_socket: RawSocket;
    family_socket: FamilySocket;
    packet: PacketBind, SocketFilter;
    netlink: NetlinkRequest, NetlinkBind;
    multicast: MulticastJoin;
    unix: Unix;
    existing_socket: ExistingSocket;
    exec: Exec;
    exit: Exit;
    cgroup_migration: CgroupMigration;
    container: Present, Joined, Left, Identified;
    name_spoof: NameSpoof;
    finding: Finding;
    health: Health;
}

use std::{net::SocketAddr, sync::Arc};

use hostnet_abi::Hook;
use uuid::Uuid;

pub use action::{Action, Frequency, Observation};
pub use category::{Category, DATASETS, dataset_named};
pub use cgroup_migration::Mover;
pub use class::{Activity, Class};
pub use contact::{Attempt, Contact};
pub use datagram::{FlowCount, Flows, SentToPeer};
pub use document::{Common, Documented, Fitted, NoFields, OwnFields, Text};
pub use endpoint::{Scope, canonical, endpoint, from_socket_addr};
pub use existing_socket::SocketState;
pub use field::{Field, FieldKind, field, is_false};
pub use finding::{FindingEnds, Rule, Severity, Technique};
pub use health_fields::{LossFields, LossOf};
pub use kept::{Checkpoint, Purge};
pub use learned::{Learned, PastFinding, Reached};
pub use loss::{LossCount, Lost, total};
pub use message::message;
pub use not_ours::NotOurs;
use peer::sharing;
pub use peer::{Peer, PeerMethod, PeerParty, Via};
pub use record_health::RecordHealth;
pub use recorded::Recorded;
pub use rule_fault::RuleFault;
pub use side::Side;
pub use surface::Surface;
pub use timestamp::Timestamps;
pub use told::{Colour, Direction, Info, Outcome, Range, Told};
pub use unix::UnixKind;
pub use unix_address::UnixAddress;
pub use who::{
    Ancestor, Cgroup, Confidence, Container, ContainerName, ExecutedFile, Location, Method,
    NameSource, NotSelected, Owner, OwnerKind, Process, UserNames, select, short_id, subject, unit,
};

/// One thing that happened, ready to be recorded.
#[derive(Clone, Debug)]
pub struct Event {
    /// UUIDv7 made from the event's own time, so that ids sort as events do.
    pub id: Uuid,
    /// `CLOCK_BOOTTIME` of the operation, nanoseconds.
    pub boot_ns: u64,
    /// UTC of the operation, nanoseconds since 1970.
    pub wall_ns: u64,
    /// The hook it was seen by; `None` for what user space found out.
    pub hook: Option<Hook>,
    /// Whose it was. `None` for the agent's own health records.
    pub owner: Option<Arc<Owner>>,
    /// Who made the socket, when that was somebody else.
    pub creator: Option<Arc<Owner>>,
    /// The process, when it is known.
    pub process: Option<Arc<Process>>,
    /// The acting thread; `None` when the kernel ran the hook in another context.
    pub actor: Option<Actor>,
    /// What the host calls its users, of its own processes' events.
    pub host_users: Option<Arc<UserNames>>,
    /// The socket.
    pub socket: Option<Socket>,
    /// Who was at the other end, when that is on this host and known.
    pub peer: Option<Box<Peer>>,
    /// What it is aimed at, where the judgement has said so.
    pub surface: Option<Surface>,
    /// What the judgement learned from it.
    pub learned: Option<Box<Learned>>,
    /// The event this one completes.
    pub amends: Option<Uuid>,
    /// What was done.
    pub operation: Operation,
}

/// The acting thread in the host's namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// Process id.
    pub tgid: u32,
    /// Thread id.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
}

/// A socket's identity and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Never reused until reboot.
    pub cookie: u64,
    /// Family, type, protocol.
    pub socket: hostnet_abi::Socket,
}

impl Event {
    /// An event of nobody, with nothing else to say.
    #[must_use]
    pub const fn new(id: Uuid, boot_ns: u64, wall_ns: u64, operation: Operation) -> Self {
        Self {
            id,
            boot_ns,
            wall_ns,
            hook: None,
            owner: None,
            creator: None,
            process: None,
            actor: None,
            host_users: None,
            socket: None,
            peer: None,
            surface: None,
            learned: None,
            amends: None,
            operation,
        }
    }

    /// Local end, when the operation has one.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.operation.told().local()
    }

    /// Whoever acted; of a socket that was there before, whoever opened it. An id
    /// in the host's user namespace.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        if let Operation::ExistingSocket(existing) = &self.operation {
            return existing.user;
        }
        self.actor.map(|actor| actor.uid)
    }

    /// What that user is called, by the host's processes in the host's file, and by
    /// a container's in the container's own. Containers inside it have others.
    #[must_use]
    pub fn user_name(&self) -> Option<(&str, NameSource)> {
        let (id, owner) = (self.user()?, self.owner.as_ref()?);
        match (&self.host_users, &owner.container) {
            (Some(users), None) => Some((users.name(id)?, NameSource::Host)),
            (_, Some(container)) if owner.nested.is_empty() => {
                Some((container.users.name(id)?, NameSource::Container))
            }
            _ => None,
        }
    }

    /// Whether it is a judgement of another event.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        matches!(self.operation, Operation::Finding(_))
    }

    /// Whether the socket is one of connections: who is connected has reached somebody.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.socket.is_some_and(|socket| i32::from(socket.socket.kind) == libc::SOCK_STREAM)
    }

    /// Remote end, when the operation has one.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        self.operation.told().remote()
    }
}
