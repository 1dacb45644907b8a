//! Fields under `hostnet` that only some kinds of events have.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    cgroups::{migration_fields, spoof_fields},
    ends::Side,
    record_health,
    timestamp::Timestamps,
    udp::UdpFields,
};
use crate::event::{
    Bind, ConnectOutcome, Event, ExistingSocket, Exit, Health, LossCount, MulticastJoin, Operation,
    PacketBind, Scope, SocketFilter, SocketState, Unix, UnixKind, total,
};

#[derive(Default, Serialize)]
pub struct Specifics<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bind: Option<BindFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<ListenFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existing: Option<ExistingFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rewritten_to: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<UdpFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<PacketFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<FilterFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netlink: Option<NetlinkFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multicast: Option<MulticastFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<ExitFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<PresentFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identified: Option<IdentifiedFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spoof: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Value>,
    /// Start and end of a loss, which ECS has fields for.
    #[serde(skip)]
    pub range: Option<(String, String)>,
}

#[derive(Serialize)]
struct MulticastFields {
    group: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface_index: Option<u32>,
}

#[derive(Serialize)]
struct BindFields<'a> {
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_port: Option<u16>,
    reuse_address: bool,
    reuse_port: bool,
    v6_only: bool,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    shares_port_with: &'a [Value],
}

#[derive(Serialize)]
struct ListenFields<'a> {
    backlog: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    shares_port_with: &'a [Value],
}

#[derive(Serialize)]
struct PacketFields {
    interface_index: u32,
    ether_type: u32,
}

#[derive(Serialize)]
struct FilterFields {
    instructions: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Default, Serialize)]
struct NetlinkFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<u32>,
}

#[derive(Serialize)]
struct ExistingFields {
    state: SocketState,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<u32>,
}

#[derive(Serialize)]
struct ExitFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u32>,
}

#[derive(Serialize)]
struct PresentFields {
    agent: bool,
}

#[derive(Serialize)]
struct IdentifiedFields {
    events: u64,
}

impl<'a> Specifics<'a> {
    /// `others` are those whose port is shared.
    pub fn of(event: &Event, others: &'a [Value], times: &mut Timestamps) -> Self {
        let mut fields = Self::default();
        match &event.operation {
            Operation::Bind(bind) => fields.bind = Some(bind_fields(bind, others)),
            Operation::Listen(listen) => {
                let scope = Some(Scope::of(listen.local));
                let (backlog, shares_port_with) = (listen.backlog, others);
                fields.listen = Some(ListenFields { backlog, scope, shares_port_with });
            }
            Operation::Connect(connect)
            | Operation::ConnectOutcome(ConnectOutcome { connect, .. }) => {
                fields.rewritten_to = connect.rewritten_to.map(Side::of);
                fields.udp = connect.sent.map(UdpFields::of_connect);
            }
            Operation::Unix(Unix { kind: UnixKind::Listen { backlog }, .. }) => {
                let (backlog, shares_port_with) = ((*backlog).into(), others);
                fields.listen = Some(ListenFields { backlog, scope: None, shares_port_with });
            }
            Operation::PacketBind(bind) => {
                let PacketBind { interface, protocol, .. } = *bind;
                fields.packet =
                    Some(PacketFields { interface_index: interface, ether_type: protocol });
            }
            Operation::SocketFilter(SocketFilter { instructions, sha256 }) => {
                let sha256 = sha256.clone();
                fields.filter = Some(FilterFields { instructions: *instructions, sha256 });
            }
            Operation::NetlinkRequest(request) => {
                fields.netlink = Some(NetlinkFields {
                    message: Some(request.message),
                    message_name: request.name(),
                    flags: Some(request.flags),
                    unread_bytes: (request.unread > 0).then_some(request.unread),
                    groups: None,
                });
            }
            Operation::NetlinkBind(bind) => {
                let groups = Some(bind.groups);
                fields.netlink = Some(NetlinkFields { groups, ..NetlinkFields::default() });
            }
            Operation::MulticastJoin(join) => {
                let MulticastJoin { group, source, interface, .. } = *join;
                fields.multicast =
                    Some(MulticastFields { group, source, interface_index: interface });
            }
            Operation::ExistingSocket(existing) => {
                fields.existing = Some(existing_fields(existing))
            }
            Operation::DatagramClose(close) => {
                fields.udp = Some(UdpFields::of_close(close));
            }
            Operation::Datagram(datagram) => {
                fields.udp = datagram.is_last.then(UdpFields::of_last_peer);
            }
            Operation::Exit(exit) => fields.exit = Some(exit_fields(*exit)),
            Operation::Present(present) => {
                fields.present = Some(PresentFields { agent: present.is_agent });
            }
            Operation::Identified(identified) => {
                fields.identified = Some(IdentifiedFields { events: identified.events });
            }
            Operation::CgroupMigration(migration) => {
                fields.migration = Some(migration_fields(migration));
            }
            Operation::NameSpoof(spoof) => fields.spoof = Some(spoof_fields(spoof)),
            Operation::Health(health) => fields.health(event, health, times),
            Operation::Accept(_)
            | Operation::Close(_)
            | Operation::ListenerClosed(_)
            | Operation::RawSocket(_)
            | Operation::FamilySocket(_)
            | Operation::Unix(_)
            | Operation::Exec(_)
            | Operation::Finding(_)
            | Operation::Joined(_)
            | Operation::Left(_) => {}
        }
        fields
    }

