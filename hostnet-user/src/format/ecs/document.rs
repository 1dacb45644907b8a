//! The document: every field in the order it is written.

use std::{borrow::Cow, collections::BTreeSet, net::IpAddr, sync::Arc};

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{
    super::fit::Cut,
    ends::{End, Ends, Side},
    finding::{FindingFields, FindingParts},
    labels::Which,
    network::{Network, SocketFields},
    parts::{OwnerParts, Parts},
    peer,
    process::ProcessParts,
    specifics::Specifics,
    timestamp::Timestamps,
};
use crate::event::{Category, Event, NameSource, Operation, Outcome, Recorded, Surface, errno};

#[derive(Serialize)]
pub struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    message: &'a str,
    ecs: &'a RawValue,
    data_stream: DataStream,
    event: EventFields,
    agent: &'a RawValue,
    host: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestrator: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threat: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Related::is_empty")]
    related: Related,
    hostnet: Hostnet<'a>,
}

#[derive(Serialize)]
struct DataStream {
    r#type: &'static str,
    dataset: &'static str,
    namespace: &'static str,
}

#[derive(Serialize)]
struct EventFields {
    id: uuid::Uuid,
    sequence: u64,
    kind: &'static str,
    module: &'static str,
    dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'static str>,
    category: [&'static str; 1],
    r#type: &'static [&'static str],
    action: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

#[derive(Serialize)]
struct User<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// What ECS has no field for.
#[derive(Serialize)]
struct OwnUser {
    name_source: NameSource,
}

#[derive(Default, Serialize)]
struct Related {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user: Vec<String>,
}

impl Related {
    fn is_empty(&self) -> bool {
        self.ip.is_empty() && self.user.is_empty()
    }
}

#[derive(Serialize)]
struct Hostnet<'a> {
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amends: Option<uuid::Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<SocketFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compose: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<OwnUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    surface: Option<SurfaceFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<&'a FindingFields>,
    #[serde(flatten)]
    specifics: Specifics<'a>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    truncated: &'a Cut,
    time: Time,
}

#[derive(Serialize)]
struct SurfaceFields {
    target: Surface,
}

#[derive(Serialize)]
struct Time {
    boot_ns: u64,
}

/// The shared parts that the document borrows.
pub struct Borrowed<'a> {
    pub message: Cow<'a, str>,
    pub owner: Option<Arc<OwnerParts>>,
    /// The container in an event that describes it.
    pub described: Option<Box<RawValue>>,
    pub creator: Option<Arc<OwnerParts>>,
    pub process: Option<Arc<ProcessParts>>,
    pub peer: Option<Box<RawValue>>,
    pub shares_port_with: Vec<Value>,
    pub finding: Option<FindingParts>,
    /// Which fields are not whole.
    pub cut: Cut,
}

impl<'a> Borrowed<'a> {
    pub fn of(event: &Event, message: &'a str, parts: &mut Parts, times: &mut Timestamps) -> Self {
        let mut cut = Cut::new();
        let owner = event.owner.as_ref().map(|owner| parts.owner(owner));
        let which = Which::of(&event.operation);
        let describes = event.owner.as_ref().filter(|_| which == Which::All);
        let described = describes.and_then(|owner| parts.container(owner, which, &mut cut));
        if let Some(owner) = &owner {
            let is_said = |name: &&String| described.is_none() || !name.starts_with("container.");
            cut.extend(owner.cut.iter().filter(is_said).cloned());
        }
        let creator = event.creator.as_ref().map(|creator| parts.owner(creator));
        if creator.as_ref().is_some_and(|creator| !creator.cut.is_empty()) {
            cut.insert("hostnet.creator".to_owned());
        }
        let process = parts.process(event, times);
        cut.extend(process.iter().flat_map(|process| process.cut.iter().cloned()));
        let shares_port_with = match &event.operation {
            Operation::Bind(bind) => &*bind.shares_port_with,
            Operation::Listen(listen) => &*listen.shares_port_with,
            _ => &[],
        };
        Self {
            message: parts.text(message, "message", &mut cut),
            owner,
            described,
            creator,
            process,
            peer: event.peer.as_ref().map(|peer| peer::peer(peer, parts, &mut cut)),
            shares_port_with: peer::sharing(shares_port_with, parts, &mut cut),
            finding: FindingParts::of(event, parts, &mut cut),
            cut,
        }
    }
}

