//! What an OCSF event has beside its mapped fields: class and activity, what the
//! schema asks for, and nothing that it would refuse.

use std::net::IpAddr;

use super::{
    class,
    event::Event,
    places::{Connection, Container, Place, Process},
    version::Version,
};
use crate::{
    event::Class,
    format::{
        document::Document,
        kinds::{Kind, Severity},
        side::Side,
    },
    text::json,
};

/// Attributes of these profiles are used.
const PROFILES: &str = r#"["container","datetime","host"]"#;

/// The name of an end that a version asks for and nobody knows.
const UNKNOWN: &str = r#""unknown""#;

const HOSTNET: &str = r#""hostnet""#;

/// What is known from the event as a whole.
pub struct Heading<'a> {
    pub class: Class,
    activity: u8,
    activity_name: String,
    severity: Severity,
    /// The side of the connection that is the owner's.
    ours: Option<Side>,
    /// Whether the container at the other end is in the host's network, too.
    peer_is_direct: bool,
    /// Whether the other end is known to be on this host.
    peer_is_here: bool,
    host_name: Option<&'a str>,
    /// The two ends' addresses.
    addresses: [Option<&'a str>; 2],
}

impl<'a> Heading<'a> {
    pub fn of(document: &Document<'a>, version: Version) -> Self {
        let kind = Kind::of(document);
        let (class, activity) = version.class(kind.class, kind.activity);
        let activity = version.activity(class, activity.id(document));
        let action = document.text("event.action").unwrap_or_default();
        let name = class::activity_name(class, activity).unwrap_or_else(|| kind.caption(&action));
        let is_loopback = |path| {
            let ip = document.text(path).and_then(|ip| ip.parse::<IpAddr>().ok());
            ip.is_some_and(|ip| ip.is_loopback())
        };
        let severity = document.text("hostnet.finding.severity");
        let is_text = |json: &&str| json.starts_with('"');
        Self {
            class,
            activity,
            activity_name: json::raw(&name).get().to_owned(),
            severity: Severity::of(kind.class, severity.as_deref()),
            ours: Side::of_owner(document),
            peer_is_direct: !document.has("hostnet.peer.via"),
            peer_is_here: document.has("hostnet.peer") || is_loopback("hostnet.remote.ip"),
            host_name: document.json("host.hostname").filter(is_text),
            addresses: ["hostnet.local.ip", "hostnet.remote.ip"].map(|path| document.json(path)),
        }
    }

    /// The side that is ours; where nobody knows, that of who begins.
    pub fn ours(&self) -> Side {
        self.ours.unwrap_or(Side::Source)
    }
}

