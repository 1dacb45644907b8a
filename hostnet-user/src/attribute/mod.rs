//! Records become events: correlated, dated, and tied to their owner.
//!
//! This stage does no I/O and reads no clock: everything it knows comes in as an
//! input, so the same inputs give the same events. `sources/` gets such inputs, and is
//! called by others.
//!
//! Each part of what the stage knows is a type of its own, which alone has its fields:
//! whose something is (`owners/`, over `cgroups/` and `processes/`), who is at the other
//! end (`other_end/`), what is done with sockets (`sockets/`), and how events are made
//! (`reporter`). Each asks those before it; what is here is their order.

pub mod cgroups;
mod decoded;
mod found;
mod held;
mod news;
mod other_end;
mod owners;
mod party;
mod policy;
mod processes;
mod reporter;
mod request;
mod shortfall;
mod sockets;
mod unkept;

use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use hostnet_abi::{Flow, FlowKey, Hook, Record};

pub use decoded::Decoded;
pub use found::{Found, Holder};
pub use news::RuntimeNews;
pub use other_end::{Redirect, Redirects};
pub use owners::{Apart, Asker, Lookups, OwnerResolver};
pub use policy::Policy;
pub use request::Request;
pub use sockets::existing::Existing;
pub use unkept::PLACE as TABLE_PLACE;

use crate::event::{Event, Health, Identified, LossCount, Lost, Process, UserNames, shares::Fill};
use other_end::PeerTable;
use owners::{Described, Reported};
use party::Party;
use reporter::{Report, Reporter};
use shortfall::{OF_ENDS, OF_LISTENERS, OF_PROCESSES, by_cgroup, may_have_told};
use sockets::{Parts, SocketCorrelator};

/// The stage.
#[derive(Debug)]
pub struct Attribution {
    owners: OwnerResolver,
    peers: PeerTable,
    sockets: SocketCorrelator,
    reporter: Reporter,
}

