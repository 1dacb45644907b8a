//! Documents of events: each kind writes and reads its own part by one type, and asks for
//! what documents of all kinds say. Nothing here knows how a document is laid out.

use std::{borrow::Cow, net::SocketAddr};

use jiff::Timestamp;
use serde::{
    Deserialize, Serialize, Serializer,
    de::{IgnoredAny, value::MapDeserializer},
};
use serde_json::value::RawValue;

use super::{
    Action, Direction, Field, NotOurs, Outcome, Owner, PeerParty, Process, Socket, UnixAddress,
    errno,
};

/// What kinds without fields of their own write.
macro_rules! no_fields {
    () => {
        type Own<'a> = $crate::event::NoFields;
        fn own<'a>(&'a self, _: $crate::event::Fitted<'a>) -> $crate::event::NoFields {
            $crate::event::NoFields {}
        }
    };
}

/// A text that is borrowed where JSON has no escape in it.
pub type Text<'a> = Cow<'a, str>;

/// A kind of event: how its documents are written and read.
pub trait Documented: Sized + 'static {
    /// Every `hostnet.operation` of it.
    const OPERATIONS: &'static [&'static str];

    /// What its own fields under `hostnet` say.
    const FIELDS: &'static [&'static [Field]] = &[];

    /// Whether its events say all that is known of the container.
    const DESCRIBES_CONTAINER: bool = false;

    /// Its own fields under `hostnet`, as they are written and read.
    type Own<'a>: Serialize + Deserialize<'a>
    where
        Self: 'a;

    /// Events of it with all that a document can hold, and with less, with their sockets;
    /// for kinds without any, `format` has them.
    #[cfg(test)]
    fn samples() -> Vec<(Option<hostnet_abi::Socket>, Self)> {
        Vec::new()
    }

    /// What is written.
    fn own<'a>(&'a self, fitted: Fitted<'a>) -> Self::Own<'a>;

    /// Whether a document is of this kind.
    fn is_told_by(common: &Common<'_>) -> bool {
        Self::OPERATIONS.contains(&common.operation)
    }

    /// What was read, with what documents of all kinds say.
    ///
    /// # Errors
    /// When that is missing, or nonsense.
    fn read<'a>(own: Self::Own<'a>, common: &Common<'a>) -> Result<Self, NotOurs>;
}

/// The own fields of a kind that has none.
#[derive(Serialize, Deserialize)]
pub struct NoFields {}

/// Parts of an event that others chose, in as many bytes as a document has room for.
#[derive(Clone, Copy)]
pub struct Fitted<'a> {
    /// `shares_port_with`.
    pub sharing: &'a [Box<RawValue>],
    /// A finding's subject.
    pub subject: &'a str,
}

/// Fields under `hostnet` that only some kinds have, as they stand in a document.
#[derive(Default)]
pub struct OwnFields<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl Serialize for OwnFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'a> OwnFields<'a> {
    /// Adds one.
    pub fn push(&mut self, name: Text<'a>, value: &'a RawValue) {
        // An absent value may also be written as that.
        if value.get() != "null" {
            self.0.push((name, value));
        }
    }

    /// Whether that one is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Those of a kind.
    ///
    /// # Errors
    /// When one is missing, or is not what it should be.
    pub fn read<T: Deserialize<'a>>(&self) -> Result<T, NotOurs> {
        let fields = || MapDeserializer::new(self.0.iter().map(|(name, value)| (&**name, *value)));
        T::deserialize(fields()).map_err(|error: serde_json::Error| {
            match serde_path_to_error::deserialize::<_, T>(fields()) {
                Err(error) => NotOurs::below("hostnet", &error),
                Ok(_) => NotOurs::field("hostnet", error.to_string()),
            }
        })
    }
}

/// Reads what is under `field`; of the whole document, that is empty.
///
/// # Errors
/// When it is not that.
pub fn read<'a, T: Deserialize<'a>>(field: &str, json: &'a RawValue) -> Result<T, NotOurs> {
    read_bytes(field, json.get().as_bytes())
}

/// The same, of bytes.
///
/// # Errors
/// When they are not that.
pub fn read_bytes<'a, T: Deserialize<'a>>(field: &str, json: &'a [u8]) -> Result<T, NotOurs> {
    serde_json::from_slice(json).map_err(|_| why_not::<T>(field, json))
}

