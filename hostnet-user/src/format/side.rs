//! The two ends of a connection, and which of them is the owner's.

use super::document::Document;

/// An end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Source, Self::Destination];

    /// The one that is the owner's; `None` where nobody knows.
    pub fn of_owner(document: &Document<'_>) -> Option<Self> {
        match document.text("network.direction").as_deref() {
            Some("ingress") => Some(Self::Destination),
            Some("egress") => Some(Self::Source),
            // A socket alone is `server`; of one whose two ends are known, but not
            // who began, ECS names the local one `source`.
            _ if document.has("client") => Some(Self::Source),
            _ if document.has("server") => Some(Self::Destination),
            _ => None,
        }
    }

    /// The endpoint that is ours, as OCSF calls it.
    pub const fn local(self) -> &'static str {
        match self {
            Self::Source => "src_endpoint",
            Self::Destination => "dst_endpoint",
        }
    }

    /// The other one.
    pub const fn remote(self) -> &'static str {
        match self {
            Self::Source => Self::Destination.local(),
            Self::Destination => Self::Source.local(),
        }
    }
}
