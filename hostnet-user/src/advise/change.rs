//! What to change to run a container on a bridge network: in the command that starts it,
//! and in the Compose or stack file.

use serde::Serialize;

use super::{
    act::Needs,
    compose::{self, Dialect},
    conditions::conditions,
    observed::Observed,
    publish::{Port, Publish},
    service::Manager,
};
use crate::text::shell::{self, ShellWord, docker_name};

/// The value of `--add-host` by which a container finds its host.
pub const HOST_GATEWAY: &str = "host.docker.internal:host-gateway";

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

/// What both forms say.
pub struct Plan {
    /// Values of `-p`.
    pub publish: Vec<String>,
    /// First and last port and transport of each.
    pub ranges: Vec<(u16, u16, String)>,
    /// Networks to be in.
    pub networks: Vec<String>,
    /// Whether the host has to be found by name.
    pub host_gateway: bool,
    /// Capabilities to add.
    pub add: Vec<&'static str>,
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

/// What the service is called in its file.
pub fn service(observed: &Observed) -> String {
    match observed.manager() {
        Manager::Compose { service, .. } => service,
        Manager::Swarm { service, stack } => {
            let of_stack = stack.and_then(|stack| service.strip_prefix(&stack)?.strip_prefix('_'));
            of_stack.map(str::to_owned).unwrap_or(service)
        }
        Manager::Docker | Manager::Podman | Manager::Pod { .. } => observed.label(),
    }
}

/// What the network is called that it and others are in; `NETWORK` where its own name would
/// not do.
pub fn network(observed: &Observed) -> String {
    docker_name(&format!("{}-net", service(observed)), "NETWORK").to_owned()
}

impl Plan {
    fn of(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Self {
        let published = || ports.iter().filter(|port| !port.publish.values().is_empty());
        let networks = needs.iter().any(|need| matches!(need, Needs::NetworkWith(_)));
        let drops_net_raw = observed.container.as_ref().is_some_and(|container| {
            let is_drop = |word: &String| {
                let word = word.to_ascii_uppercase();
                matches!(word.as_str(), "-ALL" | "-CAP_ALL" | "-NET_RAW" | "-CAP_NET_RAW")
            };
            container.capabilities.iter().any(is_drop)
        });
        let add = needs.iter().filter_map(|need| match need {
            // Without a drop it is one of the runtime's defaults.
            Needs::Capability(name) if drops_net_raw => Some(*name),
            Needs::Capability(_) | Needs::HostGateway | Needs::NetworkWith(_) => None,
        });
        Self {
            publish: published().flat_map(|port| port.publish.values()).cloned().collect(),
            ranges: published().map(|port| (port.port, port.to, port.transport.clone())).collect(),
            networks: if networks { vec![network(observed)] } else { Vec::new() },
            // Swarm resolves no `host-gateway`: a condition says what to do.
            host_gateway: needs.contains(&Needs::HostGateway)
                && !matches!(observed.manager(), Manager::Swarm { .. }),
            add: add.collect(),
        }
    }

    /// Options of the command that starts it.
    fn options(&self, manager: &Manager) -> Vec<ShellWord> {
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: &str| {
            arguments.extend([name, value].map(ShellWord::new));
        };
        self.networks.iter().for_each(|name| option("--network", name));
        if let Manager::Swarm { .. } = manager {
            self.each_port(|port, transport| {
                let value =
                    format!("published={port},target={port},protocol={transport},mode=host");
                option("--publish", &value);
            });
        } else {
            self.publish.iter().for_each(|value| option("-p", value));
        }
        if self.host_gateway {
            option("--add-host", HOST_GATEWAY);
        }
        self.add.iter().for_each(|name| option("--cap-add", name));
        arguments
    }

    /// Ports in a stack file. Only at the node that a task is on: by its routing mesh,
    /// Swarm would publish it at every node.
    pub fn stack_ports(&self) -> Vec<String> {
        let mut ports = Vec::new();
        self.each_port(|port, transport| {
            ports.push(format!(
                "{{target: {port}, published: {port}, protocol: {transport}, mode: host}}"
            ));
        });
        ports
    }

    fn each_port(&self, mut with: impl FnMut(u16, &str)) {
        for (first, last, transport) in &self.ranges {
            (*first..=*last).for_each(|port| with(port, transport));
        }
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
