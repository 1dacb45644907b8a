//! News from a container runtime: names for what is already known by id, and
//! cgroups confirmed as a container's.

use serde::{Deserialize, Serialize};

use super::Attribution;
use crate::event::{Container, Event, Health, Identified, UserNames};

/// News from a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuntimeNews {
    /// A container exists and looks like this.
    Container(Box<Container>),
    /// What a container calls its users.
    Users { id: String, users: UserNames },
    /// A container is gone.
    Removed { id: String },
    /// The runtime answers; `version` is its own word for itself.
    Reachable { endpoint: String, version: String },
    /// The runtime does not answer; names will come later or not at all.
    Unreachable { endpoint: String, reason: String },
}

impl RuntimeNews {
    /// Whether this is of the runtime itself: it has listed its containers, or does not
    /// answer.
    #[must_use]
    pub const fn is_of_runtime(&self) -> bool {
        matches!(self, Self::Reachable { .. } | Self::Unreachable { .. })
    }
}

impl Attribution {
    /// News from a container runtime.
    pub fn runtime(&mut self, news: RuntimeNews, boot_ns: u64) {
        match news {
            RuntimeNews::Container(container) => {
                let id = container.id.clone();
                let is_confirmed = self.confirms(&container);
                let told = self.registry.containers.describe(Container::clone(&container));
                if is_confirmed {
                    self.registry.confirm(&container, &self.tree);
                    self.check_names_of(&id, boot_ns);
                    self.claim_older(&container);
                }
                if !self.registry.containers.awaits_name(&id) {
                    self.release(&id);
                }
                if let Some(told) = told
                    && let Some(owner) = self.registry.owner_of_container(&id, &self.tree)
                {
                    let identified = Identified { events: told.events };
                    let event = self.event(boot_ns, None, identified.into());
                    self.events.push(Event {
                        owner: Some(owner),
                        amends: Some(told.first),
                        ..event
                    });
                }
            }
            RuntimeNews::Users { id, users } => self.registry.containers.name_users(&id, users),
            RuntimeNews::Removed { id } => self.registry.containers.gone(&id),
            RuntimeNews::Reachable { endpoint, version } => {
                self.runtime_is_silent = false;
                self.health(boot_ns, Health::RuntimeReachable { endpoint, version });
            }
            RuntimeNews::Unreachable { endpoint, reason } => {
                self.runtime_is_silent = true;
                self.release_overdue(u64::MAX);
                self.health(boot_ns, Health::RuntimeUnreachable { endpoint, reason });
            }
        }
    }

    /// Whether the runtime's process of a container, as /proc showed it, is what
    /// the kernel's records know of it: a container's, and not a stray.
    fn confirms(&mut self, container: &Container) -> bool {
        let has_own_mounts =
            ![0, self.policy.host_mount_namespace].contains(&container.mount_namespace);
        container.pid != 0 && has_own_mounts && self.strays.get(container.pid, 0).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Policy, Request};

    #[test]
    fn who_was_described_meanwhile_is_not_asked_for() {
        let [one, other] = ["1f", "2e"].map(|part| part.repeat(32));
        let mut stage = Attribution::new(Policy { seed: 1, ..Policy::default() });
        for (cgroup, id) in [(5, &one), (6, &other)] {
            stage.cgroup(cgroup, format!("/docker/{id}"));
        }
        let described = Container {
            id: one,
            created: "2026-01-02T03:04:05Z".to_owned(),
            pid: 70,
            ..Container::default()
        };
        stage.runtime(RuntimeNews::Container(Box::new(described)), 1);
        stage.forget_answered();
        let is_inspect = |request: &Request| matches!(request, Request::Inspect(_));
        let asked: Vec<Request> = stage.take_requests().into_iter().filter(is_inspect).collect();
        assert_eq!(asked, [Request::Inspect(other)]);
    }
}
