//! Which act an event is, decided by the event alone: it does not know what else the
//! container did.

use super::{
    act::{Act, Bridge, End, Group, MACVLAN, Needs},
    beyond_ip,
};
use crate::{
    event::{
        Contact, Event, Operation, Outcome, Owner, OwnerKind, PeerParty, Scope, Surface, UnixKind,
        Via, family,
    },
    judge::{Reach, Target, surface::MetadataService},
};

const DNS_PORT: u16 = 53;

impl Act {
    /// What the event takes, if it takes anything. Listeners are not acts: what they
    /// need depends on who comes. `reach` is the event's.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "other kinds say it by themselves")]
    pub fn of(event: &Event, owner: &Owner, reach: Option<Reach<'_>>) -> Option<Self> {
        if let Some(reach) = reach {
            return reached(event, owner, &reach);
        }
        match &event.operation {
            Operation::RawSocket(raw) => Some(beyond_ip::raw_socket(raw.protocol, event)),
            Operation::PacketBind(bind) if is_refused(bind.outcome) => None,
            Operation::PacketBind(_) => Some(beyond_ip::packet_socket(event)),
            Operation::NetlinkRequest(_) => Some(beyond_ip::network_change(event, owner)),
            Operation::FamilySocket(opened) => beyond_ip::family_socket(event, opened),
            Operation::ExistingSocket(_) => beyond_ip::existing_socket(event),
            Operation::Unix(unix) if unix.kind == UnixKind::Accept => {
                let name = unix.name.as_ref().filter(|name| name.is_abstract())?;
                let peer = event.peer.as_deref()?;
                let others = peer.possible.iter().all(|party| !party.owner.is_same(owner));
                let says = "abstract unix sockets belong to a network namespace, and a container on a bridge network has its own";
                let subject = format!("serves {peer} on its abstract unix socket {name}");
                others.then(|| Self::new(Group::AbstractSocket, subject, Bridge::Not(says.into())))
            }
            other => other.told().act(),
        }
    }
}

const fn is_refused(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failure(_))
}

/// The protocol of the event's socket, in a word.
fn protocol(event: &Event) -> String {
    let protocol = event.socket.map_or(0, |socket| socket.socket.protocol);
    let name = family::protocol(libc::AF_INET as u16, protocol);
    name.map_or_else(|| protocol.to_string(), str::to_owned)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "any other stays as it is")]
