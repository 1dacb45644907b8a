//! Sockets that may have ended unseen: the kernel is asked which there are, and those that
//! it does not have are forgotten.

use std::collections::HashSet;

/// How long after the first end that was not told it is asked which sockets there are.
const ASK_NS: u64 = 10_000_000_000;

/// How long a socket that was not there then is kept: its end may still be in the ring.
const KEEP_NS: u64 = 5_000_000_000;

/// What is known of them.
#[derive(Debug, Default)]
pub enum UnseenEnds {
    /// There are none.
    #[default]
    None,
    /// Since when there may be.
    Since(u64),
    /// It is being asked which of these there are.
    Asked(Vec<u64>),
    /// At that time these were not.
    Missing(u64, Vec<u64>),
}

impl UnseenEnds {
    /// Records that may have told of ends were lost, as was found at `boot_ns`.
    pub fn since(&mut self, boot_ns: u64) {
        if matches!(self, Self::None) {
            *self = Self::Since(boot_ns);
        }
    }

    /// The kernel is asked which sockets there are; these are tracked. Those that begin from
    /// now on may not be in the answer.
    pub fn ask(&mut self, tracked: impl FnOnce() -> Vec<u64>) {
        if matches!(self, Self::Since(_)) {
            *self = Self::Asked(tracked());
        }
    }

    /// These there were at `boot_ns`.
    pub fn answered(&mut self, boot_ns: u64, there: impl Iterator<Item = u64>) {
        if let Self::Asked(tracked) = self {
            let there: HashSet<u64> = there.collect();
            tracked.retain(|cookie| !there.contains(cookie));
            *self = Self::Missing(boot_ns, std::mem::take(tracked));
        }
    }

    /// Whether it is time to ask.
    pub fn is_due(&self, boot_ns: u64) -> bool {
        matches!(self, Self::Since(at) if boot_ns.saturating_sub(*at) > ASK_NS)
    }

    /// The sockets that are missing for long enough to be forgotten.
    pub fn take_missing(&mut self, boot_ns: u64) -> Vec<u64> {
        match self {
            Self::Missing(at, sockets) if boot_ns.saturating_sub(*at) > KEEP_NS => {
                let sockets = std::mem::take(sockets);
                *self = Self::None;
                sockets
            }
            Self::None | Self::Since(_) | Self::Asked(_) | Self::Missing(..) => Vec::new(),
        }
    }
}
