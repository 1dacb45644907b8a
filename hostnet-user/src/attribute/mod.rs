//! Records become events: correlated, dated, and tied to their owner.
//!
//! This stage does no I/O and reads no clock: everything it knows comes in as an
//! input, so the same inputs give the same events. `fetch/` fetches such inputs, and is
//! called by others.

mod accept;
mod beyond_ip;
pub mod cgroup_path;
mod cgroup_tree;
mod claims;
mod connect;
mod container_life;
mod container_registry;
mod correlate;
mod docker_proxy;
pub mod fetch;
mod found;
mod held;
mod life;
mod listeners;
mod migration;
mod news;
mod owner_cache;
mod peer;
mod present;
mod process_table;
mod shortfall;
mod snapshot;
mod socket_table;
mod strays;
mod v1_claims;
mod wanted;

use std::{collections::HashMap, sync::Arc};

use hostnet_abi::{DecodeError, FlowKey, Header, Hook, Record, decode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cgroup_tree::CgroupTree;
pub use found::{Found, Holder};
pub use news::RuntimeNews;
pub use snapshot::Existing;

use crate::event::{
    Actor, Event, FlowCount, Health, Joined, Operation, Owner, OwnerKind, Peer, Process, Socket,
    UserNames, canonical,
};
use container_registry::ContainerRegistry;
use held::Held;
use migration::Older;
use peer::Ends;
use process_table::ProcessTable;
use shortfall::Unheard;
use socket_table::{Party, SocketTable};
pub use strays::Apart;
use strays::Strays;
use v1_claims::V1Claims;

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
    /// The end of UDP sockets is seen.
    #[serde(default)]
    pub sees_datagram_ends: bool,
    /// Inode of the host's mount namespace: a process in a container's cgroup
    /// that still has it is the runtime setting the container up.
    pub host_mount_namespace: u32,
    /// Inode of the agent's own mount namespace, which counts as the host's, too.
    #[serde(default)]
    pub own_mount_namespace: u32,
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
    ends: Ends,
    held: Held,
    unheard: Unheard,
    listening_port: Option<(u64, u16)>,
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
            policy,
            processes: ProcessTable::default(),
            strays: Strays::default(),
            older: HashMap::new(),
            v1_claims: V1Claims::default(),
            sockets: SocketTable::default(),
            ends: Ends::default(),
            held: Held::default(),
            unheard: Unheard::default(),
            listening_port: None,
            users: None,
            runtime_is_silent: false,
            flow_counts: Vec::new(),
            wall_minus_boot: 0,
            now_ns: 0,
            ids: 0,
            events: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Events since the last call, in the order they are to be told.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    /// Requests since the last call.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
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
        Ok(())
    }

    /// A cgroup found at start.
    pub fn cgroup(&mut self, id: u64, path: String) {
        self.enter_cgroup(id, path, None);
    }

    /// A process found in /proc.
    pub fn process(&mut self, process: Process) {
        let Self { processes, registry, tree, .. } = self;
        let owner = registry.owner(process.cgroup.unwrap_or_default(), tree);
        processes.seed(process, |cgroup| registry.owner(cgroup, tree).is_same(&owner));
    }

    /// The clock: both readings of the same moment, nanoseconds.
    pub fn clock(&mut self, boot_ns: u64, wall_ns: u64) {
        self.wall_minus_boot = wall_ns as i64 - boot_ns as i64;
        self.now_ns = boot_ns;
    }

    /// Records were taken up to `boot_ns`: what has waited long enough is told, what
    /// was kept long enough forgotten.
    pub fn expire(&mut self, boot_ns: u64) {
        self.tell_overdue(boot_ns);
        self.release_overdue(self.now_ns);
        self.processes.expire(boot_ns);
        self.expire_ends(boot_ns);
        self.expire_unheard(boot_ns);
        self.strays.expire(boot_ns);
        for (cgroup, path) in self.tree.expire(boot_ns) {
            self.registry.forget_cgroup(cgroup, &path);
        }
    }

    /// When the oldest record was made of which something is still to be told: it waits
    /// for an outcome, a process or a name.
    pub fn waits_since(&mut self) -> Option<u64> {
        let sockets = self.sockets.waits_since();
        sockets.into_iter().chain(self.held.waits_since()).min()
    }

    /// What the host calls its users from now on.
    pub fn users(&mut self, users: UserNames) {
        self.users = Some(Arc::new(users));
    }

    /// Tells what still waits; the run ends.
    pub fn finish(&mut self) {
        let mut existing = self.existing(0, Vec::new());
        while self.tell_next(&mut existing) {}
        self.tell_overdue(u64::MAX);
        self.release_overdue(u64::MAX);
    }

    /// Something about the agent itself.
    pub fn health(&mut self, boot_ns: u64, health: Health) {
        let event = self.event(boot_ns, None, health.into());
        self.events.push(event);
    }

    /// Who did it: owner, creator when that differs, process.
    fn party(&mut self, header: &Header) -> Party {
        let has_actor = header.tgid != 0;
        let owner = if has_actor {
            self.owner_of_process(header)
        } else {
            self.registry.owner(header.socket_cgroup, &self.tree)
        };
        let made_in = header.socket_cgroup;
        let is_passed = has_actor && made_in != 0 && made_in != header.task_cgroup;
        let creator = (is_passed && !self.may_have_made(header, made_in))
            .then(|| self.registry.owner(made_in, &self.tree))
            .filter(|creator| !creator.is_same(&owner));
        let process = self.processes.get(header.tgid, header.boot_ns).map(Arc::clone);
        let actor = has_actor.then_some(Actor {
            tgid: header.tgid,
            tid: header.tid,
            uid: header.uid,
            gid: header.gid,
        });
        Party { owner, creator, process, actor }
    }

    fn is_told(&self, owner: &Owner) -> bool {
        self.policy.all || owner.kind != OwnerKind::Host
    }

    /// What a host process does with a container's socket is the container's, too.
    fn is_told_of(&self, party: &Party) -> bool {
        self.is_told(&party.owner) || party.creator.as_deref().is_some_and(|one| self.is_told(one))
    }

    /// Tells an operation of `party`, and first that its container is in the
    /// host's network namespace when this is the first sign of it.
    fn tell(
        &mut self,
        boot_ns: u64,
        hook: impl Into<Option<Hook>>,
        party: &Party,
        socket: Option<Socket>,
        operation: Operation,
    ) -> Uuid {
        self.tell_with(boot_ns, hook, party, socket, operation, None)
    }

    /// The same with whoever is at the other end.
    fn tell_with(
        &mut self,
        boot_ns: u64,
        hook: impl Into<Option<Hook>>,
        party: &Party,
        socket: Option<Socket>,
        operation: Operation,
        peer: Option<Box<Peer>>,
    ) -> Uuid {
        let hook = hook.into();
        // Made and held by the same container, an older socket is a sign of it, too.
        let is_held = matches!(operation, Operation::ExistingSocket(_)) && party.creator.is_none();
        let joined = (party.actor.is_some() || is_held)
            .then(|| party.owner.container_id.clone())
            .flatten()
            .is_some_and(|id| self.registry.joins(&id));
        if joined {
            let event = self.event(boot_ns, hook, Joined::default().into());
            self.push(Event { owner: Some(Arc::clone(&party.owner)), ..event });
        }
        let event = self.event(boot_ns, hook, operation);
        let id = event.id;
        self.push(Event { peer, ..party.did(event, socket) });
        id
    }

    fn event(&mut self, boot_ns: u64, hook: Option<Hook>, operation: Operation) -> Event {
        let wall_ns = boot_ns.saturating_add_signed(self.wall_minus_boot);
        self.ids += 1;
        let id = event_id(wall_ns, self.policy.seed, self.ids);
        Event { hook, ..Event::new(id, boot_ns, wall_ns, operation) }
    }
}

/// UUIDv7: the event's own time, then the run's seed and a counter.
fn event_id(wall_ns: u64, seed: u64, counter: u64) -> Uuid {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&(seed as u16).to_be_bytes());
    random[2..].copy_from_slice(&(counter ^ seed.rotate_left(17)).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(wall_ns / 1_000_000, &random).into_uuid()
}

/// Whether two addresses are the same once v4-mapped ones are IPv4.
fn same(a: std::net::SocketAddr, b: std::net::SocketAddr) -> bool {
    canonical(a) == canonical(b)
}
