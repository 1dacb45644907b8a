//! Records become events: correlated, dated, and tied to their owner.
//!
//! This stage does no I/O and reads no clock: everything it knows comes in as an
//! input, so the same inputs give the same events. `sources/` gets such inputs, and is
//! called by others.
//!
//! A folder is a part of what the stage knows, with the records that it is kept true by.
//! Each asks those before it: `cgroups/`, `owners/` (which looks up processes, too),
//! `processes/`, `other_end/`, `sockets/`. The files beside them are the stage's doors:
//! what comes in, what goes out.

pub mod cgroups;
mod found;
mod held;
mod news;
mod other_end;
mod own;
mod owners;
mod party;
mod present;
mod processes;
mod shortfall;
mod sockets;
mod tell;
mod unkept;
mod wanted;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hostnet_abi::{DecodeError, FlowKey, Record, decode};
use serde::{Deserialize, Serialize};

pub use found::{Found, Holder};
pub use news::RuntimeNews;
pub use other_end::{Redirect, Redirects};
pub use owners::Apart;
pub use sockets::Existing;
pub use unkept::PLACE as TABLE_PLACE;
pub use wanted::Asker;

use crate::event::{
    Event, FlowCount, Health, Process, UserNames,
    shares::{Fill, share_name},
};
use cgroups::CgroupTree;
use held::Held;
use other_end::Ends;
use own::OwnActs;
use owners::{ContainerRegistry, Strays, V1Claims};
use party::Party;
use processes::{Older, ProcessTable};
use shortfall::{AskedSockets, Unheard};
use sockets::{PortlessListeners, SocketTable, Unconfirmed};
use unkept::Unkept;

/// What does not change during a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Tell host processes, too.
    pub all: bool,
    /// No cgroup v2 is in use: containers are in the root cgroup like everybody else.
    pub v1_only: bool,
    /// Refused binds are seen, so one without an answer was not refused.
    #[serde(default)]
    pub sees_refusals: bool,
    /// The process that calls accept(2) is seen, so accepted connections wait for it.
    #[serde(default)]
    pub sees_acceptor: bool,
    /// TCP listeners are seen as they come and go.
    #[serde(default)]
    pub sees_listeners: bool,
    /// Whether a datagram leaves a connected UDP socket is seen.
    #[serde(default)]
    pub sees_first_sends: bool,
    /// Of a connection within this host the end that accepts is seen, whoever that is.
    #[serde(default)]
    pub sees_accepts_within_host: bool,
    /// The end of UDP sockets is seen.
    #[serde(default)]
    pub sees_datagram_ends: bool,
    /// Inode of the host's mount namespace: a process in a container's cgroup
    /// that still has it is the runtime setting the container up.
    pub host_mount_namespace: u32,
    /// Inode of the agent's own mount namespace, which counts as the host's, too.
    #[serde(default)]
    pub own_mount_namespace: u32,
    /// The agent's own process.
    #[serde(default)]
    pub own_pid: u32,
    /// Random per run; event ids are derived from it.
    pub seed: u64,
}

/// What this stage asks to be done elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Class this cgroup as the host's own in the kernel: a service manager's, or not.
    Quieten { cgroup: u64, is_service: bool },
    /// Give this container's cgroup a budget in the kernel, or that of the cgroup `payer`.
    Budget { cgroup: u64, payer: Option<u64> },
    /// A stranger is in this cgroup of the host's: tell all that it does.
    Mix(u64),
    /// Follow this process wherever it goes: a container's, or one apart (`home` is 0).
    Follow { pid: u32, home: u64, now: u64 },
    /// A cgroup is gone from the tree.
    Forget(u64),
    /// A cgroup names this container: ask the runtime about it.
    Inspect(String),
    /// These UDP flows' sockets are gone without a word.
    ForgetFlows(Vec<FlowKey>),
    /// Ask the kernel which sockets there are, for [`Attribution::listeners`].
    Listeners,
}

/// The stage.
#[derive(Debug)]
pub struct Attribution {
    policy: Policy,
    tree: CgroupTree,
    registry: ContainerRegistry,
    processes: ProcessTable,
    strays: Strays,
    /// Containers' processes from before the agent, by mount namespace, until the
    /// runtime has said whose that is.
    older: HashMap<u32, Vec<Older>>,
    v1_claims: V1Claims,
    sockets: SocketTable,
    /// The sockets that existed at start, until they are told.
    snapshot: Option<Vec<Found>>,
    unconfirmed: Unconfirmed,
    ends: Ends,
    own: OwnActs,
    held: Held,
    unheard: Unheard,
    unkept: Unkept,
    /// Until the answer is there.
    asked_sockets: Option<AskedSockets>,
    portless: PortlessListeners,
    /// What the host calls its users.
    users: Option<Arc<UserNames>>,
    /// The runtime does not answer: nobody waits for names.
    runtime_is_silent: bool,
    flow_counts: Vec<FlowCount>,
    wall_minus_boot: i64,
    /// The boot clock, as it was last read.
    now_ns: u64,
    ids: u64,
    events: Vec<Event>,
    requests: Vec<Request>,
}

