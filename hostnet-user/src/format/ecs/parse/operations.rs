//! What was done.

use hostnet_abi::reuse;
use serde::Deserialize;

use super::{
    NotOurs,
    document::{self, Document, Text, summable},
    ends::{self, Ends},
    finding::finding,
    health, part,
    peer::parties,
    who::{self, CgroupFields, ContainerFields, named},
};
use crate::{
    event::{
        Accept, Action, Bind, Cgroup, CgroupMigration, Close, Connect, ConnectOutcome, Datagram,
        DatagramClose, Direction, Exec, ExistingSocket, Exit, FamilySocket, FlowCount, Flows,
        Identified, Joined, Left, Listen, ListenerClosed, Mover, MulticastJoin, NameSpoof,
        NetlinkBind, NetlinkRequest, Operation, Owner, OwnerKind, PacketBind, Present, Process,
        RawSocket, Socket, SocketFilter, Unix, UnixKind,
    },
    text,
};

/// Operations that are called as their actions.
const EXISTING: &str = Action::ExistingSocket.name();
const MIGRATION: &str = Action::CgroupMigration.name();
const SPOOF: &str = Action::NameSpoof.name();

/// The operation, of the event's socket, owner and process.
pub fn operation(
    document: &Document<'_>,
    socket: Option<Socket>,
    owner: Option<&Owner>,
    process: Option<&Process>,
) -> Result<Operation, NotOurs> {
    let hostnet = &document.hostnet;
    let ends = Ends::of(document, socket)?;
    let of_socket = || Ok(socket.ok_or_else(|| NotOurs::missing("hostnet.socket"))?.socket);
    Ok(match (&*hostnet.operation, Action::from_name(&document.event.action)) {
        ("bind", _) => bind(document, &ends)?.into(),
        ("listen", _) => {
            let listen = needed("hostnet.listen", &hostnet.listen)?;
            let shares_port_with =
                parties("hostnet.listen.shares_port_with", &listen.shares_port_with)?;
            Listen { local: ends.local()?, backlog: listen.backlog, shares_port_with }.into()
        }
        ("connect", Some(Action::ConnectionOutcome)) => {
            let after_ns = document.event.duration;
            ConnectOutcome { connect: connect(document, &ends)?, after_ns }.into()
        }
        ("connect", _) => connect(document, &ends)?.into(),
        ("accept", _) => Accept { local: ends.local()?, remote: ends.remote()? }.into(),
        ("close", Some(Action::ClosedListener)) => ListenerClosed { local: ends.local()? }.into(),
        ("close", _) => match &hostnet.udp {
            Some(udp) => datagram_close(document, udp, &ends)?.into(),
            None => close(document, &ends)?.into(),
        },
        ("send", _) => datagram(document, &ends, Direction::Egress)?.into(),
        ("receive", _) => datagram(document, &ends, Direction::Ingress)?.into(),
        ("raw-socket", _) => RawSocket { protocol: of_socket()?.protocol }.into(),
        ("family-socket", _) => FamilySocket { socket: of_socket()? }.into(),
        ("packet-bind", _) => {
            let packet = needed("hostnet.packet", &hostnet.packet)?;
            let outcome = ends::outcome(document)?;
            let (interface, protocol) = (packet.interface_index, packet.ether_type);
            PacketBind { interface, protocol, outcome }.into()
        }
        ("socket-filter", _) => {
            let filter = needed("hostnet.filter", &hostnet.filter)?;
            let sha256 = filter.sha256.clone();
            SocketFilter { instructions: filter.instructions, sha256 }.into()
        }
        ("netlink-request", _) => {
            let netlink = needed("hostnet.netlink", &hostnet.netlink)?;
            NetlinkRequest {
                protocol: of_socket()?.protocol,
                message: *needed("hostnet.netlink.message", &netlink.message)?,
                flags: netlink.flags.unwrap_or_default(),
                unread: netlink.unread_bytes.unwrap_or_default(),
            }
            .into()
        }
        ("netlink-bind", _) => {
            let netlink = needed("hostnet.netlink", &hostnet.netlink)?;
            NetlinkBind { groups: *needed("hostnet.netlink.groups", &netlink.groups)? }.into()
        }
        ("multicast-join", _) => {
            let fields = needed("hostnet.multicast", &hostnet.multicast)?;
            let (group, source, interface) = (fields.group, fields.source, fields.interface_index);
            MulticastJoin { local: ends.local, group, source, interface }.into()
        }
        ("unix-connect", _) => unix(document, UnixKind::Connect, ends)?.into(),
        ("unix-bind", _) => unix(document, UnixKind::Bind, ends)?.into(),
        ("unix-listen", _) => {
            let backlog = needed("hostnet.listen", &hostnet.listen)?.backlog;
            let backlog = u16::try_from(backlog).map_err(|_| {
                NotOurs::field("hostnet.listen.backlog", "longer than a unix socket's can be")
            })?;
            unix(document, UnixKind::Listen { backlog }, ends)?.into()
        }
        ("unix-accept", _) => unix(document, UnixKind::Accept, ends)?.into(),
        ("unix-send", _) => unix(document, UnixKind::Send, ends)?.into(),
        ("unix-use", _) => unix(document, UnixKind::Use, ends)?.into(),
        (EXISTING, _) => existing(document, of_socket()?, ends)?.into(),
        ("exec", _) => {
            let arguments = process.map(|process| text::command_line(&process.arguments));
            Exec { command_line: arguments.unwrap_or_default() }.into()
        }
        ("exit", _) => exit(needed("hostnet.exit", &hostnet.exit)?)?.into(),
        (MIGRATION, _) => migration(document)?.into(),
        (SPOOF, _) => spoof(document)?.into(),
        ("present", _) => {
            let is_agent = needed("hostnet.present", &hostnet.present)?.agent;
            Present { declared: declared(document), is_agent }.into()
        }
        ("join", _) => Joined { declared: declared(document) }.into(),
        ("leave", _) => Left.into(),
        ("identify", _) => {
            let identified = needed("hostnet.identified", &hostnet.identified)?;
            Identified { events: identified.events }.into()
        }
        ("finding", _) => finding(document, ends, owner, process)?.into(),
        ("health", _) => health::health(document)?.into(),
        _ => return Err(NotOurs::of_kind(&document.event.action)),
    })
}

