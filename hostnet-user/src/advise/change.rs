//! What to change to run a container on a bridge network: in the command that starts it,
//! and in the Compose or stack file.

use serde::Serialize;

use super::{
    act::Needs,
    compose::{self, Dialect},
    conditions::conditions,
    observed::Observed,
    plan::{Plan, service},
    publish::{Port, Publish},
    service::Manager,
};
use crate::text::shell::{self, ShellWord, docker_name};

/// The change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What starts it: `docker run`, `docker compose`, `docker service create`, `podman run`
    /// or `podman pod create`.
    pub command: &'static str,
    /// Arguments of that command in the place of `--network host`; of Compose, those that
    /// `docker run` would need.
    pub docker_run: Vec<ShellWord>,
    /// The file that describes it, in words; empty where there is none.
    pub file: String,
    /// The service in that file, as YAML.
    pub compose: String,
    /// What has to be done or to hold beside it, for what was seen to go on working.
    pub conditions: Vec<String>,
}

/// The command that starts a container.
const fn command(manager: &Manager) -> &'static str {
    match manager {
        Manager::Podman => "podman run",
        Manager::Pod { .. } => "podman pod create",
        Manager::Docker => "docker run",
        Manager::Compose { .. } => "docker compose",
        Manager::Swarm { .. } => "docker service create",
    }
}

impl Change {
    /// The change for what was seen of a container.
    #[must_use]
    pub fn of(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Self {
        let plan = Plan::of(observed, ports, needs);
        let mode = observed.declared.as_deref().unwrap_or("host");
        let manager = observed.manager();
        let (kind, file) = match &manager {
            Manager::Pod { .. } => (Dialect::Compose, String::new()),
            Manager::Compose { project, .. } => {
                (Dialect::Compose, format!("the Compose file of project {project}"))
            }
            Manager::Swarm { stack: Some(stack), .. } => {
                (Dialect::Stack, format!("the stack file of {stack}"))
            }
            Manager::Swarm { stack: None, .. } => (Dialect::Stack, "a stack file".to_owned()),
            Manager::Docker | Manager::Podman => (Dialect::Compose, "Compose".to_owned()),
        };
        Self {
            command: command(&manager),
            docker_run: plan.options(&manager),
            file,
            compose: compose::service(
                &plan,
                kind,
                docker_name(&service(observed), "SERVICE"),
                mode,
            ),
            conditions: conditions(observed, ports, needs),
        }
    }

    /// At most `most` of its options as a line for a shell, and how many more there are.
    #[must_use]
    pub fn options(&self, most: usize) -> (String, usize) {
        // Each has a value.
        let shown = self.docker_run.get(..2 * most).unwrap_or(&self.docker_run);
        (shell::line(shown), (self.docker_run.len() - shown.len()) / 2)
    }
}

impl Port {
    /// What this manager cannot publish.
    pub fn published_by(&mut self, manager: &Manager) {
        let is_swarm = matches!(manager, Manager::Swarm { .. });
        if !is_swarm || self.at.is_empty() || self.publish.values().is_empty() {
            return;
        }
        let at: Vec<String> = self.at.iter().map(ToString::to_string).collect();
        let says = format!(
            "it was reached at {} only, and a Swarm service can only publish a port at all \
             addresses of a node",
            at.join(", ")
        );
        let containers: Vec<&str> = self.visitors.containers.iter().map(String::as_str).collect();
        self.publish = if containers.is_empty() || self.visitors.by_host {
            Publish::Impossible(says)
        } else {
            let all = containers.join(", ");
            Publish::Unclear(format!("{says}; one overlay network for it and {all} may do"))
        };
    }
}