/// Completes an event whose fields are mapped.
pub fn finish<'a>(event: &mut Event<'a>, heading: &Heading<'a>) {
    let to = &event.table.places;
    let class = heading.class;
    let uid = class.uid();
    let (severity_id, severity) = match heading.severity {
        Severity::Unknown => ("0", r#""Unknown""#),
        Severity::Informational => ("1", r#""Informational""#),
        Severity::Low => ("2", r#""Low""#),
        Severity::Medium => ("3", r#""Medium""#),
        Severity::High => ("4", r#""High""#),
        Severity::Critical => ("5", r#""Critical""#),
    };
    event.put(to.class_uid, uid.to_string());
    event.put(to.class_name, word(class.name()));
    event.put(to.category_uid, (uid / 1000).to_string());
    event.put(to.category_name, word(class.category()));
    event.put(to.activity_id, heading.activity.to_string());
    event.put(to.activity_name, heading.activity_name.clone());
    event.put(to.type_uid, (uid * 100 + u32::from(heading.activity)).to_string());
    event.put(to.severity_id, severity_id);
    event.put(to.severity, severity);
    event.put(to.version, word(event.table.version.number()));
    event.put(to.profiles, PROFILES);
    event.put(to.vendor_name, HOSTNET);
    device(event);
    match class {
        Class::Network => network(event, heading),
        Class::Process => actor_of_process(event),
        Class::Finding => finding(event),
        Class::Evidence => evidence(event, heading),
        Class::Lifecycle => event.put(to.app_vendor_name, HOSTNET),
        Class::State | Class::Inventory | Class::Error => {}
    }
    clean_actor(event, to.actor);
    if event.has(to.actor.container.whole) {
        brief(event, to.device);
    }
}

/// A word of ours as JSON.
fn word(word: &str) -> String {
    ["\"", word, "\""].concat()
}

/// What kind of machine it is, is not known.
fn device(event: &mut Event<'_>) {
    let to = &event.table.places;
    event.put(to.device_type_id, "0");
    if event.get(to.os_name).is_none_or(|name| !name.starts_with('"') || name == r#""""#) {
        event.put(to.os_name, r#""Linux""#);
    }
    put_absent(event, to.os_type_id, "0");
    on_host_network(event, to.device);
}

/// The ends: which is ours, and whose containers are at them.
fn network<'a>(event: &mut Event<'a>, heading: &Heading<'a>) {
    let to = &event.table.places;
    let (local, remote) = match heading.ours() {
        Side::Source => (to.source, to.destination),
        Side::Destination => (to.destination, to.source),
    };
    let name_of_host = heading.host_name.unwrap_or_default();
    // The local end is on this host, and that is its name.
    event.put(local.hostname, name_of_host);
    on_host_network(event, local.container);
    let has_id = event.has(remote.ip) || event.has(remote.name);
    if event.has(remote.container.whole) && !has_id {
        // Whoever has a name here is on this host.
        event.put(remote.hostname, name_of_host);
    }
    if heading.peer_is_direct {
        on_host_network(event, remote.container);
    }
    for end in [local, remote] {
        if ![end.ip, end.name, end.hostname].iter().any(|id| event.has(*id)) {
            event.remove(end.whole);
            if event.table.version.needs_both_ends() {
                event.put(end.name, UNKNOWN);
            }
        }
    }
    connection(event, to.connection);
    if event.has(to.actor.pid) {
        brief(event, local.container);
    }
    let side = match heading.ours {
        Some(Side::Source) => "1",
        Some(Side::Destination) => "2",
        None => "0",
    };
    event.put(to.observation_point, side);
    if event.has(local.whole) && event.has(remote.whole) {
        let direction = event.get(to.connection.direction_id);
        let is_known = direction.is_some_and(|id| id.parse::<u64>().is_ok_and(|id| id != 0));
        event.put(to.is_direction_known, if is_known { "true" } else { "false" });
    }
    // 1: on the same endpoint.
    if heading.peer_is_here && event.has(to.connection.whole) {
        event.put(to.connection.boundary_id, "1");
    }
    let ip = |name, place| Some((name, event.get(place)?.to_string()));
    let ends = [ip("src_endpoint.ip", to.source.ip), ip("dst_endpoint.ip", to.destination.ip)];
    observables(event, ends);
}

/// A connection without a known direction says so.
fn connection(event: &mut Event<'_>, of: Connection) {
    if event.has(of.whole) {
        put_absent(event, of.direction_id, "0");
    }
}

/// Exec and exit are acts of the process itself.
fn actor_of_process(event: &mut Event<'_>) {
    let to = &event.table.places;
    for (from, to) in [(to.process.pid, to.actor.pid), (to.process.uid, to.actor.uid)] {
        let value = event.get(from).cloned().unwrap_or_default();
        event.put(to, value);
    }
    on_host_network(event, to.process.container);
}

fn finding(event: &mut Event<'_>) {
    let to = &event.table.places;
    for (from, to) in [(to.event_uid, to.finding_uid), (to.message, to.finding_title)] {
        let value = event.get(from).cloned().unwrap_or("null".into());
        event.put(to, value);
    }
    // 1: rule.
    event.put(to.analytic_type_id, "1");
    event.put(to.analytic_type, r#""Rule""#);
    event.put(to.is_alert, "true");
    // 1: new. A status is the reader's to change.
    event.put(to.status_id, "1");
    clean_actor(event, to.evidence_actor);
    connection(event, to.evidence_connection);
    on_host_network(event, to.evidence_container);
    if event.has(to.evidence_actor.whole) {
        brief(event, to.evidence_container);
    }
    if !to.evidence.iter().any(|place| event.has(*place)) {
        event.move_below(to.evidence_container.whole, to.device.whole);
    }
}

/// A socket that the kernel listed: a query for connections (7) that found it (1).
fn evidence<'a>(event: &mut Event<'a>, heading: &Heading<'a>) {
    let to = &event.table.places;
    event.put(to.query_type_id, "7");
    put_absent(event, to.query_connection.direction_id, "0");
    event.put(to.query_result_id, "1");
    let [local, remote] = heading.addresses;
    let ip = |path, value: Option<&str>| Some((path, value?.to_owned()));
    let ends = [ip("unmapped.hostnet.local.ip", local), ip("unmapped.hostnet.remote.ip", remote)];
    observables(event, ends);
}

/// An actor needs somebody, and a process its id.
fn clean_actor(event: &mut Event<'_>, process: Process) {
    if !event.has(process.pid) && !event.has(process.uid) {
        event.remove(process.whole);
    }
    on_host_network(event, process.container);
}

/// What acts in the host's network namespace uses the host's network, whatever
/// its container declares.
fn on_host_network(event: &mut Event<'_>, container: Container) {
    if event.has(container.whole) {
        event.put(container.network_driver, r#""host""#);
    }
}

/// A container that the acting process has whole is only named elsewhere.
fn brief(event: &mut Event<'_>, container: Container) {
    let kept = container.brief.map(|place| event.get(place).cloned().unwrap_or_default());
    event.remove(container.whole);
    container.brief.into_iter().zip(kept).for_each(|(place, value)| event.put(place, value));
}

fn put_absent(event: &mut Event<'_>, place: Place, value: &'static str) {
    if event.get(place).is_none() {
        event.put(place, value);
    }
}

fn observables(event: &mut Event<'_>, all: [Option<(&str, String)>; 2]) {
    let one = |(name, value): (&str, String)| {
        format!(r#"{{"name":"{name}","type":"IP Address","type_id":2,"value":{value}}}"#)
    };
    let all: Vec<String> = all.into_iter().flatten().map(one).collect();
    if !all.is_empty() {
        event.put(event.table.places.observables, format!("[{}]", all.join(",")));
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
