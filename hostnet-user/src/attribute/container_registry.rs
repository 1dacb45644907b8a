//! Owners by cgroup id: which cgroup is which container's, and what the
//! runtime says of it. It does no I/O; news comes from docker.rs.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use uuid::Uuid;

use super::{
    CgroupTree, Container, cgroup_path,
    cgroup_path::Claim,
    owner::{Confidence, Owner, OwnerKind},
};

/// Most containers whose metadata is kept after they are gone.
const MOST_GONE: usize = 4096;

/// Owners, and the containers behind them.
#[derive(Debug, Default)]
pub struct ContainerRegistry {
    v1_only: bool,
    owners: HashMap<u64, Arc<Owner>>,
    containers: HashMap<String, Known>,
    gone: std::collections::VecDeque<String>,
}

/// What is kept of one container id.
#[derive(Debug, Default)]
struct Known {
    container: Option<Arc<Container>>,
    gone: bool,
    joined: bool,
    /// Its cgroup is gone; what is still told of it is from before.
    left: bool,
    /// Its events have waited for its name once, in vain.
    waited: bool,
    nameless: u64,
    first_nameless: Option<Uuid>,
}

/// Events that were told before their container's name was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nameless {
    /// How many.
    pub events: u64,
    /// The first of them.
    pub first: Uuid,
}

impl ContainerRegistry {
    /// An empty registry. On a host with cgroup v1 only everybody is in v2's root
    /// cgroup, which then says nothing of anybody.
    #[must_use]
    pub fn new(v1_only: bool) -> Self {
        Self { v1_only, ..Self::default() }
    }

    /// The owner of a cgroup: the outermost container its path names, else the
    /// host; unknown when the tree does not have it.
    pub fn owner(&mut self, cgroup: u64, tree: &CgroupTree) -> Arc<Owner> {
        if let Some(owner) = self.owners.get(&cgroup) {
            return Arc::clone(owner);
        }
        let owner = Arc::new(self.resolve(cgroup, tree));
        // An unknown cgroup may become known; do not hold on to the answer.
        if owner.kind != OwnerKind::Unknown {
            self.owners.insert(cgroup, Arc::clone(&owner));
        }
        owner
    }

    fn resolve(&self, cgroup: u64, tree: &CgroupTree) -> Owner {
        let path = tree.path(cgroup);
        let claim = path.and_then(named_container);
        let known = claim.as_ref().and_then(|claim| self.containers.get(&*claim.qualified_id()));
        let container = known.and_then(|known| known.container.clone());
        let (kind, confidence) = match (&claim, path, &container) {
            (Some(_), Some(path), Some(container)) if is_within(path, container) => {
                (OwnerKind::Container, Confidence::Confirmed)
            }
            // The path names a container whose processes the runtime has elsewhere: a
            // name anybody can give. Unknown is allowed, wrong is not.
            (Some(_), _, Some(container)) if is_a_place(container) => {
                return Owner::unknown(cgroup, path);
            }
            (Some(_), _, Some(_)) => (OwnerKind::Container, Confidence::Runtime),
            (Some(_), _, None) => (OwnerKind::Container, Confidence::Path),
            (None, Some("/"), _) if self.v1_only => return Owner::unknown(cgroup, path),
            (None, Some(_), _) => (OwnerKind::Host, Confidence::Cgroup),
            (None, None, _) => return Owner::unknown(cgroup, path),
        };
        Owner {
            kind,
            container_id: claim.as_ref().map(|claim| claim.qualified_id().into_owned()),
            runtime: claim.as_ref().map(|claim| claim.runtime.name()),
            container,
            confidence,
            cgroup_id: cgroup,
            cgroup_path: path.unwrap_or_default().to_owned(),
        }
    }

