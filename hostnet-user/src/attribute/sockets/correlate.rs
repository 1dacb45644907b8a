//! Socket records become operations: each told once, with its outcome.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hostnet_abi::{
    Close as CloseRecord, Datagram as DatagramRecord, EventKind, Header, Hook, Record, Set,
    counting, direction, established, flow,
};

use super::{
    beyond_ip,
    connect::{Ended, tells_first_sends},
    same,
    table::PendingBind,
};
use crate::{
    attribute::{Attribution, Party, Request, wanted::flow_key},
    event::{
        Bind, Close, Datagram, DatagramClose, Direction, Flows, Listen, ListenerClosed, Outcome,
        Owner, OwnerKind, RawSocket, Socket, endpoint,
    },
};

const TCP_LISTEN: u16 = 10;

impl Attribution {
    pub(in crate::attribute) fn socket_record(
        &mut self,
        header: &Header,
        hook: Hook,
        record: Record,
        tail: &[u8],
    ) {
        self.port_shown_by(header, &record);
        if !self.waits_for_port(header, hook, &record) {
            self.settled_record(header, hook, record, tail);
        }
    }

    /// A record of which all is known that it does not say itself.
    pub(super) fn settled_record(
        &mut self,
        header: &Header,
        hook: Hook,
        record: Record,
        tail: &[u8],
    ) {
        let asked = (header.tid != 0).then(|| self.sockets.take_bind(header.tid)).flatten();
        let is_same = |asked: &PendingBind| asked.socket.cookie == header.cookie;
        let (bound, failed) = match (&record, asked) {
            (Record::Bind(_), Some(asked)) if is_same(&asked) => (Some(asked), None),
            (Record::BindRefused(refused), Some(asked)) if is_same(&asked) => {
                (None, Some((asked, u16::try_from(refused.errno).ok())))
            }
            (_, asked) => (None, asked.map(|asked| (asked, None))),
        };
        if let Some((asked, errno)) = failed {
            self.tell_unanswered_bind(asked, errno);
        }
        let is_end = matches!(record, Record::Close(_) | Record::DatagramClose(_));
        if is_end && self.sockets.must_wait(header, hook, record) {
            return;
        }
        let party = match header.tgid {
            0 => self.party_of_socket(header, &record),
            _ => self.party(header),
        };
        if let Record::Accept(accept) = &record {
            self.confirm(header, accept, &party);
        }
        let begun = self.begun_listener(header, &record, &party);
        let asked_port = bound.as_ref().map(|asked| asked.requested.port());
        self.note_listener(header, &record, begun.as_ref(), asked_port);
        if self.is_of_own_socket(header, &record) || !self.is_told_of(&party) {
            if is_end {
                self.sockets.remove(header.cookie);
            }
            return;
        }
        if tells(&record, hook) {
            self.sockets.mention(header.cookie);
        }
        let at = header.boot_ns;
        let socket = |socket| Socket { cookie: header.cookie, socket };
        match record {
            Record::BindAsked(asked) => {
                let pending = PendingBind {
                    boot_ns: at,
                    hook,
                    party,
                    socket: socket(asked.socket),
                    requested: endpoint(asked.address, asked.port as u16),
                };
                self.sockets.ask_bind(header.tid, pending);
            }
            Record::Bind(done) => {
                let operation = Bind {
                    requested: bound.map(|asked| asked.requested),
                    local: endpoint(done.address, done.port as u16),
                    reuse: done.reuse,
                    outcome: Outcome::Success,
                    shares_port_with: begun.map(|one| self.sharing_port(&one)).unwrap_or_default(),
                };
                self.tell(at, hook, &party, Some(socket(done.socket)), operation.into());
            }
            Record::Listen(listen) => {
                let socket = socket(listen.socket);
                self.sockets.track(&party, socket, at);
                let operation = Listen {
                    local: endpoint(listen.address, listen.port),
                    backlog: listen.backlog,
                    shares_port_with: begun.map(|one| self.sharing_port(&one)).unwrap_or_default(),
                };
                self.tell(at, hook, &party, Some(socket), operation.into());
            }
            Record::Connect(connect) => {
                let remote = endpoint(connect.address, connect.port as u16);
                self.connect_attempted(at, hook, &party, socket(connect.socket), remote);
            }
            Record::ConnectOutcome(outcome) => {
                self.connect_ended(at, hook, &party, socket(outcome.socket), &outcome);
            }
            Record::Accept(accept) => {
                self.accepted(at, hook, party, socket(accept.socket), &accept);
            }
            Record::Close(close) => self.closed(at, hook, party, socket(close.socket), &close),
            Record::Datagram(datagram) => {
                self.exchanged(at, hook, &party, socket(datagram.socket), &datagram);
            }
            Record::DatagramClose(close) => {
                let local = endpoint(close.local, close.local_port as u16);
                let others = (close.others_sent, close.others_received);
                self.datagram_closed(at, hook, party, socket(close.socket), (local, others));
            }
            Record::RawSocket(raw) => {
                let operation = RawSocket { protocol: raw.socket.protocol };
                self.tell(at, hook, &party, Some(socket(raw.socket)), operation.into());
            }
            // All that it says was needed above.
            Record::BindRefused(_)
            | Record::Exec(_)
            | Record::Fork(_)
            | Record::Exit(_)
            | Record::CgroupMkdir(_)
            | Record::CgroupRmdir(_)
            | Record::CgroupAttach(_) => {}
            Record::AcceptTaken(_) => self.accept_taken(header, party),
            Record::FamilySocket(_)
            | Record::PacketBind(_)
            | Record::SocketFilter(_)
            | Record::NetlinkRequest(_)
            | Record::NetlinkBind(_)
            | Record::MulticastJoin(_)
            | Record::Unix(_) => {
                // What was told as existing at start is used for the first time.
                if hook.set() == Set::FirstUse && self.sockets.is_known_older(header.cookie) {
                    return;
                }
                if let Some((of, operation)) = beyond_ip::operation(&record, tail) {
                    let peer = match &record {
                        Record::Unix(unix) => self.unix_peer(unix, at),
                        _ => None,
                    };
                    self.tell_with(at, hook, &party, Some(socket(of)), operation, peer);
                }
            }
        }
    }

