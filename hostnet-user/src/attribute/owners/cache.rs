//! Owners that were worked out, by cgroup, to be forgotten by cgroup or by
//! container: a word on one container must not cost a look at ten thousand.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::event::Owner;

/// The owners.
#[derive(Debug, Default)]
pub struct OwnerCache {
    by_cgroup: HashMap<u64, Arc<Owner>>,
    /// Cgroups of each container's owners.
    by_container: HashMap<String, HashSet<u64>>,
}

impl OwnerCache {
    /// The owner of a cgroup, when it is known.
    #[must_use]
    pub fn get(&self, cgroup: u64) -> Option<Arc<Owner>> {
        self.by_cgroup.get(&cgroup).map(Arc::clone)
    }

    /// Keeps the owner of its cgroup.
    pub fn insert(&mut self, owner: Arc<Owner>) {
        let cgroup = owner.cgroup_id;
        self.forget_cgroup(cgroup);
        if let Some(id) = &owner.container_id {
            self.by_container.entry(id.clone()).or_default().insert(cgroup);
        }
        self.by_cgroup.insert(cgroup, owner);
    }

    /// A cgroup may be another's by now.
    pub fn forget_cgroup(&mut self, cgroup: u64) {
        let Some(owner) = self.by_cgroup.remove(&cgroup) else { return };
        let Some(id) = &owner.container_id else { return };
        if let Some(cgroups) = self.by_container.get_mut(id) {
            cgroups.remove(&cgroup);
            if cgroups.is_empty() {
                self.by_container.remove(id);
            }
        }
    }

    /// Something is known of a container that was not when its owners were made.
    pub fn forget_container(&mut self, id: &str) {
        for cgroup in self.by_container.remove(id).unwrap_or_default() {
            self.by_cgroup.remove(&cgroup);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(cgroup: u64, id: &str) -> Arc<Owner> {
        Arc::new(Owner { container_id: Some(id.to_owned()), ..Owner::unknown(cgroup, None) })
    }

    #[test]
    fn a_containers_owners_are_forgotten_and_no_others() {
        let mut cache = OwnerCache::default();
        for (cgroup, id) in [(1, "a"), (2, "a"), (3, "b"), (2, "b")] {
            cache.insert(owner(cgroup, id));
        }
        cache.forget_container("a");
        assert!(cache.get(1).is_none());
        assert!(cache.get(2).is_some() && cache.get(3).is_some(), "2 is b's by now");
        cache.forget_cgroup(2);
        cache.forget_cgroup(3);
        assert!(cache.by_cgroup.is_empty() && cache.by_container.is_empty());
    }
}