    /// The runtime described a container. Returns what had been told without its name.
    pub fn describe(&mut self, mut container: Container) -> Option<Nameless> {
        let known = self.containers.entry(container.id.clone()).or_default();
        known.gone = false;
        // What an event says of a container is less than what an inspect has said.
        if known.container.as_ref().is_some_and(|before| before.is_inspected())
            && !container.is_inspected()
        {
            return None;
        }
        // The kernel marks the path of a process that outlives its cgroup.
        if let Some(path) = container.cgroup_path.strip_suffix(" (deleted)") {
            container.cgroup_path = path.to_owned();
        }
        // A container that has exited has no process to look at; where it was stays true.
        if let Some(before) = &known.container
            && container.cgroup_path.is_empty()
        {
            container.cgroup_path.clone_from(&before.cgroup_path);
        }
        if known.container.as_deref() == Some(&container) {
            return None;
        }
        let nameless = known
            .first_nameless
            .take()
            .map(|first| Nameless { events: std::mem::take(&mut known.nameless), first });
        let id = container.id.clone();
        known.container = Some(Arc::new(container));
        self.forget_owners_of(&id);
        nameless
    }

    /// The runtime no longer has the container. It stays known for a while:
    /// its last events may still be on their way.
    pub fn gone(&mut self, id: &str) {
        let Some(known) = self.containers.get_mut(id) else { return };
        if !std::mem::replace(&mut known.gone, true) {
            self.gone.push_back(id.to_owned());
        }
        while self.gone.len() > MOST_GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            if self.containers.get(&oldest).is_some_and(|known| known.gone) {
                self.containers.remove(&oldest);
                self.forget_owners_of(&oldest);
            }
        }
    }

    /// The only container that runs and has this address.
    #[must_use]
    pub fn container_at(&self, address: IpAddr) -> Option<&str> {
        let has_it = |container: &Container| container.addresses.contains(&address);
        let mut found = self
            .containers
            .values()
            .filter(|known| !known.gone && !known.left)
            .filter_map(|known| known.container.as_deref().filter(|one| has_it(one)));
        let container = found.next()?;
        found.next().is_none().then_some(&container.id)
    }

    /// Whether this is a container's first sign of life in the host's network
    /// namespace; from now on it has joined.
    pub fn joins(&mut self, id: &str) -> bool {
        match self.containers.get_mut(id) {
            Some(known) => !known.left && !std::mem::replace(&mut known.joined, true),
            None => {
                self.containers.insert(id.to_owned(), Known { joined: true, ..Known::default() });
                true
            }
        }
    }

    /// Whether the runtime's word on a container is still worth waiting for.
    pub fn awaits_name(&self, id: &str) -> bool {
        let Some(known) = self.containers.get(id) else { return true };
        let is_inspected =
            known.container.as_ref().is_some_and(|container| container.is_inspected());
        !is_inspected && !known.waited
    }

    /// A container's events have waited long enough; later ones go out at once.
    pub fn waited(&mut self, id: &str) {
        if !self.containers.contains_key(id) {
            self.containers.insert(id.to_owned(), Known::default());
        }
        if let Some(known) = self.containers.get_mut(id) {
            known.waited = true;
        }
    }

    /// Notes that an event of a container is told without its name.
    pub fn told_nameless(&mut self, id: &str, event: Uuid) {
        if !self.containers.contains_key(id) {
            self.containers.insert(id.to_owned(), Known::default());
        }
        if let Some(known) = self.containers.get_mut(id) {
            known.nameless += 1;
            known.first_nameless.get_or_insert(event);
        }
    }

    /// The container's own cgroup is gone; says whether it had joined the
    /// host's network namespace.
    pub fn left(&mut self, id: &str) -> bool {
        let Some(known) = self.containers.get_mut(id) else { return false };
        known.left = true;
        std::mem::take(&mut known.joined)
    }

    /// The container has a cgroup (again): it starts, or restarts.
    pub fn starts(&mut self, id: &str) {
        if let Some(known) = self.containers.get_mut(id) {
            known.left = false;
        }
    }

    /// The tree forgot a cgroup, or learned its path anew.
    pub fn forget_cgroup(&mut self, cgroup: u64) {
        self.owners.remove(&cgroup);
    }

    fn forget_owners_of(&mut self, id: &str) {
        self.owners.retain(|_, owner| owner.container_id.as_deref() != Some(id));
    }
}

