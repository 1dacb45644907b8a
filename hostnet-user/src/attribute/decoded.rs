//! A record from the kernel, decoded once for whoever needs something of it. Plain data.

use hostnet_abi::{DecodeError, Header, Hook, Record, decode};

/// A record and its parts.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// What every record begins with.
    pub header: Header,
    /// Where it was made.
    pub hook: Hook,
    /// What it says.
    pub record: Record,
    /// The bytes after that; most kinds have none.
    pub tail: &'a [u8],
}

impl<'a> Decoded<'a> {
    /// The parts of a record's bytes.
    ///
    /// # Errors
    /// When the bytes are not a record.
    pub fn of(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, hook, record, tail) = decode(bytes)?;
        Ok(Self { header, hook, record, tail })
    }
}