    fn health(&mut self, event: &Event, health: &Health, times: &mut Timestamps) {
        match health {
            Health::Started { coverage, complete, settings } => {
                self.health = Some(json!({
                    "coverage": coverage, "complete": complete, "settings": settings,
                }));
            }
            Health::Stopped { reason, events, lost } => {
                self.health = Some(json!({ "reason": reason, "events": events, "lost": lost }));
            }
            Health::Lost { place, from_ns, to_ns, by } => {
                self.untold(event, place, (*from_ns, *to_ns), by, times);
            }
            Health::Suppressed { from_ns, to_ns, by } => {
                self.untold(event, "kernel-budget", (*from_ns, *to_ns), by, times);
            }
            Health::CoverageChanged { coverage, complete } => {
                self.health = Some(json!({ "coverage": coverage, "complete": complete }));
            }
            Health::MapsWiped { maps } | Health::MapsUnmarked { maps } => {
                self.health = Some(json!({ "maps": maps }))
            }
            Health::Stalled { from_ns, to_ns } => {
                self.time_range(event, (*from_ns, *to_ns), times);
            }
            Health::Adopted { from_ns, to_ns, unread } => {
                self.time_range(event, (*from_ns, *to_ns), times);
                self.health = Some(json!({ "unread": unread }));
            }
            Health::RuntimeReachable { endpoint, version } => {
                self.health = Some(json!({ "endpoint": endpoint, "version": version }));
            }
            Health::RuntimeUnreachable { endpoint, reason } => {
                self.health = Some(json!({ "endpoint": endpoint, "reason": reason }));
            }
            Health::RulesRefused { judged, refused, faults } => {
                self.health =
                    Some(json!({ "judged": judged, "refused": refused, "faults": faults }));
            }
            Health::RulesMended { judged } => self.health = Some(json!({ "judged": judged })),
            Health::Heartbeat { numbers } => self.health = Some(numbers.clone()),
            Health::Undecodable { reason, count } => {
                self.loss = Some(json!({ "place": "decode", "count": count, "reason": reason }));
            }
            Health::Record(record) => {
                let fields = record_health::fields(record, times);
                (self.health, self.loss) = (fields.health, fields.loss);
                self.range = fields.range;
            }
        }
    }

    fn time_range(&mut self, event: &Event, (from_ns, to_ns): (u64, u64), times: &mut Timestamps) {
        let wall =
            |boot_ns: u64| event.wall_ns.saturating_sub(event.boot_ns.saturating_sub(boot_ns));
        self.range = Some((times.format(wall(from_ns)), times.format(wall(to_ns))));
    }

    /// What was not told, and when that was.
    fn untold(
        &mut self,
        event: &Event,
        place: &str,
        (from_ns, to_ns): (u64, u64),
        by: &[LossCount],
        times: &mut Timestamps,
    ) {
        self.time_range(event, (from_ns, to_ns), times);
        let count = total(by.iter().map(|loss| loss.count));
        let by: Vec<Value> = by.iter().map(record_health::loss).collect();
        self.loss = Some(json!({ "place": place, "count": count, "by": by }));
    }
}

fn bind_fields<'a>(bind: &Bind, shares_port_with: &'a [Value]) -> BindFields<'a> {
    let (reuse_address, reuse_port, v6_only) = bind.options();
    BindFields {
        scope: bind.scope(),
        requested_port: bind.requested.map(|requested: SocketAddr| requested.port()),
        reuse_address,
        reuse_port,
        v6_only,
        shares_port_with,
    }
}

fn existing_fields(existing: &ExistingSocket) -> ExistingFields {
    let is_open_to_others = matches!(existing.state, SocketState::Listen | SocketState::Bound);
    ExistingFields {
        state: existing.state,
        scope: existing.local.filter(|_| is_open_to_others).map(Scope::of),
        backlog: existing.backlog,
        interface: existing.interface,
    }
}

fn exit_fields(exit: Exit) -> ExitFields {
    match exit.status() {
        Some(status) => ExitFields { status: Some(status), signal: None },
        None => ExitFields { status: None, signal: Some(exit.code & 0x7f) },
    }
}
