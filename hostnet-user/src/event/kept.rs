//! What the record of a run says of itself: what was purged, and the chain's value.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The first row that goes.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The chain's value after it, in hexadecimal: what is left still follows from it.
    pub hash: String,
    /// `@timestamp` of the last, nanoseconds since 1970.
    pub until_ns: u64,
    /// Which limit it is: `age` or `bytes`.
    pub reason: String,
}

/// The chain's value after a row, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which history.
    pub history: Uuid,
    /// After which row.
    pub row: u64,
    /// The chain's value there, in hexadecimal.
    pub hash: String,
    /// The public key (ed25519), in hexadecimal.
    pub key: String,
    /// The signature, in hexadecimal.
    pub signature: String,
}