/// Reads it again, this time with an eye on where it fails.
#[cold]
fn why_not<'a, T: Deserialize<'a>>(field: &str, json: &'a [u8]) -> NotOurs {
    let not_an_event = || NotOurs::NotAnEvent("not one JSON object".to_owned());
    if serde_json::from_slice::<IgnoredAny>(json).is_err() {
        return not_an_event();
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize::<_, T>(&mut reader)
        .err()
        .map_or_else(not_an_event, |error| NotOurs::below(field, &error))
}

/// What documents of all kinds say of an operation. Anything may be nonsense; a kind that
/// asks for it is told so.
pub struct Common<'a> {
    /// `hostnet.operation`.
    pub operation: &'a str,
    /// `event.action`, and which that is.
    pub action_name: &'a str,
    pub action: Option<Action>,
    /// `@timestamp`, nanoseconds since 1970, and the same by the boot clock.
    pub wall_ns: u64,
    pub boot_ns: u64,
    /// `message`.
    pub message: &'a str,
    /// `event.outcome`, `event.reason`, `event.start` and `event.end`.
    pub outcome: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub start: Option<&'a str>,
    pub end: Option<&'a str>,
    /// `event.duration`.
    pub duration_ns: Option<u64>,
    /// `network.direction`.
    pub direction: Option<&'a str>,
    /// `source.bytes` and `destination.bytes`.
    pub bytes: (u64, u64),
    /// `user.id`.
    pub user: Option<&'a str>,
    /// `rule` and `threat`.
    pub rule: Option<&'a RawValue>,
    pub threat: Option<&'a RawValue>,
    /// `hostnet.netns.declared`.
    pub declared: Option<&'a str>,
    /// `hostnet.socket`, and its errno.
    pub socket: Option<Socket>,
    pub errno: Option<u16>,
    /// Both ends.
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    pub local_name: Option<UnixAddress>,
    pub remote_name: Option<UnixAddress>,
    /// The event's owner and process.
    pub owner: Option<&'a Owner>,
    pub process: Option<&'a Process>,
    /// What only some kinds have.
    pub own: OwnFields<'a>,
    /// Reads each of `shares_port_with`, which is at that name.
    pub read_parties: ReadParties,
}

/// Reads others, who are at that name.
pub type ReadParties = fn(&str, &[Box<RawValue>]) -> Result<Vec<PeerParty>, NotOurs>;

impl Common<'_> {
    /// Others who share the port, at `field`.
    ///
    /// # Errors
    /// When one of them is nonsense.
    pub fn parties(&self, field: &str, all: &[Box<RawValue>]) -> Result<Vec<PeerParty>, NotOurs> {
        (self.read_parties)(field, all)
    }

    /// The local end of an operation that cannot be without.
    pub fn local(&self) -> Result<SocketAddr, NotOurs> {
        self.local.ok_or_else(|| NotOurs::missing("hostnet.local.ip"))
    }

    /// The remote end of an operation that cannot be without.
    pub fn remote(&self) -> Result<SocketAddr, NotOurs> {
        self.remote.ok_or_else(|| NotOurs::missing("hostnet.remote.ip"))
    }

    /// The kind of socket of an operation that cannot be without.
    pub fn socket(&self) -> Result<hostnet_abi::Socket, NotOurs> {
        let socket = self.socket.ok_or_else(|| NotOurs::missing("hostnet.socket"))?;
        Ok(socket.socket)
    }

    /// Who began.
    pub fn direction(&self) -> Result<Option<Direction>, NotOurs> {
        match self.direction {
            None => Ok(None),
            Some("egress") => Ok(Some(Direction::Egress)),
            Some("ingress") => Ok(Some(Direction::Ingress)),
            Some(_) => Err(NotOurs::field("network.direction", "neither egress nor ingress")),
        }
    }

    /// How it ended.
    pub fn outcome(&self) -> Result<Outcome, NotOurs> {
        match self.outcome {
            Some("success") => Ok(Outcome::Success),
            Some("failure") => Ok(Outcome::Failure(self.errno())),
            Some("unknown") | None => Ok(Outcome::Unknown),
            Some(_) => Err(NotOurs::field("event.outcome", "none of success, failure and unknown")),
        }
    }

    /// The error of an operation, or that a socket had at its end.
    #[must_use]
    pub fn errno(&self) -> Option<u16> {
        self.errno.or_else(|| errno::number(self.reason?))
    }

    /// Whoever acted.
    pub fn user(&self) -> Result<Option<u32>, NotOurs> {
        user_id(self.user)
    }

    /// From when to when, by the wall clock.
    pub fn range(&self) -> Result<(u64, u64), NotOurs> {
        let time = |field, text: Option<&str>| {
            nanoseconds(field, text.ok_or_else(|| NotOurs::missing(field))?)
        };
        Ok((time("event.start", self.start)?, time("event.end", self.end)?))
    }

    /// The same by the boot clock.
    pub fn boot_range(&self) -> Result<(u64, u64), NotOurs> {
        let boot = |wall_ns: u64| self.boot_ns.saturating_sub(self.wall_ns.saturating_sub(wall_ns));
        let (start, end) = self.range()?;
        Ok((boot(start), boot(end)))
    }
}

/// `user.id`.
pub fn user_id(id: Option<&str>) -> Result<Option<u32>, NotOurs> {
    let number =
        |id: &str| id.parse().map_err(|_| NotOurs::field("user.id", "not the number of a user"));
    id.map(number).transpose()
}

/// Counts are added up by whoever reads them, which nonsense is not to upset.
pub fn summable(field: &str, counts: impl IntoIterator<Item = u64>) -> Result<(), NotOurs> {
    let sum = counts.into_iter().try_fold(0_u64, |sum, count| sum.checked_add(count));
    sum.map(drop).ok_or_else(|| NotOurs::field(field, "more than can be counted"))
}

/// A time as nanoseconds since 1970 (UTC).
pub fn nanoseconds(field: &str, text: &str) -> Result<u64, NotOurs> {
    let time: Timestamp = text.parse().map_err(|_| NotOurs::field(field, "not a time"))?;
    u64::try_from(time.as_nanosecond()).map_err(|_| NotOurs::field(field, "before 1970"))
}

/// Bytes that are written in hexadecimal.
pub fn bytes(field: &str, hex: &str) -> Result<Vec<u8>, NotOurs> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(pair).collect();
    bytes.ok_or_else(|| NotOurs::field(field, "not hexadecimal"))
}
