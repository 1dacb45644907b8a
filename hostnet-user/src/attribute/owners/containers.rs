//! What is kept of each container id: what its runtime says of it, and where it
//! is between its first sign of life and its end. Whose a cgroup is, is the
//! registry's business; what it found out is kept here, to be forgotten with every
//! word that makes it another.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
};

use uuid::Uuid;

use super::cache::OwnerCache;
use crate::event::{Container, UserNames};

/// Most containers whose metadata is kept after they are gone.
const MOST_GONE: usize = 4096;

/// What is kept of one container id.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub container: Option<Arc<Container>>,
    /// Its confirmed cgroups, the latest last: a restart makes a new one.
    pub cgroups: Vec<u64>,
    gone: bool,
    joined: bool,
    /// Its cgroup is gone; what is still told of it is from before.
    pub left: bool,
    /// Its events have waited for its name once, in vain.
    waited: bool,
    /// Told without its name.
    nameless: Option<Told>,
    /// Told before an inspect had described it, those without its name included.
    undescribed: Option<Told>,
}

impl Known {
    /// The container, when it runs and has this address.
    pub fn running_at(&self, address: IpAddr) -> Option<&Container> {
        let container = self.container.as_deref().filter(|_| !self.gone && !self.left)?;
        container.addresses.contains(&address).then_some(container)
    }
}

/// Events that were told with less of their container than is known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// How many.
    pub events: u64,
    /// The first of them.
    pub first: Uuid,
}

impl Told {
    fn add(told: &mut Option<Self>, event: Uuid) {
        told.get_or_insert(Self { events: 0, first: event }).events += 1;
    }
}

/// The containers.
#[derive(Debug, Default)]
pub struct Containers {
    by_id: HashMap<String, Known>,
    /// Whose an address may be: looked up at each connect to a network of containers.
    by_address: HashMap<IpAddr, Vec<String>>,
    gone: VecDeque<String>,
    /// What containers call their users, each kept once: those of an image all say the same.
    users: HashSet<UserNames>,
    /// Owners that were made of what is known here.
    pub(super) owners: OwnerCache,
}

impl Containers {
    /// What is kept of a container.
    pub(super) fn get(&self, id: &str) -> Option<&Known> {
        self.by_id.get(id)
    }

    /// A cgroup is the container's for certain.
    pub(super) fn confirm(&mut self, id: &str, cgroup: u64) {
        let known = self.by_id.entry(id.to_owned()).or_default();
        if !known.cgroups.contains(&cgroup) {
            known.cgroups.push(cgroup);
        }
        self.owners.forget_container(id);
    }

    /// A cgroup is the container's no more.
    pub(super) fn forget_cgroup(&mut self, id: &str, cgroup: u64) {
        if let Some(known) = self.by_id.get_mut(id) {
            known.cgroups.retain(|known| *known != cgroup);
        }
    }

    /// The runtime described a container. Returns what had been told without what
    /// this says: its name, or all that only an inspect tells.
    pub fn describe(&mut self, mut container: Container) -> Option<Told> {
        let known = self.by_id.entry(container.id.clone()).or_default();
        known.gone = false;
        // What an event says of a container is less than what an inspect has said.
        if known.container.as_ref().is_some_and(|before| before.is_inspected())
            && !container.is_inspected()
        {
            return None;
        }
        if let Some(before) = &known.container {
            container.users.clone_from(&before.users);
            // A container that has exited has no process to look at; what it had stays true.
            if container.cgroup_path.is_empty() {
                container.cgroup_path.clone_from(&before.cgroup_path);
                container.mount_namespace = before.mount_namespace;
            }
        }
        if known.container.as_deref() == Some(&container) {
            return None;
        }
        let nameless = known.nameless.take();
        let told = if container.is_inspected() { known.undescribed.take() } else { nameless };
        let id = container.id.clone();
        let before = known.container.replace(Arc::new(container));
        self.moves(&id, before.as_deref());
        self.owners.forget_container(&id);
        told
    }

