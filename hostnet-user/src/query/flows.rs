//! Connections as Zeek's conn.log has them: attempt, outcome, accept and close of a
//! socket put together, in the order in which they end.

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;

use super::{
    Answer, Filter, History, Moment, PeerFilter, Time,
    filter::Condition,
    history::{COLUMNS, Event},
};
use crate::event::Action;
use crate::{event::Contact, format::ecs::read::Side, row::touch::contact};

/// One connection, or what a UDP socket exchanged with one peer.
#[derive(Clone, Debug, Serialize)]
pub struct FlowRow {
    /// When it began.
    pub ts: Time,
    /// `event.id` of its first event.
    pub uid: String,
    /// Who began: address.
    #[serde(rename = "id.orig_h")]
    pub orig_h: Option<String>,
    /// Who began: port.
    #[serde(rename = "id.orig_p")]
    pub orig_p: Option<u16>,
    /// The other: address, or the name of a unix socket.
    #[serde(rename = "id.resp_h")]
    pub resp_h: Option<String>,
    /// The other: port.
    #[serde(rename = "id.resp_p")]
    pub resp_p: Option<u16>,
    /// Protocol.
    pub proto: String,
    /// Who is at the other end, when that is this host: a container, unit or program.
    pub service: Option<String>,
    /// Seconds from beginning to end.
    pub duration: Option<f64>,
    /// Bytes that the one who began sent; of UDP, datagrams are in the next fields.
    pub orig_bytes: Option<u64>,
    /// Bytes that the other sent.
    pub resp_bytes: Option<u64>,
    /// Datagrams that the one who began sent.
    pub orig_pkts: Option<u64>,
    /// Datagrams that the other sent.
    pub resp_pkts: Option<u64>,
    /// `SF` begun and ended, `S1` begun, `REJ` refused, `S0` without an answer, `RSTO`
    /// or `RSTR` ended by a reset, `OTH` of which the beginning was not told, or of which
    /// it cannot be seen whether anything was sent.
    pub conn_state: &'static str,
    /// Whether who began is the container.
    pub local_orig: bool,
    /// Whether the other is.
    pub local_resp: bool,
    /// Joins it to what Zeek and Suricata saw of the same flow.
    pub community_id: Option<String>,
    /// Name of the container, or `host`.
    pub container: String,
    /// Its full id.
    pub container_id: Option<String>,
    /// Its image.
    pub image: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// Its id on the host.
    pub pid: Option<u32>,
    /// The kernel's id of the socket.
    pub cookie: u64,
    /// errno by name, of a failure or a connection that ended with one.
    pub reason: Option<String>,
}

impl Answer for FlowRow {
    const TABLE: &'static [(&'static str, &'static str)] = &[
        ("ts", "TS"),
        ("container", "CONTAINER"),
        ("proto", "PROTO"),
        ("id.orig_h", "ORIG_H"),
        ("id.orig_p", "ORIG_P"),
        ("id.resp_h", "RESP_H"),
        ("id.resp_p", "RESP_P"),
        ("service", "SERVICE"),
        ("duration", "DURATION"),
        ("orig_bytes", "ORIG_BYTES"),
        ("resp_bytes", "RESP_BYTES"),
        ("conn_state", "STATE"),
    ];

    fn moments(&self) -> Vec<Moment> {
        let to = self.resp_h.as_deref().unwrap_or("?");
        let port = self.resp_p.map(|port| format!(" port {port}")).unwrap_or_default();
        let what =
            format!("{}: {} to {to}{port} ({})", self.container, self.proto, self.conn_state);
        vec![Moment::new(self.ts, "Flow", what)]
    }
}

/// A socket: its boot and its cookie.
type Socket = (String, u64);

/// The other end, of which a UDP socket has many.
type Other = (Option<String>, Option<u16>);