impl<'a> Document<'a> {
    pub fn new(
        record: &'a Recorded,
        parts: &'a Parts,
        borrowed: &'a Borrowed<'a>,
        times: &mut Timestamps,
    ) -> Self {
        let event = &record.event;
        let told = event.operation.told();
        let action = told.action();
        let dataset = action.category().dataset();
        let ends = Ends::of(event);
        let errno = match told.outcome() {
            Outcome::Failure(errno) => errno,
            _ => close_errno(&event.operation),
        };
        let specifics = Specifics::of(event, &borrowed.shares_port_with, times);
        let owner = borrowed.owner.as_deref();
        let described = borrowed.described.as_deref();
        let creator = borrowed.creator.as_deref();
        let (name, name_source) = event.user_name().unzip();
        let user = event.user().map(|id| User { id: id.to_string(), name });
        Self {
            timestamp: times.format(event.wall_ns),
            message: &borrowed.message,
            ecs: &parts.ecs,
            data_stream: DataStream { r#type: "logs", dataset, namespace: "default" },
            event: EventFields {
                id: event.id,
                sequence: record.sequence,
                kind: kind(&event.operation),
                module: "hostnet",
                dataset,
                provider: provider(event),
                category: [category(action.category())],
                r#type: told.types(),
                action: action.name(),
                outcome: told.outcome().name(),
                severity: borrowed.finding.as_ref().map(|finding| finding.severity),
                reason: errno.and_then(errno::name),
                created: times.format(record.seen_ns),
                duration: duration(&event.operation),
                start: specifics.range.as_ref().map(|(start, _)| start.clone()),
                end: specifics.range.as_ref().map(|(_, end)| end.clone()),
            },
            agent: &parts.agent,
            host: &parts.host,
            process: borrowed.process.as_ref().map(|process| &*process.ecs),
            related: related(&ends, user.as_ref()),
            user,
            container: described.or(owner.and_then(|owner| owner.container.as_deref())),
            orchestrator: owner.and_then(|owner| owner.orchestrator.as_deref()),
            network: event.socket.map(|socket| Network::of(event, socket)),
            source: ends.source,
            client: ends.client,
            destination: ends.destination,
            server: ends.server,
            rule: borrowed.finding.as_ref().map(|finding| &*finding.rule),
            threat: borrowed.finding.as_ref().and_then(|finding| finding.threat.as_deref()),
            hostnet: Hostnet {
                operation: told.operation(),
                amends: event.amends,
                local: Side::local(event),
                remote: Side::remote(event),
                socket: event.socket.map(|socket| SocketFields::of(socket, errno)),
                netns: owner.map(|owner| &*owner.netns),
                owner: owner.map(|owner| &*owner.owner),
                attribution: owner.map(|owner| &*owner.attribution),
                creator: creator.map(|creator| &*creator.creator),
                creator_container: creator.and_then(|creator| creator.container.as_deref()),
                container: owner.and_then(|owner| owner.declared.as_deref()),
                compose: owner.and_then(|owner| owner.compose.as_deref()),
                process: borrowed.process.as_ref().and_then(|process| process.own.as_deref()),
                user: name_source.map(|name_source| OwnUser { name_source }),
                peer: borrowed.peer.as_deref(),
                surface: event.surface.map(|target| SurfaceFields { target }),
                finding: borrowed.finding.as_ref().map(|finding| &finding.own),
                specifics,
                truncated: &borrowed.cut,
                time: Time { boot_ns: event.boot_ns },
            },
        }
    }
}

const fn kind(operation: &Operation) -> &'static str {
    match operation {
        Operation::ExistingSocket(_) | Operation::Present(_) => "state",
        Operation::Finding(_) => "alert",
        _ => "event",
    }
}

fn provider(event: &Event) -> Option<&'static str> {
    match event.operation {
        Operation::ExistingSocket(_) => Some("sock_diag"),
        _ => event.hook.map(hostnet_abi::Hook::attach_point),
    }
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::Network | Category::State => "network",
        Category::Configuration => "configuration",
        Category::Process => "process",
        Category::Finding => "intrusion_detection",
        Category::Health => "host",
    }
}

fn duration(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Close(close) => close.duration_ns,
        Operation::DatagramClose(close) => close.duration_ns,
        Operation::ConnectOutcome(outcome) => outcome.after_ns,
        _ => None,
    }
}

fn close_errno(operation: &Operation) -> Option<u16> {
    if let Operation::Close(close) = operation { close.errno } else { None }
}

fn related(ends: &Ends, user: Option<&User<'_>>) -> Related {
    let mut ip: Vec<IpAddr> = Vec::new();
    for address in [&ends.source, &ends.destination].into_iter().flatten().filter_map(|end| end.ip)
    {
        if !ip.contains(&address) {
            ip.push(address);
        }
    }
    Related { ip, user: user.map(|user| vec![user.id.clone()]).unwrap_or_default() }
}
