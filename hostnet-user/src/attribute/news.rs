//! News from a container runtime: names for what is already known by id, and
//! cgroups confirmed as a container's. Plain data.

use serde::{Deserialize, Serialize};

use crate::event::{Container, UserNames};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{Attribution, Policy, Request};

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
        stage.owners().forget_answered();
        let is_inspect = |request: &Request| matches!(request, Request::Inspect(_));
        let asked: Vec<Request> = stage.take_requests().into_iter().filter(is_inspect).collect();
        assert_eq!(asked, [Request::Inspect(other)]);
    }
}
