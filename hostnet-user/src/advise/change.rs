//! What to change to run a container on a bridge network: in the `docker run` command,
//! and in the Compose file.

use serde::Serialize;

use super::{
    act::{Bridge, Needs},
    observed::Observed,
    ports::{Port, Publish},
};

/// The value of `--add-host` by which a container finds its host.
const HOST_GATEWAY: &str = "host.docker.internal:host-gateway";

/// The change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Arguments of `docker run` in the place of `--network host`.
    pub docker_run: Vec<String>,
    /// The service in the Compose file, as YAML.
    pub compose: String,
    /// What has to be done or to hold beside it, for what was seen to go on working.
    pub conditions: Vec<String>,
}

/// What both forms say.
struct Plan {
    publish: Vec<String>,
    networks: Vec<String>,
    host_gateway: bool,
    add: Vec<&'static str>,
}

impl Change {
    /// The change for what was seen of a container.
    #[must_use]
    pub fn of(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Self {
        let plan = Plan::of(observed, ports, needs);
        let mode = observed.declared.as_deref().unwrap_or("host");
        Self {
            docker_run: plan.docker_run(),
            compose: plan.compose(&service(observed), mode),
            conditions: conditions(observed, ports, needs),
        }
    }
}

/// What the service is called in the Compose file.
fn service(observed: &Observed) -> String {
    let container = observed.container.as_ref();
    let labels = container.map(|container| &container.labels);
    let service = labels.and_then(|labels| labels.get("com.docker.compose.service"));
    service.cloned().unwrap_or_else(|| observed.label())
}

impl Plan {
    fn of(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Self {
        let publish = ports.iter().filter_map(|port| match &port.publish {
            Publish::As(value) | Publish::Elsewhere(value) => Some(value.clone()),
            _ => None,
        });
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
            _ => None,
        });
        Self {
            publish: publish.collect(),
            networks: if networks {
                vec![format!("{}-net", service(observed))]
            } else {
                Vec::new()
            },
            host_gateway: needs.contains(&Needs::HostGateway),
            add: add.collect(),
        }
    }

    fn docker_run(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut option = |name: &str, value: &str| {
            arguments.extend([name.to_owned(), value.to_owned()]);
        };
        self.networks.iter().for_each(|name| option("--network", name));
        self.publish.iter().for_each(|value| option("-p", value));
        if self.host_gateway {
            option("--add-host", HOST_GATEWAY);
        }
        self.add.iter().for_each(|name| option("--cap-add", name));
        arguments
    }

    fn compose(&self, service: &str, mode: &str) -> String {
        let mut lines = vec![
            "services:".to_owned(),
            format!("  {}:", yaml(service)),
            format!("    # remove: network_mode: {}", yaml(mode)),
        ];
        let mut list = |key: &str, values: &[String]| {
            if !values.is_empty() {
                lines.push(format!("    {key}:"));
                lines.extend(values.iter().map(|value| format!("      - {}", yaml(value))));
            }
        };
        list("ports", &self.publish);
        list("networks", &self.networks);
        if self.host_gateway {
            list("extra_hosts", &[HOST_GATEWAY.to_owned()]);
        }
        list("cap_add", &self.add.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        if let [name] = self.networks.as_slice() {
            lines.push("networks:".to_owned());
            lines.push(format!("  {}: {{}}", yaml(name)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A text as a YAML scalar. JSON's strings are YAML's in double quotes, and ports have to be
/// quoted: YAML 1.1 takes `22:22` for a number of base 60.
fn yaml(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_plain)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn conditions(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Vec<String> {
    let mut conditions = Vec::new();
    for port in ports {
        if let Publish::Elsewhere(_) = port.publish {
            conditions.push(format!(
                "{}: let it listen on 0.0.0.0 instead; inside its own network that is nobody \
                 else's address, and Docker publishes it at this one alone",
                port.place()
            ));
        }
    }
    for ((_, subject), thing) in &observed.things {
        if let Bridge::If(says) = &thing.bridge {
            conditions.push(format!("{subject}: {says}"));
        }
    }
    let others: Vec<&str> = needs
        .iter()
        .filter_map(|need| match need {
            Needs::NetworkWith(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if !others.is_empty() {
        let network = format!("{}-net", service(observed));
        conditions.push(format!(
            "make the network ({network}) and put {} in it, too: docker network create; docker \
             network connect",
            others.join(", ")
        ));
    }
    let published: usize = ports
        .iter()
        .filter(|port| matches!(port.publish, Publish::As(_) | Publish::Elsewhere(_)))
        .map(Port::count)
        .sum();
    if published > MANY_PORTS {
        conditions.push(format!(
            "{published} ports are published: each has rules of its own, and with the userland \
             proxy a process"
        ));
    }
    conditions
}

/// With more, publishing them is a cost of its own.
const MANY_PORTS: usize = 100;
