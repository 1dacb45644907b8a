//! Whose a cgroup, a process or a socket is: one type, which owns the tables that say so.
//!
//! Records of cgroups and processes, what /proc shows and what runtimes say keep them true.
//! What of it is to be reported is handed back. A wrong owner is worse than none. It must
//! not know what is done with a socket, who is at its other end, or how events are made.

mod cache;
mod cgroup_life;
mod containers;
mod lookups;
mod migration;
mod own;
mod present;
mod process_life;
mod registry;
mod strays;
mod v1_claims;
mod whose;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use hostnet_abi::{EventKind, Header, Record};
use uuid::Uuid;

pub use lookups::{Asker, Lookups};
pub use strays::Apart;

use super::{
    cgroups::CgroupTree, decoded::Decoded, found::Found, party::Party, policy::Policy,
    processes::ProcessTable, request::Request,
};
use crate::event::{
    Container, Operation, Owner, OwnerKind, Process, UserNames,
    shares::{Fill, share_name},
};
use containers::Told;
use own::OwnActs;
use registry::ContainerRegistry;
use strays::{Older, Strays};
use v1_claims::V1Claims;

/// Id of the first cgroup of the v2 hierarchy, where everybody is who is in no other.
const ROOT_CGROUP: u64 = 1;

/// Something that is to be reported, and whose it is.
pub(super) type Reported = Option<(Party, Operation)>;

/// Who owns what.
#[derive(Debug)]
pub struct OwnerResolver {
    policy: Policy,
    tree: CgroupTree,
    registry: ContainerRegistry,
    processes: ProcessTable,
    strays: Strays,
    /// Containers' processes from before the agent, by mount namespace, until the
    /// runtime has said whose that is.
    older: HashMap<u32, Vec<Older>>,
    v1_claims: V1Claims,
    own: OwnActs,
    requests: Vec<Request>,
}

/// What a runtime's word on a container changes.
pub(super) struct Described {
    /// Cgroups that bear its name without being its own.
    pub spoofs: Vec<(Party, Operation)>,
    /// What was reported without what is known now, and the container's owner.
    pub late: Option<(Arc<Owner>, Told)>,
}

