//! Whose an operation is, how that is known, and how sure it is.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Container;

/// What kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerKind {
    /// A container.
    Container,
    /// A process in namespaces of its own that is in no container's cgroup.
    ContainerUnknown,
    /// The host itself: a service, a login, the runtime.
    Host,
    /// Not known: a cgroup hostnet has not seen made, or a name that is not true.
    Unknown,
}

impl OwnerKind {
    /// Their names.
    pub const NAMES: &'static [&'static str] =
        &["container", "container-unknown", "host", "unknown"];
}

/// How the owner is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By the cgroup's id: the runtime's own process of that container is in it or
    /// above it, or it is outside every container's.
    CgroupId,
    /// By the cgroup's path.
    CgroupPath,
    /// By the path of the process in a cgroup-v1 hierarchy.
    CgroupV1Path,
    /// By where the process, or its ancestor, came from: it has left its container's cgroup.
    Origin,
    /// By the process' namespaces.
    Namespaces,
    /// Nothing is known.
    None,
}

/// How sure the owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The namespaces are not the host's.
    Namespace,
    /// Nothing is known.
    None,
}

/// A cgroup of the v2 hierarchy, as documents have it, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Its id.
    pub id: u64,
    /// Its path; empty when it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// Whose an operation is. Shared by all events of a cgroup.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Container, host, or not known.
    pub kind: OwnerKind,
    /// The container's full id.
    pub container_id: Option<String>,
    /// The runtime as the path names it, such as `docker`.
    pub runtime: Option<&'static str>,
    /// What the runtime says of the container, once it has said it.
    pub container: Option<Arc<Container>>,
    /// How it is known.
    pub method: Method,
    /// How sure.
    pub confidence: Confidence,
    /// Cgroup-v2 id the operation's task or socket was in; of a process that has
    /// left its container's cgroup, that cgroup.
    pub cgroup_id: u64,
    /// That cgroup's path; empty when it is not known.
    pub cgroup_path: String,
    /// Ids that the path names below the owner: containers in the container, or
    /// names that anybody in it could give.
    pub nested: Vec<String>,
    /// Where the process is now, when it has left its container's cgroup.
    pub moved_to: Option<Cgroup>,
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
            method: Method::None,
            confidence: Confidence::None,
            cgroup_id,
            cgroup_path: path.unwrap_or_default().to_owned(),
            nested: Vec::new(),
            moved_to: None,
        }
    }

    /// Somebody of whom little more is known than a name.
    #[must_use]
    pub fn named(
        kind: OwnerKind,
        container: Option<ContainerName<'_>>,
        cgroup: Option<&Cgroup>,
    ) -> Self {
        let id = container.as_ref().map(|container| container.id.clone().into_owned());
        Self {
            kind,
            container_id: id,
            container: container.and_then(ContainerName::container).map(Arc::new),
            ..Self::unknown(
                cgroup.map_or(0, |cgroup| cgroup.id),
                cgroup.map(|cgroup| &*cgroup.path),
            )
        }
    }

    /// Its container by id and name.
    #[must_use]
    pub fn container_name(&self) -> Option<ContainerName<'_>> {
        let id = self.container_id.as_deref()?.into();
        Some(ContainerName { id, name: Some(self.label().into()) })
    }

    /// A process that only its namespaces tell from the host's.
    #[must_use]
    pub fn apart(cgroup_id: u64, path: Option<&str>) -> Self {
        Self {
            kind: OwnerKind::ContainerUnknown,
            method: Method::Namespaces,
            confidence: Confidence::Namespace,
            ..Self::unknown(cgroup_id, path)
        }
    }

    /// Whether it follows from the process, so that a cgroup alone does not tell it.
    #[must_use]
    pub const fn is_by_process(&self) -> bool {
        matches!(self.method, Method::CgroupV1Path | Method::Origin | Method::Namespaces)
    }

    /// Whether two are the same container, or both the host or unknown.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.container_id) == (other.kind, &other.container_id)
    }

    /// The name a person knows it by.
    #[must_use]
    pub fn label(&self) -> &str {
        match (&self.container, &self.container_id, self.kind) {
            (Some(container), _, _) if !container.name.is_empty() => &container.name,
            (_, Some(id), _) => short_id(id),
            (_, None, OwnerKind::Host) => "host",
            (_, None, OwnerKind::ContainerUnknown) => "container-unknown",
            _ => "unknown",
        }
    }
}

/// A container in a document that is not about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerName<'a> {
    /// Its full id.
    pub id: Cow<'a, str>,
    /// What a person calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
}

impl ContainerName<'_> {
    /// What is known of it; `None` when it has no name.
    fn container(self) -> Option<Container> {
        let name = self.name?.into_owned();
        Some(Container { id: self.id.into_owned(), name, ..Container::default() })
    }
}

/// What a person is shown of a container's id: of 64 digits the first twelve, as
/// Docker's own command line; of a name, such as `nspawn:web`, all.
#[must_use]
pub fn short_id(id: &str) -> &str {
    let is_digits = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digits { id.get(..12).unwrap_or(id) } else { id }
}
