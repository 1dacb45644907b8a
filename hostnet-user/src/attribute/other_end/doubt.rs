//! Who can be the other end becomes uncertain where records are lost, and is known anew once
//! the kernel has shown which sockets there are. Records go on while it is asked.

use std::collections::HashSet;

/// How long the table waits before it is filled anew, nanoseconds: that asks the
/// kernel for every socket, while it has just been too much.
const REFILL_NS: u64 = 10_000_000_000;

/// How long it is not known who listens at some ports before the table is filled anew.
const PARTIAL_NS: u64 = 60_000_000_000;

/// Most sockets whose ends are remembered; where there were more, the answer is not used.
const MOST_GONE: usize = 1 << 17;

/// Whether records are missing, and what must not be believed of the kernel's answer.
#[derive(Debug)]
pub struct Doubt {
    /// Since when records are missing, so that the table may lie.
    since_ns: Option<u64>,
    /// Sockets that ended before those are known that are there, at start and whenever the
    /// kernel is asked anew; `None` once these are known.
    gone: Option<HashSet<u64>>,
    /// The kernel is being asked.
    asked: Option<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// When it was found that records of listeners were lost since.
    doubted_ns: Option<u64>,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { since_ns: None, gone: Some(HashSet::new()), asked: None }
    }
}

impl Doubt {
    /// Records were lost, as was found at `boot_ns`.
    pub fn since(&mut self, boot_ns: u64) {
        self.since_ns.get_or_insert(boot_ns);
        if let Some(asked) = &mut self.asked {
            asked.doubted_ns = Some(boot_ns);
        }
    }

    /// Whether records are missing.
    pub const fn is_there(&self) -> bool {
        self.since_ns.is_some()
    }

    /// Whether it is time to ask which sockets there are.
    pub fn is_due(&self, boot_ns: u64) -> bool {
        self.since_ns.is_some_and(|since| boot_ns.saturating_sub(since) > REFILL_NS)
    }

    /// Whether ports have not been known completely for long enough to ask.
    pub const fn is_old(since_ns: u64, boot_ns: u64) -> bool {
        boot_ns.saturating_sub(since_ns) > PARTIAL_NS
    }

    /// A socket has ended.
    pub fn ended(&mut self, cookie: u64) {
        if let Some(gone) = self.gone.as_mut().filter(|gone| gone.len() < MOST_GONE) {
            gone.insert(cookie);
        }
    }

    /// Whether a socket has ended that the kernel's answer may have.
    pub fn has_ended(&self, cookie: u64) -> bool {
        self.gone.as_ref().is_some_and(|gone| gone.contains(&cookie))
    }

    /// The kernel is asked, unless it is being asked: returns whether it is to be. Sockets
    /// that end meanwhile may be in its answer.
    pub fn ask(&mut self) -> bool {
        let is_news = self.asked.is_none();
        if is_news {
            self.asked = Some(Asked::default());
            self.gone.get_or_insert_default();
        }
        is_news
    }

    /// Whether the kernel is being asked.
    pub const fn is_being_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// The kernel has answered at `boot_ns`. Its answer is not to be used where doubt
    /// [is there](Self::is_there) still.
    pub fn answered(&mut self, boot_ns: u64) {
        // There may be others that have ended.
        let is_short = self.gone.as_ref().is_some_and(|gone| gone.len() >= MOST_GONE);
        let doubted_ns = self.asked.take().and_then(|asked| asked.doubted_ns);
        self.since_ns = doubted_ns.or_else(|| is_short.then_some(boot_ns));
    }

    /// From now on every end is of a socket that the table would have.
    pub fn start_is_over(&mut self) {
        if self.asked.is_none() {
            self.gone = None;
        }
    }
}