/// The flows that began at a time that is meant, each with its end whenever that was.
///
/// # Errors
/// When the history cannot be read, has nobody like that, or `take` fails.
pub fn flows(
    history: &History,
    filter: &Filter,
    with: &PeerFilter,
    mut take: impl FnMut(FlowRow) -> Result<()>,
) -> Result<()> {
    let owners = filter.owners(history)?;
    let mut condition = Condition::default();
    if let Some(since) = filter.since {
        condition.with("e.time_ns >= ?", since.0);
    }
    condition.one_of("e.action", OF_FLOWS.into_iter());
    if let Some(owners) = &owners {
        condition.one_of("e.owner", owners.iter().map(String::as_str));
    }
    let question =
        format!("SELECT {COLUMNS} FROM event e WHERE {} ORDER BY e.time_ns, e.id", condition.sql());
    let mut open = Open::default();
    let mut left = filter.most();
    history.each(&question, &condition.values, |event| {
        let is_later = event.time > filter.to();
        if is_later && open.flows.is_empty() || left == 0 {
            return Ok(false);
        }
        let mut ended = open.take(event, is_later);
        ended.retain(|flow| is_meant(flow, filter, with));
        for flow in ended.into_iter().take(left) {
            left -= 1;
            take(flow.row())?;
        }
        Ok(true)
    })?;
    let mut rest: Vec<Flow> = open.flows.into_values().flatten().map(|(_, flow)| flow).collect();
    rest.retain(|flow| is_meant(flow, filter, with));
    rest.sort_by_key(|flow| (flow.event.time, flow.event.id));
    rest.into_iter().take(left).try_for_each(|flow| take(flow.row()))
}

/// What flows are put together from.
const OF_FLOWS: [&str; 4] = [
    Action::ConnectionAttempted.name(),
    Action::ConnectionOutcome.name(),
    Action::ConnectionAccepted.name(),
    Action::DisconnectReceived.name(),
];

/// A flow: its first event, and what the others added.
struct Flow {
    event: Event,
    is_told: bool,
    outcome: String,
    contact: Contact,
    end: Option<Event>,
    packets: Option<(u64, u64)>,
    reason: Option<String>,
    local: Option<Side>,
}

#[derive(Default)]
struct Open {
    flows: HashMap<Socket, Vec<(Other, Flow)>>,
}

impl Open {
    /// The next event; the flows that end with it. After the time that is meant,
    /// none begins.
    fn take(&mut self, event: Event, is_later: bool) -> Vec<Flow> {
        let Some(cookie) = event.read.hostnet.socket.cookie else { return Vec::new() };
        let socket = (event.read.host.boot.id.clone().unwrap_or_default(), cookie);
        let remote = event.read.hostnet.remote.clone().unwrap_or_default();
        let other = (remote.address().map(str::to_owned), remote.port);
        match event.read.event.action() {
            Some(Action::DisconnectReceived) => self.end(&socket, &other, event, is_later),
            Some(Action::ConnectionOutcome) => match self.remove(&socket, &other) {
                Some(mut flow) => {
                    flow.outcome.clone_from(&event.read.event.outcome);
                    flow.contact = contact(&event.read);
                    flow.reason.clone_from(&event.read.event.reason);
                    flow.local = event.read.hostnet.local.clone();
                    if flow.outcome == "failure" {
                        return vec![flow];
                    }
                    self.flows.entry(socket).or_default().push((other, flow));
                    Vec::new()
                }
                None => self.begin(socket, other, event, is_later),
            },
            // An address was set, and so far nothing sent to it.
            _ if contact(&event.read) == Contact::Aimed => Vec::new(),
            _ => self.begin(socket, other, event, is_later),
        }
    }

    fn begin(&mut self, socket: Socket, other: Other, event: Event, is_later: bool) -> Vec<Flow> {
        // What a UDP socket exchanges with a peer is one flow: another run of the agent shows
        // its first datagram again.
        let is_datagram = event.read.hostnet.socket.protocol != "tcp";
        let is_open = |flows: &Vec<(Other, Flow)>| flows.iter().any(|(known, _)| *known == other);
        if is_datagram && self.flows.get(&socket).is_some_and(is_open) {
            return Vec::new();
        }
        // The same socket with the same end once more: what was before is over.
        let mut ended: Vec<Flow> = self.remove(&socket, &other).into_iter().collect();
        if is_later {
            return ended;
        }
        let flow = Flow::new(event, true);
        if flow.outcome == "failure" {
            ended.push(flow);
        } else {
            self.flows.entry(socket).or_default().push((other, flow));
        }
        ended
    }

    fn end(&mut self, socket: &Socket, other: &Other, event: Event, is_later: bool) -> Vec<Flow> {
        // A UDP socket ends with all its peers at once.
        let flows = self.flows.remove(socket).unwrap_or_default();
        if flows.is_empty() && !is_later && contact(&event.read) != Contact::Aimed {
            let mut flow = Flow::new(event.clone(), false);
            flow.finish(other, event);
            return vec![flow];
        }
        let finish = |(other, mut flow): (Other, Flow)| {
            flow.finish(&other, event.clone());
            flow
        };
        flows.into_iter().map(finish).collect()
    }

