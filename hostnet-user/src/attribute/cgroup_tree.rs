//! The cgroup-v2 hierarchy by id: what is there, and for a while what was.
//!
//! Filled by one walk at start and by the kernel's mkdir and rmdir records; it
//! does no I/O itself.

use std::collections::{HashMap, VecDeque};

/// How long a removed cgroup stays known: sockets outlive it.
const TOMBSTONE_NS: u64 = 60_000_000_000;

/// Paths by cgroup id.
#[derive(Debug, Default)]
pub struct CgroupTree {
    paths: HashMap<u64, String>,
    removed: VecDeque<(u64, u64)>,
}

impl CgroupTree {
    /// A cgroup exists. Ids are not reused while the tombstone lasts; should
    /// that happen, the newer path is the true one.
    pub fn insert(&mut self, id: u64, path: String) {
        self.removed.retain(|(_, removed)| *removed != id);
        self.paths.insert(id, path);
    }

    /// A cgroup was removed at `boot_ns`.
    pub fn remove(&mut self, id: u64, boot_ns: u64) {
        if self.paths.contains_key(&id) {
            self.removed.push_back((boot_ns, id));
        }
    }

    /// The path of a cgroup that is or was there.
    #[must_use]
    pub fn path(&self, id: u64) -> Option<&str> {
        self.paths.get(&id).map(String::as_str)
    }

    /// The id of a cgroup whose path satisfies `is_it`.
    #[must_use]
    pub fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<u64> {
        self.paths.iter().find(|(_, path)| is_it(path)).map(|(id, _)| *id)
    }

    /// Forgets cgroups removed long before `boot_ns`, and names them.
    pub fn expire(&mut self, boot_ns: u64) -> Vec<u64> {
        let mut forgotten = Vec::new();
        while let Some(&(at, id)) = self.removed.front()
            && boot_ns.saturating_sub(at) > TOMBSTONE_NS
        {
            self.removed.pop_front();
            self.paths.remove(&id);
            forgotten.push(id);
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_cgroup_stays_known_for_a_while() {
        let mut tree = CgroupTree::default();
        tree.insert(7, "/docker/a".to_owned());
        tree.remove(7, 1_000);
        assert_eq!(tree.path(7), Some("/docker/a"));
        assert!(tree.expire(TOMBSTONE_NS).is_empty());
        assert_eq!(tree.expire(TOMBSTONE_NS + 2_000), vec![7]);
        assert_eq!(tree.path(7), None);
    }

    #[test]
    fn a_new_cgroup_with_an_old_id_is_not_forgotten() {
        let mut tree = CgroupTree::default();
        tree.insert(7, "/a".to_owned());
        tree.remove(7, 0);
        tree.insert(7, "/b".to_owned());
        assert!(tree.expire(u64::MAX).is_empty());
        assert_eq!(tree.path(7), Some("/b"));
    }
}
