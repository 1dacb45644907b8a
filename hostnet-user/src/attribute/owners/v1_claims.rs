//! On a host with cgroup v1 alone, what a process' path in the old hierarchies
//! claims. The kernel's records do not have that path: it is read from /proc by
//! somebody else, for a process id at a moment, and believed only of the process
//! that began when that one did.

use std::{collections::HashMap, sync::Arc};

use crate::event::{Owner, Process};

/// Most processes kept; then all are asked for again.
const MOST: usize = 65_536;

/// What /proc shows of a start is cut to this.
const TICK_NS: u64 = 10_000_000;

/// Owners by process id and start; none where the path names no container.
#[derive(Debug, Default)]
pub struct V1Claims(HashMap<u32, (u64, Option<Arc<Owner>>)>);

impl V1Claims {
    /// What a process' path claims.
    #[must_use]
    pub fn get(&self, pid: u32, process: Option<&Arc<Process>>) -> Option<Arc<Owner>> {
        let (start_ns, owner) = self.0.get(&pid)?;
        is_start_of(process, *start_ns).then(|| owner.clone()).flatten()
    }

    /// Whether the process has not been asked for yet.
    #[must_use]
    pub fn lacks(&self, pid: u32, process: Option<&Arc<Process>>) -> bool {
        self.0.get(&pid).is_none_or(|(start_ns, _)| !is_start_of(process, *start_ns))
    }

    /// The process with this id that began at `start_ns` claims an owner, or none.
    pub fn insert(&mut self, pid: u32, start_ns: u64, owner: Option<Owner>) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(pid, (start_ns, owner.map(Arc::new)));
    }
}

fn is_start_of(process: Option<&Arc<Process>>, start_ns: u64) -> bool {
    process.is_some_and(|process| process.start_ns / TICK_NS == start_ns / TICK_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(start_ns: u64) -> Arc<Process> {
        Arc::new(Process { pid: 10, start_ns, ..Process::default() })
    }

    #[test]
    fn only_the_process_that_was_asked_for() {
        let mut claims = V1Claims::default();
        let (asked, younger) = (process(50 * TICK_NS + 7), process(90 * TICK_NS));
        assert!(claims.lacks(10, Some(&asked)));
        let owner = Owner::unknown(1, Some("/docker/a"));
        claims.insert(10, 50 * TICK_NS, Some(owner));
        assert!(claims.get(10, Some(&asked)).is_some() && !claims.lacks(10, Some(&asked)));
        assert!(claims.get(10, Some(&younger)).is_none() && claims.lacks(10, Some(&younger)));
        assert!(claims.get(10, None).is_none());
        claims.insert(10, 90 * TICK_NS, None);
        assert!(claims.get(10, Some(&younger)).is_none() && !claims.lacks(10, Some(&younger)));
    }
}