/// The outermost container a path names for certain; a path that only has the
/// shape of one is the host's.
pub(super) fn named_container(path: &str) -> Option<Claim<'_>> {
    cgroup_path::owner(path).filter(|claim| !claim.is_guess)
}

/// Whether the runtime's process was seen in a cgroup of the container's own.
/// A path without the id is of another process that has the number by now.
fn is_a_place(container: &Container) -> bool {
    container.cgroup_path.contains(&container.id)
}

/// Whether `path` is the container's cgroup or below it.
fn is_within(path: &str, container: &Container) -> bool {
    is_a_place(container)
        && path
            .strip_prefix(&container.cgroup_path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    fn tree() -> CgroupTree {
        let mut tree = CgroupTree::default();
        tree.insert(1, "/".to_owned());
        tree.insert(7, format!("/docker/{ID}"));
        tree.insert(8, format!("/docker/{ID}/child"));
        tree
    }

    fn container(cgroup_path: &str) -> Container {
        Container {
            id: ID.to_owned(),
            name: "web".to_owned(),
            cgroup_path: cgroup_path.to_owned(),
            ..Container::default()
        }
    }

    #[test]
    fn confidence_follows_the_proof() {
        let mut registry = ContainerRegistry::default();
        let tree = tree();
        assert_eq!(registry.owner(7, &tree).confidence, Confidence::Path);
        registry.describe(container(""));
        assert_eq!(registry.owner(7, &tree).confidence, Confidence::Runtime);
        registry.describe(container(&format!("/docker/{ID}")));
        assert_eq!(registry.owner(7, &tree).confidence, Confidence::Confirmed);
        registry.describe(container(&format!("/docker/{ID} (deleted)")));
        assert_eq!(registry.owner(7, &tree).confidence, Confidence::Confirmed);
        assert_eq!(registry.owner(8, &tree).confidence, Confidence::Confirmed);
        assert_eq!(registry.owner(1, &tree).kind, OwnerKind::Host);
        assert_eq!(registry.owner(99, &tree).kind, OwnerKind::Unknown);
    }

    #[test]
    fn a_borrowed_name_is_not_believed() {
        let mut registry = ContainerRegistry::default();
        let mut tree = tree();
        tree.insert(9, format!("/docker/docker-{ID}.scope"));
        registry.describe(container(&format!("/docker/{ID}")));
        assert_eq!(registry.owner(9, &tree).kind, OwnerKind::Unknown);
    }

    #[test]
    fn with_cgroup_v1_only_the_root_cgroup_is_nobodys() {
        let mut registry = ContainerRegistry::new(true);
        assert_eq!(registry.owner(1, &tree()).kind, OwnerKind::Unknown);
    }

    #[test]
    fn late_names_are_reported_once() {
        let mut registry = ContainerRegistry::default();
        let first = Uuid::from_u128(1);
        assert!(registry.joins(ID), "the first event joins");
        assert!(!registry.joins(ID));
        assert!(registry.left(ID));
        assert!(!registry.joins(ID), "what is told late does not bring it back");
        registry.starts(ID);
        assert!(registry.joins(ID), "a restart does");
        registry.told_nameless(ID, first);
        registry.told_nameless(ID, Uuid::from_u128(2));
        let nameless = registry.describe(container(""));
        assert_eq!(nameless, Some(Nameless { events: 2, first }));
        assert_eq!(registry.describe(container("/x")), None);
    }

    #[test]
    fn a_container_that_is_gone_keeps_its_name() {
        let mut registry = ContainerRegistry::default();
        registry.describe(container(""));
        registry.gone(ID);
        assert_eq!(registry.owner(7, &tree()).label(), "web");
    }
}
