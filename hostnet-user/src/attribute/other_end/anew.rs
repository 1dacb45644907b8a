//! Who can be the other end becomes uncertain where records are lost, and is known anew once
//! the kernel has shown which sockets there are. Records go on while it is asked.

use std::collections::HashSet;

use crate::attribute::{Attribution, Found};

/// How long the table waits before it is filled anew, nanoseconds: that asks the
/// kernel for every socket, while it has just been too much.
const REFILL_NS: u64 = 10_000_000_000;

/// How long it is not known who listens at some ports before the table is filled anew.
const PARTIAL_NS: u64 = 60_000_000_000;

/// Most sockets whose ends are remembered; where there were more, the answer is not used.
const MOST_GONE: usize = 1 << 17;

/// Sockets that ended before those are known that are there; `None` once these are known.
#[derive(Debug)]
pub struct Gone(Option<HashSet<u64>>);

impl Default for Gone {
    fn default() -> Self {
        Self(Some(HashSet::new()))
    }
}

impl Gone {
    /// A socket has ended.
    pub fn note(&mut self, cookie: u64) {
        if let Some(gone) = self.0.as_mut().filter(|gone| gone.len() < MOST_GONE) {
            gone.insert(cookie);
        }
    }

    /// Whether a socket has ended.
    pub fn contains(&self, cookie: u64) -> bool {
        self.0.as_ref().is_some_and(|gone| gone.contains(&cookie))
    }

    /// Whether there may be others that have ended.
    fn is_short(&self) -> bool {
        self.0.as_ref().is_some_and(|gone| gone.len() >= MOST_GONE)
    }
}

impl Attribution {
    /// The sockets there were at `boot_ns`, after they were asked for: from now on it is
    /// known again who can be the other end, unless records that tell it were lost since.
    pub fn listeners(&mut self, boot_ns: u64, found: &[Found]) {
        let asked = self.asked_sockets.take().unwrap_or_default();
        self.are_there(boot_ns, found, &asked);
        let is_short = self.ends.gone.is_short();
        self.ends.doubted_ns = asked.doubted_ns.or_else(|| is_short.then_some(boot_ns));
        if self.ends.doubted_ns.is_none() {
            for one in found {
                self.found_listener(one, boot_ns, boot_ns);
            }
        }
        self.ends.gone.0 = None;
    }

    /// From now on every end is of a socket that the table would have.
    pub(in crate::attribute) fn start_is_over(&mut self) {
        if self.asked_sockets.is_none() {
            self.ends.gone.0 = None;
        }
    }

    /// The kernel is asked which sockets there are: those that end meanwhile may be in its
    /// answer.
    pub(in crate::attribute) fn mind_ends(&mut self) {
        self.ends.gone.0.get_or_insert_default();
    }

    /// Records that may have told of a listener's beginning or end were lost.
    pub(in crate::attribute) fn doubt_listeners(&mut self, boot_ns: u64) {
        self.ends.listeners.forget();
        self.ends.proxied.clear();
        self.ends.clients.0.clear();
        self.ends.doubted_ns.get_or_insert(boot_ns);
        if let Some(asked) = &mut self.asked_sockets {
            asked.doubted_ns = Some(boot_ns);
        }
    }

    pub(in crate::attribute) fn expire_ends(&mut self, boot_ns: u64) {
        self.ends.listeners.expire(boot_ns);
        let is_due = |doubted: u64| boot_ns.saturating_sub(doubted) > REFILL_NS;
        let is_partial = |since: u64| boot_ns.saturating_sub(since) > PARTIAL_NS;
        let is_partial = self.ends.listeners.partial_since().is_some_and(is_partial);
        if is_partial && self.asked_sockets.is_none() {
            // Which are missing is not known, so all are asked for.
            self.ends.listeners.forget();
            self.ends.doubted_ns.get_or_insert(boot_ns);
        }
        if is_partial || self.ends.doubted_ns.is_some_and(is_due) {
            self.ask_sockets();
        }
    }
}
