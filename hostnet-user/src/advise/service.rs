//! What a container is one of, by its labels: a Swarm service, a Compose service, or what
//! one command starts. All containers of one are judged as one.

use crate::event::Container;

/// What started a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Manager {
    /// `docker run`.
    #[default]
    Docker,
    /// `podman run`.
    Podman,
    /// `podman pod create`: all containers of a pod share its network.
    Pod {
        /// The pod's name; empty where that is not known.
        pod: String,
    },
    /// Docker Compose.
    Compose {
        /// Of this project.
        project: String,
        /// This service of its file.
        service: String,
    },
    /// `docker service create` or a stack.
    Swarm {
        /// Its full name.
        service: String,
        /// The stack that it is of.
        stack: Option<String>,
    },
}

/// Letters of a container's id that Docker shows.
const SHORT: usize = 12;

impl Manager {
    /// Who started the container.
    #[must_use]
    pub fn of(container: &Container) -> Self {
        let labels = &container.labels;
        // Events have no dots in the names of labels.
        let value = |key: &str| labels.get(key).or_else(|| labels.get(&key.replace('.', "_")));
        let label = |key: &str| value(key).filter(|text| !text.is_empty()).cloned();
        if let Some(service) = label("com.docker.swarm.service.name") {
            return Self::Swarm { service, stack: label("com.docker.stack.namespace") };
        }
        // `docker compose run` starts something else with the service's image.
        let is_oneoff = label("com.docker.compose.oneoff")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let project = label("com.docker.compose.project").filter(|_| !is_oneoff);
        if let (Some(project), Some(service)) = (project, label("com.docker.compose.service")) {
            return Self::Compose { project, service };
        }
        let shares = container.network_mode.starts_with("container:");
        match container.runtime.as_str() {
            "podman" if shares || !container.pod.is_empty() => {
                Self::Pod { pod: container.pod.clone() }
            }
            "podman" => Self::Podman,
            _ => Self::Docker,
        }
    }

    /// What its service is called; `None` where a command started one container.
    #[must_use]
    pub fn service(&self) -> Option<String> {
        match self {
            Self::Docker | Self::Podman | Self::Pod { .. } => None,
            Self::Compose { project, service } => Some(format!("{project}-{service}")),
            Self::Swarm { service, .. } => Some(service.clone()),
        }
    }

    /// Whether a person who says this means its service.
    #[must_use]
    pub fn is_called(&self, wanted: &str) -> bool {
        match self {
            Self::Docker | Self::Podman | Self::Pod { .. } => false,
            Self::Compose { service, .. } => service == wanted,
            Self::Swarm { service, stack } => {
                stack.as_ref().and_then(|stack| service.strip_prefix(&**stack)?.strip_prefix('_'))
                    == Some(wanted)
            }
        }
    }
}

/// The container's name. While Compose makes a container anew, the old one has the
/// beginning of its id before its name.
#[must_use]
pub fn name(container: &Container) -> &str {
    let name = container.name.as_str();
    let renamed = container.id.get(..SHORT).and_then(|id| name.strip_prefix(id)?.strip_prefix('_'));
    renamed.filter(|name| !name.is_empty()).unwrap_or(name)
}