impl Attribution {
    /// An empty stage.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            tree: CgroupTree::default(),
            registry: ContainerRegistry::new(policy.v1_only),
            processes: ProcessTable::default(),
            strays: Strays::default(),
            older: HashMap::new(),
            v1_claims: V1Claims::default(),
            sockets: SocketTable::default(),
            snapshot: None,
            unconfirmed: Unconfirmed::default(),
            ends: Ends::default(),
            own: OwnActs::new(policy.own_pid),
            held: Held::default(),
            unheard: Unheard::default(),
            unkept: Unkept::default(),
            asked_sockets: None,
            portless: PortlessListeners::default(),
            users: None,
            runtime_is_silent: false,
            flow_counts: Vec::new(),
            wall_minus_boot: 0,
            now_ns: 0,
            ids: 0,
            events: Vec::new(),
            requests: Vec::new(),
            policy,
        }
    }

    /// Events since the last call, in the order they are to be told.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        if into.is_empty() {
            std::mem::swap(into, &mut self.events);
        } else {
            into.append(&mut self.events);
        }
    }

    /// Requests since the last call.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Takes back requests to ask for containers that the runtime has described meanwhile.
    pub fn forget_answered(&mut self) {
        let containers = &self.registry.containers;
        self.requests.retain(
            |request| !matches!(request, Request::Inspect(id) if !containers.awaits_name(id)),
        );
    }

    /// One record from the kernel.
    ///
    /// # Errors
    /// When the bytes are not a record; nothing else is affected.
    pub fn record(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let (header, hook, record, tail) = decode(bytes)?;
        match record {
            Record::Exec(exec) => self.executed(&header, hook, &exec, tail),
            Record::Fork(fork) => self.forked(&header, hook, &fork),
            Record::Exit(exit) => self.exited(&header, hook, exit),
            Record::CgroupMkdir(made) => self.cgroup_made(&header, hook, made.id, tail),
            Record::CgroupRmdir(removed) => self.cgroup_removed(&header, hook, removed.id),
            Record::CgroupAttach(attach) => self.attached(&header, hook, &attach),
            record => self.socket_record(&header, hook, record, tail),
        }
        self.make_room_for_processes();
        Ok(())
    }

    fn make_room_for_processes(&mut self) {
        let Self { processes, registry, tree, .. } = self;
        if processes.is_full() {
            processes.make_room(|cgroup| share_name(&registry.owner(cgroup, tree)).to_owned());
        }
    }

    /// How full the tables are, by name.
    #[must_use]
    pub fn tables(&self) -> BTreeMap<&'static str, Fill> {
        let [listeners, clients] = self.ends.fill();
        BTreeMap::from([
            ("sockets", self.sockets.fill()),
            ("processes", self.processes.fill()),
            ("listeners", listeners),
            ("listeners-without-port", self.portless.fill()),
            ("connections-within-host", clients),
            ("connects-without-acceptor", self.unconfirmed.fill()),
            ("events-without-name", self.held.fill()),
            ("removed-cgroups", self.tree.fill()),
        ])
    }

    /// A cgroup that was found, not told.
    pub fn cgroup(&mut self, id: u64, path: String) {
        self.enter_cgroup(id, path, None);
    }

    /// A process found in /proc.
    pub fn process(&mut self, process: Process) {
        let Self { processes, registry, tree, .. } = self;
        let owner = registry.owner(process.cgroup.unwrap_or_default(), tree);
        processes.seed(process, |cgroup| registry.owner(cgroup, tree).is_same(&owner));
        self.make_room_for_processes();
    }

    /// The clock: both readings of the same moment, nanoseconds.
    pub fn clock(&mut self, boot_ns: u64, wall_ns: u64) {
        self.wall_minus_boot = wall_ns.cast_signed().wrapping_sub(boot_ns.cast_signed());
        self.now_ns = boot_ns;
    }

    /// What the wall clock said at a time of the boot clock, as far as is known.
    #[must_use]
    pub const fn wall_ns(&self, boot_ns: u64) -> u64 {
        boot_ns.saturating_add_signed(self.wall_minus_boot)
    }

    /// Records were taken up to `boot_ns`: what has waited long enough is told, what
    /// was kept long enough forgotten.
    pub fn expire(&mut self, boot_ns: u64) {
        self.tell_unconfirmed(boot_ns);
        self.tell_overdue(boot_ns);
        self.release_overdue(self.now_ns);
        self.processes.expire(boot_ns);
        self.expire_ends(boot_ns);
        self.expire_unheard(boot_ns);
        self.strays.expire(boot_ns);
        for (cgroup, path) in self.tree.expire(boot_ns) {
            self.forget_cgroup(cgroup, &path);
        }
    }

    /// When the oldest record was made of which something is still to be told: it waits
    /// for an outcome, a process or a name.
    pub fn waits_since(&mut self) -> Option<u64> {
        let sockets = [
            self.sockets.waits_since(),
            self.portless.waits_since(),
            self.unconfirmed.waits_since(),
        ];
        sockets.into_iter().flatten().chain(self.held.waits_since()).min()
    }

    /// What the host calls its users from now on.
    pub fn users(&mut self, users: UserNames) {
        self.users = Some(Arc::new(users));
    }

    /// Tells what still waits; the run ends.
    pub fn finish(&mut self) {
        let mut existing = self.existing(0, Vec::new());
        while self.tell_next(&mut existing) {}
        self.tell_unconfirmed(u64::MAX);
        self.tell_overdue(u64::MAX);
        self.release_overdue(u64::MAX);
    }

    /// Something about the agent itself.
    pub fn health(&mut self, boot_ns: u64, health: Health) {
        let event = self.event(boot_ns, None, health.into());
        self.events.push(event);
    }
}
