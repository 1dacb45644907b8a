//! The cgroup-v2 hierarchy by id: what is there, and for a while what was.
//!
//! Filled by one walk at start and by the kernel's mkdir and rmdir records; it
//! does no I/O itself.

use std::{
    collections::{HashMap, VecDeque},
    iter,
};

use crate::event::{
    Owner,
    shares::{Fill, Share, Shares},
};

/// How long a removed cgroup stays known: sockets outlive it.
const TOMBSTONE_NS: u64 = 60_000_000_000;

/// Most removed cgroups that are known. One owner has at most half of them; its next is
/// forgotten at once.
const MOST_REMOVED: usize = 1 << 16;

/// Cgroups by id.
#[derive(Debug)]
pub struct CgroupTree {
    cgroups: HashMap<u64, Cgroup>,
    /// The cgroups that are there, by path.
    by_path: HashMap<String, u64>,
    /// When which cgroup was removed, and the number of its entry.
    removed: VecDeque<(u64, u64, u64)>,
    shares: Shares,
    /// Entries made so far.
    entered: u64,
}

#[derive(Debug)]
struct Cgroup {
    path: String,
    /// The cgroup it was made in, when that was known.
    parent: Option<u64>,
    /// Which of all entries it is.
    number: u64,
    /// Set when it was removed.
    tombstone: Option<Share>,
}

impl Default for CgroupTree {
    fn default() -> Self {
        Self {
            cgroups: HashMap::new(),
            by_path: HashMap::new(),
            removed: VecDeque::new(),
            shares: Shares::of(MOST_REMOVED),
            entered: 0,
        }
    }
}

impl CgroupTree {
    /// How many removed cgroups are known.
    #[must_use]
    pub const fn fill(&self) -> Fill {
        self.shares.fill()
    }

    /// A cgroup exists. Ids are not reused while the tombstone lasts; should
    /// that happen, the newer path is the true one.
    pub fn insert(&mut self, id: u64, path: String) {
        if let Some(before) = self.cgroups.get(&id)
            && before.path != path
            && self.by_path.get(&before.path) == Some(&id)
        {
            self.by_path.remove(&before.path);
        }
        let parent = parent_path(&path).and_then(|parent| self.id(parent));
        self.by_path.insert(path.clone(), id);
        self.entered += 1;
        let cgroup = Cgroup { path, parent, number: self.entered, tombstone: None };
        let before = self.cgroups.insert(id, cgroup);
        if let Some(share) = before.and_then(|before| before.tombstone) {
            self.shares.give_back(share);
        }
    }

    /// A cgroup was removed: its path may be another's from now on.
    pub fn remove(&mut self, id: u64) {
        let Some(cgroup) = self.cgroups.get(&id) else { return };
        if self.by_path.get(&cgroup.path) == Some(&id) {
            self.by_path.remove(&cgroup.path);
        }
    }

    /// Keeps a cgroup of `owner` that was removed at `boot_ns` for a while. Returns its path
    /// when the owner has too many of them: it is forgotten at once.
    pub fn bury(&mut self, id: u64, boot_ns: u64, owner: &Owner) -> Option<String> {
        let cgroup = self.cgroups.get_mut(&id).filter(|cgroup| cgroup.tombstone.is_none())?;
        cgroup.tombstone = self.shares.take(owner);
        if cgroup.tombstone.is_none() {
            return self.cgroups.remove(&id).map(|cgroup| cgroup.path);
        }
        self.removed.push_back((boot_ns, id, cgroup.number));
        None
    }

    /// The path of a cgroup that is or was there.
    #[must_use]
    pub fn path(&self, id: u64) -> Option<&str> {
        self.cgroups.get(&id).map(|cgroup| cgroup.path.as_str())
    }

    /// The cgroup that is there by this path.
    #[must_use]
    pub fn id(&self, path: &str) -> Option<u64> {
        self.by_path.get(path).copied()
    }

    /// Whether a cgroup is there still.
    #[must_use]
    pub fn is_there(&self, id: u64) -> bool {
        self.path(id).is_some_and(|path| self.id(path) == Some(id))
    }

    /// The cgroup and those above it, innermost first. It ends whatever was inserted: a
    /// cgroup is above another only by a shorter path.
    pub fn lineage(&self, id: u64) -> impl Iterator<Item = u64> {
        iter::successors(Some(id), |id| {
            let cgroup = self.cgroups.get(id)?;
            let parent = cgroup.parent.or_else(|| self.id(parent_path(&cgroup.path)?))?;
            let is_shorter = |above: &Cgroup| above.path.len() < cgroup.path.len();
            self.cgroups.get(&parent).is_none_or(is_shorter).then_some(parent)
        })
    }

