//! A process ended.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Repeats, Subject, repeat::of_number};

/// The last thread of a process ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Exit {
    /// Start of the process, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// `task_struct.exit_code`: exit status in bits 8..16, signal in bits 0..7.
    pub code: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

impl Repeats for Exit {
    const CARRIES_STATE: bool = true;
    #[inline(always)]
    fn subject(&self) -> Subject {
        of_number(0, self.code)
    }
}
