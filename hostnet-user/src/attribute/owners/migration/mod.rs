//! Processes that leave their cgroup: what the records of forks, programs and moves
//! between cgroups make of it.
//!
//! A container's process stays the container's wherever it goes, and so do its
//! children. Coming home, into its container's cgroups, it is like any other again.

use std::sync::Arc;

use hostnet_abi::{CgroupAttach, Exec as ExecRecord, Fork as ForkRecord, Header};

use super::{
    Apart, OwnerResolver, Reported,
    strays::{CgroupId, Older, Stray},
};
use crate::{
    attribute::{cgroups::claims::is_service, party::Party, policy::Policy, request::Request},
    event::{Cgroup, CgroupMigration, Container, Mover, Owner, OwnerKind},
};

/// A process goes from one cgroup to another.
#[derive(Clone, Copy, Debug)]
struct Move {
    pid: u32,
    start_ns: u64,
    from: CgroupId,
    to: CgroupId,
}

impl OwnerResolver {
    /// A process made another, maybe in another cgroup.
    pub(in crate::attribute) fn forked(&mut self, header: &Header, fork: &ForkRecord) -> Reported {
        let (from, to) = (CgroupId(header.task_cgroup), CgroupId(fork.cgroup));
        self.processes.fork(header, fork);
        self.own.forked(header.tgid, fork);
        let child = Move { pid: fork.child, start_ns: fork.start_ns, from, to };
        self.strays.fork(header.tgid, child.pid, child.start_ns, to, header.boot_ns);
        if fork.contained == 1 && from != to { self.moved(header, child) } else { None }
    }

    /// A process was moved to another cgroup.
    pub(in crate::attribute) fn attached(
        &mut self,
        header: &Header,
        attach: &CgroupAttach,
    ) -> Reported {
        let CgroupAttach { id, from, start_ns, moved: pid, .. } = *attach;
        let (from, to) = (CgroupId(from), CgroupId(id));
        // The runtime's processes pass through the cgroups of containers.
        if from == CgroupId(0) || from == to {
            return None;
        }
        self.moved(header, Move { pid, start_ns, from, to })
    }

    /// A container's process, or a stray, was moved: reported when it leaves or
    /// comes home, or goes from one strange place to the next.
    fn moved(&mut self, header: &Header, of: Move) -> Reported {
        self.strays.settle(of.pid, of.start_ns);
        if self.own.is_own(of.pid) {
            return None;
        }
        let owner = self.follow(of, header.boot_ns)?;
        let by = self.party(header);
        let place =
            |CgroupId(id)| Cgroup { id, path: self.tree.path(id).unwrap_or_default().to_owned() };
        let operation = CgroupMigration {
            from: place(of.from),
            to: place(of.to),
            pid: of.pid,
            by: Mover { pid: header.tgid, process: by.process, owner: by.owner },
        };
        let process = self.processes.get(of.pid, header.boot_ns).map(Arc::clone);
        let actor = by.actor.filter(|actor| actor.tgid == of.pid);
        Some((Party { owner, creator: None, process, actor }, operation.into()))
    }

    /// Notes where a process has gone; whose it is when that is a container's.
    fn follow(
        &mut self,
        Move { pid, start_ns, from, to }: Move,
        boot_ns: u64,
    ) -> Option<Arc<Owner>> {
        let there = self.owner(to.0);
        let home = self.strays.get(pid, boot_ns).map(|stray| stray.home());
        match home {
            // Whoever runs a container without a runtime hostnet knows.
            Some(None) => {
                if there.kind == OwnerKind::Container {
                    self.strays.remove(pid);
                } else {
                    self.strays.moves(pid, to);
                }
                None
            }
            Some(Some(home)) => {
                let owner = self.owner(home.0);
                if owner.kind == OwnerKind::Container && owner.is_same(&there) {
                    self.strays.remove(pid);
                    return Some(there);
                }
                self.strays.moves(pid, to);
                Some(self.stray_owner(pid, boot_ns).unwrap_or(owner))
            }
            None => {
                let owner = self.owner(from.0);
                if owner.kind != OwnerKind::Container || owner.is_same(&there) {
                    return None;
                }
                self.strays.insert(pid, Stray::new(start_ns, Some(from), to));
                Some(self.stray_owner(pid, boot_ns).unwrap_or(owner))
            }
        }
    }