/// The network mode that the runtime declares.
fn declared(document: &Document<'_>) -> Option<String> {
    document.hostnet.netns.as_ref()?.declared.clone().map(Text::into_owned)
}

fn needed<'a, T>(field: &str, value: &'a Option<T>) -> Result<&'a T, NotOurs> {
    value.as_ref().ok_or_else(|| NotOurs::missing(field))
}

fn bind(document: &Document<'_>, ends: &Ends) -> Result<Bind, NotOurs> {
    let fields = needed("hostnet.bind", &document.hostnet.bind)?;
    let local = ends.local()?;
    let mut requested = local;
    let flags = [
        (fields.reuse_address, reuse::ADDRESS),
        (fields.reuse_port, reuse::PORT),
        (fields.v6_only, reuse::V6_ONLY),
    ];
    Ok(Bind {
        requested: fields.requested_port.map(|port| {
            requested.set_port(port);
            requested
        }),
        local,
        reuse: flags.into_iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, bit)| all | bit),
        outcome: ends::outcome(document)?,
        shares_port_with: parties("hostnet.bind.shares_port_with", &fields.shares_port_with)?,
    })
}

fn connect(document: &Document<'_>, ends: &Ends) -> Result<Connect, NotOurs> {
    Ok(Connect {
        local: ends.local,
        remote: ends.remote()?,
        rewritten_to: document.hostnet.rewritten_to.as_ref().and_then(|to| to.address(None)),
        outcome: ends::outcome(document)?,
        sent: document.hostnet.udp.as_ref().and_then(|udp| udp.sent_to_peer),
    })
}

fn close(document: &Document<'_>, ends: &Ends) -> Result<Close, NotOurs> {
    let direction = ends::direction(document)?;
    let bytes = |end: &Option<document::End>| end.as_ref().and_then(|end| end.bytes).unwrap_or(0);
    let (source, destination) = (bytes(&document.source), bytes(&document.destination));
    let (sent, received) = match direction {
        Some(Direction::Ingress) => (destination, source),
        Some(Direction::Egress) | None => (source, destination),
    };
    summable("source.bytes", [sent, received])?;
    Ok(Close {
        local: ends.local()?,
        remote: ends.remote()?,
        direction,
        sent,
        received,
        duration_ns: document.event.duration,
        errno: ends::errno(document),
    })
}

fn datagram(
    document: &Document<'_>,
    ends: &Ends,
    direction: Direction,
) -> Result<Datagram, NotOurs> {
    let is_last = document.hostnet.udp.as_ref().is_some_and(|udp| udp.further_peers_counted);
    Ok(Datagram { local: ends.local()?, remote: ends.remote()?, direction, is_last })
}

