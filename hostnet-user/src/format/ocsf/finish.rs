//! What an OCSF event has beside its mapped fields: class and activity, what the
//! schema asks for, and nothing that it would refuse.

use serde_json::{Map, Value, json};

use super::{OCSF_VERSION, class};
use crate::event::Class;
use crate::format::{
    document::{Document, get, set, text},
    kinds::{Kind, Severity},
};

/// Attributes of these profiles are used.
const PROFILES: [&str; 3] = ["container", "datetime", "host"];

/// What is known from the event as a whole.
pub struct Heading {
    activity: u8,
    activity_name: String,
    severity: Severity,
    /// The side of the connection that is the owner's.
    ours: Option<Side>,
    /// Whether the container at the other end is in the host's network, too.
    peer_is_direct: bool,
    /// Whether the other end is known to be on this host.
    peer_is_here: bool,
    host_name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

impl Heading {
    pub fn of(kind: Kind, document: &Document) -> Self {
        let activity = kind.activity.id(document);
        let name = class::activity_name(kind.class, activity);
        let is_loopback = |path| {
            let ip = text(document, path).and_then(|ip| ip.parse::<std::net::IpAddr>().ok());
            ip.is_some_and(|ip| ip.is_loopback())
        };
        let ours = match text(document, "network.direction") {
            Some("ingress") => Some(Side::Destination),
            Some("egress") => Some(Side::Source),
            // A socket alone is `server`; of one whose two ends are known, but not
            // who began, ECS names the local one `source`.
            _ if document.contains_key("client") => Some(Side::Source),
            _ if document.contains_key("server") => Some(Side::Destination),
            _ => None,
        };
        Self {
            activity,
            activity_name: name.unwrap_or_else(|| kind.caption(document)).to_owned(),
            severity: Severity::of(kind.class, document),
            ours,
            peer_is_direct: get(document, "hostnet.peer.via").is_none(),
            peer_is_here: get(document, "hostnet.peer").is_some()
                || is_loopback("hostnet.remote.ip"),
            host_name: text(document, "host.hostname").map(str::to_owned),
        }
    }
}

/// Completes an event whose fields are mapped.
pub fn finish(event: &mut Document, class: Class, heading: Heading) {
    let uid = class.uid();
    let activity = heading.activity;
    let severity = match heading.severity {
        Severity::Unknown => (0, "Unknown"),
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let fixed = [
        ("class_uid", json!(uid)),
        ("class_name", class.name().into()),
        ("category_uid", json!(uid / 1000)),
        ("category_name", class.category().into()),
        ("activity_id", activity.into()),
        ("activity_name", heading.activity_name.as_str().into()),
        ("type_uid", json!(uid * 100 + u32::from(activity))),
        ("severity_id", severity.0.into()),
        ("severity", severity.1.into()),
    ];
    event.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    set(event, ["metadata", "version"], OCSF_VERSION.into());
    set(event, ["metadata", "profiles"], json!(PROFILES));
    set(event, ["metadata", "product", "vendor_name"], "hostnet".into());
    device(event);
    match class {
        Class::Network => network(event, &heading),
        Class::Process => actor_of_process(event),
        Class::Finding => finding(event),
        Class::Evidence => evidence(event),
        Class::Lifecycle => set(event, ["app", "vendor_name"], "hostnet".into()),
        Class::State | Class::Inventory | Class::Error => {}
    }
    clean_actor(event);
    if get(event, "actor.process.container").is_some() {
        brief(event, "device");
    }
}

/// What kind of machine it is, is not known.
fn device(event: &mut Document) {
    set(event, ["device", "type_id"], 0.into());
    if get(event, "device.os.name").and_then(Value::as_str).is_none_or(str::is_empty) {
        set(event, ["device", "os", "name"], "Linux".into());
    }
    if get(event, "device.os.type_id").is_none() {
        set(event, ["device", "os", "type_id"], 0.into());
    }
    on_host_network(event, "device");
}

/// The ends: which is ours, and whose containers are at them.
fn network(event: &mut Document, heading: &Heading) {
    let (source, destination) = ("src_endpoint", "dst_endpoint");
    let (local, remote) = match heading.ours {
        Some(Side::Destination) => (destination, source),
        _ => (source, destination),
    };
    // The local end is on this host, and that is its name.
    let mut ours = object(event.remove("local_endpoint"));
    ours.extend(heading.host_name.clone().map(|name| ("hostname".into(), name.into())));
    merge(event, local, ours);
    on_host_network(event, local);
    let mut theirs = object(event.remove("remote_endpoint"));
    let has_id = ["ip", "name"].iter().any(|id| get(event, &format!("{remote}.{id}")).is_some());
    if !theirs.is_empty() && !has_id {
        // Whoever has a name here is on this host.
        theirs.extend(heading.host_name.clone().map(|name| ("hostname".into(), name.into())));
    }
    merge(event, remote, theirs);
    if heading.peer_is_direct {
        on_host_network(event, remote);
    }
    for end in [source, destination] {
        let known = ["ip", "name", "hostname"];
        if known.iter().all(|id| get(event, &format!("{end}.{id}")).is_none()) {
            event.remove(end);
        }
    }
    connection(event);
    if get(event, "actor.process.pid").is_some() {
        brief(event, local);
    }
    let side = match heading.ours {
        Some(Side::Source) => 1,
        Some(Side::Destination) => 2,
        None => 0,
    };
    event.insert("observation_point_id".to_owned(), side.into());
    if event.contains_key(source) && event.contains_key(destination) {
        let direction = get(event, "connection_info.direction_id").and_then(Value::as_u64);
        let is_known = direction.is_some_and(|id| id != 0);
        event.insert("is_src_dst_assignment_known".to_owned(), is_known.into());
    }
    // 1: on the same endpoint.
    if heading.peer_is_here && event.contains_key("connection_info") {
        set(event, ["connection_info", "boundary_id"], 1.into());
    }
    let ip = |end: &str| {
        let name = format!("{end}.ip");
        let value = get(event, &name)?.clone();
        Some(json!({ "name": name, "type": "IP Address", "type_id": 2, "value": value }))
    };
    observables(event, [ip(source), ip(destination)]);
}

/// A connection without a known direction says so.
fn connection(event: &mut Document) {
    if let Some(Value::Object(connection)) = event.get_mut("connection_info") {
        connection.entry("direction_id").or_insert_with(|| 0.into());
    }
}

/// Exec and exit are acts of the process itself.
fn actor_of_process(event: &mut Document) {
    for name in ["pid", "uid"] {
        if let Some(value) = get(event, &format!("process.{name}")).cloned() {
            set(event, ["actor", "process", name], value);
        }
    }
    on_host_network(event, "process");
}

fn finding(event: &mut Document) {
    let field = |path| get(event, path).cloned().unwrap_or_default();
    let (uid, title) = (field("metadata.uid"), field("message"));
    set(event, ["finding_info", "uid"], uid);
    set(event, ["finding_info", "title"], title);
    // 1: rule.
    set(event, ["finding_info", "analytic", "type_id"], 1.into());
    set(event, ["finding_info", "analytic", "type"], "Rule".into());
    event.insert("is_alert".to_owned(), true.into());
    // 1: new. A status is the reader's to change.
    event.insert("status_id".to_owned(), 1.into());
    let mut evidence = object(event.remove("evidences"));
    clean_actor(&mut evidence);
    connection(&mut evidence);
    on_host_network_of(&mut evidence);
    if get(&evidence, "actor.process").is_some() {
        brief_of(&mut evidence);
    }
    let is_evidence = |name: &String| name != "container";
    if evidence.keys().any(is_evidence) {
        event.insert("evidences".to_owned(), json!([evidence]));
    } else if let Some(container) = evidence.remove("container") {
        set(event, ["device", "container"], container);
    }
}

/// A socket that the kernel listed: a query for connections (7) that found it (1).
fn evidence(event: &mut Document) {
    set(event, ["query_evidence", "query_type_id"], 7.into());
    if get(event, "query_evidence.connection_info.direction_id").is_none() {
        set(event, ["query_evidence", "connection_info", "direction_id"], 0.into());
    }
    event.insert("query_result_id".to_owned(), 1.into());
    let ip = |name: &str| {
        let value = get(event, name)?.clone();
        Some(json!({ "name": name, "type": "IP Address", "type_id": 2, "value": value }))
    };
    observables(event, [ip("unmapped.hostnet.local.ip"), ip("unmapped.hostnet.remote.ip")]);
}

/// An actor needs somebody, and a process its id.
fn clean_actor(event: &mut Document) {
    let Some(Value::Object(actor)) = event.get_mut("actor") else { return };
    if let Some(Value::Object(process)) = actor.get("process")
        && !process.contains_key("pid")
        && !process.contains_key("uid")
    {
        actor.remove("process");
    }
    on_host_network(actor, "process");
    if actor.is_empty() {
        event.remove("actor");
    }
}

/// What acts in the host's network namespace uses the host's network, whatever
/// its container declares.
fn on_host_network(event: &mut Document, of: &str) {
    if let Some(Value::Object(object)) = event.get_mut(of) {
        on_host_network_of(object);
    }
}

fn on_host_network_of(object: &mut Document) {
    if let Some(Value::Object(container)) = object.get_mut("container") {
        container.insert("network_driver".to_owned(), "host".into());
    }
}

/// A container that the acting process has whole is only named elsewhere.
fn brief(event: &mut Document, of: &str) {
    if let Some(Value::Object(object)) = event.get_mut(of) {
        brief_of(object);
    }
}

fn brief_of(object: &mut Document) {
    if let Some(Value::Object(container)) = object.get_mut("container") {
        container.retain(|name, _| matches!(&**name, "uid" | "name" | "network_driver"));
    }
}

fn observables<const N: usize>(event: &mut Document, all: [Option<Value>; N]) {
    let all: Vec<Value> = all.into_iter().flatten().collect();
    if !all.is_empty() {
        event.insert("observables".to_owned(), all.into());
    }
}

fn object(value: Option<Value>) -> Document {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn merge(event: &mut Document, name: &str, more: Document) {
    if let Value::Object(object) = event.entry(name).or_insert_with(|| Map::new().into()) {
        object.extend(more);
    }
}

/// A place as the attribute's name in the event.
pub fn public_name(place: &str) -> String {
    match place.split_once('.') {
        Some(("local_endpoint", rest)) => format!("`{rest}` of the owner's endpoint"),
        Some(("remote_endpoint", rest)) => format!("`{rest}` of the other endpoint"),
        Some(("evidences", rest)) => format!("`evidences[].{rest}`"),
        _ => format!("`{place}`"),
    }
}