    /// A program runs in namespaces of its own, in a cgroup that is the host's.
    pub(super) fn note_apart(&mut self, header: &Header, exec: &ExecRecord) {
        self.strays.settle(header.tgid, exec.start_ns);
        let (mounts, pids) = (exec.mount_namespace, exec.pid_level > 0);
        if self.is_apart(header.task_cgroup, mounts, pids)
            && self.strays.get(header.tgid, header.boot_ns).is_none()
        {
            let here = CgroupId(header.task_cgroup);
            self.strays.insert(header.tgid, Stray::new(exec.start_ns, None, here));
            // The programs do so, but for a cgroup that had no class then and has one now.
            self.requests.push(Request::Mix(header.task_cgroup));
        }
    }

    /// A process with namespaces of its own that was found at start.
    pub fn apart(&mut self, apart: &Apart) {
        // Without v2 all are in one cgroup, which is nobody's.
        if self.policy.v1_only {
            return;
        }
        let Apart { pid, cgroup, mount_namespace, own_pids, in_host_network } = *apart;
        let (home, is_apart) = match self.owner(cgroup).kind {
            OwnerKind::Host => (0, self.is_apart(cgroup, mount_namespace, own_pids)),
            OwnerKind::Container | OwnerKind::ContainerUnknown | OwnerKind::Unknown => {
                (cgroup, false)
            }
        };
        if is_apart && in_host_network {
            let start_ns = self.processes.now(pid).map_or(0, |process| process.start_ns);
            self.strays.insert(pid, Stray::new(start_ns, None, CgroupId(cgroup)));
            self.requests.push(Request::Mix(cgroup));
        }
        if home != 0
            && in_host_network
            && let Some(process) = self.processes.now(pid)
        {
            let older = Older { pid, start_ns: process.start_ns, cgroup: CgroupId(cgroup) };
            self.older.entry(mount_namespace).or_default().push(older);
        }
        if home != 0 || is_apart {
            self.requests.push(Request::Follow { pid, home, now: cgroup });
        }
    }

    /// Processes from before the agent that have a container's mounts, but are in
    /// another's cgroup: they went there.
    pub(super) fn claim_older(&mut self, container: &Container) {
        let Some(found) = self.older.remove(&container.mount_namespace) else { return };
        let owner = self.registry.owner_of_container(&container.id, &self.tree);
        let Some(owner) = owner else { return };
        for Older { pid, start_ns, cgroup } in found {
            let is_it = self.processes.now(pid).is_some_and(|now| now.start_ns == start_ns);
            let there = self.owner(cgroup.0);
            let is_anothers = there.kind == OwnerKind::Container && !there.is_same(&owner);
            if is_it && is_anothers && self.strays.get(pid, 0).is_none() {
                let home = Some(CgroupId(owner.cgroup_id));
                self.strays.insert(pid, Stray::new(start_ns, home, cgroup));
            }
        }
    }

    fn is_apart(&mut self, cgroup: u64, mount_namespace: u32, own_pids: bool) -> bool {
        let Policy { host_mount_namespace, own_mount_namespace, .. } = self.policy;
        let own_mounts = ![0, host_mount_namespace, own_mount_namespace].contains(&mount_namespace);
        let owner = self.owner(cgroup);
        owner.kind == OwnerKind::Host
            && (own_pids || (own_mounts && !is_service(&owner.cgroup_path)))
    }
}

#[cfg(test)]
mod tests;