    /// Forgets cgroups removed long before `boot_ns`, and names them.
    pub fn expire(&mut self, boot_ns: u64) -> Vec<(u64, String)> {
        let mut forgotten = Vec::new();
        while let Some(&(at, id, number)) = self.removed.front()
            && boot_ns.saturating_sub(at) > TOMBSTONE_NS
        {
            self.removed.pop_front();
            // The id may be that of a younger cgroup.
            if self.cgroups.get(&id).is_some_and(|cgroup| cgroup.number == number)
                && let Some(Cgroup { path, tombstone, .. }) = self.cgroups.remove(&id)
            {
                tombstone.into_iter().for_each(|share| self.shares.give_back(share));
                forgotten.push((id, path));
            }
        }
        forgotten
    }
}

fn parent_path(path: &str) -> Option<&str> {
    let (parent, name) = path.rsplit_once('/')?;
    match (parent, name) {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remove(tree: &mut CgroupTree, id: u64, boot_ns: u64) {
        tree.remove(id);
        tree.bury(id, boot_ns, &Owner::unknown(id, None));
    }

    #[test]
    fn a_removed_cgroup_stays_known_for_a_while() {
        let mut tree = CgroupTree::default();
        tree.insert(7, "/docker/a".to_owned());
        remove(&mut tree, 7, 1_000);
        assert_eq!(tree.path(7), Some("/docker/a"));
        assert!(!tree.is_there(7));
        assert!(tree.expire(TOMBSTONE_NS).is_empty());
        assert_eq!(tree.expire(TOMBSTONE_NS + 2_000), [(7, "/docker/a".to_owned())]);
        assert_eq!(tree.path(7), None);
    }

    #[test]
    fn a_new_cgroup_with_an_old_id_is_not_forgotten() {
        let mut tree = CgroupTree::default();
        tree.insert(7, "/a".to_owned());
        remove(&mut tree, 7, 0);
        tree.insert(7, "/b".to_owned());
        assert!(tree.expire(u64::MAX).is_empty());
        assert_eq!(tree.path(7), Some("/b"));
        assert_eq!(tree.fill().entries, 0);
    }

    /// As many as a container can make and remove in a minute.
    #[test]
    fn removed_cgroups_of_one_owner_leave_room_for_others_and_cost_no_search() {
        let mut tree = CgroupTree::default();
        for id in 10..200_000 {
            tree.insert(id, "/a/x".to_owned());
            remove(&mut tree, id, 5);
        }
        assert_eq!((tree.cgroups.len(), tree.removed.len()), (MOST_REMOVED / 2, MOST_REMOVED / 2));
        tree.insert(1, "/b".to_owned());
        tree.remove(1);
        let other = Owner { container_id: Some("b".to_owned()), ..Owner::unknown(1, None) };
        assert_eq!(tree.bury(1, 6, &other), None);
        assert_eq!(tree.path(1), Some("/b"));
        assert_eq!(tree.expire(u64::MAX).len(), MOST_REMOVED / 2 + 1);
        assert!(tree.cgroups.is_empty() && tree.removed.is_empty());
    }

    #[test]
    fn lineage_of_an_id_with_two_paths_ends() {
        let mut tree = CgroupTree::default();
        tree.insert(1, "/".to_owned());
        tree.insert(1, "/docker".to_owned());
        tree.insert(2, "/docker/a".to_owned());
        tree.insert(1, "/docker/a/b".to_owned());
        assert_eq!(tree.lineage(1).take(9).count(), 2);
        assert_eq!(tree.lineage(2).take(9).count(), 1);
        assert_eq!((tree.id("/"), tree.id("/docker")), (None, None));
    }

    #[test]
    fn a_cgroup_stays_below_the_one_it_was_made_in() {
        let mut tree = CgroupTree::default();
        tree.insert(1, "/".to_owned());
        tree.insert(2, "/a".to_owned());
        tree.insert(3, "/a/b".to_owned());
        assert_eq!(tree.lineage(3).collect::<Vec<_>>(), [3, 2, 1]);
        remove(&mut tree, 2, 5);
        tree.insert(4, "/a".to_owned());
        assert_eq!(tree.id("/a"), Some(4));
        assert_eq!(tree.lineage(3).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(tree.is_there(4) && !tree.is_there(2));
    }

    #[test]
    fn a_gap_in_the_tree_is_bridged_by_the_path() {
        let mut tree = CgroupTree::default();
        tree.insert(3, "/a/b".to_owned());
        tree.insert(2, "/a".to_owned());
        assert_eq!(tree.lineage(3).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(tree.lineage(9).collect::<Vec<_>>(), [9]);
    }
}