fn datagram_close(
    document: &Document<'_>,
    udp: &document::Udp<'_>,
    ends: &Ends,
) -> Result<DatagramClose, NotOurs> {
    let flow = |flow: &document::Flow<'_>| {
        let remote = flow.remote.address(None);
        let remote = remote.ok_or_else(|| NotOurs::missing("hostnet.udp.flows.remote.ip"))?;
        Ok(FlowCount { remote, sent: flow.sent, received: flow.received })
    };
    summable("hostnet.udp.flows.sent", udp.flows.iter().map(|flow| flow.sent))?;
    summable("hostnet.udp.flows.received", udp.flows.iter().map(|flow| flow.received))?;
    let listed: Vec<FlowCount> = udp.flows.iter().map(flow).collect::<Result<_, _>>()?;
    let counted_apart = (
        udp.datagrams_sent.saturating_sub(udp.others_sent),
        udp.datagrams_received.saturating_sub(udp.others_received),
    );
    Ok(DatagramClose {
        local: ends.local()?,
        remote: ends.remote,
        sent: udp.sent_to_peer,
        direction: ends::direction(document)?,
        flows: Flows::of_more(listed, udp.peers, counted_apart),
        others: (udp.others_sent, udp.others_received),
        duration_ns: document.event.duration,
    })
}

fn unix(document: &Document<'_>, kind: UnixKind, ends: Ends) -> Result<Unix, NotOurs> {
    let name = match kind {
        UnixKind::Connect | UnixKind::Send => ends.remote_name,
        _ => ends.local_name,
    };
    Ok(Unix { kind, name, outcome: ends::outcome(document)? })
}

fn existing(
    document: &Document<'_>,
    socket: hostnet_abi::Socket,
    ends: Ends,
) -> Result<ExistingSocket, NotOurs> {
    let fields = needed("hostnet.existing", &document.hostnet.existing)?;
    let Ends { local, remote, local_name, remote_name } = ends;
    Ok(ExistingSocket {
        socket,
        state: fields.state,
        local,
        remote,
        local_name,
        remote_name,
        direction: ends::direction(document)?,
        backlog: fields.backlog,
        interface: fields.interface,
        user: who::user(document)?,
    })
}

fn exit(fields: &document::Exit) -> Result<Exit, NotOurs> {
    match (fields.status, fields.signal) {
        (Some(status @ 0..=0xff), None) => Ok(Exit { code: status << 8 }),
        (None, Some(signal @ 1..=0x7f)) => Ok(Exit { code: signal }),
        (None, None) => Err(NotOurs::missing("hostnet.exit.status")),
        _ => Err(NotOurs::field("hostnet.exit", "neither a status nor a signal")),
    }
}

#[derive(Deserialize)]
struct Migration<'a> {
    #[serde(borrow)]
    from: CgroupFields<'a>,
    #[serde(borrow)]
    to: CgroupFields<'a>,
    pid: u32,
    #[serde(borrow)]
    by: MoverFields<'a>,
}

#[derive(Deserialize)]
struct MoverFields<'a> {
    pid: u32,
    owner: OwnerKind,
    name: Option<String>,
    #[serde(borrow)]
    container: Option<ContainerFields<'a>>,
}

fn migration(document: &Document<'_>) -> Result<CgroupMigration, NotOurs> {
    let fields: Option<Migration<'_>> = part("hostnet.migration", document.hostnet.migration)?;
    let Migration { from, to, pid, by } =
        fields.ok_or_else(|| NotOurs::missing("hostnet.migration"))?;
    let process = |name: String| Process { pid: by.pid, name: name.into(), ..Process::default() };
    let owner = named(by.owner, by.container.as_ref(), None);
    Ok(CgroupMigration {
        from: Cgroup::from(&from),
        to: Cgroup::from(&to),
        pid,
        by: Mover { pid: by.pid, process: by.name.map(process).map(Into::into), owner },
    })
}

#[derive(Deserialize)]
struct Spoof<'a> {
    #[serde(borrow)]
    cgroup: CgroupFields<'a>,
    #[serde(borrow)]
    container: ContainerFields<'a>,
}

fn spoof(document: &Document<'_>) -> Result<NameSpoof, NotOurs> {
    let fields: Option<Spoof<'_>> = part("hostnet.spoof", document.hostnet.spoof)?;
    let Spoof { cgroup, container } = fields.ok_or_else(|| NotOurs::missing("hostnet.spoof"))?;
    let claimed = container.id.to_string();
    let victim =
        container.name.is_some().then(|| named(OwnerKind::Container, Some(&container), None));
    Ok(NameSpoof { cgroup: Cgroup::from(&cgroup), claimed, victim })
}
