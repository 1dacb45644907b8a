//! Socket records become operations: each told once, with its outcome. What a kind of
//! record means is in a file of its own.

use hostnet_abi::{Header, Hook, Listen, Record, Set, established};

use super::{
    SocketCorrelator,
    act::{Act, Parts},
    beyond_ip, bind,
    portless::Waiting,
    table::PendingBind,
};
use crate::{
    attribute::{
        decoded::Decoded,
        other_end::{listeners::Listener, peer::unix_peer},
        party::Party,
    },
    event::{Owner, OwnerKind, RawSocket, Socket},
};

/// What a record's own kind needs beside it.
struct Prepared {
    party: Party,
    /// The bind that it is the success of.
    asked: Option<PendingBind>,
    /// The listener that it is the beginning of.
    begun: Option<Listener>,
}

impl SocketCorrelator {
    /// A record of a socket.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other records show no port of a listener")]
    pub fn record(&mut self, parts: &mut Parts<'_>, of: &Decoded<'_>) {
        match &of.record {
            // A connection shows the port of its listener, and so does the listener's end.
            Record::Close(close) => {
                self.port_is_known(parts, of.header.cookie, close.local_port);
            }
            Record::Accept(accept) => self.port_is_known(parts, accept.listener, accept.local_port),
            Record::Listen(listen) => {
                // It listens again, and what showed the end of the first time was lost.
                self.port_is_known(parts, of.header.cookie, 0);
                if self.waits_for_port(parts, &of.header, of.hook, *listen) {
                    return;
                }
            }
            _ => {}
        }
        self.settled_record(parts, of);
    }

    /// Whether the record is of a listener that waits for its port from now on.
    fn waits_for_port(
        &mut self,
        parts: &mut Parts<'_>,
        header: &Header,
        hook: Hook,
        listen: Listen,
    ) -> bool {
        if listen.port != 0 || header.cookie == 0 {
            return false;
        }
        let owner = parts.owners.owner(header.task_cgroup);
        if !self.portless.wait(&owner, header, hook, listen) {
            return false;
        }
        // It is reported by its record, not as a socket from before the agent.
        self.table.mention(header.cookie);
        true
    }

    /// The port of a listener, if it waits for that.
    pub(in crate::attribute) fn port_is_known(
        &mut self,
        parts: &mut Parts<'_>,
        cookie: u64,
        port: u16,
    ) {
        if let Some(Waiting { header, hook, listen }) = self.portless.take(cookie) {
            let record = Record::Listen(Listen { port, ..listen });
            self.settled_record(parts, &Decoded { header, hook, record, tail: &[] });
        }
    }

    /// A record of which all is known that it does not say itself.
    fn settled_record(&mut self, parts: &mut Parts<'_>, of: &Decoded<'_>) {
        let Some(Prepared { party, asked, begun }) = self.prepare(parts, of) else { return };
        let Decoded { header, hook, record, tail } = of;
        let act = |socket| {
            let socket = Socket { cookie: header.cookie, socket };
            Act { at: header.boot_ns, hook: *hook, party, socket }
        };
        let begun = begun.as_ref();
        match record {
            Record::BindAsked(of) => self.bind_asked(header.tid, act(of.socket), of),
            Record::Bind(of) => bind::bound(parts, &act(of.socket), of, asked, begun),
            Record::Listen(of) => self.listened(parts, &act(of.socket), of, begun),
            Record::Connect(of) => self.connect_attempted(parts, &act(of.socket), of),
            Record::ConnectOutcome(of) => self.connect_ended(parts, act(of.socket), of),
            Record::Accept(of) => self.accepted(parts, act(of.socket), of),
            Record::AcceptTaken(of) => self.accept_taken(parts, act(of.socket)),
            Record::Close(of) => self.closed(parts, act(of.socket), of),
            Record::Datagram(of) => self.exchanged(parts, &act(of.socket), of),
            Record::DatagramClose(of) => self.datagram_closed(parts, &act(of.socket), of),
            Record::RawSocket(of) => {
                parts.report(&act(of.socket), RawSocket { protocol: of.socket.protocol });
            }
            Record::FamilySocket(_)
            | Record::PacketBind(_)
            | Record::SocketFilter(_)
            | Record::NetlinkRequest(_)
            | Record::NetlinkBind(_)
            | Record::MulticastJoin(_)
            | Record::Unix(_) => {
                // What was told as existing at start is used for the first time.
                if hook.set() == Set::FirstUse && self.table.is_known_older(header.cookie) {
                    return;
                }
                if let Some((of, operation)) = beyond_ip::operation(record, tail) {
                    let unix = if let Record::Unix(unix) = record { Some(unix) } else { None };
                    let peer = unix.and_then(|unix| unix_peer(parts.owners, unix, header.boot_ns));
                    parts.report_with(&act(of), operation, peer);
                }
            }
            // The bind that was refused is reported by now; the others are of no socket.
            Record::BindRefused(_)
            | Record::Exec(_)
            | Record::Fork(_)
            | Record::Exit(_)
            | Record::CgroupMkdir(_)
            | Record::CgroupRmdir(_)
            | Record::CgroupAttach(_) => {}
        }
    }

