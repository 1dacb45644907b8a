//! The document: every field in the order it is written.

use std::{net::IpAddr, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    ends::{End, Ends, Side},
    parts::{OwnerParts, Parts, exact_bytes},
    specifics::Specifics,
    timestamp::Timestamps,
};
use crate::{
    errno,
    event::{Category, Event, Operation, Outcome, Socket, canonical},
    record::Recorded,
};

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
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a RawValue>,
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
struct User {
    id: String,
}

#[derive(Serialize)]
struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    r#type: &'static str,
    iana_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
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
    creator: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Box<RawValue>>,
    #[serde(flatten)]
    specifics: Specifics,
    time: Time,
}

#[derive(Serialize)]
struct SocketFields {
    cookie: u64,
    family: &'static str,
    r#type: &'static str,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<u16>,
}

#[derive(Serialize)]
struct Time {
    boot_ns: u64,
}

/// The shared parts that the document borrows.
pub struct Borrowed {
    pub owner: Option<Arc<OwnerParts>>,
    pub creator: Option<Arc<OwnerParts>>,
    pub process: Option<Arc<RawValue>>,
}

impl Borrowed {
    pub fn of(event: &Event, parts: &mut Parts, times: &mut Timestamps) -> Self {
        Self {
            owner: event.owner.as_ref().map(|owner| parts.owner(owner)),
            creator: event.creator.as_ref().map(|creator| parts.owner(creator)),
            process: parts.process(event, times),
        }
    }
}

impl<'a> Document<'a> {
    pub fn new(
        record: &Recorded,
        parts: &'a Parts,
        borrowed: &'a Borrowed,
        times: &mut Timestamps,
        message: &'a str,
    ) -> Self {
        let event = &record.event;
        let told = event.operation.told();
        let dataset = dataset(told.category());
        let ends = Ends::of(event);
        let errno = match told.outcome() {
            Outcome::Failure(errno) => errno,
            _ => close_errno(&event.operation),
        };
        let specifics = Specifics::of(event, times);
        let owner = borrowed.owner.as_deref();
        let creator = borrowed.creator.as_deref();
        let user = event.actor.map(|actor| User { id: actor.uid.to_string() });
        Self {
            timestamp: times.format(event.wall_ns),
            message,
            ecs: &parts.ecs,
            data_stream: DataStream { r#type: "logs", dataset, namespace: "default" },
            event: EventFields {
                id: event.id,
                sequence: record.sequence,
                kind: "event",
                module: "hostnet",
                dataset,
                provider: event.hook.map(hostnet_abi::Hook::attach_point),
                category: [category(told.category())],
                r#type: told.types(),
                action: told.action(),
                outcome: told.outcome().name(),
                reason: errno.and_then(errno::name),
                created: times.format(record.seen_ns),
                duration: duration(&event.operation),
                start: specifics.loss_range.as_ref().map(|(start, _)| start.clone()),
                end: specifics.loss_range.as_ref().map(|(_, end)| end.clone()),
            },
            agent: &parts.agent,
            host: &parts.host,
            process: borrowed.process.as_deref(),
            related: related(&ends, user.as_ref()),
            user,
            container: owner.and_then(|owner| owner.container.as_deref()),
            network: event.socket.map(|socket| network(event, socket, &ends)),
            source: ends.source,
            client: ends.client,
            destination: ends.destination,
            server: ends.server,
            hostnet: Hostnet {
                operation: told.operation(),
                amends: event.amends,
                local: event.local().map(|address| side(event, address)),
                remote: event.remote().map(|address| side(event, address)),
                socket: event.socket.map(|socket| socket_fields(socket, errno)),
                netns: owner.map(|owner| &*owner.netns),
                owner: owner.map(|owner| &*owner.owner),
                creator: creator.map(|creator| &*creator.owner),
                creator_container: creator.and_then(|creator| creator.container.as_deref()),
                container: owner.and_then(|owner| owner.declared.as_deref()),
                process: event.process.as_deref().and_then(exact_bytes),
                specifics,
                time: Time { boot_ns: event.boot_ns },
            },
        }
    }
}

const fn dataset(category: Category) -> &'static str {
    match category {
        Category::Network => "hostnet.network",
        Category::Process => "hostnet.process",
        Category::State => "hostnet.state",
        Category::Health => "hostnet.health",
    }
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::Network | Category::State => "network",
        Category::Process => "process",
        Category::Health => "host",
    }
}

fn duration(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Close(close) => close.duration_ns,
        Operation::DatagramClose(close) => close.duration_ns,
        Operation::ConnectOutcome(outcome) => Some(outcome.after_ns),
        _ => None,
    }
}

fn close_errno(operation: &Operation) -> Option<u16> {
    if let Operation::Close(close) = operation { close.errno } else { None }
}

fn side(event: &Event, address: std::net::SocketAddr) -> Side {
    let is_inet6 =
        event.socket.is_some_and(|socket| i32::from(socket.socket.family) == libc::AF_INET6);
    Side::of(address).mapped_if(address, is_inet6)
}

fn network(event: &Event, socket: Socket, ends: &Ends) -> Network {
    let told = event.operation.told();
    let protocol = socket.socket.protocol;
    // The remote end tells; a local one may be unspecified.
    let ip = event.remote().or(event.local()).map(|end| canonical(end).ip());
    let is_v6 = ip.map_or(i32::from(socket.socket.family) == libc::AF_INET6, |ip| ip.is_ipv6());
    Network {
        transport: transport(protocol),
        r#type: if is_v6 { "ipv6" } else { "ipv4" },
        iana_number: protocol.to_string(),
        direction: told.direction().map(crate::event::Direction::name),
        community_id: community_id(ends, protocol),
        bytes: match &event.operation {
            Operation::Close(close) => Some(close.sent + close.received),
            _ => None,
        },
    }
}

/// Joins the event to what Zeek and Suricata saw of the same flow.
fn community_id(ends: &Ends, protocol: u32) -> Option<String> {
    let (source, destination) = (ends.source?, ends.destination?);
    if source.ip.is_unspecified() || !matches!(protocol, 6 | 17) {
        return None;
    }
    community_id::calculate_community_id(
        0,
        source.ip,
        destination.ip,
        source.port,
        destination.port,
        u8::try_from(protocol).ok()?,
        false,
    )
    .ok()
}

const fn transport(protocol: u32) -> Option<&'static str> {
    Some(match protocol {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "ipv6-icmp",
        132 => "sctp",
        136 => "udplite",
        262 => "mptcp",
        _ => return None,
    })
}

fn socket_fields(socket: Socket, errno: Option<u16>) -> SocketFields {
    SocketFields {
        cookie: socket.cookie,
        family: if i32::from(socket.socket.family) == libc::AF_INET6 { "inet6" } else { "inet" },
        r#type: match i32::from(socket.socket.kind) {
            libc::SOCK_STREAM => "stream",
            libc::SOCK_DGRAM => "dgram",
            libc::SOCK_RAW => "raw",
            libc::SOCK_SEQPACKET => "seqpacket",
            _ => "other",
        },
        protocol: transport(socket.socket.protocol).unwrap_or("other"),
        errno,
    }
}

fn related(ends: &Ends, user: Option<&User>) -> Related {
    let mut ip: Vec<IpAddr> = Vec::new();
    for end in [ends.source, ends.destination].into_iter().flatten() {
        if !ip.contains(&end.ip) {
            ip.push(end.ip);
        }
    }
    Related { ip, user: user.map(|user| vec![user.id.clone()]).unwrap_or_default() }
}
