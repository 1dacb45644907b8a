//! Owners by cgroup id: which cgroup is which container's, and what the
//! runtime says of it. It does no I/O; news is brought to it.
//!
//! A cgroup is a container's for certain when its path names the container and
//! the runtime's own process of that container is in it. Everything below such a
//! cgroup is that container's, whatever names it bears.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::containers::Containers;
use crate::{
    attribute::cgroups::{
        CgroupTree,
        claim::Claim,
        claims::{certain_claims, named_container, others, own_claim, own_part},
    },
    event::{Confidence, Container, Method, Owner, OwnerKind},
};

/// Owners, and the containers behind them.
#[derive(Debug, Default)]
pub struct ContainerRegistry {
    v1_only: bool,
    pub(super) containers: Containers,
    /// Cgroups that the runtime's word and the path agree on, by id.
    confirmed: HashMap<u64, String>,
    /// Paths that the runtime spoke of before the tree had them.
    awaited: HashMap<String, String>,
    /// Cgroups by the container that their own name claims; mostly one. The last was made last.
    claimants: HashMap<String, BTreeSet<u64>>,
    /// Cgroups whose false name has been told.
    told_spoofs: HashSet<u64>,
    /// Whose a mount namespace is, by its inode.
    mounts: HashMap<u32, String>,
}

impl ContainerRegistry {
    /// An empty registry. On a host with cgroup v1 only everybody is in v2's root
    /// cgroup, which then says nothing of anybody.
    #[must_use]
    pub fn new(v1_only: bool) -> Self {
        Self { v1_only, ..Self::default() }
    }

    /// The owner of a cgroup: the outermost confirmed container it is in, else the
    /// outermost container its path names, else the host; unknown when the tree
    /// does not have it, or when the name is another's.
    pub fn owner(&mut self, cgroup: u64, tree: &CgroupTree) -> Arc<Owner> {
        if let Some(owner) = self.containers.owners.get(cgroup) {
            return owner;
        }
        let owner = Arc::new(self.resolve(cgroup, tree));
        // An unknown cgroup may become known; do not hold on to the answer.
        if owner.kind != OwnerKind::Unknown {
            self.containers.owners.insert(Arc::clone(&owner));
        }
        owner
    }

    fn resolve(&self, cgroup: u64, tree: &CgroupTree) -> Owner {
        let Some(path) = tree.path(cgroup) else { return Owner::unknown(cgroup, None) };
        let unknown = Owner::unknown(cgroup, Some(path));
        let mut claims = certain_claims(path);
        let outermost = claims.next();
        if let Some(id) = self.confirmed_above(cgroup, tree) {
            let claim = certain_claims(path).find(|claim| claim.qualified_id() == id);
            return Owner {
                kind: OwnerKind::Container,
                container_id: Some(id.to_owned()),
                runtime: claim.map(|claim| claim.runtime.name()),
                container: self.container(id),
                method: Method::CgroupId,
                confidence: Confidence::Confirmed,
                nested: others(certain_claims(path), id),
                ..unknown
            };
        }
        let Some(claim) = outermost else {
            if self.v1_only && path == "/" {
                return unknown;
            }
            let (method, confidence) = (Method::CgroupId, Confidence::Cgroup);
            return Owner { kind: OwnerKind::Host, method, confidence, ..unknown };
        };
        let id = claim.qualified_id();
        // The path names a container whose processes the runtime has elsewhere: a
        // name anybody can give. Unknown is allowed, wrong is not.
        if self.is_elsewhere(&id, tree) {
            return unknown;
        }
        let nested = others(claims, &id);
        self.claimed(&claim, Method::CgroupPath, Owner { nested, ..unknown })
    }

    /// The owner that a path names; `of` is the rest of what is known.
    fn claimed(&self, claim: &Claim<'_>, method: Method, of: Owner) -> Owner {
        let id = claim.qualified_id().into_owned();
        let container = self.container(&id);
        let runtime_knows = container.is_some() && method == Method::CgroupPath;
        Owner {
            kind: OwnerKind::Container,
            container_id: Some(id),
            runtime: Some(claim.runtime.name()),
            container,
            method,
            confidence: if runtime_knows { Confidence::Runtime } else { Confidence::Path },
            ..of
        }
    }

    /// The owner of a process whose path in a v1 hierarchy is known; `None` when
    /// that names no container.
    #[must_use]
    pub fn owner_in_v1(&self, path: &str, cgroup: u64) -> Option<Owner> {
        let claim = named_container(path)?;
        let nested = others(certain_claims(path).skip(1), &claim.qualified_id());
        let of = Owner { nested, ..Owner::unknown(cgroup, Some(path)) };
        Some(self.claimed(&claim, Method::CgroupV1Path, of))
    }