fn reached(event: &Event, owner: &Owner, reach: &Reach<'_>) -> Option<Act> {
    // What is not over yet gets an event of its own.
    if !reach.contact.may_be_made() {
        return None;
    }
    let act = made(event, owner, reach);
    let bridge = match act.bridge {
        Bridge::Not(says) if reach.contact == Contact::Unknown => Bridge::Unclear(format!(
            "whether anything was sent cannot be seen on this kernel; if so, {says}"
        )),
        bridge => bridge,
    };
    Some(Act { bridge, ..act })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is nowhere else is on the internet")]
fn made(event: &Event, owner: &Owner, reach: &Reach<'_>) -> Act {
    let parties = reach.peer.map_or(&[][..], |peer| peer.possible.as_slice());
    let is_its_own = !parties.is_empty() && parties.iter().all(|one| one.owner.is_same(owner));
    let to = match reach.to {
        Target::Unix(name) if !name.is_abstract() => {
            return Act::new(Group::PathSocket, "unix sockets with a path", Bridge::AsWell);
        }
        Target::Unix(_) if is_its_own => {
            return Act::new(Group::Itself, "abstract unix sockets", Bridge::AsWell);
        }
        Target::Unix(name) => return abstract_socket(&name.to_string(), reach),
        Target::Ip(to) => to,
    };
    let protocol = protocol(event);
    let port = to.port();
    if is_its_own {
        return Act::new(Group::Itself, format!("{protocol}/{port}"), Bridge::AsWell);
    }
    let is_dns = port == DNS_PORT;
    let act = match reach.surface {
        Surface::HostLoopback if is_dns => Act::new(
            Group::Dns,
            format!("names, by the host's resolver at {to}"),
            Bridge::If("Docker gives the container a resolver of its own; where the host's resolver listens on loopback only, use a network made with `docker network create`, whose resolver asks it".into()),
        ),
        Surface::HostLoopback => loopback(&protocol, &to.to_string(), parties, reach),
        Surface::HostAddress | Surface::BridgeGateway => host_address(&protocol, &to.to_string(), parties, reach),
        Surface::BridgeNetwork => bridge_network(&protocol, &to.to_string(), parties, reach),
        Surface::Metadata => {
            let whose = MetadataService::at(to.ip()).map_or("the cloud's metadata", MetadataService::label);
            let says = "a bridge network adds one hop: AWS's IMDSv2 needs a hop limit of 2 or more";
            Act::new(Group::Metadata, format!("{to}, {whose}"), Bridge::If(says.into()))
        }
        Surface::LinkLocal if to.is_ipv6() => {
            let says = format!("IPv6 link-local addresses are not reachable beyond the bridge; {MACVLAN}");
            Act::new(Group::LinkLocal, format!("{protocol} to {to}"), Bridge::Not(says))
        }
        Surface::Multicast | Surface::Broadcast => {
            let says = format!("{} is not forwarded beyond the bridge; {MACVLAN}", reach.surface);
            Act::new(Group::Multicast, format!("{protocol} to {to} ({})", reach.surface), Bridge::Not(says))
        }
        _ if is_dns => Act::new(Group::Dns, format!("names, at {to}"), Bridge::AsWell),
        surface => {
            let place = match surface {
                Surface::LinkLocal => "link-local addresses",
                Surface::Lan => "the LAN",
                Surface::Private => "private networks",
                _ => "the internet",
            };
            Act::new(Group::Outbound, format!("{protocol}/{port} of {place}"), Bridge::AsWell)
        }
    };
    let depends =
        matches!(act.group, Group::HostLoopback | Group::HostAddress | Group::BridgeNetwork);
    let transport = event.socket.map_or(0, |socket| socket.socket.protocol);
    let end = || End {
        place: format!("{protocol} to {to}"),
        address: Some((transport, to)),
        is_known: reach.peer.is_some(),
    };
    Act { to: depends.then(end), ..act }
}

fn whose(reach: &Reach<'_>) -> String {
    reach.whose().map(|whose| format!(" ({whose})")).unwrap_or_default()
}

/// The container behind a party that is one, by its name.
fn sole_container(parties: &[PeerParty]) -> Option<&PeerParty> {
    let [party] = parties else { return None };
    (party.owner.kind == OwnerKind::Container).then_some(party)
}

fn loopback(protocol: &str, to: &str, parties: &[PeerParty], reach: &Reach<'_>) -> Act {
    let subject = format!("{protocol} to {to}{}", whose(reach));
    let act = |bridge| Act::new(Group::HostLoopback, subject.clone(), bridge);
    let scope = reach.peer.and_then(crate::event::Peer::scope);
    let container = sole_container(parties);
    match (container, scope) {
        (Some(party), _) if party.via == Some(Via::DockerProxy) => network_with(act, party),
        (Some(party), Some(Scope::Any)) => network_with(act, party),
        (_, Some(Scope::Any | Scope::Specific)) => act(Bridge::If(
            "it listens on more than loopback: connect to host.docker.internal instead, and let the host's firewall pass it".into(),
        ))
        .needing(Needs::HostGateway),
        (_, Some(Scope::Loopback)) => {
            let remedy = match container {
                Some(party) => format!(
                    "if {} listened on all its addresses and both were in one network, it could be reached there",
                    party.label()
                ),
                None => "if it also listened on the bridge's gateway address, it could be reached as host.docker.internal".to_owned(),
            };
            act(Bridge::Not(format!(
                "the service listens on loopback only, and a container on a bridge network has a loopback of its own; {remedy}"
            )))
        }
        (_, None) => act(Bridge::Unclear(
            "the process listening there is not known, so it is not known whether a bridge network reaches it".into(),
        )),
    }
}

fn network_with(act: impl Fn(Bridge) -> Act, party: &PeerParty) -> Act {
    let name = party.owner.label().to_owned();
    let says = format!("put both in one network and connect to {name} by its name");
    act(Bridge::If(says)).needing(Needs::NetworkWith(name))
}

fn host_address(protocol: &str, to: &str, parties: &[PeerParty], reach: &Reach<'_>) -> Act {
    let subject = format!("{protocol} to {to}{}", whose(reach));
    let act = |bridge| Act::new(Group::HostAddress, subject.clone(), bridge);
    match sole_container(parties) {
        Some(party) if party.via.is_none() => network_with(act, party),
        _ => act(Bridge::If("the host's firewall must let connections from containers in".into())),
    }
}

fn bridge_network(protocol: &str, to: &str, parties: &[PeerParty], reach: &Reach<'_>) -> Act {
    let subject = format!("{protocol} to {to}{}", whose(reach));
    let act = |bridge| Act::new(Group::BridgeNetwork, subject.clone(), bridge);
    match sole_container(parties) {
        Some(party) => network_with(act, party),
        None => act(Bridge::If(
            "it must be in the same Docker network as the container at that address".into(),
        )),
    }
}

fn abstract_socket(name: &str, reach: &Reach<'_>) -> Act {
    let subject = format!("abstract unix socket {name}{}", whose(reach));
    let bridge = if reach.peer.is_some() {
        Bridge::Not("abstract unix sockets belong to a network namespace, and a container on a bridge network has its own".into())
    } else {
        Bridge::Unclear(
            "the process that serves it is not known; only if it is the container's own does a bridge network give it".into(),
        )
    };
    let end = End { place: name.to_owned(), address: None, is_known: reach.peer.is_some() };
    Act { to: Some(end), ..Act::new(Group::AbstractSocket, subject, bridge) }
}