    fn remove(&mut self, socket: &Socket, other: &Other) -> Option<Flow> {
        let flows = self.flows.get_mut(socket)?;
        let at = flows.iter().position(|(known, _)| known == other)?;
        let (_, flow) = flows.swap_remove(at);
        if flows.is_empty() {
            self.flows.remove(socket);
        }
        Some(flow)
    }
}

fn is_meant(flow: &Flow, filter: &Filter, with: &PeerFilter) -> bool {
    let own = &flow.event.read.hostnet;
    let ends = [&own.local, &own.remote];
    let has = |is: &dyn Fn(&Side) -> bool| ends.iter().filter_map(|side| side.as_ref()).any(is);
    with.address.as_deref().is_none_or(|one| has(&|side| side.address() == Some(one)))
        && with.port.is_none_or(|port| has(&|side| side.port == Some(port)))
        && filter.is_of_process(&flow.event)
}

impl Flow {
    fn new(event: Event, is_told: bool) -> Self {
        let outcome = event.read.event.outcome.clone();
        let reason = event.read.event.reason.clone();
        let local = event.read.hostnet.local.clone();
        let contact = contact(&event.read);
        Self { event, is_told, outcome, contact, end: None, packets: None, reason, local }
    }

    fn finish(&mut self, other: &Other, end: Event) {
        let flows = &end.read.hostnet.udp.flows;
        let of_it = flows.iter().find(|flow| {
            (flow.remote.address(), flow.remote.port) == (other.0.as_deref(), other.1)
        });
        self.packets = of_it.map(|flow| (flow.sent, flow.received));
        self.reason = self.reason.take().or_else(|| end.read.event.reason.clone());
        self.end = Some(end);
    }

    fn state(&self) -> &'static str {
        let reason = self.reason.as_deref();
        match (self.is_told, self.outcome.as_str(), &self.end) {
            (false, ..) => "OTH",
            _ if self.contact == Contact::Unknown => "OTH",
            (_, "failure", _) if reason == Some("ECONNREFUSED") => "REJ",
            (_, "failure", _) => "S0",
            (_, _, Some(_)) if reason == Some("ECONNRESET") => "RSTR",
            (_, _, Some(_)) => "SF",
            (_, "success", None) => "S1",
            (_, _, None) => "S0",
        }
    }

    fn row(self) -> FlowRow {
        let conn_state = self.state();
        let Self { event, is_told, end, packets, reason, local, .. } = self;
        let read = &event.read;
        let is_ingress = read.network.direction.as_deref() == Some("ingress");
        // The local end of an attempt is known when it is over at the latest.
        let local = local
            .or_else(|| end.as_ref().and_then(|end| end.read.hostnet.local.clone()))
            .unwrap_or_default();
        let remote = read.hostnet.remote.clone().unwrap_or_default();
        let (orig, resp) = if is_ingress { (remote, local) } else { (local, remote) };
        let bytes = end.as_ref().map(|end| (end.read.source.bytes, end.read.destination.bytes));
        let lasted = end.as_ref().map(|end| match end.read.event.duration {
            Some(lasted) => lasted as f64 / 1e9,
            None => (end.time.0 - event.time.0) as f64 / 1e9,
        });
        let turned =
            |(sent, received)| if is_ingress { (received, sent) } else { (sent, received) };
        let packets = packets.map(turned);
        let source = end.as_ref().and_then(|end| end.read.network.community_id.clone());
        FlowRow {
            // A connection of which only the end was told says how long it lasted.
            ts: match read.event.duration {
                Some(lasted) if !is_told => event.time.before(lasted.cast_signed()),
                _ => event.time,
            },
            uid: read.event.id.clone(),
            orig_h: orig.address().map(str::to_owned),
            orig_p: orig.port,
            resp_h: resp.address().map(str::to_owned),
            resp_p: resp.port,
            proto: read.hostnet.socket.protocol.clone(),
            service: read.hostnet.peer.as_ref().map(|peer| peer.label()),
            duration: lasted,
            orig_bytes: bytes.and_then(|(source, _)| source),
            resp_bytes: bytes.and_then(|(_, destination)| destination),
            orig_pkts: packets.map(|(sent, _)| sent),
            resp_pkts: packets.map(|(_, received)| received),
            conn_state,
            local_orig: !is_ingress,
            local_resp: is_ingress,
            community_id: read.network.community_id.clone().or(source),
            container: read.container.label().unwrap_or(&event.owner).to_owned(),
            container_id: read.container.id.clone(),
            image: read.container.image(),
            process: read.process.name.clone(),
            pid: read.process.pid,
            cookie: read.hostnet.socket.cookie.unwrap_or(0),
            reason,
        }
    }
}