    /// Whose a record is that nobody acts in. The cgroup a socket was made in is
    /// that of whoever made it then, who may have been a stranger there.
    fn party_of_socket(&mut self, header: &Header, record: &Record) -> Party {
        let listener = if let Record::Accept(accept) = record { accept.listener } else { 0 };
        let mut tracked = [header.cookie, listener].into_iter();
        if let Some(party) = tracked.find_map(|cookie| Some(&self.sockets.get(cookie)?.party)) {
            if party.owner.is_by_process() {
                return party.clone();
            }
        } else if let Record::Accept(accept) = record
            && let Some(party) = self.older_stray(accept, header.boot_ns)
        {
            return party;
        } else if !self.strays.is_empty() && self.strays.have_gone_to(header.socket_cgroup) {
            let owner = self.registry.owner(header.socket_cgroup, &self.tree);
            if owner.kind == OwnerKind::Container {
                let unknown = Owner::unknown(header.socket_cgroup, Some(&owner.cgroup_path));
                return Party { owner: unknown.into(), creator: None, process: None, actor: None };
            }
        }
        self.party(header)
    }

    fn exchanged(
        &mut self,
        at: u64,
        hook: Hook,
        party: &Party,
        socket: Socket,
        record: &DatagramRecord,
    ) {
        let remote = endpoint(record.remote, record.remote_port);
        let direction = if record.direction == direction::SENT {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        let is_to_peer = tells_first_sends(hook);
        let is_counted = !is_to_peer && record.counting != counting::NOT_APART;
        let mut has_peer = false;
        if let Some(tracked) = self.sockets.track(party, socket, at) {
            tracked.direction.get_or_insert(direction);
            if is_counted {
                note_flow(&mut tracked.flows, remote);
            }
            // A v4-mapped socket's sends show here, too.
            has_peer = tracked.peer.is_some_and(|peer| same(peer, remote));
        } else if is_counted {
            // Nobody would ask for it, or take it away, when the socket ends.
            let flow = flow_key(socket.cookie, remote);
            self.requests.push(Request::ForgetFlows(vec![flow]));
        }
        let local = any_of_family(endpoint(record.local, record.local_port), socket);
        let was_connected =
            (is_to_peer || has_peer) && self.first_datagram(at, hook, socket, (local, remote));
        if was_connected || has_peer {
            return;
        }
        let is_last = record.counting == counting::LAST_APART;
        let operation = Datagram { local, remote, direction, is_last };
        // Whoever sent first may have written any address as its own.
        let peer = (direction == Direction::Egress)
            .then(|| self.receiver_of(socket.socket.protocol, remote, at))
            .flatten();
        self.tell_with(at, hook, party, Some(socket), operation.into(), peer);
    }

    fn closed(
        &mut self,
        at: u64,
        hook: Hook,
        mut party: Party,
        socket: Socket,
        record: &CloseRecord,
    ) {
        self.tell_pending_accept(socket.cookie);
        let local = endpoint(record.local, record.local_port);
        let remote = endpoint(record.remote, record.remote_port);
        self.tell_unconfirmed_of(socket.cookie, (local, remote));
        let mut tracked = self.sockets.remove(socket.cookie);
        if let Some(tracked) = &mut tracked {
            party = tracked.party.clone();
            // What has an end was established, even if the record of that was lost.
            if record.from_state != TCP_LISTEN
                && let Some(connect) = tracked.connect.take()
            {
                tracked.direction = Some(Direction::Egress);
                let (outcome, ends) = (Outcome::Success, Some((local, remote)));
                let peer = self.peer_without_connection(socket, &connect, outcome);
                let ended = Ended { at, hook, outcome, ends, peer };
                self.tell_connect(&party, socket, *connect, ended);
            }
        }
        if record.from_state == TCP_LISTEN {
            self.tell(at, hook, &party, Some(socket), ListenerClosed { local }.into());
            return;
        }
        let operation = Close {
            local,
            remote,
            direction: tracked.as_ref().and_then(|tracked| tracked.direction),
            sent: record.sent,
            received: record.received,
            duration_ns: tracked
                .and_then(|tracked| tracked.since_ns)
                .map(|since| at.saturating_sub(since)),
            errno: (record.errno != 0).then_some(record.errno),
        };
        self.tell(at, hook, &party, Some(socket), operation.into());
    }

    /// Only sockets of which something was told have an end worth telling, and those with
    /// datagrams that were only counted.
    fn datagram_closed(
        &mut self,
        at: u64,
        hook: Hook,
        party: Party,
        socket: Socket,
        (local, others): (SocketAddr, (u64, u64)),
    ) {
        let flows = std::mem::take(&mut self.flow_counts);
        let tracked = self.sockets.remove(socket.cookie);
        if tracked.is_none() && others == (0, 0) {
            if self.sockets.has_refused(&party.owner) {
                self.not_kept(at, &party.owner, EventKind::DatagramClose);
            }
            return;
        }
        let only = (flows.len() == 1 && others == (0, 0)).then(|| flows[0].remote);
        let mut operation = DatagramClose {
            local,
            remote: only,
            sent: None,
            direction: None,
            flows: Flows::of(flows),
            others,
            duration_ns: None,
        };
        if let Some(mut tracked) = tracked {
            operation.sent = tracked.peer.map(|_| self.has_sent(tracked.connect.as_deref()));
            operation.remote = tracked.peer.or(only);
            operation.direction = tracked.direction;
            operation.duration_ns = tracked.since_ns.map(|since| at.saturating_sub(since));
            if let Some(connect) = tracked.connect.take().filter(|connect| connect.told.is_none()) {
                let outcome = Outcome::Unknown;
                let peer = self.peer_without_connection(socket, &connect, outcome);
                let ended = Ended { at, hook, outcome, ends: None, peer };
                self.tell_connect(&tracked.party, socket, *connect, ended);
            }
        }
        self.tell(at, hook, &party, Some(socket), operation.into());
    }

    pub(in crate::attribute) fn tell_overdue(&mut self, boot_ns: u64) {
        for asked in self.sockets.overdue_binds(boot_ns) {
            self.tell_unanswered_bind(asked, None);
        }
        self.report_portless(boot_ns);
        for cookie in self.sockets.overdue(boot_ns) {
            self.tell_pending_accept(cookie);
            self.tell_without_outcome(cookie);
        }
    }

    /// No success followed. With `IP_BIND_ADDRESS_NO_PORT` none does, although
    /// the kernel agreed: the port is chosen later (`__inet_bind`, 4.2–7.3).
    fn tell_unanswered_bind(&mut self, asked: PendingBind, errno: Option<u16>) {
        let outcome = match errno {
            None if asked.requested.port() == 0 && self.policy.sees_refusals => Outcome::Success,
            None if asked.requested.port() == 0 => Outcome::Unknown,
            errno => Outcome::Failure(errno),
        };
        let (requested, shares_port_with) = (Some(asked.requested), Vec::new());
        let operation =
            Bind { requested, local: asked.requested, reuse: 0, outcome, shares_port_with };
        self.tell(asked.boot_ns, asked.hook, &asked.party, Some(asked.socket), operation.into());
    }
}

/// The same address, no address in particular as the socket's family has it: IPv4
/// datagrams of an IPv6 socket pass by the hooks of IPv4.
fn any_of_family(local: SocketAddr, socket: Socket) -> SocketAddr {
    if !local.ip().to_canonical().is_unspecified() {
        return local;
    }
    let ip: IpAddr = if i32::from(socket.socket.family) == libc::AF_INET {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    SocketAddr::new(ip, local.port())
}

/// Notes a peer that the kernel counts apart, once. Programs on several processors may each
/// have got one in more than is due, never as many again.
pub(in crate::attribute) fn note_flow(flows: &mut Vec<SocketAddr>, remote: SocketAddr) {
    if flows.len() < 2 * flow::MOST as usize && !flows.contains(&remote) {
        flows.push(remote);
    }
}

/// Whether an event of the record's socket is sure to come of it: a bind that was
/// only asked for may yet be refused, and a few records complete others.
const fn tells(record: &Record, hook: Hook) -> bool {
    match record {
        Record::BindAsked(_) | Record::BindRefused(_) | Record::AcceptTaken(_) => false,
        Record::ConnectOutcome(outcome) if outcome.established == established::NOT_YET => false,
        _ => !matches!(hook, Hook::InetStreamConnect),
    }
}
