//! The audit as events of OCSF 1.8.0's class "Live Evidence Info" (5040): a subject
//! is a query for processes that found its first one, a socket a query for network
//! connections. What OCSF has no name for is under `unmapped`.

use serde_json::{Value, json};

use crate::{
    audit::{Audit, Level, Listener, Remote, Subject},
    format::ocsf::Version,
};

const CLASS: u32 = 5040;

/// What a query was for.
const CONNECTIONS: u8 = 7;
const PROCESSES: u8 = 10;

/// `LISTEN` and `ESTABLISHED` of a TCP socket.
const LISTEN: u8 = 10;
const ESTABLISHED: u8 = 1;

/// A line each.
pub fn events(audit: &Audit) -> Vec<Value> {
    let of = |subject: &Subject| {
        let mut events = vec![found(audit, subject)];
        events.extend(subject.holds.listeners.iter().map(|one| listener(audit, subject, one)));
        let remotes = subject.holds.connections.remotes.iter();
        events.extend(remotes.map(|one| remote(audit, subject, one)));
        events
    };
    audit.in_host_network.iter().flat_map(of).collect()
}

fn found(audit: &Audit, subject: &Subject) -> Value {
    let message = format!(
        "{} is in the host's network namespace ({}), risk {}",
        subject.label,
        subject.way.words(),
        subject.risk
    );
    let process = subject.processes.first();
    let mut process = process.map_or_else(
        || json!({ "uid": subject.label }),
        |process| {
            let mut shown = json!({
                "pid": process.pid,
                "name": process.name,
                "path": process.executable,
                "user": { "uid": process.privileges.uid.to_string() },
            });
            if let Some(command_line) = &process.command_line {
                shown["cmd_line"] = command_line.clone().into();
            }
            shown
        },
    );
    if let Some(container) = container(subject) {
        process["container"] = container;
    }
    let evidence =
        json!({ "query_type_id": PROCESSES, "query_type": "Process", "process": process });
    let mut event = event(audit, subject, &message, evidence);
    event["unmapped"] = json!({ "hostnet": { "audit": subject } });
    event
}

fn listener(audit: &Audit, subject: &Subject, listener: &Listener) -> Value {
    let message = format!("{} listens on {}", subject.label, listener.words());
    let mut evidence = connection(&listener.protocol, listener.address.is_ipv6());
    if listener.protocol == "tcp" {
        evidence["tcp_state_id"] = LISTEN.into();
    }
    socket(audit, subject, &message, evidence, json!(listener), &listener.address.to_string())
}

fn remote(audit: &Audit, subject: &Subject, remote: &Remote) -> Value {
    let end = match (remote.port, remote.to_port) {
        (Some(port), _) => std::net::SocketAddr::new(remote.address, port).to_string(),
        (None, Some(port)) => format!("{} at port {port}", remote.address),
        (None, None) => remote.address.to_string(),
    };
    let message = format!("{} has {} connections with {end}", subject.label, remote.count);
    let mut evidence = connection(&remote.protocol, remote.address.is_ipv6());
    if remote.protocol == "tcp" {
        evidence["tcp_state_id"] = ESTABLISHED.into();
    }
    // 1: in, 2: out.
    let direction = if remote.to_port.is_some() { 1 } else { 2 };
    evidence["connection_info"]["direction_id"] = direction.into();
    let mut event =
        socket(audit, subject, &message, evidence, json!(remote), &remote.address.to_string());
    event["count"] = remote.count.into();
    event
}

fn connection(protocol: &str, is_v6: bool) -> Value {
    let number = match protocol {
        "tcp" => 6,
        "udp" => 17,
        _ => 136,
    };
    json!({
        "query_type_id": CONNECTIONS,
        "query_type": "Network Connection",
        "connection_info": {
            "direction_id": 0,
            "protocol_num": number,
            "protocol_name": protocol,
            "protocol_ver_id": if is_v6 { 6 } else { 4 },
        },
    })
}

fn socket(
    audit: &Audit,
    subject: &Subject,
    message: &str,
    evidence: Value,
    socket: Value,
    address: &str,
) -> Value {
    let mut event = event(audit, subject, message, evidence);
    event["unmapped"] = json!({ "hostnet": { "socket": socket } });
    event["observables"] = json!([{ "name": "unmapped.hostnet.socket.address", "type": "IP Address", "type_id": 2,
                 "value": address }]);
    event
}

fn event(audit: &Audit, subject: &Subject, message: &str, evidence: Value) -> Value {
    let (severity, severity_name) = severity(subject.risk);
    let host = &audit.host;
    let mut device = json!({
        "type_id": 0,
        "hostname": host.name,
        "uid": host.id,
        "os": { "name": "Linux", "type_id": 200, "kernel_release": host.kernel },
    });
    if let Some(container) = container(subject) {
        device["container"] = container;
    }
    json!({
        "activity_id": 1,
        "activity_name": "Query",
        "category_uid": CLASS / 1000,
        "category_name": "Discovery",
        "class_uid": CLASS,
        "class_name": "Live Evidence Info",
        "type_uid": CLASS * 100 + 1,
        "severity_id": severity,
        "severity": severity_name,
        "time": audit.wall_ns / 1_000_000,
        "message": message,
        "metadata": {
            "version": Version::V1_8.number(),
            "product": {
                "name": "hostnet",
                "vendor_name": "hostnet",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "profiles": ["container", "host"],
            "log_name": "hostnet.audit",
        },
        "device": device,
        "query_evidence": evidence,
        // 1: it exists.
        "query_result_id": 1,
        "query_info": { "name": "hostnet audit", "query_string": "hostnet audit" },
        "status_id": 1,
    })
}

fn container(subject: &Subject) -> Option<Value> {
    let id = subject.container_id.as_ref()?;
    let mut container = json!({ "uid": id, "network_driver": "host" });
    if let Some(runtime) = &subject.runtime {
        container["runtime"] = json!(runtime);
    }
    if let Some(known) = &subject.container {
        container["name"] = json!(known.name);
        container["image"] = json!({ "name": known.image, "uid": known.image_id });
    }
    Some(container)
}

const fn severity(level: Level) -> (u8, &'static str) {
    match level {
        Level::None => (1, "Informational"),
        Level::Low => (2, "Low"),
        Level::Medium => (3, "Medium"),
        Level::High => (4, "High"),
        Level::Critical => (5, "Critical"),
    }
}
