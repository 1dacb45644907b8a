//! What the agent itself does in a container of its own: not told, for whoever reads the
//! events would find the agent's own proof of its hooks among them.
//!
//! Only its own process and the processes that this made count, not its container: what
//! else runs there is told like in any other.

use std::collections::HashSet;

use hostnet_abi::{Fork, Header, Record};

/// Most sockets of its own that are remembered at a time.
const MOST: usize = 1 << 16;

/// The agent's own process, and what is its.
#[derive(Debug, Default)]
pub(super) struct OwnActs {
    pid: u32,
    /// Processes that it made.
    children: HashSet<u32>,
    /// Cookies of its sockets: much of a socket's life is nobody's act.
    sockets: HashSet<u64>,
}

impl OwnActs {
    /// Of the process with this id; none when that is 0.
    pub fn new(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }

    /// Whether a process is the agent's own.
    pub fn is_own(&self, pid: u32) -> bool {
        pid != 0 && (pid == self.pid || self.children.contains(&pid))
    }

    /// `by` made a process.
    pub fn forked(&mut self, by: u32, fork: &Fork) {
        if by != 0 && by == self.pid {
            self.children.insert(fork.child);
        } else {
            self.children.remove(&fork.child);
        }
    }

    /// A process ended.
    pub fn exited(&mut self, pid: u32) {
        self.children.remove(&pid);
    }

    /// Whose ids its children had may be others' by now.
    pub fn doubt(&mut self) {
        self.children.clear();
    }

    /// Whether a record is of the agent's own process or of a socket of its.
    pub fn has_done(&mut self, header: &Header, record: &Record) -> bool {
        let listener = if let Record::Accept(accept) = record { accept.listener } else { 0 };
        let is_own = match header.tgid {
            0 => [header.cookie, listener].iter().any(|cookie| self.sockets.contains(cookie)),
            pid => self.is_own(pid),
        };
        if record.ends_socket() {
            self.sockets.remove(&header.cookie);
        } else if is_own && self.sockets.len() < MOST {
            self.sockets.insert(header.cookie);
        }
        is_own
    }

    /// A socket that existed at start is held by one of its processes.
    pub fn holds(&mut self, cookie: u64) {
        self.sockets.insert(cookie);
    }
}