    /// Whose a record is, and what others it completes. `None` when it waits for the sockets
    /// that existed at start, or is of no container: then nothing of it is reported.
    fn prepare(&mut self, parts: &mut Parts<'_>, of: &Decoded<'_>) -> Option<Prepared> {
        let Decoded { header, hook, record, .. } = of;
        let asked = self.bind_answered(parts, of);
        if record.ends_socket() && self.table.must_wait(header, *hook, *record) {
            return None;
        }
        let party = match header.tgid {
            0 => self.party_of_socket(parts, header, record),
            _ => parts.owners.party(header),
        };
        if let Record::Accept(accept) = record {
            self.confirm(parts, header, accept, &party);
        }
        let begun = parts.peers.begun_listener(header, record, &party);
        let asked_port = asked.as_ref().map(|asked| asked.requested.port());
        parts.peers.note_listener(header, record, begun.as_ref(), asked_port);
        if parts.owners.is_of_own_socket(header, record) || !parts.owners.is_told_of(&party) {
            if record.ends_socket() {
                self.table.remove(header.cookie);
            }
            return None;
        }
        if tells(record, *hook) {
            self.table.mention(header.cookie);
        }
        Some(Prepared { party, asked, begun })
    }

    /// Whose a record is that nobody acts in. The cgroup a socket was made in is
    /// that of whoever made it then, who may have been a stranger there.
    fn party_of_socket(&self, parts: &mut Parts<'_>, header: &Header, record: &Record) -> Party {
        let listener = if let Record::Accept(accept) = record { accept.listener } else { 0 };
        let mut tracked = [header.cookie, listener].into_iter();
        if let Some(party) = tracked.find_map(|cookie| Some(&self.table.get(cookie)?.party)) {
            if party.owner.is_by_process() {
                return party.clone();
            }
        } else if let Record::Accept(accept) = record
            && let Some(party) = self.older_stray(parts.peers, accept, header.boot_ns)
        {
            return party;
        } else if parts.owners.had_strays_in(header.socket_cgroup) {
            let owner = parts.owners.owner(header.socket_cgroup);
            if owner.kind == OwnerKind::Container {
                let unknown = Owner::unknown(header.socket_cgroup, Some(&owner.cgroup_path));
                return Party::of(unknown.into());
            }
        }
        parts.owners.party(header)
    }

    /// Reports what has waited long enough at `boot_ns`.
    pub(in crate::attribute) fn report_overdue(&mut self, parts: &mut Parts<'_>, boot_ns: u64) {
        for asked in self.table.overdue_binds(boot_ns) {
            self.report_unanswered_bind(parts, asked, None);
        }
        while let Some(cookie) = self.portless.overdue(boot_ns) {
            self.port_is_known(parts, cookie, 0);
        }
        for cookie in self.table.overdue(boot_ns) {
            self.report_pending_accept(parts, cookie);
            self.report_without_outcome(parts, cookie);
        }
    }
}

/// Whether an event of the record's socket is sure to come of it: a bind that was
/// only asked for may yet be refused, and a few records complete others.
#[expect(clippy::wildcard_enum_match_arm, reason = "of any other an event comes")]
const fn tells(record: &Record, hook: Hook) -> bool {
    match record {
        Record::BindAsked(_) | Record::BindRefused(_) | Record::AcceptTaken(_) => false,
        Record::ConnectOutcome(outcome) if outcome.established == established::NOT_YET => false,
        _ => !matches!(hook, Hook::InetStreamConnect),
    }
}