impl Attribution {
    /// An empty stage.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            owners: OwnerResolver::new(policy.clone()),
            peers: PeerTable::new(policy.clone()),
            reporter: Reporter::new(policy.seed),
            sockets: SocketCorrelator::new(policy),
        }
    }

    /// Whose what is, and what is to be looked up for that.
    pub const fn owners(&mut self) -> &mut OwnerResolver {
        &mut self.owners
    }

    fn sockets(&mut self) -> (&mut SocketCorrelator, Parts<'_>) {
        let Self { owners, peers, sockets, reporter } = self;
        (sockets, Parts { owners, peers, reporter })
    }

    /// Events since the last call, in the order they are to be told.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        self.reporter.take_events(into);
    }

    /// Requests since the last call.
    pub fn take_requests(&mut self) -> Vec<Request> {
        let mut requests = self.owners.take_requests();
        requests.append(&mut self.sockets.take_requests());
        requests
    }

    /// One record from the kernel.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are decided in sockets/")]
    pub fn record(&mut self, of: &Decoded<'_>) {
        let Decoded { header, hook, record, tail } = of;
        let owners = &mut self.owners;
        let (is_act, what) = match record {
            Record::Exec(exec) => (true, owners.executed(header, exec, tail)),
            Record::Exit(exit) => (true, owners.exited(header, *exit)),
            Record::Fork(fork) => (false, owners.forked(header, fork)),
            Record::CgroupAttach(attach) => (false, owners.attached(header, attach)),
            Record::CgroupMkdir(made) => (false, owners.cgroup_made(header, made.id, tail)),
            Record::CgroupRmdir(removed) => (false, owners.cgroup_removed(header, removed.id)),
            _ => {
                let (sockets, mut parts) = self.sockets();
                sockets.record(&mut parts, of);
                (false, None)
            }
        };
        let (at, hook) = (header.boot_ns, Some(*hook));
        match what {
            // It shows that its container is in the host's network namespace.
            Some((party, operation)) if is_act => {
                let party = &party;
                let report = Report { at, hook, party, socket: None, operation, peer: None };
                self.reporter.report(&mut self.owners, report);
            }
            what => self.push(at, hook, what),
        }
        self.owners.make_room();
    }

    /// Reports what does not show that its container is in the host's network namespace.
    fn push(&mut self, at: u64, hook: Option<Hook>, what: Reported) {
        let Some((party, operation)) = what else { return };
        let event = self.reporter.event(at, hook, operation);
        self.reporter.push(&mut self.owners, party.did(event, None));
    }

    /// The UDP flows whose counts a closing record needs; none for other records.
    #[must_use]
    pub fn flows_of(&self, of: &Decoded<'_>) -> Vec<FlowKey> {
        self.sockets.flows_of(of)
    }

    /// Counts of the flows that the next closing record ends.
    pub fn flows(&mut self, counts: &[(FlowKey, Flow)]) {
        self.sockets.flows(counts);
    }

    /// UDP flows that are counted for an agent before this one.
    pub fn older_flows(&mut self, flows: Vec<(u64, SocketAddr)>) {
        self.sockets.older_flows(flows);
    }

    /// How full the tables are, by name.
    #[must_use]
    pub fn tables(&self) -> BTreeMap<&'static str, Fill> {
        let [listeners, clients] = self.peers.fill();
        let [processes, cgroups] = self.owners.fill();
        let others = [
            ("processes", processes),
            ("listeners", listeners),
            ("connections-within-host", clients),
            ("events-without-name", self.reporter.fill()),
            ("removed-cgroups", cgroups),
        ];
        self.sockets.fill().into_iter().chain(others).collect()
    }

    /// A cgroup that was found, not told.
    pub fn cgroup(&mut self, id: u64, path: String) {
        let spoof = self.owners.enter_cgroup(id, path, None);
        self.push(0, None, spoof);
    }

    /// A process found in /proc.
    pub fn process(&mut self, process: Process) {
        self.owners.found_process(process);
    }

    /// Processes of containers that were found at the start.
    pub fn contained_processes(&mut self) -> Vec<Process> {
        self.owners.contained_processes(self.reporter.now_ns())
    }

    /// These processes were in the host's network namespace at `boot_ns`: their containers
    /// are told, each once.
    pub fn present(&mut self, boot_ns: u64, pids: &[u32]) {
        for (owner, present) in self.owners.present(boot_ns, pids) {
            self.push(boot_ns, None, Some((Party::of(owner), present.into())));
        }
    }

    /// The addresses this host has now, and the ports its kernel chooses from.
    pub fn addresses(&mut self, addresses: Vec<IpAddr>, chosen_ports: (u16, u16)) {
        self.peers.addresses(addresses, chosen_ports);
    }

    /// The ranges of the networks behind this host's bridges.
    pub fn bridged(&mut self, ranges: Vec<(IpAddr, u8)>) {
        self.peers.bridged(ranges);
    }

    /// What packet filters may lead elsewhere from now on.
    pub fn redirects(&mut self, redirects: Redirects) {
        self.peers.redirects(redirects);
    }

    /// The clock: both readings of the same moment, nanoseconds.
    pub const fn clock(&mut self, boot_ns: u64, wall_ns: u64) {
        self.reporter.clock(boot_ns, wall_ns);
    }

    /// What the wall clock said at a time of the boot clock, as far as is known.
    #[must_use]
    pub const fn wall_ns(&self, boot_ns: u64) -> u64 {
        self.reporter.wall_ns(boot_ns)
    }

    /// Records were taken up to `boot_ns`: what has waited long enough is told, what
    /// was kept long enough forgotten.
    pub fn expire(&mut self, boot_ns: u64) {
        self.report_overdue(boot_ns, self.reporter.now_ns());
        if self.peers.expire(boot_ns) {
            self.ask_sockets();
        }
        if self.sockets.expire(boot_ns) {
            self.ask_sockets();
        }
        self.owners.expire(boot_ns);
    }

    fn report_overdue(&mut self, boot_ns: u64, now_ns: u64) {
        let (sockets, mut parts) = self.sockets();
        sockets.report_unconfirmed(&mut parts, boot_ns);
        sockets.report_overdue(&mut parts, boot_ns);
        self.reporter.release_overdue(&mut self.owners, now_ns);
    }

    /// Asks which sockets there are, unless that is being asked.
    fn ask_sockets(&mut self) {
        if self.peers.ask() {
            self.sockets.ask();
        }
    }

    /// The sockets there were at `boot_ns`, after they were asked for.
    pub fn listeners(&mut self, boot_ns: u64, found: &[Found]) {
        self.sockets.answered(boot_ns, found);
        self.peers.answered(&mut self.owners, boot_ns, found);
    }

    /// The sockets that existed at `boot_ns`, to be told by [`existing`](Self::existing)
    /// when every record from before has been taken in. Listeners among them are known from
    /// now on, and have listened since `since_ns` unless a record tells more.
    pub fn snapshot(&mut self, boot_ns: u64, since_ns: u64, found: Vec<Found>) {
        let (sockets, mut parts) = self.sockets();
        sockets.snapshot(&mut parts, boot_ns, since_ns, found);
    }

    /// The sockets that existed at `boot_ns`, with those of the
    /// [`snapshot`](Self::snapshot), to be told one after the other by
    /// [`tell_next`](Self::tell_next). Every record from before has been taken in.
    pub fn existing(&mut self, boot_ns: u64, found: Vec<Found>) -> Existing {
        let (sockets, mut parts) = self.sockets();
        sockets.existing(&mut parts, boot_ns, found)
    }

    /// Tells the next of them, or at last the ends that have waited. Returns
    /// whether there is more to tell.
    pub fn tell_next(&mut self, existing: &mut Existing) -> bool {
        let (sockets, mut parts) = self.sockets();
        sockets.report_next(&mut parts, existing)
    }

    /// Whether a listener waits for its port: then [`listening_ports`](Self::listening_ports)
    /// is to be given what a dump of the host's listeners shows.
    #[must_use]
    pub fn awaits_ports(&mut self) -> bool {
        self.sockets.awaits_ports()
    }

    /// The listeners that wait for their ports, by cookie.
    #[must_use]
    pub fn without_ports(&self) -> HashSet<u64> {
        self.sockets.without_ports()
    }

    /// Ports of listeners that wait for theirs, by cookie.
    pub fn listening_ports(&mut self, ports: &[(u64, u16)]) {
        let (sockets, mut parts) = self.sockets();
        for (cookie, port) in ports {
            sockets.port_is_known(&mut parts, *cookie, *port);
        }
    }

    /// When the oldest record was made of which something is still to be told: it waits
    /// for an outcome, a process or a name.
    pub fn waits_since(&mut self) -> Option<u64> {
        self.sockets.waits_since().into_iter().chain(self.reporter.waits_since()).min()
    }

    /// How long the oldest container has waited for its name, nanoseconds, and how many do.
    #[must_use]
    pub fn names_awaited(&self) -> (u64, usize) {
        self.reporter.names_awaited()
    }

    /// What the host calls its users from now on.
    pub fn users(&mut self, users: UserNames) {
        self.reporter.users(users);
    }

    /// News from a container runtime.
    pub fn runtime(&mut self, news: RuntimeNews, boot_ns: u64) {
        match news {
            RuntimeNews::Container(container) => {
                let Described { spoofs, late } = self.owners.describe(&container);
                for spoof in spoofs {
                    self.push(boot_ns, None, Some(spoof));
                }
                if !self.owners.awaits_name(&container.id) {
                    self.reporter.release(&mut self.owners, &container.id);
                }
                if let Some((owner, told)) = late {
                    let identified = Identified { events: told.events };
                    let event = self.reporter.event(boot_ns, None, identified.into());
                    let (owner, amends) = (Some(owner), Some(told.first));
                    self.reporter.push_as_is(Event { owner, amends, ..event });
                }
            }
            RuntimeNews::Users { id, users } => self.owners.name_users(&id, users),
            RuntimeNews::Removed { id } => self.owners.gone(&id),
            RuntimeNews::Reachable { endpoint, version } => {
                self.reporter.runtime_answers(&mut self.owners, true);
                self.health(boot_ns, Health::RuntimeReachable { endpoint, version });
            }
            RuntimeNews::Unreachable { endpoint, reason } => {
                self.reporter.runtime_answers(&mut self.owners, false);
                self.health(boot_ns, Health::RuntimeUnreachable { endpoint, reason });
            }
        }
    }

    /// Records were lost in `place` between two boot-clock times.
    pub fn lost(&mut self, place: String, from_ns: u64, to_ns: u64, by: Vec<Lost>) {
        self.doubt(&[], &by, to_ns);
        let by = self.counted(by);
        self.health(to_ns, Health::Lost { place, from_ns, to_ns, by });
    }

    /// Acts beyond their owners' budgets were not told between two boot-clock times:
    /// some that only they were told by, and some that tables rest on. Each owner has an
    /// event of its own.
    pub fn suppressed(&mut self, (from_ns, to_ns): (u64, u64), by: Vec<Lost>, of_state: Vec<Lost>) {
        self.doubt(&by, &of_state, to_ns);
        for by in by_cgroup(by.into_iter().chain(of_state)).into_values() {
            let by = self.counted(by);
            let owner = by.first().and_then(|one| one.owner.clone());
            let suppressed = Health::Suppressed { from_ns, to_ns, by };
            let event = self.reporter.event(to_ns, None, suppressed.into());
            self.reporter.push_as_is(Event { owner, ..event });
        }
    }

    fn counted(&mut self, by: Vec<Lost>) -> Vec<LossCount> {
        let counted = |Lost { cgroup, operation, count, new }| {
            let owner = cgroup.map(|cgroup| self.owners.owner(cgroup));
            LossCount { owner, operation, count, new }
        };
        by.into_iter().map(counted).collect()
    }

    /// What rests on these records is in doubt; on those `by`, only the ends of sockets.
    fn doubt(&mut self, by: &[Lost], of_state: &[Lost], to_ns: u64) {
        if may_have_told(of_state, OF_PROCESSES) {
            self.owners.doubt(to_ns);
        }
        if may_have_told(of_state, OF_LISTENERS) {
            self.peers.doubt(to_ns);
        }
        if may_have_told(of_state, OF_ENDS) || may_have_told(by, OF_ENDS) {
            self.sockets.doubt_ends(to_ns);
        }
    }

    /// Reports what the tables had no room for, at most once a second, and returns how many
    /// records that were.
    pub fn report_unkept(&mut self, boot_ns: u64) -> u64 {
        self.reporter.report_unkept(&mut self.owners, boot_ns)
    }

    /// Something about the agent itself.
    pub fn health(&mut self, boot_ns: u64, health: Health) {
        self.reporter.health(boot_ns, health);
    }

    /// Tells what still waits; the run ends.
    pub fn finish(&mut self) {
        let mut existing = self.existing(0, Vec::new());
        while self.tell_next(&mut existing) {}
        self.report_overdue(u64::MAX, u64::MAX);
    }
}