    /// A container's addresses are others than before, or it is forgotten.
    fn moves(&mut self, id: &str, before: Option<&Container>) {
        for address in before.into_iter().flat_map(|before| &before.addresses) {
            if let Some(ids) = self.by_address.get_mut(address) {
                ids.retain(|other| other != id);
                if ids.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
        let now = self.by_id.get(id).and_then(|known| known.container.as_deref());
        for address in now.into_iter().flat_map(|now| &now.addresses) {
            let ids = self.by_address.entry(*address).or_default();
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
    }

    /// What a container calls its users. A file that can no longer be read takes back
    /// nothing.
    pub fn name_users(&mut self, id: &str, users: UserNames) {
        let known = self.by_id.get_mut(id).and_then(|known| known.container.as_mut());
        if let Some(container) = known
            && container.users != users
            && users != UserNames::default()
        {
            let users = self.users.get(&users).cloned().unwrap_or(users);
            Arc::make_mut(container).users = users.clone();
            self.owners.forget_container(id);
            if self.users.len() == self.users.capacity() {
                self.users.retain(UserNames::is_shared);
            }
            self.users.insert(users);
        }
    }

    /// The runtime no longer has the container. It stays known for a while:
    /// its last events may still be on their way.
    pub fn gone(&mut self, id: &str) {
        let Some(known) = self.by_id.get_mut(id) else { return };
        if !std::mem::replace(&mut known.gone, true) {
            self.gone.push_back(id.to_owned());
        }
        while self.gone.len() > MOST_GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            if self.by_id.get(&oldest).is_some_and(|known| known.gone) {
                let before = self.by_id.remove(&oldest).and_then(|known| known.container);
                self.moves(&oldest, before.as_deref());
                self.owners.forget_container(&oldest);
            }
        }
    }

    /// The only container that runs and has this address.
    #[must_use]
    pub fn container_at(&self, address: IpAddr) -> Option<&str> {
        let known = self.by_address.get(&address)?.iter().filter_map(|id| self.by_id.get(id));
        let mut found = known.filter_map(|known| known.running_at(address));
        let container = found.next()?;
        found.next().is_none().then_some(&container.id)
    }

    /// Whether this is a container's first sign of life in the host's network
    /// namespace; from now on it has joined.
    pub fn joins(&mut self, id: &str) -> bool {
        match self.by_id.get_mut(id) {
            Some(known) => !known.left && !std::mem::replace(&mut known.joined, true),
            None => {
                self.by_id.insert(id.to_owned(), Known { joined: true, ..Known::default() });
                true
            }
        }
    }

    /// Whether the runtime's word on a container is still worth waiting for.
    pub fn awaits_name(&self, id: &str) -> bool {
        let Some(known) = self.by_id.get(id) else { return true };
        // One that was inspected before it ran is not confirmed yet; the next word on
        // it, with its process, is on its way.
        let is_settled = known.container.as_ref().is_some_and(|container| {
            container.is_inspected() && (container.pid != 0 || !known.cgroups.is_empty())
        });
        !is_settled && !known.waited
    }

    /// A container's events have waited long enough; later ones go out at once.
    pub fn waited(&mut self, id: &str) {
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), Known::default());
        }
        if let Some(known) = self.by_id.get_mut(id) {
            known.waited = true;
        }
    }

    /// Notes that an event of a container is told before an inspect has described it.
    pub fn told_undescribed(&mut self, id: &str, event: Uuid) {
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), Known::default());
        }
        if let Some(known) = self.by_id.get_mut(id) {
            Told::add(&mut known.undescribed, event);
            if known.container.is_none() {
                Told::add(&mut known.nameless, event);
            }
        }
    }

    /// The container's own cgroup is gone; says whether it had joined the
    /// host's network namespace.
    pub fn left(&mut self, id: &str) -> bool {
        let Some(known) = self.by_id.get_mut(id) else { return false };
        known.left = true;
        std::mem::take(&mut known.joined)
    }

    /// The container has a cgroup (again): it starts, or restarts.
    pub fn starts(&mut self, id: &str) {
        if let Some(known) = self.by_id.get_mut(id) {
            known.left = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5aaf9eb7648eeb1459d86eaa0ace8bcfa93089642e5c3113a14250dae3238aaf";

    fn container() -> Container {
        Container { id: ID.to_owned(), name: "web".to_owned(), ..Container::default() }
    }

    #[test]
    fn late_names_are_reported_once() {
        let mut containers = Containers::default();
        let first = Uuid::from_u128(1);
        assert!(containers.joins(ID), "the first event joins");
        assert!(!containers.joins(ID));
        assert!(containers.left(ID));
        assert!(!containers.joins(ID), "what is told late does not bring it back");
        containers.starts(ID);
        assert!(containers.joins(ID), "a restart does");
        containers.told_undescribed(ID, first);
        containers.told_undescribed(ID, Uuid::from_u128(2));
        let named = containers.describe(container());
        assert_eq!(named, Some(Told { events: 2, first }));
        assert_eq!(containers.describe(container()), None);
        containers.told_undescribed(ID, Uuid::from_u128(3));
        let inspected = Container { created: "2026-01-02T03:04:05Z".to_owned(), ..container() };
        let described = containers.describe(inspected.clone());
        assert_eq!(described, Some(Told { events: 3, first }));
        assert_eq!(containers.describe(Container { pid: 7, ..inspected }), None);
    }
}
