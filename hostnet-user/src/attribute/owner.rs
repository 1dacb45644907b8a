//! Whose an operation is, how that is known, and how sure it is.

use std::sync::Arc;

use serde::Serialize;

use super::Container;

/// What kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerKind {
    /// A container.
    Container,
    /// The host itself: a service, a login, the runtime.
    Host,
    /// Not known: a cgroup hostnet has not seen made, or a name that is not true.
    Unknown,
}

/// How sure the owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The runtime's own process of that container is in that cgroup.
    Confirmed,
    /// The runtime knows the id that the cgroup's path names.
    Runtime,
    /// Only the cgroup's path names it.
    Path,
    /// The cgroup is outside every container's.
    Cgroup,
    /// Nothing is known.
    None,
}

/// Whose an operation is. Shared by all events of a cgroup.
#[derive(Debug)]
pub struct Owner {
    /// Container, host, or not known.
    pub kind: OwnerKind,
    /// The container's full id.
    pub container_id: Option<String>,
    /// The runtime as the path names it, such as `docker`.
    pub runtime: Option<&'static str>,
    /// What the runtime says of the container, once it has said it.
    pub container: Option<Arc<Container>>,
    /// How sure.
    pub confidence: Confidence,
    /// Cgroup-v2 id the operation's task or socket was in.
    pub cgroup_id: u64,
    /// That cgroup's path; empty when it is not known.
    pub cgroup_path: String,
}

impl Owner {
    /// Nobody that could be named.
    #[must_use]
    pub fn unknown(cgroup_id: u64, path: Option<&str>) -> Self {
        Self {
            kind: OwnerKind::Unknown,
            container_id: None,
            runtime: None,
            container: None,
            confidence: Confidence::None,
            cgroup_id,
            cgroup_path: path.unwrap_or_default().to_owned(),
        }
    }

    /// Whether both are the same container, or both the host.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.container_id) == (other.kind, &other.container_id)
    }

    /// The name a person knows it by.
    #[must_use]
    pub fn label(&self) -> &str {
        match (&self.container, &self.container_id, self.kind) {
            (Some(container), _, _) if !container.name.is_empty() => &container.name,
            (_, Some(id), _) => id.get(..12).unwrap_or(id),
            (_, None, OwnerKind::Host) => "host",
            _ => "unknown",
        }
    }
}
