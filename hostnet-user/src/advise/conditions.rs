//! What has to be done or to hold beside the options, for what was seen to go on working
//! and nothing more to be reachable.

use std::collections::BTreeMap;

use super::{
    act::{Bridge, Needs},
    observed::Observed,
    plan::network,
    publish::{Port, Publish},
    service::Manager,
};
use crate::text::shell::docker_name;

/// With more, publishing them is a cost of its own.
const MANY_PORTS: usize = 100;
/// With more options for them, one range is named that covers all.
const MANY_RANGES: usize = 20;
/// Listeners that one condition names.
const NAMED: usize = 4;

pub fn conditions(observed: &Observed, ports: &[Port], needs: &[Needs]) -> Vec<String> {
    let published: Vec<&Port> =
        ports.iter().filter(|port| !port.publish.values().is_empty()).collect();
    let mut conditions = many(&published);
    let moved = published.iter().filter(|port| matches!(port.publish, Publish::Elsewhere(_)));
    if let Some(places) = places(moved.copied()) {
        conditions.push(format!(
            "{places}: let it listen on 0.0.0.0 instead; inside a network of its own nobody else \
             reaches that, and Docker publishes it at the same address of the host as before"
        ));
    }
    conditions.extend(narrowed(&published));
    conditions.extend(seen_as_gateway(&published));
    // Swarm publishes at no address in particular.
    let has_addresses = !matches!(observed.manager(), Manager::Swarm { .. });
    let ipv4 =
        published.iter().filter(|port| has_addresses && port.is_ipv4_alone && port.at.is_empty());
    if let Some(places) = places(ipv4.copied()) {
        conditions.push(format!(
            "{places}: it listens on IPv4 only, and Docker publishes on IPv6, too; -p \
             0.0.0.0:PORT:PORT keeps it to IPv4"
        ));
    }
    for ((_, subject), thing) in &observed.things {
        if let Bridge::If(says) = &thing.bridge {
            conditions.push(format!("{subject}: {says}"));
        }
    }
    match observed.manager() {
        Manager::Swarm { .. } if needs.contains(&Needs::HostGateway) => conditions.push(
            "docker service create does not know host-gateway: give the service the node's \
             address instead of host.docker.internal"
                .to_owned(),
        ),
        Manager::Pod { pod } => {
            let name = if pod.is_empty() { String::new() } else { format!(" {pod}") };
            conditions.push(format!(
                "the containers of its pod{name} share one network: give podman pod create the \
                 options of each of them"
            ));
        }
        Manager::Docker | Manager::Podman | Manager::Compose { .. } | Manager::Swarm { .. } => {}
    }
    let others: Vec<&str> = needs
        .iter()
        .filter_map(|need| match need {
            Needs::NetworkWith(name) => Some(name.as_str()),
            Needs::HostGateway | Needs::Capability(_) => None,
        })
        .collect();
    if !others.is_empty() {
        let network = network(observed);
        let first = others.first().map_or("CONTAINER", |name| docker_name(name, "CONTAINER"));
        conditions.push(format!(
            "create the network and put {} in it, too: docker network create {network}; docker \
             network connect {network} {first}",
            others.join(", "),
        ));
    }
    conditions
}

/// `tcp 127.0.0.1:8080, udp *:53 and 3 more`; `None` of none.
fn places<'a>(ports: impl Iterator<Item = &'a Port>) -> Option<String> {
    let all: Vec<String> = ports.map(Port::place).collect();
    let named = all.get(..NAMED).unwrap_or(&all).join(", ");
    match all.len().saturating_sub(NAMED) {
        _ if all.is_empty() => None,
        0 => Some(named),
        more => Some(format!("{named} and {more} more")),
    }
}

fn many(published: &[&Port]) -> Vec<String> {
    let count: usize = published.iter().map(|port| port.count()).sum();
    if count <= MANY_PORTS {
        return Vec::new();
    }
    let mut says = format!(
        "{count} ports are published: each has firewall rules of its own and, with Docker's \
         userland proxy, a docker-proxy process"
    );
    let mut by_transport = BTreeMap::<&str, Vec<&Port>>::new();
    for port in published.iter().filter(|port| port.at.is_empty()) {
        by_transport.entry(&port.transport).or_default().push(port);
    }
    for (transport, ports) in by_transport.iter().filter(|(_, ports)| ports.len() > MANY_RANGES) {
        let first = ports.iter().map(|port| port.port).min().unwrap_or_default();
        let last = ports.iter().map(|port| port.to).max().unwrap_or_default();
        let covered: usize = ports.iter().map(|port| port.count()).sum();
        let spare = usize::from(last - first) + 1 - covered;
        says.push_str(&format!(
            "; -p {first}-{last}:{first}-{last}/{transport} is shorter, and takes {spare} ports of \
             the host that it does not listen on"
        ));
    }
    vec![says]
}

/// What is published at fewer addresses than it listens on, because only this host came.
fn narrowed(published: &[&Port]) -> Vec<String> {
    let mut by_visitors = BTreeMap::<_, Vec<&Port>>::new();
    for port in published.iter().filter(|port| port.is_narrowed()) {
        let who = (&port.at, &port.visitors.containers, port.visitors.by_host);
        by_visitors.entry(who).or_default().push(port);
    }
    let one = |((at, containers, by_host), ports): ((_, _, bool), Vec<&Port>)| {
        let (at, containers): (&Vec<_>, &std::collections::BTreeSet<String>) = (at, containers);
        let at: Vec<String> = at.iter().map(ToString::to_string).collect();
        let at = at.join(", ");
        let names: Vec<&str> = containers.iter().map(String::as_str).collect();
        let names = names.join(", ");
        let who = match (names.is_empty(), by_host) {
            (true, _) => "only this host".to_owned(),
            (false, true) => format!("only this host and containers on it ({names})"),
            (false, false) => format!("only other containers on this host ({names})"),
        };
        let instead = if by_host {
            String::new()
        } else {
            format!("; or leave out -p, and put it and {names} in one network")
        };
        let first = ports.first().map(|port| port.range()).unwrap_or_default();
        let wide = format!("-p {first}:{first}");
        format!(
            "{}: {who} came, at {at}, so it is published at {at} and nowhere else{instead}; if \
             other machines are to reach it, write {wide}",
            places(ports.iter().copied()).unwrap_or_default()
        )
    };
    by_visitors.into_iter().map(one).collect()
}

/// Who is seen with another address than now.
fn seen_as_gateway(published: &[&Port]) -> Option<String> {
    let is_local = |port: &&&Port| port.visitors.by_near > 0;
    let is_ipv6 = |port: &&&Port| port.visitors.over_ipv6 && port.visitors.by_far > 0;
    let who = match (
        published.iter().any(|port| is_local(&port)),
        published.iter().any(|port| is_ipv6(&port)),
    ) {
        (false, false) => return None,
        (true, false) => "clients on this host",
        (false, true) => "clients over IPv6",
        (true, true) => "clients on this host and over IPv6",
    };
    let ports = published.iter().filter(|port| is_local(port) || is_ipv6(port));
    Some(format!(
        "{}: behind a published port it sees {who} with the address of the bridge's gateway \
         (docker-proxy passes them on), which matters to access rules and logs by client address",
        places(ports.copied())?
    ))
}
