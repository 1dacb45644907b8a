//! What makes one act a repeat of another, and which records are told before others.
//!
//! While an owner has more to tell than its budget allows, an act is told when
//! nothing of its kind about the same subject was told lately; the rest is counted.

use crate::{Address, Socket};

/// What an act is about. Whatever differs between repeats, such as the port that
/// the kernel chooses for each connect, is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The other end, or the address that is asked for; any 16 bytes.
    pub address: Address,
    /// The port that is known before the act: a service's. Of a unix socket a number
    /// for what its path ends with, where that is looked at.
    pub port: u32,
    /// Whatever else tells such acts apart.
    pub detail: u32,
}

/// A payload that may be a repeat. (A `Unix` record's name is only in kernel memory
/// when that is asked; its program says what it is about.)
pub trait Repeats {
    /// Whether the agent's tables rest on this record: its owner may tell it when
    /// others have used up its budget.
    const CARRIES_STATE: bool = false;

    /// Whether it says something without the record that answers it: what is told
    /// because it is new is told for certain, its answer may be a repeat.
    const IS_TOLD_ALONE: bool = true;

    /// [`CARRIES_STATE`](Self::CARRIES_STATE) where it depends on the record.
    #[inline(always)]
    fn carries_state(&self) -> bool {
        Self::CARRIES_STATE
    }

    /// What it is about.
    fn subject(&self) -> Subject;
}

/// About nothing but what kind of socket it is.
#[inline(always)]
pub(crate) const fn of_socket(socket: Socket, detail: u32) -> Subject {
    let kind = (socket.family as u32) << 16 | socket.kind as u32;
    Subject { address: [kind, socket.protocol, 0, 0], port: 0, detail }
}

/// About something that has a number.
#[inline(always)]
pub(crate) const fn of_number(number: u64, detail: u32) -> Subject {
    Subject { address: [number as u32, (number >> 32) as u32, 0, 0], port: 0, detail }
}