    /// The same owner with what is known of it by now.
    pub fn renewed(&mut self, owner: &Arc<Owner>, tree: &CgroupTree) -> Arc<Owner> {
        let Some(id) = &owner.container_id else { return Arc::clone(owner) };
        if !owner.is_by_process() {
            let now = self.owner(owner.cgroup_id, tree);
            // The tree may have forgotten a cgroup that is gone by now.
            let is_same = now.container_id == owner.container_id;
            return if is_same { now } else { Arc::clone(owner) };
        }
        match self.container(id) {
            Some(now) if owner.container.as_ref().is_none_or(|then| !Arc::ptr_eq(then, &now)) => {
                Arc::new(Owner { container: Some(now), ..Owner::clone(owner) })
            }
            _ => Arc::clone(owner),
        }
    }

    /// The container, as another owner's of it: where the runtime has it, or had it
    /// last, else in a cgroup that bears its name and is not known to be another's.
    pub fn owner_of_container(&mut self, id: &str, tree: &CgroupTree) -> Option<Arc<Owner>> {
        let confirmed = self.containers.get(id).and_then(|known| known.cgroups.last());
        let cgroup = *confirmed.or_else(|| self.claimants.get(id)?.last())?;
        Some(self.owner(cgroup, tree)).filter(|owner| owner.container_id.as_deref() == Some(id))
    }

    /// The id that a cgroup was named after without being that container's, when
    /// the runtime has the container elsewhere.
    #[must_use]
    pub fn spoofed(&self, cgroup: u64, tree: &CgroupTree) -> Option<String> {
        let claim = own_claim(tree.path(cgroup)?)?;
        let id = claim.qualified_id();
        let owns = self.confirmed_above(cgroup, tree) == Some(&*id);
        (!owns && tree.is_there(cgroup) && self.is_elsewhere(&id, tree)).then(|| id.into_owned())
    }

    /// The outermost confirmed container that a cgroup is in.
    fn confirmed_above(&self, cgroup: u64, tree: &CgroupTree) -> Option<&str> {
        tree.lineage(cgroup).filter_map(|id| self.confirmed.get(&id)).last().map(String::as_str)
    }

    /// Whether a container has a cgroup of its own that is there.
    fn is_elsewhere(&self, id: &str, tree: &CgroupTree) -> bool {
        let known = self.containers.get(id);
        known.is_some_and(|known| known.cgroups.iter().any(|cgroup| tree.is_there(*cgroup)))
    }

    fn container(&self, id: &str) -> Option<Arc<Container>> {
        self.containers.get(id)?.container.clone()
    }

    /// The runtime's process of a container is in the cgroup with this path: what
    /// of it is the container's own is confirmed, now or when the tree has it.
    /// Refused when the path does not name the container first of all, or when
    /// the process has the mounts of another container.
    pub fn confirm(&mut self, container: &Container, tree: &CgroupTree) {
        let Some(place) = own_part(&container.cgroup_path, &container.id) else { return };
        let other = self.mounts.get(&container.mount_namespace).filter(|id| **id != container.id);
        if other.and_then(|id| self.containers.get(id)).is_some_and(|other| !other.left) {
            return;
        }
        self.mounts.insert(container.mount_namespace, container.id.clone());
        match tree.id(place) {
            Some(cgroup) => self.confirm_cgroup(cgroup, container.id.clone()),
            None => {
                self.awaited.insert(place.to_owned(), container.id.clone());
            }
        }
    }

    /// Cgroups that bear a container's name.
    #[must_use]
    pub fn claimants(&self, id: &str) -> Vec<u64> {
        self.claimants.get(id).into_iter().flatten().copied().collect()
    }

    /// Whether a cgroup's false name is still to be told; from now on it has been.
    pub fn tells_spoof(&mut self, cgroup: u64) -> bool {
        self.told_spoofs.insert(cgroup)
    }

    /// The tree has a new cgroup.
    pub fn appeared(&mut self, cgroup: u64, path: &str) {
        self.forget_cgroup(cgroup, path);
        if let Some(claim) = own_claim(path) {
            self.claimants.entry(claim.qualified_id().into_owned()).or_default().insert(cgroup);
        }
        if let Some(id) = self.awaited.remove(path) {
            self.confirm_cgroup(cgroup, id);
        }
    }

    fn confirm_cgroup(&mut self, cgroup: u64, id: String) {
        self.containers.confirm(&id, cgroup);
        self.confirmed.insert(cgroup, id);
    }

    /// The tree forgot a cgroup, or learned its path anew.
    pub fn forget_cgroup(&mut self, cgroup: u64, path: &str) {
        self.containers.owners.forget_cgroup(cgroup);
        self.told_spoofs.remove(&cgroup);
        if let Some(id) = own_claim(path).map(|claim| claim.qualified_id())
            && let Some(claimants) = self.claimants.get_mut(&*id)
        {
            claimants.remove(&cgroup);
            if claimants.is_empty() {
                self.claimants.remove(&*id);
            }
        }
        if let Some(id) = self.confirmed.remove(&cgroup) {
            self.containers.forget_cgroup(&id, cgroup);
        }
    }
}

#[cfg(test)]
mod tests;
