//! The hash chain over the rows of a history: no row can be changed, removed or
//! put elsewhere without every hash after it being another.
//!
//! Pure. What it proves and what it does not: docs/history.md.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The chain's value after a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// What of a row is in the chain: everything that is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Place in the history.
    pub id: u64,
    /// `agent.ephemeral_id`.
    pub run: &'a [u8],
    /// `event.sequence`.
    pub sequence: u64,
    /// `@timestamp`, nanoseconds since 1970.
    pub time_ns: u64,
    /// `event.id`.
    pub event_id: &'a [u8],
    /// `event.dataset`.
    pub dataset: &'a [u8],
    /// `event.action`.
    pub action: &'a [u8],
    /// Whose it is.
    pub owner: &'a [u8],
    /// The line of JSON.
    pub document: &'a [u8],
}

impl Hash {
    /// What a history begins with: no two begin alike.
    #[must_use]
    pub fn genesis(history: Uuid) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"hostnet history 1\0");
        digest.update(history.as_bytes());
        Self(digest.finalize().into())
    }

    /// The value after one more row.
    #[must_use]
    pub fn then(&self, link: &Link<'_>) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0);
        for number in [link.id, link.sequence, link.time_ns] {
            digest.update(number.to_le_bytes());
        }
        // With lengths, so that no byte can move from one value to the next.
        let values =
            [link.run, link.event_id, link.dataset, link.action, link.owner, link.document];
        for value in values {
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value);
        }
        Self(digest.finalize().into())
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the bytes; `None` unless there are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal; `None` unless it is `N` of them.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|byte| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |a, d| a << 4 | d)).collect();
    if digits.len() == 2 * N { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link<'a>(run: &'a [u8], event_id: &'a [u8]) -> Link<'a> {
        Link {
            id: 1,
            run,
            sequence: 1,
            time_ns: 1,
            event_id,
            dataset: b"d",
            action: b"a",
            owner: b"",
            document: b"{}",
        }
    }

    #[test]
    fn every_value_counts_and_none_runs_into_the_next() {
        let start = Hash::genesis(Uuid::nil());
        let one = start.then(&link(b"ab", b"c"));
        assert_eq!(one, start.then(&link(b"ab", b"c")));
        assert_ne!(one, start.then(&link(b"a", b"bc")));
        assert_ne!(one, start.then(&Link { id: 2, ..link(b"ab", b"c") }));
        assert_ne!(one, Hash::genesis(Uuid::max()).then(&link(b"ab", b"c")));
    }

    #[test]
    fn hexadecimal_there_and_back() {
        let hash = Hash::genesis(Uuid::nil());
        assert_eq!(from_hex(&hash.to_string()), Some(*hash.bytes()));
        assert_eq!(from_hex::<2>("0g1f"), None);
        assert_eq!(from_hex::<2>("001"), None);
    }
}
