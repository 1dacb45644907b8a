//! The one list of record kinds. Ids are never reused.
//!
//! `EventKind`, the payload's own id, the `Record` enum and `decode` all come
//! from the table at the end; nothing else in the project lists the kinds.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Header, Hook};

/// A payload that may follow a [`Header`].
pub trait Payload: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The kind a record with this payload carries.
    const KIND: EventKind;
    /// Whether bytes follow the payload.
    const HAS_TAIL: bool;
}

/// Why bytes from the ring are not a record of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than a header.
    TooShort { length: usize },
    /// The kind is not in the table.
    UnknownKind { kind: u16 },
    /// The hook is not in the hook table.
    UnknownHook { hook: u16 },
    /// The length does not fit the kind or disagrees with the header.
    WrongLength { kind: EventKind, length: usize },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { length } => write!(f, "record of {length} bytes has no header"),
            Self::UnknownKind { kind } => write!(f, "unknown record kind {kind}"),
            Self::UnknownHook { hook } => write!(f, "unknown hook {hook}"),
            Self::WrongLength { kind, length } => {
                write!(f, "{} record of {length} bytes has the wrong length", kind.name())
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Reads one record. Copies, because neither ring nor recording promises the
/// payload's alignment. The third part is the tail, empty for most kinds.
///
/// # Errors
/// [`DecodeError`] when the bytes are not a record this build knows.
pub fn decode(bytes: &[u8]) -> Result<(Header, Hook, Record, &[u8]), DecodeError> {
    let Ok((header, rest)) = Header::read_from_prefix(bytes) else {
        return Err(DecodeError::TooShort { length: bytes.len() });
    };
    let Some(kind) = EventKind::from_raw(header.kind) else {
        return Err(DecodeError::UnknownKind { kind: header.kind });
    };
    let Some(hook) = Hook::from_raw(header.hook) else {
        return Err(DecodeError::UnknownHook { hook: header.hook });
    };
    let wrong_length = DecodeError::WrongLength { kind, length: bytes.len() };
    if header.length as usize != bytes.len() {
        return Err(wrong_length);
    }
    let (record, tail) = Record::read(kind, rest).ok_or(wrong_length)?;
    Ok((header, hook, record, tail))
}

/// The header of a record, before anything else of it is checked.
#[must_use]
pub fn header(bytes: &[u8]) -> Option<Header> {
    Header::read_from_prefix(bytes).ok().map(|(header, _)| header)
}

fn payload<P: Payload>(bytes: &[u8]) -> Option<(P, &[u8])> {
    let (payload, tail) = P::read_from_prefix(bytes).ok()?;
    (P::HAS_TAIL || tail.is_empty()).then_some((payload, tail))
}

macro_rules! event_table {
    ($($id:literal => $name:ident $label:literal $(+ $tail:ident)?),+ $(,)?) => {
        /// The kinds of records, by the id that crosses the boundary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum EventKind { $($name = $id),+ }

        impl EventKind {
            /// Every kind, in the order of ids.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name),+];

            /// The kind with this id, if there is one.
            #[must_use]
            pub const fn from_raw(raw: u16) -> Option<Self> {
                match raw { $($id => Some(Self::$name),)+ _ => None }
            }

            /// The kind's name as health records and recordings write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// Bytes of a record of this kind without its tail.
            #[must_use]
            pub const fn record_length(self) -> usize {
                size_of::<Header>() + match self { $(Self::$name => size_of::<crate::$name>()),+ }
            }
        }

        /// A payload whose kind has been checked.
        #[derive(Clone, Copy, Debug)]
        pub enum Record { $($name(crate::$name)),+ }

        impl Record {
            fn read(kind: EventKind, bytes: &[u8]) -> Option<(Self, &[u8])> {
                match kind {
                    $(EventKind::$name => payload(bytes).map(|(p, tail)| (Self::$name(p), tail)),)+
                }
            }

            /// The kind this payload belongs to.
            #[must_use]
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$name(_) => EventKind::$name),+ }
            }

            /// Whether a socket is closed for good.
            #[must_use]
            pub const fn ends_socket(&self) -> bool {
                matches!(self, Self::Close(_) | Self::DatagramClose(_))
            }
        }

        $(impl Payload for crate::$name {
            const KIND: EventKind = EventKind::$name;
            const HAS_TAIL: bool = event_table!(@tail $($tail)?);
        })+
    };
    (@tail tail) => { true };
    (@tail) => { false };
}

event_table! {
    1 => BindAsked "bind-asked",
    2 => Bind "bind",
    3 => Listen "listen",
    4 => Connect "connect",
    5 => ConnectOutcome "connect-outcome",
    6 => Accept "accept",
    7 => Close "close",
    8 => Datagram "datagram",
    9 => DatagramClose "datagram-close",
    10 => RawSocket "raw-socket",
    11 => Exec "exec" + tail,
    12 => Fork "fork",
    13 => Exit "exit",
    14 => CgroupMkdir "cgroup-mkdir" + tail,
    15 => CgroupRmdir "cgroup-rmdir",
    16 => CgroupAttach "cgroup-attach",
    17 => BindRefused "bind-refused",
    18 => AcceptTaken "accept-taken",
    19 => FamilySocket "family-socket",
    20 => PacketBind "packet-bind",
    21 => SocketFilter "socket-filter" + tail,
    22 => NetlinkRequest "netlink-request",
    23 => NetlinkBind "netlink-bind",
    24 => Unix "unix",
    25 => MulticastJoin "multicast-join",
}