impl OwnerResolver {
    /// One that knows nothing yet.
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            tree: CgroupTree::default(),
            registry: ContainerRegistry::new(policy.v1_only),
            processes: ProcessTable::default(),
            strays: Strays::default(),
            older: HashMap::new(),
            v1_claims: V1Claims::default(),
            own: OwnActs::new(policy.own_pid),
            requests: Vec::new(),
            policy,
        }
    }

    /// The owner of a cgroup.
    pub(super) fn owner(&mut self, cgroup: u64) -> Arc<Owner> {
        self.registry.owner(cgroup, &self.tree)
    }

    /// The same owner with what is known of it by now.
    pub(super) fn renewed(&mut self, owner: &Arc<Owner>) -> Arc<Owner> {
        self.registry.renewed(owner, &self.tree)
    }

    /// The container that alone runs with this address.
    pub(super) fn running_at(&mut self, address: IpAddr) -> Option<Arc<Owner>> {
        let id = self.registry.containers.container_at(address)?.to_owned();
        self.registry.owner_of_container(&id, &self.tree)
    }

    /// The process that had this id at `boot_ns`.
    pub(super) fn process(&self, pid: u32, boot_ns: u64) -> Option<&Arc<Process>> {
        self.processes.get(pid, boot_ns)
    }

    /// The process that began last among those that `is_it` holds of.
    pub(super) fn youngest_process(
        &self,
        is_it: impl Fn(&Process) -> bool,
    ) -> Option<Arc<Process>> {
        self.processes.youngest(is_it)
    }

    /// Whether what such an owner does is reported.
    pub(super) fn is_told(&self, owner: &Owner) -> bool {
        self.policy.all || owner.kind != OwnerKind::Host
    }

    /// What a host process does with a container's socket is the container's, too.
    pub(super) fn is_told_of(&self, party: &Party) -> bool {
        self.is_told(&party.owner) || party.creator.as_deref().is_some_and(|one| self.is_told(one))
    }

    /// Whether the runtime's word on a container is still worth waiting for.
    pub(super) fn awaits_name(&self, id: &str) -> bool {
        self.registry.containers.awaits_name(id)
    }

    /// A container's events have waited long enough for its name.
    pub(super) fn waited(&mut self, id: &str) {
        self.registry.containers.waited(id);
    }

    /// An event of a container is reported before an inspect has described it.
    pub(super) fn told_undescribed(&mut self, id: &str, event: Uuid) {
        self.registry.containers.told_undescribed(id, event);
    }

    /// Whether this is a container's first sign of life in the host's network namespace;
    /// from now on it has joined.
    pub(super) fn joins(&mut self, id: &str) -> bool {
        self.registry.containers.joins(id)
    }

    /// A process found in /proc.
    pub(super) fn found_process(&mut self, process: Process) {
        let owner = self.owner(process.cgroup.unwrap_or_default());
        let Self { processes, registry, tree, .. } = self;
        processes.seed(process, |cgroup| registry.owner(cgroup, tree).is_same(&owner));
        self.make_room();
    }

    /// Forgets processes where there are too many.
    pub(super) fn make_room(&mut self) {
        let Self { processes, registry, tree, .. } = self;
        if processes.is_full() {
            processes.make_room(|cgroup| share_name(&registry.owner(cgroup, tree)).to_owned());
        }
    }

    /// The runtime describes a container.
    pub(super) fn describe(&mut self, container: &Container) -> Described {
        let is_confirmed = self.confirms(container);
        let told = self.registry.containers.describe(container.clone());
        let mut spoofs = Vec::new();
        if is_confirmed {
            self.registry.confirm(container, &self.tree);
            spoofs = self.spoofs_of(&container.id);
            self.claim_older(container);
        }
        let late = told.and_then(|told| {
            Some((self.registry.owner_of_container(&container.id, &self.tree)?, told))
        });
        Described { spoofs, late }
    }

    /// Whether the runtime's process of a container, as /proc showed it, is what
    /// the kernel's records know of it: a container's, and not a stray.
    fn confirms(&mut self, container: &Container) -> bool {
        let has_own_mounts =
            ![0, self.policy.host_mount_namespace].contains(&container.mount_namespace);
        container.pid != 0 && has_own_mounts && self.strays.get(container.pid, 0).is_none()
    }

    /// What a container calls its users.
    pub(super) fn name_users(&mut self, id: &str, users: UserNames) {
        self.registry.containers.name_users(id, users);
    }

    /// The runtime no longer has a container.
    pub(super) fn gone(&mut self, id: &str) {
        self.registry.containers.gone(id);
    }

    /// Records about processes were lost until `boot_ns`: whoever such a record would have
    /// told of may have another process' id.
    pub(super) fn doubt(&mut self, boot_ns: u64) {
        self.processes.doubt(boot_ns);
        self.own.doubt();
    }

    /// Forgets what was kept long enough.
    pub(super) fn expire(&mut self, boot_ns: u64) {
        self.processes.expire(boot_ns);
        self.strays.expire(boot_ns);
        for (cgroup, path) in self.tree.expire(boot_ns) {
            self.forget_cgroup(cgroup, &path);
        }
    }

    /// What is asked for since the last call.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Takes back requests to ask for containers that the runtime has described meanwhile.
    pub fn forget_answered(&mut self) {
        let containers = &self.registry.containers;
        self.requests.retain(
            |request| !matches!(request, Request::Inspect(id) if !containers.awaits_name(id)),
        );
    }

    /// How full the tables of processes and of removed cgroups are.
    pub(super) fn fill(&self) -> [Fill; 2] {
        [self.processes.fill(), self.tree.fill()]
    }

    /// What /proc shows of a process' place in the v1 hierarchies.
    pub fn v1_place(&mut self, pid: u32, start_ns: u64, path: &str) {
        let owner = self.registry.owner_in_v1(path, ROOT_CGROUP);
        let id = owner.as_ref().and_then(|owner| owner.container_id.clone());
        let awaited = id.filter(|id| self.awaits_name(id));
        self.requests.extend(awaited.map(Request::Inspect));
        self.v1_claims.insert(pid, start_ns, owner);
    }

    /// Whether a record is of a socket of the agent's own.
    pub(super) fn is_of_own_socket(&mut self, header: &Header, record: &Record) -> bool {
        self.own.has_done(header, record)
    }

    /// Whether a socket that existed at start is the agent's own.
    pub(super) fn is_own_socket(&mut self, found: &Found) -> bool {
        let is_own = found.holders.iter().any(|holder| self.own.is_own(holder.pid));
        if is_own {
            self.own.holds(found.cookie);
        }
        is_own
    }

    /// What is to be looked up before this record is taken in.
    #[must_use]
    pub fn lookups(&self, of: &Decoded<'_>) -> Lookups {
        let Decoded { header, record, .. } = of;
        let peer = if let Record::Unix(unix) = record { unix.peer_tgid } else { 0 };
        let is_of_socket = header.cookie != 0;
        let is_unknown =
            |pid: &u32| is_of_socket && *pid != 0 && !self.knows_process(*pid, header.boot_ns);
        let is_somewhere = header.tgid != 0 && header.task_cgroup != 0;
        let is_misplaced = is_somewhere && self.lacks_cgroup(header.task_cgroup);
        Lookups {
            processes: [header.tgid, peer].map(|pid| Some(pid).filter(is_unknown)),
            cgroup: is_misplaced.then_some(header.tgid),
            place: self.lacks_place(header, record).then_some(header.tgid),
        }
    }

    fn lacks_place(&self, header: &Header, record: &Record) -> bool {
        let acts = || header.tgid != 0 && header.cookie != 0;
        let process = || self.processes.get(header.tgid, header.boot_ns);
        self.policy.v1_only
            && (record.kind() == EventKind::Exec
                || (acts() && self.v1_claims.lacks(header.tgid, process())))
    }

    /// Who is charged for what a record of a process in `cgroup` lacks.
    pub fn asker(&mut self, cgroup: u64) -> Asker {
        let owner = self.owner(cgroup);
        owner.container_id.clone().map_or(Asker::Cgroup(cgroup), Asker::Container)
    }

    /// Whether it is known which process had this id at `boot_ns`.
    #[must_use]
    pub fn knows_process(&self, pid: u32, boot_ns: u64) -> bool {
        self.processes.get(pid, boot_ns).is_some()
    }

    /// Whether nothing is known of the process that has this id now.
    #[must_use]
    pub fn lacks_process(&self, pid: u32) -> bool {
        self.processes.now(pid).is_none()
    }

    /// Whether nothing is known of a cgroup.
    #[must_use]
    pub fn lacks_cgroup(&self, id: u64) -> bool {
        self.tree.path(id).is_none()
    }

    /// Whether a cgroup is known to be there by this path.
    #[must_use]
    pub fn has_cgroup_at(&self, path: &str) -> bool {
        self.tree.id(path).is_some()
    }
}
