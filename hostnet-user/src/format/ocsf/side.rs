//! The two ends of a connection.

/// An end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Source, Self::Destination];

    /// The endpoint that is ours.
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
