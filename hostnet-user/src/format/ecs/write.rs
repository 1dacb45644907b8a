//! An event as a document: what each field of it is written as.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use serde_json::value::RawValue;

use super::{
    super::fit::Cut,
    document::{
        DataStream, Document, EventFields, Hostnet, OwnUser, Related, SurfaceFields, Time, User,
        Word,
    },
    ends::{self, Ends},
    finding::FindingParts,
    labels::Which,
    network,
    parts::{OwnerParts, Parts},
    peer,
    process::ProcessParts,
};
use crate::event::{Category, Event, Fitted, Operation, Range, Recorded, Timestamps, errno};

/// The shared parts that the document borrows.
pub struct Borrowed<'a> {
    pub message: Cow<'a, str>,
    pub owner: Option<Arc<OwnerParts>>,
    /// The container in an event that describes it.
    pub described: Option<Box<RawValue>>,
    pub creator: Option<Arc<OwnerParts>>,
    pub process: Option<Arc<ProcessParts>>,
    pub peer: Option<Box<RawValue>>,
    pub shares_port_with: Vec<Box<RawValue>>,
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
        let shares_port_with = event.operation.told().shares_port_with();
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

impl Borrowed<'_> {
    /// The event as a document.
    pub fn document<'a>(
        &'a self,
        record: &'a Recorded,
        parts: &'a Parts,
        times: &mut Timestamps,
    ) -> Document<'a> {
        let event = &record.event;
        let told = event.operation.told();
        let action = told.action();
        let dataset = action.category().dataset();
        let ends = Ends::of(event);
        let errno = told.errno();
        let wall =
            |boot_ns: u64| event.wall_ns.saturating_sub(event.boot_ns.saturating_sub(boot_ns));
        let (start, end) = match told.range() {
            Some(Range::Boot(from_ns, to_ns)) => (Some(wall(from_ns)), Some(wall(to_ns))),
            Some(Range::Wall(from_ns, to_ns)) => (Some(from_ns), Some(to_ns)),
            None => (None, None),
        };
        let own = event.operation.own(Fitted {
            sharing: &self.shares_port_with,
            subject: self.finding.as_ref().map_or("", |finding| &finding.subject),
        });
        let owner = self.owner.as_deref();
        let described = self.described.as_deref();
        let creator = self.creator.as_deref();
        let (name, name_source) = event.user_name().unzip();
        let id = event.user().map(|id| id.to_string());
        let related = related(&ends, id.as_deref());
        let user = id.map(|id| User { id: Some(id.into()), name: name.map(Into::into) });
        Document {
            timestamp: times.format(event.wall_ns).into(),
            message: (&*self.message).into(),
            ecs: Some(&parts.ecs),
            data_stream: DataStream { r#type: "logs", dataset, namespace: "default" },
            event: EventFields {
                id: event.id,
                sequence: record.sequence,
                kind: told.kind(),
                module: Some("hostnet".into()),
                dataset,
                provider: provider(event).map(Into::into),
                category: [category(action.category())],
                r#type: told.info().types,
                action: action.name().into(),
                outcome: Some(told.outcome().name().into()),
                severity: self.finding.as_ref().map(|finding| finding.severity),
                reason: errno.and_then(errno::name).map(Into::into),
                created: Some(times.format(record.seen_ns).into()),
                duration: told.duration_ns(),
                start: start.map(|start| times.format(start).into()),
                end: end.map(|end| times.format(end).into()),
            },
            agent: Some(&parts.agent),
            host: Some(&parts.host),
            process: self.process.as_ref().map(|process| &*process.ecs),
            user,
            container: described.or(owner.and_then(|owner| owner.container.as_deref())),
            orchestrator: owner.and_then(|owner| owner.orchestrator.as_deref()),
            network: event.socket.map(|socket| network::network(event, socket)),
            source: ends.source,
            client: ends.client,
            destination: ends.destination,
            server: ends.server,
            rule: self.finding.as_ref().map(|finding| &*finding.rule),
            threat: self.finding.as_ref().and_then(|finding| finding.threat.as_deref()),
            related,
            hostnet: Hostnet {
                operation: Some(Word(told.operation().into())),
                amends: event.amends,
                local: ends::local(event),
                remote: ends::remote(event),
                socket: event.socket.map(|socket| network::socket_fields(socket, errno)),
                netns: owner.map(|owner| &*owner.netns),
                owner: owner.map(|owner| &*owner.owner),
                attribution: owner.map(|owner| &*owner.attribution),
                creator: creator.map(|creator| &*creator.creator),
                creator_container: creator.and_then(|creator| creator.container.as_deref()),
                container: owner.and_then(|owner| owner.declared.as_deref()),
                compose: owner.and_then(|owner| owner.compose.as_deref()),
                process: self.process.as_ref().and_then(|process| process.own.as_deref()),
                user: name_source.map(|_| OwnUser { name_source }),
                peer: self.peer.as_deref(),
                surface: event.surface.map(|_| SurfaceFields { target: event.surface }),
                own,
                truncated: Some(&self.cut).filter(|cut| !cut.is_empty()),
                time: Some(Time { boot_ns: event.boot_ns }),
            },
        }
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

fn related(ends: &Ends, user: Option<&str>) -> Related {
    let mut ip: Vec<IpAddr> = Vec::new();
    for address in [&ends.source, &ends.destination].into_iter().flatten().filter_map(|end| end.ip)
    {
        if !ip.contains(&address) {
            ip.push(address);
        }
    }
    Related { ip, user: user.map(|id| vec![id.to_owned()]).unwrap_or_default() }
}
